#include "fleet/volumes/throttle.h"

#include <gtest/gtest.h>

namespace andromede::fleet {
namespace {

using std::chrono::steady_clock;

bool never() { return false; }

// A taker that gives up after its look number `looks`; a tenth of a second passes between two at most.
auto after(int looks) {
  return [looks]() mutable { return looks-- == 0; };
}

TEST(Throttle, LetsThroughWhatItsBandwidthAllows) {
  Throttle throttle(10 << 20);
  const auto began = steady_clock::now();
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(throttle.take(1 << 20, never));
  // The last is granted once those before are paid for, but for a tenth of a second's worth that was saved up.
  EXPECT_GE(steady_clock::now() - began, std::chrono::milliseconds(550));
}

TEST(Throttle, WhoGivesUpOwesNothing) {
  Throttle throttle(1000);
  EXPECT_TRUE(throttle.take(110, never));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(throttle.take(1 << 30, after(0)));
  EXPECT_FALSE(throttle.take(1 << 30, after(1)));
  EXPECT_TRUE(throttle.take(1, after(600)));
}

TEST(Throttle, ASlowJobsDebtDoesNotHoldUpTheNext) {
  Throttle throttle(1ULL << 40);
  {
    const Throttle::Limit limit(throttle, 10);
    EXPECT_TRUE(throttle.take(1 << 20, never));
    EXPECT_FALSE(throttle.take(1 << 20, after(2))) << "29 hours are owed";
  }
  EXPECT_TRUE(throttle.take(1 << 20, after(600)));
}

}  // namespace
}  // namespace andromede::fleet
