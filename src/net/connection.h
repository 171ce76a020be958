// Internal to net/: one connection, its requests in turn.
//
// Lives on its loop's thread, owned by the session coroutine that Listener starts.
#pragma once

#include <atomic>
#include <string>

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

class Connection {
 public:
  // Takes over `fd`. `stopping` turns true when the server stops; `context` and it outlive the connection. `tls`: null
  // for plain HTTP.
  Connection(Loop& loop, int fd, std::string peer_address, const ServiceContext& context, const bool& stopping,
             std::shared_ptr<const TlsContext> tls);

  // Serves until either side ends it.
  Task<void> run();

  [[nodiscard]] Stream& stream() { return stream_; }
  // Ends a wait for the next request, so that run() sees that the server stops. Nothing while a request is under way.
  void wake_if_idle();
  // Since when it has been waiting for a request; SteadyTime::max() while one is under way.
  [[nodiscard]] SteadyTime idle_since() const { return idle_since_; }
  // Ends it if it is idle, to make room for another.
  void give_way();

 private:
  enum class Received : std::uint8_t { kHead, kNothing, kError };

  Task<bool> wait_for_request();
  Task<bool> wait_idly();
  Task<Received> receive_head();
  Task<bool> serve();
  Task<void> run_handler(Exchange& exchange);
  Task<void> refuse(ProtocolError error);
  Task<void> linger();

  const ServiceContext& context_;
  const bool& stopping_;
  const std::string peer_address_;
  std::shared_ptr<const TlsContext> tls_;
  Stream stream_;
  InputBuffer input_;
  ParsedHead parsed_;
  ProtocolError error_;
  SteadyTime idle_since_ = SteadyTime::max();
  bool giving_way_ = false;
};

}  // namespace andromede::net
