// Deadline: the moment by which a wait must end, passed explicitly down every call that can wait.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace andromede {

class Deadline {
 public:
  static Deadline after(const Clock& clock, std::chrono::milliseconds timeout) {
    return Deadline(clock.steady() + timeout);
  }
  // For work that an operator watches and can stop: it has no natural end.
  static Deadline never() { return Deadline(SteadyTime::max()); }

  [[nodiscard]] bool passed(const Clock& clock) const { return clock.steady() >= at_; }
  [[nodiscard]] std::chrono::milliseconds left(const Clock& clock) const {
    if (at_ == SteadyTime::max()) return std::chrono::hours(24 * 365);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(at_ - clock.steady());
    return left.count() < 0 ? std::chrono::milliseconds(0) : left;
  }
  [[nodiscard]] SteadyTime at() const { return at_; }

 private:
  explicit Deadline(SteadyTime at) : at_(at) {}
  SteadyTime at_;
};

}  // namespace andromede
