#include "meta/rocksdb/fanout.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <set>
#include <thread>

namespace andromede::meta {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShort{50};
constexpr milliseconds kLong{600'000};

// Jobs that wait for it go on when it is let go of, at the latest when it ends: before the Fanout does.
class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { open(); }
  void open() {
    if (!std::exchange(opened_, true)) promise_.set_value();
  }
  [[nodiscard]] Fanout::Job job() const {
    return [opened = opens_] {
      opened.wait();
      return true;
    };
  }

 private:
  std::promise<void> promise_;
  const std::shared_future<void> opens_ = promise_.get_future().share();
  bool opened_ = false;
};

std::vector<bool> ended(Fanout& fanout, std::vector<Fanout::Job> jobs, milliseconds patience) {
  const ManualClock clock(Timestamp{0});
  std::vector<bool> ended;
  for (const Fanout::Behind& behind : fanout.run(std::move(jobs), patience, clock)) ended.push_back(behind.has_value());
  return ended;
}

bool done() { return true; }
bool failed() { return false; }

TEST(Fanout, WaitsForSoLongAfterTheFirstJobThatDidItsPart) {
  Fanout fanout;
  Gate gate;
  EXPECT_EQ(ended(fanout, {done, gate.job(), failed}, kShort), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(ended(fanout, {done, failed, done}, kLong), (std::vector<bool>{true, true, true}));
}

TEST(Fanout, TellsHowLongAfterTheFirstThatDidItsPartEachEnded) {
  Fanout fanout;
  ManualClock clock(Timestamp{0});
  const auto after = [&](milliseconds wait, bool did) {
    return [&clock, wait, did] {
      std::this_thread::sleep_for(wait);
      if (wait > kShort) clock.advance(wait);
      return did;
    };
  };
  const auto behind = fanout.run({after(kShort, true), after(3 * kShort, true), failed}, kLong, clock);
  EXPECT_EQ(behind, (std::vector<Fanout::Behind>{milliseconds(0), 3 * kShort, milliseconds(0)}));
}

TEST(Fanout, AJobThatFailedAtOnceSaysNothingOfHowLongTheOthersNeed) {
  Fanout fanout;
  Gate gate;
  auto opens = std::async(std::launch::async, [&] {
    std::this_thread::sleep_for(5 * kShort);
    gate.open();
  });
  EXPECT_EQ(ended(fanout, {failed, gate.job(), gate.job()}, kShort), (std::vector<bool>{true, true, true}));
}

TEST(Fanout, WhereEveryJobFailsNobodyWaits) {
  Fanout fanout;
  EXPECT_EQ(ended(fanout, {failed, failed}, kLong), (std::vector<bool>{true, true}));
  EXPECT_TRUE(ended(fanout, {}, kLong).empty());
}

TEST(Fanout, AJobAloneIsGivenUpWhenNobodyNeedsIt) {
  Fanout fanout;
  Gate gate;
  int asked = 0;
  EXPECT_FALSE(fanout.run_alone(gate.job(), milliseconds(5), [&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(fanout.run_alone(done, kLong, [] { return true; })) << "on another thread than the one that hangs";
  EXPECT_TRUE(fanout.run_alone(failed, kLong, [] { return true; })) << "it ended";
}

TEST(Fanout, AJobThatIsNeededIsWaitedForHoweverLong) {
  Fanout fanout;
  Gate gate;
  EXPECT_TRUE(fanout.run_alone(gate.job(), milliseconds(5), [&] {
    gate.open();
    return false;
  }));
}

TEST(Fanout, OneRoundsThreadsDoForAllRounds) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  Fanout fanout;
  const auto job = [&] {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    return true;
  };
  for (int i = 0; i < 1000; ++i) ended(fanout, {job, job, job}, kLong);
  EXPECT_LE(threads.size(), 3U);
}

// No thread can be started while its stack is asked to be larger than all memory there can be.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t all;
    pthread_getattr_default_np(&all);
    EXPECT_EQ(pthread_attr_setstacksize(&all, std::size_t{1} << 48), 0);
    EXPECT_EQ(pthread_setattr_default_np(&all), 0);
    pthread_attr_destroy(&all);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_{};
};

TEST(Fanout, AJobForWhichNoThreadCanBeHadRunsOnTheCallers) {
  Fanout fanout;
  EXPECT_TRUE(fanout.run_alone(done, kLong, [] { return false; }));  // one thread is there
  const NoThreads none;
  std::atomic<int> here = 0;
  const auto job = [&, caller = std::this_thread::get_id()] {
    if (std::this_thread::get_id() == caller) ++here;
    return true;
  };
  const auto keeps_the_thread = [&] {
    while (here < 2) std::this_thread::yield();
    return true;
  };
  EXPECT_EQ(ended(fanout, {keeps_the_thread, job, job}, kLong), (std::vector<bool>{true, true, true}));
  EXPECT_EQ(here, 2);
}

}  // namespace
}  // namespace andromede::meta
