#include "crypto/crc64nvme.h"

#include <immintrin.h>

#include <array>
#include <cstring>

#include "crypto/crc_algebra.h"
#include "crypto/digest.h"

namespace andromede::crypto {
namespace {

using Tables = std::array<std::array<std::uint64_t, 256>, 8>;

// tables[k][b]: what byte b adds once k more bytes have followed it.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ kCrc64NvmePolynomial : crc >> 1;
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint64_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}
constexpr Tables kTables = make_tables();

std::uint64_t load64(const std::uint8_t* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// The register without the inversions at start and end.
std::uint64_t run_tables(std::uint64_t crc, const std::uint8_t* at, std::size_t count) {
  for (; count >= 8; at += 8, count -= 8) {
    const std::uint64_t word = crc ^ load64(at);
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= kTables[7 - i][(word >> (8 * i)) & 0xFF];
  }
  for (; count > 0; ++at, --count) crc = (crc >> 8) ^ kTables[0][(crc ^ *at) & 0xFF];
  return crc;
}

constexpr std::size_t kLanes = 8;
constexpr std::size_t kLaneBytes = 16;
constexpr std::size_t kStepBytes = kLanes * kLaneBytes;

// What moves 128 bits of state `bits` further. The product of two reflected words is one power of x too high, hence
// - 1.
struct Fold {
  std::uint64_t high;  // for the coefficients x^127 … x^64, which the reflected form keeps in the low half
  std::uint64_t low;
};
constexpr Fold fold_by(std::uint64_t bits) {
  return {x_to_the(bits + 64 - 1, kCrc64NvmePolynomial), x_to_the(bits - 1, kCrc64NvmePolynomial)};
}
constexpr Fold kByStep = fold_by(kStepBytes * 8);
constexpr Fold kByLane = fold_by(kLaneBytes * 8);

[[gnu::target("pclmul,sse4.1"), gnu::always_inline]] inline __m128i constants(const Fold& fold) {
  return _mm_set_epi64x(static_cast<long long>(fold.low), static_cast<long long>(fold.high));
}
[[gnu::target("pclmul,sse4.1"), gnu::always_inline]] inline __m128i load(const std::uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
[[gnu::target("pclmul,sse4.1"), gnu::always_inline]] inline __m128i folded(__m128i state, __m128i by, __m128i next) {
  return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(state, by, 0x00), _mm_clmulepi64_si128(state, by, 0x11)),
                       next);
}

[[gnu::target("pclmul,sse4.1")]] std::uint64_t run_folding(std::uint64_t crc, const std::uint8_t* at,
                                                           std::size_t count) {
  if (count < kStepBytes) return run_tables(crc, at, count);
  __m128i lanes[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = load(at + i * kLaneBytes);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi64_si128(static_cast<long long>(crc)));
  at += kStepBytes;
  count -= kStepBytes;
  const __m128i by_step = constants(kByStep);
  for (; count >= kStepBytes; at += kStepBytes, count -= kStepBytes) {
    for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = folded(lanes[i], by_step, load(at + i * kLaneBytes));
  }
  const __m128i by_lane = constants(kByLane);
  __m128i state = lanes[0];
  for (std::size_t i = 1; i < kLanes; ++i) state = folded(state, by_lane, lanes[i]);
  for (; count >= kLaneBytes; at += kLaneBytes, count -= kLaneBytes) state = folded(state, by_lane, load(at));
  // The state is congruent to all that was read: its own CRC, from zero, is theirs.
  std::uint8_t last[kLaneBytes];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(last), state);
  return run_tables(run_tables(0, last, kLaneBytes), at, count);
}

}  // namespace

std::uint64_t crc64nvme_by_tables(std::uint64_t seed, ByteView data) {
  return ~run_tables(~seed, data.data(), data.size());
}

std::uint64_t crc64nvme_by_folding(std::uint64_t seed, ByteView data) {
  return ~run_folding(~seed, data.data(), data.size());
}

bool can_fold_crc64nvme() {
  static const bool can = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  return can;
}

std::uint64_t crc64nvme(std::uint64_t seed, ByteView data) {
  return can_fold_crc64nvme() ? crc64nvme_by_folding(seed, data) : crc64nvme_by_tables(seed, data);
}

}  // namespace andromede::crypto
