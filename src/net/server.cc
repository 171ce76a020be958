#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "net/admission.h"
#include "net/connection.h"
#include "net/http.h"

namespace andromede::net {
namespace {

namespace asio = boost::asio;

constexpr int kBacklog = 4096;
// After accept failed for want of descriptors or memory: until those who give way have gone.
constexpr std::chrono::milliseconds kAcceptPause{100};
// So many give way then.
constexpr unsigned kRoomForDescriptors = 16;
constexpr std::chrono::seconds kSaySoEvery{10};
// What the kernel takes for a peer beyond what is on its way to it. Without a bound it takes megabytes for each that
// does not read, and once the machine's share for TCP is used up, connections of others are reset.
constexpr int kUnsentBytes = 256 * 1024;
// For somebody to give way.
constexpr std::chrono::seconds kMostWaitingTime{10};
// Twice until whoever hung up counts as quiet, so that one who still takes its answer is seen to.
constexpr std::chrono::milliseconds kHangUpsEvery = std::chrono::milliseconds(kMinQuiet) / 2;
// Whoever connects in a flood does not keep the acceptor's loop from its connections.
constexpr unsigned kAcceptsPerTurn = 16;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string describe_address(const std::string& address, std::uint16_t port) {
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

tl::unexpected<Error> cannot_listen(const std::string& where) {
  const std::error_code reason(errno, std::generic_category());
  const Errc code = reason == std::errc::address_in_use          ? Errc::kAlreadyExists
                    : reason == std::errc::address_not_available ? Errc::kNotFound
                    : reason == std::errc::permission_denied     ? Errc::kRefused
                                                                 : Errc::kIo;
  return fail(code, "cannot listen on " + where + ": " + reason.message());
}

// Whether it may take an address that connections which have ended still have, and share it with whoever may too, as
// long as nobody listens there.
bool reuse(const Descriptor& fd, bool may) {
  const int value = may ? 1 : 0;
  return ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &value, sizeof value) == 0;
}

class BoundSocket final : public BoundAddress {
 public:
  BoundSocket(Descriptor fd, std::string where) : fd_(std::move(fd)), where_(std::move(where)) {}
  Result<Descriptor> listen() && {
    if (!reuse(fd_, true) || ::listen(fd_.get(), kBacklog) != 0) return cannot_listen(where_);
    return std::move(fd_);
  }

 private:
  Descriptor fd_;
  const std::string where_;
};

asio::ip::tcp::endpoint endpoint_of(const sockaddr_storage& storage, socklen_t size) {
  asio::ip::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), &storage, std::min<std::size_t>(size, endpoint.capacity()));
  return endpoint;
}

std::string address_text(const asio::ip::tcp::endpoint& endpoint) {
  asio::ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address.to_string();
}

// RequestHead::peer.
std::string peer_group(const asio::ip::tcp::endpoint& endpoint) {
  const asio::ip::address address = endpoint.address();
  if (address.is_v4() || address.to_v6().is_v4_mapped()) return address_text(endpoint);
  auto bytes = address.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return asio::ip::make_address_v6(bytes).to_string() + "/64";
}

// Accepted, and waits for a seat.
struct Newcomer {
  Descriptor fd;
  Peer peer;
  SteadyTime since;
};

// The connections that a server has on one loop. On that loop's thread.
class Shard final : public Loop::Ticking {
 public:
  Shard(Loop& loop, const Admission& admission, Counter bytes_in, Counter bytes_out)
      : loop_(loop), admission_(admission), bytes_in_(bytes_in), bytes_out_(bytes_out) {}

  [[nodiscard]] Loop& loop() const { return loop_; }
  [[nodiscard]] const bool& stopping() const { return stopping_; }

  void enter(Connection& connection) {
    if (connections_.empty()) loop_.add(this);
    connections_.push_back(&connection);
  }
  void leave(Connection& connection) {
    in_gone_ += connection.stream().bytes_in();
    out_gone_ += connection.stream().bytes_out();
    std::erase(connections_, &connection);
    count_bytes();
    if (connections_.empty()) loop_.remove(this);
  }
  void stop() {
    stopping_ = true;
    for (Connection* const connection : connections_) connection->wake_if_idle();
  }
  void cut() {
    cut_ = true;
    for (Connection* const connection : connections_) connection->stream().cancel();
  }
  [[nodiscard]] bool cut_off() const { return cut_; }

  // Ends the connection on that seat, which was quiet as of the last tick, if it still is.
  void send_off(std::uint64_t seat) {
    const auto found = std::find_if(connections_.begin(), connections_.end(),
                                    [seat](Connection* connection) { return connection->seat().id() == seat; });
    if (found == connections_.end()) return;  // gone by itself
    if ((*found)->quiet_since() > loop_.now() - kMinQuiet / 2) {
      (*found)->seat().stay();
    } else {
      (*found)->give_way();
    }
  }

  void tick(SteadyTime now) override {
    if (admission_.short_of_seats(now) && now >= look_for_hang_ups_at_) look_for_hang_ups(now);
    for (Connection* const connection : connections_) {
      connection->stream().sweep(now);
      connection->seat().set_quiet_since(connection->quiet_since());
    }
    count_bytes();
  }

 private:
  // Nobody reads from a connection whose handler waits for a drive, so nobody would notice. All in one call.
  void look_for_hang_ups(SteadyTime now) {
    look_for_hang_ups_at_ = now + kHangUpsEvery;
    std::vector<Connection*> at_work;
    std::vector<pollfd> looks;
    for (Connection* const connection : connections_) {
      if (!connection->at_work()) continue;
      at_work.push_back(connection);
      looks.push_back({connection->stream().fd(), POLLRDHUP, 0});
    }
    if (looks.empty() || ::poll(looks.data(), looks.size(), 0) <= 0) return;
    for (std::size_t i = 0; i < looks.size(); ++i) {
      if (looks[i].revents != 0) at_work[i]->note_hang_up(now);
    }
  }
  void count_bytes() {
    std::uint64_t in = in_gone_;
    std::uint64_t out = out_gone_;
    for (Connection* const connection : connections_) {
      in += connection->stream().bytes_in();
      out += connection->stream().bytes_out();
    }
    bytes_in_.add(static_cast<double>(in - std::exchange(in_counted_, in)));
    bytes_out_.add(static_cast<double>(out - std::exchange(out_counted_, out)));
  }

  Loop& loop_;
  const Admission& admission_;
  Counter bytes_in_;
  Counter bytes_out_;
  std::vector<Connection*> connections_;
  std::uint64_t in_gone_ = 0;  // of connections that have ended
  std::uint64_t out_gone_ = 0;
  std::uint64_t in_counted_ = 0;
  std::uint64_t out_counted_ = 0;
  SteadyTime look_for_hang_ups_at_{};
  bool stopping_ = false;
  bool cut_ = false;
};

class HttpServer final : public Server, private Loop::Ticking {
 public:
  HttpServer(Loops& loops, ListenOptions options, Handler handler, Metrics& metrics, Descriptor listener,
             std::shared_ptr<const TlsContext> tls)
      : labels_{{"listener", options.name}},
        context_{std::move(options), std::move(handler),
                 metrics.counter("andromede_http_protocol_errors_total",
                                 "Requests refused for their framing, and failed TLS handshakes", labels_)},
        accepted_(metrics.counter("andromede_http_connections_accepted_total", "Connections accepted", labels_)),
        refused_(metrics.counter(
            "andromede_http_connections_refused_total",
            "Connections closed at once because their peer has its share, or nobody could give way", labels_)),
        gave_way_(metrics.counter("andromede_http_connections_gave_way_total",
                                  "Quiet connections ended because others wanted in", labels_)),
        clock_(loops.impl().clock),
        admission_(loops.size(), context_.options.limits, clock_,
                   metrics.gauge("andromede_http_connections", "Connections open", labels_)),
        tls_(std::move(tls)),
        acceptor_(loops.impl().loops.front()->context()),
        pause_(loops.impl().loops.front()->context()) {
    const Counter in = metrics.counter("andromede_http_received_bytes_total", "Bytes received, without TLS", labels_);
    const Counter out = metrics.counter("andromede_http_sent_bytes_total", "Bytes sent, without TLS", labels_);
    for (const auto& loop : loops.impl().loops) shards_.push_back(std::make_unique<Shard>(*loop, admission_, in, out));
    admission_.on_leave = [this] { somebody_left(); };
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    const auto endpoint = endpoint_of(bound, size);
    port_ = endpoint.port();
    acceptor_.assign(endpoint.protocol(), listener.release());
    // The loop must have started the acceptor before stop() can look for it.
    run_on(acceptor_loop(), [this] {
      acceptor_loop().add(this);
      tasks_.start(accept_all());
    });
  }

  ~HttpServer() override { stop(std::chrono::milliseconds(0)); }

  [[nodiscard]] std::uint16_t port() const override { return port_; }
  Status reload_tls() override;
  void stop(std::chrono::milliseconds grace) override;

 private:
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Loop::Executor>;
  struct AcceptReady;
  struct NextTurn;
  struct Pause;

  [[nodiscard]] Loop& acceptor_loop() const { return shards_.front()->loop(); }
  // Runs `work` on `loop`'s thread and waits for its end.
  template <typename Work>
  static void run_on(Loop& loop, Work work);
  // For a connection to come; null: none.
  std::shared_ptr<const TlsContext> tls();
  Task<void> accept_all();
  // The rest on the acceptor's loop.
  void tick(SteadyTime now) override;
  // False when there was none, or accept failed: see errno.
  bool accept_one();
  // A seat for it, at once or once somebody has given way, or it is closed.
  void take_in(Newcomer newcomer);
  void wait_for_seat(Newcomer newcomer);
  bool seat(Newcomer& newcomer);
  void seat_waiting();
  void somebody_left();  // on any thread
  void send_off(Admission::Victim victim);
  void free_descriptors(int error);
  Task<void> session(std::unique_ptr<Seat> seat, Descriptor fd, Peer peer);

  const Labels labels_;
  const ServiceContext context_;
  const Counter accepted_;
  const Counter refused_;
  const Counter gave_way_;
  const Clock& clock_;
  Admission admission_;
  std::mutex tls_mutex_;
  std::shared_ptr<const TlsContext> tls_;
  SteadyTime tls_made_ = clock_.steady();
  std::vector<std::unique_ptr<Shard>> shards_;
  Acceptor acceptor_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Loop::Executor>
      pause_;
  // On the acceptor's loop.
  bool accepting_ = true;
  std::vector<Newcomer> waiting_;
  std::optional<SteadyTime> said_so_;
  std::atomic<bool> anybody_waits_{false};
  std::uint16_t port_ = 0;
  TaskGroup tasks_;
  bool stopped_ = false;
};

template <typename Work>
void HttpServer::run_on(Loop& loop, Work work) {
  std::mutex mutex;
  std::condition_variable ready;
  bool done = false;
  asio::post(loop.context(), [&] {
    work();
    const std::lock_guard lock(mutex);
    done = true;
    ready.notify_one();
  });
  std::unique_lock lock(mutex);
  ready.wait(lock, [&done] { return done; });
}

struct HttpServer::AcceptReady {
  Acceptor& acceptor;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    acceptor.async_wait(Acceptor::wait_read, [waiter](const boost::system::error_code&) { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};

struct HttpServer::NextTurn {
  Loop& loop;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const { loop.post(waiter); }
  void await_resume() const noexcept {}
};

struct HttpServer::Pause {
  decltype(HttpServer::pause_)& timer;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    timer.expires_after(kAcceptPause);
    timer.async_wait([waiter](const boost::system::error_code&) { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};

std::shared_ptr<const TlsContext> HttpServer::tls() {
  const std::lock_guard lock(tls_mutex_);
  const SteadyTime now = clock_.steady();
  if (tls_ && now - tls_made_ >= context_.options.limits.ticket_keys_lifetime) {
    tls_made_ = now;
    if (auto fresh = tls_->renewed()) {
      tls_ = std::move(*fresh);
    } else {
      log_error("TLS ticket keys were not renewed",
                {{"listener", context_.options.name}, {"error", fresh.error().describe()}});
    }
  }
  return tls_;
}

Status HttpServer::reload_tls() {
  if (!context_.options.tls) return fail(Errc::kInvalidArgument, "this listener has no TLS");
  TRY(auto fresh, TlsContext::for_server(*context_.options.tls));
  const std::lock_guard lock(tls_mutex_);
  tls_ = std::move(fresh);
  tls_made_ = clock_.steady();
  return {};
}

Task<void> HttpServer::accept_all() {
  for (unsigned accepted = 0; accepting_;) {
    if (accept_one()) {
      if (++accepted % kAcceptsPerTurn == 0) co_await NextTurn{acceptor_loop()};
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      co_await AcceptReady{acceptor_};
    } else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
      free_descriptors(errno);
      co_await Pause{pause_};
    }
  }
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

bool HttpServer::accept_one() {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  Descriptor fd(
      ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.get() < 0) return false;
  accepted_.add();
  const auto endpoint = endpoint_of(storage, size);
  take_in({std::move(fd), Peer{address_text(endpoint), peer_group(endpoint)}, clock_.steady()});
  return true;
}

// The process has no descriptors left, or the system no memory: whoever is quiet and holds most gives some back.
void HttpServer::free_descriptors(int error) {
  unsigned freed = 0;
  refused_.add(static_cast<double>(waiting_.size()));
  waiting_.clear();
  for (; freed < kRoomForDescriptors; ++freed) {
    const auto victim = admission_.make_room();
    if (!victim) break;
    send_off(*victim);
  }
  const SteadyTime now = clock_.steady();
  if (said_so_ && now - *said_so_ < kSaySoEvery) return;
  said_so_ = now;
  log_warning(
      "cannot accept a connection",
      {{"listener", context_.options.name}, {"error", std::generic_category().message(error)}, {"gaveWay", freed}});
}

void HttpServer::take_in(Newcomer newcomer) {
  if (!seat(newcomer)) wait_for_seat(std::move(newcomer));
}

// True: it has a seat, or is closed.
bool HttpServer::seat(Newcomer& newcomer) {
  Admission::Answer answer = admission_.enter(newcomer.peer.group);
  if (answer.victim) send_off(*answer.victim);
  if (!answer.seat) {
    if (answer.may_wait) return false;
    refused_.add();
    const Descriptor closed = std::move(newcomer.fd);
    return true;
  }
  Loop& loop = shards_[answer.seat->shard()]->loop();
  if (&loop == &acceptor_loop()) {
    tasks_.start(session(std::move(answer.seat), std::move(newcomer.fd), std::move(newcomer.peer)));
    return true;
  }
  asio::post(loop.context(), [this, seat = std::move(answer.seat), fd = std::move(newcomer.fd),
                              peer = std::move(newcomer.peer)]() mutable {
    tasks_.start(session(std::move(seat), std::move(fd), std::move(peer)));
  });
  return true;
}

void HttpServer::wait_for_seat(Newcomer newcomer) {
  anybody_waits_.store(true, std::memory_order_relaxed);
  waiting_.push_back(std::move(newcomer));
  if (waiting_.size() <= most_leaving(context_.options.limits.connections)) return;
  // Whose peer holds most already has the least to lose; of those, the last.
  const auto held = [this](const Newcomer& one) { return admission_.of_group(one.peer.group); };
  const auto most = std::max_element(waiting_.begin(), waiting_.end(), [&held](const Newcomer& a, const Newcomer& b) {
    return held(a) < held(b) || (held(a) == held(b) && a.since < b.since);
  });
  waiting_.erase(most);
  refused_.add();
}

// Whoever holds least first; of those, the first to come.
void HttpServer::seat_waiting() {
  const auto held = [this](const Newcomer& one) { return admission_.of_group(one.peer.group); };
  while (!waiting_.empty()) {
    const auto next = std::min_element(waiting_.begin(), waiting_.end(), [&held](const Newcomer& a, const Newcomer& b) {
      return std::pair(held(a), a.since) < std::pair(held(b), b.since);
    });
    if (!seat(*next)) break;
    waiting_.erase(next);
  }
  anybody_waits_.store(!waiting_.empty(), std::memory_order_relaxed);
}

void HttpServer::somebody_left() {
  if (!anybody_waits_.exchange(false, std::memory_order_relaxed)) return;
  asio::post(acceptor_loop().context(), [this] { seat_waiting(); });
}

// Nobody was quiet for long enough when a seat was asked for; now somebody may be.
void HttpServer::tick(SteadyTime now) {
  if (waiting_.empty()) return;
  const auto gone = std::erase_if(waiting_, [now](const Newcomer& one) { return now - one.since > kMostWaitingTime; });
  refused_.add(static_cast<double>(gone));
  seat_waiting();
}

void HttpServer::send_off(Admission::Victim victim) {
  gave_way_.add();
  Shard* const shard = shards_[victim.shard].get();
  asio::post(shard->loop().context(), [shard, id = victim.id] { shard->send_off(id); });
}

Task<void> HttpServer::session(std::unique_ptr<Seat> seat, Descriptor fd, Peer peer) {
  Shard& shard = *shards_[seat->shard()];
  {
    Connection connection(shard.loop(), fd.release(), std::move(peer), *seat, context_, shard.stopping(), tls());
    shard.enter(connection);
    if (!shard.cut_off()) co_await connection.run();
    shard.leave(connection);
  }
  seat.reset();
}

void HttpServer::stop(std::chrono::milliseconds grace) {
  if (std::exchange(stopped_, true)) return;
  admission_.stop();
  run_on(acceptor_loop(), [this] {
    accepting_ = false;
    acceptor_loop().remove(this);
    waiting_.clear();
    boost::system::error_code ignored;
    acceptor_.cancel(ignored);
    pause_.cancel();
  });
  for (const auto& shard : shards_) run_on(shard->loop(), [&shard] { shard->stop(); });
  if (!admission_.wait_empty(grace)) {
    for (const auto& shard : shards_) run_on(shard->loop(), [&shard] { shard->cut(); });
    if (context_.options.on_cut) context_.options.on_cut();
  }
  tasks_.join();
  // What the last ones to leave asked of the acceptor's loop.
  run_on(acceptor_loop(), [] {});
}

}  // namespace

Result<std::unique_ptr<BoundAddress>> BoundAddress::take(const std::string& address, std::uint16_t port) {
  boost::system::error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error) return fail(Errc::kInvalidArgument, address + ": not an IPv4 or IPv6 address");
  const asio::ip::tcp::endpoint endpoint(parsed, port);
  Descriptor fd(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const std::string where = describe_address(address, port);
  // Whoever is accepted inherits the limit (tcp(7)). While it does not listen and would share its address, somebody
  // else could listen there.
  if (fd.get() < 0 || !reuse(fd, true) ||
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes) != 0 ||
      ::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 || !reuse(fd, false)) {
    return cannot_listen(where);
  }
  return std::make_unique<BoundSocket>(std::move(fd), where);
}

Status check_tls(const TlsFiles& files) {
  const auto read = TlsContext::for_server(files);
  return read ? Status() : fail(read.error());
}

Result<std::unique_ptr<Server>> Server::start(Loops& loops, ListenOptions options, Handler handler, Metrics& metrics) {
  TRY(auto bound, BoundAddress::take(options.address, options.port));
  return start(loops, std::move(bound), std::move(options), std::move(handler), metrics);
}

Result<std::unique_ptr<Server>> Server::start(Loops& loops, std::unique_ptr<BoundAddress> bound, ListenOptions options,
                                              Handler handler, Metrics& metrics) {
  if (options.limits.head_bytes > InputBuffer::kMostBytes || options.limits.head_bytes == 0 ||
      options.limits.connections == 0 || options.limits.connections_per_peer == 0 ||
      options.limits.refusals_per_s == 0) {
    return fail(Errc::kInvalidArgument,
                "limits: head_bytes is 1 to 262144, connections, connections_per_peer and refusals_per_s at least 1");
  }
  std::shared_ptr<const TlsContext> tls;
  if (options.tls) {
    TRY(tls, TlsContext::for_server(*options.tls));
  }
  TRY(auto listener, static_cast<BoundSocket&&>(*bound).listen());
  return std::make_unique<HttpServer>(loops, std::move(options), std::move(handler), metrics, std::move(listener),
                                      std::move(tls));
}

}  // namespace andromede::net
