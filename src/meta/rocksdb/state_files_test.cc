// Drives whose folders lead elsewhere, or to what is no file.
#include "meta/rocksdb/state_files.h"

#include <gtest/gtest.h>
#include <rocksdb/cache.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "io/temporary_folder.h"
#include "meta/rocksdb/mirror.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

namespace fs = std::filesystem;

class StateFilesTest : public testing::Test {
 protected:
  // A mirror on a drive of its own.
  void make(const std::string& name) {
    fs::create_directory(root(name));
    const auto made = Mirror::create(DriveId::random(random_), disk(name), options());
    ASSERT_TRUE(made) << made.error().describe();
    ASSERT_TRUE((*made)->state().flush());
  }
  [[nodiscard]] std::string root(const std::string& name) const { return folder_.path() + "/" + name; }
  std::shared_ptr<io::Disk> disk(const std::string& name) { return *io::open_real_disk(root(name)); }
  Result<std::unique_ptr<Mirror>> open(const std::string& name) {
    return Mirror::open(DriveId::random(random_), disk(name), options());
  }
  static Mirror::Options options() {
    Mirror::Options made;
    made.seal = test_record_seal();
    made.cache = rocksdb::NewLRUCache(1 << 20);
    made.memtable_bytes = 1 << 20;
    made.log_segment_bytes = 256 << 10;
    return made;
  }
  // Every file below, with its size.
  static std::map<std::string, std::uintmax_t> files_of(const std::string& root) {
    std::map<std::string, std::uintmax_t> files;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_regular_file() && !entry.path().filename().string().starts_with("LOG")) {
        files[entry.path().string()] = entry.file_size();
      }
    }
    return files;
  }
  // As who can write the drive: what is at that path is something else now.
  void put(const std::string& kind, const std::string& path) {
    fs::remove_all(root("liar") + "/" + path);
    if (kind == "link") {
      fs::create_symlink(root("victim") + "/" + path, root("liar") + "/" + path);
    } else {
      ASSERT_EQ(mkfifo((root("liar") + "/" + path).c_str(), 0600), 0);
    }
  }

  io::TemporaryFolder folder_;
  SeededRandom random_{5};
};

TEST_F(StateFilesTest, AMirrorThatLeadsElsewhereIsNeitherOpenedNorFollowedWhenItIsRemoved) {
  make("victim");
  const auto before = files_of(root("victim"));
  ASSERT_GT(before.size(), 4U);
  for (const std::string kind : {"link", "pipe"}) {
    for (const std::string path : {"meta", "meta/mirror", "meta/log", "meta/state", "meta/state/CURRENT",
                                   "meta/state/IDENTITY", "meta/checkpoint", "meta/checkpoint.tmp"}) {
      SCOPED_TRACE(kind + " at " + path);
      fs::remove_all(root("liar"));
      make("liar");
      put(kind, path);
      auto opened = open("liar");
      if (path.starts_with("meta/checkpoint")) {
        EXPECT_TRUE(opened) << "it is only removed";
      } else {
        ASSERT_FALSE(opened);
        EXPECT_TRUE(opened.error() == Errc::kCorrupt || opened.error() == Errc::kNotFound) << opened.error().describe();
        if (path.starts_with("meta/state")) {
          EXPECT_NE(opened.error().message().find(path), std::string::npos) << opened.error().message();
        }
      }
      if (opened) opened->reset();
      const auto liar = disk("liar");
      EXPECT_TRUE(holds_mirror_files(*liar).value_or(false));
      const Status removed = remove_mirror_files(*liar);
      ASSERT_TRUE(removed) << removed.error().describe();
      EXPECT_FALSE(holds_mirror_files(*liar).value_or(true));
      EXPECT_EQ(files_of(root("victim")), before);
      const auto anew = Mirror::create(DriveId::random(random_), liar, options());
      EXPECT_TRUE(anew) << anew.error().describe();
    }
  }
  EXPECT_TRUE(open("victim"));
}

TEST_F(StateFilesTest, WhatIsNestedWithoutEndIsNamed) {
  fs::create_directories(root("liar") + "/meta/state/1/2/3/4/5/6/7/8/9");
  EXPECT_EQ(check_plain(root("liar"), "meta").error(), Errc::kCorrupt);
  EXPECT_EQ(remove_plain(root("liar"), "meta/state").error(), Errc::kCorrupt);
  EXPECT_TRUE(check_plain(root("liar"), "nothing/at/all"));
  EXPECT_TRUE(remove_plain(root("liar"), "nothing"));
  EXPECT_EQ(check_plain(root("no-drive"), "meta").error(), Errc::kIo) << "it is not a drive without a mirror";
}

}  // namespace
}  // namespace andromede::meta
