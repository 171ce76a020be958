// What a power cut would take of what the real disk has promised to keep, by the system calls that it makes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "io/disk.h"
#include "io/disk_calls.h"
#include "io/temporary_folder.h"

namespace andromede::io {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class RealDiskSyncTest : public testing::Test {
 protected:
  RealDiskSyncTest() : disk_(*open_real_disk(folder_.path())), calls_(folder_.path()) {}

  // A file that is there for good.
  std::unique_ptr<File> kept(const std::string& path) {
    auto file = disk_->open(path, OpenMode::kCreate).value();
    EXPECT_TRUE(file->sync());
    EXPECT_TRUE(disk_->sync_folder(""));
    EXPECT_THAT(calls_.at_risk(), Not(Contains("content of " + path)));
    EXPECT_THAT(calls_.at_risk(), Not(Contains("names in .")));
    (void)calls_.take();
    return file;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Disk> disk_;
  DiskCalls calls_;
};

TEST_F(RealDiskSyncTest, WhatWasWrittenIsKeptBySync) {
  const auto file = kept("a");
  ASSERT_TRUE(file->write_at(0, Bytes(100, 1)));
  EXPECT_THAT(calls_.at_risk(), ElementsAre("content of a"));
  ASSERT_TRUE(file->sync());
  EXPECT_THAT(calls_.at_risk(), IsEmpty());

  const Bytes piece(100, 2);
  ASSERT_TRUE(file->write_at(100, std::vector<ByteView>{piece, piece}));
  EXPECT_THAT(calls_.at_risk(), ElementsAre("content of a"));
  ASSERT_TRUE(file->sync());
  EXPECT_THAT(calls_.at_risk(), IsEmpty());
}

TEST_F(RealDiskSyncTest, SizesAllocationsAndHolesAreKeptBySync) {
  const auto file = kept("a");
  const std::vector<std::function<Status()>> changes{
      [&] { return file->truncate(100'000); }, [&] { return file->allocate(0, 200'000); },
      [&] { return file->punch(0, 65'536); }, [&] { return file->truncate(0); }};
  for (const auto& change : changes) {
    ASSERT_TRUE(change());
    EXPECT_THAT(calls_.at_risk(), ElementsAre("content of a"));
    ASSERT_TRUE(file->sync());
    EXPECT_THAT(calls_.at_risk(), IsEmpty());
  }
}

// Bytes that went past the page cache may still be in the drive's own.
TEST_F(RealDiskSyncTest, WritesPastThePageCacheAreKeptBySyncToo) {
  const auto file = kept("a");
  Buffer buffer(256 << 10);
  buffer.append(Bytes(256 << 10, 7));
  ASSERT_TRUE(file->write_at(0, buffer.view()));
  const std::vector<std::string> first = calls_.take();
  if (first == std::vector<std::string>{"pwrite a"}) GTEST_SKIP() << "this file system has no O_DIRECT";
  EXPECT_THAT(first, ElementsAre("pwrite direct a"));
  EXPECT_THAT(calls_.at_risk(), ElementsAre("content of a"));
  ASSERT_TRUE(file->sync());
  EXPECT_THAT(calls_.at_risk(), IsEmpty());

  // What does not go past it, or not all, goes the usual way.
  calls_.fail_next("pwrite direct", EIO);
  ASSERT_TRUE(file->write_at(256 << 10, buffer.view()));
  calls_.shorten_next("pwrite direct", 4096);
  calls_.fail_next("pwrite direct", EINVAL);
  ASSERT_TRUE(file->write_at(512 << 10, buffer.view()));
  EXPECT_THAT(calls_.take(), ElementsAre("fdatasync a", "pwrite direct a", "pwrite a", "pwrite direct a",
                                         "pwrite direct a", "pwrite a"));
  Bytes content(768 << 10);
  ASSERT_EQ(file->read_at(0, content), content.size());
  EXPECT_TRUE(std::all_of(content.begin(), content.end(), [](std::uint8_t byte) { return byte == 7; }));
}

TEST_F(RealDiskSyncTest, AFailedSyncIsNotForgotten) {
  for (const int error : {EIO, ENOSPC, EINTR}) {
    const std::string path = "a" + std::to_string(error);
    const auto file = kept(path);
    ASSERT_TRUE(file->write_at(0, Bytes(100, 1)));
    calls_.fail_next("fdatasync", error);
    EXPECT_EQ(file->sync().error(), Errc::kIo);
    (void)calls_.take();
    // The kernel has forgotten the pages: another fdatasync would answer 0 over lost bytes.
    EXPECT_EQ(file->sync().error(), Errc::kIo);
    (void)file->write_at(0, Bytes(100, 1)).has_value();
    EXPECT_EQ(file->sync().error(), Errc::kIo);
    EXPECT_THAT(calls_.take(), Not(Contains("fdatasync " + path)));
    // Another file is none of its business.
    EXPECT_TRUE(kept("b" + std::to_string(error))->sync());
  }
}

TEST_F(RealDiskSyncTest, AReplacedFileIsKeptWholeInAFolderThatIsKept) {
  ASSERT_TRUE(disk_->make_folder("f/g"));
  for (const std::string path : {"a", "f/a", "f/g/a"}) {
    for (const std::uint8_t version : {1, 2}) {
      ASSERT_TRUE(disk_->replace(path, Bytes(1000, version)));
      EXPECT_THAT(calls_.at_risk(), IsEmpty()) << path;
    }
  }
  (void)calls_.take();
  ASSERT_TRUE(disk_->replace("f/a", Bytes(10)));
  EXPECT_THAT(calls_.take(), ElementsAre("open f/a.replacing", "pwrite f/a.replacing", "fsync f/a.replacing",
                                         "rename f/a", "open f", "fsync f"));
}

TEST_F(RealDiskSyncTest, AReplacementThatCannotBeKeptIsRefusedAndLeavesTheOldFile) {
  ASSERT_TRUE(disk_->replace("a", Bytes(10, 1)));
  for (const std::string call : {"open", "pwrite", "fsync", "rename"}) {
    calls_.fail_next(call, call == "open" ? EACCES : EIO);
    EXPECT_EQ(disk_->replace("a", Bytes(10, 2)).error(), Errc::kIo) << call;
    EXPECT_EQ(disk_->read_all("a", 100).value(), Bytes(10, 1)) << call;
    EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/a.replacing")) << call;
  }
  calls_.fail_next("pwrite", ENOSPC);
  EXPECT_EQ(disk_->replace("a", Bytes(10, 2)).error(), Errc::kNoSpace);
  // With the name in place and the folder not synced either content may be there: not acknowledged.
  calls_.fail_next("fsync", EIO, 1);
  EXPECT_EQ(disk_->replace("a", Bytes(10, 2)).error(), Errc::kIo);
  EXPECT_THAT(calls_.at_risk(), ElementsAre("names in ."));
}

TEST_F(RealDiskSyncTest, AFileReplacedInReserveIsKeptWholeAndChangesNamesWithItsSpare) {
  ASSERT_TRUE(disk_->make_folder("f"));
  for (const std::uint8_t version : {1, 2, 3}) {
    ASSERT_TRUE(disk_->replace_in_reserve("f/a", Bytes(5000 - version, version), 100'000));
    EXPECT_THAT(calls_.at_risk(), IsEmpty());
  }
  (void)calls_.take();
  ASSERT_TRUE(disk_->replace_in_reserve("f/a", Bytes(6000, 4), 100'000));
  EXPECT_THAT(calls_.take(), ElementsAre("open f/a.replacing", "fallocate f/a.replacing", "pwrite f/a.replacing",
                                         "fsync f/a.replacing", "rename f/a", "open f", "fsync f"));
  EXPECT_EQ(disk_->read_all("f/a", 10'000).value(), Bytes(6000, 4));
}

// Where a power cut may still bring the old name back, the file that it means must not be written over.
TEST_F(RealDiskSyncTest, ASpareIsNotWrittenBeforeTheNamesAreKept) {
  for (const std::uint8_t version : {1, 2}) ASSERT_TRUE(disk_->replace_in_reserve("a", Bytes(10, version), 4096));
  calls_.fail_next("fsync", EIO, 1);
  EXPECT_EQ(disk_->replace_in_reserve("a", Bytes(10, 3), 4096).error(), Errc::kIo);
  (void)calls_.take();
  ASSERT_TRUE(disk_->replace_in_reserve("a", Bytes(10, 4), 4096));
  EXPECT_EQ(calls_.take().at(1), "fsync .");
  EXPECT_THAT(calls_.at_risk(), IsEmpty());
  // Nor does a process know what the one before it left.
  disk_ = *open_real_disk(folder_.path());
  (void)calls_.take();
  ASSERT_TRUE(disk_->replace_in_reserve("a", Bytes(10, 5), 4096));
  EXPECT_EQ(calls_.take().at(1), "fsync .");
  EXPECT_EQ(disk_->read_all("a", 100).value(), Bytes(10, 5));
}

TEST_F(RealDiskSyncTest, AReplacementInReserveThatCannotBeKeptLeavesTheOldFile) {
  ASSERT_TRUE(disk_->replace_in_reserve("a", Bytes(10, 1), 4096));
  for (const std::string call : {"pwrite", "fsync", "rename"}) {
    calls_.fail_next(call, EIO);
    EXPECT_EQ(disk_->replace_in_reserve("a", Bytes(10, 2), 4096).error(), Errc::kIo) << call;
    EXPECT_EQ(disk_->read_all("a", 100).value(), Bytes(10, 1)) << call;
  }
  ASSERT_TRUE(disk_->keep_reserve("a", 4096));
  calls_.fail_next("pwrite", ENOSPC);
  EXPECT_EQ(disk_->replace_in_reserve("a", Bytes(10, 2), 4096).error(), Errc::kNoSpace);
  EXPECT_EQ(disk_->read_all("a", 100).value(), Bytes(10, 1));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() + "/a.replacing")) << "what it holds is needed the next time";
}

TEST_F(RealDiskSyncTest, FoldersAreKeptOnceMade) {
  ASSERT_TRUE(disk_->make_folder("a/b/c"));
  EXPECT_THAT(calls_.at_risk(), IsEmpty());
  (void)calls_.take();
  // Whoever made it may have stopped before it was kept.
  std::filesystem::create_directories(folder_.path() + "/x/y");
  ASSERT_TRUE(disk_->make_folder("x/y"));
  const std::vector<std::string> made = calls_.take();
  EXPECT_THAT(made, Contains("fsync ."));
  EXPECT_THAT(made, Contains("fsync x"));
  calls_.fail_next("fsync", EIO);
  EXPECT_EQ(disk_->make_folder("d").error(), Errc::kIo);
}

TEST_F(RealDiskSyncTest, NamesAreKeptBySyncFolder) {
  ASSERT_TRUE(disk_->make_folder("f"));
  const auto file = disk_->open("f/a", OpenMode::kCreate).value();
  EXPECT_THAT(calls_.at_risk(), ElementsAre("names in f"));
  ASSERT_TRUE(file->sync());
  EXPECT_THAT(calls_.at_risk(), ElementsAre("names in f")) << "a file's sync does not keep its name";
  ASSERT_TRUE(disk_->sync_folder("f"));
  EXPECT_THAT(calls_.at_risk(), IsEmpty());

  ASSERT_TRUE(disk_->remove("f/a"));
  EXPECT_THAT(calls_.at_risk(), ElementsAre("names in f"));
  calls_.fail_next("fsync", EIO);
  EXPECT_EQ(disk_->sync_folder("f").error(), Errc::kIo);
  ASSERT_TRUE(disk_->sync_folder("f"));
  EXPECT_THAT(calls_.at_risk(), IsEmpty());

  ASSERT_TRUE(disk_->remove("f"));
  EXPECT_THAT(calls_.at_risk(), ElementsAre("names in ."));
  ASSERT_TRUE(disk_->sync_folder(""));
  EXPECT_THAT(calls_.at_risk(), IsEmpty());
}

TEST_F(RealDiskSyncTest, WritesThatStopHalfwayGoOn) {
  const auto file = kept("a");
  calls_.shorten_next("pwrite", 10);
  calls_.fail_next("pwrite", EINTR);
  ASSERT_TRUE(file->write_at(0, Bytes(100, 1)));
  const Bytes piece(100, 2);
  calls_.shorten_next("pwritev", 30);
  calls_.fail_next("pwritev", EINTR);
  ASSERT_TRUE(file->write_at(100, std::vector<ByteView>{piece, piece}));
  Bytes content(300);
  ASSERT_EQ(file->read_at(0, content), 300U);
  EXPECT_TRUE(std::all_of(content.begin(), content.begin() + 100, [](std::uint8_t byte) { return byte == 1; }));
  EXPECT_TRUE(std::all_of(content.begin() + 100, content.end(), [](std::uint8_t byte) { return byte == 2; }));
  for (const auto& [error, code] : {std::pair(EIO, Errc::kIo), std::pair(ENOSPC, Errc::kNoSpace)}) {
    calls_.fail_next("pwrite", error);
    EXPECT_EQ(file->write_at(0, Bytes(100, 1)).error(), code);
    calls_.fail_next("pwritev", error);
    EXPECT_EQ(file->write_at(0, std::vector<ByteView>{piece, piece}).error(), code);
  }
}

}  // namespace
}  // namespace andromede::io
