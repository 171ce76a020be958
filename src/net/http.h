// HTTP/1.1 (RFC 9112) server. Asio and Beast stay behind this header.
//
// One event loop per core; a connection lives on the loop that had the fewest when it came
// (docs/adr/0030-connections.md). Handlers are tasks: they run on the connection's loop and must not block it. Slow
// peers, oversized heads and smuggling attempts end here: a handler only sees a request whose framing is unambiguous.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/stream.h"
#include "base/task.h"

namespace andromede::net {

struct Header {
  std::string name;  // as received; compare with header_is or Headers::find
  std::string value;
};

class Headers {
 public:
  void add(std::string name, std::string value) { list_.push_back({std::move(name), std::move(value)}); }
  // The first value under that name, ASCII case ignored.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  // How many lines carry that name.
  [[nodiscard]] std::size_t count(std::string_view name) const;
  [[nodiscard]] const std::vector<Header>& list() const { return list_; }
  // Overwrites all values, and forgets all.
  void wipe() noexcept;

 private:
  std::vector<Header> list_;
};

struct RequestHead {
  std::string method;  // upper case as received
  std::string target;  // origin-form, raw: path, '?' and query still percent-encoded
  Headers headers;
  std::string peer_address;  // "127.0.0.1"
  // Whom to count it for, whatever is counted: an IPv4 address, or the /64 that one IPv6 host has at its disposal.
  std::string peer{};
  bool tls = false;
};

struct ResponseHead {
  unsigned status = 200;
  Headers headers;  // without Content-Length, Transfer-Encoding, Connection, Date: the server writes those
};

// The body of a response.
class ResponseSink : public BodySink {
 public:
  // Takes of `data` what the peer takes without keeping us waiting for long, and answers how much that is. Where it is
  // not all, ready() answers once there is room again; who writes need not hold the rest meanwhile. Without an
  // announced length all is taken, as long as that may be. Errors of write().
  virtual Task<Result<std::size_t>> write_some(ByteView data) = 0;
  virtual Task<Status> ready() = 0;
};

// One request and its response. Lives on the connection's loop for the time of the handler.
class Exchange {
 public:
  virtual ~Exchange() = default;
  [[nodiscard]] virtual const RequestHead& head() const = 0;
  // The body, framing removed (Content-Length or chunked). `100 Continue` is sent at the first read, if the client
  // waits for it. What a handler does not read is drained up to a bound and for a short while, or the connection is
  // closed after the response. Errors of read(): kCancelled (the peer went away), kTimeout (too slow), kInvalidArgument
  // (broken chunk framing).
  [[nodiscard]] virtual BodySource& body() = 0;
  // Says that the handler knows who sent this request and lets it in. Until then, and between requests, a connection
  // gives way to others when there are too many; a request that ends without counts as refused, and a peer that has
  // many refused is served more slowly (ServerLimits). When requests of several tenants are there at once, each
  // `tenant` gets its turn, however many connections it has.
  virtual void admit(std::string_view tenant) { (void)tenant; }
  // Says that anybody may send this request, a probe for one: it does not count as refused. The connection gives way as
  // one that has proven nothing.
  virtual void admit_anybody() {}
  // A whole response. For HEAD requests `body` is not sent but its size announced (or give content_length).
  virtual Task<Status> respond(ResponseHead head, std::string body) = 0;
  // A streamed response: start, then write until content_length bytes (or, without it, chunked), then finish. With a
  // HEAD request write nothing. A stream that ends short closes the connection, so that the client sees it broken.
  virtual Task<Status> start(ResponseHead head, std::optional<std::uint64_t> content_length) = 0;
  [[nodiscard]] virtual ResponseSink& sink() = 0;
  virtual Task<Status> finish() = 0;
  // Asks to stop once nobody can get the answer: the server stops and has cut this connection. For handlers that work
  // for long without touching the body or the sink, which fail by themselves then. Any thread may ask the token.
  [[nodiscard]] virtual std::stop_token stop_token() { return {}; }
};

using Handler = std::function<Task<void>(Exchange&)>;

struct TlsFiles {
  std::string certificate_path;  // PEM, the whole chain
  std::string key_path;          // PEM
};

// An error (kInvalidArgument) unless a listener can be started with them: unreadable or mismatched.
[[nodiscard]] Status check_tls(const TlsFiles& files);

struct ServerLimits {
  // At most so many. When one more wants in, one that is quiet gives way: that has had no request admitted for a second
  // or more, or whose peer lets an admitted one wait for six, or for as long beyond what 32 KiB/s justify. It is one of
  // the peer's who holds most; of those, the one quiet for longest. When there is none, a few wait; whoever holds least
  // is served first.
  std::size_t connections = 4096;
  // Of one IPv4 address or IPv6 /64: less than half, so that two cannot take all there are. When one more of them wants
  // in, a quiet one of its own gives way, else it is closed at once.
  std::size_t connections_per_peer = 2047;
  // Refused requests of one peer, and connections that it leaves without having said who it is: so many a second, so
  // many at once, then those of its connections that have just been refused, or are new, pause.
  unsigned refusals_per_s = 100;
  unsigned refusals_burst = 200;
  std::chrono::milliseconds refusal_pause{5'000};  // at most
  std::size_t head_bytes = 16 * 1024;              // 431 beyond; at most 256 KiB
  std::chrono::milliseconds head_timeout{10'000};  // from the first byte of a head to its end; the TLS handshake too
  std::chrono::milliseconds idle_timeout{60'000};  // between requests
  std::chrono::milliseconds io_timeout{30'000};    // for each read or write to make progress
  std::uint64_t body_bytes_per_s_floor = 1024;     // peers that send or take bodies slower are cut; 0: no floor
  std::chrono::milliseconds body_grace{30'000};    // waiting time that is forgiven before the floor counts
  std::size_t drain_bytes = 256 * 1024;            // unread body that is read away to keep a connection alive,
  std::chrono::milliseconds drain_timeout{3'000};  // and for how long
  // TLS session tickets are encrypted with keys used for so long, and forgotten with the last connection made
  // meanwhile: whoever learns one can read what sessions of TLS 1.2 resumed by it said, and no others.
  std::chrono::milliseconds ticket_keys_lifetime = std::chrono::hours(4);
};

// So many connections may be on their way out, their successors in, and newcomers wait, at once: descriptors that a
// server may hold beyond its limit of connections.
constexpr std::size_t most_leaving(std::size_t connections) {
  return connections < 8 ? 1 : connections > 512 ? 64 : connections / 8;
}
constexpr std::size_t spare_descriptors(std::size_t connections) { return 2 * most_leaving(connections); }

// Renders the body of an error that the server itself answers (400, 408, 431, 501, 505…): `message` is plain English
// and holds nothing of the request. Called on any loop, several at once.
using ErrorRenderer = std::function<std::string(unsigned status, std::string_view message)>;

struct ListenOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: the kernel chooses; see Server::port
  std::optional<TlsFiles> tls;
  ServerLimits limits;
  std::string name = "s3";     // label of its metrics
  ErrorRenderer render_error;  // none: the message as text
  std::string error_content_type = "text/plain; charset=utf-8";
  // Heads and whole responses hold secrets (bearer tokens, keys that are shown once): wiped from memory once used.
  bool confidential = false;
  // Called when a stop has cut connections, whose handlers may wait for what never comes: ends their waits. Blocks no
  // longer than a lock.
  std::function<void()> on_cut;
};

// An address taken for a server to come: nobody else can listen there, and who connects is refused until it starts.
class BoundAddress {
 public:
  // Errors: kInvalidArgument (no address), kAlreadyExists (taken), kNotFound (not an address of this machine), kRefused
  // (not for this user), kIo.
  static Result<std::unique_ptr<BoundAddress>> take(const std::string& address, std::uint16_t port);
  virtual ~BoundAddress() = default;
};

// The event loops. Threads start in the constructor. `clock`, which outlives them, is what the servers on them measure
// their limits with.
class Loops {
 public:
  Loops(unsigned count, const Clock& clock);  // 0: one per core
  Loops(const Loops&) = delete;
  Loops& operator=(const Loops&) = delete;
  ~Loops();  // stops and joins
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] Scheduler& scheduler(std::size_t index);
  // Milliseconds since each loop last ran something, the largest: for the watchdog.
  [[nodiscard]] std::chrono::milliseconds slowest_heartbeat() const;
  struct Impl;
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

class Server {
 public:
  // Listens and serves until stop(). `loops` and `metrics` outlive the server. Errors: kInvalidArgument (no
  // address; certificate or key unreadable or mismatched, which the message begins with the path of), kAlreadyExists
  // (port taken), kNotFound (not an address of this machine), kRefused (not for this user), kIo.
  static Result<std::unique_ptr<Server>> start(Loops& loops, ListenOptions options, Handler handler, Metrics& metrics);
  // The same at an address that was taken before, whatever the options say.
  static Result<std::unique_ptr<Server>> start(Loops& loops, std::unique_ptr<BoundAddress> bound, ListenOptions options,
                                               Handler handler, Metrics& metrics);
  virtual ~Server() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  // Reads certificate and key again for connections to come; on error the old ones stay.
  virtual Status reload_tls() = 0;
  // Stops accepting, lets requests in flight finish until `grace` has passed, then cuts their connections and waits for
  // their handlers to see it. Blocks.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace andromede::net
