#include "meta/rocksdb/lags.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace andromede::meta {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LagsTest : public testing::Test {
 protected:
  bool note(DriveId drive, milliseconds behind) { return lags_.note(drive, behind, now_); }
  seconds told(DriveId drive) const { return std::chrono::duration_cast<seconds>(lags_.worth_telling(drive, now_)); }
  using List = std::vector<DriveId>;
  SeededRandom random_{1};
  const DriveId one_ = DriveId::random(random_);
  const DriveId two_ = DriveId::random(random_);
  SteadyTime now_{seconds(1000)};
  Lags lags_;
};

TEST_F(LagsTest, OneLateAnswerIsToldOnceAndManySpendTheBudget) {
  EXPECT_TRUE(note(one_, seconds(8)));
  EXPECT_EQ(told(one_), seconds(8));
  EXPECT_TRUE(lags_.spent(now_).empty());
  EXPECT_FALSE(note(one_, seconds(2)));
  EXPECT_EQ(lags_.spent(now_), List{one_});
  EXPECT_EQ(told(two_), seconds(0));
  EXPECT_TRUE(note(two_, seconds(11)));
  EXPECT_EQ(lags_.spent(now_), (List{two_, one_}));
  lags_.forget_all();
  EXPECT_TRUE(lags_.spent(now_).empty());
  EXPECT_EQ(told(one_), seconds(0));
}

TEST_F(LagsTest, WhatIsOlderThanAMinuteIsForgotten) {
  note(one_, seconds(9));
  now_ += kLagWindow - seconds(1);
  EXPECT_EQ(told(one_), seconds(9));
  note(one_, seconds(9));
  EXPECT_EQ(lags_.spent(now_), List{one_});
  now_ += seconds(1);
  EXPECT_EQ(told(one_), seconds(9)) << "the second";
  EXPECT_TRUE(lags_.spent(now_).empty());
  now_ += kLagWindow;
  EXPECT_EQ(told(one_), seconds(0));
  EXPECT_TRUE(note(one_, seconds(1))) << "told anew";
}

// A disk beside a solid-state drive, at work all the time.
TEST_F(LagsTest, ASlowerKindOfDriveIsNoFault) {
  for (int i = 0; i < 1000; ++i) {
    now_ += milliseconds(60);
    EXPECT_FALSE(note(one_, kLeastLag - milliseconds(1)));
  }
  EXPECT_EQ(told(one_), seconds(0));
}

TEST_F(LagsTest, ManyLagsThatAreNotLateAreToldAndFailNothing) {
  int tellings = 0;
  for (int i = 0; i < 40; ++i) {
    now_ += milliseconds(500);
    if (note(one_, milliseconds(500))) ++tellings;
    EXPECT_EQ(told(one_), seconds(i < 19 ? 0 : (i + 1) / 2)) << i;
  }
  EXPECT_EQ(tellings, 1);
  EXPECT_TRUE(lags_.spent(now_).empty());
}

}  // namespace
}  // namespace andromede::meta
