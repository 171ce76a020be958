// A request with nobody behind it, for tests of what happens before an API looks at it.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "net/http.h"

namespace andromede::api::edge {

class NoExchange final : public net::Exchange, private BodySource, private net::ResponseSink {
 public:
  [[nodiscard]] const net::RequestHead& head() const override { return request; }
  [[nodiscard]] BodySource& body() override { return *this; }
  void admit(std::string_view tenant) override { admitted = tenant; }
  Task<Status> respond(net::ResponseHead, std::string) override { co_return Status{}; }
  Task<Status> start(net::ResponseHead, std::optional<std::uint64_t>) override { co_return Status{}; }
  [[nodiscard]] net::ResponseSink& sink() override { return *this; }
  Task<Status> finish() override { co_return Status{}; }
  [[nodiscard]] std::stop_token stop_token() override { return cut.get_token(); }

  net::RequestHead request{
      .method = "GET", .target = "/", .headers = {}, .peer_address = "192.0.2.1", .peer = "192.0.2.1"};
  std::string admitted;
  std::stop_source cut;

 private:
  Task<Result<ByteView>> read() override { co_return ByteView{}; }
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override { return 0; }
  Task<Status> write(ByteView) override { co_return Status{}; }
  Task<Result<std::size_t>> write_some(ByteView data) override { co_return data.size(); }
  Task<Status> ready() override { co_return Status{}; }
};

}  // namespace andromede::api::edge
