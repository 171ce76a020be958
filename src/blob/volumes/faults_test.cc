// The volume store over drives that fail: the Nth I/O, then N + 1, until all pass; power loss; torn and flipped bytes.
#include <gtest/gtest.h>

#include "blob/volumes/record.h"
#include "blob/volumes/test_cloud.h"

namespace andromede::blob {
namespace {

// Two blobs, one removed in between, and a writer that gives up: what a store does all day.
struct Work {
  std::vector<std::pair<ShardedBlob, Bytes>> finished;
  std::vector<ShardedBlob> removed;
};

Work run_work(TestCloud& cloud, Code code) {
  Work work;
  SeededRandom random(99);
  const auto put = [&](std::size_t size, std::uint64_t announced) {
    Bytes data = random_bytes(random, size);
    if (auto ref = cloud.put(cloud.target(code), data, announced)) work.finished.emplace_back(*ref, std::move(data));
  };
  put(300000, 300000);
  put(1500000, 2000000);
  if (!work.finished.empty()) {
    cloud.store().remove(work.finished.back().first);
    work.removed.push_back(work.finished.back().first);
    work.finished.pop_back();
  }
  {
    auto writer = sync_wait(
        cloud.store().open_writer(BlobId::random(cloud.random), cloud.target(code), 1 << 20, Deadline::never()));
    if (writer) static_cast<void>(sync_wait((*writer)->write(random_bytes(random, 700000))));
  }
  put(70000, 70000);
  return work;
}

// All that was finished reads back; once orphans are reclaimed nothing else takes space on drives that are online.
void check(TestCloud& cloud, const Work& work, const std::string& when) {
  MapCatalog catalog;
  std::uint64_t named = 0;
  for (const auto& [ref, data] : work.finished) {
    catalog.refs[ref.id] = ref;
    const auto read = cloud.get(ref);
    ASSERT_TRUE(read) << when << ": " << read.error().describe();
    ASSERT_TRUE(*read == data) << when;
    for (const auto& place : ref.shards) named += place.drive.is_none() ? 0 : 1;
  }
  for (unsigned i = 0; i < 4; ++i) {
    if (!cloud.drives().online(cloud.id(i))) continue;
    const auto reclaimed = cloud.store().reclaim_orphans(cloud.id(i), catalog, std::chrono::milliseconds(0));
    ASSERT_TRUE(reclaimed) << when << ": " << reclaimed.error().describe();
  }
  // What is being given back in the background (a dropped writer's shards, removed blobs) is no orphan and takes a
  // moment.
  ASSERT_TRUE(eventually([&] { return cloud.all_shards() == named; }))
      << when << ": " << cloud.all_shards() << " shards, " << named << " named";
  for (const auto& [ref, data] : work.finished) ASSERT_TRUE(*cloud.get(ref) == data) << when;
}

void fail_every_operation(Code code, io::FaultAction action, bool from_then_on) {
  bool passed = false;
  for (std::uint64_t n = 1; n < kMostOperations && !passed; ++n) {
    TestCloud cloud(4, TestCloud::small_volumes(), n);
    cloud.disk(0).arm({.action = action,
                       .ops = io::changing_ops(),
                       .path_prefix = "volumes",
                       .nth = n,
                       .from_then_on = from_then_on});
    const Work work = run_work(cloud, code);
    const bool fired = cloud.disk(0).fired() > 0;
    cloud.close_store();
    passed = !fired && cloud.disk(0).fired() == 0;
    cloud.disk(0).disarm();
    cloud.drives().probe_all();
    cloud.open_store();
    if (code.parity > 0) {
      // One drive is never enough to lose an upload.
      ASSERT_EQ(work.finished.size() + work.removed.size(), 3U) << "operation " << n;
    }
    check(cloud, work, "operation " + std::to_string(n));
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_TRUE(passed) << "the work has fewer operations than that";
}

TEST(Faults, OneDriveFailsOnceAtAnyOperation) {
  fail_every_operation({1, 0}, io::FaultAction::kFail, false);
  fail_every_operation({2, 2}, io::FaultAction::kFail, false);
}

TEST(Faults, OneDriveFailsForGoodAtAnyOperation) {
  fail_every_operation({1, 0}, io::FaultAction::kFail, true);
  fail_every_operation({2, 2}, io::FaultAction::kFail, true);
}

TEST(Faults, OneDriveTearsAWriteAtAnyOperation) {
  fail_every_operation({1, 0}, io::FaultAction::kTear, false);
  fail_every_operation({2, 2}, io::FaultAction::kTear, false);
}

TEST(Faults, PowerLossAfterAnyOperation) {
  for (const Code code : {Code{1, 0}, Code{2, 2}}) {
    bool passed = false;
    for (std::uint64_t n = 1; n < kMostOperations && !passed; ++n) {
      TestCloud cloud(4, TestCloud::small_volumes(), n);
      // All drives stop at their nth operation, as power does.
      for (unsigned i = 0; i < 4; ++i) {
        cloud.disk(i).arm({.ops = io::changing_ops(), .path_prefix = "volumes", .nth = n, .from_then_on = true});
      }
      Work work = run_work(cloud, code);
      passed = true;
      for (unsigned i = 0; i < 4; ++i) passed = passed && cloud.disk(i).fired() == 0;
      cloud.crash(1000 + n);
      check(cloud, work, "power lost after operation " + std::to_string(n));
      if (HasFatalFailure()) return;
      // Life goes on behind what the crash left.
      const Work more = run_work(cloud, code);
      ASSERT_EQ(more.finished.size(), 2U);
      work.finished.insert(work.finished.end(), more.finished.begin(), more.finished.end());
      ASSERT_TRUE(eventually([&] { return cloud.store().usage(cloud.id(0)).has_value(); }));
      check(cloud, work, "after the power came back, operation " + std::to_string(n));
      if (HasFatalFailure()) return;
    }
    EXPECT_TRUE(passed);
  }
}

TEST(Faults, AFailedSyncFailsAllWhoWroteToThatVolumeBefore) {
  TestCloud cloud(1);
  const Bytes data = random_bytes(cloud.random, 2 << 20);
  auto early = sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), data.size(), Deadline::never()));
  ASSERT_TRUE(early);
  ASSERT_TRUE(sync_wait((*early)->write(ByteView(data).first(1 << 20))));
  cloud.disk(0).arm({.ops = {io::DiskOp::kSync}, .path_prefix = "volumes"});
  EXPECT_EQ(cloud.put(cloud.target({1, 0}), data).error(), Errc::kIo);
  EXPECT_FALSE(cloud.drives().online(cloud.id(0)));
  cloud.drives().probe_all();
  ASSERT_TRUE(eventually([&] { return cloud.store().usage(cloud.id(0)).has_value(); }));
  // The drive is back and its next sync would succeed, without the bytes that the failed one dropped.
  static_cast<void>(sync_wait((*early)->write(ByteView(data).subspan(1 << 20))));
  EXPECT_FALSE(sync_wait((*early)->finish()));
  early->reset();
  const auto later = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(later) << later.error().describe();
  cloud.crash(5);
  EXPECT_TRUE(*cloud.get(*later) == data);
}

TEST(Faults, AWriteThatFailsLateSaysNothingAboutADriveThatCameBack) {
  TestCloud cloud(1, {.volume_bytes = 8U << 20, .reserve_bytes = 0, .threads_per_drive = 2});
  const Bytes data = random_bytes(cloud.random, 2 << 20);
  auto writer = sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), data.size(), Deadline::never()));
  ASSERT_TRUE(writer);
  cloud.drives().report_failure(cloud.id(0), Error(make_error_code(Errc::kIo), "taken away by the test"));
  cloud.drives().probe_all();
  ASSERT_TRUE(eventually([&] { return cloud.store().usage(cloud.id(0)).has_value(); }));
  cloud.disk(0).arm({.ops = {io::DiskOp::kWrite}, .path_prefix = "volumes"});
  static_cast<void>(sync_wait((*writer)->write(data)));
  EXPECT_FALSE(sync_wait((*writer)->finish()));
  EXPECT_EQ(cloud.disk(0).fired(), 1U);
  EXPECT_TRUE(cloud.drives().online(cloud.id(0)));
}

// An open file of a drive that was taken away, or of an opening before it came back, still takes writes and syncs: none
// of that counts, for the kernel may have dropped what was written before.
TEST(Faults, AShardOnADriveThatLeftOrCameBackUnderAWriteDoesNotCount) {
  for (const bool comes_back : {false, true}) {
    for (const Code code : {Code{1, 0}, Code{2, 2}}) {
      TestCloud cloud(4);
      const Bytes data = random_bytes(cloud.random, 2 << 20);
      auto writer = sync_wait(
          cloud.store().open_writer(BlobId::random(cloud.random), cloud.target(code), data.size(), Deadline::never()));
      ASSERT_TRUE(writer);
      ASSERT_TRUE(sync_wait((*writer)->write(data)));
      cloud.drives().report_failure(cloud.id(0), Error(make_error_code(Errc::kIo), "taken away by the test"));
      if (comes_back) {
        cloud.drives().probe_all();
        ASSERT_TRUE(eventually([&] { return cloud.store().usage(cloud.id(0)).has_value(); }));
      }
      EXPECT_EQ(cloud.drives().online(cloud.id(0)), comes_back);
      const auto ref = finish(**writer);
      ASSERT_EQ(ref.has_value(), code.parity > 0);
      if (!ref) continue;
      EXPECT_TRUE(ref->shards[0].drive.is_none());
      EXPECT_FALSE(ref->shards[1].drive.is_none());
      EXPECT_TRUE(*cloud.get(*ref) == data);
    }
  }
}

TEST(Faults, ADriveThatLiesIsFoundByItsChecksums) {
  for (std::uint64_t n = 1; n < 40; ++n) {
    TestCloud cloud(4, TestCloud::small_volumes(), n);
    cloud.disk(1).arm(
        {.action = io::FaultAction::kLie, .ops = {io::DiskOp::kWrite}, .path_prefix = "volumes", .nth = n});
    SeededRandom random(n);
    const Bytes data = random_bytes(random, 2000000);
    const auto ref = cloud.put(cloud.target({2, 2}), data);
    ASSERT_TRUE(ref);
    const auto read = cloud.get(*ref);
    ASSERT_TRUE(read) << read.error().describe();
    ASSERT_TRUE(*read == data);
    if (cloud.disk(1).fired() == 0) break;
  }
}

TEST(Faults, ABitThatFlipsOnTheWayIsNeverGivenOut) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 2000000);
  const auto coded = cloud.put(cloud.target({2, 2}), data);
  const auto single = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(coded && single);
  for (std::uint64_t n = 1; n < 12; ++n) {
    for (const bool cached : {false, true}) {
      cloud.disk(0).set_cached(cached);
      cloud.disk(0).disarm();
      cloud.disk(0).arm(
          {.action = io::FaultAction::kFlip, .ops = {io::DiskOp::kRead}, .path_prefix = "volumes", .nth = n});
      const auto read = cloud.get(*coded);
      ASSERT_TRUE(read) << read.error().describe();
      EXPECT_TRUE(*read == data);
      cloud.disk(0).disarm();
      cloud.disk(0).arm(
          {.action = io::FaultAction::kFlip, .ops = {io::DiskOp::kRead}, .path_prefix = "volumes", .nth = n});
      const auto alone = cloud.get(*single);
      if (alone) {
        EXPECT_TRUE(*alone == data);  // the flip fell where nothing is, or on a head, which does not hide its blocks
      } else {
        EXPECT_EQ(alone.error(), Errc::kCorrupt) << alone.error().describe();
      }
    }
  }
}

TEST(Faults, TooManyOpenFilesAreNoDamage) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 500000);
  const auto coded = cloud.put(cloud.target({2, 2}), data);
  const auto single = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(coded && single);
  cloud.restart();  // files are open no more
  const auto refuse = [&](unsigned drive, Errc error) {
    cloud.disk(drive).arm({.ops = {io::DiskOp::kOpen}, .path_prefix = "volumes", .from_then_on = true, .error = error});
  };
  for (unsigned i = 0; i < 4; ++i) refuse(i, Errc::kOverloaded);
  EXPECT_EQ(cloud.get(*single).error(), Errc::kOverloaded);
  EXPECT_EQ(cloud.get(*coded).error(), Errc::kOverloaded);
  EXPECT_EQ(cloud.store().verify_shard(*coded, 0, {}).error(), Errc::kOverloaded);
  EXPECT_EQ(cloud.store().copy_shard(*coded, 0, cloud.id(0), {}).error(), Errc::kOverloaded);
  EXPECT_TRUE(cloud.store().take_damaged().empty());
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_TRUE(cloud.drives().online(cloud.id(i)));
    if (i > 0) cloud.disk(i).disarm();
  }
  // What others give is not refused.
  EXPECT_TRUE(*cloud.get(*coded) == data);
  EXPECT_TRUE(cloud.store().take_damaged().empty());

  cloud.disk(0).disarm();
  refuse(0, Errc::kIo);
  EXPECT_EQ(*cloud.store().verify_shard(*coded, 0, {}), ShardHealth::kDamaged);
  EXPECT_EQ(cloud.get(*single).error(), Errc::kCorrupt);
  cloud.store().take_damaged();
  EXPECT_TRUE(*cloud.get(*coded) == data);
  EXPECT_EQ(cloud.store().take_damaged(), std::vector<BlobId>{coded->id});
}

TEST(Faults, AReadErrorIsRepairedFromOthers) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 2000000);
  const auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  for (std::uint64_t n = 1; n < 8; ++n) {
    cloud.disk(0).disarm();
    cloud.disk(0).arm({.ops = {io::DiskOp::kRead}, .path_prefix = "volumes", .nth = n, .from_then_on = true});
    const auto read = cloud.get(*ref);
    ASSERT_TRUE(read) << read.error().describe();
    EXPECT_TRUE(*read == data);
  }
  EXPECT_EQ(cloud.store().take_damaged(), std::vector<BlobId>{ref->id});
}

}  // namespace
}  // namespace andromede::blob
