#include "base/deadline_watch.h"

#include <gtest/gtest.h>

namespace andromede {
namespace {

using WatchedCall = SharedCall<Result<int>>;

Task<Result<int>> wait_at_most(DeadlineWatch& watch, std::shared_ptr<WatchedCall> call,
                               std::chrono::milliseconds timeout) {
  const DeadlineWatch::Watched watched(watch, call, timeout);
  co_return co_await call->answer();
}

TEST(DeadlineWatch, GivesUpInTheirOrderAndNotTooEarly) {
  DeadlineWatch watch("test");
  const SteadyTime began = std::chrono::steady_clock::now();
  std::vector<Task<Result<int>>> waits;
  for (const int ms : {60, 20, 40}) {
    waits.push_back(wait_at_most(watch, std::make_shared<WatchedCall>(), std::chrono::milliseconds(ms)));
  }
  for (const auto& answer : sync_wait(when_all(std::move(waits)))) EXPECT_TRUE(answer.error() == Errc::kTimeout);
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(60));
}

TEST(DeadlineWatch, WhatIsAnsweredInTimeIsNotGivenUp) {
  DeadlineWatch watch("test");
  const auto call = std::make_shared<WatchedCall>();
  std::thread answering([call] { call->settle(3); });
  EXPECT_EQ(*sync_wait(wait_at_most(watch, call, std::chrono::minutes(2))), 3);
  answering.join();
}

TEST(DeadlineWatch, APastDeadlineIsOverAtOnce) {
  DeadlineWatch watch("test");
  const auto answer = sync_wait(wait_at_most(watch, std::make_shared<WatchedCall>(), std::chrono::milliseconds(0)));
  EXPECT_TRUE(answer.error() == Errc::kTimeout);
}

}  // namespace
}  // namespace andromede
