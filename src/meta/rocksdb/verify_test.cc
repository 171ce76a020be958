// Bytes that decay in a mirror's files, which nobody reads: found by verifying, mended by a copy of another mirror.
#include "meta/rocksdb/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "meta/rocksdb/mirror.h"
#include "meta/rocksdb/test_cloud.h"

namespace andromede::meta {
namespace {

constexpr int kCommits = 50;

std::string key_of(int i) { return "key" + std::to_string(i); }
std::string payload_of(int i) { return std::string(3000, static_cast<char>('a' + i % 26)); }

class VerifyMirror : public testing::Test {
 protected:
  void fill(TestCloud& cloud) {
    ASSERT_TRUE(cloud.open());
    for (int i = 0; i < kCommits; ++i) {
      Commit change;
      change.event = "put";
      change.put.push_back({{Space::kRecords, key_of(i)}, std::to_string(i)});
      change.put.push_back({{Space::kInline, key_of(i)}, payload_of(i)});
      ASSERT_TRUE(cloud.commit(std::move(change)));
    }
    cloud.close();  // so that all of it lies in tables and blob files
    ASSERT_TRUE(cloud.open());
  }
  static void expect_whole(TestCloud& cloud) {
    for (int i = 0; i < kCommits; ++i) {
      EXPECT_EQ(cloud.read(key_of(i)), std::to_string(i));
      EXPECT_EQ(cloud.read(key_of(i), Space::kInline), payload_of(i));
    }
    EXPECT_EQ(cloud.verify_journal(), static_cast<std::uint64_t>(kCommits));
  }
  // Flips a byte in the largest file of a mirror's state whose name has that in it.
  static void damage(TestCloud& cloud, std::size_t mirror, const std::string& part) {
    std::filesystem::path largest;
    for (const auto& entry : std::filesystem::directory_iterator(cloud.root(mirror) + "/meta/state")) {
      if (entry.path().filename().string().find(part) == std::string::npos) continue;
      if (largest.empty() || entry.file_size() > std::filesystem::file_size(largest)) largest = entry.path();
    }
    ASSERT_FALSE(largest.empty());
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(largest) / 2);
    file.seekg(middle);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(middle);
    file.put(byte);
  }
};

TEST_F(VerifyMirror, FindsAFlippedByteInEveryKindOfFileAndTheMirrorIsCopiedAnew) {
  TestCloud cloud(3, 3);
  fill(cloud);
  for (std::size_t i = 0; i < 3; ++i) {
    std::uint64_t read = 0;
    const Status sound = cloud.store().verify_mirror(cloud.id(i), [&](std::uint64_t bytes) {
      read += bytes;
      return true;
    });
    EXPECT_TRUE(sound) << sound.error().describe();
    EXPECT_GT(read, std::uint64_t{kCommits} * 3000);
  }
  for (const std::string part : {".sst", ".blob", "MANIFEST"}) {
    SCOPED_TRACE(part);
    damage(cloud, 0, part);
    const Status found = cloud.store().verify_mirror(cloud.id(0), {});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error(), Errc::kCorrupt);
    EXPECT_NE(found.error().message().find(part), std::string::npos) << found.error().describe();
    EXPECT_NE(found.error().message().find("copied anew"), std::string::npos);
    EXPECT_EQ(cloud.store().verify_mirror(cloud.id(0), {}).error(), Errc::kUnavailable);
    expect_whole(cloud);
    ASSERT_TRUE(cloud.drives().online(cloud.id(0)));
    Status added;
    EXPECT_TRUE(eventually([&] { return !cloud.current(0); }));
    added = cloud.store().add_mirror(cloud.id(0), {});
    EXPECT_TRUE(added) << added.error().describe();
    const Status sound = cloud.store().verify_mirror(cloud.id(0), {});
    EXPECT_TRUE(sound) << sound.error().describe();
  }
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(1)));
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(2)));
  expect_whole(cloud);
}

TEST_F(VerifyMirror, TheLastOneStaysAndIsSaidToBe) {
  TestCloud cloud;
  fill(cloud);
  damage(cloud, 0, ".blob");
  const Status found = cloud.store().verify_mirror(cloud.id(0), {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), Errc::kCorrupt);
  EXPECT_NE(found.error().message().find("last metadata mirror"), std::string::npos) << found.error().describe();
  EXPECT_EQ(cloud.read(key_of(0)), "0");
  EXPECT_TRUE(cloud.put("after", "1"));
}

TEST_F(VerifyMirror, StopsWhenToldToAndRefusesDrivesWithoutAMirror) {
  TestCloud cloud(2, 1);
  fill(cloud);
  EXPECT_EQ(cloud.store().verify_mirror(cloud.id(0), [](std::uint64_t) { return false; }).error(), Errc::kCancelled);
  EXPECT_EQ(cloud.store().verify_mirror(cloud.id(1), {}).error(), Errc::kUnavailable);
  EXPECT_EQ(cloud.store().verify_mirror(DriveId(), {}).error(), Errc::kNotFound);
}

TEST_F(VerifyMirror, GoesOnBesideCommitsAndCompactions) {
  TestCloud cloud;
  fill(cloud);
  int next = 0;
  for (int round = 0; round < 3; ++round) {
    const Status sound = cloud.store().verify_mirror(cloud.id(0), [&](std::uint64_t) {
      for (int i = 0; i < 20; ++i) {
        Commit change;
        change.unwitnessed = "a test";
        change.put.push_back({{Space::kInline, "beside" + std::to_string(next++)}, std::string(20'000, 'x')});
        EXPECT_TRUE(cloud.commit(std::move(change)));
      }
      return true;
    });
    EXPECT_TRUE(sound) << sound.error().describe();
  }
}

}  // namespace
}  // namespace andromede::meta
