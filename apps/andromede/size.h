// Numbers of bytes as people write them: 512MiB, 10 GB, 4 Tio.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace andromede::app {

// Digits, then one of the units b, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024), those without
// their B, and the French ones with an o; in any case, with blanks or not in between; no unit: bytes. Nothing for
// anything else, and for what does not fit.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace andromede::app
