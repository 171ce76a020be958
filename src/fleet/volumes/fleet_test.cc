// Loss, replacement, joining, bit rot: with the real engines.
#include "fleet/fleet.h"

#include <fstream>

#include "fleet/volumes/test_fleet_cloud.h"

namespace andromede::fleet {
namespace {

namespace fs = std::filesystem;

// Overwrites a few bytes in the middle of a shard.
void rot(FleetCloud& cloud, BlobId id, unsigned shard) {
  const blob::ShardPlace place = cloud.ref(id).shards[shard];
  const std::string drive = cloud.drives->map()->find(place.drive)->path;
  const fs::path volume = fs::directory_iterator(drive + "/volumes")->path();
  std::fstream file(volume, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(place.offset + 10'000));
  file.write("rotten", 6);
}

// The real mirrors, the first of which is said to be slow.
class SlowMirrors final : public MirrorsOver {
 public:
  using MirrorsOver::MirrorsOver;
  [[nodiscard]] std::vector<meta::MirrorStatus> mirrors() const override {
    auto all = MirrorsOver::mirrors();
    all.front().waited_for = std::chrono::milliseconds(8000);
    return all;
  }
};

TEST(Fleet, AMirrorThatChangesWaitForIsWarnedOf) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.fleet->stop();
  SlowMirrors slow(*cloud.meta);
  cloud.fleet = make_volumes_fleet(*cloud.drives, *cloud.candidates, *cloud.blobs, *cloud.catalog, cloud.authenticator,
                                   *cloud.meta, slow, cloud.policies, cloud.admit, cloud.clock, cloud.random,
                                   cloud.metrics, cloud.options);
  const auto status = cloud.fleet->status();
  const io::DriveInfo& drive = *cloud.drives->map()->find(cloud.meta->mirrors().front().drive);
  ASSERT_EQ(status->warnings.size(), 1U);
  EXPECT_TRUE(status->warnings.front().starts_with("drive " + drive.name.value() + " (site " + drive.site.value() +
                                                   ") is slow: within the last minute changes waited 8000 ms for it"))
      << status->warnings.front();
  cloud.fleet.reset();
}

TEST(Fleet, WhatAReadFindsDamagedIsRepairedByItself) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(5, 60'000);
  const BlobId id = cloud.bodies.begin()->first;
  rot(cloud, id, 0);
  rot(cloud, id, 1);
  cloud.expect_all_readable();
  ASSERT_TRUE(eventually([&] { return cloud.fleet->status()->repaired >= 2; })) << cloud.reasons();
  cloud.expect_all_whole(2);
}

TEST(Fleet, AScrubFindsAForgedShardRepairsItAndNamesTheDrive) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(5, 60'000);
  const BlobId id = cloud.bodies.begin()->first;
  const std::string liar = cloud.forge(id, 1);
  cloud.authenticator.answer = 1U << 1;
  const auto scrub = cloud.fleet->scrub("claire");
  ASSERT_TRUE(scrub);
  const Job end = cloud.ended(scrub->number);
  EXPECT_EQ(end.state, JobState::kDone) << end.message;
  EXPECT_EQ(end.repaired, 1U) << end.message;
  cloud.expect_all_readable();
  cloud.expect_all_whole(2);
  EXPECT_EQ(cloud.drive(liar).usage.lies, 1U);
  EXPECT_NE(cloud.reasons().find("drive " + liar), std::string::npos) << cloud.reasons();
  cloud.authenticator.answer = 0;
  const auto again = cloud.fleet->scrub("claire");
  ASSERT_TRUE(again);
  EXPECT_EQ(cloud.ended(again->number).repaired, 0U);
}

TEST(Fleet, ABlobThatCannotBeRebuiltIsReportedAndTheOthersAreHealed) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(10, 60'000);
  const BlobId id = cloud.bodies.begin()->first;
  for (unsigned shard = 0; shard < 3; ++shard) rot(cloud, id, shard);
  rot(cloud, std::next(cloud.bodies.begin())->first, 2);
  const auto scrub = cloud.fleet->scrub("claire");
  ASSERT_TRUE(scrub);
  const Job end = cloud.ended(scrub->number);
  EXPECT_EQ(end.state, JobState::kFailed);
  EXPECT_EQ(end.lost, 1U) << end.message;
  EXPECT_GE(end.repaired, 1U) << end.message;
  EXPECT_TRUE(cloud.fleet->status()->degraded);
  cloud.bodies.erase(id);
  cloud.expect_all_whole(2);
}

TEST(Fleet, AScrubThatFellDueWhileNothingRanStartsByItself) {
  FleetCloud cloud({1, 1, 1, 1});
  const auto scrubs = [&] {
    const auto jobs = cloud.fleet->status()->jobs;
    return std::count_if(jobs.begin(), jobs.end(), [](const Job& job) { return job.kind == JobKind::kScrub; });
  };
  const auto first = cloud.fleet->scrub("claire");
  ASSERT_TRUE(first);
  EXPECT_EQ(cloud.ended(first->number).state, JobState::kDone);
  EXPECT_TRUE(cloud.journaled("CompleteScrub"));
  cloud.reopen();
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); }));
  EXPECT_EQ(scrubs(), 0);
  cloud.options.scrub_every = std::chrono::hours(0);
  cloud.reopen();
  EXPECT_TRUE(eventually([&] { return scrubs() > 0; }));
}

TEST(Fleet, AReplacedDriveGetsBackWhatWasLost) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(30, 40'000);
  const DriveId lost = cloud.drive("s2-1").id;
  EXPECT_EQ(cloud.fleet->replace_drive(DriveName("s2-1"), cloud.path("s2-1"), "claire").error(), Errc::kRefused)
      << "an online drive is drained, not replaced";
  fs::remove_all(cloud.path("s2-1"));
  ASSERT_TRUE(eventually([&] { return cloud.fleet->status()->degraded && !cloud.drive("s2-1").online; }));
  EXPECT_NE(cloud.reasons().find("only sure to survive further lost sites: 1, lost drives: 1"), std::string::npos)
      << cloud.reasons();
  cloud.expect_all_readable();

  ASSERT_TRUE(cloud.fleet->replace_drive(DriveName("s2-1"), cloud.make_folder("new"), "claire"));
  EXPECT_NE(cloud.drive("s2-1").id, lost);
  ASSERT_TRUE(eventually([&] {
    const bool degraded = cloud.fleet->status()->degraded;
    EXPECT_TRUE(degraded || cloud.fleet->status()->repaired >= 30U) << "what was lost is not there yet";
    return cloud.healthy();
  })) << cloud.reasons();
  cloud.expect_all_whole(2);
  cloud.expect_all_readable();
  EXPECT_GE(cloud.fleet->status()->repaired, 30U);
  EXPECT_TRUE(cloud.journaled("ReplaceDrive"));
  EXPECT_EQ(cloud.drives->map()->find(lost)->state, io::DriveState::kReplaced);
  cloud.reopen();
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  cloud.expect_all_whole(2);
}

TEST(Fleet, WhatVanishedWithVolumesOfADriveThatIsThereIsMadeGood) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(10, 40'000);
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  // No volume is open then.
  cloud.reopen();
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  fs::rename(cloud.path("s2-1") + "/volumes", cloud.path("taken"));
  ASSERT_TRUE(eventually([&] { return cloud.fleet->status()->repaired > 0; })) << cloud.reasons();
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  EXPECT_EQ(cloud.fleet->status()->repaired, 10U);
  cloud.expect_all_whole(2);
}

TEST(Fleet, WhatWasWrittenWithoutASiteIsSpreadWhenItComesBack) {
  FleetCloud cloud({2, 2, 2, 2});
  for (const char* drive : {"s0-1", "s0-2"}) fs::rename(cloud.path(drive), cloud.path(drive) + ".away");
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 6; }));
  cloud.put_many(20, 40'000);
  for (const char* drive : {"s0-1", "s0-2"}) fs::rename(cloud.path(drive) + ".away", cloud.path(drive));
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 8 && cloud.healthy(); }))
      << cloud.reasons();
  cloud.expect_all_whole(2);
  cloud.expect_all_readable();
}

TEST(Fleet, ShardsThatGotNoDriveAreRebuilt) {
  FleetCloud cloud({1, 1, 1, 1});
  fs::rename(cloud.path("s3-1"), cloud.path("away"));
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 3; }));
  const auto written = cloud.ref(cloud.put(40'000));
  EXPECT_TRUE(written.shards.back().drive.is_none());
  fs::rename(cloud.path("away"), cloud.path("s3-1"));
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 4 && cloud.healthy(); }))
      << cloud.reasons();
  cloud.expect_all_whole(2);
}

// A heal that takes hours, of what was written while a drive was away.
class SlowHeal : public testing::Test {
 protected:
  static void slow_down(FleetCloud& cloud) {
    cloud.options.bandwidth_bytes_per_s = 1;
    cloud.options.short_writes_quiet = std::chrono::hours(1);
    cloud.reopen();
  }
  static void write_without(FleetCloud& cloud, const std::string& drive) {
    fs::rename(cloud.path(drive), cloud.path("away"));
    ASSERT_TRUE(eventually([&] { return !cloud.drive(drive).online; }));
    cloud.put_many(10, 40'000);
  }
  static bool owes(FleetCloud& cloud) {
    const std::string reasons = cloud.reasons();
    EXPECT_NE(reasons, "");
    return reasons.find("no heal has made all whole since") != std::string::npos;
  }
  static bool heals(FleetCloud& cloud) {
    const auto jobs = cloud.fleet->status()->jobs;
    return std::any_of(jobs.begin(), jobs.end(), [](const Job& job) {
      return job.kind == JobKind::kHeal && job.state == JobState::kRunning && job.bytes_done > 0;
    });
  }
};

TEST_F(SlowHeal, OfADriveThatCameBackIsOwedUntilItHasEnded) {
  FleetCloud cloud({1, 1, 1, 1});
  slow_down(cloud);
  write_without(cloud, "s3-1");
  fs::rename(cloud.path("away"), cloud.path("s3-1"));
  ASSERT_TRUE(eventually([&] { return owes(cloud); })) << cloud.reasons();
  ASSERT_TRUE(eventually([&] { return heals(cloud); })) << cloud.reasons();
  EXPECT_TRUE(owes(cloud)) << cloud.reasons();
}

// Only its first arrival is none.
TEST_F(SlowHeal, OfAnAddedDriveThatCameBackIsOwed) {
  FleetCloud cloud({1, 1, 1});
  slow_down(cloud);
  ASSERT_TRUE(cloud.fleet->add_drive(cloud.new_drive("s3", 1), "claire"));
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 4; }));
  write_without(cloud, "s3-1");
  fs::rename(cloud.path("away"), cloud.path("s3-1"));
  ASSERT_TRUE(eventually([&] { return owes(cloud); })) << cloud.reasons();
}

// The heal of the drive's return is over before the write is.
TEST(Fleet, AWriteThatEndsOneShardShortIsHealed) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.options.short_writes_quiet = std::chrono::milliseconds(100);
  cloud.reopen();
  fs::rename(cloud.path("s3-1"), cloud.path("away"));
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 3; }));
  const BlobId id = cloud.put(40'000, [&] {
    fs::rename(cloud.path("away"), cloud.path("s3-1"));
    EXPECT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 4 && cloud.healthy(); }));
  });
  EXPECT_TRUE(eventually([&] { return !cloud.ref(id).shards.back().drive.is_none(); })) << cloud.reasons();
  cloud.expect_all_whole(2);
}

TEST(Fleet, AHealGoesBeforeAScrubThatIsStartedAgainAfterwards) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(20, 200'000);
  cloud.options.bandwidth_bytes_per_s = 2 << 20;
  cloud.reopen();
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  const auto scrub = cloud.fleet->scrub("claire");
  ASSERT_TRUE(scrub);
  const auto heals_done = [&] {
    const auto jobs = cloud.fleet->status()->jobs;
    return std::count_if(jobs.begin(), jobs.end(),
                         [](const Job& job) { return job.kind == JobKind::kHeal && job.state == JobState::kDone; });
  };
  const auto before = heals_done();
  fs::rename(cloud.path("s3-1"), cloud.path("away"));
  ASSERT_TRUE(eventually([&] { return !cloud.drive("s3-1").online; }));
  fs::rename(cloud.path("away"), cloud.path("s3-1"));
  ASSERT_TRUE(eventually([&] { return heals_done() > before; }));
  EXPECT_EQ(cloud.fleet->job(scrub->number)->state, JobState::kRunning);
  EXPECT_EQ(cloud.ended(scrub->number).state, JobState::kDone);
}

TEST(Fleet, ScrubFindsARottenMetadataMirrorAndItIsMadeAnew) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(50, 1000);
  cloud.reopen();
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  ASSERT_TRUE(cloud.drive("s1-1").metadata_mirror_current);
  fs::path largest;
  for (const auto& entry : fs::directory_iterator(cloud.path("s1-1") + "/meta/state")) {
    if (entry.path().extension() == ".sst" && (largest.empty() || entry.file_size() > fs::file_size(largest))) {
      largest = entry.path();
    }
  }
  ASSERT_FALSE(largest.empty());
  std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file.write("rotten", 6);
  file.close();
  const auto scrub = cloud.fleet->scrub("claire");
  ASSERT_TRUE(scrub);
  const Job end = cloud.ended(scrub->number);
  EXPECT_EQ(end.state, JobState::kDone) << end.message;
  EXPECT_NE(end.message.find("3 metadata mirrors read, 1 damaged"), std::string::npos) << end.message;
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  EXPECT_TRUE(cloud.drive("s1-1").metadata_mirror_current);
  const auto again = cloud.fleet->scrub("claire");
  EXPECT_NE(cloud.ended(again->number).message.find("3 metadata mirrors read, 0 damaged"), std::string::npos);
}

TEST(Fleet, ScrubFindsRottenBitsAndRepairsThem) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(10, 60'000);
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  rot(cloud, cloud.bodies.begin()->first, 1);
  const auto scrub = cloud.fleet->scrub("claire");
  ASSERT_TRUE(scrub);
  const Job end = cloud.ended(scrub->number);
  EXPECT_EQ(end.state, JobState::kDone) << end.message;
  EXPECT_EQ(end.message,
            "10 blobs read, 1 shards damaged, 1 repaired; 3 metadata mirrors read, 0 damaged and made anew");
  // The read that the shard is rebuilt from may meet it once more.
  EXPECT_GE(cloud.fleet->status()->damaged_found, 1U);
  cloud.expect_all_whole(2);
  const auto again = cloud.fleet->scrub("claire");
  ASSERT_TRUE(again);
  EXPECT_EQ(cloud.ended(again->number).message,
            "10 blobs read, 0 shards damaged, 0 repaired; 3 metadata mirrors read, 0 damaged and made anew");
}

TEST(Fleet, ANewDriveDegradesNothing) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(10, 40'000);
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  ASSERT_TRUE(cloud.fleet->add_drive(cloud.new_drive("s4", 1), "claire"));
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(cloud.reasons(), "");
    return cloud.healthy();
  })) << cloud.changes();
}

TEST(Fleet, ANewDriveIsFilledEvenlyAndNoMoreThanNeededMoves) {
  constexpr std::uint64_t kCapacity = 200 << 20;
  FleetCloud cloud({1, 1, 1, 1}, kCapacity);
  cloud.put_many(120, 200'000);
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  std::map<BlobId, blob::ShardedBlob> before;
  for (const auto& [id, body] : cloud.bodies) before[id] = cloud.ref(id);
  ASSERT_TRUE(cloud.fleet->add_drive(cloud.new_drive("s4", 1, kCapacity), "claire"));
  ASSERT_TRUE(eventually([&] {
    const auto jobs = cloud.fleet->status()->jobs;
    return std::any_of(jobs.begin(), jobs.end(),
                       [](const Job& job) { return job.kind == JobKind::kRebalance && job.state == JobState::kDone; });
  })) << cloud.reasons();
  std::uint64_t moved = 0;
  for (const auto& [id, ref] : before) {
    const blob::ShardedBlob now = cloud.ref(id);
    for (std::size_t i = 0; i < ref.shards.size(); ++i) moved += ref.shards[i].drive != now.shards[i].drive ? 1 : 0;
  }
  // 480 shards on five drives: 96 each is even.
  EXPECT_GE(moved, 85U);
  EXPECT_LE(moved, 100U);
  EXPECT_EQ(cloud.drive("s4-1").usage.shards, moved);
  cloud.expect_all_whole(2);
}

TEST(Fleet, ALostMetadataMirrorIsMadeAgainOnAnotherSite) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(5, 1000);
  ASSERT_TRUE(cloud.drive("s0-1").metadata_mirror_current);
  ASSERT_FALSE(cloud.drive("s3-1").metadata_mirror_current);
  fs::rename(cloud.path("s0-1"), cloud.path("away"));
  ASSERT_TRUE(eventually([&] { return cloud.drive("s3-1").metadata_mirror_current; })) << cloud.reasons();
  fs::rename(cloud.path("away"), cloud.path("s0-1"));
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  EXPECT_FALSE(cloud.drive("s0-1").metadata_mirror_current);
  cloud.expect_all_whole(2);
}

TEST(Fleet, ReadsAndWritesGoOnWithTwoSitesLost) {
  FleetCloud cloud({2, 2, 2, 2});
  cloud.put_many(20, 40'000);
  for (const char* drive : {"s0-1", "s0-2", "s1-1", "s1-2"}) fs::remove_all(cloud.path(drive));
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 4; }));
  cloud.put_many(5, 40'000);
  cloud.expect_all_readable();
  const auto status = cloud.fleet->status();
  EXPECT_TRUE(status->degraded);
  EXPECT_EQ(status->policies.front().actual.site_losses, 1U);
  for (const char* drive : {"s0-1", "s0-2", "s1-1", "s1-2"}) {
    ASSERT_TRUE(cloud.fleet->replace_drive(DriveName(drive), cloud.make_folder(std::string(drive) + "-new"), "claire"));
  }
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  cloud.expect_all_whole(2);
  cloud.expect_all_readable();
}

// With fewer drives than shards fewer shards are written: what they survive is told, not that nothing is.
TEST(Fleet, TheStatusTellsWhatTheFewShardsThatAreWrittenSurvive) {
  FleetCloud cloud({2, 2, 2, 2});
  const auto away = [&](const char* drive) { fs::rename(cloud.path(drive), cloud.path(drive) + ".away"); };
  for (const char* drive : {"s0-1", "s0-2", "s1-1", "s1-2", "s2-1"}) away(drive);
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 3; }));
  const auto status = cloud.fleet->status();
  EXPECT_EQ(status->policies.front().actual, (sovereignty::Tolerance{0, 1}));
  EXPECT_NE(cloud.reasons().find("what is written now survives the loss of 1 drive; 2 are demanded"), std::string::npos)
      << cloud.reasons();
  EXPECT_NE(cloud.reasons().find("3 can take data: 1 drive missing"), std::string::npos) << cloud.reasons();
  away("s2-2");
  ASSERT_TRUE(eventually([&] { return cloud.fleet->writes_refused().has_value(); }));
  EXPECT_TRUE(eventually([&] {
    return cloud.fleet->writes_refused()->why.find("2 drives take data, and 3 have to") != std::string::npos;
  })) << cloud.fleet->writes_refused()->why;
}

// Whoever is told that all is well may lose what the policy tolerates, in the next moment too.
TEST(Fleet, AllIsWellOnlyOnceTheMirrorsAreSpreadAndTheMapSaysWhoIsBack) {
  FleetCloud cloud({2, 2, 2, 2});
  const std::vector<std::string> gone = {"s0-1", "s0-2", "s1-1", "s1-2"};
  for (const std::string& drive : gone) fs::rename(cloud.path(drive), cloud.path(drive) + ".away");
  const auto mirrors = [&](bool among_gone) {
    const auto status = cloud.fleet->status();
    std::set<SiteId> sites;
    std::size_t count = 0;
    for (const DriveStatus& drive : status->drives) {
      const bool was_gone = std::find(gone.begin(), gone.end(), drive.name.value()) != gone.end();
      if (!drive.metadata_mirror_current || (was_gone && !among_gone)) continue;
      sites.insert(drive.site);
      ++count;
    }
    return std::pair(count, sites.size());
  };
  ASSERT_TRUE(eventually([&] { return mirrors(false).first == 3; })) << cloud.reasons();
  ASSERT_TRUE(eventually([&] { return cloud.drives->presence_recorded(); }));
  for (const std::string& drive : gone) fs::rename(cloud.path(drive) + ".away", cloud.path(drive));
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 8; }));
  bool well = false;
  EXPECT_TRUE(eventually([&] {
    const auto now = cloud.fleet->status();
    well = !now->degraded && now->changes.empty();
    // Seen after the answer: what it says must have been true.
    EXPECT_TRUE(!well || (mirrors(true).second >= 3 && cloud.drives->presence_recorded()));
    return well;
  })) << cloud.reasons();
}

TEST(Fleet, SaysThatTheMapDoesNotSayYetWhoIsBack) {
  FleetCloud cloud({1, 1, 1, 1});
  // Of a mirror the map changes by itself.
  std::string gone;
  const auto now = cloud.fleet->status();
  for (const DriveStatus& drive : now->drives) {
    if (!drive.metadata_mirror_current) gone = drive.name.value();
  }
  ASSERT_NE(gone, "");
  fs::rename(cloud.path(gone), cloud.path(gone) + ".away");
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 3; }));
  ASSERT_TRUE(eventually([&] { return cloud.drives->presence_recorded(); }));
  fs::rename(cloud.path(gone) + ".away", cloud.path(gone));
  bool told = false;
  EXPECT_TRUE(eventually([&] {
    told = told || cloud.changes().find("does not say so yet") != std::string::npos;
    EXPECT_EQ(cloud.reasons().find("does not say so yet"), std::string::npos);
    return cloud.healthy();
  })) << cloud.reasons();
  EXPECT_TRUE(told);
}

TEST(Fleet, ADriveIsAddedOnlyWhereItIsAdmitted) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.close();
  std::vector<std::string> asked;
  bool admitted = false;
  cloud.admit = [&](const io::DriveInfo& drive, const std::function<Status()>& join) -> Status {
    asked.push_back(drive.site.value());
    return admitted ? join() : fail(Errc::kRefused, "apply it first");
  };
  cloud.open();
  const auto drive = cloud.new_drive("s9", 1);
  EXPECT_EQ(cloud.fleet->add_drive(drive, "claire").error(), Errc::kRefused);
  EXPECT_EQ(cloud.drives->map()->drives.size(), 4U);
  EXPECT_FALSE(cloud.journaled("AddDrive"));
  EXPECT_TRUE(fs::is_empty(drive.path));
  admitted = true;
  EXPECT_TRUE(cloud.fleet->add_drive(drive, "claire"));
  EXPECT_EQ(cloud.drives->map()->drives.size(), 5U);
  EXPECT_EQ(asked, (std::vector<std::string>{"s9", "s9"}));
}

TEST(Fleet, ADriveWithAKnownNameOrFolderOrAnothersSiteIsNotAdded) {
  FleetCloud cloud({1, 1, 1, 1});
  auto drive = cloud.new_drive("s9", 1);
  auto wrong = drive;
  wrong.name = DriveName("s0-1");
  EXPECT_EQ(cloud.fleet->add_drive(wrong, "claire").error(), Errc::kAlreadyExists);
  wrong = drive;
  wrong.path = cloud.path("s0-1");
  EXPECT_EQ(cloud.fleet->add_drive(wrong, "claire").error(), Errc::kAlreadyExists);
  wrong = drive;
  wrong.site = SiteId("s0");
  EXPECT_EQ(cloud.fleet->add_drive(wrong, "claire").error(), Errc::kInvalidArgument);
  EXPECT_EQ(cloud.drives->map()->drives.size(), 4U);
}

}  // namespace
}  // namespace andromede::fleet
