// MD5's compression function (RFC 1321, section 3.4) over one stream, or over several at once, one in each lane of a
// vector register. No padding, no threads: crypto/md5_lanes.h makes a service of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace andromede::crypto {

using Md5State = std::array<std::uint32_t, 4>;
inline constexpr Md5State kMd5Start{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
inline constexpr std::size_t kMd5BlockBytes = 64;

enum class Md5Instructions : std::uint8_t { kScalar, kAvx2, kAvx512 };

// The best that this processor offers.
Md5Instructions best_md5_instructions();
// Streams at a time: 1, 8, 16.
std::size_t md5_lane_count(Md5Instructions instructions);

struct Md5Lane {
  Md5State* state = nullptr;
  const std::uint8_t* data = nullptr;
};

// Advances every lane's state over `blocks` blocks of its data. At most md5_lane_count(instructions) lanes; a lane that
// is not given costs as much as one that is, so one lane alone is better off with compress_md5.
void compress_md5_lanes(Md5Instructions instructions, std::span<const Md5Lane> lanes, std::size_t blocks);

void compress_md5(Md5State& state, const std::uint8_t* data, std::size_t blocks);

}  // namespace andromede::crypto
