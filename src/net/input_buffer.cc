#include "net/input_buffer.h"

#include <openssl/crypto.h>

namespace andromede::net {

void InputBuffer::forget_consumed() {
  if (confidential_) OPENSSL_cleanse(buffer_.data(), consumed_);
}

void InputBuffer::replace(Buffer buffer) {
  if (confidential_) OPENSSL_cleanse(buffer_.data(), buffer_.size());
  if (buffer_.capacity() >= Loop::kBodyBufferBytes) stream_.loop().give_back(std::move(buffer_));
  buffer_ = std::move(buffer);
  consumed_ = 0;
}

void InputBuffer::make_room(std::size_t wanted_bytes) {
  if (empty()) {
    const bool has_large = buffer_.capacity() == kMostBytes;
    const bool large = wanted_bytes > kSmallBytes && (has_large || stream_.loop().body_buffers_left());
    const std::size_t capacity = large ? kMostBytes : kSmallBytes;
    if (buffer_.capacity() != capacity) {
      replace(capacity == kMostBytes ? stream_.loop().take_body_buffer() : Buffer(kSmallBytes));
    }
    forget_consumed();
    buffer_.clear();
    consumed_ = 0;
    return;
  }
  if (buffer_.room() > 0) return;
  const std::size_t kept = buffer_.size() - consumed_;
  if (consumed_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + consumed_, kept);
    if (confidential_) OPENSSL_cleanse(buffer_.data() + kept, consumed_);
    buffer_.resize(kept);
    consumed_ = 0;
  } else if (buffer_.capacity() < kMostBytes && stream_.loop().body_buffers_left()) {
    Buffer larger = stream_.loop().take_body_buffer();
    larger.append(view());
    replace(std::move(larger));
  }
}

Task<Result<std::size_t>> InputBuffer::fill(std::size_t wanted_bytes, SteadyTime deadline) {
  make_room(wanted_bytes);
  if (buffer_.room() == 0) co_return fail(Errc::kOverloaded, "the input buffer is full");
  CO_TRY(const std::size_t count, co_await stream_.read_some(buffer_.tail(), deadline));
  buffer_.grow(count);
  co_return count;
}

}  // namespace andromede::net
