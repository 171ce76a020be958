// Internal to net/: the response of one request. The head waits for the first bytes of the body, so that a small
// response is one system call; bodies are sent from the caller's memory.
#pragma once

#include <optional>
#include <string>

#include "base/stream.h"
#include "net/http.h"
#include "net/stream.h"

namespace andromede::net {

class ResponseWriter final : public ResponseSink {
 public:
  struct Rules {
    bool head_request = false;  // no body, whatever is announced
    bool http_1_0 = false;
    bool confidential = false;  // whole responses are wiped once sent
  };

  ResponseWriter(Stream& stream, Rules rules) : stream_(stream), rules_(rules) {}

  // kInternal: a response was started already.
  Task<Status> respond(ResponseHead head, std::string body, bool keep_alive);
  Task<Status> start(ResponseHead head, std::optional<std::uint64_t> content_length, bool keep_alive);
  // kInternal: not started, or more than the announced length.
  Task<Status> write(ByteView data) override;
  Task<Result<std::size_t>> write_some(ByteView data) override;
  Task<Status> ready() override { return stream_.wait_for_room(pace_); }
  // kInternal: not started, or less than the announced length (the connection will close).
  Task<Status> finish();

  [[nodiscard]] bool started() const { return state_ != State::kNothing; }
  // The whole response was handed to the kernel.
  [[nodiscard]] bool complete() const { return state_ == State::kComplete; }
  [[nodiscard]] bool keeps_alive() const { return keep_alive_; }

 private:
  // kInternal, as write().
  [[nodiscard]] Status check_write(ByteView data) const;

  enum class State : std::uint8_t { kNothing, kStreaming, kComplete };

  Stream& stream_;
  const Rules rules_;
  State state_ = State::kNothing;
  std::string pending_;  // head and chunk framing that goes out with the next bytes
  std::optional<std::uint64_t> left_;
  bool bodiless_ = false;
  bool chunked_ = false;
  bool keep_alive_ = false;
  Pace pace_;
};

}  // namespace andromede::net
