#include "meta/rocksdb/walk_pools.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

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
          [this, &name, &turn, turns]() -> Result<bool> {
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
    EXPECT_TRUE(sync_wait(pools_.reads().run([]() -> Result<int> { return 1; })));
    EXPECT_TRUE(sync_wait(pools_.walk([]() -> Result<bool> { return true; }, true, {})));
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
      [&]() -> Result<bool> {
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
    return [&turns, &gone, turn]() -> Result<bool> {
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

}  // namespace
}  // namespace andromede::meta
