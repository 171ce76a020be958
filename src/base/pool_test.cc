// That what hangs on a pool keeps nobody, and meets nothing that is gone.
#include "base/pool.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "base/shared_call.h"

namespace andromede {
namespace {

using std::chrono::milliseconds;

TEST(ThreadPool, IsLeftWithWhatHangsAndWithoutWhatHasNotBegun) {
  std::promise<void> let_go;
  std::promise<void> began;
  const auto owned = std::make_shared<int>(1);
  auto ran = std::make_shared<std::atomic<bool>>(false);
  {
    ThreadPool pool("test", 1, 10);
    ASSERT_TRUE(pool.post([gone = let_go.get_future().share(), &began, owned] {
      began.set_value();
      gone.wait();
    }));
    began.get_future().wait();
    ASSERT_TRUE(pool.post([ran] { *ran = true; }));
    pool.leave(milliseconds(20));
    EXPECT_EQ(pool.queued(), 0U);
    EXPECT_EQ(ran.use_count(), 1) << "what is dropped gives back what it owned";
  }
  EXPECT_GT(owned.use_count(), 1);
  let_go.set_value();
  while (owned.use_count() > 1) std::this_thread::yield();
  EXPECT_FALSE(*ran);
}

TEST(ThreadPool, IsLeftOnceAllHasEnded) {
  auto ran = std::make_shared<std::atomic<bool>>(false);
  ThreadPool pool("test", 2, 10);
  std::promise<void> began;
  ASSERT_TRUE(pool.post([ran, &began] {
    began.set_value();
    std::this_thread::sleep_for(milliseconds(50));
    *ran = true;
  }));
  began.get_future().wait();
  pool.leave(std::chrono::minutes(2));
  EXPECT_TRUE(*ran);
}

TEST(SharedCall, TheFirstAnswerCounts) {
  SharedCall<Result<int>> call;
  bool used = false;
  EXPECT_TRUE(call.while_awaited([&] { used = true; }));
  EXPECT_TRUE(std::exchange(used, false));
  EXPECT_FALSE(call.settled());
  call.give_up(Error(make_error_code(Errc::kTimeout), "a test"));
  EXPECT_TRUE(call.settled());
  call.settle(1);
  // What belongs to the task is not touched any more.
  EXPECT_FALSE(call.while_awaited([&] { used = true; }));
  EXPECT_FALSE(used);
}

}  // namespace
}  // namespace andromede
