// That the files of a copied mirror are kept before it can count as one. They lie on the real file system.
#include "meta/rocksdb/mirror_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "io/disk_calls.h"
#include "io/fault_disk.h"
#include "io/temporary_folder.h"
#include "meta/rocksdb/raw_file.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

class MirrorCopyTest : public testing::Test {
 protected:
  MirrorCopyTest() {
    Mirror::Options options;
    options.seal = test_record_seal();
    options.log_segment_bytes = 256 << 10;
    source_ =
        Mirror::create(DriveId::random(random_), std::shared_ptr<io::Disk>(source_disk_->share()), options).value();
    apply_some();
  }
  void apply_some() {
    RecordBuilder builder(test_record_seal());
    for (int i = 0; i < 20; ++i) builder.put(Space::kRecords, "key" + std::to_string(i), std::string(1000, 'x'));
    ++index_;
    static_cast<void>(builder.finish(1, index_, 1));
    EXPECT_TRUE(source_->apply(builder.payload(), index_));
    EXPECT_TRUE(source_->state().flush());
  }

  SeededRandom random_{1};
  std::uint64_t index_ = 0;
  io::TemporaryFolder from_;
  io::TemporaryFolder to_;
  const std::unique_ptr<io::FaultDisk> source_disk_ = io::FaultDisk::make(from_.path(), 1);
  const std::unique_ptr<io::FaultDisk> target_ = io::FaultDisk::make(to_.path(), 2);
  std::shared_ptr<Mirror> source_;
};

TEST_F(MirrorCopyTest, EachRoundKeepsItsFilesAndTheirNames) {
  io::DiskCalls calls(to_.path());
  MirrorCopy copy(source_, *target_, {});
  for (int round = 0; round < 2; ++round) {
    const auto copied = copy.round();
    ASSERT_TRUE(copied) << copied.error().describe();
    EXPECT_GT(*copied, 1000U);
    EXPECT_THAT(calls.at_risk(), testing::IsEmpty());
    // The state's own folder is made out of DiskCalls' sight.
    EXPECT_THAT(calls.take(), testing::Contains("fsync meta"));
    apply_some();
  }
}

TEST_F(MirrorCopyTest, WhatCannotBeKeptIsNoCopy) {
  unsigned files = 0;
  {
    io::DiskCalls calls(to_.path());
    ASSERT_TRUE(MirrorCopy(source_, *target_, {}).round());
    for (const std::string& call : calls.take()) files += call.starts_with("fsync ") ? 1 : 0;
  }
  ASSERT_GT(files, 3U);
  for (unsigned at = 0; at < files; ++at) {
    io::DiskCalls calls(to_.path());
    calls.fail_next("fsync", EIO, at);
    EXPECT_EQ(MirrorCopy(source_, *target_, {}).round().error(), Errc::kIo) << at;
  }
  io::DiskCalls calls(to_.path());
  calls.fail_next("write", ENOSPC);
  EXPECT_EQ(MirrorCopy(source_, *target_, {}).round().error(), Errc::kNoSpace);
}

// It may hold the only other copy.
TEST_F(MirrorCopyTest, WhatTheTargetHeldStaysWhereNothingCanBeCopied) {
  ASSERT_TRUE(MirrorCopy(source_, *target_, {}).round());
  MirrorCopy too_large(source_, *target_, {}, std::uint64_t{1} << 62);
  EXPECT_EQ(too_large.round().error(), Errc::kNoSpace);
  EXPECT_FALSE(too_large.begun());
  // The source cannot be asked.
  const std::string in_the_way = checkpoint_path(*source_disk_);
  {
    RawFile file(in_the_way, O_WRONLY | O_CREAT);
  }
  MirrorCopy sourceless(source_, *target_, {});
  EXPECT_EQ(sourceless.round().error(), Errc::kUnavailable);
  EXPECT_FALSE(sourceless.begun());
  std::filesystem::remove(in_the_way);
  EXPECT_TRUE(std::filesystem::exists(state_path(*target_) + "/CURRENT"));
  ASSERT_TRUE(sourceless.round());
  EXPECT_TRUE(sourceless.begun());
}

TEST_F(MirrorCopyTest, CopiesOfOneMirrorKeepOutOfEachOthersWay) {
  io::TemporaryFolder another;
  const auto other_target = io::FaultDisk::make(another.path(), 3);
  bool both = false;
  MirrorCopy first(source_, *target_, [&](std::uint64_t, std::uint64_t) {
    if (std::exchange(both, true)) return true;
    const auto copied = MirrorCopy(source_, *other_target, {}).round();
    EXPECT_TRUE(copied) << copied.error().describe();
    return true;
  });
  const auto copied = first.round();
  EXPECT_TRUE(copied) << copied.error().describe();
  EXPECT_TRUE(both);
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(*source_disk_)));
}

}  // namespace
}  // namespace andromede::meta
