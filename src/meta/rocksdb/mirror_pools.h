// MirrorPools: of each mirror that is read the pools of its own. Reads of a drive that hangs wait with each other, and
// nobody who reads another mirror waits for them.
//
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/metrics.h"
#include "meta/rocksdb/walk_pools.h"

namespace andromede::meta {

class MirrorPools {
 public:
  // `threads` read each mirror, and one walks it. `clock` outlives the pools.
  MirrorPools(Metrics& metrics, const Clock& clock, unsigned threads)
      : clock_(clock),
        threads_(threads),
        turns_(metrics.counter("andromede_meta_walk_turns_total",
                               "Turns that walks gave up because many keys in a row had been deleted")) {}

  // They live for as long as the mirror: whoever uses them holds it.
  WalkPools& of(const std::shared_ptr<const void>& mirror) {
    const std::lock_guard lock(mutex_);
    Pools& known = by_mirror_[mirror.get()];
    if (known.mirror.lock() == mirror) return *known.pools;
    // Nobody reads a mirror that is gone, so that its threads end at once.
    std::erase_if(by_mirror_,
                  [&](const auto& each) { return each.first != mirror.get() && each.second.mirror.expired(); });
    known = {mirror, std::make_unique<WalkPools>(turns_, clock_, threads_)};
    return *known.pools;
  }

 private:
  struct Pools {
    std::weak_ptr<const void> mirror;
    std::unique_ptr<WalkPools> pools;
  };

  const Clock& clock_;
  const unsigned threads_;
  const Counter turns_;
  std::mutex mutex_;
  std::map<const void*, Pools> by_mirror_;
};

}  // namespace andromede::meta
