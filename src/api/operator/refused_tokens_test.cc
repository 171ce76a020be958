#include "api/operator/refused_tokens.h"

#include <gtest/gtest.h>

namespace andromede::api {
namespace {

using std::chrono::seconds;

const SteadyTime kNow = SteadyTime{} + std::chrono::hours(1);

TEST(RefusedTokens, APeersAreJournaledOnceAWindowWithHowManyThereWere) {
  RefusedTokens refused;
  EXPECT_EQ(refused.count("a", kNow).to_journal, 1U);
  for (int i = 0; i < 29; ++i) EXPECT_EQ(refused.count("a", kNow + seconds(59)).to_journal, 0U);
  EXPECT_EQ(refused.count("b", kNow).to_journal, 1U);
  EXPECT_EQ(refused.count("a", kNow + seconds(60)).to_journal, 30U);
}

TEST(RefusedTokens, TooManyAreToldToWaitUntilTheWindowEnds) {
  RefusedTokens refused;
  for (std::uint64_t i = 0; i < RefusedTokens::kMaxPerWindow; ++i) EXPECT_FALSE(refused.count("a", kNow).too_many);
  EXPECT_TRUE(refused.count("a", kNow).too_many);
  EXPECT_FALSE(refused.count("b", kNow).too_many);
  EXPECT_FALSE(refused.count("a", kNow + seconds(60)).too_many);
}

TEST(RefusedTokens, WhatCouldNotBeJournaledIsToldWithTheNextEntry) {
  RefusedTokens refused;
  refused.give_back("a", refused.count("a", kNow).to_journal, kNow);
  EXPECT_EQ(refused.count("a", kNow + seconds(59)).to_journal, 0U) << "not at once: the journal is held";
  EXPECT_EQ(refused.count("a", kNow + seconds(60)).to_journal, 3U);
}

TEST(RefusedTokens, ManyPeersAreCountedTogether) {
  RefusedTokens refused;
  std::uint64_t entries = 0;
  for (int i = 0; i < 1000; ++i) entries += refused.count(std::to_string(i), kNow).to_journal > 0 ? 1 : 0;
  EXPECT_EQ(entries, RefusedTokens::kMaxPeers + 1);
  // Once the window has passed there is room for others.
  EXPECT_EQ(refused.count("new", kNow + seconds(60)).to_journal, 1U);
  EXPECT_EQ(refused.count("newer", kNow + seconds(60)).to_journal, 1U);
}

}  // namespace
}  // namespace andromede::api
