// The head of a request (RFC 9112 sections 2 to 7), parsed strictly: whatever two parsers could read differently is
// refused, so that no request can be smuggled past a proxy or us. Pure functions; fuzzed.
#pragma once

#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>

#include "net/http.h"

namespace andromede::net {

// Why the server itself answers an error. `message` points to static text.
struct ProtocolError {
  unsigned status = 400;
  std::string_view message;
};

// How the connection goes on after the head.
struct RequestFraming {
  bool http_1_0 = false;
  bool keep_alive = true;         // what the client wants
  bool expects_continue = false;  // `Expect: 100-continue` of an HTTP/1.1 client
  bool chunked = false;
  bool has_content_length = false;
  std::uint64_t content_length = 0;  // bytes
};

struct ParsedHead {
  RequestHead head;  // peer_address, peer and tls are left to the caller
  RequestFraming framing;
};

// Finds the end of a head in bytes that come piece by piece. Every byte is looked at once.
class HeadScanner {
 public:
  explicit HeadScanner(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // `received`: all bytes since the previous request, the ones of earlier calls included. True when the head is whole:
  // text() is the head, size() what it takes of `received`. Errors: 400 (a line that does not end in CRLF, a first byte
  // that cannot start a method), 431 (longer than the limit).
  tl::expected<bool, ProtocolError> scan(std::string_view received);

  [[nodiscard]] std::size_t size() const { return scanned_; }
  // From the request line to the empty line, both included. `received` as in the call of scan() that answered true.
  [[nodiscard]] std::string_view text(std::string_view received) const {
    return received.substr(begin_, scanned_ - begin_);
  }

 private:
  std::size_t limit_bytes_;
  std::size_t begin_ = 0;       // behind the one empty line that RFC 9112 section 2.2 asks to ignore
  std::size_t line_start_ = 0;  // of the line that is not whole yet
  std::size_t scanned_ = 0;
};

// `text`: as HeadScanner::text() gives it. Errors: 400, 417 (an expectation other than 100-continue), 431 (over
// kMaxHeaders lines), 501 (a transfer coding other than chunked), 505 (not HTTP/1.0 or 1.1).
tl::expected<ParsedHead, ProtocolError> parse_head(std::string_view text);

constexpr std::size_t kMaxHeaders = 128;
constexpr std::size_t kMaxMethodBytes = 32;

}  // namespace andromede::net
