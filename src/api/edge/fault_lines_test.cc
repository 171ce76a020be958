#include "api/edge/fault_lines.h"

#include <gtest/gtest.h>

namespace andromede::api::edge {
namespace {

TEST(FaultLines, AnAccountHasSoManyASecondAndTheNextSaysHowManyWereLeftOut) {
  ManualClock clock(Timestamp{0});
  FaultLines lines(clock);
  for (unsigned i = 0; i < FaultLines::kPerSecond; ++i) EXPECT_EQ(lines.take("loud"), 0U);
  for (unsigned i = 0; i < 7; ++i) EXPECT_EQ(lines.take("loud"), std::nullopt);
  EXPECT_EQ(lines.take("another"), 0U);
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(lines.take("loud"), 7U);
  EXPECT_EQ(lines.take("loud"), 0U);
}

}  // namespace
}  // namespace andromede::api::edge
