#include "spread_placer.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/metrics.h"
#include "blob/volumes/volume_store.h"
#include "io/fault_disk.h"
#include "io/test_drive_seal.h"

namespace andromede::app {
namespace {

const PolicyId kStandard("standard");
const PolicyId kApart("apart");

// Four sites with two drives each, and the placer of a 2+2 code over them, and of a 2+1 code without the last.
class SpreadPlacerTest : public testing::Test {
 protected:
  SpreadPlacerTest() {
    io::DriveMap map;
    map.cloud = CloudId::random(random_);
    for (unsigned i = 0; i < 8; ++i) {
      const std::string name = "d" + std::to_string(i);
      disks_[name] = io::FaultDisk::make(name, i);
      ids_.push_back(DriveId::random(random_));
      map.drives.push_back({.id = ids_.back(),
                            .name = DriveName(name),
                            .site = SiteId("s" + std::to_string(i / 2)),
                            .associate = AssociateId("a"),
                            .path = name});
    }
    drives_ = *io::Drives::create(map, io::test_seal(),
                                  [this](const io::DriveInfo& drive) -> Result<std::unique_ptr<io::Disk>> {
                                    return std::unique_ptr<io::Disk>(disks_.at(drive.path)->share());
                                  });
    blobs_ =
        *blob::VolumeStore::open(*drives_, clock_, random_, metrics_, {.volume_bytes = 8U << 20, .reserve_bytes = 0});
    candidates_ = std::make_unique<fleet::Candidates>(*drives_, *blobs_);
    placer_ = std::make_unique<SpreadPlacer>(policies_, *candidates_, random_);
  }
  ~SpreadPlacerTest() override {
    blobs_->stop();
    drives_->stop();
  }

  void lose(unsigned i) {
    disks_.at("d" + std::to_string(i))->set_offline(true);
    drives_->report_failure(ids_[i], Error(make_error_code(Errc::kIo), "taken away by the test"));
  }
  [[nodiscard]] std::size_t site_of(DriveId id) const {
    return static_cast<std::size_t>(std::find(ids_.begin(), ids_.end(), id) - ids_.begin()) / 2;
  }

  SeededRandom random_{1};
  ManualClock clock_{Timestamp{1700000000000}};
  Metrics metrics_;
  std::map<std::string, std::unique_ptr<io::FaultDisk>> disks_;
  std::vector<DriveId> ids_;
  std::unique_ptr<io::Drives> drives_;
  std::unique_ptr<blob::VolumeStore> blobs_;
  std::unique_ptr<fleet::Candidates> candidates_;
  fleet::PolicyBook policies_{{{{kStandard, {}, 32 * 1024, std::nullopt},
                                {kApart, {2, 1, 1, 1}, 0, std::set<SiteId>{SiteId("s0"), SiteId("s1"), SiteId("s2")}}},
                               kStandard}};
  PoliciesInForce in_force_{policies_};
  std::unique_ptr<SpreadPlacer> placer_;
};

TEST_F(SpreadPlacerTest, GivesEverySiteAShard) {
  const auto target = placer_->place(kStandard, 1 << 20);
  ASSERT_TRUE(target) << target.error().describe();
  std::set<std::size_t> sites;
  for (const DriveId drive : target->drives) sites.insert(site_of(drive));
  EXPECT_EQ(sites.size(), 4U);
  EXPECT_EQ(target->replacer, placer_.get());
}

TEST_F(SpreadPlacerTest, EachPolicyHasItsCodeItsSitesAndItsInlineLimit) {
  EXPECT_EQ(*in_force_.choose({}), kStandard);
  EXPECT_EQ(*in_force_.choose(kApart), kApart);
  const auto unknown = in_force_.choose(PolicyId("other"));
  EXPECT_TRUE(unknown.error().code() == objects::ObjectErrc::kNoSuchPolicy);
  EXPECT_TRUE(unknown.error().message().ends_with("which are: standard, apart")) << unknown.error().message();
  EXPECT_EQ(in_force_.inline_limit_bytes(kStandard), 32U * 1024);
  EXPECT_EQ(in_force_.inline_limit_bytes(kApart), 0U);
  for (int i = 0; i < 100; ++i) {
    const auto target = placer_->place(kApart, 1 << 20);
    ASSERT_TRUE(target) << target.error().describe();
    EXPECT_EQ(target->code, (blob::Code{2, 1}));
    EXPECT_EQ(target->policy, kApart);
    for (const DriveId drive : target->drives) EXPECT_LT(site_of(drive), 3U);
  }
  EXPECT_EQ(placer_->place(PolicyId("other"), 1 << 20).error(), Errc::kUnavailable);
}

TEST_F(SpreadPlacerTest, WhereOnlyDrivesOutsideThePolicyAreLeftNothingIsWrittenByIt) {
  for (unsigned i = 0; i < 3; ++i) lose(i);
  candidates_->refresh();
  ASSERT_TRUE(placer_->place(kApart, 1 << 20));
  lose(3);
  // Two are left that it allows: all shards but the parity, which one loss would need.
  const auto refused = placer_->replace(kApart, {ids_[4], std::nullopt, ids_[5]}, {}, 1 << 20);
  EXPECT_EQ(refused.error(), Errc::kUnavailable);
  EXPECT_EQ(placer_->place(kApart, 1 << 20).error(), Errc::kUnavailable);
  EXPECT_TRUE(placer_->place(kStandard, 1 << 20));
}

TEST_F(SpreadPlacerTest, ReplacesWithinThePolicyOnly) {
  for (int i = 0; i < 50; ++i) {
    const auto drives = placer_->replace(kApart, {ids_[0], std::nullopt, ids_[2]}, {ids_[4]}, 1 << 20);
    ASSERT_TRUE(drives) << drives.error().describe();
    EXPECT_EQ((*drives)[1], ids_[5]);
  }
  const auto full =
      placer_->replace(kApart, {ids_[0], std::nullopt, ids_[2]}, {ids_[1], ids_[3], ids_[4], ids_[5]}, 1 << 20);
  EXPECT_EQ(full.error(), Errc::kNoSpace) << "the fourth site has room";
}

TEST_F(SpreadPlacerTest, LeavesOutTheLastShardsWhereDrivesAreMissingButNeverAllParity) {
  for (unsigned i = 0; i < 5; ++i) lose(i);
  candidates_->refresh();
  const auto three = placer_->place(kStandard, 1 << 20);
  ASSERT_TRUE(three) << three.error().describe();
  ASSERT_EQ(three->drives.size(), 4U);
  EXPECT_TRUE(three->drives[3].is_none());
  EXPECT_EQ(std::set<DriveId>(three->drives.begin(), three->drives.begin() + 3),
            std::set<DriveId>(ids_.begin() + 5, ids_.end()));
  lose(5);
  candidates_->refresh();
  const auto two = placer_->place(kStandard, 1 << 20);
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error(), Errc::kUnavailable);
}

TEST_F(SpreadPlacerTest, ReplacesLostShardsBesideThoseThatAreKept) {
  for (unsigned i = 0; i < 4; ++i) lose(i);  // noticed without a refresh() by the test
  const auto drives = placer_->replace(kStandard, {std::nullopt, ids_[4], std::nullopt, ids_[6]}, {}, 1 << 20);
  ASSERT_TRUE(drives) << drives.error().describe();
  EXPECT_EQ((*drives)[1], ids_[4]);
  EXPECT_EQ((*drives)[3], ids_[6]);
  EXPECT_EQ((std::set<DriveId>{(*drives)[0], (*drives)[2]}), (std::set<DriveId>{ids_[5], ids_[7]}));
}

TEST_F(SpreadPlacerTest, LeavesALostShardOutWhereNoDriveIsLeftForIt) {
  for (unsigned i = 0; i < 5; ++i) lose(i);
  const auto drives = placer_->replace(kStandard, {ids_[5], std::nullopt, ids_[6], std::nullopt}, {}, 1 << 20);
  ASSERT_TRUE(drives) << drives.error().describe();
  EXPECT_EQ(*drives, (std::vector<DriveId>{ids_[5], ids_[7], ids_[6], DriveId{}}));
}

TEST_F(SpreadPlacerTest, ChoosesNoDriveThatHasRefused) {
  // Its site has only one other.
  const auto drives = placer_->replace(kStandard, {std::nullopt, ids_[2], ids_[4], ids_[6]}, {ids_[0]}, 1 << 20);
  ASSERT_TRUE(drives) << drives.error().describe();
  EXPECT_EQ(drives->front(), ids_[1]);
  const auto elsewhere =
      placer_->replace(kStandard, {std::nullopt, ids_[2], ids_[4], ids_[6]}, {ids_[0], ids_[1]}, 1 << 20);
  ASSERT_TRUE(elsewhere) << elsewhere.error().describe();
  EXPECT_NE(site_of(elsewhere->front()), 0U);
  const std::vector<DriveId> all_others = {ids_[0], ids_[1], ids_[3], ids_[5], ids_[7]};
  EXPECT_EQ(placer_->replace(kStandard, {std::nullopt, ids_[2], ids_[4], ids_[6]}, all_others, 1 << 20).error(),
            Errc::kNoSpace);
}

}  // namespace
}  // namespace andromede::app
