// Waiting in tests for what other threads do. For tests only.
#pragma once

#include <chrono>
#include <thread>

namespace andromede {

// Waits until `condition` holds; false when it never does.
template <typename Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  do {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace andromede
