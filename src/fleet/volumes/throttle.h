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

  // Takes `bytes` from the bandwidth, sleeping until what was taken before is paid for. False, at once, when
  // `cancelled` answers true: then nothing is taken.
  bool take(std::uint64_t bytes, const std::function<bool()>& cancelled);
  // Lets sleepers look at `cancelled` again.
  void wake();

  // Another bandwidth while it lives. One at a time.
  class Limit {
   public:
    // `bytes_per_s` > 0. What was taken before and is not paid for yet is paid at this rate.
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
  void count();                       // what time has brought

  std::mutex mutex_;
  std::condition_variable changed_;
  double bytes_per_s_;
  // Below 0 what is owed: in bytes, so that a slow job's debt is soon paid when the next one may go fast.
  double spare_bytes_;
  std::chrono::steady_clock::time_point counted_to_;
};

}  // namespace andromede::fleet
