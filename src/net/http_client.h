// A small blocking HTTP/1.1 client for the CLI (operator's listener) and tests. Keep-alive; one request at a time.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "net/http.h"

namespace andromede::net {

struct ClientResponse {
  unsigned status = 0;
  Headers headers;
  std::string body;
};

class Client {
 public:
  // Connects at the first request. `tls_ca_path`: PEM to trust when talking TLS; empty: plain HTTP.
  static Result<std::unique_ptr<Client>> make(std::string host, std::uint16_t port, std::string tls_ca_path,
                                              std::chrono::milliseconds timeout);
  virtual ~Client() = default;
  // Body answers above 64 MiB are kInvalidArgument. kIo: cannot connect or the peer went away.
  virtual Result<ClientResponse> request(std::string method, std::string target, Headers headers, std::string body) = 0;
};

}  // namespace andromede::net
