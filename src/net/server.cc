#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <unordered_map>

#include "base/log.h"
#include "net/connection.h"
#include "net/http.h"

namespace andromede::net {
namespace {

namespace asio = boost::asio;

constexpr int kBacklog = 4096;
// After accept failed for want of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptPause{100};
// A connection quiet for less is between two requests of a client at work, and does not give way to another.
constexpr std::chrono::seconds kMinIdle{1};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
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

Result<Descriptor> open_listener(const std::string& address, std::uint16_t port) {
  boost::system::error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error) return fail(Errc::kInvalidArgument, address + ": not an IPv4 or IPv6 address");
  const asio::ip::tcp::endpoint endpoint(parsed, port);
  Descriptor fd(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  if (fd.get() < 0 || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    const std::error_code reason(errno, std::generic_category());
    return fail(Errc::kIo, "cannot listen on " + describe_address(address, port) + ": " + reason.message());
  }
  return fd;
}

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

// Whose connections are counted together: an IPv4 address, or the /64 that one IPv6 host has at its disposal.
std::string peer_group(const asio::ip::tcp::endpoint& endpoint) {
  const asio::ip::address address = endpoint.address();
  if (address.is_v4() || address.to_v6().is_v4_mapped()) return address_text(endpoint);
  auto bytes = address.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return asio::ip::make_address_v6(bytes).to_string() + "/64";
}

struct Peer {
  std::string address;
  std::string group;
};

class Admission;

// The connections that a server has on one loop. On that loop's thread, but for idle_since().
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

  // Since when the longest idle connection has been so, as of the last tick; SteadyTime::max(): none is. Any thread.
  [[nodiscard]] SteadyTime idle_since() const { return idle_since_.load(std::memory_order_relaxed); }
  // Ends the longest idle connection, if there is one idle for kMinIdle.
  void make_room() {
    const auto longest = std::min_element(connections_.begin(), connections_.end(), [](Connection* a, Connection* b) {
      return a->idle_since() < b->idle_since();
    });
    if (longest == connections_.end() || (*longest)->idle_since() > loop_.now() - kMinIdle) return;
    (*longest)->give_way();
  }

  void tick(SteadyTime now) override;

 private:
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
  std::atomic<SteadyTime> idle_since_{SteadyTime::max()};
  std::uint64_t in_gone_ = 0;  // of connections that have ended
  std::uint64_t out_gone_ = 0;
  std::uint64_t in_counted_ = 0;
  std::uint64_t out_counted_ = 0;
  bool stopping_ = false;
  bool cut_ = false;
};

// How many connections are open, on which loop, and whether one more may come. Thread-safe.
class Admission {
 public:
  Admission(std::size_t shards, const ServerLimits& limits, Gauge gauge)
      : open_(shards), limit_(limits.connections), peer_limit_(limits.connections_per_peer), gauge_(gauge) {}

  // Waits until a connection more is allowed; false once stopped. One waiter.
  struct Room {
    Admission& admission;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) {
      const std::lock_guard lock(admission.mutex_);
      if (admission.stopped_ || admission.total_ < admission.limit_) return false;
      admission.waiter_ = waiter;
      admission.waiting_.store(true, std::memory_order_relaxed);
      admission.scheduler_ = Scheduler::current();
      return true;
    }
    [[nodiscard]] bool await_resume() const {
      const std::lock_guard lock(admission.mutex_);
      return !admission.stopped_;
    }
  };
  Room room() { return Room{*this}; }

  [[nodiscard]] bool full() const {
    const std::lock_guard lock(mutex_);
    return !stopped_ && total_ >= limit_;
  }
  // Whether somebody waits for room.
  [[nodiscard]] bool waiting() const { return waiting_.load(std::memory_order_relaxed); }

  // Counts one more on the shard that has the fewest, and answers which; nothing when the peer has its share already.
  std::optional<std::size_t> enter(const std::string& peer) {
    const std::lock_guard lock(mutex_);
    std::size_t& of_peer = of_peer_[peer];
    if (of_peer >= peer_limit_) return std::nullopt;
    ++of_peer;
    const auto fewest = std::min_element(open_.begin(), open_.end());
    ++*fewest;
    gauge_.set(static_cast<double>(++total_));
    return static_cast<std::size_t>(fewest - open_.begin());
  }
  void leave(std::size_t shard, const std::string& peer) {
    const std::lock_guard lock(mutex_);
    if (const auto of_peer = of_peer_.find(peer); --of_peer->second == 0) of_peer_.erase(of_peer);
    --open_[shard];
    gauge_.set(static_cast<double>(--total_));
    wake_waiter();
    if (total_ == 0) empty_.notify_all();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_waiter();
  }
  // Blocks until no connection is open; false when `grace` passed first.
  bool wait_empty(std::chrono::milliseconds grace) {
    std::unique_lock lock(mutex_);
    return empty_.wait_for(lock, grace, [this] { return total_ == 0; });
  }

 private:
  void wake_waiter() {
    waiting_.store(false, std::memory_order_relaxed);
    if (waiter_) scheduler_->post(std::exchange(waiter_, {}));
  }

  mutable std::mutex mutex_;
  std::condition_variable empty_;
  std::vector<std::size_t> open_;
  std::unordered_map<std::string, std::size_t> of_peer_;
  std::size_t total_ = 0;
  const std::size_t limit_;
  const std::size_t peer_limit_;
  const Gauge gauge_;
  bool stopped_ = false;
  std::coroutine_handle<> waiter_;
  std::atomic<bool> waiting_{false};
  Scheduler* scheduler_ = nullptr;
};

void Shard::tick(SteadyTime now) {
  SteadyTime idle_since = SteadyTime::max();
  for (Connection* const connection : connections_) {
    connection->stream().sweep(now);
    idle_since = std::min(idle_since, connection->idle_since());
  }
  idle_since_.store(idle_since, std::memory_order_relaxed);
  // Nobody was idle for long enough when room was asked for; now somebody may be.
  if (admission_.waiting()) make_room();
  count_bytes();
}

class HttpServer final : public Server {
 public:
  HttpServer(Loops& loops, ListenOptions options, Handler handler, Metrics& metrics, Descriptor listener,
             std::shared_ptr<const TlsContext> tls)
      : labels_{{"listener", options.name}},
        context_{std::move(options), std::move(handler),
                 metrics.counter("andromede_http_protocol_errors_total",
                                 "Requests refused for their framing, and failed TLS handshakes", labels_)},
        accepted_(metrics.counter("andromede_http_connections_accepted_total", "Connections accepted", labels_)),
        refused_(metrics.counter("andromede_http_connections_refused_total",
                                 "Connections closed at once because their peer has its share already", labels_)),
        admission_(loops.size(), context_.options.limits,
                   metrics.gauge("andromede_http_connections", "Connections open", labels_)),
        tls_(std::move(tls)),
        acceptor_(loops.impl().loops.front()->context()),
        pause_(loops.impl().loops.front()->context()) {
    const Counter in = metrics.counter("andromede_http_received_bytes_total", "Bytes received, without TLS", labels_);
    const Counter out = metrics.counter("andromede_http_sent_bytes_total", "Bytes sent, without TLS", labels_);
    for (const auto& loop : loops.impl().loops) shards_.push_back(std::make_unique<Shard>(*loop, admission_, in, out));
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    const auto endpoint = endpoint_of(bound, size);
    port_ = endpoint.port();
    acceptor_.assign(endpoint.protocol(), listener.release());
    // The loop must have started the acceptor before stop() can look for it.
    run_on(acceptor_loop(), [this] { tasks_.start(accept_all()); });
  }

  ~HttpServer() override { stop(std::chrono::milliseconds(0)); }

  [[nodiscard]] std::uint16_t port() const override { return port_; }
  Status reload_tls() override;
  void stop(std::chrono::milliseconds grace) override;

 private:
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Loop::Executor>;
  struct AcceptReady;
  struct Pause;

  [[nodiscard]] Loop& acceptor_loop() const { return shards_.front()->loop(); }
  // Runs `work` on `loop`'s thread and waits for its end.
  template <typename Work>
  static void run_on(Loop& loop, Work work);
  // For a connection to come; null: none.
  std::shared_ptr<const TlsContext> tls();
  Task<void> accept_all();
  // Asks the loop with the longest idle connection to end it.
  void make_room();
  // False when accept failed for want of resources.
  bool accept_one();
  void hand_over(Descriptor fd, Peer peer);
  Task<void> session(std::size_t index, Descriptor fd, Peer peer);

  const Labels labels_;
  const ServiceContext context_;
  const Counter accepted_;
  const Counter refused_;
  Admission admission_;
  std::mutex tls_mutex_;
  std::shared_ptr<const TlsContext> tls_;
  SteadyTime tls_made_ = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Shard>> shards_;
  Acceptor acceptor_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Loop::Executor>
      pause_;
  bool accepting_ = true;  // on the acceptor's loop
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
  const SteadyTime now = std::chrono::steady_clock::now();
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
  tls_made_ = std::chrono::steady_clock::now();
  return {};
}

Task<void> HttpServer::accept_all() {
  while (accepting_) {
    if (admission_.full()) {
      // Nobody gives way before somebody else wants in.
      co_await AcceptReady{acceptor_};
      if (!accepting_) break;
      make_room();
      if (!co_await admission_.room()) break;
    }
    if (accept_one()) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      co_await AcceptReady{acceptor_};
    } else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
      log_warning("cannot accept a connection",
                  {{"listener", context_.options.name}, {"error", std::generic_category().message(errno)}});
      co_await Pause{pause_};
    }
  }
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

void HttpServer::make_room() {
  const auto longest = std::min_element(shards_.begin(), shards_.end(),
                                        [](const auto& a, const auto& b) { return a->idle_since() < b->idle_since(); });
  Shard* const shard = longest->get();
  asio::post(shard->loop().context(), [shard] { shard->make_room(); });
}

bool HttpServer::accept_one() {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  Descriptor fd(
      ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.get() < 0) return false;
  accepted_.add();
  const auto endpoint = endpoint_of(storage, size);
  hand_over(std::move(fd), Peer{address_text(endpoint), peer_group(endpoint)});
  return true;
}

void HttpServer::hand_over(Descriptor fd, Peer peer) {
  const std::optional<std::size_t> entered = admission_.enter(peer.group);
  if (!entered) {
    refused_.add();
    return;
  }
  const std::size_t index = *entered;
  Loop& loop = shards_[index]->loop();
  if (&loop == &acceptor_loop()) {
    tasks_.start(session(index, std::move(fd), std::move(peer)));
    return;
  }
  asio::post(loop.context(), [this, index, fd = std::move(fd), peer = std::move(peer)]() mutable {
    tasks_.start(session(index, std::move(fd), std::move(peer)));
  });
}

Task<void> HttpServer::session(std::size_t index, Descriptor fd, Peer peer) {
  Shard& shard = *shards_[index];
  {
    Connection connection(shard.loop(), fd.release(), std::move(peer.address), context_, shard.stopping(), tls());
    shard.enter(connection);
    if (!shard.cut_off()) co_await connection.run();
    shard.leave(connection);
  }
  admission_.leave(index, peer.group);
}

void HttpServer::stop(std::chrono::milliseconds grace) {
  if (std::exchange(stopped_, true)) return;
  admission_.stop();
  run_on(acceptor_loop(), [this] {
    accepting_ = false;
    boost::system::error_code ignored;
    acceptor_.cancel(ignored);
    pause_.cancel();
  });
  for (const auto& shard : shards_) run_on(shard->loop(), [&shard] { shard->stop(); });
  if (!admission_.wait_empty(grace)) {
    for (const auto& shard : shards_) run_on(shard->loop(), [&shard] { shard->cut(); });
  }
  tasks_.join();
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Loops& loops, ListenOptions options, Handler handler, Metrics& metrics) {
  if (options.limits.head_bytes > InputBuffer::kMostBytes || options.limits.head_bytes == 0 ||
      options.limits.connections == 0 || options.limits.connections_per_peer == 0) {
    return fail(Errc::kInvalidArgument,
                "limits: head_bytes is 1 to 262144, connections and connections_per_peer at least 1");
  }
  std::shared_ptr<const TlsContext> tls;
  if (options.tls) {
    TRY(tls, TlsContext::for_server(*options.tls));
  }
  TRY(auto listener, open_listener(options.address, options.port));
  return std::make_unique<HttpServer>(loops, std::move(options), std::move(handler), metrics, std::move(listener),
                                      std::move(tls));
}

}  // namespace andromede::net
