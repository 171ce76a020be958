#include <gtest/gtest.h>

#include <array>
#include <bit>

#include "blob/volumes/record.h"
#include "blob/volumes/test_cloud.h"

namespace andromede::blob {
namespace {

using std::chrono::milliseconds;

const Pace kNoLimit;

std::string path_of(const ShardPlace& place) { return TestCloud::volume_path(place.volume); }

TEST(Maintenance, EveryFlippedByteOfARecordIsFoundReadAroundAndRepaired) {
  for (const Code code : {Code{1, 1}, Code{2, 2}}) {
    TestCloud cloud(4);
    const Bytes data = random_bytes(cloud.random, 1500);
    const auto ref = cloud.put(cloud.target(code), data);
    ASSERT_TRUE(ref);
    const RecordLayout layout(code, data.size());
    for (unsigned index : {0U, code.total() - 1U}) {
      const ShardPlace place = ref->shards[index];
      for (std::uint64_t at = 0; at < layout.end_offset(); ++at) {
        const auto bit = static_cast<unsigned>(at % 8);
        ASSERT_TRUE(cloud.disk(index).corrupt(path_of(place), place.offset + at, bit));
        ASSERT_EQ(*cloud.store().verify_shard(*ref, index, kNoLimit), ShardHealth::kDamaged) << "byte " << at;
        const auto read = cloud.get(*ref);
        ASSERT_TRUE(read) << "byte " << at << ": " << read.error().describe();
        ASSERT_TRUE(*read == data) << "byte " << at;
        ASSERT_TRUE(cloud.disk(index).corrupt(path_of(place), place.offset + at, bit));
      }
      ASSERT_EQ(*cloud.store().verify_shard(*ref, index, kNoLimit), ShardHealth::kGood);
    }
  }
}

TEST(Maintenance, ADamagedShardIsRewrittenOnItsDrive) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 3000000);
  auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  for (unsigned index = 0; index < 4; ++index) {
    const ShardPlace before = ref->shards[index];
    ASSERT_TRUE(cloud.disk(index).corrupt(path_of(before), before.offset + 100000));
    if (index < 2) {
      EXPECT_TRUE(*cloud.get(*ref) == data);
      EXPECT_EQ(cloud.store().take_damaged(), std::vector<BlobId>{ref->id});
    }
    const auto place = cloud.store().repair_shard(*ref, index, kNoLimit);
    ASSERT_TRUE(place) << place.error().describe();
    EXPECT_EQ(place->drive, before.drive);
    ref->shards[index] = *place;
    cloud.store().release_shard(ref->id, index, before);
    EXPECT_TRUE(eventually([&] { return cloud.shards(index) == 1; }));
    EXPECT_EQ(*cloud.store().verify_shard(*ref, index, kNoLimit), ShardHealth::kGood);
  }
  cloud.store().take_damaged();
  EXPECT_TRUE(*cloud.get(*ref) == data);
  EXPECT_TRUE(cloud.store().take_damaged().empty());
}

TEST(Maintenance, CopiesAShardOrRebuildsIt) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{70000}, std::size_t{5000000}}) {
    TestCloud cloud(6);
    const Bytes data = random_bytes(cloud.random, size);
    auto ref = cloud.put(cloud.target({2, 2}), data);
    ASSERT_TRUE(ref);
    // Whole: copied. Then two drives away: rebuilt, a data and a parity shard.
    std::uint64_t paced = 0;
    auto place = cloud.store().copy_shard(*ref, 3, cloud.id(4), [&](std::uint64_t bytes) {
      paced += bytes;
      return true;
    });
    ASSERT_TRUE(place) << place.error().describe();
    EXPECT_GE(paced * 2, size);
    cloud.take_offline(0);
    cloud.take_offline(3);
    auto rebuilt = cloud.store().copy_shard(*ref, 0, cloud.id(5), kNoLimit);
    ASSERT_TRUE(rebuilt) << rebuilt.error().describe();
    ShardedBlob moved = *ref;
    moved.shards[0] = *rebuilt;
    moved.shards[3] = *place;
    EXPECT_EQ(*cloud.store().verify_shard(moved, 0, kNoLimit), ShardHealth::kGood);
    EXPECT_EQ(*cloud.store().verify_shard(moved, 3, kNoLimit), ShardHealth::kGood);
    cloud.take_offline(1);
    cloud.take_offline(2);
    const auto read = cloud.get(moved);
    ASSERT_TRUE(read) << read.error().describe();
    EXPECT_TRUE(*read == data);
  }
}

TEST(Maintenance, CopiesOfOneCannotBeRebuiltFromNothing) {
  TestCloud cloud(2);
  const Bytes data = random_bytes(cloud.random, 500000);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref);
  ASSERT_TRUE(cloud.disk(0).corrupt(path_of(ref->shards[0]), ref->shards[0].offset + 300000));
  EXPECT_EQ(cloud.store().copy_shard(*ref, 0, cloud.id(1), kNoLimit).error(), Errc::kCorrupt);
  EXPECT_EQ(cloud.get(*ref).error(), Errc::kCorrupt);
  // What lies in front of the damage is right.
  EXPECT_TRUE(cloud.get(*ref, 0, 65536));
  EXPECT_EQ(cloud.shards(1), 0U);
}

TEST(Maintenance, StopsWhereThePaceSays) {
  TestCloud cloud(2);
  const auto ref = cloud.put(cloud.target({1, 0}), random_bytes(cloud.random, 500000));
  ASSERT_TRUE(ref);
  const Pace stop = [](std::uint64_t) { return false; };
  EXPECT_EQ(cloud.store().copy_shard(*ref, 0, cloud.id(1), stop).error(), Errc::kCancelled);
  EXPECT_EQ(cloud.store().verify_shard(*ref, 0, stop).error(), Errc::kCancelled);
  EXPECT_EQ(cloud.shards(1), 0U);
}

TEST(Maintenance, AMissingShardIsMissing) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 100000);
  auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  cloud.store().release_shard(ref->id, 1, ref->shards[1]);
  ASSERT_TRUE(eventually([&] { return cloud.shards(1) == 0; }));
  EXPECT_EQ(*cloud.store().verify_shard(*ref, 1, kNoLimit), ShardHealth::kMissing);
  EXPECT_TRUE(*cloud.get(*ref) == data);
  EXPECT_EQ(cloud.store().take_damaged(), std::vector<BlobId>{ref->id});
  cloud.take_offline(2);
  EXPECT_EQ(cloud.store().verify_shard(*ref, 2, kNoLimit).error(), Errc::kUnavailable) << "nobody can tell";
  ShardedBlob lost = *ref;
  lost.shards[0] = {};
  EXPECT_EQ(*cloud.store().verify_shard(lost, 0, kNoLimit), ShardHealth::kMissing);
}

TEST(Maintenance, AReleaseOfAnotherShardsPlaceDoesNothing) {
  TestCloud cloud(1);
  const Bytes data = random_bytes(cloud.random, 100000);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref);
  cloud.store().release_shard(BlobId::random(cloud.random), 0, ref->shards[0]);
  cloud.store().release_shard(ref->id, 0, {.drive = cloud.id(0), .volume = 77, .offset = 0});
  cloud.store().release_shard(ref->id, 0, {.drive = cloud.id(0), .volume = ref->shards[0].volume, .offset = 4096});
  cloud.restart();
  EXPECT_TRUE(*cloud.get(*ref) == data);
  EXPECT_EQ(cloud.shards(0), 1U);
}

TEST(Maintenance, ReclaimsWhatNobodyNamesAndIsOldEnough) {
  TestCloud cloud(1);
  MapCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 200000);
  const auto named = cloud.put(cloud.target({1, 0}), data);
  const auto orphan = cloud.put(cloud.target({1, 0}), data);
  const auto moved = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(named && orphan && moved);
  catalog.refs[named->id] = *named;
  ShardedBlob elsewhere = *moved;
  elsewhere.shards[0].offset += kPageBytes;
  catalog.refs[moved->id] = elsewhere;

  const Bytes large = random_bytes(cloud.random, 2 << 20);
  auto running = sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), large.size(), Deadline::never()));
  ASSERT_TRUE(running);
  // Enough that its head is on the drive.
  const std::uint64_t writes = cloud.disk(0).operations(io::DiskOp::kWrite);
  ASSERT_TRUE(sync_wait((*running)->write(ByteView(large).first(1 << 20))));
  ASSERT_TRUE(eventually([&] { return cloud.disk(0).operations(io::DiskOp::kWrite) >= writes + 2; }));

  cloud.clock.advance(milliseconds(999));
  auto reclaimed = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(1000));
  ASSERT_TRUE(reclaimed);
  EXPECT_EQ(reclaimed->records, 0U);

  cloud.clock.advance(milliseconds(1));
  Maintenance::Reclaimed sum;
  // A writer counts as running until the last of its jobs has ended, shortly after finish().
  EXPECT_TRUE(eventually([&] {
    const auto more = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(1000));
    sum.records += more->records;
    sum.bytes += more->bytes;
    return sum.records == 2;
  }));
  EXPECT_EQ(sum.bytes, 2 * RecordLayout({1, 0}, data.size()).used_bytes());
  EXPECT_TRUE(*cloud.get(*named) == data);
  EXPECT_EQ(cloud.get(*orphan).error(), Errc::kNotFound);

  // The running writer is unharmed, however long it takes.
  cloud.clock.advance(std::chrono::hours(1));
  const auto while_running = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(1000));
  ASSERT_TRUE(while_running);
  EXPECT_EQ(while_running->records, 0U);
  ASSERT_TRUE(sync_wait((*running)->write(ByteView(large).subspan(1 << 20))));
  const auto finished = finish(**running);
  ASSERT_TRUE(finished);
  running->reset();
  // Just finished, though it began long ago: its record may still be on its way into the metadata.
  ASSERT_TRUE(cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(1000)));
  EXPECT_TRUE(*cloud.get(*finished) == large);

  // Of an earlier process nobody is on the way.
  cloud.restart();
  reclaimed = cloud.store().reclaim_orphans(cloud.id(0), catalog, std::chrono::hours(24));
  ASSERT_TRUE(reclaimed);
  EXPECT_EQ(reclaimed->records, 1U);
  EXPECT_EQ(cloud.shards(0), 1U);
}

TEST(Maintenance, ReclaimStopsBetweenRecordsAndVolumes) {
  TestCloud cloud(1);
  MapCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 200000);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cloud.put(cloud.target({1, 0}), data));
  cloud.restart();
  ASSERT_TRUE(cloud.put(cloud.target({1, 0}), data));
  cloud.restart();
  // Two volumes, of three records and of one.
  ASSERT_EQ(cloud.shards(0), 4U);
  int steps = 0;
  const auto reclaim = [&](int most) {
    steps = 0;
    return cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0), [&] { return steps++ < most; });
  };
  EXPECT_EQ(reclaim(0).error(), Errc::kCancelled);
  EXPECT_EQ(steps, 1) << "no volume is begun";
  EXPECT_EQ(reclaim(5).error(), Errc::kCancelled);
  EXPECT_EQ(cloud.shards(0), 4U) << "two volumes and four records are looked at before the first is released";
  EXPECT_EQ(reclaim(7).error(), Errc::kCancelled);
  EXPECT_EQ(cloud.shards(0), 3U) << "stopped before the second release";
  EXPECT_EQ(reclaim(100)->records, 3U);
}

// Of a process that still runs, an upload may be on its way to its record for as long as the grace says.
TEST(Maintenance, AnOrphanIsKeptForTheWholeGrace) {
  TestCloud cloud(1);
  MapCatalog catalog;
  ASSERT_TRUE(cloud.put(cloud.target({1, 0}), random_bytes(cloud.random, 1000)));
  cloud.clock.advance(std::chrono::minutes(10));
  const auto reclaim = [&] { return cloud.store().reclaim_orphans(cloud.id(0), catalog, std::chrono::minutes(15)); };
  EXPECT_EQ(reclaim()->records, 0U);
  cloud.clock.advance(std::chrono::minutes(5));
  EXPECT_TRUE(eventually([&] { return reclaim()->records == 1U; }));
}

// A catalog of three copies, one of which says what the test wants.
class CopiedCatalog final : public ShardCatalog {
 public:
  Result<std::vector<ShardedBlob>> list(BlobId after, std::size_t limit) override { return first().list(after, limit); }
  Result<std::optional<ShardedBlob>> find(BlobId id) override {
    if (unreadable.contains(id)) return fail(Errc::kCorrupt, "a record");
    return first().find(id);
  }
  Status replace(const ShardedBlob&, const ShardedBlob&) override { return fail(Errc::kUnsupported, "not here"); }
  Result<Page> list_everywhere(BlobId after, std::size_t limit) override {
    if (silent) return fail(Errc::kUnavailable, "a copy does not answer");
    Page all;
    for (MapCatalog& copy : copies) {
      const auto refs = *copy.list(after, limit);
      all.refs.insert(all.refs.end(), refs.begin(), refs.end());
    }
    all.unreadable.assign(unreadable.begin(), unreadable.end());
    return all;
  }
  Result<Everywhere> find_everywhere(BlobId id) override {
    if (silent) return fail(Errc::kUnavailable, "a copy does not answer");
    Everywhere found;
    for (MapCatalog& copy : copies) {
      const auto ref = *copy.find(id);
      found.agree = found.agree && ref == *first().find(id);
      if (ref) found.refs.push_back(*ref);
    }
    if (unreadable.contains(id)) {
      found.agree = false;
      found.unreadable_on = {"the first"};
    }
    return found;
  }
  [[nodiscard]] MapCatalog& first() { return copies.front(); }
  std::array<MapCatalog, 3> copies;
  bool silent = false;
  std::set<BlobId> unreadable;  // of the first copy
};

TEST(Maintenance, ReclaimAsksEveryCopyAndKeepsWhatOneNamesOrWhereOneIsSilentOrTheyDiffer) {
  TestCloud cloud(1);
  CopiedCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 2000);
  const auto named_by_all = cloud.put(cloud.target({1, 0}), data);
  const auto named_by_last = cloud.put(cloud.target({1, 0}), data);
  const auto moved_by_first = cloud.put(cloud.target({1, 0}), data);
  const auto moved_by_two = cloud.put(cloud.target({1, 0}), data);
  const auto orphan = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(named_by_all && named_by_last && moved_by_first && moved_by_two && orphan);
  const auto moved_to = [](ShardedBlob ref, std::uint64_t pages) {
    ref.shards[0].offset += pages * kPageBytes;
    return ref;
  };
  for (MapCatalog& copy : catalog.copies) {
    copy.refs[named_by_all->id] = *named_by_all;
    copy.refs[moved_by_first->id] = *moved_by_first;
  }
  catalog.copies.back().refs[named_by_last->id] = *named_by_last;
  catalog.first().refs[moved_by_first->id] = moved_to(*moved_by_first, 1);
  // Nobody says that it is here, and they do not agree where else.
  catalog.copies[0].refs[moved_by_two->id] = moved_to(*moved_by_two, 1);
  catalog.copies[1].refs[moved_by_two->id] = moved_to(*moved_by_two, 2);
  cloud.restart();
  catalog.silent = true;
  EXPECT_EQ(cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0)).error(), Errc::kUnavailable);
  EXPECT_EQ(cloud.shards(0), 5U);
  catalog.silent = false;
  const auto reclaimed = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0));
  ASSERT_TRUE(reclaimed) << reclaimed.error().describe();
  EXPECT_EQ(reclaimed->records, 1U);
  EXPECT_EQ(reclaimed->differing, 3U);
  for (const auto& kept : {*named_by_all, *named_by_last, *moved_by_first, *moved_by_two}) {
    EXPECT_TRUE(*cloud.get(kept) == data);
  }
  EXPECT_EQ(cloud.get(*orphan).error(), Errc::kNotFound);
}

// A head that cannot be read leaves pages that only the names tell from free ones: of every copy.
TEST(Maintenance, PagesWithoutAHeadAreKeptWhereOneCopyNamesThem) {
  TestCloud cloud(1);
  CopiedCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 200000);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  const auto behind = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref && behind);
  for (MapCatalog& copy : catalog.copies) copy.refs[behind->id] = *behind;
  catalog.copies.back().refs[ref->id] = *ref;
  cloud.close_store();
  ASSERT_TRUE(cloud.disk(0).corrupt(path_of(ref->shards[0]), ref->shards[0].offset + 20));
  cloud.open_store();
  ASSERT_TRUE(cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0)));
  EXPECT_TRUE(*cloud.get(*ref) == data);
}

// It may name anything: it and the pages that only names tell from free ones are kept, and the rest goes on.
TEST(Maintenance, ARecordThatCannotBeReadIsKeptAndToldAndStopsNothing) {
  TestCloud cloud(1);
  CopiedCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 200000);
  const auto unreadable = cloud.put(cloud.target({1, 0}), data);
  const auto headless = cloud.put(cloud.target({1, 0}), data);
  const auto orphan = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(unreadable && headless && orphan);
  catalog.unreadable.insert(unreadable->id);
  cloud.close_store();
  ASSERT_TRUE(cloud.disk(0).corrupt(path_of(headless->shards[0]), headless->shards[0].offset + 20));
  cloud.open_store();
  const auto reclaimed = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0));
  ASSERT_TRUE(reclaimed) << reclaimed.error().describe();
  EXPECT_EQ(reclaimed->records, 1U);
  EXPECT_EQ(reclaimed->differing, 1U);
  EXPECT_EQ(reclaimed->unreadable_on, (std::set<std::string>{"the first"}));
  EXPECT_TRUE(*cloud.get(*unreadable) == data);
  EXPECT_TRUE(*cloud.get(*headless) == data);
  EXPECT_EQ(cloud.get(*orphan).error(), Errc::kNotFound);
}

TEST(Maintenance, ReclaimStopsAtAnImplausibleShareUnlessThatIsAccepted) {
  TestCloud cloud(1);
  MapCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 1000);
  std::vector<ShardedBlob> refs;
  for (unsigned i = 0; i < Maintenance::kPlausibleOrphans + 6; ++i)
    refs.push_back(*cloud.put(cloud.target({1, 0}), data));
  for (unsigned i = 0; i < 5; ++i) catalog.refs[refs[i].id] = refs[i];
  // One more that has only moved: its blob is known.
  catalog.refs[refs[5].id] = refs[5];
  catalog.refs[refs[5].id].shards[0].offset += kPageBytes;
  cloud.restart();
  const auto shards = cloud.shards(0);
  const auto refused = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0), [] { return true; });
  ASSERT_TRUE(refused) << "as many as are always plausible: " << refused.error().describe();
  EXPECT_EQ(refused->records, Maintenance::kPlausibleOrphans + 1);
  EXPECT_EQ(cloud.shards(0), shards - refused->records);

  for (unsigned i = 0; i < Maintenance::kPlausibleOrphans + 1; ++i) ASSERT_TRUE(cloud.put(cloud.target({1, 0}), data));
  cloud.restart();
  const auto before = cloud.shards(0);
  const auto stopped = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error(), Errc::kRefused);
  EXPECT_EQ(stopped.error().message(), "of its 70 records 65 belong to blobs that the metadata do not know");
  EXPECT_EQ(cloud.shards(0), before) << "nothing was erased";
  const auto accepted =
      cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0), Maintenance::Share::kAny, {});
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->records, Maintenance::kPlausibleOrphans + 1);
}

TEST(Maintenance, ARottenHeadKeepsItsBlocksThroughRestartAndReclaim) {
  TestCloud cloud(1);
  MapCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 200000);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  const auto behind = cloud.put(cloud.target({1, 0}), data);
  const auto orphan = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref && behind && orphan);
  catalog.refs[ref->id] = *ref;
  catalog.refs[behind->id] = *behind;
  cloud.close_store();
  for (const ShardedBlob* blob : {&*ref, &*orphan}) {
    ASSERT_TRUE(cloud.disk(0).corrupt(path_of(blob->shards[0]), blob->shards[0].offset + 20));
  }
  cloud.open_store();
  EXPECT_EQ(cloud.shards(0), 1U);  // two heads are not readable
  EXPECT_EQ(cloud.store().detach_empty(cloud.id(0)).error(), Errc::kConflict);
  const auto reclaimed = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0));
  ASSERT_TRUE(reclaimed);
  EXPECT_EQ(reclaimed->bytes, RecordLayout({1, 0}, data.size()).used_bytes());
  EXPECT_TRUE(*cloud.get(*ref) == data);
  EXPECT_TRUE(*cloud.get(*behind) == data);
  EXPECT_EQ(*cloud.store().verify_shard(*ref, 0, kNoLimit), ShardHealth::kDamaged);
  const auto place = cloud.store().repair_shard(*ref, 0, kNoLimit);
  ASSERT_TRUE(place);
  ShardedBlob repaired = *ref;
  repaired.shards[0] = *place;
  EXPECT_EQ(*cloud.store().verify_shard(repaired, 0, kNoLimit), ShardHealth::kGood);

  // The old place has no head by which to release it; reclaim gives it back.
  catalog.refs[ref->id] = repaired;
  cloud.store().release_shard(ref->id, 0, ref->shards[0]);
  ASSERT_TRUE(cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0)));
  cloud.store().remove(repaired);
  cloud.store().remove(*behind);
  EXPECT_TRUE(eventually([&] { return cloud.shards(0) == 0; }));
  EXPECT_TRUE(cloud.store().detach_empty(cloud.id(0)));
  EXPECT_EQ(cloud.volume_files(0), 0U);
}

// The first page of a record, one in the midst of another and one in a hole cannot be read any more.
TEST(Maintenance, BadSectorsDoNotTakeADriveAway) {
  TestCloud cloud(1);
  MapCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 200000);
  std::vector<ShardedBlob> refs;
  for (int i = 0; i < 4; ++i) {
    refs.push_back(*cloud.put(cloud.target({1, 0}), data));
    catalog.refs[refs.back().id] = refs.back();
  }
  catalog.refs.erase(refs[2].id);
  cloud.store().remove(refs[2]);
  ASSERT_TRUE(eventually([&] { return cloud.shards(0) == 3; }));
  cloud.close_store();
  for (const auto& [blob, at] : {std::pair{0, 0ULL}, {1, 150000ULL}, {2, 100000ULL}}) {
    const ShardPlace& place = refs[static_cast<std::size_t>(blob)].shards[0];
    cloud.disk(0).set_unreadable(path_of(place), place.offset + at);
  }
  cloud.open_store();
  EXPECT_TRUE(cloud.drives().online(cloud.id(0)));
  EXPECT_EQ(cloud.shards(0), 2U) << "one head is not readable";
  EXPECT_TRUE(*cloud.get(refs[3]) == data);
  EXPECT_TRUE(*cloud.get(refs[1], 0, 100000) == Bytes(data.begin(), data.begin() + 100000));
  EXPECT_EQ(cloud.get(refs[0]).error(), Errc::kCorrupt);
  EXPECT_TRUE(cloud.get(refs[0], 70000, 1000)) << "behind its first page it is whole";
  const auto later = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(later) << later.error().describe();
  catalog.refs[later->id] = *later;
  const auto reclaimed = cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0));
  ASSERT_TRUE(reclaimed) << reclaimed.error().describe();
  EXPECT_TRUE(cloud.get(refs[0], 70000, 1000)) << "the catalog names it: nothing of it is given back";

  // With all others gone the volume stays, for what may lie there.
  for (const auto& ref : refs) {
    cloud.store().remove(ref);
    catalog.refs.erase(ref.id);
  }
  EXPECT_TRUE(eventually([&] { return cloud.shards(0) == 1; }));
  ASSERT_TRUE(cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0)));
  EXPECT_EQ(cloud.volume_files(0), 2U);
  cloud.disk(0).disarm();
  cloud.restart();
  EXPECT_EQ(cloud.shards(0), 2U) << "the drive reads that page again: its record is there, for reclaim";

  // One that reads nothing is still there to write to; its volumes keep what they hold.
  cloud.close_store();
  cloud.disk(0).arm({.ops = {io::DiskOp::kRead}, .path_prefix = "volumes", .from_then_on = true});
  cloud.open_store();
  EXPECT_TRUE(cloud.put(cloud.target({1, 0}), data));
  cloud.disk(0).disarm();
  EXPECT_TRUE(*cloud.get(*later) == data);
}

TEST(Maintenance, ADriveLeavesEmptyOnlyAndCanComeAgain) {
  TestCloud cloud(1);
  const Bytes data = random_bytes(cloud.random, 200000);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref);
  EXPECT_EQ(cloud.store().detach_empty(cloud.id(0)).error(), Errc::kConflict);
  cloud.store().remove(*ref);
  EXPECT_TRUE(eventually([&] { return cloud.shards(0) == 0; }));
  ASSERT_TRUE(cloud.store().detach_empty(cloud.id(0)));
  EXPECT_EQ(cloud.volume_files(0), 0U);
  EXPECT_EQ(cloud.put(cloud.target({1, 0}), data).error(), Errc::kUnavailable);
  ASSERT_TRUE(cloud.store().attach(cloud.id(0)));
  const auto again = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(again);
  ASSERT_TRUE(cloud.store().attach(cloud.id(0)));
  EXPECT_TRUE(*cloud.get(*again) == data);
  EXPECT_EQ(cloud.store().attach(DriveId::random(cloud.random)).error(), Errc::kUnavailable);
  EXPECT_EQ(cloud.store().usage(DriveId::random(cloud.random)).error(), Errc::kUnavailable);
}

TEST(Maintenance, VolumesThatADriveComesBackWithoutAreGoneOnceItIsAttachedAndNotBefore) {
  TestCloud cloud(1);
  const auto ref = cloud.put(cloud.target({1, 0}), random_bytes(cloud.random, 200'000));
  ASSERT_TRUE(ref);
  const ShardPlace place = ref->shards[0];
  io::FaultDisk& disk = cloud.disk(0);
  cloud.take_offline(0);
  disk.set_offline(false);
  ASSERT_TRUE(disk.remove(TestCloud::volume_path(place.volume)));
  disk.arm({.ops = {io::DiskOp::kList}, .path_prefix = "volumes"});
  cloud.drives().probe_all();
  ASSERT_TRUE(eventually([&] { return disk.fired() == 1; }));
  EXPECT_NE(cloud.store().presence(place), Presence::kThere);
  ASSERT_TRUE(eventually([&] { return cloud.store().attach(cloud.id(0)).has_value(); }));
  EXPECT_EQ(cloud.store().presence(place), Presence::kGone);
}

// The event of a drive that came back attaches it, and so does whoever waited for it: writers begin in between.
TEST(Maintenance, AttachingAgainLeavesRunningWritersAlone) {
  TestCloud cloud(1);
  const Bytes data = random_bytes(cloud.random, 700'000);
  auto writer = sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), data.size(), Deadline::never()));
  ASSERT_TRUE(writer);
  ASSERT_TRUE(sync_wait((*writer)->write(ByteView(data).first(300'000))));
  ASSERT_TRUE(cloud.store().attach(cloud.id(0)));
  ASSERT_TRUE(sync_wait((*writer)->write(ByteView(data).subspan(300'000))));
  const auto ref = finish(**writer);
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_TRUE(*cloud.get(*ref) == data);
}

// A drive that went away and came back has counted what a running writer had left on it.
TEST(Maintenance, AWriterOfBeforeADrivesReturnLeavesItsRecordToReclaim) {
  TestCloud cloud(1);
  MapCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 2 << 20);
  auto writer = sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), data.size(), Deadline::never()));
  ASSERT_TRUE(writer);
  const std::uint64_t writes = cloud.disk(0).operations(io::DiskOp::kWrite);
  ASSERT_TRUE(sync_wait((*writer)->write(ByteView(data).first(1 << 20))));
  ASSERT_TRUE(eventually([&] { return cloud.disk(0).operations(io::DiskOp::kWrite) >= writes + 2; }));
  cloud.drives().report_failure(cloud.id(0), Error(make_error_code(Errc::kIo), "taken away by the test"));
  cloud.drives().probe_all();
  ASSERT_TRUE(eventually([&] { return cloud.shards(0) == 1; }));
  const std::uint64_t punched = cloud.disk(0).operations(io::DiskOp::kPunch);
  writer->reset();
  EXPECT_TRUE(
      eventually([&] { return cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0))->records == 1; }));
  EXPECT_EQ(cloud.disk(0).operations(io::DiskOp::kPunch), punched + 1);
  EXPECT_EQ(cloud.shards(0), 0U);
  EXPECT_TRUE(cloud.store().detach_empty(cloud.id(0)));
}

TEST(Maintenance, UsageIsTheSameAfterARestart) {
  TestCloud cloud(4);
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{66000}, std::size_t{3000000}}) {
    ASSERT_TRUE(cloud.put(cloud.target({2, 2}), random_bytes(cloud.random, size), size + 50000));
  }
  cloud.close_store();  // what was announced too much is given back by then
  cloud.open_store();
  const auto first = cloud.usage(2);
  std::uint64_t expected = 0;
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{66000}, std::size_t{3000000}}) {
    expected += RecordLayout({2, 2}, size).used_bytes();
  }
  EXPECT_EQ(first->live_bytes, expected);
  EXPECT_EQ(first->shards, 4U);
  EXPECT_LE(first->free_bytes, first->total_bytes);
}

// The copy is all that is left once the old place is released: it counts when it is synced, not before.
TEST(Maintenance, ACopyIsThereAfterAPowerLoss) {
  for (const std::size_t size : {std::size_t{3000}, std::size_t{3000000}}) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      TestCloud cloud(4, TestCloud::small_volumes(), seed);
      const Bytes data = random_bytes(cloud.random, size);
      auto ref = cloud.put({.code = {1, 1}, .drives = {cloud.id(0), cloud.id(1)}}, data);
      ASSERT_TRUE(ref);
      const auto place = cloud.store().copy_shard(*ref, 1, cloud.id(2), kNoLimit);
      ASSERT_TRUE(place) << place.error().describe();
      ref->shards[1] = *place;
      cloud.crash(seed);
      EXPECT_EQ(*cloud.store().verify_shard(*ref, 1, kNoLimit), ShardHealth::kGood) << "seed " << seed;
    }
  }
}

// A file that is open still on a drive that left takes writes, and syncs.
TEST(Maintenance, ACopyOnADriveThatLeftOrCameBackMeanwhileDoesNotCount) {
  for (const bool comes_back : {false, true}) {
    TestCloud cloud(3);
    const auto ref = cloud.put(cloud.target({1, 1}), random_bytes(cloud.random, 3000000));
    ASSERT_TRUE(ref);
    bool left = false;
    const auto leave = [&](std::uint64_t) {
      if (!std::exchange(left, true))
        cloud.drives().report_failure(cloud.id(2), Error(make_error_code(Errc::kIo), "-"));
      if (comes_back) cloud.drives().probe_all();
      return !comes_back || eventually([&] { return cloud.store().usage(cloud.id(2)).has_value(); });
    };
    EXPECT_FALSE(cloud.store().copy_shard(*ref, 1, cloud.id(2), leave));
    EXPECT_TRUE(left);
    EXPECT_EQ(cloud.drives().online(cloud.id(2)), comes_back);
  }
}

TEST(Maintenance, AnOrphanIsLeftAloneForTheWholeGrace) {
  TestCloud cloud(1);
  MapCatalog catalog;
  const Bytes data = random_bytes(cloud.random, 20000);
  const auto orphan = cloud.put(cloud.target({1, 0}), data);
  const auto moved = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(orphan && moved);
  catalog.refs[moved->id] = *moved;
  catalog.refs[moved->id].shards[0].offset += kPageBytes;
  std::uint64_t records = 0;
  const auto reclaimed = [&](std::uint64_t wanted) {
    const auto more = cloud.store().reclaim_orphans(cloud.id(0), catalog, std::chrono::minutes(15));
    EXPECT_TRUE(more) << more.error().describe();
    records += more ? more->records : 0;
    return records == wanted;
  };
  // A blob that moved is given back after a minute; its writer, the later one, may still be about to end.
  cloud.clock.advance(std::chrono::minutes(2));
  EXPECT_TRUE(eventually([&] { return reclaimed(1); }));
  for (const int minutes : {8, 4}) {
    cloud.clock.advance(std::chrono::minutes(minutes));
    EXPECT_TRUE(reclaimed(1)) << records;
    EXPECT_TRUE(*cloud.get(*orphan) == data);
  }
  cloud.clock.advance(std::chrono::minutes(1));
  EXPECT_TRUE(eventually([&] { return reclaimed(2); }));
}

// --- counting what was there before a start

TEST(Counting, ADriveIsUsedBeforeAnythingOfItsRecordsIsRead) {
  TestCloud cloud(1);
  const Bytes data = random_bytes(cloud.random, 3 << 20);
  std::vector<ShardedBlob> refs;
  for (int i = 0; i < 5; ++i) refs.push_back(*cloud.put(cloud.target({1, 0}), data));
  const auto before = cloud.usage(0);
  ASSERT_TRUE(before);
  EXPECT_FALSE(before->counting);
  cloud.close_store();
  // A first look opens each of the three volumes once; nothing can be counted.
  cloud.disk(0).arm({.ops = {io::DiskOp::kOpen},
                     .path_prefix = "volumes/",
                     .nth = 4,
                     .from_then_on = true,
                     .error = Errc::kOverloaded});
  cloud.disk(0).reset_counts();
  cloud.open_store();
  EXPECT_EQ(cloud.store().count(cloud.id(0), {}).error(), Errc::kOverloaded);
  EXPECT_EQ(cloud.disk(0).operations(io::DiskOp::kRead), 0U);
  const auto uncounted = cloud.store().usage(cloud.id(0));
  ASSERT_TRUE(uncounted);
  EXPECT_TRUE(uncounted->counting);
  EXPECT_GE(uncounted->live_bytes, before->live_bytes);
  EXPECT_TRUE(cloud.put(cloud.target({1, 0}), data));
  // What needs true numbers refuses.
  MapCatalog catalog;
  EXPECT_EQ(cloud.store().reclaim_orphans(cloud.id(0), catalog, milliseconds(0)).error(), Errc::kOverloaded);
  EXPECT_EQ(cloud.store().detach_empty(cloud.id(0)).error(), Errc::kConflict) << "without waiting for a count";
  cloud.disk(0).disarm();
  EXPECT_EQ(cloud.shards(0), 6U);
  EXPECT_FALSE(cloud.usage(0)->counting);
  for (const auto& ref : refs) EXPECT_TRUE(*cloud.get(ref) == data);
}

TEST(Counting, ADriveIsNotDetachedWithRecordsThatWereNotCountedYet) {
  for (int round = 0; round < 20; ++round) {
    TestCloud cloud(1);
    const Bytes data = random_bytes(cloud.random, 5000);
    const auto ref = cloud.put(cloud.target({1, 0}), data);
    ASSERT_TRUE(ref);
    cloud.restart();
    EXPECT_EQ(cloud.store().detach_empty(cloud.id(0)).error(), Errc::kConflict);
    ASSERT_TRUE(*cloud.get(*ref) == data);
    cloud.store().remove(*ref);
    EXPECT_TRUE(eventually([&] { return cloud.shards(0) == 0; }));
    EXPECT_TRUE(cloud.store().detach_empty(cloud.id(0)));
  }
}

// A release may find its record counted already, about to be, or not yet reached.
TEST(Counting, WhatIsGivenBackWhileItIsCountedIsNotCounted) {
  constexpr std::size_t kRecords = 400;
  unsigned met = 0;
  for (unsigned round = 0; met < 3 && round < 100; ++round) {
    TestCloud cloud(1);
    const Bytes data = random_bytes(cloud.random, 3000);
    std::vector<ShardedBlob> refs;
    for (std::size_t i = 0; i < kRecords; ++i) refs.push_back(*cloud.put(cloud.target({1, 0}), data));
    cloud.close_store();
    cloud.disk(0).reset_counts();
    // Each look seems to take the drive long, so that the count pauses every few records.
    std::atomic<bool> slow{true};
    std::thread passes_time([&] {
      while (slow) {
        cloud.clock.advance(milliseconds(20));
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      }
    });
    cloud.open_store();
    const auto begin = cloud.store().usage(cloud.id(0));
    EXPECT_TRUE(eventually([&] { return cloud.disk(0).operations(io::DiskOp::kRead) > 1; }));
    for (std::size_t i = 0; i < kRecords; i += 2) cloud.store().remove(refs[i]);
    const std::uint64_t freed = kRecords / 2 * kPageBytes;
    EXPECT_TRUE(eventually([&] { return cloud.store().usage(cloud.id(0))->live_bytes + freed <= begin->live_bytes; }));
    met += cloud.store().usage(cloud.id(0))->counting ? 1 : 0;
    slow = false;
    passes_time.join();
    const auto counted = cloud.usage(0);
    ASSERT_TRUE(begin && counted);
    ASSERT_EQ(counted->shards, kRecords / 2) << "round " << round;
    ASSERT_EQ(counted->live_bytes, freed) << "round " << round;
  }
  EXPECT_GT(met, 0U) << "no count was under way";
}

TEST(Counting, BlocksThatACrashedProcessReservedAheadAreGivenBack) {
  TestCloud cloud(1);
  const auto ref = cloud.put(cloud.target({1, 0}), random_bytes(cloud.random, 5000));
  ASSERT_TRUE(ref);
  cloud.crash(1);
  const auto usage = cloud.usage(0);
  ASSERT_TRUE(usage);
  const auto file = cloud.disk(0).open(path_of(ref->shards[0]), io::OpenMode::kRead);
  ASSERT_TRUE(file);
  EXPECT_TRUE(eventually([&] { return *(*file)->allocated() == usage->live_bytes; })) << *(*file)->allocated();
}

// --- shards that are not what was written, with right checksums

// Knows what was written, as whoever has the key does.
class KnowsTheBytes final : public Authenticator {
 public:
  KnowsTheBytes(TestCloud& cloud, const Bytes& data) : cloud_(cloud), data_(data) {}
  Result<Suspects> liars(const BlobRef& named, std::uint64_t begin, std::uint64_t end) override {
    ++asked;
    TRY(const ShardedBlob ref, sharded(named));
    const Bytes wanted(data_.begin() + static_cast<std::ptrdiff_t>(begin),
                       data_.begin() + static_cast<std::ptrdiff_t>(end));
    for (int size = 0; size <= ref.code.parity; ++size) {
      for (ShardSet without = 0; without < (ShardSet{1} << ref.shards.size()); ++without) {
        if (std::popcount(without) != size) continue;
        const auto read = cloud_.get(ref, begin, end - begin, without);
        if (read && *read == wanted) return Suspects{without};
      }
    }
    return fail(Errc::kCorrupt, "whichever shards are left out");
  }
  unsigned asked = 0;

 private:
  TestCloud& cloud_;
  const Bytes& data_;
};

TEST(Lies, AForgedShardIsFoundNamedLeftOutAndRepaired) {
  for (const Code code : {Code{2, 2}, Code{1, 1}, Code{2, 1}, Code{1, 2}, Code{4, 2}}) {
    for (unsigned liar = 0; liar < code.total(); ++liar) {
      SCOPED_TRACE(std::to_string(code.data) + "+" + std::to_string(code.parity) + ", shard " + std::to_string(liar));
      TestCloud cloud(code.total());
      const Bytes data = random_bytes(cloud.random, 700'000);
      auto ref = cloud.put(cloud.target(code), data);
      ASSERT_TRUE(ref);
      KnowsTheBytes authenticator(cloud, data);
      EXPECT_TRUE(*cloud.store().verify_blob(*ref, authenticator, kNoLimit));
      EXPECT_EQ(authenticator.asked, 0U) << "what fits together needs no key";
      cloud.forge(*ref, liar);
      EXPECT_EQ(*cloud.store().verify_shard(*ref, liar, kNoLimit), ShardHealth::kGood) << "by itself it is right";
      const auto sound = cloud.store().verify_blob(*ref, authenticator, kNoLimit);
      ASSERT_TRUE(sound) << sound.error().describe();
      EXPECT_FALSE(*sound);
      for (unsigned i = 0; i < code.total(); ++i) {
        EXPECT_EQ(cloud.usage(i)->lies, i == liar ? 1U : 0U) << "drive " << i;
        EXPECT_EQ(*cloud.store().verify_shard(*ref, i, kNoLimit),
                  i == liar ? ShardHealth::kDamaged : ShardHealth::kGood);
      }
      EXPECT_EQ(cloud.store().take_damaged(), std::vector<BlobId>{ref->id});
      EXPECT_TRUE(*cloud.get(*ref) == data) << "the liar is not read any more";
      const ShardPlace before = ref->shards[liar];
      const auto place = cloud.store().repair_shard(*ref, liar, kNoLimit);
      ASSERT_TRUE(place) << place.error().describe();
      ref->shards[liar] = *place;
      cloud.store().release_shard(ref->id, liar, before);
      EXPECT_TRUE(*cloud.store().verify_blob(*ref, authenticator, kNoLimit));
      EXPECT_TRUE(*cloud.get(*ref) == data);
    }
  }
}

// Whoever holds the old record may read the old place until it is given back: the lie is neither believed nor counted
// again.
TEST(Lies, AreRememberedUntilTheirPlaceIsGivenBack) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 300'000);
  auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  const ShardedBlob before = *ref;
  KnowsTheBytes authenticator(cloud, data);
  cloud.forge(*ref, 0);
  EXPECT_FALSE(*cloud.store().verify_blob(*ref, authenticator, kNoLimit));
  EXPECT_EQ(cloud.usage(0)->lies, 1U);
  auto reader = sync_wait(cloud.store().open_reader(before, 0, data.size(), Deadline::never(), 0));
  ASSERT_TRUE(reader);
  const auto place = cloud.store().repair_shard(*ref, 0, kNoLimit);
  ASSERT_TRUE(place) << place.error().describe();
  ref->shards[0] = *place;
  cloud.store().release_shard(ref->id, 0, before.shards[0]);
  EXPECT_FALSE(*cloud.store().verify_blob(before, authenticator, kNoLimit));
  EXPECT_TRUE(*cloud.get(before) == data);
  EXPECT_EQ(cloud.usage(0)->lies, 1U);
  reader->reset();
  EXPECT_TRUE(eventually([&] { return cloud.shards(0) == 1; }));
  EXPECT_TRUE(*cloud.store().verify_blob(*ref, authenticator, kNoLimit));
  EXPECT_TRUE(*cloud.get(*ref) == data);
}

TEST(Lies, AsManyAsThereIsParityAreFound) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 300'000);
  auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  KnowsTheBytes authenticator(cloud, data);
  cloud.forge(*ref, 0);
  cloud.forge(*ref, 1);
  EXPECT_FALSE(*cloud.store().verify_blob(*ref, authenticator, kNoLimit));
  EXPECT_EQ(cloud.usage(0)->lies, 1U);
  EXPECT_EQ(cloud.usage(1)->lies, 1U);
  EXPECT_EQ(cloud.usage(2)->lies + cloud.usage(3)->lies, 0U);
  EXPECT_TRUE(*cloud.get(*ref) == data);
  for (const unsigned liar : {0U, 1U}) {
    const auto place = cloud.store().repair_shard(*ref, liar, kNoLimit);
    ASSERT_TRUE(place);
    ref->shards[liar] = *place;
  }
  EXPECT_TRUE(*cloud.store().verify_blob(*ref, authenticator, kNoLimit));
}

TEST(Lies, WithNothingToHoldItAgainstTheKeyTells) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 300'000);
  KnowsTheBytes authenticator(cloud, data);
  const auto alone = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(alone);
  EXPECT_TRUE(*cloud.store().verify_blob(*alone, authenticator, kNoLimit));
  EXPECT_GT(authenticator.asked, 0U);
  cloud.forge(*alone, 0);
  EXPECT_EQ(cloud.store().verify_blob(*alone, authenticator, kNoLimit).error(), Errc::kCorrupt);

  // Degraded to k shards, one of which lies: nothing is left, and that is said.
  const auto coded = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(coded);
  cloud.take_offline(2);
  cloud.take_offline(3);
  EXPECT_TRUE(*cloud.store().verify_blob(*coded, authenticator, kNoLimit));
  cloud.forge(*coded, 1);
  EXPECT_EQ(cloud.store().verify_blob(*coded, authenticator, kNoLimit).error(), Errc::kCorrupt);
}

TEST(Lies, DamageIsNoLie) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 300'000);
  const auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  KnowsTheBytes authenticator(cloud, data);
  ASSERT_TRUE(cloud.disk(2).corrupt(path_of(ref->shards[2]), ref->shards[2].offset + 5000));
  EXPECT_FALSE(*cloud.store().verify_blob(*ref, authenticator, kNoLimit));
  EXPECT_EQ(authenticator.asked, 0U);
  EXPECT_EQ(cloud.usage(2)->lies, 0U);
  const Pace stop = [](std::uint64_t) { return false; };
  ASSERT_TRUE(cloud.disk(2).corrupt(path_of(ref->shards[2]), ref->shards[2].offset + 5000));
  EXPECT_EQ(cloud.store().verify_blob(*ref, authenticator, stop).error(), Errc::kCancelled);
}

}  // namespace
}  // namespace andromede::blob
