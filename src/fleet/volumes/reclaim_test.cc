// When reclaim erases, and when it does not: with the real engines.
#include "fleet/volumes/test_fleet_cloud.h"
#include "meta/rocksdb/log_record.h"
#include "meta/rocksdb/state.h"
#include "meta/test_record_seal.h"

namespace andromede::fleet {
namespace {

namespace fs = std::filesystem;

// As if their objects had been deleted while nobody could give the space back.
void forget(FleetCloud& cloud, std::size_t blobs) {
  meta::Commit commit;
  commit.partition = meta::kCloudPartition;
  commit.unwitnessed = "a test's blobs";
  for (; blobs > 0; --blobs) {
    const BlobId id = cloud.bodies.begin()->first;
    commit.erase.push_back({meta::Space::kRecords, objects::layout::blob(id)});
    cloud.bodies.erase(id);
  }
  ASSERT_TRUE(sync_wait(cloud.meta->commit(std::move(commit), Deadline::never())));
}

std::uint64_t shards_of(FleetCloud& cloud) {
  std::uint64_t shards = 0;
  const auto status = cloud.fleet->status();
  for (const DriveStatus& drive : status->drives) shards += drive.usage.shards;
  return shards;
}

bool says(FleetCloud& cloud, const std::string& words) { return cloud.reasons().find(words) != std::string::npos; }

TEST(Reclaim, AFewOrphansAreGivenBackByThemselves) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(10, 2000);
  forget(cloud, 5);
  cloud.reopen();
  EXPECT_TRUE(eventually([&] { return shards_of(cloud) == 20; })) << cloud.reasons();
  cloud.expect_all_readable();
}

TEST(Reclaim, AnImplausibleShareIsKeptToldAndGivenBackWhenAnOperatorSaysSo) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(80, 2000);
  forget(cloud, 70);
  cloud.options.reclaim_every = std::chrono::milliseconds(100);
  cloud.reopen();
  const std::vector<std::string> drives = {"s0-1", "s1-1", "s2-1", "s3-1"};
  ASSERT_TRUE(eventually([&] {
    return std::all_of(drives.begin(), drives.end(), [&](const std::string& drive) {
      return says(cloud, "reclaim stopped on drive " + drive + ", nothing was erased: of its 80 records 70 belong");
    });
  })) << cloud.reasons();
  EXPECT_TRUE(says(cloud, "andromede drive reclaim s0-1"));
  EXPECT_EQ(shards_of(cloud), 320U);
  // What status says is in the journal a moment later, and once for each drive.
  const auto told = [&] {
    const auto events = cloud.journaled();
    return std::count_if(events.begin(), events.end(),
                         [](const std::string& event) { return event.find("\"StopReclaim\"") != std::string::npos; });
  };
  EXPECT_TRUE(eventually([&] { return told() == 4; }));
  EXPECT_EQ(cloud.fleet->accept_orphans(DriveName("s9-1"), "claire").error(), Errc::kNotFound);
  ASSERT_TRUE(cloud.fleet->accept_orphans(DriveName("s0-1"), "claire"));
  EXPECT_TRUE(eventually([&] { return shards_of(cloud) == 250; })) << "of that drive only";
  EXPECT_TRUE(eventually([&] { return !says(cloud, "stopped on drive s0-1"); }));
  EXPECT_EQ(cloud.fleet->accept_orphans(DriveName("s0-1"), "claire").error(), Errc::kConflict);
  EXPECT_TRUE(says(cloud, "stopped on drive s1-1"));
  EXPECT_EQ(told(), 4);
  EXPECT_TRUE(cloud.journaled("AcceptOrphans"));
  cloud.expect_all_readable();
}

// What it knew when it was seen last may be more than what is known now.
TEST(Reclaim, WaitsForADriveThatHeldAMirrorAndWasAwayAtTheStart) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(10, 2000);
  forget(cloud, 5);
  cloud.options.reclaim_every = std::chrono::milliseconds(100);
  ASSERT_TRUE(cloud.drive("s0-1").metadata_mirror_current);
  cloud.close();
  fs::rename(cloud.path("s0-1"), cloud.path("away"));
  cloud.open();
  ASSERT_TRUE(eventually([&] { return says(cloud, "the space of orphans is not given back: drive s0-1 (site s0)"); }))
      << cloud.reasons();
  const auto scrub = cloud.fleet->scrub("claire");
  ASSERT_TRUE(scrub);
  cloud.ended(scrub->number);
  EXPECT_EQ(shards_of(cloud), 30U);
  fs::rename(cloud.path("away"), cloud.path("s0-1"));
  EXPECT_TRUE(eventually([&] { return shards_of(cloud) == 20; })) << cloud.reasons();
  EXPECT_FALSE(says(cloud, "the space of orphans"));
  cloud.expect_all_readable();
}

// Changes what the first mirror, which answers reads, says of a blob: it hides it, or says what cannot be read.
void change_on_first_mirror(FleetCloud& cloud, BlobId id, const std::optional<std::string>& said) {
  const auto commits = cloud.meta->mirrors().front().commits;
  const DriveId liar = cloud.meta->mirrors().front().drive;
  const std::string path = cloud.drives->map()->find(liar)->path;
  cloud.close();
  {
    meta::State::Options options;
    options.seal = meta::test_record_seal();
    options.cache = rocksdb::NewLRUCache(1 << 20);
    auto state = meta::State::open(path + "/meta/state", options);
    ASSERT_TRUE(state);
    meta::RecordBuilder builder(meta::test_record_seal());
    if (said) {
      builder.put(meta::Space::kRecords, objects::layout::blob(id), *said);
    } else {
      builder.erase(meta::Space::kRecords, objects::layout::blob(id));
    }
    builder.finish(1, commits, 1);
    ASSERT_TRUE((*state)->apply(builder.payload(), (*state)->applied()));
    ASSERT_TRUE((*state)->flush());
  }
  cloud.open();
}

TEST(Reclaim, AMirrorThatForgetsABlobDoesNotEraseIt) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(3, 2000);
  const BlobId hidden = cloud.bodies.begin()->first;
  const blob::ShardedBlob ref = cloud.ref(hidden);
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); }));
  change_on_first_mirror(cloud, hidden, std::nullopt);
  ASSERT_FALSE(*cloud.catalog->find(hidden)) << "it is the one that answers reads";
  ASSERT_TRUE(eventually([&] { return says(cloud, "the metadata mirrors differ about the blobs of 4 records"); }))
      << cloud.reasons();
  EXPECT_TRUE(says(cloud, "which one cannot be told"));
  for (unsigned i = 0; i < ref.shards.size(); ++i) {
    const auto health = cloud.blobs->verify_shard(ref, i, {});
    EXPECT_TRUE(health && *health == blob::ShardHealth::kGood);
  }
}

TEST(Reclaim, ARecordThatOneMirrorCannotTellIsKeptAndTheMirrorNamed) {
  FleetCloud cloud({1, 1, 1, 1});
  cloud.put_many(3, 2000);
  const BlobId damaged = cloud.bodies.begin()->first;
  const blob::ShardedBlob ref = cloud.ref(damaged);
  ASSERT_TRUE(eventually([&] { return cloud.healthy(); }));
  const DriveId mirror = cloud.meta->mirrors().front().drive;
  change_on_first_mirror(cloud, damaged, "damaged");
  ASSERT_EQ(cloud.catalog->find(damaged).error(), Errc::kCorrupt) << "it is the one that answers reads";
  const std::string where =
      "what cannot be read lies on the mirror on drive " + cloud.drives->map()->find(mirror)->name.value();
  ASSERT_TRUE(eventually([&] { return says(cloud, "differ about the blobs of 4 records"); })) << cloud.reasons();
  EXPECT_TRUE(says(cloud, where)) << cloud.reasons();
  for (unsigned i = 0; i < ref.shards.size(); ++i) {
    const auto health = cloud.blobs->verify_shard(ref, i, {});
    EXPECT_TRUE(health && *health == blob::ShardHealth::kGood);
  }
}

}  // namespace
}  // namespace andromede::fleet
