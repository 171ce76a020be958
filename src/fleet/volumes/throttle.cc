#include "fleet/volumes/throttle.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace andromede::fleet {
namespace {

using SteadyClock = std::chrono::steady_clock;
// What an idle throttle saves up: enough to not sleep for every small shard.
constexpr double kBurstSeconds = 0.1;
constexpr std::chrono::milliseconds kLook{100};

}  // namespace

Throttle::Throttle(std::uint64_t bytes_per_s)
    : bytes_per_s_(static_cast<double>(bytes_per_s)),
      spare_bytes_(bytes_per_s_ * kBurstSeconds),
      counted_to_(SteadyClock::now()) {
  CHECK(bytes_per_s > 0, "a bandwidth of nothing would never end");
}

void Throttle::count() {
  const auto now = SteadyClock::now();
  const double seconds = std::chrono::duration<double>(now - std::exchange(counted_to_, now)).count();
  spare_bytes_ = std::min(spare_bytes_ + seconds * bytes_per_s_, bytes_per_s_ * kBurstSeconds);
}

bool Throttle::take(std::uint64_t bytes, const std::function<bool()>& cancelled) {
  std::unique_lock lock(mutex_);
  while (!cancelled()) {
    count();
    if (spare_bytes_ > 0) {
      spare_bytes_ -= static_cast<double>(bytes);
      return true;
    }
    const std::chrono::duration<double> paid_in(-spare_bytes_ / bytes_per_s_);
    const auto wait = paid_in < kLook ? std::chrono::duration_cast<SteadyClock::duration>(paid_in) : kLook;
    changed_.wait_for(lock, wait + std::chrono::microseconds(1));
  }
  return false;
}

void Throttle::wake() { changed_.notify_all(); }

double Throttle::change(double bytes_per_s) {
  const std::lock_guard lock(mutex_);
  count();
  changed_.notify_all();
  return std::exchange(bytes_per_s_, bytes_per_s);
}

Throttle::Limit::Limit(Throttle& throttle, std::uint64_t bytes_per_s)
    : throttle_(throttle), before_(throttle.change(static_cast<double>(bytes_per_s))) {}

Throttle::Limit::~Limit() { throttle_.change(before_); }

}  // namespace andromede::fleet
