// Bytes to store, send and compare. For tests only.
#pragma once

#include "base/bytes.h"
#include "base/random.h"

namespace andromede {

inline Bytes random_bytes(Random& random, std::size_t count) {
  Bytes bytes(count);
  random.fill(bytes);
  return bytes;
}

inline Bytes random_bytes(std::size_t count, std::uint64_t seed) {
  SeededRandom random(seed);
  return random_bytes(random, count);
}

}  // namespace andromede
