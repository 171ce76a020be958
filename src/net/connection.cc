#include "net/connection.h"

#include <exception>

#include "base/log.h"
#include "base/slow_peer.h"
#include "net/request_body.h"
#include "net/response_writer.h"

namespace andromede::net {
namespace {

// A connection that stays quiet for so long gives its buffer back.
constexpr std::chrono::milliseconds kParkAfter{1'000};
// How long a closing connection reads on, so that the peer gets our last words instead of a reset.
constexpr std::chrono::milliseconds kLinger{3'000};
// A peer that lets a request wait for so long while others want in is as good as quiet from then on.
constexpr std::chrono::seconds kStalled{5};
// As good as quiet is, too, whose waits add up to as much beyond what its bytes are worth (kFairBytesPerSecond) and a
// second for each request.
constexpr std::chrono::seconds kFairWaitPerRequest{1};

class HttpExchange final : public Exchange {
 public:
  HttpExchange(const ParsedHead& parsed, Stream& stream, RequestBody& body, ResponseWriter& writer,
               const bool& stopping, const bool& giving_way, bool& admitted, bool& harmless)
      : parsed_(parsed),
        stream_(stream),
        body_(body),
        writer_(writer),
        stopping_(stopping),
        giving_way_(giving_way),
        admitted_(admitted),
        harmless_(harmless) {}

  [[nodiscard]] const RequestHead& head() const override { return parsed_.head; }
  [[nodiscard]] BodySource& body() override { return body_; }
  void admit(std::string_view tenant) override {
    admitted_ = true;
    stream_.set_flow(flow_of(tenant));
  }
  void admit_anybody() override { harmless_ = true; }
  Task<Status> respond(ResponseHead head, std::string body) override {
    return writer_.respond(std::move(head), std::move(body), keep_alive());
  }
  Task<Status> start(ResponseHead head, std::optional<std::uint64_t> content_length) override {
    return writer_.start(std::move(head), content_length, keep_alive());
  }
  [[nodiscard]] ResponseSink& sink() override { return writer_; }
  Task<Status> finish() override { return writer_.finish(); }
  [[nodiscard]] std::stop_token stop_token() override { return stream_.stop_token(); }

 private:
  [[nodiscard]] bool keep_alive() const {
    return parsed_.framing.keep_alive && !stopping_ && !giving_way_ && body_.can_be_passed();
  }

  const ParsedHead& parsed_;
  Stream& stream_;
  RequestBody& body_;
  ResponseWriter& writer_;
  const bool& stopping_;
  const bool& giving_way_;
  bool& admitted_;
  bool& harmless_;
};

}  // namespace

Connection::Connection(Loop& loop, int fd, Peer peer, Seat& seat, const ServiceContext& context, const bool& stopping,
                       std::shared_ptr<const TlsContext> tls)
    : context_(context),
      stopping_(stopping),
      peer_(std::move(peer)),
      seat_(seat),
      tls_(std::move(tls)),
      stream_(loop, fd, context.options.limits),
      input_(stream_, context.options.confidential),
      quiet_since_(loop.now()) {
  stream_.set_flow(flow_of(peer_.group));
}

Task<void> Connection::run() {
  may_go_on_at_ = seat_.may_begin(stream_.loop().now());
  if (!co_await wait_until(may_go_on_at_)) co_return;
  if (tls_) {
    const SteadyTime deadline = stream_.loop().now() + stream_.limits().head_timeout;
    if (const auto shaken = co_await stream_.handshake(*tls_, deadline); !shaken) {
      context_.protocol_errors.add();
      note_refusal();
      co_return;
    }
  }
  while (co_await wait_until(may_go_on_at_)) {
    const Received received = co_await receive_head();
    if (received == Received::kNothing) {
      stream_.close_write();
      break;
    }
    if (received == Received::kError) {
      co_await refuse(error_);
      break;
    }
    if (!co_await serve()) break;
  }
}

// False when it ended meanwhile. What comes before `when` waits in the kernel, and then slows its sender down.
Task<bool> Connection::wait_until(SteadyTime when) {
  if (when <= stream_.loop().now()) co_return true;
  co_return (co_await stream_.pause(when)).has_value() && !stopping_;
}

void Connection::note_refusal() { may_go_on_at_ = seat_.refused(stream_.loop().now()); }

void Connection::wake_if_idle() {
  if (idle_ || may_go_on_at_ > stream_.loop().now()) stream_.wake_reader();
}

SteadyTime Connection::quiet_since() const {
  if (!at_work_) return quiet_since_;
  const SteadyTime waiting_since = stream_.waiting_since();
  if (waiting_since == SteadyTime::max()) return hung_up_since_;
  // A byte now and then does not begin the waiting anew.
  return std::min(hung_up_since_,
                  waiting_since + kStalled - std::max(arrears(), std::chrono::steady_clock::duration(0)));
}

void Connection::note_hang_up(SteadyTime now) {
  const std::uint64_t bytes_out = stream_.bytes_out();
  if (hung_up_since_ != SteadyTime::max() && bytes_out == bytes_out_as_hung_up_) return;
  hung_up_since_ = now;
  bytes_out_as_hung_up_ = bytes_out;
}

std::chrono::steady_clock::duration Connection::arrears() const {
  const std::uint64_t bytes = stream_.bytes_in() + stream_.bytes_out() - bytes_before_;
  const std::chrono::duration<double> worth(static_cast<double>(bytes) / kFairBytesPerSecond);
  return arrears_ + (stream_.waited() - waited_before_) -
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(worth);
}

void Connection::give_way() {
  giving_way_ = true;
  if (idle_) {
    stream_.wake_reader();
    return;
  }
  stream_.reset_on_close();
  stream_.cancel();
}

// True when bytes are there; false when the connection should end. A quiet connection costs no buffer.
Task<bool> Connection::wait_for_request() {
  if (!input_.empty()) co_return true;
  bool arrived = false;
  if (!stopping_) {
    idle_ = true;
    arrived = co_await wait_idly();
    idle_ = false;
  }
  if (!arrived && (stopping_ || giving_way_)) {
    // A request may have crossed our decision on its way: it gets until the next tick.
    const auto count = co_await input_.fill(InputBuffer::kSmallBytes, stream_.loop().now());
    arrived = count.value_or(0) > 0;
  }
  co_return arrived;
}

Task<bool> Connection::wait_idly() {
  const SteadyTime began = stream_.loop().now();
  const SteadyTime idle_deadline = began + stream_.limits().idle_timeout;
  const SteadyTime park = std::min(idle_deadline, began + kParkAfter);
  const auto at_once = co_await input_.fill(InputBuffer::kSmallBytes, park);
  if (at_once) co_return *at_once > 0;
  if (!(at_once.error() == Errc::kTimeout) || stopping_ || giving_way_ || park == idle_deadline) co_return false;
  input_.release();
  if (!co_await stream_.wait_readable(idle_deadline)) co_return false;
  const auto later = co_await input_.fill(InputBuffer::kSmallBytes, idle_deadline + kParkAfter);
  co_return later.value_or(0) > 0;
}

Task<Connection::Received> Connection::receive_head() {
  if (!co_await wait_for_request()) co_return Received::kNothing;
  HeadScanner scanner(stream_.limits().head_bytes);
  const SteadyTime deadline = stream_.loop().now() + stream_.limits().head_timeout;
  for (;;) {
    const std::string_view received = as_text(input_.view());
    const auto whole = scanner.scan(received);
    if (!whole) {
      error_ = whole.error();
      co_return Received::kError;
    }
    if (*whole) {
      auto parsed = parse_head(scanner.text(received));
      if (!parsed) {
        error_ = parsed.error();
        co_return Received::kError;
      }
      parsed_ = std::move(*parsed);
      parsed_.head.peer_address = peer_.address;
      parsed_.head.peer = peer_.group;
      parsed_.head.tls = stream_.tls();
      input_.consume(scanner.size());
      input_.forget_consumed();
      co_return Received::kHead;
    }
    const auto count = co_await input_.fill(InputBuffer::kSmallBytes, deadline);
    if (count && *count > 0) continue;
    if (count) co_return Received::kNothing;
    if (count.error() == Errc::kTimeout) {
      error_ = {408, "The head of the request did not arrive in time."};
    } else if (count.error() == Errc::kOverloaded) {
      error_ = {503, "There is no memory for so long a head now."};
    } else {
      co_return Received::kNothing;
    }
    co_return Received::kError;
  }
}

// True when the connection goes on with the next request.
Task<bool> Connection::serve() {
  RequestBody body(stream_, input_, parsed_.framing);
  ResponseWriter writer(stream_, {.head_request = parsed_.head.method == "HEAD",
                                  .http_1_0 = parsed_.framing.http_1_0,
                                  .confidential = context_.options.confidential});
  at_work_ = false;
  waited_before_ = stream_.waited();
  bytes_before_ = stream_.bytes_in() + stream_.bytes_out();
  bool harmless = false;
  HttpExchange exchange(parsed_, stream_, body, writer, stopping_, giving_way_, at_work_, harmless);
  co_await run_handler(exchange);
  if (context_.options.confidential) parsed_.head.headers.wipe();
  if (std::exchange(at_work_, false)) {
    seat_.admitted();
    quiet_since_ = stream_.loop().now();
    arrears_ = std::max(arrears() - kFairWaitPerRequest, std::chrono::steady_clock::duration(0));
  } else if (harmless) {
    seat_.admitted();
  } else {
    note_refusal();
  }
  if (!writer.started()) {
    ResponseHead head;
    head.status = 500;
    (void)co_await writer.respond(std::move(head), {}, false);
  }
  if (!writer.complete()) {
    stream_.reset_on_close();
    co_return false;
  }
  if (writer.keeps_alive() && co_await body.drain()) co_return true;
  if (body.complete() && input_.empty()) {
    stream_.close_write();
  } else if (!body.timed_out()) {
    co_await linger();
  }
  co_return false;
}

Task<void> Connection::run_handler(Exchange& exchange) {
  try {
    co_await context_.handler(exchange);
  } catch (const std::exception& exception) {
    log_error("a request handler threw", {{"listener", context_.options.name}, {"what", exception.what()}});
  } catch (...) {
    log_error("a request handler threw", {{"listener", context_.options.name}});
  }
}

Task<void> Connection::refuse(ProtocolError error) {
  context_.protocol_errors.add();
  note_refusal();
  ResponseHead head;
  head.status = error.status;
  head.headers.add("Content-Type", context_.options.error_content_type);
  const auto& render = context_.options.render_error;
  ResponseWriter writer(stream_, {});
  std::string body = render ? render(error.status, error.message) : std::string(error.message) + "\n";
  if (co_await writer.respond(std::move(head), std::move(body), false)) co_await linger();
}

// Closing a socket with unread input resets the connection, and the reset can overtake the response.
Task<void> Connection::linger() {
  stream_.close_write();
  input_.consume(input_.view().size());
  const SteadyTime deadline = stream_.loop().now() + kLinger;
  while (stream_.loop().now() < deadline) {
    const auto count = co_await input_.fill(InputBuffer::kSmallBytes, deadline);
    if (!count || *count == 0) break;
    input_.consume(*count);
  }
}

}  // namespace andromede::net
