// What the generator stores: bytes that follow from key, generation and size, so that any reader can check them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace andromede::load {

inline constexpr std::size_t kMaxContentBytes = 64 << 20;

// A window of a fixed pseudo-random block: no copy, and different for nearly every (key, generation).
ByteView content_of(std::string_view key, std::uint64_t generation, std::size_t size_bytes);

}  // namespace andromede::load
