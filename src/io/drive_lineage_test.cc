#include "io/drive_lineage.h"

#include <gtest/gtest.h>

#include "io/test_drive_seal.h"

namespace andromede::io {
namespace {

// Six drives on three sites, "a1", "a2", "b1" …; the first of each site mirrors the metadata.
class LineageTest : public testing::Test {
 protected:
  LineageTest() {
    map_.cloud = CloudId::random(random_);
    map_.epoch = 1;
    map_.minimum = map_.minimum_before = {2, 2};
    for (const std::string site : {"a", "b", "c"}) {
      for (const std::string number : {"1", "2"}) {
        DriveInfo drive;
        drive.id = DriveId::random(random_);
        drive.name = DriveName(site + number);
        drive.site = SiteId(site);
        drive.associate = AssociateId(site);
        drive.path = "/" + site + number;
        drive.mirrors_metadata = number == "1";
        map_.drives.push_back(std::move(drive));
      }
    }
  }

  static MapHash hash(const DriveMap& map) { return hash_of(encode(map, *test_seal())); }
  static DriveMap child(const DriveMap& of, std::uint8_t losses = 0) {
    DriveMap next = begin_successor(of, hash(of));
    next.epoch = of.epoch + 1;
    if (losses > 0) next.accepted_site_losses = losses;
    return next;
  }
  static DriveMap decision(const DriveMap& of) {
    DriveMap next = child(of);
    next.decisions.push_back({next.epoch, {}, "o", {}});
    return next;
  }
  static Kinship kin(const DriveMap& ours, const DriveMap& theirs) {
    return kinship(ours, hash(ours), theirs, hash(theirs));
  }
  std::set<DriveId> ids(const std::vector<std::string>& names) {
    std::set<DriveId> all;
    for (const std::string& name : names) all.insert(map_.find(DriveName(name))->id);
    return all;
  }
  DriveInfo& drive(const std::string& name) {
    return *std::find_if(map_.drives.begin(), map_.drives.end(),
                         [&](const DriveInfo& each) { return each.name.value() == name; });
  }

  SeededRandom random_{4};
  DriveMap map_;
};

TEST_F(LineageTest, GoesOnWithEnoughDrivesOnEnoughSitesAndAMirror) {
  EXPECT_TRUE(can_go_on(map_, ids({"a1", "b2"})));
  EXPECT_FALSE(can_go_on(map_, ids({"a1"}))) << "one drive";
  EXPECT_FALSE(can_go_on(map_, ids({"a1", "a2"}))) << "one site";
  EXPECT_FALSE(can_go_on(map_, ids({"a2", "b2", "c2"}))) << "no mirror";
  EXPECT_FALSE(can_go_on(map_, {}));
  map_.accepted_site_losses = 0;
  EXPECT_TRUE(can_go_on(map_, ids({"a1", "a2"}))) << "no site may be lost, so one is enough";
  EXPECT_FALSE(can_go_on(map_, ids({"a1"})));
}

TEST_F(LineageTest, DrivesThatAreAbsentHelpNobodyToGoOn) {
  drive("b1").absent_since = drive("b2").absent_since = 1;
  EXPECT_FALSE(can_go_on(map_, ids({"a1", "b1", "b2"})));
  drive("c1").absent_since = drive("c2").absent_since = drive("a2").absent_since = 1;
  EXPECT_TRUE(can_go_on(map_, ids({"a1"}))) << "it is all that there is";
  drive("a1").state = DriveState::kReplaced;
  EXPECT_FALSE(can_go_on(map_, ids({"a1"})));
}

TEST_F(LineageTest, AMapCountsByWhoWasThereBeforeIt) {
  EXPECT_TRUE(counts_on(map_, {})) << "the first one";
  drive("c1").absent_since = drive("c2").absent_since = 1;
  DriveMap next = child(map_);
  for (DriveInfo& each : next.drives) {
    each.absent_since = 0;
    each.mirrors_metadata = each.name.value() == "c1";
  }
  EXPECT_TRUE(counts_on(next, ids({"a1", "b2"})));
  EXPECT_FALSE(counts_on(next, ids({"b2", "c1", "c2"}))) << "the one that counts among them was no mirror";
  EXPECT_FALSE(counts_on(next, ids({"a1", "c1"}))) << "the other was absent";
  EXPECT_TRUE(counts_on(decision(map_), {}));
  EXPECT_FALSE(counts_on(child(decision(map_)), {})) << "only the decision itself";
}

TEST_F(LineageTest, TellsPastFromAttemptsFromOtherHistories) {
  const DriveMap second = child(map_);
  const DriveMap third = child(second);
  const DriveMap fourth = child(third);
  EXPECT_EQ(kin(third, third), Kinship::kSame);
  EXPECT_EQ(kin(third, map_), Kinship::kBehind);
  EXPECT_EQ(kin(third, second), Kinship::kBehind);
  EXPECT_EQ(kin(third, fourth), Kinship::kAhead);
  EXPECT_EQ(kin(second, fourth), Kinship::kApart) << "what others carried further has counted";
  EXPECT_EQ(kin(third, child(second, 1)), Kinship::kAttempt);
  EXPECT_EQ(kin(fourth, child(second, 1)), Kinship::kAttempt);
  EXPECT_EQ(kin(fourth, child(child(second, 1))), Kinship::kApart);
  DriveMap stranger = map_;
  stranger.accepted_site_losses = 1;
  EXPECT_EQ(kin(third, stranger), Kinship::kApart);
  EXPECT_EQ(kin(third, child(stranger)), Kinship::kApart);
}

TEST_F(LineageTest, WhatWasAbandonedIsPastAndNobodysParent) {
  const DriveMap attempt = child(map_, 2);
  DriveMap next = child(map_);
  next.forebears.push_back({attempt.epoch, hash(attempt), ForebearKind::kAbandoned});
  next.epoch = 3;
  EXPECT_EQ(parent_of(next)->hash, hash(map_));
  EXPECT_EQ(kin(next, attempt), Kinship::kBehind);
  EXPECT_EQ(kin(child(next), attempt), Kinship::kBehind);
  EXPECT_EQ(kin(next, child(attempt)), Kinship::kApart);
  EXPECT_EQ(kin(next, child(map_, 3)), Kinship::kAttempt);
}

TEST_F(LineageTest, WhereAnOperatorDecidedNothingElseIsTakenForAnAttempt) {
  const DriveMap ours = decision(map_);
  EXPECT_EQ(kin(ours, map_), Kinship::kBehind);
  EXPECT_EQ(kin(ours, child(map_, 1)), Kinship::kApart) << "they may have gone on";
  EXPECT_EQ(kin(child(child(ours)), child(map_, 1)), Kinship::kApart) << "whatever became of us";
  EXPECT_EQ(kin(child(child(ours)), child(ours, 1)), Kinship::kAttempt);
  EXPECT_EQ(kin(map_, ours), Kinship::kApart) << "nor is a decision an attempt";
  EXPECT_EQ(child(ours).forebears.back().kind, ForebearKind::kDecided);
}

TEST_F(LineageTest, ForgetsTheOldestButWhatAnAbsentDriveMayCarry) {
  drive("c1").absent_since = 7;
  for (std::uint64_t epoch = 1; epoch <= 3000; ++epoch) {
    MapHash made{};
    made[0] = static_cast<std::uint8_t>(epoch);
    map_.forebears.push_back({epoch, made, ForebearKind::kAncestor});
    map_.epoch = epoch + 1;
    forget_old_forebears(map_);
    ASSERT_LE(map_.forebears.size(), kMaxForebears);
  }
  const auto knows = [&](std::uint64_t epoch) {
    return std::any_of(map_.forebears.begin(), map_.forebears.end(),
                       [&](const Forebear& forebear) { return forebear.epoch == epoch; });
  };
  EXPECT_FALSE(knows(1) || knows(2) || knows(8) || knows(1500));
  for (const std::uint64_t epoch : {3U, 6U, 7U, 2500U, 2999U, 3000U}) EXPECT_TRUE(knows(epoch)) << epoch;
  EXPECT_TRUE(check_drive_map(map_));
  drive("c1").absent_since = 0;
  map_.forebears.push_back({3001, {}, ForebearKind::kAncestor});
  map_.epoch = 3002;
  forget_old_forebears(map_);
  EXPECT_FALSE(knows(3));
}

}  // namespace
}  // namespace andromede::io
