// TLS 1.2 and 1.3 on a non-blocking socket, by OpenSSL without copies in between (docs/adr/0031-http-head-and-tls.md).
// No Asio: whoever owns the socket waits for it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "net/hello_guard.h"
#include "net/http.h"

struct ssl_ctx_st;
struct ssl_st;

namespace andromede::net {

// Certificates and rules, shared by the connections made while it was current. Thread-safe.
class TlsContext {
 public:
  // Errors: kInvalidArgument (a file unreadable, or certificate and key do not belong together).
  static Result<std::shared_ptr<const TlsContext>> for_server(const TlsFiles& files);
  // Trusts the authorities in `ca_path` (PEM) and no others. Errors: kInvalidArgument.
  static Result<std::shared_ptr<const TlsContext>> for_client(const std::string& ca_path);

  // The same certificate and rules with new ticket keys: sessions of before are not resumed. Only of a server's.
  [[nodiscard]] Result<std::shared_ptr<const TlsContext>> renewed() const;

  [[nodiscard]] ssl_ctx_st* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const noexcept;
  };
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  static Result<std::shared_ptr<TlsContext>> make(bool server);

  std::unique_ptr<ssl_ctx_st, Free> context_;
};

// One connection. Not thread-safe. Borrows the socket, which outlives it; never blocks and never raises SIGPIPE.
class TlsSession {
 public:
  enum class Outcome : std::uint8_t {
    kDone,
    kAgain,      // of read(): the peer makes more work than its data are worth; call again after others had their turn
    kWantRead,   // call again when the socket is readable
    kWantWrite,  // call again when the socket is writable
    kClosed,     // the peer closed its side
    kFailed,     // see error()
  };

  static Result<std::unique_ptr<TlsSession>> accept(const TlsContext& context, int socket);
  // Checks that the certificate is `host`'s, a name or an address.
  static Result<std::unique_ptr<TlsSession>> connect(const TlsContext& context, int socket, const std::string& host);

  Outcome handshake();
  // kDone: `count` bytes, at least one, were read or written. kAgain: so many were read, or none.
  Outcome read(MutableByteView into, std::size_t& count);
  Outcome write(ByteView from, std::size_t& count);
  // Says that nothing more will be written; best effort.
  void close_write();
  // Whether read() can answer without the socket.
  [[nodiscard]] bool pending() const;
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Free {
    void operator()(ssl_st* session) const noexcept;
  };
  // What OpenSSL reads and writes through.
  struct Transport {
    int socket = -1;
    ssl_st* session = nullptr;
    std::optional<HelloGuard> guard;  // of a server, while it shakes hands
    bool shaken = false;              // the handshake is done
    const char* violation = nullptr;  // what the peer did that ends the session
    // What came: of the handshake, then behind it.
    std::uint64_t wire_bytes = 0;
    std::uint64_t bytes = 0;     // of data
    std::uint64_t messages = 0;  // records that carry no data, behind the handshake
    // Since others had their turn.
    std::uint64_t turn_unpaid_bytes = 0;
    unsigned turn_records = 0;
    bool pausing = false;  // OpenSSL was told to wait, though there may be more

    [[nodiscard]] bool broken() const { return violation != nullptr; }
    [[nodiscard]] bool turn_is_over() const;
    void begin_turn();
  };
  friend struct SocketBio;
  TlsSession() = default;
  static Result<std::unique_ptr<TlsSession>> make(const TlsContext& context, int socket);
  Outcome judge(int result);

  Transport transport_;
  std::unique_ptr<ssl_st, Free> session_;
  std::string error_;
  bool failed_ = false;  // OpenSSL forbids any further call
};

}  // namespace andromede::net
