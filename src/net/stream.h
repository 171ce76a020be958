// Internal to net/: one accepted socket, plain or TLS, as awaitable operations with deadlines. Includes Asio.
//
// One read and one write may be pending at a time. Lives on its loop's thread. Deadlines are enforced by sweep(), which
// the owner calls at every tick.
#pragma once

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <coroutine>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "net/loop.h"
#include "net/tls.h"

namespace andromede::net {

// How fast a body goes, counting only the time that the peer let us wait.
struct Pace {
  std::uint64_t bytes = 0;
  std::chrono::steady_clock::duration waited{};
};

class Stream {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Loop::Executor>;

  // Takes over `fd`, a connected non-blocking TCP socket. `limits` outlives the stream.
  Stream(Loop& loop, int fd, const ServerLimits& limits);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  // TLS from here on. Errors: kTimeout, kCancelled, kInvalidArgument (the handshake failed; the message says why).
  Task<Status> handshake(const TlsContext& context, SteadyTime deadline);

  // At least one byte into `into`; 0 bytes: the peer closed its side. Errors: kTimeout (`deadline`), kCancelled.
  Task<Result<std::size_t>> read_some(MutableByteView into, SteadyTime deadline);
  // Until read_some() has something to say. Needs no buffer meanwhile. Errors as read_some().
  Task<Status> wait_readable(SteadyTime deadline);

  // Until `until`, whatever the peer does meanwhile; wake_reader() ends it early. Errors: kCancelled.
  Task<Status> pause(SteadyTime until);
  // All of `pieces`, in order, straight from the caller's memory; `pieces` is consumed. Errors: kTimeout (no progress
  // for io_timeout, or slower than the floor), kCancelled.
  Task<Status> write(std::span<ByteView> pieces, Pace& pace);
  // As write(), but ends once the peer has let us wait for a tick or two: what is left of `pieces` is not sent, and the
  // caller may write it from other memory once wait_for_room() answers.
  Task<Status> write_some(std::span<ByteView> pieces, Pace& pace);
  Task<Status> wait_for_room(Pace& pace);

  // Ends our side; what was written is still delivered.
  void close_write();
  // Closing resets the connection, so that the peer cannot take what it has for the whole.
  void reset_on_close();

  // Since when the peer has kept us waiting, for bytes or for room to send some; SteadyTime::max(): it does not.
  [[nodiscard]] SteadyTime waiting_since() const { return std::min(reading_.began(), writing_.began()); }
  // For how long it has kept us waiting in all, without what it does now.
  [[nodiscard]] std::chrono::steady_clock::duration waited() const { return waited_; }
  // Passes the deadlines that lie before `now`.
  void sweep(SteadyTime now);
  // Ends a pending read with kTimeout.
  void wake_reader();
  // Ends what is pending, and all that comes, with kCancelled.
  void cancel();
  // Asks to stop at cancel().
  std::stop_token stop_token();

  // kTimeout when `pace` is below the floor, counting after the grace.
  [[nodiscard]] Status check(const Pace& pace) const;
  // Whose turn it takes for what arrives.
  void set_flow(Flow flow) { turn_.flow = flow; }
  // To be looked at, no more.
  [[nodiscard]] int fd() { return socket_.native_handle(); }
  [[nodiscard]] Loop& loop() const { return loop_; }
  [[nodiscard]] const ServerLimits& limits() const { return limits_; }
  [[nodiscard]] bool tls() const { return tls_ != nullptr; }
  [[nodiscard]] std::uint64_t bytes_in() const { return bytes_in_; }
  [[nodiscard]] std::uint64_t bytes_out() const { return bytes_out_; }

 private:
  // An operation of the socket's that a coroutine waits for.
  struct Pending {
    HandlerMemory memory;
    std::coroutine_handle<> waiter;
    boost::system::error_code error;
    std::size_t bytes = 0;
    SteadyTime since{};
    SteadyTime deadline = SteadyTime::max();
    bool timed_out = false;
    bool paused = false;  // no operation of the socket's: waits for its deadline alone
    void end(const boost::system::error_code& with, std::size_t count) {
      error = with;
      bytes = count;
      deadline = SteadyTime::max();
    }
    [[nodiscard]] SteadyTime began() const { return waiter ? since : SteadyTime::max(); }
  };
  struct Completion;
  struct Arrival;
  struct ReadSome;
  struct WaitFor;
  struct Pause;
  struct TakeTurns;
  struct InLine;

  void begin(Pending& pending, std::coroutine_handle<> waiter, SteadyTime deadline);
  // What the end of an operation means: nothing (go on), again (true: it was another's cancellation), or an error.
  Result<bool> judge(const Pending& pending) const;
  void expire(Pending& pending);
  // `pending` has ended, and its coroutine goes on.
  void end(Pending& pending);
  Task<Status> wait(Pending& pending, bool for_read, SteadyTime deadline);
  Task<Result<std::size_t>> read_tls(MutableByteView into, SteadyTime deadline);
  // Each ends early, without an error, where the peer lets us wait for `patience` and that is less than io_timeout.
  Task<Status> write_patiently(std::span<ByteView> pieces, Pace& pace, std::chrono::milliseconds patience);
  Task<Status> write_plain(std::span<ByteView> pieces, Pace& pace, std::chrono::milliseconds patience);
  Task<Status> write_tls(std::span<ByteView> pieces, Pace& pace, std::chrono::milliseconds patience);
  // Each false: there was no room. Some of `bytes`; all of what is held.
  Task<Result<bool>> send_tls(ByteView bytes, std::size_t& sent, Pace& pace, std::chrono::milliseconds patience);
  Task<Result<bool>> send_held(Pace& pace, std::chrono::milliseconds patience);
  Task<Result<bool>> wait_writable(Pace& pace, std::chrono::milliseconds patience);

  Loop& loop_;
  const ServerLimits& limits_;
  Socket socket_;
  std::unique_ptr<TlsSession> tls_;
  std::string held_;  // of TLS: what of a record begun is to be written again with the same bytes
  Pending reading_;
  Turns::Waiter turn_;  // of reading_
  Pending writing_;
  bool in_line_ = false;  // reading waits for its turn alone, not for the socket
  bool woken_ = false;    // meanwhile, by wake_reader()
  bool cancelled_ = false;
  std::stop_source stop_{std::nostopstate};  // made when somebody asks for it
  std::chrono::steady_clock::duration waited_{};
  std::size_t turn_bytes_ = 0;  // moved since the loop last had its turn
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

}  // namespace andromede::net
