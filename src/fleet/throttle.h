// Throttle: a bandwidth limit shared by all movers. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace andromede::fleet {

class Throttle {
 public:
  // `bytes_per_s` > 0.
  explicit Throttle(std::uint64_t bytes_per_s);

  // Takes `bytes` from the bandwidth, sleeping until they are due. False, at once, when `cancelled` answers true.
  bool take(std::uint64_t bytes, const std::function<bool()>& cancelled);
  // Lets sleepers look at `cancelled` again.
  void wake();

  // Another bandwidth while it lives. One at a time.
  class Limit {
   public:
    // 0: leaves the throttle's own.
    Limit(Throttle& throttle, std::uint64_t bytes_per_s);
    Limit(const Limit&) = delete;
    Limit& operator=(const Limit&) = delete;
    ~Limit();

   private:
    Throttle& throttle_;
    double before_;
  };

 private:
  double change(double bytes_per_s);  // answers the one before

  std::mutex mutex_;
  double bytes_per_s_;  // under mutex_
  std::condition_variable changed_;
  std::chrono::steady_clock::time_point due_{};
};

}  // namespace andromede::fleet
