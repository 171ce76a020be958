#include "fleet/throttle.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace andromede::fleet {
namespace {

using SteadyClock = std::chrono::steady_clock;
// What an idle throttle saves up: enough to not sleep for every small shard.
constexpr std::chrono::milliseconds kBurst{100};
constexpr std::chrono::milliseconds kLook{100};

}  // namespace

Throttle::Throttle(std::uint64_t bytes_per_s) : bytes_per_s_(static_cast<double>(bytes_per_s)) {
  CHECK(bytes_per_s > 0, "a bandwidth of nothing would never end");
}

bool Throttle::take(std::uint64_t bytes, const std::function<bool()>& cancelled) {
  std::unique_lock lock(mutex_);
  due_ = std::max(due_, SteadyClock::now() - kBurst) +
         std::chrono::duration_cast<SteadyClock::duration>(
             std::chrono::duration<double>(static_cast<double>(bytes) / bytes_per_s_));
  const auto mine = due_;
  while (!cancelled()) {
    const auto now = SteadyClock::now();
    if (now >= mine) return true;
    changed_.wait_until(lock, std::min(mine, now + kLook));
  }
  return false;
}

void Throttle::wake() { changed_.notify_all(); }

double Throttle::change(double bytes_per_s) {
  const std::lock_guard lock(mutex_);
  return std::exchange(bytes_per_s_, bytes_per_s);
}

Throttle::Limit::Limit(Throttle& throttle, std::uint64_t bytes_per_s) : throttle_(throttle) {
  before_ = throttle.change(1);
  throttle.change(bytes_per_s > 0 ? static_cast<double>(bytes_per_s) : before_);
}

Throttle::Limit::~Limit() { throttle_.change(before_); }

}  // namespace andromede::fleet
