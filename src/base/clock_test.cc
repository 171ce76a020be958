#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/deadline.h"

namespace andromede {
namespace {

TEST(Clock, WritesTimesAsTheProtocolsWantThem) {
  const Timestamp time{1'795'466'400'123};
  EXPECT_EQ(to_iso8601(time), "2026-11-23T20:40:00.123Z");
  EXPECT_EQ(to_http_date(time), "Mon, 23 Nov 2026 20:40:00 GMT");
  EXPECT_EQ(to_iso8601({-1}), "1969-12-31T23:59:59.999Z");
}

TEST(Deadline, PassesWhenTheClockReachesIt) {
  ManualClock clock({0});
  const auto deadline = Deadline::after(clock, std::chrono::milliseconds(10));
  EXPECT_FALSE(deadline.passed(clock));
  EXPECT_EQ(deadline.left(clock).count(), 10);
  clock.advance(std::chrono::milliseconds(10));
  EXPECT_TRUE(deadline.passed(clock));
  EXPECT_EQ(deadline.left(clock).count(), 0);
  EXPECT_FALSE(Deadline::never().passed(clock));
}

}  // namespace
}  // namespace andromede
