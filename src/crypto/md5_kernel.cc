// MD5_CTX is deprecated for applications that hash; EVP, its successor, cannot give its state away, which is what
// passing a stream between scalar code and lanes takes.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/md5_kernel.h"

#include <openssl/md5.h>

#include <cstring>

#include "base/check.h"

// The vectors below are never passed by value between functions: everything is inlined into functions that say which
// instructions they may use.
namespace andromede::crypto {
namespace {

constexpr std::array<std::uint32_t, 64> kSines{
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr std::array<std::array<unsigned, 4>, 4> kShifts{
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};
constexpr std::array<unsigned, 4> kWordFactors{1, 5, 3, 7};
constexpr std::array<unsigned, 4> kWordOffsets{0, 1, 5, 0};

constexpr unsigned kVectorLanes = 8;
using Vector [[gnu::vector_size(32)]] = std::uint32_t;

// One of the 64 steps.
template <unsigned kStep>
[[gnu::always_inline]] inline void step(Vector (&state)[4], const Vector (&message)[16]) {
  constexpr unsigned kRound = kStep / 16;
  constexpr unsigned kShift = kShifts[kRound][kStep % 4];
  Vector& a = state[(64 - kStep) % 4];
  const Vector& b = state[(65 - kStep) % 4];
  const Vector& c = state[(66 - kStep) % 4];
  const Vector& d = state[(67 - kStep) % 4];
  // Everything that does not wait for b, the step before's result, comes first.
  Vector sum = a + (message[(kWordFactors[kRound] * kStep + kWordOffsets[kRound]) % 16] + kSines[kStep]);
  if constexpr (kRound == 0) {
    sum += d ^ (b & (c ^ d));
  } else if constexpr (kRound == 1) {
    // The two halves have no bit in common, so they may be added, and only one of them waits for b.
    sum += ~d & c;
    sum += d & b;
  } else if constexpr (kRound == 2) {
    sum += b ^ (c ^ d);
  } else {
    sum += c ^ (b | ~d);
  }
  a = b + ((sum << kShift) | (sum >> (32 - kShift)));
}

// Interleaves independent sets of lanes, so that one set's steps fill the other's waits.
template <unsigned kStep, unsigned kSets>
[[gnu::always_inline]] inline void steps(Vector (&state)[kSets][4], const Vector (&message)[kSets][16]) {
  if constexpr (kStep < 64) {
    for (unsigned set = 0; set < kSets; ++set) step<kStep>(state[set], message[set]);
    steps<kStep + 1, kSets>(state, message);
  }
}

template <unsigned kSets>
[[gnu::always_inline]] inline void add_block(Vector (&state)[kSets][4], const Vector (&message)[kSets][16]) {
  Vector work[kSets][4];
  for (unsigned set = 0; set < kSets; ++set) {
    for (unsigned i = 0; i < 4; ++i) work[set][i] = state[set][i];
  }
  steps<0, kSets>(work, message);
  for (unsigned set = 0; set < kSets; ++set) {
    for (unsigned i = 0; i < 4; ++i) state[set][i] += work[set][i];
  }
}

[[gnu::always_inline]] inline void load(Vector& out, const std::uint8_t* from) { std::memcpy(&out, from, sizeof out); }

// Eight words of each of eight lanes become eight vectors, one for each word.
[[gnu::always_inline]] inline void transpose(const std::uint8_t* const (&lanes)[kVectorLanes], std::size_t offset,
                                             Vector* out) {
  Vector rows[8];
  for (unsigned i = 0; i < 8; ++i) load(rows[i], lanes[i] + offset);
  Vector pairs[8];
  for (unsigned i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  Vector quads[8];
  for (unsigned i = 0; i < 8; i += 4) {
    for (unsigned k = 0; k < 2; ++k) {
      quads[i + 2 * k] = __builtin_shufflevector(pairs[i + k], pairs[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      quads[i + 2 * k + 1] = __builtin_shufflevector(pairs[i + k], pairs[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (unsigned i = 0; i < 4; ++i) {
    out[i] = __builtin_shufflevector(quads[i], quads[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    out[i + 4] = __builtin_shufflevector(quads[i], quads[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

template <unsigned kSets>
[[gnu::always_inline]] inline void run(std::span<const Md5Lane> lanes, std::size_t blocks) {
  const std::uint8_t* data[kSets][kVectorLanes];
  Vector state[kSets][4];
  for (unsigned set = 0; set < kSets; ++set) {
    for (unsigned i = 0; i < kVectorLanes; ++i) {
      // An idle lane follows the first one; what it computes is dropped.
      const std::size_t at = set * kVectorLanes + i;
      const Md5Lane& lane = lanes[at < lanes.size() ? at : 0];
      data[set][i] = lane.data;
      for (unsigned word = 0; word < 4; ++word) state[set][word][i] = (*lane.state)[word];
    }
  }
  for (std::size_t block = 0; block < blocks; ++block) {
    Vector message[kSets][16];
    for (unsigned set = 0; set < kSets; ++set) {
      transpose(data[set], block * kMd5BlockBytes, &message[set][0]);
      transpose(data[set], block * kMd5BlockBytes + 32, &message[set][8]);
    }
    add_block<kSets>(state, message);
  }
  for (std::size_t at = 0; at < lanes.size(); ++at) {
    for (unsigned word = 0; word < 4; ++word)
      (*lanes[at].state)[word] = state[at / kVectorLanes][word][at % kVectorLanes];
  }
}

[[gnu::target("avx2")]] void run_avx2(std::span<const Md5Lane> lanes, std::size_t blocks) { run<1>(lanes, blocks); }
// The registers of AVX-512VL hold two sets, and rotate in one instruction. For one set AVX2 is as fast.
[[gnu::target("avx2,avx512f,avx512vl")]] void run_avx512(std::span<const Md5Lane> lanes, std::size_t blocks) {
  run<2>(lanes, blocks);
}

}  // namespace

Md5Instructions best_md5_instructions() {
  static const Md5Instructions best = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
                                          ? Md5Instructions::kAvx512
                                      : __builtin_cpu_supports("avx2") ? Md5Instructions::kAvx2
                                                                       : Md5Instructions::kScalar;
  return best;
}

std::size_t md5_lane_count(Md5Instructions instructions) {
  switch (instructions) {
    case Md5Instructions::kScalar:
      return 1;
    case Md5Instructions::kAvx2:
      return kVectorLanes;
    case Md5Instructions::kAvx512:
      return 2 * kVectorLanes;
  }
  return 1;
}

void compress_md5_lanes(Md5Instructions instructions, std::span<const Md5Lane> lanes, std::size_t blocks) {
  CHECK(lanes.size() <= md5_lane_count(instructions), "no more streams than lanes");
  if (lanes.empty()) return;
  switch (instructions) {
    case Md5Instructions::kScalar:
      return compress_md5(*lanes[0].state, lanes[0].data, blocks);
    case Md5Instructions::kAvx2:
      return run_avx2(lanes, blocks);
    case Md5Instructions::kAvx512:
      return lanes.size() <= kVectorLanes ? run_avx2(lanes, blocks) : run_avx512(lanes, blocks);
  }
}

void compress_md5(Md5State& state, const std::uint8_t* data, std::size_t blocks) {
  MD5_CTX context{};
  context.A = state[0];
  context.B = state[1];
  context.C = state[2];
  context.D = state[3];
  CHECK(MD5_Update(&context, data, blocks * kMd5BlockBytes) == 1, "MD5 takes any bytes");
  state = {context.A, context.B, context.C, context.D};
}

}  // namespace andromede::crypto
