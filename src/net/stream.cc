#include "net/stream.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>

#include "base/slow_peer.h"

namespace andromede::net {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxPieces = 8;
// A body that never has to wait lets other connections have their turn after so much.
constexpr std::size_t kTurnBytes = 1 << 20;
constexpr std::size_t kTlsRecordBytes = 16 * 1024;

tl::unexpected<Error> cancelled() { return fail(Errc::kCancelled, "the connection was closed"); }

void take_off(std::span<ByteView> pieces, std::size_t count) {
  for (ByteView& piece : pieces) {
    const std::size_t taken = std::min(count, piece.size());
    piece = piece.subspan(taken);
    count -= taken;
  }
}

std::size_t total(std::span<const ByteView> pieces) {
  std::size_t sum = 0;
  for (const ByteView piece : pieces) sum += piece.size();
  return sum;
}

}  // namespace

struct Stream::Completion {
  using allocator_type = HandlerAllocator<void>;
  Pending* pending;
  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(pending->memory); }
  void operator()(const boost::system::error_code& error, std::size_t bytes = 0) const {
    pending->end(error, bytes);
    pending->waiter.resume();
  }
};

// Of something that arrived: there may be much of it, on many connections.
struct Stream::Arrival {
  using allocator_type = HandlerAllocator<void>;
  Stream* stream;
  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(stream->reading_.memory); }
  void operator()(const boost::system::error_code& error, std::size_t bytes = 0) const {
    stream->reading_.end(error, bytes);
    stream->turn_.coroutine = stream->reading_.waiter;
    stream->loop_.take_turn(stream->turn_);
  }
};

struct Stream::ReadSome {
  Stream& stream;
  MutableByteView into;
  SteadyTime deadline;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    stream.begin(stream.reading_, waiter, deadline);
    stream.socket_.async_read_some(asio::buffer(into.data(), into.size()), Arrival{&stream});
  }
  void await_resume() const noexcept {}
};

struct Stream::WaitFor {
  Stream& stream;
  Pending& pending;
  Socket::wait_type what;
  SteadyTime deadline;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    stream.begin(pending, waiter, deadline);
    if (&pending == &stream.reading_) {
      stream.socket_.async_wait(what, Arrival{&stream});
    } else {
      stream.socket_.async_wait(what, Completion{&pending});
    }
  }
  void await_resume() const noexcept {}
};

struct Stream::Pause {
  Stream& stream;
  SteadyTime until;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const {
    stream.begin(stream.reading_, waiter, until);
    stream.reading_.paused = true;
  }
  void await_resume() const noexcept {}
};

// Counts `bytes` that moved without waiting, and lets the loop turn when they fill a turn.
struct Stream::TakeTurns {
  Stream& stream;
  std::size_t bytes;
  [[nodiscard]] bool await_ready() const noexcept {
    stream.turn_bytes_ += bytes;
    return stream.turn_bytes_ < kTurnBytes;
  }
  void await_suspend(std::coroutine_handle<> waiter) const {
    stream.turn_bytes_ = 0;
    stream.loop_.post(waiter);
  }
  [[nodiscard]] Status await_resume() const {
    if (stream.cancelled_) return cancelled();
    return {};
  }
};

// Behind all who have something to say already: what this peer sends is much work and little data.
struct Stream::InLine {
  Stream& stream;
  SteadyTime deadline;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const {
    stream.in_line_ = true;
    stream.turn_.coroutine = waiter;
    stream.loop_.wait_for_turn(stream.turn_);
  }
  [[nodiscard]] Status await_resume() const {
    stream.in_line_ = false;
    const bool woken = std::exchange(stream.woken_, false);
    if (stream.cancelled_) return cancelled();
    if (woken || stream.loop_.now() >= deadline) return fail(Errc::kTimeout, "the peer is too slow");
    return {};
  }
};

Stream::Stream(Loop& loop, int fd, const ServerLimits& limits)
    : loop_(loop), limits_(limits), socket_(loop.context().get_executor()) {
  boost::system::error_code ignored;
  // The protocol matters to Asio for new sockets only; this one exists.
  socket_.assign(asio::ip::tcp::v4(), fd, ignored);
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

Stream::~Stream() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Stream::begin(Pending& pending, std::coroutine_handle<> waiter, SteadyTime deadline) {
  CHECK(!pending.waiter, "one operation of a kind at a time");
  pending.waiter = waiter;
  pending.since = loop_.now();
  pending.deadline = deadline;
  pending.timed_out = false;
  turn_bytes_ = 0;
}

void Stream::end(Pending& pending) {
  pending.waiter = {};
  waited_ += loop_.now() - pending.since;
}

Result<bool> Stream::judge(const Pending& pending) const {
  if (cancelled_) return cancelled();
  if (!pending.error) return false;
  if (pending.error != asio::error::operation_aborted) return cancelled();
  // Cancelling reaches both directions of a socket; the other one's deadline is not ours.
  if (!pending.timed_out) return true;
  return fail(Errc::kTimeout, "the peer is too slow");
}

void Stream::expire(Pending& pending) {
  pending.timed_out = true;
  pending.deadline = SteadyTime::max();
  if (std::exchange(pending.paused, false)) {
    loop_.post(pending.waiter);  // not from here: the owner is walking through its connections
    return;
  }
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Stream::sweep(SteadyTime now) {
  if (now >= reading_.deadline) expire(reading_);
  if (now >= writing_.deadline) expire(writing_);
}

void Stream::wake_reader() {
  woken_ = in_line_;
  if (reading_.waiter) expire(reading_);
}

void Stream::cancel() {
  cancelled_ = true;
  stop_.request_stop();
  if (reading_.paused) expire(reading_);
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

std::stop_token Stream::stop_token() {
  if (!stop_.stop_possible()) {
    stop_ = std::stop_source();
    if (cancelled_) stop_.request_stop();
  }
  return stop_.get_token();
}

Status Stream::check(const Pace& pace) const {
  if (limits_.body_bytes_per_s_floor == 0 || pace.waited <= limits_.body_grace) return {};
  const double seconds = std::chrono::duration<double>(pace.waited).count();
  if (static_cast<double>(pace.bytes) >= seconds * static_cast<double>(limits_.body_bytes_per_s_floor)) return {};
  return fail(Errc::kTimeout, "the peer is too slow");
}

Task<Status> Stream::wait(Pending& pending, bool for_read, SteadyTime deadline) {
  for (;;) {
    if (cancelled_) co_return cancelled();
    co_await WaitFor{*this, pending, for_read ? Socket::wait_read : Socket::wait_write, deadline};
    end(pending);
    CO_TRY(const bool again, judge(pending));
    if (!again) co_return Status{};
  }
}

Task<Status> Stream::handshake(const TlsContext& context, SteadyTime deadline) {
  CO_TRY(tls_, TlsSession::accept(context, socket_.native_handle()));
  for (;;) {
    switch (tls_->handshake()) {
      case TlsSession::Outcome::kDone:
        co_return Status{};
      case TlsSession::Outcome::kAgain:
        break;
      case TlsSession::Outcome::kWantRead:
        CO_CHECK_OK(co_await wait(reading_, true, deadline));
        break;
      case TlsSession::Outcome::kWantWrite:
        CO_CHECK_OK(co_await wait(writing_, false, deadline));
        break;
      case TlsSession::Outcome::kClosed:
        co_return cancelled();
      case TlsSession::Outcome::kFailed:
        co_return fail(Errc::kInvalidArgument, "TLS handshake: " + tls_->error());
    }
  }
}

Task<Result<std::size_t>> Stream::read_some(MutableByteView into, SteadyTime deadline) {
  if (tls_) co_return co_await read_tls(into, deadline);
  for (;;) {
    if (cancelled_) co_return cancelled();
    co_await ReadSome{*this, into, deadline};
    end(reading_);
    if (reading_.error == asio::error::eof) co_return std::size_t{0};
    CO_TRY(const bool again, judge(reading_));
    if (again) continue;
    bytes_in_ += reading_.bytes;
    co_return reading_.bytes;
  }
}

Task<Result<std::size_t>> Stream::read_tls(MutableByteView into, SteadyTime deadline) {
  for (;;) {
    if (cancelled_) co_return cancelled();
    std::size_t count = 0;
    switch (tls_->read(into, count)) {
      case TlsSession::Outcome::kDone:
        bytes_in_ += count;
        CO_CHECK_OK(co_await TakeTurns{*this, count});
        co_return count;
      case TlsSession::Outcome::kAgain:
        bytes_in_ += count;
        if (const Status turned = co_await InLine{*this, deadline}; !turned && count == 0) {
          co_return fail(turned.error());
        }
        if (count > 0) co_return count;
        break;
      case TlsSession::Outcome::kWantRead:
        CO_CHECK_OK(co_await wait(reading_, true, deadline));
        break;
      case TlsSession::Outcome::kWantWrite:
        // Answering a key update while a response is written: it goes out with that, or when the socket drains.
        CO_CHECK_OK(co_await wait(reading_, false, deadline));
        break;
      case TlsSession::Outcome::kClosed:
        co_return std::size_t{0};
      case TlsSession::Outcome::kFailed:
        co_return cancelled();
    }
  }
}

Task<Status> Stream::pause(SteadyTime until) {
  if (cancelled_) co_return cancelled();
  co_await Pause{*this, until};
  reading_.waiter = {};
  if (cancelled_) co_return cancelled();
  co_return Status{};
}

Task<Status> Stream::wait_readable(SteadyTime deadline) {
  if (tls_ && tls_->pending()) co_return Status{};
  co_return co_await wait(reading_, true, deadline);
}

Task<Result<bool>> Stream::wait_writable(Pace& pace, std::chrono::milliseconds patience) {
  const SteadyTime began = loop_.now();
  const Status waited = co_await wait(writing_, false, began + std::min(patience, limits_.io_timeout));
  pace.waited += loop_.now() - began;
  const bool late = !waited && waited.error() == Errc::kTimeout;
  if (!waited && (!late || patience >= limits_.io_timeout)) co_return fail(waited.error());
  CO_CHECK_OK(check(pace));
  co_return !late;
}

Task<Status> Stream::write(std::span<ByteView> pieces, Pace& pace) {
  return write_patiently(pieces, pace, limits_.io_timeout);
}

Task<Status> Stream::write_some(std::span<ByteView> pieces, Pace& pace) {
  return write_patiently(pieces, pace, kPeerPatience);
}

Task<Status> Stream::wait_for_room(Pace& pace) {
  if (cancelled_) co_return cancelled();
  // A record that was begun takes the room first.
  if (!held_.empty()) {
    CO_CHECK_OK(co_await send_held(pace, limits_.io_timeout));
  } else {
    CO_CHECK_OK(co_await wait_writable(pace, limits_.io_timeout));
  }
  co_return Status{};
}

Task<Status> Stream::write_patiently(std::span<ByteView> pieces, Pace& pace, std::chrono::milliseconds patience) {
  if (cancelled_) co_return cancelled();
  if (tls_) co_return co_await write_tls(pieces, pace, patience);
  co_return co_await write_plain(pieces, pace, patience);
}

Task<Status> Stream::write_plain(std::span<ByteView> pieces, Pace& pace, std::chrono::milliseconds patience) {
  CHECK(pieces.size() <= kMaxPieces, "callers gather a handful of pieces");
  for (std::size_t left = total(pieces); left > 0;) {
    std::array<asio::const_buffer, kMaxPieces> buffers;
    std::transform(pieces.begin(), pieces.end(), buffers.begin(),
                   [](ByteView piece) { return asio::const_buffer(piece.data(), piece.size()); });
    boost::system::error_code error;
    const std::size_t sent = socket_.write_some(buffers, error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      CO_TRY(const bool room, co_await wait_writable(pace, patience));
      if (!room) co_return Status{};
      continue;
    }
    if (error) co_return cancelled();
    take_off(pieces, sent);
    left -= sent;
    pace.bytes += sent;
    bytes_out_ += sent;
    CO_CHECK_OK(co_await TakeTurns{*this, sent});
  }
  co_return Status{};
}

Task<Status> Stream::write_tls(std::span<ByteView> pieces, Pace& pace, std::chrono::milliseconds patience) {
  CO_TRY(const bool sent_held, co_await send_held(pace, patience));
  if (!sent_held) co_return Status{};
  // A head with a small body goes out as one record.
  std::string joined;
  std::array<ByteView, 1> one;
  if (pieces.size() > 1 && total(pieces) <= kTlsRecordBytes) {
    for (ByteView& piece : pieces) joined += as_text(std::exchange(piece, {}));
    one[0] = as_bytes(joined);
    pieces = one;
  }
  for (ByteView& piece : pieces) {
    while (!piece.empty()) {
      std::size_t sent = 0;
      CO_TRY(const bool room, co_await send_tls(piece, sent, pace, patience));
      piece = piece.subspan(sent);
      if (room) continue;
      // A record that finds no room is sealed already and must be gone on with: its few bytes are kept for that.
      held_ = as_text(piece.first(std::min(piece.size(), kTlsRecordBytes)));
      piece = piece.subspan(held_.size());
      co_return Status{};
    }
  }
  co_return Status{};
}

Task<Result<bool>> Stream::send_held(Pace& pace, std::chrono::milliseconds patience) {
  while (!held_.empty()) {
    std::size_t sent = 0;
    CO_TRY(const bool room, co_await send_tls(as_bytes(held_), sent, pace, patience));
    held_.erase(0, sent);
    if (!room) co_return false;
  }
  held_ = {};
  co_return true;
}

Task<Result<bool>> Stream::send_tls(ByteView bytes, std::size_t& sent, Pace& pace, std::chrono::milliseconds patience) {
  for (;;) {
    switch (tls_->write(bytes, sent)) {
      case TlsSession::Outcome::kDone: {
        pace.bytes += sent;
        bytes_out_ += sent;
        CO_CHECK_OK(co_await TakeTurns{*this, sent});
        co_return true;
      }
      case TlsSession::Outcome::kWantWrite: {
        CO_TRY(const bool room, co_await wait_writable(pace, patience));
        if (!room) co_return false;
        break;
      }
      case TlsSession::Outcome::kAgain:
      case TlsSession::Outcome::kWantRead:
      case TlsSession::Outcome::kClosed:
      case TlsSession::Outcome::kFailed:
        co_return cancelled();
    }
  }
}

void Stream::close_write() {
  if (tls_) tls_->close_write();
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::reset_on_close() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
}

}  // namespace andromede::net
