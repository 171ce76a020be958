// Bodies for tests: in memory, handed out in chunks, announced or not, honest or not.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/random.h"
#include "base/stream.h"
#include "objects/service.h"

namespace andromede::objects {

class MemoryBody final : public BodySource {
 public:
  explicit MemoryBody(std::string bytes, std::size_t chunk = 1 << 20)
      : bytes_(std::move(bytes)), chunk_(chunk), announced_(bytes_.size()) {}

  MemoryBody& unannounced() {
    announced_.reset();
    return *this;
  }
  MemoryBody& announce(std::uint64_t size) {
    announced_ = size;
    return *this;
  }
  MemoryBody& trailer(Bytes value) {
    trailer_ = std::move(value);
    return *this;
  }
  // Fails instead of giving the byte at `offset`.
  MemoryBody& fail_at(std::size_t offset) {
    fail_at_ = offset;
    return *this;
  }

  // How often something of it was asked for.
  [[nodiscard]] int reads() const { return reads_; }

  Task<Result<ByteView>> read() override {
    ++reads_;
    if (fail_at_ && at_ >= *fail_at_) co_return fail(Errc::kCancelled, "the client is gone");
    std::size_t count = std::min(chunk_, bytes_.size() - at_);
    if (fail_at_) count = std::min(count, *fail_at_ - at_);
    const ByteView view = as_bytes(bytes_).subspan(at_, count);
    at_ += count;
    co_return view;
  }
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override { return announced_; }
  [[nodiscard]] std::optional<Bytes> trailing_checksum() const override { return trailer_; }

 private:
  const std::string bytes_;
  const std::size_t chunk_;
  std::optional<std::uint64_t> announced_;
  std::optional<Bytes> trailer_;
  std::optional<std::size_t> fail_at_;
  std::size_t at_ = 0;
  int reads_ = 0;
};

// Bytes that differ from place to place and from seed to seed.
inline std::string pattern(std::size_t size, std::uint64_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint64_t x = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (std::size_t i = 0; i < size; i += 8) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    std::memcpy(bytes.data() + i, &x, std::min<std::size_t>(8, size - i));
  }
  return bytes;
}

inline Task<Result<std::string>> read_all(OpenObject& object) {
  std::string bytes;
  while (true) {
    CO_TRY(const ByteView view, co_await object.read());
    if (view.empty()) co_return bytes;
    bytes += as_text(view);
  }
}

}  // namespace andromede::objects
