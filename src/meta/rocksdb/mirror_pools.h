// MirrorPools: of each mirror that is read the pools of its own. Reads of a drive that hangs wait with each other, and
// nobody who reads another mirror waits for them. A thread looks after those that wait: where it is hopeless they are
// told (WalkPools::look).
//
// Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "meta/rocksdb/walk_pools.h"

namespace andromede::meta {

class MirrorPools {
 public:
  // Whether those that wait for the mirror, of which one read has not got on for so long, are to wait no longer. Called
  // under locks of the pools, and asks no drive.
  using Hopeless = std::function<bool(const void* mirror, std::chrono::nanoseconds still)>;

  // `threads` read each mirror, and one walks it. `clock` outlives the pools. `patience` is for a read that does not
  // get on; what is hopeless is found soon.
  MirrorPools(Metrics& metrics, const Clock& clock, unsigned threads, std::chrono::milliseconds patience,
              Hopeless hopeless)
      : clock_(clock),
        threads_(threads),
        patience_(patience),
        hopeless_(std::move(hopeless)),
        look_every_(std::clamp<std::chrono::milliseconds>(patience / 10, kLeastLook, kMostLook)),
        turns_(metrics.counter("andromede_meta_walk_turns_total",
                               "Turns that walks gave up because many keys in a row had been deleted")),
        watch_([this] { watch(); }) {}
  MirrorPools(const MirrorPools&) = delete;
  MirrorPools& operator=(const MirrorPools&) = delete;
  ~MirrorPools() { end_watch(); }

  // Nobody is told any more that it is hopeless. By the thread that ends the pools.
  void end_watch() {
    {
      const std::lock_guard lock(watch_mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    if (watch_.joinable()) watch_.join();
  }

  [[nodiscard]] std::chrono::milliseconds patience() const { return patience_; }
  // They live for as long as the mirror: whoever uses them holds it.
  WalkPools& of(const std::shared_ptr<const void>& mirror) {
    const std::lock_guard lock(mutex_);
    Pools& known = by_mirror_[mirror.get()];
    if (known.mirror.lock() == mirror) return *known.pools;
    // Nobody waits for a read of a mirror that is gone. One of its threads may be the last to hold it, and close it:
    // the watch, which who comes for a read wakes, waits for that.
    if (known.pools != nullptr) ended_.push_back(std::move(known.pools));
    for (auto each = by_mirror_.begin(); each != by_mirror_.end();) {
      const bool gone = each->first != mirror.get() && each->second.mirror.expired();
      if (gone) ended_.push_back(std::move(each->second.pools));
      each = gone ? by_mirror_.erase(each) : std::next(each);
    }
    known = {mirror, std::make_unique<WalkPools>(turns_, clock_, threads_, [this] { somebody_waits(); })};
    return *known.pools;
  }

 private:
  static constexpr std::chrono::milliseconds kLeastLook{5};
  static constexpr std::chrono::milliseconds kMostLook{100};

  struct Pools {
    std::weak_ptr<const void> mirror;
    std::unique_ptr<WalkPools> pools;
  };

  // The watch is woken once, and stays awake while reads follow each other.
  void somebody_waits() {
    if (awake_.load() || awake_.exchange(true)) return;
    const std::lock_guard lock(watch_mutex_);
    changed_.notify_one();
  }
  void watch() {
    name_thread("meta-watch");
    auto looked = std::chrono::steady_clock::now();
    std::unique_lock lock(watch_mutex_);
    while (!ending_) {
      changed_.wait_for(lock, look_every_, [this] { return ending_; });
      const auto now = std::chrono::steady_clock::now();
      // Where this thread did not run, others may not have either.
      const auto elapsed = std::min<std::chrono::nanoseconds>(now - looked, 2 * look_every_);
      looked = now;
      lock.unlock();
      const bool any = look(elapsed);
      // Whoever comes once this is said wakes it, whoever came before is found.
      if (!any) awake_ = false;
      if (!any && look({})) awake_ = true;
      lock.lock();
      changed_.wait(lock, [this] { return ending_ || awake_; });
    }
  }
  bool look(std::chrono::nanoseconds elapsed) {
    WalkPools::GivenUp given_up;
    std::vector<std::unique_ptr<WalkPools>> ended;
    bool any = false;
    {
      const std::lock_guard lock(mutex_);
      ended.swap(ended_);
      for (const auto& [mirror, of_it] : by_mirror_) {
        const auto hopeless = [&, at = mirror](std::chrono::nanoseconds still) { return hopeless_(at, still); };
        any = of_it.pools->look(elapsed, hopeless, given_up) || any;
      }
    }
    given_up.tell();
    return any;
  }

  const Clock& clock_;
  const unsigned threads_;
  const std::chrono::milliseconds patience_;
  const Hopeless hopeless_;
  const std::chrono::milliseconds look_every_;
  const Counter turns_;
  std::mutex mutex_;
  std::map<const void*, Pools> by_mirror_;         // under mutex_
  std::vector<std::unique_ptr<WalkPools>> ended_;  // likewise: of mirrors that are gone

  std::atomic<bool> awake_{false};
  std::mutex watch_mutex_;
  std::condition_variable changed_;
  bool ending_ = false;  // under watch_mutex_
  std::thread watch_;    // last: it uses the others
};

}  // namespace andromede::meta
