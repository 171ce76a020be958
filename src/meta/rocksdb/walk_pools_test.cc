#include "meta/rocksdb/walk_pools.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "meta/rocksdb/test_reads.h"

namespace andromede::meta {
namespace {

// Walks that need some turns, each of which waits until it may go on.
class WalkPoolsTest : public testing::Test {
 protected:
  // Walks on a thread of its own, which is what an event loop is to another.
  std::thread walk(std::string name, int turns) {
    return std::thread([this, name = std::move(name), turns] {
      int turn = 0;
      EXPECT_TRUE(sync_wait(pools_.walk(
          [this, &name, &turn, turns](Reading&) -> Result<bool> {
            std::unique_lock lock(mutex_);
            ++turn;
            order_.push_back(name + std::to_string(turn));
            changed_.notify_all();
            if (turn > 1) changed_.wait(lock, [this] { return may_go_on_; });
            return turn == turns;
          },
          true, {})));
    });
  }
  void wait_for(std::size_t turns) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return order_.size() >= turns; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    may_go_on_ = true;
    changed_.notify_all();
  }

  Metrics metrics_;
  SystemClock clock_;
  WalkPools pools_{metrics_.counter("turns_total", ""), clock_, 1};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool may_go_on_ = false;
  std::vector<std::string> order_;
};

TEST_F(WalkPoolsTest, NobodyWaitsForAWalkThatGaveUpItsTurn) {
  std::thread first = walk("a", 3);
  std::thread second = walk("b", 3);
  // Their second turns hang; the one thread for reads is free for all that.
  wait_for(3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(sync_wait(read_on(pools_, [](Reading&) -> Result<int> { return 1; })));
    EXPECT_TRUE(sync_wait(pools_.walk([](Reading&) -> Result<bool> { return true; }, true, {})));
  }
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(order_.size(), 3U);
  }
  let_go();
  first.join();
  second.join();
  EXPECT_NE(metrics_.render().find("\nturns_total 4"), std::string::npos);
}

TEST_F(WalkPoolsTest, LongWalksTakeTurns) {
  std::thread first = walk("a", 4);
  wait_for(2);  // its second turn hangs
  std::thread second = walk("b", 4);
  wait_for(3);
  // Until its own is queued behind that.
  while (pools_.waiting() < 1) std::this_thread::yield();
  let_go();
  first.join();
  second.join();
  ASSERT_EQ(order_.size(), 8U);
  order_.resize(4);
  EXPECT_EQ(order_, (std::vector<std::string>{"a1", "a2", "b1", "b2"}));
}

TEST_F(WalkPoolsTest, AnErrorEndsAWalk) {
  int turns = 0;
  const Status failed = sync_wait(pools_.walk(
      [&](Reading&) -> Result<bool> {
        if (++turns < 3) return false;
        return fail(Errc::kIo, "a test");
      },
      true, {}));
  EXPECT_EQ(failed.error(), Errc::kIo);
  EXPECT_EQ(turns, 3);
}

TEST_F(WalkPoolsTest, AWalkThatNobodyWaitsForGetsNoMoreTurns) {
  std::stop_source gone;
  Patience patience;
  patience.stop = gone.get_token();
  int turns = 0;
  const auto leave_at = [&](int turn) {
    return [&turns, &gone, turn](Reading&) -> Result<bool> {
      if (++turns == turn) gone.request_stop();
      return false;
    };
  };
  EXPECT_EQ(sync_wait(pools_.walk(leave_at(3), true, patience)).error(), Errc::kCancelled);
  EXPECT_EQ(turns, 3);
  EXPECT_EQ(sync_wait(pools_.walk(leave_at(9), true, patience)).error(), Errc::kCancelled);
  EXPECT_EQ(turns, 3);
  const Patience late{.deadline = Deadline::after(clock_, std::chrono::milliseconds(-1)), .stop = {}};
  EXPECT_EQ(sync_wait(pools_.walk(leave_at(9), true, late)).error(), Errc::kTimeout);
  EXPECT_EQ(turns, 3);
}

// Reads that a drive holds: as many as there are threads, and one behind them.
class HangingReadTest : public testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kTick{10};

  std::thread read(std::optional<Result<int>>& answer, bool behind) {
    return std::thread([this, &answer, behind] {
      answer = sync_wait(read_on(*pools_, [this, behind](Reading& reading) -> Result<int> {
        if (behind) ++ran_behind_;
        std::unique_lock lock(mutex_);
        reading_ = &reading;
        changed_.notify_all();
        changed_.wait(lock, [this] { return let_go_; });
        return 1;
      }));
    });
  }
  void SetUp() override {
    reads_.push_back(read(answers_[0], false));
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return reading_ != nullptr; });
    }
    reads_.push_back(read(answers_[1], true));
    while (pools_->queued() < 1) std::this_thread::yield();
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    let_go_ = true;
    changed_.notify_all();
  }
  void join() {
    for (std::thread& each : reads_) each.join();
    reads_.clear();
  }
  // What look() finds.
  std::chrono::nanoseconds look(bool hopeless) {
    std::chrono::nanoseconds found{};
    WalkPools::GivenUp given_up;
    pools_->look(
        kTick,
        [&](std::chrono::nanoseconds still) {
          found = still;
          return hopeless;
        },
        given_up);
    given_up.tell();
    return found;
  }

  Metrics metrics_;
  SystemClock clock_;
  std::unique_ptr<WalkPools> pools_ = std::make_unique<WalkPools>(metrics_.counter("turns_total", ""), clock_, 1);
  std::mutex mutex_;
  std::condition_variable changed_;
  Reading* reading_ = nullptr;
  bool let_go_ = false;
  std::atomic<int> ran_behind_{0};
  std::optional<Result<int>> answers_[2];
  std::vector<std::thread> reads_;
};

TEST_F(HangingReadTest, IsKnownFromOneThatGetsOn) {
  EXPECT_EQ(look(false), std::chrono::milliseconds(0));
  EXPECT_EQ(look(false), kTick);
  EXPECT_EQ(look(false), 2 * kTick);
  EXPECT_TRUE(pools_->stands_still(2 * kTick));
  EXPECT_FALSE(pools_->stands_still(3 * kTick));
  reading_->step();
  EXPECT_FALSE(pools_->stands_still(2 * kTick));
  EXPECT_EQ(look(false), std::chrono::milliseconds(0));
  EXPECT_EQ(look(false), kTick);
  let_go();
  join();
  EXPECT_TRUE(*answers_[0] && *answers_[1]);
  EXPECT_EQ(look(false), std::chrono::milliseconds(0));
}

TEST_F(HangingReadTest, KeepsNobodyAndWhatWaitedBehindItNeverRuns) {
  look(true);
  join();
  for (const auto& answer : answers_) EXPECT_EQ(answer->error(), Errc::kUnavailable);
  EXPECT_EQ(pools_->queued(), 0U);
  look(false);
  EXPECT_EQ(look(false), std::chrono::milliseconds(0)) << "nobody waits, so nobody is asked";
  EXPECT_TRUE(pools_->stands_still(2 * kTick));
  let_go();
  pools_.reset();
  EXPECT_EQ(ran_behind_, 0);
}

}  // namespace
}  // namespace andromede::meta
