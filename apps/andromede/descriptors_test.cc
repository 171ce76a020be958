#include "descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace andromede::app {
namespace {

TEST(DescriptorsTest, WhereThereAreEnoughAllIsAsUsual) {
  const DescriptorPlan usual;
  const std::size_t all = descriptors_of(usual, 8, 3);
  const DescriptorPlan plan = plan_descriptors(all, 8, 3).value();
  EXPECT_EQ(plan.s3_connections, usual.s3_connections);
  EXPECT_EQ(plan.operator_connections, usual.operator_connections);
  EXPECT_EQ(plan.per_mirror, usual.per_mirror);
  EXPECT_EQ(plan.per_drive, usual.per_drive);
  EXPECT_EQ(plan_descriptors(1 << 20, 8, 3).value().s3_connections, usual.s3_connections);
}

TEST(DescriptorsTest, WhatIsPlannedFits) {
  for (const std::size_t drives : {1u, 8u, 60u}) {
    std::size_t connections = 0;
    std::size_t limit = 1;
    while (!plan_descriptors(limit, drives, 3)) ++limit;
    for (; limit < 20'000; limit += 97) {
      const DescriptorPlan plan = plan_descriptors(limit, drives, 3).value();
      ASSERT_LE(descriptors_of(plan, drives, 3), limit);
      ASSERT_GE(plan.s3_connections, std::max<std::size_t>(connections, 64));
      ASSERT_GE(plan.per_mirror, 32u);
      ASSERT_GE(plan.per_drive, 8u);
      connections = plan.s3_connections;
    }
  }
}

// What many shells and containers allow.
TEST(DescriptorsTest, AThousandAreEnoughForASmallCloud) {
  const DescriptorPlan plan = plan_descriptors(1024, 8, 3).value();
  EXPECT_GE(plan.s3_connections, 128u);
  EXPECT_LT(plan.s3_connections, 1000u);
}

TEST(DescriptorsTest, TooFewAreRefused) {
  const auto plan = plan_descriptors(256, 8, 3);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error(), Errc::kInvalidArgument);
  EXPECT_NE(plan.error().message().find("LimitNOFILE"), std::string::npos);
}

TEST(DescriptorsTest, TheSoftLimitBecomesTheHardOne) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit soft{std::min<rlim_t>(before.rlim_cur, 256), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &soft), 0);
  EXPECT_EQ(raise_descriptor_limit().value(), before.rlim_max);
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace andromede::app
