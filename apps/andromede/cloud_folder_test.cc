// That the small files beside the configuration (keys, credentials, paths of drives) outlive a power cut.
#include "cloud_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "init.h"
#include "io/disk_calls.h"
#include "io/temporary_folder.h"

namespace andromede::app {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class CloudFolderTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  io::TemporaryFolder folder_;
  io::DiskCalls calls_{folder_.path()};
};

TEST_F(CloudFolderTest, AWrittenFileIsKept) {
  for (const bool secret : {false, true}) {
    ASSERT_TRUE(write_file(path("a"), secret ? "two" : "one", secret));
    EXPECT_THAT(calls_.at_risk(), IsEmpty());
  }
  EXPECT_EQ(read_secret_file(path("a")).value_or(""), "two");
}

TEST_F(CloudFolderTest, AFileThatCannotBeKeptIsRefusedAndLeavesTheOldOneAndNothingElse) {
  ASSERT_TRUE(write_file(path("a"), "old", true));
  for (const std::string call : {"open", "write", "fsync", "rename"}) {
    calls_.fail_next(call, EIO);
    EXPECT_EQ(write_file(path("a"), "new", true).error(), Errc::kIo) << call;
    EXPECT_EQ(read_secret_file(path("a")).value_or(""), "old") << call;
    EXPECT_FALSE(std::filesystem::exists(path("a.new"))) << call << ": a secret left behind";
  }
  calls_.fail_next("fsync", EIO, 1);
  EXPECT_EQ(write_file(path("a"), "new", true).error(), Errc::kIo) << "the folder is not synced";
}

TEST_F(CloudFolderTest, AFolderIsKeptInThoseThatItLiesIn) {
  ASSERT_TRUE(make_folder(path("a/b/c")));
  EXPECT_THAT(calls_.take(), ElementsAre("open a/b", "fsync a/b", "open a", "fsync a", "open .", "fsync ."));
  ASSERT_TRUE(make_folder(path("a/b/c")));
  EXPECT_THAT(calls_.take(), IsEmpty());
  std::filesystem::remove(path("a/b/c"));
  calls_.fail_next("fsync", EIO);
  EXPECT_EQ(make_folder(path("a/b/c")).error(), Errc::kIo);
}

TEST_F(CloudFolderTest, ANewCloudIsKeptWhenInitAnswers) {
  InitOptions options;
  options.folder = path("cloud");
  options.consortium = ANDROMEDE_EXAMPLES "/consortium-2011.toml";
  options.local_ca = true;
  ASSERT_TRUE(init_cloud(options));
  const std::vector<std::string> made = calls_.take();
  for (const char* folder : {".", "cloud", "cloud/keys", "cloud/tls", "cloud/drives"}) {
    EXPECT_THAT(made, Contains(std::string("fsync ") + folder));
  }
  for (const std::string& risk : calls_.at_risk()) {
    // RocksDB keeps what counts of its files; its log of messages need not be.
    EXPECT_NE(risk.find("cloud/drives/"), std::string::npos) << risk;
  }
}

}  // namespace
}  // namespace andromede::app
