#include "api/operator/timed_pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace andromede::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

using Work = std::function<Result<int>(std::stop_token)>;

milliseconds since(SteadyTime began) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
}

TEST(TimedPool, AnswersWhatTheWorkAnswers) {
  TimedPool pool("test", 1, 10);
  const Work three = [](std::stop_token) -> Result<int> { return 3; };
  EXPECT_EQ(sync_wait(pool.run(three, minutes(2), {})), 3);
  const Work broken = [](std::stop_token) -> Result<int> { return fail(Errc::kIo, "broken"); };
  EXPECT_TRUE(sync_wait(pool.run(broken, minutes(2), {})).error() == Errc::kIo);
}

TEST(TimedPool, WhoWaitsForAStuckCallIsToldInTime) {
  std::atomic<bool> stuck{true};
  std::atomic<bool> asked_to_stop{false};
  std::atomic<bool> ran{false};
  {
    TimedPool pool("test", 1, 10);
    const SteadyTime began = std::chrono::steady_clock::now();
    const Work stuck_work = [&](std::stop_token stop) -> Result<int> {
      while (stuck) ::usleep(1'000);
      asked_to_stop = stop.stop_requested();
      return 1;
    };
    EXPECT_TRUE(sync_wait(pool.run(stuck_work, milliseconds(100), {})).error() == Errc::kTimeout);
    EXPECT_GE(since(began), milliseconds(100));
    EXPECT_LT(since(began), minutes(1));
    // Behind it in the queue: given up before it began, it never runs.
    const Work queued = [&ran](std::stop_token) -> Result<int> {
      ran = true;
      return 2;
    };
    EXPECT_TRUE(sync_wait(pool.run(queued, milliseconds(100), {})).error() == Errc::kTimeout);
    stuck = false;
  }
  EXPECT_TRUE(asked_to_stop);
  EXPECT_FALSE(ran);
}

TEST(TimedPool, ACutEndsTheWait) {
  TimedPool pool("test", 1, 10);
  std::stop_source cut;
  const Work until_stopped = [&cut](std::stop_token stop) -> Result<int> {
    cut.request_stop();
    while (!stop.stop_requested()) ::usleep(1'000);
    return 1;
  };
  EXPECT_TRUE(sync_wait(pool.run(until_stopped, minutes(2), cut.get_token())).error() == Errc::kCancelled);
}

TEST(TimedPool, RefusesWhatItCannotQueue) {
  TimedPool pool("test", 1, 0);
  const Work any = [](std::stop_token) -> Result<int> { return 1; };
  EXPECT_TRUE(sync_wait(pool.run(any, minutes(2), {})).error() == Errc::kOverloaded);
}

}  // namespace
}  // namespace andromede::api
