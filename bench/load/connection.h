// One keep-alive HTTP/1.1 connection, blocking, for the load generator. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace andromede::load {

struct Response {
  unsigned status = 0;
  std::string head;  // status line and headers, lower-cased names are looked up with header()
  ByteView body;     // in the connection's buffer, valid until the next request
  // The first value under `name` (lower case), or empty.
  [[nodiscard]] std::string header(std::string_view name) const;
};

class Connection {
 public:
  // `from`: the IPv4 address to connect from; empty: as the system chooses.
  Connection(std::string host, std::uint16_t port, std::string from);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Sends `head` (request line and headers, ending in an empty line) and `body`, and reads the whole response.
  // Connects first where needed; kIo when the peer cannot be reached or breaks off.
  Result<Response> exchange(std::string_view head, ByteView body, bool head_request = false);

 private:
  Status connect();
  Status bind_to_source();
  void close();
  Status send_all(std::string_view head, ByteView body);
  Result<std::size_t> receive_more();
  Result<Response> read_response(bool head_request);
  Status read_sized(std::size_t body_at, std::uint64_t size);
  Result<std::size_t> read_chunked(std::size_t body_at);

  const std::string host_;
  const std::uint16_t port_;
  const std::string from_;
  int socket_ = -1;
  std::string buffer_;      // capacity grows to the largest response
  std::size_t filled_ = 0;  // bytes of buffer_ received
};

}  // namespace andromede::load
