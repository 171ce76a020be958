// What opening and probing find of drives is journaled and shown, with real engines.
#include "fleet/volumes/drive_events.h"

#include <gtest/gtest.h>

#include <fstream>

#include "crypto/digest.h"
#include "fleet/volumes/test_fleet_cloud.h"
#include "io/drive_survey.h"

namespace andromede::fleet {
namespace {

namespace fs = std::filesystem;

class DriveEventsTest : public testing::Test {
 protected:
  // As who has no key would: the last of all epochs, the checksum right.
  void forge_map(const std::string& drive) {
    const std::string path = cloud_.path(drive) + "/map";
    std::ifstream in(path, std::ios::binary);
    Bytes bytes(std::istreambuf_iterator<char>(in), {});
    std::fill_n(bytes.begin() + 26, 8, std::uint8_t{0xff});
    bytes.resize(bytes.size() - 4);
    ByteWriter(bytes).u32(crypto::crc32c(0, Bytes(bytes)));
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  }
  void take_away(const std::string& drive) { fs::rename(cloud_.path(drive), cloud_.path(drive) + "-away"); }
  // As who copies a drive and forgets a folder. What is taken is kept, as different names as there are calls.
  void take_volumes(const std::string& drive) {
    fs::rename(cloud_.path(drive) + "/volumes", cloud_.path("volumes-taken-" + std::to_string(++taken_)));
  }
  void expect_made_good_once_it_may() {
    cloud_.options.bandwidth_bytes_per_s = 64 << 20;
    cloud_.reopen();
    ASSERT_TRUE(eventually([&] { return cloud_.healthy(); })) << cloud_.reasons();
    cloud_.expect_all_whole(2);
    cloud_.expect_all_readable();
  }
  [[nodiscard]] bool tells_lost_volumes_of(const std::string& drive) {
    return cloud_.reasons().find("drive " + drive + " (site " + drive.substr(0, 2) + ") has lost volumes with ") !=
           std::string::npos;
  }
  [[nodiscard]] std::vector<std::string> of_kind(const std::string& name) {
    std::vector<std::string> found;
    for (std::string& event : cloud_.journaled()) {
      if (event.find("\"" + name + "\"") != std::string::npos) found.push_back(std::move(event));
    }
    return found;
  }

  FleetCloud cloud_{{2, 2, 2, 2}};
  unsigned taken_ = 0;
};

TEST_F(DriveEventsTest, ADriveThatLiesIsNamedInTheJournalAndInStatus) {
  cloud_.put(100'000);
  cloud_.close();
  forge_map("s3-2");
  cloud_.open();
  const auto kept_out = of_kind("KeepOutDrive");
  ASSERT_EQ(kept_out.size(), 1U);
  EXPECT_NE(kept_out[0].find("s3-2"), std::string::npos) << kept_out[0];
  EXPECT_NE(kept_out[0].find("forged"), std::string::npos) << kept_out[0];
  EXPECT_NE(cloud_.reasons().find("drive s3-2 (site s3) is offline: "), std::string::npos) << cloud_.reasons();
  EXPECT_NE(cloud_.reasons().find("forged"), std::string::npos) << cloud_.reasons();
  cloud_.expect_all_readable();
}

TEST_F(DriveEventsTest, OneThatIsFoundWhileServingIsJournaledToo) {
  take_away("s3-2");
  ASSERT_TRUE(eventually([&] { return !cloud_.drive("s3-2").online; }));
  forge_map("s3-2-away");
  fs::rename(cloud_.path("s3-2-away"), cloud_.path("s3-2"));
  EXPECT_TRUE(eventually([&] { return of_kind("KeepOutDrive").size() == 1; }));
}

// After the first shards each heal waits for hours, as one of many terabytes does.
TEST_F(DriveEventsTest, VolumesThatVanishedAreNotForgottenByARestart) {
  cloud_.options.bandwidth_bytes_per_s = 1;
  cloud_.put_many(60, 40'000);
  // No volume is open then.
  cloud_.reopen();
  ASSERT_TRUE(eventually([&] { return cloud_.healthy(); })) << cloud_.reasons();
  take_volumes("s0-1");
  take_volumes("s1-1");
  ASSERT_TRUE(eventually([&] { return tells_lost_volumes_of("s0-1") && tells_lost_volumes_of("s1-1"); }))
      << cloud_.reasons();
  for (int restarts = 0; restarts < 2; ++restarts) {
    cloud_.reopen();
    EXPECT_TRUE(cloud_.fleet->status()->degraded);
    // What is written now must not look as if it were what is gone.
    cloud_.put_many(20, 400'000);
    ASSERT_TRUE(eventually([&] { return tells_lost_volumes_of("s0-1") && tells_lost_volumes_of("s1-1"); }))
        << cloud_.reasons();
  }
  expect_made_good_once_it_may();
  EXPECT_GT(cloud_.fleet->status()->repaired, 0U);
}

TEST_F(DriveEventsTest, VolumesThatVanishWhileNobodyServesAreMissedFromTheStartOn) {
  cloud_.put_many(60, 40'000);
  cloud_.close();
  take_volumes("s2-1");
  for (const auto& volume : fs::directory_iterator(cloud_.path("s3-2") + "/volumes")) fs::resize_file(volume, 0);
  cloud_.options.bandwidth_bytes_per_s = 1;
  cloud_.open();
  EXPECT_TRUE(cloud_.fleet->status()->degraded);
  ASSERT_TRUE(eventually([&] { return tells_lost_volumes_of("s2-1") && tells_lost_volumes_of("s3-2"); }))
      << cloud_.reasons();
  expect_made_good_once_it_may();
}

TEST_F(DriveEventsTest, AStartThatMissesNothingIsHealthyAfterOneLook) {
  cloud_.put_many(20, 40'000);
  cloud_.options.bandwidth_bytes_per_s = 1;
  cloud_.reopen();
  ASSERT_TRUE(eventually([&] { return cloud_.healthy(); })) << cloud_.reasons();
}

// A drain comes before the heal of a start, and looks as well.
TEST_F(DriveEventsTest, ADrainThatGoesOnAfterARestartRebuildsWhatVanished) {
  cloud_.put_many(30, 40'000);
  cloud_.options.bandwidth_bytes_per_s = 1;
  cloud_.reopen();
  ASSERT_TRUE(eventually([&] { return cloud_.healthy(); })) << cloud_.reasons();
  DrainRequest request;
  request.drive = DriveName("s0-2");
  ASSERT_TRUE(cloud_.fleet->drain(request, "claire"));
  cloud_.close();
  take_volumes("s2-1");
  cloud_.open();
  EXPECT_TRUE(cloud_.fleet->status()->degraded);
  ASSERT_TRUE(eventually([&] { return tells_lost_volumes_of("s2-1"); })) << cloud_.reasons();
  expect_made_good_once_it_may();
}

TEST_F(DriveEventsTest, AMirrorThatIsAwayAtStartLosesItsPlaceInTheJournal) {
  const auto map = cloud_.drives->map();
  const auto mirror = std::find_if(map->drives.begin(), map->drives.end(),
                                   [](const io::DriveInfo& drive) { return drive.mirrors_metadata; });
  ASSERT_NE(mirror, map->drives.end());
  cloud_.close();
  take_away(mirror->name.value());
  cloud_.open();
  const auto lost = of_kind("LoseMetadataMirror");
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_NE(lost[0].find(mirror->name.value()), std::string::npos) << lost[0];
}

// Of three mirrors one is left, and commits need two. The start makes that one; the third is made while all goes on.
TEST_F(DriveEventsTest, MirrorsThatAreStaleAtStartAreJournaledBothWays) {
  cloud_.put(1000);
  const auto map = cloud_.drives->map();
  std::vector<std::string> paths;
  for (const io::DriveInfo& drive : map->drives) {
    if (drive.mirrors_metadata) paths.push_back(drive.path);
  }
  ASSERT_EQ(paths.size(), 3U);
  cloud_.close();
  fs::remove_all(paths[0] + "/meta");
  fs::remove_all(paths[1] + "/meta");
  cloud_.open();
  EXPECT_EQ(of_kind("LoseMetadataMirror").size(), 2U);
  ASSERT_TRUE(eventually([&] { return of_kind("AddMetadataMirror").size() == 2; }));
  const auto added = of_kind("AddMetadataMirror");
  EXPECT_NE(added[0].find("copied anew at start"), std::string::npos) << added[0];
  EXPECT_EQ(added[1].find("copied anew at start"), std::string::npos) << added[1];
  EXPECT_TRUE(eventually([&] { return cloud_.healthy(); })) << cloud_.reasons();
}

TEST_F(DriveEventsTest, AMapThatWasDamagedIsJournaledAsHealed) {
  cloud_.close();
  std::ofstream(cloud_.path("s1-2") + "/map", std::ios::binary) << "rubbish";
  cloud_.open();
  EXPECT_TRUE(cloud_.drive("s1-2").online);
  const auto healed = of_kind("HealDriveMap");
  ASSERT_EQ(healed.size(), 1U);
  EXPECT_NE(healed[0].find("s1-2"), std::string::npos) << healed[0];
}

TEST_F(DriveEventsTest, ADecisionToGoOnWithoutDrivesIsTheNextThingInTheJournal) {
  cloud_.put(1000);
  cloud_.close();
  const std::size_t entries_before = [&] {
    cloud_.open();
    const std::size_t count = cloud_.journaled().size();
    cloud_.close();
    return count;
  }();
  std::vector<std::string> paths;
  std::vector<DriveName> gone;
  for (const std::string site : {"s0", "s1", "s2", "s3"}) {
    for (const std::string number : {"-1", "-2"}) {
      paths.push_back(cloud_.path(site + number));
      if (site == "s1" || site == "s2") continue;
      take_away(site + number);
      gone.emplace_back(site + number);
    }
  }
  const auto opener = [](const io::DriveInfo& drive) { return io::open_real_disk(drive.path, drive.capacity_bytes); };
  {
    auto survey = io::DriveSurvey::make(paths, io::test_seal(), opener);
    ASSERT_TRUE(survey) << survey.error().describe();
    ASSERT_EQ(survey->finding(), io::DriveSurvey::Finding::kInDoubt);
    const Status decided = survey->decide(gone, "jeanne", cloud_.clock.now());
    ASSERT_TRUE(decided) << decided.error().describe();
    const auto drives = io::Drives::open(std::move(*survey));
    ASSERT_TRUE(drives) << drives.error().describe();
  }
  cloud_.open();
  const auto events = cloud_.journaled();
  ASSERT_GT(events.size(), entries_before);
  const std::string& next = events[entries_before];
  // Nobody checked who jeanne is: she acts as who holds the keys, whatever operator has her name.
  for (const char* word : {"\"ProceedWithoutDrives\"", "\"userName\":\"key-holder\"", "\"unixUser\":\"jeanne\"",
                           "s0-1, s0-2, s3-1, s3-2"}) {
    EXPECT_NE(next.find(word), std::string::npos) << next;
  }
  EXPECT_TRUE(cloud_.drives->map()->decisions.empty());
  cloud_.expect_all_readable();
  cloud_.reopen();
  EXPECT_EQ(of_kind("ProceedWithoutDrives").size(), 1U);
}

TEST_F(DriveEventsTest, EveryDecisionIsJournaledInItsOrder) {
  ASSERT_TRUE(cloud_.drives->update([](io::DriveMap& map) -> Status {
    map.decisions = {{1, {}, "claire", {map.drives[0].id}}, {2, {}, "jeanne", {map.drives[1].id}}};
    return {};
  }));
  ASSERT_TRUE(eventually([&] { return cloud_.drives->map()->decisions.empty(); }));
  const auto decided = of_kind("ProceedWithoutDrives");
  ASSERT_EQ(decided.size(), 2U);
  EXPECT_NE(decided[0].find("claire"), std::string::npos) << decided[0];
  EXPECT_NE(decided[1].find("jeanne"), std::string::npos) << decided[1];
}

}  // namespace
}  // namespace andromede::fleet
