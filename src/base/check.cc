#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace andromede {

void check_failed(const char* condition, const char* why, const char* file, int line) noexcept {
  std::fprintf(stderr, "andromede: internal error: %s does not hold: %s (%s:%d)\n", condition, why, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace andromede
