// Request ids: a random start and a counter through a bijection (splitmix64), so that they never repeat within a
// process and cost no system call. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/random.h"

namespace andromede::api::edge {

class RequestIds {
 public:
  explicit RequestIds(Random& random) {
    std::uint64_t seed = 0;
    random.fill({reinterpret_cast<std::uint8_t*>(&seed), sizeof seed});
    next_ = seed;
  }
  // 16 hexadecimal digits.
  std::string next() {
    std::uint64_t value = next_.fetch_add(0x9E3779B97F4A7C15ULL, std::memory_order_relaxed);
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
    value ^= value >> 31;
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string id(16, '0');
    for (std::size_t i = 0; i < id.size(); ++i) id[i] = kDigits[(value >> (60 - 4 * i)) & 15];
    return id;
  }

 private:
  std::atomic<std::uint64_t> next_;
};

}  // namespace andromede::api::edge
