// For tests: one request that comes from nowhere, and what became of it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/stream.h"
#include "net/http.h"

namespace andromede::api {

class TestExchange final : public net::Exchange, private BodySource, private net::ResponseSink {
 public:
  explicit TestExchange(net::RequestHead head) : head_(std::move(head)) {}
  [[nodiscard]] const net::RequestHead& head() const override { return head_; }
  [[nodiscard]] BodySource& body() override { return *this; }
  void admit(std::string_view) override { admitted = true; }
  void admit_anybody() override { open_to_anybody = true; }
  Task<Status> respond(net::ResponseHead head, std::string body) override {
    status = head.status;
    answer_bytes = body.size();
    co_return Status{};
  }
  Task<Status> start(net::ResponseHead, std::optional<std::uint64_t>) override { co_return Status{}; }
  [[nodiscard]] net::ResponseSink& sink() override { return *this; }
  Task<Status> finish() override { co_return Status{}; }

  unsigned status = 0;
  std::size_t answer_bytes = 0;
  bool admitted = false;
  bool open_to_anybody = false;
  bool body_was_asked_for = false;

 private:
  Task<Result<ByteView>> read() override {
    body_was_asked_for = true;
    co_return ByteView{};
  }
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override { return 0; }
  Task<Status> write(ByteView) override { co_return Status{}; }
  Task<Result<std::size_t>> write_some(ByteView data) override {
    CO_CHECK_OK(co_await write(data));
    co_return data.size();
  }
  Task<Status> ready() override { co_return Status{}; }

  const net::RequestHead head_;
};

}  // namespace andromede::api
