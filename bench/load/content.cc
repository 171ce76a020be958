#include "load/content.h"

#include <random>

#include "base/check.h"

namespace andromede::load {
namespace {

constexpr std::size_t kWindows = 1 << 20;

const Bytes& block() {
  static const Bytes instance = [] {
    Bytes bytes(kMaxContentBytes + kWindows);
    std::mt19937_64 engine(20111123);
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      const std::uint64_t value = engine();
      std::memcpy(bytes.data() + at, &value, 8);
    }
    return bytes;
  }();
  return instance;
}

}  // namespace

ByteView content_of(std::string_view key, std::uint64_t generation, std::size_t size_bytes) {
  CHECK(size_bytes <= kMaxContentBytes, "the generator's objects have a largest size");
  std::uint64_t hash = 14695981039346656037ULL ^ generation * 0x9e3779b97f4a7c15ULL;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return ByteView(block()).subspan(hash >> 20 & (kWindows - 1), size_bytes);
}

}  // namespace andromede::load
