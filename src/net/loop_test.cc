// The loops as schedulers.
#include <gtest/gtest.h>

#include <thread>

#include "base/pool.h"
#include "net/http.h"
#include "net/test_peer.h"

namespace andromede::net {
namespace {

using std::chrono::milliseconds;

struct HopTo {
  Scheduler& scheduler;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) const { scheduler.post(coroutine); }
  void await_resume() const noexcept {}
};

struct Seen {
  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  void note(const Scheduler& expected) { ++(Scheduler::current() == &expected ? right : wrong); }
};

Task<void> hop_around(Loops& loops, Seen& seen, int hops) {
  for (int i = 0; i < hops; ++i) {
    Scheduler& next = loops.scheduler(static_cast<std::size_t>(i) % loops.size());
    co_await HopTo{next};
    seen.note(next);
  }
}

TEST(Loops, ResumeWhatIsPostedFromAnyThread) {
  const SystemClock clock;
  Loops loops(2, clock);
  Seen seen;
  TaskGroup tasks;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int task = 0; task < 50; ++task) tasks.start(hop_around(loops, seen, 100));
    });
  }
  for (auto& thread : threads) thread.join();
  tasks.join();
  EXPECT_EQ(seen.right, 4 * 50 * 100);
  EXPECT_EQ(seen.wrong, 0);
}

Task<void> work_on(Scheduler& loop, ThreadPool& pool, Seen& seen) {
  co_await HopTo{loop};
  for (int i = 0; i < 100; ++i) {
    const auto answer = co_await pool.run([i]() -> Result<int> { return i; });
    EXPECT_EQ(*answer, i);
    seen.note(loop);
  }
}

TEST(Loops, GetTheirTasksBackFromAPool) {
  ThreadPool pool("test", 2, 1000);
  const SystemClock clock;
  Loops loops(2, clock);
  Seen seen;
  TaskGroup tasks;
  for (std::size_t i = 0; i < 20; ++i) tasks.start(work_on(loops.scheduler(i % 2), pool, seen));
  tasks.join();
  EXPECT_EQ(seen.right, 20 * 100);
  EXPECT_EQ(seen.wrong, 0);
}

struct Gathering {
  std::vector<std::coroutine_handle<>>& coroutines;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) const { coroutines.push_back(coroutine); }
  void await_resume() const noexcept {}
};

Task<void> wait_in(std::vector<std::coroutine_handle<>>& coroutines, std::vector<int>& order, int number) {
  co_await Gathering{coroutines};
  order.push_back(number);
}

TEST(Loops, ResumeABatchInItsOrder) {
  const SystemClock clock;
  Loops loops(1, clock);
  std::vector<std::coroutine_handle<>> coroutines;
  std::vector<int> order;
  std::vector<int> expected;
  TaskGroup tasks;
  for (int i = 0; i < 1000; ++i) {
    tasks.start(wait_in(coroutines, order, i));
    expected.push_back(i);
  }
  loops.scheduler(0).post_all(coroutines);
  loops.scheduler(0).post_all({});
  tasks.join();
  EXPECT_EQ(order, expected);
}

TEST(Loops, BeatWhileNothingHappens) {
  ManualClock clock({});
  Loops loops(2, clock);
  EXPECT_EQ(loops.size(), 2U);
  for (int i = 0; i < 3; ++i) {
    clock.advance(milliseconds(300));
    EXPECT_TRUE(eventually([&] { return loops.slowest_heartbeat() == milliseconds(0); }));
  }
}

Task<void> block(Scheduler& loop, std::atomic<bool>& blocked, std::atomic<bool>& released) {
  co_await HopTo{loop};
  blocked = true;
  released.wait(false);
}

TEST(Loops, ShowThatOneIsHeldUp) {
  ManualClock clock({});
  Loops loops(2, clock);
  TaskGroup tasks;
  std::atomic<bool> blocked{false};
  std::atomic<bool> released{false};
  tasks.start(block(loops.scheduler(1), blocked, released));
  ASSERT_TRUE(eventually([&] { return blocked.load(); }));
  clock.advance(milliseconds(300));
  EXPECT_EQ(loops.slowest_heartbeat(), milliseconds(300));
  released = true;
  released.notify_all();
  tasks.join();
}

}  // namespace
}  // namespace andromede::net
