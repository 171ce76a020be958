// WalkPools: where walks and reads of a mirror that may touch its drive run. A walk's first turn takes its place among
// all reads; its further turns are for one thread, one after the other with those of other walks. A walk that nobody
// waits for any more gets none.
//
// A drive that hangs holds the threads of its mirror, which nothing can end: whoever waits for them is told by look(),
// and what they hold owns all that it uses.
//
// Threads: any.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "base/shared_call.h"
#include "base/task.h"
#include "meta/store.h"

namespace andromede::meta {

// A read that is under way, as its work sees it.
class Reading {
 public:
  Reading() = default;
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  virtual ~Reading() = default;
  // It gets on: one that takes long is known by this from one that a drive holds.
  void step() { steps_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }
  // See SharedCall.
  virtual bool while_awaited(const std::function<void()>& use) = 0;

 private:
  std::atomic<std::uint64_t> steps_{0};
};

class WalkPools {
  class Underway;

 public:
  // For threads that hang, at the end.
  static constexpr std::chrono::seconds kLastWait{1};

  // `turns` counts those that walks gave up; `clock` outlives the pools. `on_waiting`, if any, is called when somebody
  // begins to wait, so that look() is.
  WalkPools(Counter turns, const Clock& clock, unsigned threads, std::function<void()> on_waiting = {})
      : clock_(clock),
        turns_(turns),
        on_waiting_(std::move(on_waiting)),
        reads_("meta-reader", threads, kMaxQueued),
        long_walks_("meta-walker", 1, kMaxQueued) {}
  WalkPools(const WalkPools&) = delete;
  WalkPools& operator=(const WalkPools&) = delete;
  ~WalkPools() {
    reads_.leave(kLastWait);
    long_walks_.leave(kLastWait);
  }

  // `work(Reading&)` answers a Result. It owns all that it uses, the mirror above all: it may outlive whoever waits.
  template <typename Work>
  class Read final : public SharedCall<std::invoke_result_t<const Work&, Reading&>>, public Reading {
   public:
    explicit Read(Work the_work) : work(std::move(the_work)) {}
    bool while_awaited(const std::function<void()>& use) override {
      return SharedCall<std::invoke_result_t<const Work&, Reading&>>::while_awaited(use);
    }
    const Work work;

   private:
    friend class WalkPools;
    void perform() {
      if (this->settled()) return;
      underway_->begin(*this);
      auto answer = work(*this);
      underway_->end(*this);
      this->settle(std::move(answer));
    }
    std::shared_ptr<Underway> underway_;
  };

  // Whoever awaits a read's answer keeps one of these until he has it. The answer is kOverloaded when too many wait,
  // kUnavailable when the mirror is given up, kTimeout at the deadline; else what the work answers.
  class Waiting {
   public:
    template <typename Work>
    Waiting(WalkPools& pools, const std::shared_ptr<Read<Work>>& read, Deadline deadline = Deadline::never(),
            bool long_walk = false)
        : pools_(pools), call_(read), deadline_(deadline) {
      read->underway_ = pools.underway_;
      if (!pools.enter(*this, long_walk, [read] { read->perform(); })) {
        read->give_up(Error(make_error_code(Errc::kOverloaded), "too many reads of the metadata wait"));
      }
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { pools_.leave(*this); }

   private:
    friend class WalkPools;
    WalkPools& pools_;
    const std::shared_ptr<AnyCall> call_;
    const Deadline deadline_;
    // Of the list of those that wait.
    Waiting* before_ = nullptr;
    Waiting* behind_ = nullptr;
  };

  // Runs `turn(Reading&)`, a copyable callable as Read's that answers Result<bool>, true when it is done, until it is.
  // kTimeout, kCancelled: the patience, which outlives the task, is at its end; kUnavailable: the mirror is given up. A
  // turn may go on then.
  template <typename Turn>
  Task<Status> walk(Turn turn, bool first, const Patience& patience) {
    const Error cut(make_error_code(Errc::kCancelled), "nobody waits for the walk any more");
    while (true) {
      if (patience.stop.stop_requested()) co_return fail(cut);
      if (patience.deadline.passed(clock_)) co_return fail(too_long());
      const auto read = std::make_shared<Read<Turn>>(turn);
      const Waiting waiting(*this, read, patience.deadline, !first);
      const std::stop_callback on_cut(patience.stop, [read, cut] { read->give_up(cut); });
      CO_TRY(const bool done, co_await read->answer());
      if (done) co_return Status{};
      first = false;
      turns_.add();
    }
  }

  // Those that wait no longer, to be told once no lock is held.
  class GivenUp {
   public:
    void tell() {
      for (auto& [call, error] : calls_) call->give_up(std::move(error));
      calls_.clear();
      jobs_.clear();
    }

   private:
    friend class WalkPools;
    std::vector<std::pair<std::shared_ptr<AnyCall>, Error>> calls_;
    std::vector<std::deque<std::function<void()>>> jobs_;
  };
  // To be called again and again while somebody waits; false: nobody does. `elapsed` is the time since the last call.
  // `hopeless(still)`, where one read has not got on for so long, says whether all are to be given up; it is asked only
  // while the mirror is kept by somebody who waits. Others are given up at their deadline.
  template <typename Hopeless>
  bool look(std::chrono::nanoseconds elapsed, const Hopeless& hopeless, GivenUp& given_up) {
    const auto still = underway_->look(elapsed);
    const std::lock_guard lock(mutex_);
    if (first_ == nullptr) return false;
    if (hopeless(still)) {
      const Error error(make_error_code(Errc::kUnavailable), "the metadata mirror does not answer");
      for (const Waiting* each = first_; each != nullptr; each = each->behind_) {
        given_up.calls_.emplace_back(each->call_, error);
      }
      // Under the lock: whoever comes to wait now is in neither.
      given_up.jobs_.push_back(reads_.take_queued());
      given_up.jobs_.push_back(long_walks_.take_queued());
      return true;
    }
    for (const Waiting* each = first_; each != nullptr; each = each->behind_) {
      if (each->deadline_.passed(clock_)) given_up.calls_.emplace_back(each->call_, too_long());
    }
    return true;
  }
  // Whether a read has not got on for so long, and not since either.
  [[nodiscard]] bool stands_still(std::chrono::nanoseconds patience) const { return underway_->stands_still(patience); }
  // How many long walks wait for their turn.
  [[nodiscard]] std::size_t waiting() const { return long_walks_.queued(); }
  // How many reads wait for a thread.
  [[nodiscard]] std::size_t queued() const { return reads_.queued(); }

 private:
  static constexpr std::size_t kMaxQueued = 4096;

  // The reads that threads are at, which may outlive the pools.
  class Underway {
   public:
    void begin(const Reading& reading) {
      const std::lock_guard lock(mutex_);
      begun_.push_back({&reading});
    }
    void end(const Reading& reading) {
      const std::lock_guard lock(mutex_);
      std::erase_if(begun_, [&](const Begun& each) { return each.reading == &reading; });
    }
    std::chrono::nanoseconds look(std::chrono::nanoseconds elapsed) {
      std::chrono::nanoseconds longest{};
      const std::lock_guard lock(mutex_);
      for (Begun& each : begun_) {
        const std::uint64_t steps = each.reading->steps();
        each.still = each.looked && steps == each.steps ? each.still + elapsed : std::chrono::nanoseconds{};
        each.looked = true;
        each.steps = steps;
        longest = std::max(longest, each.still);
      }
      return longest;
    }
    bool stands_still(std::chrono::nanoseconds patience) {
      const std::lock_guard lock(mutex_);
      return std::any_of(begun_.begin(), begun_.end(), [&](const Begun& each) {
        return each.still >= patience && each.reading->steps() == each.steps;
      });
    }

   private:
    struct Begun {
      const Reading* reading;
      bool looked = false;
      std::uint64_t steps = 0;  // when looked at
      std::chrono::nanoseconds still{};
    };
    std::mutex mutex_;
    std::vector<Begun> begun_;  // as many as threads at most
  };

  static Error too_long() { return {make_error_code(Errc::kTimeout), "the read of the metadata took too long"}; }

  bool enter(Waiting& waiting, bool long_walk, std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      waiting.behind_ = first_;
      if (first_ != nullptr) first_->before_ = &waiting;
      first_ = &waiting;
      if (!(long_walk ? long_walks_ : reads_).post(std::move(job))) return false;
    }
    if (on_waiting_) on_waiting_();
    return true;
  }
  void leave(Waiting& waiting) {
    const std::lock_guard lock(mutex_);
    (waiting.before_ == nullptr ? first_ : waiting.before_->behind_) = waiting.behind_;
    if (waiting.behind_ != nullptr) waiting.behind_->before_ = waiting.before_;
  }

  const Clock& clock_;
  const Counter turns_;
  const std::function<void()> on_waiting_;
  const std::shared_ptr<Underway> underway_ = std::make_shared<Underway>();
  std::mutex mutex_;
  Waiting* first_ = nullptr;  // of those that wait; under mutex_
  ThreadPool reads_;
  ThreadPool long_walks_;
};

}  // namespace andromede::meta
