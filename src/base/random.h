// Randomness, injected so that a test can choose the seed.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>
#include <span>

namespace andromede {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  // Fills `out`; cannot fail (SystemRandom stops the process if the kernel's generator does).
  virtual void fill(std::span<std::uint8_t> out) = 0;
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
};

// The kernel's generator through OpenSSL's per-thread DRBG: fit for keys.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

// Reproducible, for tests and simulations only; never for keys.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace andromede
