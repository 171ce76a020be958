#include "meta/rocksdb/commit_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/fault_disk.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

constexpr std::uint64_t kLogSalt = 77;
constexpr std::uint64_t kSegmentBytes = 64 << 10;

std::unique_ptr<CommitLog> make_log(io::FaultDisk& disk) {
  auto log = CommitLog::create(disk.share(), kSegmentBytes);
  EXPECT_TRUE(log);
  return log ? std::move(*log) : nullptr;
}

Bytes record(std::uint64_t index, std::size_t value_bytes = 100, std::uint64_t salt = kLogSalt) {
  RecordBuilder builder(test_record_seal());
  builder.put(Space::kRecords, "key" + std::to_string(index), std::string(value_bytes, 'v'));
  return to_bytes(builder.finish(salt, index, 1));
}

Status append(CommitLog& log, std::uint64_t index, std::uint64_t flushed = 0, std::size_t value_bytes = 100) {
  const Bytes bytes = record(index, value_bytes);
  if (!log.fits(bytes.size())) {
    TRY(const bool ready, log.prepare(flushed));
    if (!ready) return fail(Errc::kNoSpace, "no free segment");
  }
  return log.append(bytes, index);
}

std::vector<std::uint64_t> indexes(const std::vector<CommitLog::Position>& positions) {
  std::vector<std::uint64_t> all;
  for (const auto& position : positions) all.push_back(position.header.first_index);
  return all;
}

Result<std::vector<std::uint64_t>> scan(io::Disk& disk, std::shared_ptr<io::Disk> handle, std::uint64_t applied) {
  (void)disk;
  TRY(const auto log, CommitLog::open(std::move(handle), kSegmentBytes));
  TRY(const auto found, log->scan(*test_record_seal(), kLogSalt, applied));
  for (const auto& position : found) CHECK_OK(log->read(*test_record_seal(), position));
  return indexes(found);
}

TEST(CommitLog, FindsWhatWasAppendedAfterAPowerLoss) {
  const auto disk = io::FaultDisk::make();
  const auto log = make_log(*disk);
  for (std::uint64_t i = 1; i <= 20; ++i) ASSERT_TRUE(append(*log, i, 0, 5000));
  const auto after = disk->crash(3);
  const auto found = scan(*after, after->share(), 15);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (std::vector<std::uint64_t>{16, 17, 18, 19, 20}));
}

TEST(CommitLog, StaleContentOfAReusedSegmentIsNotTakenForNew) {
  const auto disk = io::FaultDisk::make();
  const auto log = make_log(*disk);
  // 16 records a segment: the third round overwrites the first half of segment 0 only.
  for (std::uint64_t i = 1; i <= 40; ++i) ASSERT_TRUE(append(*log, i, i > 32 ? 32 : 0));
  const auto found = scan(*disk, disk->share(), 32);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (std::vector<std::uint64_t>{33, 34, 35, 36, 37, 38, 39, 40}));
  const auto other_salt = CommitLog::open(disk->share(), kSegmentBytes);
  ASSERT_TRUE(other_salt);
  EXPECT_TRUE((*other_salt)->scan(*test_record_seal(), kLogSalt + 1, 0)->empty());
}

TEST(CommitLog, RecordsInsideAValueAreNotFound) {
  const auto disk = io::FaultDisk::make();
  const auto log = make_log(*disk);
  RecordBuilder builder(test_record_seal());
  // A value that holds, at every alignment of a block, what looks like a record; its writer cannot know the salt.
  std::string value;
  const Bytes forged = record(99, 100, kLogSalt + 1);
  for (int i = 0; i < 3; ++i) value += std::string(as_text(forged));
  builder.put(Space::kInline, std::string(kLogBlockBytes - kRecordHeaderBytes - 8, 'k').substr(0, 4096), value);
  const Bytes bytes = to_bytes(builder.finish(kLogSalt, 1, 1));
  ASSERT_TRUE(log->append(bytes, 1));
  ASSERT_TRUE(disk->corrupt("meta/log/segment-0000", 50));  // so that the scan looks inside
  const auto found = scan(*disk, disk->share(), 0);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
}

TEST(CommitLog, TornTailIsDiscardedAndDamageInTheMiddleIsNot) {
  const auto disk = io::FaultDisk::make();
  const auto log = make_log(*disk);
  for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_TRUE(append(*log, i));
  ASSERT_TRUE(disk->corrupt("meta/log/segment-0000", 4 * kLogBlockBytes + 60));
  auto found = scan(*disk, disk->share(), 0);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (std::vector<std::uint64_t>{1, 2, 3, 4}));
  ASSERT_TRUE(disk->corrupt("meta/log/segment-0000", 1 * kLogBlockBytes + 60));
  found = scan(*disk, disk->share(), 0);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), Errc::kCorrupt);
  // Below what the state has flushed, damage harms nothing.
  found = scan(*disk, disk->share(), 2);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (std::vector<std::uint64_t>{3, 4}));
}

TEST(CommitLog, GrowsToItsBoundAndThenSaysThatItIsFull) {
  const auto disk = io::FaultDisk::make();
  const auto log = make_log(*disk);
  std::uint64_t index = 1;
  while (append(*log, index)) ++index;
  EXPECT_EQ(index - 1, kMaxSegments * kSegmentBytes / kLogBlockBytes);
  EXPECT_EQ(log->bytes(), kMaxSegments * kSegmentBytes);
  EXPECT_TRUE(append(*log, index, 16));  // the first segment's records are flushed
}

TEST(CommitLog, FullDriveKeepsWhatItHas) {
  const auto disk = io::FaultDisk::make();
  const auto log = make_log(*disk);
  disk->set_capacity(kInitialSegments * kSegmentBytes + 4096);
  std::uint64_t index = 1;
  Status status;
  while ((status = append(*log, index))) ++index;
  EXPECT_EQ(status.error(), Errc::kNoSpace);
  EXPECT_EQ(index - 1, kInitialSegments * kSegmentBytes / kLogBlockBytes);
  const auto found = scan(*disk, disk->share(), 0);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), index - 1);
}

// Every operation fails once, with every kind of failure; whatever was appended before is found after a power loss.
TEST(CommitLog, EveryFailureLeavesWhatWasSynced) {
  for (const io::FaultAction action : {io::FaultAction::kFail, io::FaultAction::kTear}) {
    for (std::uint64_t n = 1;; ++n) {
      const auto disk = io::FaultDisk::make("/fault-disk", n);
      disk->arm({.action = action, .ops = io::changing_ops(), .nth = n, .from_then_on = true});
      std::uint64_t appended = 0;
      if (auto log = CommitLog::create(disk->share(), kSegmentBytes)) {
        while (appended < 40 && append(**log, appended + 1, appended < 32 ? 0 : 16, 300)) ++appended;
      }
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const auto after = disk->crash(seed);
        const auto found = scan(*after, after->share(), appended >= 32 ? 16 : 0);
        if (appended == 0) continue;  // the log's making may not have ended, and then nobody opens it
        ASSERT_TRUE(found) << "operation " << n << " seed " << seed << ": " << found.error().describe();
        ASSERT_FALSE(found->empty());
        // The one that failed may have reached the drive.
        ASSERT_GE(found->back(), appended) << "operation " << n << " seed " << seed;
        ASSERT_LE(found->back(), appended + 1);
      }
      if (disk->fired() == 0) {
        EXPECT_EQ(appended, 40U);
        break;
      }
    }
  }
}

TEST(CommitLog, SegmentWhoseMakingWasCutShortIsMadeAnew) {
  const auto disk = io::FaultDisk::make();
  make_log(*disk);
  auto file = disk->open("meta/log/segment-0001", io::OpenMode::kReadWrite);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->truncate(kLogBlockBytes * 3 + 5));
  auto log = CommitLog::open(disk->share(), kSegmentBytes);
  ASSERT_TRUE(log);
  ASSERT_TRUE((*log)->scan(*test_record_seal(), kLogSalt, 0));
  ASSERT_TRUE((*log)->start());
  EXPECT_EQ(*(*file)->size(), kSegmentBytes);
}

TEST(CommitLog, MissingSegmentIsCorrupt) {
  for (const std::uint64_t missing : {0U, 1U, 2U}) {
    const auto disk = io::FaultDisk::make();
    const auto log = make_log(*disk);
    // Into the fourth segment.
    for (std::uint64_t i = 1; i <= 50; ++i) ASSERT_TRUE(append(*log, i));
    ASSERT_TRUE(disk->remove("meta/log/segment-000" + std::to_string(missing)));
    const auto opened = CommitLog::open(disk->share(), kSegmentBytes);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error(), Errc::kCorrupt);
  }
}

// By a drive that has read the salt: a right checksum is not enough.
TEST(CommitLog, ARecordOfAnotherCloudIsForgedAndNoTornTail) {
  const auto disk = io::FaultDisk::make();
  const auto log = make_log(*disk);
  ASSERT_TRUE(log->append(record(1), 1));
  RecordBuilder builder(test_record_seal(2));
  builder.put(Space::kRecords, "k", "forged");
  ASSERT_TRUE(log->append(builder.finish(kLogSalt, 2, 1), 2));
  // One behind the last counts for nothing, one in another's place leaves a gap.
  ASSERT_EQ(scan(*disk, disk->share(), 0).value().size(), 1u);
  RecordBuilder ours(test_record_seal());
  ours.put(Space::kRecords, "k", "v");
  ASSERT_TRUE(log->append(ours.finish(kLogSalt, 3, 1), 3));
  const auto found = scan(*disk, disk->share(), 0);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), Errc::kCorrupt);
}

TEST(CommitLog, WhatIsOfAnotherVersionIsNoRecord) {
  const auto disk = io::FaultDisk::make();
  const auto log = make_log(*disk);
  Bytes bytes = record(1);
  bytes[4] = kRecordVersion + 1;
  ASSERT_TRUE(log->append(bytes, 1));
  EXPECT_TRUE(scan(*disk, disk->share(), 0).value().empty());
}

}  // namespace
}  // namespace andromede::meta
