// Internal to net/: the body of one request, framing removed.
#pragma once

#include <optional>

#include "base/stream.h"
#include "base/stretch.h"
#include "net/chunked_decoder.h"
#include "net/head_parser.h"
#include "net/input_buffer.h"

namespace andromede::net {

class RequestBody final : public BodySource {
 public:
  RequestBody(Stream& stream, InputBuffer& input, const RequestFraming& framing);

  Task<Result<ByteView>> read() override;
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override;

  // Whether the connection can go on behind this body: it was read, or what is left is worth draining.
  [[nodiscard]] bool can_be_passed() const;
  // Reads what the handler left, up to ServerLimits::drain_bytes and drain_timeout, through a small buffer. False: the
  // connection must close.
  Task<bool> drain();
  // Draining took too long.
  [[nodiscard]] bool timed_out() const { return drained_by_ && failed_ && *failed_ == Errc::kTimeout; }
  // All of it was received.
  [[nodiscard]] bool complete() const { return chunked_ ? decoder_.done() : left_ == 0; }

 private:
  Task<Result<ByteView>> read_piece();
  Task<Result<ByteView>> read_sized();
  Task<Result<ByteView>> read_chunked();
  Task<Status> receive(std::size_t wanted_bytes);
  Task<Status> send_continue();

  Stream& stream_;
  InputBuffer& input_;
  const bool chunked_;
  const bool announced_;
  const std::uint64_t size_;
  std::uint64_t left_;  // of a body with Content-Length
  ChunkedDecoder decoder_;
  bool continue_due_;  // the client waits for 100 Continue
  std::optional<Error> failed_;
  std::optional<SteadyTime> drained_by_;
  Pace pace_;
  Stretch stretch_;  // of tiny chunks, a buffer holds tens of thousands
};

}  // namespace andromede::net
