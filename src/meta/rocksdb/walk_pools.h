// WalkPools: where walks and reads of a mirror that may touch its drive run. A walk's first turn takes its place among
// all reads; its further turns are for one thread, one after the other with those of other walks. A walk that nobody
// waits for any more gets none.
//
// Threads: any.
#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "base/task.h"
#include "meta/store.h"

namespace andromede::meta {

class WalkPools {
 public:
  // `turns` counts those that walks gave up; `clock` outlives the pools.
  WalkPools(Counter turns, const Clock& clock, unsigned threads)
      : clock_(clock),
        turns_(turns),
        reads_("meta-reader", threads, kMaxQueued),
        long_walks_("meta-walker", 1, kMaxQueued) {}

  // Runs `turn`, a callable that answers Result<bool>, true when it is done, until it is. kTimeout, kCancelled: the
  // patience, which outlives the task, is at its end.
  template <typename Turn>
  Task<Status> walk(Turn turn, bool first, const Patience& patience) {
    while (true) {
      if (patience.stop.stop_requested()) co_return fail(Errc::kCancelled, "nobody waits for the walk any more");
      if (patience.deadline.passed(clock_)) co_return fail(Errc::kTimeout, "the walk took too long");
      CO_TRY(const bool done, co_await (first ? reads_ : long_walks_).run([&turn] { return turn(); }));
      if (done) co_return Status{};
      first = false;
      turns_.add();
    }
  }
  // How many long walks wait for their turn.
  [[nodiscard]] std::size_t waiting() const { return long_walks_.queued(); }
  // Runs a read of a bounded number of keys.
  [[nodiscard]] ThreadPool& reads() { return reads_; }

 private:
  static constexpr std::size_t kMaxQueued = 4096;

  const Clock& clock_;
  const Counter turns_;
  ThreadPool reads_;
  ThreadPool long_walks_;
};

}  // namespace andromede::meta
