// The keeper alone: drives on real folders, mirrors that do what the test says.
#include "fleet/volumes/mirror_keeper.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.h"
#include "io/temporary_folder.h"
#include "io/test_drive_seal.h"

namespace andromede::fleet {
namespace {

class FakeMirrors final : public meta::Mirrors {
 public:
  [[nodiscard]] std::vector<meta::MirrorStatus> mirrors() const override {
    std::vector<meta::MirrorStatus> all;
    for (const DriveId id : order) all.push_back({id, online.contains(id), 0, 0});
    // As when a mirror fails between two looks.
    if (--looks_until_loss == 0) online.erase(order.front());
    return all;
  }
  [[nodiscard]] std::optional<std::string> shortfall() const override {
    if (online.size() >= least) return std::nullopt;
    return "too few";
  }
  [[nodiscard]] std::vector<meta::MirrorRoom> room() const override { return rooms; }
  [[nodiscard]] std::vector<DriveId> out_for_space() const override { return out; }
  [[nodiscard]] std::vector<DriveId> absent_at_opening() const override { return {}; }
  Status add_mirror(DriveId drive, const std::function<bool(std::uint64_t, std::uint64_t)>& /*progress*/) override {
    ++additions;
    tried = drive;
    if (refuse || refusing.contains(drive)) return fail(refusal, "no room");
    online.insert(drive);
    files.insert(drive);
    if (std::find(order.begin(), order.end(), drive) == order.end()) order.push_back(drive);
    return {};
  }
  Status remove_mirror(DriveId drive) override {
    online.erase(drive);
    files.erase(drive);
    std::erase(order, drive);
    return {};
  }
  [[nodiscard]] Result<bool> holds_files(DriveId drive) override { return files.contains(drive); }
  Status verify_mirror(DriveId drive, const std::function<bool(std::uint64_t)>& /*pace*/) override {
    if (!damaged.contains(drive)) return {};
    if (online.size() > 1) online.erase(drive);
    return fail(Errc::kCorrupt, "a block is damaged");
  }

  [[nodiscard]] std::vector<meta::MirrorEvent> take_events() override { return {}; }

  std::vector<meta::MirrorRoom> rooms;
  std::vector<DriveId> out;
  std::set<DriveId> refusing;
  std::vector<DriveId> order;
  mutable std::set<DriveId> online;
  std::set<DriveId> files;
  std::set<DriveId> damaged;
  std::size_t least = 1;
  mutable int looks_until_loss = -1;
  int additions = 0;
  bool refuse = false;
  Errc refusal = Errc::kNoSpace;
  DriveId tried;
};

class AnyDrive final : public blob::Maintenance {
 public:
  Result<blob::ShardPlace> copy_shard(const blob::ShardedBlob&, unsigned, DriveId, const blob::Pace&) override {
    return fail(Errc::kUnsupported, "not here");
  }
  void release_shard(BlobId, unsigned, blob::ShardPlace) override {}
  Result<blob::ShardHealth> verify_shard(const blob::ShardedBlob&, unsigned, const blob::Pace&) override {
    return blob::ShardHealth::kGood;
  }
  Result<bool> verify_blob(const blob::ShardedBlob&, blob::Authenticator&, const blob::Pace&) override { return true; }
  [[nodiscard]] blob::Presence presence(const blob::ShardPlace&) const override { return blob::Presence::kThere; }
  Result<blob::ShardPlace> repair_shard(const blob::ShardedBlob&, unsigned, const blob::Pace&) override {
    return fail(Errc::kUnsupported, "not here");
  }
  Result<Reclaimed> reclaim_orphans(DriveId, blob::ShardCatalog&, std::chrono::milliseconds, Share,
                                    const std::function<bool()>&) override {
    return Reclaimed{};
  }
  [[nodiscard]] Result<blob::DriveUsage> usage(DriveId) override {
    return blob::DriveUsage{.total_bytes = 1000, .free_bytes = 1000};
  }
  Status count(DriveId, const std::function<bool()>&) override { return {}; }
  Status attach(DriveId) override { return {}; }
  Status detach_empty(DriveId) override { return {}; }
  std::vector<BlobId> take_damaged() override { return {}; }
  [[nodiscard]] std::uint64_t short_writes() const override { return 0; }
};

class MirrorKeeperTest : public testing::Test {
 protected:
  MirrorKeeperTest() {
    io::DriveMap map;
    map.cloud = CloudId::random(random_);
    for (const char* site : {"s0", "s1", "s2", "s3"}) {
      io::DriveInfo drive;
      drive.id = DriveId::random(random_);
      drive.name = DriveName(site);
      drive.site = SiteId(site);
      drive.associate = AssociateId(site);
      drive.path = folder_.path() + "/" + site;
      std::filesystem::create_directory(drive.path);
      map.drives.push_back(drive);
    }
    drives_ = *io::Drives::create(map, io::test_seal(), [](const io::DriveInfo& drive) {
      return io::open_real_disk(drive.path, drive.capacity_bytes);
    });
    for (const int i : {0, 1, 2}) {
      mirrors_.order.push_back(id(i));
      mirrors_.online.insert(id(i));
      mirrors_.files.insert(id(i));
    }
    candidates_ = std::make_unique<Candidates>(*drives_, blobs_);
    keeper_ = std::make_unique<MirrorKeeper>(*drives_, mirrors_, *candidates_, policies_, clock_,
                                             std::chrono::milliseconds(3000),
                                             [this](const io::DriveInfo& drive, MirrorKeeper::Change change) {
                                               if (journal_full_ && mirrors_.additions < 1) {
                                                 return Status(fail(Errc::kNoSpace, "a metadata drive is full"));
                                               }
                                               told_.emplace_back(drive.name.value(), change);
                                               return Status{};
                                             });
  }
  ~MirrorKeeperTest() override { drives_->stop(); }

  [[nodiscard]] DriveId id(int i) const { return drives_->map()->drives[static_cast<std::size_t>(i)].id; }
  void away(int i) {
    const std::string path = folder_.path() + "/s" + std::to_string(i);
    std::filesystem::rename(path, path + ".away");
    drives_->probe_all();
    candidates_->refresh();
  }
  void back(int i) {
    const std::string path = folder_.path() + "/s" + std::to_string(i);
    std::filesystem::rename(path + ".away", path);
    drives_->probe_all();
    candidates_->refresh();
  }
  void lose(int i) {
    away(i);
    mirrors_.online.erase(id(i));
  }
  Status keep() {
    return keeper_->keep([] { return true; });
  }

  using Told = std::vector<std::pair<std::string, MirrorKeeper::Change>>;
  io::TemporaryFolder folder_;
  SystemRandom random_;
  ManualClock clock_{Timestamp{0}};
  FakeMirrors mirrors_;
  AnyDrive blobs_;
  std::unique_ptr<io::Drives> drives_;
  std::unique_ptr<Candidates> candidates_;
  const PolicyBook policies_{{{{PolicyId("standard"), {}, 0, std::nullopt}}, PolicyId("standard")}};
  std::unique_ptr<MirrorKeeper> keeper_;
  Told told_;
  bool journal_full_ = false;  // until a mirror was added
};

// A comparison that asked the mirrors anew each time once made std::sort run out of its range.
TEST_F(MirrorKeeperTest, AMirrorThatFailsWhileItLooksDoesNoHarm) {
  for (int looks = 1; looks < 8; ++looks) {
    mirrors_.online = {id(0), id(1), id(2)};
    mirrors_.looks_until_loss = looks;
    EXPECT_TRUE(keep());
    EXPECT_GE(mirrors_.online.size(), 2U);
  }
}

TEST_F(MirrorKeeperTest, AMomentsAbsenceMovesNothing) {
  ASSERT_TRUE(keep());
  lose(0);
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.additions, 0);
  EXPECT_EQ(told_, (Told{{"s0", MirrorKeeper::Change::kLost}}));
  clock_.advance(std::chrono::milliseconds(2900));
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.additions, 0);
  back(0);
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(0), id(1), id(2)}));
  EXPECT_EQ(mirrors_.additions, 1);
}

TEST_F(MirrorKeeperTest, AfterTheGraceAnotherSiteTakesItAndWhatIsLeftOnTheFirstIsRemoved) {
  ASSERT_TRUE(keep());
  lose(0);
  ASSERT_TRUE(keep());
  clock_.advance(std::chrono::milliseconds(3000));
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(1), id(2), id(3)}));
  back(0);
  ASSERT_TRUE(mirrors_.files.contains(id(0)));
  ASSERT_TRUE(keep());
  EXPECT_FALSE(mirrors_.files.contains(id(0)));
  EXPECT_EQ(told_, (Told{{"s0", MirrorKeeper::Change::kLost},
                         {"s3", MirrorKeeper::Change::kAdded},
                         {"s0", MirrorKeeper::Change::kRemoved}}));
}

TEST_F(MirrorKeeperTest, AMirrorLeavesADriveThatIsFullWhenAnotherHasRoom) {
  ASSERT_TRUE(keep());
  mirrors_.rooms = {{id(0), 99, 100}, {id(1), 100, 100}, {id(2), 5000, 100}};
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(1), id(2), id(3)}));
  EXPECT_EQ(told_, (Told{{"s3", MirrorKeeper::Change::kAdded}, {"s0", MirrorKeeper::Change::kRemoved}}));
}

TEST_F(MirrorKeeperTest, AMirrorStaysOnAFullDriveWhenNoOtherHasRoomEnough) {
  ASSERT_TRUE(keep());
  // The drives have 1,000 bytes, and a mirror asks for twice what it must leave.
  mirrors_.rooms = {{id(0), 99, 501}, {id(1), 600, 501}, {id(2), 600, 501}};
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(0), id(1), id(2)}));
  // Nor for one at a site that has a mirror already.
  mirrors_.rooms = {{id(0), 99, 100}, {id(1), 600, 100}, {id(2), 600, 100}};
  lose(3);
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.additions, 0);
}

TEST_F(MirrorKeeperTest, ADriveOnWhichAMirrorCouldNotBeMadeIsAvoidedWhereAnotherIsAsGood) {
  mirrors_.online = {id(1), id(2)};
  mirrors_.order = {id(1), id(2)};
  const auto first = [&] { return mirrors_.online.contains(id(0)) ? 0 : 3; };
  ASSERT_TRUE(keep());
  const int liked = first();
  const int other = 3 - liked;
  mirrors_.online = {id(1), id(2)};
  mirrors_.refusing = {id(liked)};
  clock_.advance(std::chrono::seconds(10));
  EXPECT_FALSE(keep());
  mirrors_.refusing.clear();
  clock_.advance(std::chrono::seconds(10));
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(1), id(2), id(other)}));
  // With nothing else as good it is tried all the same.
  mirrors_.online = {id(1), id(2)};
  lose(other);
  clock_.advance(std::chrono::seconds(10));
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(1), id(2), id(liked)}));
}

TEST_F(MirrorKeeperTest, ADriveIsNotAvoidedForWhatTheMirrorThatIsCopiedFromFailedOf) {
  mirrors_.online = {id(1), id(2)};
  mirrors_.order = {id(1), id(2)};
  mirrors_.refuse = true;
  mirrors_.refusal = Errc::kUnavailable;
  std::set<DriveId> tried;
  for (int i = 0; i < 3; ++i) {
    mirrors_.tried = DriveId();
    EXPECT_FALSE(keep());
    tried.insert(mirrors_.tried);
    clock_.advance(std::chrono::minutes(1));
  }
  EXPECT_EQ(tried.size(), 1U);
}

// Two mirrors are out for want of space, one is left, and the drive of the other site has one's room.
TEST_F(MirrorKeeperTest, WhileCommitsWaitWhatAFullMirrorLeftStaysIfAnotherDriveCanHaveOne) {
  ASSERT_TRUE(keep());
  mirrors_.least = 2;
  mirrors_.online = {id(0)};
  mirrors_.out = {id(1), id(2)};
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(0), id(3)}));
  // None is left but a full one's.
  mirrors_.online = {id(0)};
  mirrors_.out = {id(1), id(2), id(3)};
  clock_.advance(std::chrono::seconds(10));
  ASSERT_TRUE(keep());
  EXPECT_GE(mirrors_.online.size(), 2U);
}

TEST_F(MirrorKeeperTest, AMirrorThatWasGivenUpForWantOfSpaceIsMadeElsewhereAtOnce) {
  ASSERT_TRUE(keep());
  mirrors_.online.erase(id(0));
  mirrors_.out = {id(0)};
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(1), id(2), id(3)}));
}

// The entry of a new mirror comes first, but a full mirror that cannot be done without may refuse every entry.
TEST_F(MirrorKeeperTest, WhereNoEntryHasRoomTheMirrorComesFirst) {
  ASSERT_TRUE(keep());
  mirrors_.rooms = {{id(0), 0, 100}, {id(1), 5000, 100}, {id(2), 5000, 100}};
  journal_full_ = true;
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(1), id(2), id(3)}));
  EXPECT_EQ(told_, (Told{{"s3", MirrorKeeper::Change::kAdded}, {"s0", MirrorKeeper::Change::kRemoved}}));
}

TEST_F(MirrorKeeperTest, WithTwoSitesLeftASecondOneGoesToOneOfThem) {
  lose(0);
  lose(1);
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(2), id(3)}));
  EXPECT_EQ(keeper_->state().online, 2U);
  EXPECT_EQ(keeper_->state().wanted, 3U);
}

TEST_F(MirrorKeeperTest, TheStateTellsMirrorsThatCouldLieFurtherApart) {
  ASSERT_TRUE(keep());
  EXPECT_EQ(keeper_->state().sites, 3U);
  EXPECT_EQ(keeper_->state().sites_wanted, 3U);
  mirrors_.online = {id(1), id(2)};
  EXPECT_EQ(keeper_->state().sites, 2U);
  EXPECT_EQ(keeper_->state().sites_wanted, 3U);
  lose(0);
  lose(3);
  EXPECT_EQ(keeper_->state().sites_wanted, 2U);
}

TEST_F(MirrorKeeperTest, TheStateTellsMirrorsOnDrivesThatLeaveApart) {
  ASSERT_TRUE(keep());
  ASSERT_TRUE(drives_->update([&](io::DriveMap& map) -> Status {
    map.drives[0].state = io::DriveState::kDraining;
    map.drives[3].state = io::DriveState::kDraining;  // which has none
    return {};
  }));
  EXPECT_EQ(keeper_->state().online, 2U);
  EXPECT_EQ(keeper_->state().leaving, 1U);
  EXPECT_EQ(keeper_->state().sites, 2U);
  EXPECT_EQ(keeper_->state().sites_with_leaving, 3U);
}

TEST_F(MirrorKeeperTest, WhileCommitsWaitForAMirrorItIsMadeAtOnceAndTriedAgainSoon) {
  ASSERT_TRUE(keep());
  mirrors_.least = 2;
  lose(0);
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.additions, 0) << "two are enough: a moment's absence moves nothing";
  mirrors_.refuse = true;
  lose(1);
  EXPECT_EQ(keep().error(), Errc::kNoSpace);
  mirrors_.refuse = false;
  clock_.advance(std::chrono::milliseconds(300));
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(2), id(3)}));
}

TEST_F(MirrorKeeperTest, WhileCommitsWaitItIsTriedAgainWithinSecondsHoweverOftenItFailed) {
  ASSERT_TRUE(keep());
  lose(0);
  ASSERT_TRUE(keep());
  mirrors_.refuse = true;
  const auto fail_often = [&] {
    for (int i = 0; i < 8; ++i) {
      clock_.advance(std::chrono::minutes(6));
      EXPECT_FALSE(keep());
    }
  };
  const auto tried_within_seconds = [&] {
    const int before = mirrors_.additions;
    for (int i = 0; i < 5; ++i) {
      clock_.advance(std::chrono::seconds(1));
      (void)keep().has_value();
    }
    return mirrors_.additions > before;
  };
  fail_often();
  EXPECT_FALSE(tried_within_seconds());
  mirrors_.least = 3;
  EXPECT_TRUE(tried_within_seconds()) << "it failed so often before";
  fail_often();
  EXPECT_TRUE(tried_within_seconds());
}

// Whatever it is that the first one fails of.
TEST_F(MirrorKeeperTest, OfThoseThatTheMapNamesWhicheverCanComesBackWhenNoneIsLeft) {
  ASSERT_TRUE(keep());
  ASSERT_TRUE(drives_->update([](io::DriveMap& map) -> Status {
    for (const std::size_t i : {0U, 1U, 2U}) map.drives[i].mirrors_metadata = true;
    return {};
  }));
  for (const Errc why : {Errc::kTimeout, Errc::kUnavailable, Errc::kCorrupt}) {
    mirrors_.online.clear();
    mirrors_.refusing = {id(0), id(1), id(3)};
    mirrors_.refusal = why;
    clock_.advance(std::chrono::minutes(5));
    static_cast<void>(keep());
    EXPECT_TRUE(mirrors_.online.contains(id(2)));
  }
  mirrors_.online.clear();
  mirrors_.refusal = Errc::kCancelled;
  mirrors_.additions = 0;
  clock_.advance(std::chrono::minutes(5));
  EXPECT_EQ(keep().error(), Errc::kCancelled);
  EXPECT_EQ(mirrors_.additions, 1);
}

TEST_F(MirrorKeeperTest, AFailureIsTriedAgainLaterAndLaterOrWhenDrivesCome) {
  ASSERT_TRUE(keep());
  lose(0);
  ASSERT_TRUE(keep());
  clock_.advance(std::chrono::seconds(4));
  mirrors_.refuse = true;
  EXPECT_EQ(keep().error(), Errc::kNoSpace);
  EXPECT_EQ(keeper_->trouble(), "metadata mirror on s3: no room");
  EXPECT_TRUE(keep());
  EXPECT_EQ(mirrors_.additions, 1);
  clock_.advance(std::chrono::seconds(6));
  EXPECT_FALSE(keep());
  clock_.advance(std::chrono::seconds(6));
  EXPECT_TRUE(keep()) << "ten seconds after the second failure, not five";
  EXPECT_EQ(mirrors_.additions, 2);
  back(0);
  mirrors_.refuse = false;
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online.size(), 3U);
  EXPECT_EQ(keeper_->trouble(), "");
}

TEST_F(MirrorKeeperTest, ADamagedMirrorIsGivenUpAndMadeAnew) {
  ASSERT_TRUE(keep());
  mirrors_.damaged = {id(1)};
  const auto damaged = keeper_->verify([](std::uint64_t) { return true; });
  ASSERT_TRUE(damaged) << damaged.error().describe();
  EXPECT_EQ(*damaged, 1U);
  mirrors_.damaged.clear();
  ASSERT_TRUE(keep());
  EXPECT_EQ(mirrors_.online, (std::set<DriveId>{id(0), id(1), id(2)}));
  mirrors_.online = {id(2)};
  mirrors_.damaged = {id(2)};
  EXPECT_EQ(keeper_->verify([](std::uint64_t) { return true; }).error(), Errc::kCorrupt);
}

}  // namespace
}  // namespace andromede::fleet
