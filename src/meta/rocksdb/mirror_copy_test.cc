// That the files of a copied mirror are kept before it can count as one. They lie on the real file system.
#include "meta/rocksdb/mirror_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "io/disk_calls.h"
#include "io/fault_disk.h"
#include "io/temporary_folder.h"

namespace andromede::meta {
namespace {

class MirrorCopyTest : public testing::Test {
 protected:
  MirrorCopyTest() {
    Mirror::Options options;
    options.log_segment_bytes = 256 << 10;
    source_ =
        Mirror::create(DriveId::random(random_), std::shared_ptr<io::Disk>(source_disk_->share()), options).value();
    apply_some();
  }
  void apply_some() {
    RecordBuilder builder;
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
  std::unique_ptr<Mirror> source_;
};

TEST_F(MirrorCopyTest, EachRoundKeepsItsFilesAndTheirNames) {
  io::DiskCalls calls(to_.path());
  MirrorCopy copy(*source_, *target_, {});
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
    ASSERT_TRUE(MirrorCopy(*source_, *target_, {}).round());
    for (const std::string& call : calls.take()) files += call.starts_with("fsync ") ? 1 : 0;
  }
  ASSERT_GT(files, 3U);
  for (unsigned at = 0; at < files; ++at) {
    io::DiskCalls calls(to_.path());
    calls.fail_next("fsync", EIO, at);
    EXPECT_EQ(MirrorCopy(*source_, *target_, {}).round().error(), Errc::kIo) << at;
  }
  io::DiskCalls calls(to_.path());
  calls.fail_next("write", ENOSPC);
  EXPECT_EQ(MirrorCopy(*source_, *target_, {}).round().error(), Errc::kNoSpace);
}

}  // namespace
}  // namespace andromede::meta
