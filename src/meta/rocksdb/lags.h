// Lags: how long commits waited for a mirror after another one had done the same part of them. A drive that always
// answers just in time never fails by itself, and slows every commit.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace andromede::meta {

// What is older is forgotten.
inline constexpr std::chrono::seconds kLagWindow{60};
// Less than this nobody looks at: drives of two kinds, or two that are busy, are so far apart all the time.
inline constexpr std::chrono::milliseconds kLeastLag{100};
// So late no sound drive answers that others are done with. Only such lags make a mirror fail.
inline constexpr std::chrono::seconds kLateLag{1};
// In all, within the window.
inline constexpr std::chrono::seconds kLagBudget{10};

class Lags {
 public:
  using Duration = std::chrono::steady_clock::duration;

  // True: from now on it is worth telling.
  bool note(DriveId drive, Duration behind, SteadyTime now);
  // Within the window; 0 where that is not worth telling: where it never was late, and was behind for less than the
  // budget in all.
  [[nodiscard]] Duration worth_telling(DriveId drive, SteadyTime now) const;
  // The drives that were late for the budget or longer, the latest of them first.
  [[nodiscard]] std::vector<DriveId> spent(SteadyTime now) const;
  void forget_all();

 private:
  struct Lag {
    SteadyTime at;
    Duration behind;
  };
  struct Sums {
    Duration behind{};
    Duration late{};  // of those that were late
  };
  static Sums sums(const std::deque<Lag>& lags, SteadyTime now);
  static Duration worth_telling(const Sums& sums);
  mutable std::mutex mutex_;
  std::map<DriveId, std::deque<Lag>> lags_;  // oldest first
};

}  // namespace andromede::meta
