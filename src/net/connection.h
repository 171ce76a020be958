// Internal to net/: one connection, its requests in turn.
//
// Lives on its loop's thread, owned by the session coroutine that the server starts.
#pragma once

#include <atomic>
#include <string>

#include "net/admission.h"
#include "net/head_parser.h"
#include "net/input_buffer.h"
#include "net/stream.h"

namespace andromede::net {

// What all connections of a server share. Outlives them.
struct ServiceContext {
  ListenOptions options;
  Handler handler;
  Counter protocol_errors;
};

// Who is at the other end: RequestHead::peer_address and peer.
struct Peer {
  std::string address;
  std::string group;
};

class Connection {
 public:
  // Takes over `fd`. `stopping` turns true when the server stops; `context`, `seat` and it outlive the connection.
  // `tls`: null for plain HTTP.
  Connection(Loop& loop, int fd, Peer peer, Seat& seat, const ServiceContext& context, const bool& stopping,
             std::shared_ptr<const TlsContext> tls);

  // Serves until either side ends it.
  Task<void> run();

  [[nodiscard]] Stream& stream() { return stream_; }
  // Ends a wait for the next request, so that run() sees that the server stops. Nothing while a request is under way.
  void wake_if_idle();
  [[nodiscard]] Seat& seat() { return seat_; }
  // Since when it has had no request admitted; while one is under way, SteadyTime::max(), but if the peer lets us wait,
  // or has hung up and takes nothing.
  [[nodiscard]] SteadyTime quiet_since() const;
  // Whether only note_hang_up() can tell that the peer is gone: nothing is read while a request is under way.
  [[nodiscard]] bool at_work() const { return at_work_; }
  // The peer sends no more, as of `now`: it is gone, or waits for its answer alone.
  void note_hang_up(SteadyTime now);
  // Ends it, to make room for another.
  void give_way();

 private:
  enum class Received : std::uint8_t { kHead, kNothing, kError };

  // Of the request under way and those before it: see connection.cc.
  [[nodiscard]] std::chrono::steady_clock::duration arrears() const;
  Task<bool> wait_for_request();
  Task<bool> wait_idly();
  Task<Received> receive_head();
  Task<bool> wait_until(SteadyTime when);
  void note_refusal();
  Task<bool> serve();
  Task<void> run_handler(Exchange& exchange);
  Task<void> refuse(ProtocolError error);
  Task<void> linger();

  const ServiceContext& context_;
  const bool& stopping_;
  const Peer peer_;
  Seat& seat_;
  std::shared_ptr<const TlsContext> tls_;
  Stream stream_;
  InputBuffer input_;
  ParsedHead parsed_;
  ProtocolError error_;
  SteadyTime quiet_since_;     // no request admitted; a new connection begins so
  SteadyTime may_go_on_at_{};  // after requests that were refused
  // As of when the request under way began.
  std::chrono::steady_clock::duration arrears_{};
  std::chrono::steady_clock::duration waited_before_{};
  std::uint64_t bytes_before_ = 0;
  SteadyTime hung_up_since_ = SteadyTime::max();  // and has taken nothing since
  std::uint64_t bytes_out_as_hung_up_ = 0;
  bool idle_ = false;     // waits for a request
  bool at_work_ = false;  // on a request that was admitted
  bool giving_way_ = false;
};

}  // namespace andromede::net
