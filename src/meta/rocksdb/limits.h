// What the embedded engine takes at once. A smaller commit log takes smaller commits.
#pragma once

#include "meta/store.h"

namespace andromede::meta {

inline constexpr Limits kEngineLimits{
    .key_bytes = 4096, .value_bytes = 4 << 20, .commit_bytes = 16 << 20, .expectations = 10'000, .scan_items = 4096};

}  // namespace andromede::meta
