// What every Disk must do, run against the real one on a temporary folder and against FaultDisk without faults.
#include "io/disk.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "io/fault_disk.h"
#include "io/temporary_folder.h"

namespace andromede::io {
namespace {

Bytes pattern(std::size_t count, std::uint8_t seed = 1) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(seed + i * 7 + i / 256);
  return bytes;
}

Bytes read(File& file, std::uint64_t offset, std::size_t count) {
  Bytes out(count);
  const Result<std::size_t> got = file.read_at(offset, out);
  EXPECT_TRUE(got.has_value()) << got.error().describe();
  out.resize(got.value_or(0));
  return out;
}

class DiskTest : public testing::TestWithParam<bool> {
 protected:
  DiskTest() {
    if (GetParam()) {
      disk_ = *open_real_disk(folder_.path());
    } else {
      auto fault = FaultDisk::make();
      fault->set_cached(true);
      disk_ = std::move(fault);
    }
  }
  std::unique_ptr<File> create(const std::string& path) {
    auto file = disk_->open(path, OpenMode::kCreate);
    EXPECT_TRUE(file.has_value()) << file.error().describe();
    return std::move(*file);
  }
  // As somebody else does it.
  void take_away(const std::string& path) {
    if (GetParam()) {
      EXPECT_TRUE(std::filesystem::remove(folder_.path() + "/" + path));
    } else {
      EXPECT_TRUE(dynamic_cast<FaultDisk&>(*disk_).share()->remove(path));
    }
  }
  TemporaryFolder folder_;
  std::unique_ptr<Disk> disk_;
};

INSTANTIATE_TEST_SUITE_P(Disks, DiskTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Real" : "Fault"; });

TEST_P(DiskTest, ReadsWhatWasWrittenAndEndsAtTheEnd) {
  const auto file = create("a");
  const Bytes data = pattern(10'000);
  ASSERT_TRUE(file->write_at(100, data));
  EXPECT_EQ(file->size(), 10'100U);
  EXPECT_EQ(read(*file, 0, 100), Bytes(100));
  EXPECT_EQ(read(*file, 100, 20'000), data);
  EXPECT_TRUE(read(*file, 10'100, 1).empty());
  EXPECT_TRUE(read(*file, 1 << 20, 1).empty());
  EXPECT_TRUE(file->sync());
}

TEST_P(DiskTest, WritesManyPiecesInOrder) {
  const auto file = create("a");
  const Bytes data = pattern(3 * 1500);
  // More pieces than one pwritev takes, empty ones among them.
  std::vector<ByteView> pieces;
  for (std::size_t at = 0; at < data.size(); at += 3) {
    pieces.push_back(ByteView(data).subspan(at, 3));
    if (at % 9 == 0) pieces.emplace_back();
  }
  ASSERT_GT(pieces.size(), 1024U);
  ASSERT_TRUE(file->write_at(5, pieces));
  EXPECT_EQ(read(*file, 5, data.size() + 1), data);
  EXPECT_TRUE(file->write_at(0, std::vector<ByteView>{}));
  EXPECT_EQ(file->size(), data.size() + 5);
}

// Whole pages go past the page cache, their neighbours through it.
TEST_P(DiskTest, LargeWritesOfWholePagesAndSmallOnesMeet) {
  const auto file = create("a");
  Bytes expected = pattern(1 << 20);
  Buffer buffer(expected.size());
  buffer.append(expected);
  ASSERT_TRUE(file->write_at(0, buffer.view()));
  EXPECT_EQ(read(*file, 0, expected.size()), expected);
  const Bytes small = pattern(700, 9);
  ASSERT_TRUE(file->write_at(4000, small));
  ASSERT_TRUE(file->write_at(512 << 10, buffer.view().first(256 << 10)));
  ASSERT_TRUE(file->write_at((512 << 10) + 100, small));
  std::copy_n(expected.begin(), 256 << 10, expected.begin() + (512 << 10));
  std::copy(small.begin(), small.end(), expected.begin() + 4000);
  std::copy(small.begin(), small.end(), expected.begin() + (512 << 10) + 100);
  EXPECT_EQ(read(*file, 0, expected.size()), expected);
  EXPECT_TRUE(file->sync());
  EXPECT_EQ(file->size(), expected.size());
}

TEST_P(DiskTest, ReadsBytesThatAreInMemoryWithoutWaiting) {
  const auto file = create("a");
  const Bytes data = pattern(5000);
  ASSERT_TRUE(file->write_at(0, data));
  Bytes out(6000);
  const auto got = file->read_at_nowait(0, out);
  ASSERT_TRUE(got.has_value()) << got.error().describe();
  EXPECT_EQ(*got, data.size());
  out.resize(data.size());
  EXPECT_EQ(out, data);
}

TEST_P(DiskTest, TruncatesAndReadsZerosWhereItGrowsAgain) {
  const auto file = create("a");
  ASSERT_TRUE(file->write_at(0, pattern(9000)));
  ASSERT_TRUE(file->truncate(5000));
  EXPECT_EQ(file->size(), 5000U);
  ASSERT_TRUE(file->truncate(9000));
  Bytes expected = pattern(5000);
  expected.resize(9000);
  EXPECT_EQ(read(*file, 0, 9000), expected);
}

TEST_P(DiskTest, PunchedRangesReadAsZerosAndGiveTheirBlocksBack) {
  const auto file = create("a");
  const Bytes data = pattern(64 << 10);
  ASSERT_TRUE(file->write_at(0, data));
  ASSERT_TRUE(file->sync());
  const std::uint64_t before = file->allocated().value();
  ASSERT_TRUE(file->punch(5000, 40'000));
  Bytes expected = data;
  std::fill(expected.begin() + 5000, expected.begin() + 45'000, 0);
  EXPECT_EQ(read(*file, 0, data.size()), expected);
  EXPECT_EQ(file->size(), data.size());
  EXPECT_LE(file->allocated().value() + 32'000, before);
  // Inside one block nothing is given back, but it reads as zeros.
  ASSERT_TRUE(file->punch(100, 50));
  EXPECT_EQ(read(*file, 100, 50), Bytes(50));
}

TEST_P(DiskTest, AllocationGrowsTheFileWithZerosAndKeepsContent) {
  const auto file = create("a");
  ASSERT_TRUE(file->write_at(0, pattern(100)));
  ASSERT_TRUE(file->allocate(0, 1 << 20));
  EXPECT_EQ(file->size(), 1U << 20);
  EXPECT_GE(file->allocated().value(), 1U << 20);
  EXPECT_EQ(read(*file, 0, 100), pattern(100));
  EXPECT_EQ(read(*file, 100, 100), Bytes(100));
}

TEST_P(DiskTest, OpensOnlyWhatIsThereAndCreatesOnlyWhatIsNot) {
  EXPECT_EQ(disk_->open("a", OpenMode::kRead).error(), Errc::kNotFound);
  EXPECT_EQ(disk_->open("a", OpenMode::kReadWrite).error(), Errc::kNotFound);
  EXPECT_EQ(disk_->open("no/a", OpenMode::kCreate).error(), Errc::kNotFound);
  create("a");
  EXPECT_EQ(disk_->open("a", OpenMode::kCreate).error(), Errc::kAlreadyExists);
  EXPECT_EQ(disk_->open("a/b", OpenMode::kRead).error(), Errc::kNotFound);
  ASSERT_TRUE(disk_->make_folder("f"));
  EXPECT_EQ(disk_->open("f", OpenMode::kRead).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->open("f", OpenMode::kReadWrite).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->open("", OpenMode::kRead).error(), Errc::kInvalidArgument);
}

TEST_P(DiskTest, AFileOpenedForReadingRefusesWrites) {
  create("a");
  const auto file = disk_->open("a", OpenMode::kRead).value();
  EXPECT_FALSE(file->write_at(0, pattern(10)));
  EXPECT_FALSE(file->truncate(10));
  EXPECT_EQ(file->size(), 0U);
}

TEST_P(DiskTest, ReplacesWholeFiles) {
  ASSERT_TRUE(disk_->replace("a", pattern(5000)));
  EXPECT_EQ(disk_->read_all("a", 5000).value(), pattern(5000));
  ASSERT_TRUE(disk_->replace("a", pattern(10, 9)));
  EXPECT_EQ(disk_->read_all("a", 5000).value(), pattern(10, 9));
  ASSERT_TRUE(disk_->replace("a", {}));
  EXPECT_TRUE(disk_->read_all("a", 5000).value().empty());
  EXPECT_EQ(disk_->list("").value(), std::vector<std::string>{"a"});
  EXPECT_EQ(disk_->replace("no/a", pattern(1)).error(), Errc::kNotFound);
}

TEST_P(DiskTest, ReplacingLeavesReadersOfTheOldFileAlone) {
  ASSERT_TRUE(disk_->replace("a", pattern(100)));
  const auto old = disk_->open("a", OpenMode::kRead).value();
  ASSERT_TRUE(disk_->replace("a", pattern(200, 5)));
  EXPECT_EQ(read(*old, 0, 300), pattern(100));
}

TEST_P(DiskTest, RefusesToReadMoreThanTheLimit) {
  ASSERT_TRUE(disk_->replace("a", pattern(11)));
  EXPECT_EQ(disk_->read_all("a", 10).error(), Errc::kCorrupt);
  EXPECT_EQ(disk_->read_all("b", 10).error(), Errc::kNotFound);
}

TEST_P(DiskTest, MakesListsAndRemovesFolders) {
  ASSERT_TRUE(disk_->make_folder("x/y/z"));
  ASSERT_TRUE(disk_->make_folder("x/y/z"));
  create("x/y/b");
  create("x/y/a");
  EXPECT_EQ(disk_->list("x/y").value(), (std::vector<std::string>{"a", "b", "z"}));
  EXPECT_EQ(disk_->list("").value(), std::vector<std::string>{"x"});
  EXPECT_EQ(disk_->list("no").error(), Errc::kNotFound);
  EXPECT_EQ(disk_->list("x/y/a").error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->make_folder("x/y/a/c").error(), Errc::kAlreadyExists);
  EXPECT_EQ(disk_->remove("x/y").error(), Errc::kConflict);
  EXPECT_TRUE(disk_->remove("x/y/a"));
  EXPECT_TRUE(disk_->remove("x/y/b"));
  EXPECT_TRUE(disk_->remove("x/y/z"));
  EXPECT_TRUE(disk_->remove("x/y"));
  EXPECT_EQ(disk_->remove("x/y").error(), Errc::kNotFound);
  EXPECT_TRUE(disk_->sync_folder("x"));
  EXPECT_EQ(disk_->sync_folder("no").error(), Errc::kNotFound);
}

TEST_P(DiskTest, RefusesPathsThatLeaveTheDriveOrAreTooLong) {
  const std::string long_name(kMaxNameBytes + 1, 'n');
  std::string long_path = "p";
  while (long_path.size() <= kMaxPathBytes) long_path += "/p";
  const std::vector<std::string> bad = {
      "..",      "a/../b",      "/etc/passwd",         "a//b", "a/", ".", "./a", long_name,
      long_path, "a.replacing", std::string("a\0b", 3)};
  for (const std::string& path : bad) {
    EXPECT_EQ(disk_->open(path, OpenMode::kCreate).error(), Errc::kInvalidArgument) << path;
    EXPECT_EQ(disk_->replace(path, pattern(1)).error(), Errc::kInvalidArgument) << path;
    EXPECT_EQ(disk_->remove(path).error(), Errc::kInvalidArgument) << path;
    EXPECT_EQ(disk_->make_folder(path).error(), Errc::kInvalidArgument) << path;
    EXPECT_EQ(disk_->list(path).error(), Errc::kInvalidArgument) << path;
    EXPECT_EQ(disk_->read_all(path, 1).error(), Errc::kInvalidArgument) << path;
    EXPECT_EQ(disk_->sync_folder(path).error(), Errc::kInvalidArgument) << path;
  }
  EXPECT_EQ(disk_->remove("").error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->replace("", {}).error(), Errc::kInvalidArgument);
}

TEST_P(DiskTest, TellsSpaceAndIsThere) {
  const Space space = disk_->space().value();
  EXPECT_GT(space.total_bytes, 0U);
  EXPECT_LE(space.free_bytes, space.total_bytes);
  EXPECT_TRUE(disk_->probe());
  EXPECT_FALSE(disk_->root().empty());
}

TEST_P(DiskTest, ReplacesInReserveAsItReplaces) {
  ASSERT_TRUE(disk_->make_folder("f"));
  for (const std::string path : {"a", "f/a"}) {
    for (const std::size_t size : {1000, 50'000, 0, 7}) {
      ASSERT_TRUE(disk_->replace_in_reserve(path, pattern(size), 16 << 10));
      EXPECT_EQ(disk_->read_all(path, 100'000).value(), pattern(size));
    }
  }
  EXPECT_EQ(disk_->list("").value(), (std::vector<std::string>{"a", "f"}));
  EXPECT_EQ(disk_->replace_in_reserve("f", pattern(1), 4096).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->replace_in_reserve("", pattern(1), 4096).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->replace_in_reserve("g/a", pattern(1), 4096).error(), Errc::kNotFound);
  ASSERT_TRUE(disk_->replace("a", pattern(10)));
  EXPECT_EQ(disk_->read_all("a", 100).value(), pattern(10));
  EXPECT_TRUE(disk_->keep_reserve("a", 4096));
  EXPECT_TRUE(disk_->keep_reserve("a", 0));
  EXPECT_TRUE(disk_->keep_reserve("a", 0));
  EXPECT_EQ(disk_->read_all("a", 100).value(), pattern(10));
}

TEST_P(DiskTest, ProbeMissesWhatAnotherTookAwayWhileItIsInUse) {
  ASSERT_TRUE(disk_->make_folder("folder"));
  ASSERT_TRUE(disk_->make_folder("watched"));
  auto file = create("folder/a");
  const auto other = create("b");
  const auto watch = disk_->watch("watched");
  ASSERT_TRUE(watch);
  EXPECT_EQ(disk_->watch("absent").error(), Errc::kNotFound);
  ASSERT_TRUE(disk_->probe());
  ASSERT_TRUE(disk_->remove("b"));
  EXPECT_TRUE(disk_->probe()) << "what it removed itself is not missed";

  take_away("folder/a");
  EXPECT_EQ(disk_->probe().error(), Errc::kIo);
  EXPECT_TRUE(file->write_at(0, Bytes(10))) << "the file does not notice";
  EXPECT_TRUE(file->sync());
  const auto reader = create("folder/a");
  EXPECT_EQ(disk_->probe().error(), Errc::kIo) << "another file of that name is another file";
  file.reset();
  EXPECT_TRUE(disk_->probe()) << "nobody uses it any more";

  take_away("watched");
  EXPECT_EQ(disk_->probe().error(), Errc::kIo);
}

TEST_P(DiskTest, ProbeMissesNothingThatIsOnlyRead) {
  create("a");
  const auto file = disk_->open("a", OpenMode::kRead);
  ASSERT_TRUE(file);
  take_away("a");
  EXPECT_TRUE(disk_->probe());
}

TEST_P(DiskTest, ProbeMissesWhatItCouldNotRemoveItself) {
  ASSERT_TRUE(disk_->make_folder("folder"));
  create("folder/a");
  const auto watch = disk_->watch("folder");
  EXPECT_EQ(disk_->remove("folder").error(), Errc::kConflict);
  take_away("folder/a");
  ASSERT_TRUE(disk_->probe());
  take_away("folder");
  EXPECT_EQ(disk_->probe().error(), Errc::kIo);
}

}  // namespace
}  // namespace andromede::io
