// CHECK(condition, "why it must hold"): an invariant of ours. When it does not hold the process says where and stops:
// going on with broken state could break a promise. Never for bad input, which is an Error.
#pragma once

namespace andromede {
[[noreturn]] void check_failed(const char* condition, const char* why, const char* file, int line) noexcept;
}  // namespace andromede

#define CHECK(condition, why)                                         \
  do {                                                                \
    if (!(condition)) [[unlikely]] {                                  \
      ::andromede::check_failed(#condition, why, __FILE__, __LINE__); \
    }                                                                 \
  } while (false)
