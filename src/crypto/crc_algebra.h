// Arithmetic on bit-reflected polynomials over GF(2) modulo a CRC's polynomial: constants for folding, and the CRC of a
// concatenation. In the reflected form the coefficient of x^0 is the highest bit. Pure; evaluated at compile time where
// the arguments allow.
#pragma once

#include <cstdint>
#include <limits>

namespace andromede::crypto {

inline constexpr std::uint32_t kCrc32Polynomial = 0xEDB88320U;
inline constexpr std::uint32_t kCrc32cPolynomial = 0x82F63B78U;
inline constexpr std::uint64_t kCrc64NvmePolynomial = 0x9A6C9329AC4BC9B5ULL;

template <typename Word>
inline constexpr Word kCrcOne = Word{1} << (std::numeric_limits<Word>::digits - 1);

// a * b mod P.
template <typename Word>
constexpr Word multiply_mod(Word a, Word b, Word polynomial) {
  Word product = 0;
  for (Word bit = kCrcOne<Word>; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b & 1) != 0 ? (b >> 1) ^ polynomial : b >> 1;
  }
  return product;
}

// base^exponent mod P.
template <typename Word>
constexpr Word power_mod(Word base, std::uint64_t exponent, Word polynomial) {
  Word power = kCrcOne<Word>;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) power = multiply_mod(power, base, polynomial);
    base = multiply_mod(base, base, polynomial);
  }
  return power;
}

// x^n mod P.
template <typename Word>
constexpr Word x_to_the(std::uint64_t n, Word polynomial) {
  return power_mod(static_cast<Word>(kCrcOne<Word> >> 1), n, polynomial);
}

// The CRC of a||b, for CRCs that start from all ones and are inverted at the end, as all of ours are: the two
// inversions cancel and what is left is crc(a) * x^(8 * bytes of b) + crc(b).
template <typename Word>
constexpr Word combine(Word a, Word b, std::uint64_t b_size_bytes, Word polynomial) {
  const Word x8 = kCrcOne<Word> >> 8;
  return multiply_mod(power_mod(x8, b_size_bytes, polynomial), a, polynomial) ^ b;
}

}  // namespace andromede::crypto
