#include "io/fault_disk.h"

#include <gtest/gtest.h>

#include <set>

namespace andromede::io {
namespace {

constexpr std::size_t kSector = 512;

std::unique_ptr<File> make_file(Disk& disk, const std::string& path, ByteView synced = {}) {
  auto file = disk.open(path, OpenMode::kCreate).value();
  EXPECT_TRUE(file->write_at(0, synced));
  EXPECT_TRUE(file->sync());
  EXPECT_TRUE(disk.sync_folder(""));
  return file;
}

Bytes content(Disk& disk, const std::string& path) { return disk.read_all(path, 1 << 20).value(); }

TEST(FaultDisk, SyncedContentUnderASyncedNameSurvivesEveryCrash) {
  const auto disk = FaultDisk::make();
  const Bytes data(3000, 7);
  make_file(*disk, "a", data);
  for (std::uint64_t seed = 0; seed < 50; ++seed) EXPECT_EQ(content(*disk->crash(seed), "a"), data);
}

TEST(FaultDisk, UnsyncedWritesAreKeptDroppedOrTornBySectors) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a", Bytes(8 * kSector, 1));
  ASSERT_TRUE(file->write_at(0, Bytes(8 * kSector, 2)));
  std::set<std::size_t> kept_counts;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Bytes after = content(*disk->crash(seed), "a");
    ASSERT_EQ(after.size(), 8 * kSector);
    std::size_t kept = 0;
    for (std::size_t at = 0; at < after.size(); at += kSector) {
      const std::set<std::uint8_t> values(after.begin() + static_cast<long>(at),
                                          after.begin() + static_cast<long>(at + kSector));
      ASSERT_EQ(values.size(), 1U) << "a sector is never torn";
      kept += *values.begin() == 2;
    }
    kept_counts.insert(kept);
  }
  EXPECT_TRUE(kept_counts.contains(0));
  EXPECT_TRUE(kept_counts.contains(8));
  EXPECT_GT(kept_counts.size(), 4U);
  EXPECT_EQ(content(*disk, "a"), Bytes(8 * kSector, 2)) << "crash() leaves the drive that it was asked of alone";
}

TEST(FaultDisk, ACrashIsReproducible) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a");
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(file->write_at(static_cast<std::uint64_t>(i) * 3000, Bytes(2900, static_cast<std::uint8_t>(i))));
  }
  std::set<Bytes> outcomes;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(content(*disk->crash(seed), "a"), content(*disk->crash(seed), "a"));
    outcomes.insert(content(*disk->crash(seed), "a"));
  }
  EXPECT_GT(outcomes.size(), 5U);
}

TEST(FaultDisk, UnsyncedTruncationsPunchesAndSizesAreUncertain) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a", Bytes(8192, 1));
  ASSERT_TRUE(file->truncate(100));
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 0; seed < 50; ++seed) sizes.insert(content(*disk->crash(seed), "a").size());
  EXPECT_EQ(sizes, (std::set<std::size_t>{100, 8192}));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(file->punch(0, 100));
  std::set<std::uint8_t> first;
  for (std::uint64_t seed = 0; seed < 50; ++seed) first.insert(content(*disk->crash(seed), "a")[0]);
  EXPECT_EQ(first, (std::set<std::uint8_t>{0, 1}));
}

TEST(FaultDisk, UnsyncedNamesMayVanishAndRemovedOnesComeBack) {
  const auto disk = FaultDisk::make();
  make_file(*disk, "old");
  const auto fresh = disk->open("new", OpenMode::kCreate).value();
  ASSERT_TRUE(fresh->write_at(0, Bytes(10, 1)));
  ASSERT_TRUE(fresh->sync());  // of the content: the name is the folder's
  ASSERT_TRUE(disk->remove("old"));
  std::set<std::vector<std::string>> outcomes;
  for (std::uint64_t seed = 0; seed < 100; ++seed) outcomes.insert(disk->crash(seed)->list("").value());
  EXPECT_EQ(outcomes, (std::set<std::vector<std::string>>{{}, {"new"}, {"old"}, {"new", "old"}}));
  ASSERT_TRUE(disk->sync_folder(""));
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(disk->crash(seed)->list("").value(), std::vector<std::string>{"new"});
  }
}

TEST(FaultDisk, MadeFoldersSurviveACrash) {
  const auto disk = FaultDisk::make();
  ASSERT_TRUE(disk->make_folder("a/b"));
  for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_TRUE(disk->crash(seed)->list("a/b").has_value());
}

TEST(FaultDisk, ReplaceIsWholeWhereverItFails) {
  bool passed = false;
  std::set<Bytes> seen;
  for (std::uint64_t n = 1; !passed; ++n) {
    ASSERT_LT(n, 20U);
    for (const FaultAction action : {FaultAction::kFail, FaultAction::kTear}) {
      const auto disk = FaultDisk::make("/d", n);
      ASSERT_TRUE(disk->replace("a", Bytes(3000, 1)));
      disk->arm({.action = action, .ops = changing_ops(), .nth = n, .from_then_on = true});
      const Status replaced = disk->replace("a", Bytes(5000, 2));
      EXPECT_EQ(replaced.has_value(), disk->fired() == 0);
      passed = disk->fired() == 0;
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Bytes after = content(*disk->crash(seed), "a");
        seen.insert(after);
        EXPECT_TRUE(after == Bytes(5000, 2) || (!replaced && after == Bytes(3000, 1)));
      }
    }
  }
  EXPECT_EQ(seen.size(), 2U);
}

TEST(FaultDisk, FailsTheNthOfAKindOnce) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a");
  disk->arm({.ops = {DiskOp::kWrite}, .nth = 2, .error = Errc::kNoSpace});
  EXPECT_TRUE(file->write_at(0, Bytes(10, 1)));
  EXPECT_TRUE(file->sync());
  EXPECT_EQ(file->write_at(10, Bytes(10, 1)).error(), Errc::kNoSpace);
  EXPECT_EQ(file->size(), 10U) << "a failed write writes nothing";
  EXPECT_TRUE(file->write_at(10, Bytes(10, 1)));
  EXPECT_EQ(disk->fired(), 1U);
}

TEST(FaultDisk, CountsOnlyBelowThePathPrefix) {
  const auto disk = FaultDisk::make();
  const auto a = make_file(*disk, "a");
  const auto b = make_file(*disk, "b");
  disk->arm({.ops = {DiskOp::kWrite}, .path_prefix = "b"});
  EXPECT_TRUE(a->write_at(0, Bytes(1)));
  EXPECT_EQ(b->write_at(0, Bytes(1)).error(), Errc::kIo);
  disk->reset_counts();
  EXPECT_EQ(disk->operations(), 0U);
  EXPECT_TRUE(b->write_at(0, Bytes(1)));
  EXPECT_EQ(disk->operations(), 1U);
  EXPECT_EQ(disk->operations(DiskOp::kWrite), 1U);
  EXPECT_EQ(disk->operations(DiskOp::kSync), 0U);
}

TEST(FaultDisk, ATornWriteLeavesAPrefixOfWholeSectors) {
  std::set<std::uint64_t> sizes;
  for (std::uint64_t seed = 1; seed < 40; ++seed) {
    const auto disk = FaultDisk::make("/d", seed);
    const auto file = make_file(*disk, "a");
    disk->arm({.action = FaultAction::kTear, .ops = {DiskOp::kWrite}});
    EXPECT_EQ(file->write_at(0, Bytes(4 * kSector, 3)).error(), Errc::kIo);
    const std::uint64_t size = file->size().value();
    EXPECT_EQ(size % kSector, 0U);
    EXPECT_LT(size, 4 * kSector);
    EXPECT_EQ(content(*disk, "a"), Bytes(size, 3));
    sizes.insert(size);
  }
  EXPECT_EQ(sizes.size(), 4U);
}

TEST(FaultDisk, ALyingWriteLosesSectorsAndSaysNothing) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a", Bytes(8 * kSector, 1));
  disk->arm({.action = FaultAction::kLie, .ops = {DiskOp::kWrite}});
  EXPECT_TRUE(file->write_at(0, Bytes(8 * kSector, 2)));
  EXPECT_NE(content(*disk, "a"), Bytes(8 * kSector, 2));
  EXPECT_EQ(disk->fired(), 1U);
}

TEST(FaultDisk, ALyingSyncMakesNothingDurable) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a");
  ASSERT_TRUE(file->write_at(0, Bytes(100, 1)));
  disk->arm({.action = FaultAction::kLie});
  EXPECT_TRUE(file->sync());
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 0; seed < 50; ++seed) sizes.insert(content(*disk->crash(seed), "a").size());
  EXPECT_EQ(sizes, (std::set<std::size_t>{0, 100}));
}

TEST(FaultDisk, AFailedSyncForgetsForGood) {
  std::set<bool> outcomes;
  for (std::uint64_t seed = 1; seed < 40; ++seed) {
    const auto disk = FaultDisk::make("/d", seed);
    const auto file = make_file(*disk, "a");
    ASSERT_TRUE(file->write_at(0, Bytes(10, 1)));
    disk->arm({.ops = {DiskOp::kSync}});
    EXPECT_EQ(file->sync().error(), Errc::kIo);
    EXPECT_EQ(content(*disk, "a"), Bytes(10, 1)) << "the cache still answers";
    EXPECT_TRUE(file->sync());
    const bool durable = content(*disk->crash(1), "a").size() == 10;
    for (std::uint64_t s = 2; s < 10; ++s) EXPECT_EQ(content(*disk->crash(s), "a").size() == 10, durable);
    outcomes.insert(durable);
  }
  EXPECT_EQ(outcomes.size(), 2U);
}

TEST(FaultDisk, FlipsABitOfOneReadOrOfWhatIsStored) {
  const auto disk = FaultDisk::make();
  make_file(*disk, "a", Bytes(1000, 0));
  disk->arm({.action = FaultAction::kFlip, .nth = 2});
  EXPECT_EQ(content(*disk, "a"), Bytes(1000, 0));
  EXPECT_NE(content(*disk, "a"), Bytes(1000, 0));
  EXPECT_EQ(content(*disk, "a"), Bytes(1000, 0));
  ASSERT_TRUE(disk->corrupt("a", 500, 3));
  Bytes expected(1000, 0);
  expected[500] = 8;
  EXPECT_EQ(content(*disk, "a"), expected);
  EXPECT_EQ(content(*disk->crash(1), "a"), expected);
  EXPECT_EQ(disk->corrupt("a", 1000).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk->corrupt("b", 0).error(), Errc::kNotFound);
}

TEST(FaultDisk, ACrashedDriveSharesNoBytesWithTheOneThatItCameFrom) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a", Bytes(100, 1));
  const auto after = disk->crash(1);
  ASSERT_TRUE(after->corrupt("a", 0));
  ASSERT_TRUE(file->write_at(50, Bytes(10, 9)));
  EXPECT_EQ(content(*disk, "a")[0], 1);
  EXPECT_EQ(content(*after, "a")[50], 1);
}

TEST(FaultDisk, FillsUp) {
  const auto disk = FaultDisk::make();
  disk->set_capacity(64 << 10);
  EXPECT_EQ(disk->space().value().free_bytes, 64U << 10);
  const auto file = make_file(*disk, "a", Bytes(40 << 10, 1));
  EXPECT_EQ(disk->space().value().free_bytes, 24U << 10);
  EXPECT_EQ(file->allocate(0, 80 << 10).error(), Errc::kNoSpace);
  EXPECT_EQ(file->write_at(40 << 10, Bytes(25 << 10, 1)).error(), Errc::kNoSpace);
  EXPECT_EQ(disk->replace("b", Bytes(30 << 10)).error(), Errc::kNoSpace);
  EXPECT_EQ(file->size(), 40U << 10);
  EXPECT_TRUE(file->write_at(0, Bytes(40 << 10, 2))) << "what has blocks needs no room";
  ASSERT_TRUE(file->punch(0, 40 << 10));
  EXPECT_TRUE(disk->replace("b", Bytes(30 << 10)));
}

TEST(FaultDisk, OfflineEverythingFails) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a", Bytes(10, 1));
  const auto other_handle = disk->share();
  disk->set_offline(true);
  Bytes out(1);
  EXPECT_EQ(other_handle->probe().error(), Errc::kIo);
  EXPECT_EQ(file->read_at(0, out).error(), Errc::kIo);
  EXPECT_EQ(file->write_at(0, out).error(), Errc::kIo);
  EXPECT_EQ(file->sync().error(), Errc::kIo);
  EXPECT_EQ(file->size().error(), Errc::kIo);
  EXPECT_EQ(disk->list("").error(), Errc::kIo);
  EXPECT_EQ(disk->make_folder("").error(), Errc::kIo);
  EXPECT_EQ(disk->space().error(), Errc::kIo);
  disk->set_offline(false);
  EXPECT_TRUE(disk->probe());
  EXPECT_EQ(content(*other_handle, "a"), Bytes(10, 1));
}

TEST(FaultDisk, ABadSectorFailsWhatTouchesItsPage) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a", Bytes(3 * kPageBytes, 1));
  disk->set_unreadable("a", kPageBytes + 100);
  Bytes page(kPageBytes);
  EXPECT_TRUE(file->read_at(0, page));
  EXPECT_EQ(file->read_at(kPageBytes, page).error(), Errc::kIo);
  EXPECT_EQ(file->read_at(100, page).error(), Errc::kIo);
  EXPECT_TRUE(file->read_at(2 * kPageBytes, page));
  EXPECT_TRUE(disk->probe());
  disk->disarm();
  EXPECT_TRUE(file->read_at(kPageBytes, page));
}

TEST(FaultDisk, UncachedByDefault) {
  const auto disk = FaultDisk::make();
  const auto file = make_file(*disk, "a", Bytes(10, 1));
  Bytes out(10);
  EXPECT_EQ(file->read_at_nowait(0, out).error(), Errc::kUnavailable);
  disk->set_cached(true);
  EXPECT_EQ(file->read_at_nowait(0, out), 10U);
}

// What was written in reserve is the old content or the new one, whole, whatever fails and whenever the power does.
TEST(FaultDiskReserve, IsOldOrNewAfterAnyFailureAndAnyCrash) {
  const auto content = [](std::uint8_t version) { return Bytes(version % 2 == 0 ? 3000 : 9000, version); };
  for (std::uint64_t n = 1;; ++n) {
    ASSERT_LT(n, 60U);
    const auto disk = FaultDisk::make("/d", n);
    ASSERT_TRUE(disk->replace_in_reserve("a", content(1), 16 << 10));
    disk->arm({.ops = changing_ops(), .nth = n});
    std::uint8_t last = 1;
    for (std::uint8_t version = 2; version < 6; ++version) {
      if (disk->replace_in_reserve("a", content(version), 16 << 10)) last = version;
      for (std::uint64_t seed = 0; seed < 8; ++seed) {
        const Bytes left = disk->crash(seed)->read_all("a", 10'000).value();
        ASSERT_FALSE(left.empty());
        ASSERT_EQ(left, content(left[0])) << "torn, after operation " << n;
        ASSERT_TRUE(left[0] == last || left[0] == version) << int{left[0]} << " after operation " << n;
      }
    }
    if (disk->fired() == 0) break;
  }
}

TEST(FaultDiskReserve, NeedsNoRoom) {
  const auto disk = FaultDisk::make();
  ASSERT_TRUE(disk->replace_in_reserve("a", Bytes(3000, 1), 16 << 10));
  const Space space = disk->space().value();
  disk->set_capacity(space.total_bytes - space.free_bytes);
  for (const std::uint8_t version : {2, 3, 4}) {
    ASSERT_TRUE(disk->replace_in_reserve("a", Bytes(10'000U * (version == 3 ? 0 : 1) + 5, version), 16 << 10));
    EXPECT_EQ(disk->read_all("a", 100'000).value()[0], version);
  }
  EXPECT_EQ(disk->replace_in_reserve("a", Bytes(40'000, 5), 16 << 10).error(), Errc::kNoSpace);
  EXPECT_EQ(disk->read_all("a", 100'000).value()[0], 4);
  EXPECT_EQ(disk->replace("b", Bytes(1)).error(), Errc::kNoSpace);
}

}  // namespace
}  // namespace andromede::io
