// Bytes that decay in a mirror's files, which nobody reads: found by verifying, mended by a copy of another mirror.
#include "meta/rocksdb/verify.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <utility>

#include "meta/rocksdb/mirror.h"
#include "meta/rocksdb/test_cloud.h"

extern "C" {
ssize_t __real_read(int number, void* to, std::size_t bytes);
ssize_t __wrap_read(int number, void* to, std::size_t bytes);
}

namespace {

// While one lives our own reads of files below the folder hang.
class HangingFolder {
 public:
  explicit HangingFolder(std::string folder) : folder_(std::move(folder)) {
    const std::lock_guard lock(mutex);
    current = this;
  }
  HangingFolder(const HangingFolder&) = delete;
  HangingFolder& operator=(const HangingFolder&) = delete;
  ~HangingFolder() { let_go(); }
  void let_go() {
    const std::lock_guard lock(mutex);
    current = nullptr;
    changed.notify_all();
  }
  static void pass(int number) {
    std::unique_lock lock(mutex);
    if (current == nullptr) return;
    std::error_code error;
    const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(number), error);
    if (!path.string().starts_with(current->folder_)) return;
    ++hung;
    changed.wait(lock, [] { return current == nullptr; });
    --hung;
  }
  static int hanging() {
    const std::lock_guard lock(mutex);
    return hung;
  }

 private:
  static inline std::mutex mutex;
  static inline std::condition_variable changed;
  static inline HangingFolder* current = nullptr;
  static inline int hung = 0;
  const std::string folder_;
};

}  // namespace

ssize_t __wrap_read(int number, void* to, std::size_t bytes) {
  HangingFolder::pass(number);
  return __real_read(number, to, bytes);
}

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
      // A bounded number: what comes to lie ahead of a slow verification is verified too.
      for (int i = 0; i < 20 && next < (round + 1) * 400; ++i) {
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

TEST_F(VerifyMirror, OneThatIsUnderWayIsNoneThatHangs) {
  TestCloud cloud(2, 2);
  fill(cloud);
  std::promise<void> begun;
  std::promise<void> let_go;
  bool first = true;
  auto under_way = std::async(std::launch::async, [&] {
    return cloud.store().verify_mirror(cloud.id(0), [&](std::uint64_t) {
      if (!std::exchange(first, false)) return true;
      begun.set_value();
      let_go.get_future().wait();
      return true;
    });
  });
  begun.get_future().wait();
  EXPECT_EQ(cloud.store().verify_mirror(cloud.id(0), {}).error(), Errc::kConflict);
  let_go.set_value();
  EXPECT_TRUE(under_way.get());
  EXPECT_TRUE(cloud.store().verify_mirror(cloud.id(0), {}));
}

class HangingVerification : public VerifyMirror {
 protected:
  // That it answers, whatever it does.
  static Errc verify(TestCloud& cloud, std::size_t mirror, HangingFolder& folder) {
    auto verified = std::async(std::launch::async, [&] { return cloud.store().verify_mirror(cloud.id(mirror), {}); });
    if (verified.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
      ADD_FAILURE() << "it waits";
      folder.let_go();
    }
    const Status answer = verified.get();
    EXPECT_FALSE(answer);
    if (answer || !(answer.error() == Errc::kTimeout)) return Errc::kInternal;
    return Errc::kTimeout;
  }
};

TEST_F(HangingVerification, IsWaitedForSoLongAndTheMirrorHasFailed) {
  TestCloud cloud(3, 3);
  cloud.options.silence_patience = std::chrono::milliseconds(300);
  fill(cloud);
  HangingFolder folder(cloud.root(1));
  EXPECT_EQ(verify(cloud, 1, folder), Errc::kTimeout);
  EXPECT_TRUE(eventually([&] { return !cloud.current(1); }));
  EXPECT_EQ(HangingFolder::hanging(), 1);
  folder.let_go();
  EXPECT_TRUE(eventually([&] { return HangingFolder::hanging() == 0; }));
  expect_whole(cloud);
}

TEST_F(HangingVerification, OfTheLastMirrorLeavesItAndKeepsOneThread) {
  TestCloud cloud;
  cloud.options.silence_patience = std::chrono::milliseconds(300);
  fill(cloud);
  HangingFolder folder(cloud.root(0));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(verify(cloud, 0, folder), Errc::kTimeout);
  EXPECT_EQ(HangingFolder::hanging(), 1);
  expect_whole(cloud);
  folder.let_go();
  EXPECT_TRUE(eventually([&] { return cloud.store().verify_mirror(cloud.id(0), {}).has_value(); }));
}

TEST_F(HangingVerification, EndsWhenTheDriveIsOffline) {
  TestCloud cloud(3, 3);
  fill(cloud);
  HangingFolder folder(cloud.root(1));
  auto offline = std::async(std::launch::async, [&] {
    EXPECT_TRUE(eventually([] { return HangingFolder::hanging() == 1; }));
    cloud.disk(1).set_offline(true);
    cloud.drives().probe_all();
  });
  EXPECT_EQ(verify(cloud, 1, folder), Errc::kTimeout);
  offline.get();
}

}  // namespace
}  // namespace andromede::meta
