#include "fleet/volumes/fleet_journal.h"

#include <fstream>

#include "fleet/volumes/test_fleet_cloud.h"

namespace andromede::fleet {
namespace {

std::string golden(const char* name) {
  std::ifstream in(std::string(ANDROMEDE_TESTDATA) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void store(FleetCloud& cloud, const char* key, std::string value) {
  meta::Commit commit;
  commit.partition = meta::kCloudPartition;
  commit.unwitnessed = "a test's bytes";
  commit.put.push_back({{meta::Space::kRecords, key}, std::move(value)});
  ASSERT_TRUE(sync_wait(cloud.meta->commit(std::move(commit), Deadline::never())));
}

TEST(FleetJournal, StoresTheTimeOfAScrubAsSpecified) {
  FleetCloud cloud({1, 1, 1, 1});
  const FleetJournal journal(*cloud.meta, cloud.clock);
  const auto none = journal.last_scrub();
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  ASSERT_TRUE(journal.record_scrub(Timestamp{0x0102030405060708}, "nothing found"));
  const auto stored = sync_wait(cloud.meta->get({}, {meta::Space::kRecords, "fleet/scrub"}, Deadline::never()));
  ASSERT_TRUE(stored && *stored);
  EXPECT_EQ(to_hex(as_bytes(**stored)), "52020807060504030201");
  EXPECT_EQ(journal.last_scrub()->value().ms, 0x0102030405060708);
  EXPECT_TRUE(cloud.journaled("CompleteScrub"));
}

TEST(FleetJournal, RefusesWhatItDidNotWrite) {
  FleetCloud cloud({1, 1, 1, 1});
  const FleetJournal journal(*cloud.meta, cloud.clock);
  for (const char* hex : {"5202", "52010807060504030201", "5202080706050403020100"}) {
    store(cloud, "fleet/scrub", std::string(as_text(*from_hex(hex))));
    const auto read = journal.last_scrub();
    ASSERT_FALSE(read) << hex;
    EXPECT_EQ(read.error(), Errc::kCorrupt) << hex;
  }
}

TEST(FleetJournal, StoresWhatWasAskedOfADrainAsSpecified) {
  FleetCloud cloud({1, 1, 1, 1});
  const FleetJournal journal(*cloud.meta, cloud.clock);
  EXPECT_EQ(*journal.drain_terms(), DrainTerms());
  const DrainTerms terms{.bandwidth_bytes_per_s = 0x0102030405060708,
                         .unerased = {*DriveId::parse("101112131415161718191a1b1c1d1e1f"),
                                      *DriveId::parse("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf")}};
  ASSERT_TRUE(journal.record_drain("DrainDrive", "claire", {{"drive", "s1-1"}}, terms));
  const auto stored = sync_wait(cloud.meta->get({}, {meta::Space::kRecords, "fleet/drain"}, Deadline::never()));
  ASSERT_TRUE(stored && *stored);
  const std::string as_specified = golden("drain_v3.bin");
  EXPECT_EQ(**stored, as_specified);
  EXPECT_EQ(*journal.drain_terms(), terms);
  EXPECT_TRUE(cloud.journaled("DrainDrive"));
  for (std::size_t bytes = 1; bytes < as_specified.size(); ++bytes) {
    store(cloud, "fleet/drain", as_specified.substr(0, bytes));
    EXPECT_EQ(journal.drain_terms().error(), Errc::kCorrupt) << bytes;
  }
  // One byte too many, other versions, more drives than there are.
  for (const char* hex : {"580308070605040302010000", "5802080706050403020100", "5804080706050403020100",
                          "580308070605040302018108", "58030807060504030201ffffffff0f"}) {
    store(cloud, "fleet/drain", std::string(as_text(*from_hex(hex))));
    const auto read = journal.drain_terms();
    ASSERT_FALSE(read) << hex;
    EXPECT_EQ(read.error(), Errc::kCorrupt) << hex;
  }
}

}  // namespace
}  // namespace andromede::fleet
