// What a peer may make us wait for, said once: by it bodies, answers and connections are judged in several modules.
#pragma once

#include <chrono>
#include <cstdint>

namespace andromede {

// A peer that is slower, beyond a time that is granted to each, loses what others wait for.
inline constexpr std::uint64_t kFairBytesPerSecond = 32 * 1024;
// A peer that lets us wait for longer is slow: it has little or no memory of ours meanwhile.
inline constexpr std::chrono::milliseconds kPeerPatience{100};

}  // namespace andromede
