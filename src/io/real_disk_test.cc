// What only the real disk can show: the root's fate, the file system's space, what is left on it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "io/disk.h"
#include "io/temporary_folder.h"

namespace andromede::io {
namespace {

namespace fs = std::filesystem;

class RealDiskTest : public testing::Test {
 protected:
  RealDiskTest() : root_(folder_.path() + "/drive") {
    fs::create_directory(root_);
    disk_ = *open_real_disk(root_);
  }
  TemporaryFolder folder_;
  const std::string root_;
  std::unique_ptr<Disk> disk_;
};

TEST_F(RealDiskTest, OpensOnlyFolders) {
  EXPECT_EQ(open_real_disk(folder_.path() + "/no").error(), Errc::kNotFound);
  std::ofstream(folder_.path() + "/file") << "x";
  EXPECT_FALSE(open_real_disk(folder_.path() + "/file"));
  EXPECT_EQ(open_real_disk("").error(), Errc::kInvalidArgument);
}

TEST_F(RealDiskTest, ProbeFindsARemovedRoot) {
  EXPECT_TRUE(disk_->probe_writing());
  EXPECT_TRUE(disk_->probe());
  fs::remove_all(root_);
  EXPECT_EQ(disk_->probe().error(), Errc::kIo);
}

TEST_F(RealDiskTest, ProbeFindsARootThatAnotherFolderReplaced) {
  const auto file = disk_->open("a", OpenMode::kCreate).value();
  fs::rename(root_, root_ + "-moved");
  EXPECT_EQ(disk_->probe().error(), Errc::kIo);
  fs::create_directory(root_);
  EXPECT_TRUE(file->write_at(0, Bytes(10))) << "an open file does not notice";
  EXPECT_EQ(disk_->probe().error(), Errc::kIo);
  // Nothing written through the old handle lands in the folder that took the root's place.
  EXPECT_TRUE(disk_->replace("b", Bytes(10)));
  EXPECT_TRUE(fs::is_empty(root_));
  fs::remove(root_);
  fs::rename(root_ + "-moved", root_);
  EXPECT_TRUE(disk_->probe());
}

TEST_F(RealDiskTest, ProbeFindsAFolderInUseThatWasMovedAwayAndOneThatTookItsPlace) {
  ASSERT_TRUE(disk_->make_folder("meta/log"));
  const auto file = disk_->open("meta/log/a", OpenMode::kCreate).value();
  const auto beside = disk_->open("b", OpenMode::kCreate).value();
  EXPECT_TRUE(disk_->probe());
  fs::rename(root_ + "/meta", root_ + "/moved");
  EXPECT_EQ(disk_->probe().error(), Errc::kIo);
  fs::copy(root_ + "/moved", root_ + "/meta", fs::copy_options::recursive);
  EXPECT_EQ(disk_->probe().error(), Errc::kIo) << "what is written lands in the one that was moved";
  fs::remove_all(root_ + "/meta");
  fs::create_directory_symlink("moved", root_ + "/meta");
  EXPECT_EQ(disk_->probe().error(), Errc::kIo) << "no path leads through a link";
  fs::remove(root_ + "/meta");
  fs::rename(root_ + "/moved", root_ + "/meta");
  EXPECT_TRUE(disk_->probe());
}

// What opening `root` answers in another process.
bool another_process_can_open(const std::string& root) {
  const pid_t child = fork();
  if (child == 0) {
    // A fresh image, as another server is one: the copy that fork() makes shares the lock.
    execl("/usr/bin/flock", "flock", "--nonblock", root.c_str(), "true", nullptr);
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 127);
  return WEXITSTATUS(status) == 0;
}

TEST_F(RealDiskTest, KeepsOtherProcessesOffWhileAnythingBelowIsOpen) {
  EXPECT_FALSE(another_process_can_open(root_));
  auto again = open_real_disk(root_);
  ASSERT_TRUE(again) << "this process may";
  auto file = (*again)->open("a", OpenMode::kCreate);
  ASSERT_TRUE(file);
  disk_.reset();
  again->reset();
  EXPECT_FALSE(another_process_can_open(root_));
  file->reset();
  EXPECT_TRUE(another_process_can_open(root_));
}

TEST_F(RealDiskTest, AProcessThatEndsWithThreadsLeftBehindLetsOthersHaveTheRoot) {
  auto file = disk_->open("a", OpenMode::kCreate);
  ASSERT_TRUE(file);
  disk_->unlock();
  EXPECT_TRUE(another_process_can_open(root_));
}

// ext4 gives the number of a file that was removed to the next that is made.
TEST_F(RealDiskTest, WhatIsWatchedIsMissedThoughAnotherTakesItsPlaceAtOnce) {
  for (int i = 0; i < 50; ++i) {
    std::ofstream(root_ + "/watched") << "x";
    const auto watch = disk_->watch("watched");
    ASSERT_TRUE(watch);
    ASSERT_TRUE(disk_->probe());
    fs::remove(root_ + "/watched");
    std::ofstream(root_ + "/watched") << "x";
    EXPECT_EQ(disk_->probe().error(), Errc::kIo);
    fs::remove(root_ + "/watched");
  }
}

TEST_F(RealDiskTest, WhatIsWatchedNoLongerMayGoWhileTheDriveIsProbed) {
  std::atomic<bool> done{false};
  std::jthread engine([&] {
    for (int i = 0; i < 2'000 && !done; ++i) {
      std::ofstream(root_ + "/watched") << "x";
      const bool watched = disk_->watch("watched").has_value();
      fs::remove(root_ + "/watched");
      EXPECT_TRUE(watched);
    }
    done = true;
  });
  Status probed;
  while (probed && !done) probed = disk_->probe();
  done = true;
  EXPECT_TRUE(probed) << probed.error().describe();
}

TEST_F(RealDiskTest, RefusesARootThatAnotherProcessHas) {
  disk_.reset();
  std::array<int, 2> held{};
  std::array<int, 2> done{};
  ASSERT_EQ(pipe(held.data()), 0);
  ASSERT_EQ(pipe(done.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto disk = open_real_disk(root_);
    const char answer = disk ? 'y' : 'n';
    char end = 0;
    close(done[1]);
    if (write(held[1], &answer, 1) != 1 || read(done[0], &end, 1) != 0) _exit(1);
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(held[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  EXPECT_EQ(open_real_disk(root_).error(), Errc::kConflict);
  for (const int end : {held[0], held[1], done[0], done[1]}) close(end);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(open_real_disk(root_)) << "the lock ends with its process";
}

// Starts a thread that no library and no sanitizer knows; it sleeps for ever.
void start_sleeping_thread() {
  alignas(16) static std::array<char, 4096> stack;
  long thread = SYS_clone;
  asm volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 2f\n"
      "1: mov %[pause], %%eax\n"
      "syscall\n"
      "jmp 1b\n"
      "2:"
      : "+a"(thread)
      : "D"(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD),
        "S"(stack.data() + stack.size()), [pause] "i"(SYS_pause)
      : "rcx", "r11", "memory");
}

// A process that has ended stays for as long as one of its threads waits for a drive in the kernel. Here the thread
// sleeps instead.
TEST_F(RealDiskTest, ARootThatOnlyAProcessThatHasEndedHoldsDoesNotAnswer) {
  disk_.reset();
  std::array<int, 2> held{};
  ASSERT_EQ(pipe(held.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto disk = open_real_disk(root_);
    if (!disk || write(held[1], "y", 1) != 1) _exit(1);
    start_sleeping_thread();
    syscall(SYS_exit, 0);  // this thread's end only
  }
  char answer = 0;
  ASSERT_EQ(read(held[0], &answer, 1), 1);
  for (const int end : held) close(end);
  auto opened = open_real_disk(root_);
  for (int i = 0; i < 3000 && !opened && opened.error() == Errc::kConflict; ++i) {  // until its first thread has ended
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    opened = open_real_disk(root_);
  }
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kTimeout);
  EXPECT_EQ(opened.error().message(), "drive " + root_ + " is held by process " + std::to_string(child) +
                                          ", which has ended, and waits in the kernel for a drive that hangs");
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(open_real_disk(root_)) << "the lock ends with its last thread";
}

TEST_F(RealDiskTest, RefusesWhatIsNotAFile) {
  fs::create_symlink("/etc/hostname", root_ + "/link");
  EXPECT_EQ(disk_->open("link", OpenMode::kRead).error(), Errc::kInvalidArgument);
  EXPECT_FALSE(disk_->replace("link/x", Bytes(1)));
  ASSERT_EQ(mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  EXPECT_FALSE(disk_->open("pipe", OpenMode::kRead));
}

// Whoever can write a drive cannot make it another one's files, nor hold up who reads them.
TEST_F(RealDiskTest, FollowsNoLinkOnTheWayAndWritesThroughNone) {
  const std::string other = folder_.path() + "/other";
  fs::create_directory(other);
  std::ofstream(other + "/a") << "theirs";
  fs::create_directory_symlink(other, root_ + "/f");
  EXPECT_EQ(disk_->open("f/a", OpenMode::kReadWrite).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->open("f/b", OpenMode::kCreate).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->read_all("f/a", 100).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->remove("f/a").error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->list("f").error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->make_folder("f/g").error(), Errc::kAlreadyExists);
  EXPECT_EQ(disk_->sync_folder("f").error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->replace("f/a", Bytes(1)).error(), Errc::kInvalidArgument);
  EXPECT_EQ(disk_->replace_in_reserve("f/a", Bytes(1), 4096).error(), Errc::kInvalidArgument);
  // The name that what replaces a file is written to.
  const std::string spare = root_ + "/b" + std::string(kTemporarySuffix);
  for (const bool reserve : {false, true}) {
    const auto replace = [&](std::uint8_t with) {
      return reserve ? disk_->replace_in_reserve("b", Bytes(3, with), 4096) : disk_->replace("b", Bytes(3, with));
    };
    fs::remove(spare);
    fs::create_symlink(other + "/a", spare);
    ASSERT_TRUE(replace(1));
    fs::remove(spare);
    fs::create_hard_link(other + "/a", spare);
    ASSERT_TRUE(replace(2));
    fs::remove(spare);
    ASSERT_EQ(mkfifo(spare.c_str(), 0600), 0);
    ASSERT_TRUE(replace(3));
    EXPECT_EQ(disk_->read_all("b", 100).value(), Bytes(3, 3));
  }
  EXPECT_EQ(fs::file_size(other + "/a"), 6U);
  ASSERT_TRUE(disk_->remove("f")) << "the link itself";
  EXPECT_TRUE(fs::exists(other + "/a"));
}

TEST_F(RealDiskTest, AReserveIsHeldByBothFilesBeyondTheirEnd) {
  constexpr std::uint64_t kReserve = 256 << 10;
  for (const std::uint8_t version : {1, 2, 3}) {
    ASSERT_TRUE(disk_->replace_in_reserve("a", Bytes(version == 2 ? 50'000 : 45'000, version), kReserve));
    for (const std::string name : {"/a", "/a.replacing"}) {
      struct stat is{};
      ASSERT_EQ(stat((root_ + name).c_str(), &is), 0);
      EXPECT_GE(static_cast<std::uint64_t>(is.st_blocks) * 512, kReserve) << name;
    }
  }
  EXPECT_EQ(disk_->read_all("a", 100'000).value(), Bytes(45'000, 3));
  ASSERT_TRUE(disk_->keep_reserve("a", 0));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 1);
  ASSERT_TRUE(disk_->keep_reserve("a", kReserve));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 2);
}

// Each level costs a descriptor and a piece of the stack.
TEST_F(RealDiskTest, FoldersWithoutEndAreMeasuredToAnEnd) {
  int folder = ::open(root_.c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(::mkdirat(folder, "d", 0700), 0);
    const int inner = ::openat(folder, "d", O_RDONLY | O_DIRECTORY);
    ::close(folder);
    folder = inner;
  }
  ::close(folder);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{256, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto space = (*open_real_disk(root_, 1 << 30))->space();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(space) << space.error().describe();
  EXPECT_LT(space->free_bytes, 1U << 30);
  // std::filesystem does not get down there either.
  ASSERT_EQ(std::system(("rm -rf " + root_ + "/d").c_str()), 0);
}

TEST_F(RealDiskTest, KeepsItsFilesFromOtherUsers) {
  ASSERT_TRUE(disk_->replace("a", Bytes(1)));
  ASSERT_TRUE(disk_->open("b", OpenMode::kCreate));
  ASSERT_TRUE(disk_->make_folder("c"));
  const auto others = fs::perms::group_all | fs::perms::others_all;
  for (const char* name : {"/a", "/b", "/c"}) {
    EXPECT_EQ(fs::status(root_ + name).permissions() & others, fs::perms::none) << name;
  }
}

TEST_F(RealDiskTest, AReplacementThatDiedHalfwayIsInvisibleAndOverwritten) {
  std::ofstream(root_ + "/a" + std::string(kTemporarySuffix)) << "half of a much longer content";
  EXPECT_TRUE(disk_->list("").value().empty());
  ASSERT_TRUE(disk_->replace("a", Bytes(3, 1)));
  EXPECT_EQ(disk_->read_all("a", 100).value(), Bytes(3, 1));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 1);
}

TEST_F(RealDiskTest, AFailedReplacementLeavesNothingBehind) {
  ASSERT_TRUE(disk_->make_folder("a"));  // a file cannot be renamed over a folder
  EXPECT_FALSE(disk_->replace("a", Bytes(3, 1)));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 1);
}

TEST_F(RealDiskTest, CapacityBoundsSpaceAndAllocations) {
  constexpr std::uint64_t kCapacity = 1 << 20;
  ASSERT_TRUE(disk_->make_folder("old"));
  ASSERT_TRUE(disk_->replace("old/a", Bytes(128 << 10, 1)));
  const auto bounded = open_real_disk(root_, kCapacity).value();
  const Space before = bounded->space().value();
  EXPECT_EQ(before.total_bytes, kCapacity);
  EXPECT_LE(before.free_bytes, kCapacity - (128 << 10)) << "what was there already counts";
  EXPECT_GE(before.free_bytes, kCapacity - (256 << 10));

  const auto file = bounded->open("b", OpenMode::kCreate).value();
  ASSERT_TRUE(file->allocate(0, 512 << 10));
  const std::uint64_t after = bounded->space().value().free_bytes;
  EXPECT_LE(after, before.free_bytes - (512 << 10)) << "allocations count at once";
  EXPECT_EQ(file->allocate(512 << 10, 512 << 10).error(), Errc::kNoSpace);
  EXPECT_EQ(file->size(), 512U << 10);
  ASSERT_TRUE(file->punch(0, 256 << 10));
  EXPECT_GE(bounded->space().value().free_bytes, after + (256 << 10));
  EXPECT_TRUE(file->allocate(512 << 10, 256 << 10));
}

TEST_F(RealDiskTest, WithoutCapacitySpaceIsTheFileSystems) {
  const Space space = disk_->space().value();
  const fs::space_info system = fs::space(root_);
  EXPECT_EQ(space.total_bytes, system.capacity);
}

}  // namespace
}  // namespace andromede::io
