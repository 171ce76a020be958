#include "fleet/volumes/room.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace andromede::fleet {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kLeast = kLeastShardRoomBytes;

class RoomTest : public testing::Test {
 protected:
  RoomTest() {
    for (const char* name : {"a", "b", "c", "d", "e"}) {
      RoomLook look;
      look.drive = DriveId::random(random_);
      look.name = name;
      look.site = SiteId(name);
      look.takes_shards = true;
      look.free_bytes = 1000 * kMiB;
      looks_.push_back(look);
    }
    for (const int i : {0, 1, 2}) {
      at(i).mirrors = true;
      at(i).mirror_free_bytes = 1064 * kMiB;
      at(i).mirror_least_bytes = 128 * kMiB;
    }
  }
  RoomLook& at(int i) { return looks_[static_cast<std::size_t>(i)]; }
  void note(std::optional<std::string> shortfall = std::nullopt) { watch_.note(looks_, policies_, shortfall); }

  static sovereignty::Policy standard() { return {PolicyId("standard"), {}, 0, std::nullopt}; }

  const sovereignty::Policies policies_{{standard()}, PolicyId("standard")};
  SeededRandom random_{1};
  ManualClock clock_{Timestamp{1000}};
  std::vector<RoomLook> looks_;
  RoomWatch watch_{clock_};
};

TEST_F(RoomTest, AsManyDrivesWithRoomAsShardsAreEnough) {
  EXPECT_FALSE(find_refusal(looks_, policies_));
  at(3).free_bytes = 0;
  EXPECT_FALSE(find_refusal(looks_, policies_)) << "four are left";
  at(4).free_bytes = 10 * kMiB;
  const auto refused = find_refusal(looks_, policies_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->drives, (std::vector<std::string>{"d", "e"}));
  EXPECT_EQ(refused->missing_bytes, kLeast - 10 * kMiB) << "on the one where less is missing";
  EXPECT_EQ(refused->drives_needed, 1U);
  EXPECT_EQ(refused->why, "no room on d, e: bring 6.0 MiB on 1 of them at least, or add drives");
  at(3).takes_shards = false;
  at(4).takes_shards = false;
  EXPECT_FALSE(find_refusal(looks_, policies_)) << "drives that are away are another matter";
}

TEST_F(RoomTest, TooFewDrivesAreToldThoughTheyHaveRoom) {
  for (const int i : {3, 4}) at(i).takes_shards = false;
  EXPECT_FALSE(find_refusal(looks_, policies_)) << "three shards of 2+2 survive a loss";
  at(2).takes_shards = false;
  const auto refused = find_refusal(looks_, policies_);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->drives.empty());
  EXPECT_EQ(refused->why,
            "policy standard: 2 drives take data, and 3 have to, so that an object survives the next loss: bring back, "
            "replace or add 1 "
            "drive");
  at(1).mirror_free_bytes = 0;
  EXPECT_NE(find_refusal(looks_, policies_)->why.find("1 drive; no room on b: bring"), std::string::npos);
  at(1).mirror_free_bytes = 1064 * kMiB;
  sovereignty::Policy without_parity = standard();
  without_parity.rule.parity_shards = 0;
  EXPECT_FALSE(find_refusal(looks_, {{without_parity}, without_parity.id}));
}

TEST_F(RoomTest, EachPolicyNeedsDrivesAndRoomOfItsOwn) {
  const sovereignty::Policy apart{
      PolicyId("apart"), {2, 1, 1, 1}, 0, std::set<SiteId>{SiteId("a"), SiteId("b"), SiteId("c")}};
  const sovereignty::Policies both{{standard(), apart}, PolicyId("standard")};
  EXPECT_FALSE(find_refusal(looks_, both));
  at(2).free_bytes = 0;
  EXPECT_FALSE(find_refusal(looks_, policies_));
  EXPECT_EQ(find_refusal(looks_, both)->drives, std::vector<std::string>{"c"}) << "four drives with room are left";
  at(2).takes_shards = false;
  EXPECT_EQ(find_refusal(looks_, both)->why,
            "policy apart: 2 drives take data, and 3 have to, so that an object survives the next loss: bring back, "
            "replace or add 1 drive");
}

TEST_F(RoomTest, WhatIsKeptFreeIsMissingToo) {
  for (const int i : {1, 2, 3, 4}) {
    at(i).free_bytes = 0;
    at(i).short_bytes = 64 * kMiB;
  }
  const auto refused = find_refusal(looks_, policies_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->drives.size(), 4U);
  EXPECT_EQ(refused->missing_bytes, 3 * (64 * kMiB + kLeast));
}

TEST_F(RoomTest, OneFullDriveOfAMirrorIsEnough) {
  at(1).mirror_free_bytes = 100 * kMiB;
  const auto refused = find_refusal(looks_, policies_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->drives, (std::vector<std::string>{"b"}));
  EXPECT_EQ(refused->missing_bytes, 28 * kMiB);
}

TEST_F(RoomTest, TellsSinceWhenUntilThereIsRoomAgain) {
  note();
  EXPECT_FALSE(watch_.refused());
  clock_.advance(seconds(5));
  at(0).mirror_free_bytes = 0;
  note();
  clock_.advance(seconds(5));
  note("one mirror only");
  ASSERT_TRUE(watch_.refused());
  EXPECT_EQ(watch_.refused()->since, Timestamp{6000});
  EXPECT_TRUE(watch_.refused()->why.starts_with("one mirror only; no room on a")) << watch_.refused()->why;
  at(0).mirror_free_bytes = 1000 * kMiB;
  note();
  EXPECT_FALSE(watch_.refused());
  note("one mirror only");
  EXPECT_EQ(watch_.refused()->since, Timestamp{11'000});
  EXPECT_EQ(watch_.refused()->why, "one mirror only");
}

TEST_F(RoomTest, TheRateIsOfTheWindowAndTellsHowLongItLasts) {
  note();
  EXPECT_EQ(watch_.fill_of(at(3).drive).bytes_per_s, 0) << "nothing is known yet";
  for (int i = 0; i < 100; ++i) {
    clock_.advance(seconds(1));
    at(3).free_bytes -= kMiB;
    note();
  }
  EXPECT_FALSE(watch_.fill_of(at(3).drive).left) << "a burst says nothing about the hours to come";
  EXPECT_EQ(watch_.fill_of(at(3).drive).bytes_per_s, 0);
  clock_.advance(minutes(60) - seconds(101));
  note();
  EXPECT_FALSE(watch_.fill_of(at(3).drive).left) << "nearly an hour";
  clock_.advance(seconds(1));
  note();
  EXPECT_DOUBLE_EQ(watch_.fill_of(at(3).drive).bytes_per_s, 100.0 * kMiB / 3600);
  EXPECT_EQ(watch_.fill_of(at(3).drive).left, seconds(9 * 3600));
  EXPECT_EQ(watch_.fill_of(at(3).drive).measured, minutes(60));
  EXPECT_FALSE(watch_.fill_of(at(4).drive).left);
  // What was before the window is forgotten.
  for (int i = 0; i < 240; ++i) {
    clock_.advance(seconds(30));
    note();
  }
  EXPECT_EQ(watch_.fill_of(at(3).drive).bytes_per_s, 0);
  // A drive that empties lasts for ever; one that is gone is forgotten.
  at(4).free_bytes = 2000 * kMiB;
  clock_.advance(minutes(1));
  note();
  EXPECT_FALSE(watch_.fill_of(at(4).drive).left);
  const DriveId gone = at(3).drive;
  looks_.erase(looks_.begin() + 3);
  note();
  EXPECT_EQ(watch_.fill_of(gone).bytes_per_s, 0);
}

TEST_F(RoomTest, TheNarrowerOfTheTwoKindsDecidesHowLongADriveLasts) {
  at(0).mirror_free_bytes = 328 * kMiB;
  note();
  clock_.advance(minutes(60));
  at(0).mirror_free_bytes -= 100 * kMiB;
  at(0).free_bytes -= 100 * kMiB;
  note();
  EXPECT_EQ(watch_.fill_of(at(0).drive).left, minutes(60));
}

TEST(Room, IsSaidInWords) {
  EXPECT_EQ(in_words(hours(60)), "2.5 days");
  EXPECT_EQ(in_words(minutes(90)), "1.5 hours");
  EXPECT_EQ(in_words(minutes(60)), "60 minutes");
  EXPECT_EQ(in_words(minutes(40)), "40 minutes");
  EXPECT_EQ(in_words(seconds(61)), "61 seconds");
  EXPECT_EQ(in_words(seconds(1)), "1 second");
  EXPECT_EQ(in_words(std::uint64_t{1536}), "1.5 KiB");
  EXPECT_EQ(in_words(64 * kMiB), "64.0 MiB");
}

}  // namespace
}  // namespace andromede::fleet
