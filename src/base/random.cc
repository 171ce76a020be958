#include "base/random.h"

#include <openssl/rand.h>

#include <cstring>

#include "base/check.h"

namespace andromede {

std::uint64_t Random::below(std::uint64_t bound) {
  CHECK(bound > 0, "a range of random numbers is never empty");
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    std::uint64_t value = 0;
    fill({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    if (value < limit) return value % bound;
  }
}

void SystemRandom::fill(std::span<std::uint8_t> out) {
  CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1, "the system's random generator works");
}

void SeededRandom::fill(std::span<std::uint8_t> out) {
  const std::lock_guard lock(mutex_);
  for (std::size_t at = 0; at < out.size(); at += 8) {
    const std::uint64_t value = engine_();
    std::memcpy(out.data() + at, &value, std::min<std::size_t>(8, out.size() - at));
  }
}

}  // namespace andromede
