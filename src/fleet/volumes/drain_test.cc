// Withdrawal with the real engines: refusals, proof, restarts, abort.
#include "fleet/volumes/test_fleet_cloud.h"

namespace andromede::fleet {
namespace {

DrainRequest site(const char* id, std::optional<std::uint8_t> accept = std::nullopt) {
  DrainRequest request;
  request.site = SiteId(id);
  request.accept_site_losses = accept;
  return request;
}

bool drained(FleetCloud& cloud, const std::string& drive) { return cloud.drive(drive).phase == DrivePhase::kDrained; }

unsigned metadata_files(const FleetCloud& cloud, const std::string& drive) {
  namespace fs = std::filesystem;
  unsigned files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(cloud.path(drive) + "/meta"))
    files += !entry.is_directory();
  return files;
}

// Its drive is there when the drain of s1 begins, and away before that ends: of more blobs than are moved at once.
void lose_while_draining(FleetCloud& cloud) {
  const std::uint64_t bandwidth = std::exchange(cloud.options.bandwidth_bytes_per_s, 1);
  cloud.reopen();
  ASSERT_TRUE(cloud.fleet->drain(site("s1"), "claire"));
  cloud.close();
  std::filesystem::rename(cloud.path("s1-1"), cloud.path("away"));
  cloud.options.bandwidth_bytes_per_s = bandwidth;
  cloud.open();
}

std::uint64_t drain_job(FleetCloud& cloud) {
  const auto status = cloud.fleet->status();
  for (const Job& job : status->jobs) {
    if (job.kind == JobKind::kDrain) return job.number;
  }
  ADD_FAILURE() << "no drain";
  return 0;
}

TEST(Drain, MovesEverythingOffAndProvesIt) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.put_many(40, 40'000);
  const std::uint64_t shards = cloud.drive("s0-1").usage.shards;
  ASSERT_GT(shards, 0U);
  ASSERT_TRUE(cloud.drive("s0-1").metadata_mirror_current);
  const auto job = cloud.fleet->drain(site("s0"), "claire");
  ASSERT_TRUE(job) << job.error().describe();
  // What leaves is there until others have it.
  bool told = false;
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(cloud.reasons().find("metadata mirrors"), std::string::npos) << cloud.reasons();
    told = told || cloud.changes().find("2 of 3 are on drives that stay") != std::string::npos;
    return cloud.fleet->job(job->number)->state != JobState::kRunning;
  }));
  EXPECT_TRUE(told);
  const Job end = cloud.ended(job->number);
  EXPECT_EQ(end.state, JobState::kDone) << end.message;
  EXPECT_EQ(end.message, std::to_string(shards) + " shards moved; 0 shards, 0 mirrors left on s0-1");
  EXPECT_TRUE(drained(cloud, "s0-1"));
  EXPECT_FALSE(cloud.drive("s0-1").metadata_mirror_current);
  const auto again = cloud.fleet->drain(site("s0"), "claire");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message(), "site s0 has left the cloud already; see: andromede drive list");
  EXPECT_TRUE(std::filesystem::is_empty(cloud.path("s0-1") + "/volumes"));
  EXPECT_EQ(metadata_files(cloud, "s0-1"), 0U);
  cloud.expect_all_whole(2);
  cloud.expect_all_readable();
  EXPECT_TRUE(cloud.journaled("DrainSite"));
  EXPECT_TRUE(cloud.journaled("CompleteDrain"));
  EXPECT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
}

// They take part until others have taken their place.
TEST(Drain, OfMetadataMirrorsDegradesNothing) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.put_many(10, 40'000);
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  const auto drives = cloud.fleet->status()->drives;
  const auto mirror =
      std::find_if(drives.begin(), drives.end(), [](const auto& drive) { return drive.metadata_mirror_current; });
  ASSERT_NE(mirror, drives.end());
  DrainRequest request;
  request.drive = mirror->name;
  ASSERT_TRUE(cloud.fleet->drain(request, "claire"));
  ASSERT_TRUE(eventually([&] {
    const std::string reasons = cloud.reasons();
    EXPECT_EQ(reasons.find("metadata mirrors"), std::string::npos) << reasons;
    return testing::Test::HasFailure() || drained(cloud, request.drive->value());
  })) << cloud.changes();
}

TEST(Drain, ARefusalMovesAndMarksAndJournalsNothing) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(5, 40'000);
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  const auto map = *cloud.drives->map();
  const auto entries = cloud.meta->last_sequence();
  const auto refused = cloud.fleet->drain(site("s0", std::uint8_t{1}), "claire");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kRefused);
  EXPECT_EQ(refused.error().message(), "policy standard: a 2+2 code needs 4 drives; 3 would remain: add 1 drive first");
  EXPECT_EQ(*cloud.drives->map(), map);
  EXPECT_EQ(cloud.meta->last_sequence(), entries);
  cloud.expect_all_whole(2);
}

TEST(Drain, NamesWhatItDoesNotKnow) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  EXPECT_EQ(cloud.fleet->drain(site("nowhere"), "claire").error(), Errc::kNotFound);
  EXPECT_EQ(cloud.fleet->drain(DrainRequest{}, "claire").error(), Errc::kInvalidArgument);
  EXPECT_EQ(cloud.fleet->abort_drain("claire").error(), Errc::kConflict);
}

// The fleet is stopped and everything opened again, at once or when something moved; each process goes on where the
// last one was.
TEST(Drain, GoesOnAfterEveryRestart) {
  FleetCloud cloud({2, 2, 2, 2});
  // After each shard a process waits for hours.
  cloud.options.bandwidth_bytes_per_s = 1;
  cloud.reopen();
  cloud.put_many(30, 50'000);
  const auto left = [&] {
    const DriveId first = cloud.drive("s1-1").id;
    const DriveId second = cloud.drive("s1-2").id;
    std::ptrdiff_t shards = 0;
    for (const auto& [id, body] : cloud.bodies) {
      const blob::ShardedBlob now = cloud.ref(id);
      shards += std::count_if(now.shards.begin(), now.shards.end(), [&](const blob::ShardPlace& place) {
        return place.drive == first || place.drive == second;
      });
    }
    return shards;
  };
  ASSERT_TRUE(cloud.fleet->drain(site("s1", std::uint8_t{1}), "claire"));
  const std::ptrdiff_t all = left();
  for (int restarts = 0; restarts < 9; ++restarts) {
    const std::ptrdiff_t before = left();
    // A heal that comes first has the bandwidth of this process.
    const auto moved = [&] {
      return left() < before || (cloud.reasons() + cloud.changes()).find("heal") != std::string::npos;
    };
    if (restarts % 3 > 0) ASSERT_TRUE(eventually(moved)) << cloud.reasons();
    cloud.reopen();
  }
  EXPECT_LT(left(), all);
  EXPECT_GT(left(), 0);
  cloud.options.bandwidth_bytes_per_s = 64 << 20;
  cloud.reopen();
  ASSERT_TRUE(eventually([&] { return drained(cloud, "s1-1") && drained(cloud, "s1-2"); })) << cloud.reasons();
  cloud.expect_all_whole(1);
  cloud.expect_all_readable();
  EXPECT_EQ(cloud.drives->map()->accepted_site_losses, std::uint8_t{1});
}

TEST(Drain, KeepsItsBandwidthOverARestart) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.put_many(60, 50'000);
  DrainRequest request = site("s1");
  // After each shard it waits for hours.
  request.bandwidth_bytes_per_s = 1;
  ASSERT_TRUE(cloud.fleet->drain(request, "claire"));
  cloud.reopen();
  const auto moved = [&] {
    const auto status = cloud.fleet->status();
    return !status->jobs.empty() && status->jobs.front().kind == JobKind::kDrain && status->jobs.front().bytes_done > 0;
  };
  ASSERT_TRUE(eventually(moved)) << cloud.reasons();
  // Long enough to end at the configured bandwidth.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(cloud.drive("s1-1").phase, DrivePhase::kDraining);
  EXPECT_LT(cloud.fleet->status()->jobs.front().bytes_done, 600'000U);

  ASSERT_TRUE(cloud.fleet->abort_drain("claire"));
  ASSERT_TRUE(eventually([&] { return cloud.fleet->drain(site("s1"), "claire").has_value(); }));
  cloud.reopen();
  ASSERT_TRUE(eventually([&] { return drained(cloud, "s1-1"); })) << cloud.reasons();
}

TEST(Drain, WhatWasAcceptedOfItHoldsOverARestart) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.options.bandwidth_bytes_per_s = 1;
  cloud.options.max_fruitless_passes = 2;
  cloud.reopen();
  cloud.put_many(40, 40'000);
  std::filesystem::rename(cloud.path("s1-1"), cloud.path("away"));
  ASSERT_TRUE(eventually([&] { return !cloud.drive("s1-1").online; }));
  DrainRequest accepting = site("s1");
  accepting.accept_unerased = true;
  ASSERT_TRUE(cloud.fleet->drain(accepting, "claire"));
  cloud.options.bandwidth_bytes_per_s = 64 << 20;
  cloud.reopen();
  ASSERT_TRUE(eventually([&] { return drained(cloud, "s1-1"); })) << cloud.reasons();
}

DrainRequest accepting_s1() {
  DrainRequest request = site("s1");
  request.accept_unerased = true;
  return request;
}

// Two drives leave. One is away as that is accepted; the other one is not there after a restart.
void lose_both_of_s1(FleetCloud& cloud) {
  cloud.options.bandwidth_bytes_per_s = 1;
  cloud.options.max_fruitless_passes = 2;
  cloud.reopen();
  cloud.put_many(40, 40'000);
  std::filesystem::rename(cloud.path("s1-1"), cloud.path("away-1"));
  ASSERT_TRUE(eventually([&] { return !cloud.drive("s1-1").online; }));
  ASSERT_TRUE(cloud.fleet->drain(accepting_s1(), "claire"));
  cloud.close();
  std::filesystem::rename(cloud.path("s1-2"), cloud.path("away-2"));
  cloud.options.bandwidth_bytes_per_s = 64 << 20;
  cloud.open();
}

// The other one is mounted late.
TEST(Drain, WhatWasAcceptedOfOneDriveLetsNoOtherLeaveUnerased) {
  FleetCloud cloud({2, 2, 2, 2, 2});
  cloud.options.orphan_grace = std::chrono::milliseconds(100);
  ASSERT_NO_FATAL_FAILURE(lose_both_of_s1(cloud));
  const Job waits = cloud.ended(drain_job(cloud));
  EXPECT_EQ(waits.state, JobState::kFailed);
  EXPECT_NE(waits.message.find("s1-2 is offline and cannot be erased"), std::string::npos) << waits.message;
  EXPECT_EQ(waits.message.find("s1-1"), std::string::npos) << waits.message;
  EXPECT_FALSE(cloud.journaled("EraseDrainedDrives"));
  // What was accepted need not be again; what was not is refused.
  const auto refused = cloud.fleet->drain(site("s1"), "claire");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "s1-2 is offline and cannot be erased: bring it back, or accept that with --accept-unerased");

  std::filesystem::rename(cloud.path("away-2"), cloud.path("s1-2"));
  ASSERT_TRUE(eventually([&] { return drained(cloud, "s1-1") && drained(cloud, "s1-2"); })) << cloud.reasons();
  EXPECT_TRUE(std::filesystem::is_empty(cloud.path("s1-2") + "/volumes"));
  unsigned told = 0;
  for (const std::string& event : cloud.journaled()) {
    if (event.find("\"CompleteDrain\"") == std::string::npos) continue;
    EXPECT_NE(event.find("\"offlineNotErased\":\"s1-1\""), std::string::npos) << event;
    ++told;
  }
  EXPECT_EQ(told, 1U);
  cloud.expect_all_whole(2);
}

TEST(Drain, ThatWhichIsAwayLaterIsAcceptedByAskingAgain) {
  FleetCloud cloud({2, 2, 2, 2, 2});
  ASSERT_NO_FATAL_FAILURE(lose_both_of_s1(cloud));
  ASSERT_EQ(cloud.ended(drain_job(cloud)).state, JobState::kFailed);
  const auto again = cloud.fleet->drain(accepting_s1(), "claire");
  ASSERT_TRUE(again) << again.error().describe();
  const Job end = cloud.ended(again->number);
  EXPECT_EQ(end.state, JobState::kDone) << end.message;
  EXPECT_NE(end.message.find("offline and not erased, as accepted: s1-1, s1-2"), std::string::npos) << end.message;
  const auto events = cloud.journaled();
  const auto resumed = std::find_if(events.begin(), events.end(), [](const std::string& event) {
    return event.find("\"ResumeDrain\"") != std::string::npos;
  });
  ASSERT_NE(resumed, events.end());
  EXPECT_NE(resumed->find("\"acceptedUnerased\":\"s1-1, s1-2\""), std::string::npos) << *resumed;
}

// Accepted of the drives that are away at that moment: of none here.
TEST(Drain, WhatIsAcceptedWhileAllAreThereLetsNoneLeaveUnerased) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.options.bandwidth_bytes_per_s = 1;
  cloud.options.max_fruitless_passes = 2;
  cloud.reopen();
  cloud.put_many(40, 40'000);
  DrainRequest accepting = site("s1");
  accepting.accept_unerased = true;
  ASSERT_TRUE(cloud.fleet->drain(accepting, "claire"));
  cloud.close();
  std::filesystem::rename(cloud.path("s1-1"), cloud.path("away"));
  cloud.options.bandwidth_bytes_per_s = 64 << 20;
  cloud.open();
  const Job waits = cloud.ended(drain_job(cloud));
  EXPECT_EQ(waits.state, JobState::kFailed);
  EXPECT_NE(waits.message.find("s1-1 is offline and cannot be erased"), std::string::npos) << waits.message;
}

TEST(Drain, WritesDuringADrainGoElsewhere) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.options.bandwidth_bytes_per_s = 2 << 20;
  cloud.reopen();
  cloud.put_many(30, 50'000);
  const auto job = cloud.fleet->drain(site("s2"), "claire");
  ASSERT_TRUE(job);
  const DriveId leaving = cloud.drive("s2-1").id;
  while (cloud.fleet->job(job->number)->state == JobState::kRunning) {
    const auto ref = cloud.ref(cloud.put(20'000));
    EXPECT_TRUE(std::none_of(ref.shards.begin(), ref.shards.end(),
                             [&](const blob::ShardPlace& place) { return place.drive == leaving; }));
  }
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
  cloud.expect_all_whole(2);
  cloud.expect_all_readable();
}

TEST(Drain, AbortedItsDrivesTakeDataAgain) {
  FleetCloud cloud({2, 2, 2, 2});
  cloud.options.bandwidth_bytes_per_s = 1 << 20;
  cloud.reopen();
  cloud.put_many(40, 100'000);
  const auto job = cloud.fleet->drain(site("s1", std::uint8_t{1}), "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(cloud.fleet->scrub("claire").error(), Errc::kConflict);
  EXPECT_EQ(cloud.fleet->drain(site("s2", std::uint8_t{1}), "claire").error(), Errc::kConflict);
  ASSERT_TRUE(cloud.fleet->abort_drain("claire"));
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kAborted);
  EXPECT_EQ(cloud.ended(job->number).message, "by an operator");
  EXPECT_EQ(cloud.drive("s1-1").phase, DrivePhase::kActive);
  EXPECT_FALSE(cloud.drives->map()->accepted_site_losses);
  EXPECT_TRUE(cloud.journaled("AbortDrain"));
  cloud.expect_all_readable();
}

TEST(Drain, AMirrorThatWasLostForAMomentLeavesNothingBehind) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.put_many(5, 40'000);
  ASSERT_TRUE(cloud.drive("s0-1").metadata_mirror_current);
  std::filesystem::rename(cloud.path("s0-1"), cloud.path("away"));
  ASSERT_TRUE(eventually([&] {
    return cloud.drive("s3-1").metadata_mirror_current || cloud.drive("s4-1").metadata_mirror_current;
  })) << cloud.reasons();
  std::filesystem::rename(cloud.path("away"), cloud.path("s0-1"));
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  const auto job = cloud.fleet->drain(site("s0"), "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
  EXPECT_EQ(metadata_files(cloud, "s0-1"), 0U);
}

TEST(Drain, OfAnOfflineDriveIsRefusedUnlessThatIsAccepted) {
  FleetCloud cloud({2, 1, 1, 1, 1});
  cloud.put_many(5, 40'000);
  std::filesystem::rename(cloud.path("s0-2"), cloud.path("away"));
  ASSERT_TRUE(eventually([&] { return !cloud.drive("s0-2").online; }));
  const auto refused = cloud.fleet->drain(site("s0"), "claire");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kRefused);
  EXPECT_EQ(refused.error().message(),
            "s0-2 is offline and cannot be erased: bring it back, or accept that with --accept-unerased");
  EXPECT_FALSE(cloud.journaled("DrainSite"));
  EXPECT_EQ(cloud.drive("s0-1").phase, DrivePhase::kActive);
  DrainRequest accepting = site("s0");
  accepting.accept_unerased = true;
  const auto job = cloud.fleet->drain(accepting, "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
}

TEST(Drain, AnOfflineDriveIsNotProvenEmptyUnlessThatIsAccepted) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.options.max_fruitless_passes = 2;
  cloud.reopen();
  cloud.put_many(40, 40'000);
  lose_while_draining(cloud);
  const Job stuck = cloud.ended(drain_job(cloud));
  EXPECT_GT(stuck.bytes_total, 0U);
  EXPECT_EQ(stuck.state, JobState::kFailed);
  EXPECT_NE(stuck.message.find("s1-1 is offline and cannot be erased"), std::string::npos) << stuck.message;
  EXPECT_EQ(cloud.drive("s1-1").phase, DrivePhase::kDraining);
  EXPECT_FALSE(cloud.journaled("CompleteDrain"));
  EXPECT_EQ(cloud.fleet->replace_drive(DriveName("s1-1"), cloud.make_folder("new"), "claire").error(), Errc::kConflict);

  // To begin again would be in vain.
  EXPECT_EQ(cloud.fleet->drain(site("s1"), "claire").error(), Errc::kRefused);
  EXPECT_FALSE(cloud.journaled("ResumeDrain"));
  DrainRequest accepting = site("s1");
  accepting.accept_unerased = true;
  const auto again = cloud.fleet->drain(accepting_s1(), "claire");
  ASSERT_TRUE(again) << again.error().describe();
  const Job end = cloud.ended(again->number);
  EXPECT_EQ(end.state, JobState::kDone) << end.message;
  EXPECT_NE(end.message.find("not erased, as accepted: s1-1"), std::string::npos) << end.message;
  EXPECT_TRUE(drained(cloud, "s1-1"));
  cloud.expect_all_whole(2);
  cloud.expect_all_readable();
}

// What has no place any more cannot be proven to have left.
TEST(Drain, ABlobThatCannotBeRebuiltKeepsItsDriveThoughUnerasedIsAccepted) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.options.max_fruitless_passes = 2;
  cloud.reopen();
  const auto on = [&](const blob::ShardedBlob& ref, DriveId drive) {
    return std::any_of(ref.shards.begin(), ref.shards.end(),
                       [&](const blob::ShardPlace& place) { return place.drive == drive; });
  };
  const DriveId leaving = cloud.drive("s1-1").id;
  blob::ShardedBlob ref = cloud.ref(cloud.put(40'000));
  while (!on(ref, leaving)) ref = cloud.ref(cloud.put(40'000));
  std::filesystem::rename(cloud.path("s1-1"), cloud.path("away"));
  ASSERT_TRUE(eventually([&] { return !cloud.drive("s1-1").online; }));
  // Of the other three shards two are gone.
  unsigned released = 0;
  for (unsigned i = 0; i < ref.shards.size() && released < 2; ++i) {
    if (ref.shards[i].drive == leaving) continue;
    cloud.blobs->release_shard(ref.id, i, ref.shards[i]);
    ++released;
    ASSERT_TRUE(eventually([&] { return *cloud.blobs->verify_shard(ref, i, {}) == blob::ShardHealth::kMissing; }));
  }
  DrainRequest accepting = site("s1");
  accepting.accept_unerased = true;
  const auto job = cloud.fleet->drain(accepting, "claire");
  ASSERT_TRUE(job) << job.error().describe();
  const Job end = cloud.ended(job->number);
  EXPECT_EQ(end.state, JobState::kFailed);
  EXPECT_NE(end.message.find("1 blobs are still recorded on s1-1"), std::string::npos) << end.message;
  EXPECT_EQ(cloud.drive("s1-1").phase, DrivePhase::kDraining);
  EXPECT_FALSE(cloud.journaled("CompleteDrain"));
}

// Somebody lists while the mirror leaves: its files cannot be removed yet.
TEST(Drain, FilesOfAFormerMirrorThatIsStillReadKeepItsDrive) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.put_many(5, 40'000);
  ASSERT_EQ(cloud.meta->mirrors().front().drive, cloud.drive("s0-1").id);
  auto cursor = cloud.meta->cursor({{}, "", "", "", {}});
  ASSERT_TRUE(sync_wait(cursor->seek("")));
  const auto job = cloud.fleet->drain(site("s0"), "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_TRUE(eventually([&] {
    const auto now = cloud.fleet->job(job->number);
    return now->state != JobState::kRunning || now->message.find("files of the former") != std::string::npos;
  }));
  EXPECT_EQ(cloud.fleet->job(job->number)->state, JobState::kRunning) << cloud.fleet->job(job->number)->message;
  EXPECT_FALSE(cloud.journaled("EraseDrainedDrives"));
  EXPECT_GT(metadata_files(cloud, "s0-1"), 0U);
  cursor.reset();
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
  EXPECT_EQ(metadata_files(cloud, "s0-1"), 0U);
}

TEST(Drain, IsJournaledBeforeItIsDone) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.put_many(5, 40'000);
  const auto job = cloud.fleet->drain(site("s0"), "claire");
  ASSERT_TRUE(job);
  ASSERT_EQ(cloud.ended(job->number).state, JobState::kDone);
  std::vector<std::string> told;
  for (const std::string& event : cloud.journaled()) {
    for (const char* name : {"DrainSite", "EraseDrainedDrives", "CompleteDrain"}) {
      if (event.find("\"" + std::string(name) + "\"") != std::string::npos) told.emplace_back(name);
    }
  }
  EXPECT_EQ(told, (std::vector<std::string>{"DrainSite", "EraseDrainedDrives", "CompleteDrain"}));
}

TEST(Drain, GoesOnByItselfWhenItsDriveComesBack) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  cloud.options.orphan_grace = std::chrono::milliseconds(100);
  cloud.options.max_fruitless_passes = 1;
  cloud.reopen();
  cloud.put_many(40, 40'000);
  lose_while_draining(cloud);
  EXPECT_EQ(cloud.ended(drain_job(cloud)).state, JobState::kFailed);
  std::filesystem::rename(cloud.path("away"), cloud.path("s1-1"));
  ASSERT_TRUE(eventually([&] { return drained(cloud, "s1-1"); })) << cloud.reasons();
  EXPECT_TRUE(std::filesystem::is_empty(cloud.path("s1-1") + "/volumes"));
  EXPECT_EQ(metadata_files(cloud, "s1-1"), 0U);
}

TEST(Drain, WhatNeedNotBeAcceptedIsNotRemembered) {
  FleetCloud cloud({2, 2, 2, 2});
  DrainRequest request;
  request.drive = DriveName("s3-2");
  request.accept_site_losses = std::uint8_t{0};
  const auto job = cloud.fleet->drain(request, "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
  EXPECT_FALSE(cloud.drives->map()->accepted_site_losses);
}

TEST(Drain, NoLessIsRememberedAsAcceptedThanWhatTheRestSurvives) {
  FleetCloud cloud({4, 4, 2});
  const auto job = cloud.fleet->drain(site("s2", std::uint8_t{0}), "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(
      job->message,
      "from now on 1 lost site must be survived; policy standard demands 2, and what remains survives more than the 0 "
      "given");
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
  EXPECT_EQ(cloud.drives->map()->accepted_site_losses, std::uint8_t{1});
  const auto status = cloud.fleet->status();
  EXPECT_EQ(status->policies.front().demanded.site_losses, 1U);
  ASSERT_EQ(status->warnings.size(), 1U);
  EXPECT_EQ(
      status->warnings.front(),
      "policy standard demands to survive 2 lost sites; 1 is accepted since a withdrawal: add drives at a further site "
      "to end that");
  // The next withdrawal asks anew.
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  EXPECT_EQ(cloud.fleet->drain(site("s1"), "claire").error(), Errc::kRefused);
}

// There was once nothing that asked: the server did not end.
TEST(Drain, OfACloudWithoutBlobsEndsWithTheServer) {
  FleetCloud cloud({1, 1, 1, 1, 1});
  // Who lists while a mirror leaves keeps the drain from its end.
  ASSERT_EQ(cloud.meta->mirrors().front().drive, cloud.drive("s0-1").id);
  auto cursor = cloud.meta->cursor({{}, "", "", "", {}});
  ASSERT_TRUE(sync_wait(cursor->seek("")));
  const auto job = cloud.fleet->drain(site("s0"), "claire");
  ASSERT_TRUE(job) << job.error().describe();
  ASSERT_TRUE(eventually([&] { return !cloud.fleet->job(job->number)->message.empty(); }));
  cloud.fleet->stop();
  EXPECT_NE(cloud.fleet->job(job->number)->state, JobState::kRunning);
}

TEST(Drain, ASingleDriveLeavesItsSiteBehind) {
  FleetCloud cloud({2, 2, 2, 2});
  cloud.put_many(20, 40'000);
  DrainRequest request;
  request.drive = DriveName("s3-2");
  const auto job = cloud.fleet->drain(request, "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
  EXPECT_TRUE(drained(cloud, "s3-2"));
  EXPECT_EQ(cloud.drive("s3-1").phase, DrivePhase::kActive);
  cloud.expect_all_whole(2);
}

// Four sites; "apart" is 2+1 without the last.
sovereignty::Policies with_apart() {
  return {{standard_policy(), policy_at({SiteId("s0"), SiteId("s1"), SiteId("s2")})}, PolicyId("standard")};
}
const PolicyId kApart("apart");

TEST(Policies, ADrainIsRefusedForThePolicyThatCouldNotBeKept) {
  FleetCloud cloud({2, 2, 2, 2, 2}, 0, with_apart());
  cloud.put(40'000, [] {}, kApart);
  const auto refused = cloud.fleet->drain(site("s1"), "claire");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kRefused);
  EXPECT_TRUE(
      refused.error().message().starts_with("policy apart: on the 2 sites that would remain (s0, s2), 2+1 shards "
                                            "survive the loss of 0 sites; 1 are demanded: "
                                            "first add drives at 1 further site"))
      << refused.error().message();
  EXPECT_EQ(cloud.drives->map()->epoch, cloud.fleet->status()->epoch);
  // The site that it does not use is only the other's matter.
  const auto job = cloud.fleet->drain(site("s3"), "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
  cloud.expect_all_within_policy();
}

TEST(Policies, WhatIsAcceptedIsLessForThoseAloneThatDemandMore) {
  FleetCloud cloud({2, 2, 2, 2}, 0, with_apart());
  const auto job = cloud.fleet->drain(site("s3", std::uint8_t{1}), "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(job->message, "from now on 1 lost site must be survived; policy standard demands 2");
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone);
  const auto status = cloud.fleet->status();
  ASSERT_EQ(status->policies.size(), 2U);
  EXPECT_EQ(status->policies[0].demanded.site_losses, 1U);
  EXPECT_EQ(status->policies[1].demanded.site_losses, 1U);
  ASSERT_EQ(status->warnings.size(), 1U);
  EXPECT_TRUE(status->warnings.front().starts_with("policy standard demands to survive 2 lost sites; 1 is accepted"));
}

// What is stored by one policy does not fit where it may lie, though there is room elsewhere.
TEST(Policies, ADrainIsRefusedWhereAPolicysDataWouldNotFitOnItsOwnSites) {
  sovereignty::Policy apart = policy_at({SiteId("s0"), SiteId("s1"), SiteId("s2")});
  apart.rule = {1, 1, 1, 1};
  FleetCloud cloud({1, 1, 1, 1, 1, 1, 1}, 600ULL << 20, {{standard_policy(), apart}, PolicyId("standard")});
  cloud.fleet->stop();
  cloud.options.reserve_bytes = 590ULL << 20;
  cloud.reopen();
  for (int i = 0; i < 6; ++i) cloud.put(8'000'000, [] {}, kApart);
  const auto refused = cloud.fleet->drain(site("s0"), "claire");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kRefused);
  EXPECT_TRUE(refused.error().message().starts_with("policy apart: ")) << refused.error().message();
  EXPECT_NE(refused.error().message().find("bytes would have to move"), std::string::npos) << refused.error().message();
}

TEST(Policies, DrivesAreLostReplacedDrainedAndJoinAndNoShardLeavesItsPolicy) {
  FleetCloud cloud({2, 2, 2, 2}, 0, with_apart());
  for (int i = 0; i < 10; ++i) {
    cloud.put(40'000);
    cloud.put(40'000, [] {}, kApart);
  }
  cloud.expect_all_within_policy();
  // Of a lost site's only the other policy's shards have somewhere to go.
  for (const char* drive : {"s1-1", "s1-2"}) std::filesystem::remove_all(cloud.path(drive));
  ASSERT_TRUE(eventually([&] { return cloud.candidates->snapshot()->size() == 6; }));
  EXPECT_NE(cloud.reasons().find("policy apart: what is written now survives the loss of 0 sites; 1 is demanded"),
            std::string::npos)
      << cloud.reasons();
  cloud.put(40'000, [] {}, kApart);
  cloud.expect_all_within_policy();
  for (const char* drive : {"s1-1", "s1-2"}) {
    ASSERT_TRUE(cloud.fleet->replace_drive(DriveName(drive), cloud.make_folder(std::string(drive) + "-new"), "claire"));
  }
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); })) << cloud.reasons();
  cloud.expect_all_within_policy();
  cloud.expect_all_whole(1);
  DrainRequest drive;
  drive.drive = DriveName("s0-2");
  const auto job = cloud.fleet->drain(drive, "claire");
  ASSERT_TRUE(job) << job.error().describe();
  EXPECT_EQ(cloud.ended(job->number).state, JobState::kDone) << cloud.fleet->job(job->number)->message;
  cloud.expect_all_within_policy();
  // An empty drive at the site that one of them excludes fills with the other's shards.
  ASSERT_TRUE(cloud.fleet->add_drive(cloud.new_drive("s3", 3), "claire"));
  ASSERT_TRUE(eventually([&] { return cloud.healthy() && cloud.drive("s3-3").usage.shards > 0; })) << cloud.reasons();
  cloud.expect_all_within_policy();
  cloud.expect_all_readable();
}

}  // namespace
}  // namespace andromede::fleet
