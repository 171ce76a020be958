// FaultLines: how many lines about failed requests an account may bring into the log. An account whose requests fail as
// fast as it asks, for an overload of its own making, would otherwise push out what an operator is to hear of: one
// brought 102 MiB in ten seconds.
//
// Any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace andromede::api::edge {

class FaultLines {
 public:
  static constexpr unsigned kPerSecond = 10;

  explicit FaultLines(const Clock& clock) : clock_(clock) {}

  // Whether the account's failure is to be logged, and then how many before it were not; nullopt: it is not.
  std::optional<std::uint64_t> take(std::string_view account) {
    const auto second = std::chrono::duration_cast<std::chrono::seconds>(clock_.steady().time_since_epoch()).count();
    const std::lock_guard lock(mutex_);
    Share& share = shares_[std::hash<std::string_view>()(account) % shares_.size()];
    if (std::exchange(share.second, second) != second) share.lines = 0;
    if (share.lines == kPerSecond) {
      ++share.left_out;
      return std::nullopt;
    }
    ++share.lines;
    return std::exchange(share.left_out, 0);
  }

 private:
  struct Share {
    std::int64_t second = 0;
    unsigned lines = 0;
    std::uint64_t left_out = 0;
  };

  const Clock& clock_;
  std::mutex mutex_;
  std::array<Share, 64> shares_{};  // accounts that fall on the same one share it: what is kept does not grow with them
};

}  // namespace andromede::api::edge
