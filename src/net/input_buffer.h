// Internal to net/: what was received and not yet consumed. Has no memory while a connection is idle, 16 KiB for heads
// and small bodies, one of the loop's large buffers while a large body comes in.
#pragma once

#include "base/bytes.h"
#include "net/stream.h"

namespace andromede::net {

class InputBuffer {
 public:
  // `confidential`: what was received is wiped when its memory is given back or used again.
  InputBuffer(Stream& stream, bool confidential) : stream_(stream), confidential_(confidential) {}
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;
  ~InputBuffer() { replace({}); }

  [[nodiscard]] ByteView view() const { return buffer_.view().subspan(consumed_); }
  [[nodiscard]] bool empty() const { return consumed_ == buffer_.size(); }
  // The bytes consumed stay where they are until the next fill().
  void consume(std::size_t count) { consumed_ += count; }
  // Wipes the bytes consumed, which nobody looks at any more, if they are confidential.
  void forget_consumed();

  // Receives once; 0: the peer closed its side. `wanted_bytes` is how much more is expected: it chooses the buffer.
  // Errors of Stream::read_some; kOverloaded when the buffer is full and there is no larger one.
  Task<Result<std::size_t>> fill(std::size_t wanted_bytes, SteadyTime deadline);

  // Gives the memory back. Only while empty().
  void release() { replace({}); }

  static constexpr std::size_t kSmallBytes = 16 * 1024;
  static constexpr std::size_t kMostBytes = Loop::kBodyBufferBytes;

 private:
  void make_room(std::size_t wanted_bytes);
  void replace(Buffer buffer);

  Stream& stream_;
  const bool confidential_;
  Buffer buffer_;
  std::size_t consumed_ = 0;
};

}  // namespace andromede::net
