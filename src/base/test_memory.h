// What this process takes of memory, for tests that bound it.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

namespace andromede {

// VmRSS of proc(5).
inline std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::size_t kib = 0;
  while (status >> word) {
    if (word == "VmRSS:") status >> kib;
  }
  return kib;
}

}  // namespace andromede
