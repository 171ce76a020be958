#include "base/task.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "base/pool.h"
#include "base/stretch.h"

namespace andromede {
namespace {

Task<int> twice(int value) { co_return value * 2; }

Task<int> deep(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await deep(depth - 1);
}

Task<int> throwing() {
  throw std::runtime_error("no");
  co_return 0;
}

Task<Result<int>> on_pool(ThreadPool& pool, int value) {
  co_return co_await pool.run([value]() -> Result<int> { return value + 1; });
}

Task<std::vector<Result<int>>> fan_out(ThreadPool& pool) {
  std::vector<Task<Result<int>>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(on_pool(pool, i));
  co_return co_await when_all(std::move(tasks));
}

TEST(Task, AnswersAndNestsWithoutGrowingTheStack) {
  EXPECT_EQ(sync_wait(twice(21)), 42);
  EXPECT_EQ(sync_wait(deep(10'000)), 10'000);
}

TEST(Task, CarriesExceptions) { EXPECT_THROW(sync_wait(throwing()), std::runtime_error); }

TEST(Task, PoolResumesOnTheCallersThread) {
  ThreadPool pool("test", 4, 1000);
  const auto answers = sync_wait(fan_out(pool));
  ASSERT_EQ(answers.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*answers[static_cast<std::size_t>(i)], i + 1);
}

// Each item takes as long as a stretch may.
Task<int> work_in_stretches(int worker, std::vector<int>& order) {
  Stretch stretch;
  for (int item = 0; item < 20; ++item) {
    const auto began = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - began < Stretch::kLongest) {
    }
    order.push_back(worker);
    co_await stretch.pause();
  }
  co_return worker;
}

// Whose items were worked on, in order, when two workers began at the same time.
std::vector<int> side_by_side(Task<int> (*work)(int worker, std::vector<int>& order)) {
  std::vector<int> order;
  std::vector<Task<int>> workers;
  for (const int worker : {1, 2}) workers.push_back(work(worker, order));
  (void)sync_wait(when_all(std::move(workers)));
  return order;
}

TEST(Stretch, OthersHaveTheirTurnBetweenItems) {
  const std::vector<int> order = side_by_side(work_in_stretches);
  ASSERT_EQ(order.size(), 40U);
  for (std::size_t i = 1; i < order.size(); ++i) EXPECT_NE(order[i - 1], order[i]) << i;
}

Task<int> few_items(int worker, std::vector<int>& order) {
  Stretch stretch;
  for (unsigned item = 0; item < Stretch::kMany; ++item) {
    order.push_back(worker);
    std::this_thread::sleep_for(Stretch::kLongest / 32);
    co_await stretch.pause_if_many();
  }
  co_return worker;
}

TEST(Stretch, OthersHaveTheirTurnAmongManyItemsOnly) {
  const std::vector<int> order = side_by_side(few_items);
  ASSERT_EQ(order.size(), 2 * Stretch::kMany);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

Task<std::thread::id> thread_after_pool(ThreadPool& pool) {
  (void)co_await on_pool(pool, 1);
  co_return std::this_thread::get_id();
}

TEST(Task, ComesBackToTheThreadItStartedOn) {
  ThreadPool pool("test", 1, 10);
  EXPECT_EQ(sync_wait(thread_after_pool(pool)), std::this_thread::get_id());
}

TEST(Task, FullPoolSaysOverloaded) {
  ThreadPool pool("test", 1, 0);
  EXPECT_TRUE(sync_wait(on_pool(pool, 1)).error() == Errc::kOverloaded);
}

Task<int> wait_for(OneShot<int>& shot) { co_return co_await shot; }

TEST(OneShot, WorksInEitherOrder) {
  OneShot<int> early;
  early.set(1);
  EXPECT_EQ(sync_wait(wait_for(early)), 1);
  for (int i = 0; i < 200; ++i) {
    OneShot<int> late;
    std::thread setter([&late] { late.set(2); });
    EXPECT_EQ(sync_wait(wait_for(late)), 2);
    setter.join();
  }
}

Task<void> count(ThreadPool& pool, std::atomic<int>& counter) {
  (void)co_await on_pool(pool, 0);
  ++counter;
}

TEST(TaskGroup, JoinWaitsForEveryTask) {
  ThreadPool pool("test", 2, 100);
  std::atomic<int> counter{0};
  TaskGroup group;
  for (int i = 0; i < 50; ++i) group.start(count(pool, counter));
  group.join();
  EXPECT_EQ(counter, 50);
}

}  // namespace
}  // namespace andromede
