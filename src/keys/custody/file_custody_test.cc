#include "keys/custody/file_custody.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/disk_calls.h"
#include "io/temporary_folder.h"

namespace andromede::keys {
namespace {

using ::testing::HasSubstr;

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
void write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
}

class FileCustodyTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  [[nodiscard]] Result<std::unique_ptr<Custody>> open(const std::string& sealed = "sealed",
                                                      const std::string& seal = "seal") {
    return open_file_custody(path(sealed), path(seal), random_);
  }
  io::TemporaryFolder folder_;
  SeededRandom random_{1};
};

TEST_F(FileCustodyTest, WrapsAndUnwrapsAcrossOpens) {
  ASSERT_TRUE(create_file_custody(path("sealed"), path("seal"), random_));
  const auto key = crypto::SecretKey::random(random_);
  const auto first = open();
  ASSERT_TRUE(first) << first.error().message();
  const auto wrapped = (*first)->wrap(key, as_bytes("account"), Deadline::never());
  const auto second = open();
  const auto unwrapped = (*second)->unwrap(*wrapped, as_bytes("account"), Deadline::never());
  ASSERT_TRUE(unwrapped) << unwrapped.error().message();
  EXPECT_EQ(to_hex(unwrapped->bytes()), to_hex(key.bytes()));
  EXPECT_TRUE((*second)->unwrap(*wrapped, as_bytes("another"), Deadline::never()).error() == Errc::kCorrupt);
  EXPECT_TRUE((*second)->unwrap({}, as_bytes("account"), Deadline::never()).error() == Errc::kCorrupt);
}

TEST_F(FileCustodyTest, FilesAreTheOwnersOnlyAndNeverOverwritten) {
  ASSERT_TRUE(create_file_custody(path("sealed"), path("seal"), random_));
  for (const char* name : {"sealed", "seal"}) {
    struct stat info{};
    ASSERT_EQ(::stat(path(name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600U) << name;
  }
  const std::string before = read(path("sealed"));
  EXPECT_TRUE(create_file_custody(path("sealed"), path("seal"), random_).error() == Errc::kAlreadyExists);
  EXPECT_TRUE(create_file_custody(path("sealed"), path("new"), random_).error() == Errc::kAlreadyExists);
  EXPECT_NE(::access(path("new").c_str(), F_OK), 0) << "half a pair must not stay behind";
  EXPECT_EQ(read(path("sealed")), before);
  EXPECT_TRUE(open());
}

// Without the root key all that is stored is lost.
TEST_F(FileCustodyTest, ItsFilesAreKeptWhenItAnswers) {
  io::DiskCalls calls(folder_.path());
  ASSERT_TRUE(create_file_custody(path("sealed"), path("seal"), random_));
  EXPECT_THAT(calls.at_risk(), ::testing::IsEmpty());
}

TEST_F(FileCustodyTest, WhatCannotBeKeptIsRefusedAndLeavesNoFile) {
  for (const std::string call : {"write", "fsync"}) {
    for (const unsigned after : {0, 1}) {
      io::DiskCalls calls(folder_.path());
      calls.fail_next(call, EIO, after);
      EXPECT_FALSE(create_file_custody(path("sealed"), path("seal"), random_)) << call << after;
      EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << call << after;
    }
  }
}

TEST_F(FileCustodyTest, RefusesFilesThatOthersMayOpen) {
  ASSERT_TRUE(create_file_custody(path("sealed"), path("seal"), random_));
  for (const char* name : {"sealed", "seal"}) {
    ASSERT_EQ(::chmod(path(name).c_str(), 0640), 0);
    const auto opened = open();
    EXPECT_TRUE(opened.error() == Errc::kRefused);
    EXPECT_THAT(opened.error().message(), HasSubstr("chmod 600"));
    ASSERT_EQ(::chmod(path(name).c_str(), 0600), 0);
  }
  EXPECT_TRUE(open());
}

TEST_F(FileCustodyTest, FilesOfTwoCloudsDoNotFitTogether) {
  ASSERT_TRUE(create_file_custody(path("sealed"), path("seal"), random_));
  ASSERT_TRUE(create_file_custody(path("sealed2"), path("seal2"), random_));
  EXPECT_THAT(open("sealed", "seal2").error().message(), HasSubstr("not made together"));
  EXPECT_TRUE(open("seal", "sealed").error() == Errc::kCorrupt);
  EXPECT_TRUE(open("absent", "seal").error() == Errc::kNotFound);
  EXPECT_TRUE(open("sealed", "absent").error() == Errc::kNotFound);
}

TEST_F(FileCustodyTest, AnyChangedByteAndAnyOtherLengthIsCorrupt) {
  ASSERT_TRUE(create_file_custody(path("sealed"), path("seal"), random_));
  for (const char* name : {"sealed", "seal"}) {
    const std::string whole = read(path(name));
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      write(path(name), changed);
      ASSERT_TRUE(open().error() == Errc::kCorrupt) << name << i;
    }
    write(path(name), whole.substr(1));
    EXPECT_TRUE(open().error() == Errc::kCorrupt);
    write(path(name), "");
    EXPECT_TRUE(open().error() == Errc::kCorrupt);
    write(path(name), whole);
  }
  EXPECT_TRUE(open());
}

TEST_F(FileCustodyTest, GoldenFilesOpen) {
  write(path("seal"), read(ANDROMEDE_TESTDATA "/seal-v1.bin"));
  write(path("sealed"), read(ANDROMEDE_TESTDATA "/sealed-v1.bin"));
  const auto custody = open();
  ASSERT_TRUE(custody) << custody.error().message();
  // The root key inside is 00 01 … 1f: what that key wraps, this custody unwraps.
  Bytes root(32);
  for (std::size_t i = 0; i < root.size(); ++i) root[i] = static_cast<std::uint8_t>(i);
  const Bytes wrapped =
      crypto::seal_bytes(*crypto::SecretKey::from_bytes(root), Bytes(32, 0x5a), as_bytes("000000000001"), random_);
  const auto key = (*custody)->unwrap(wrapped, as_bytes("000000000001"), Deadline::never());
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(to_bytes(key->bytes()), Bytes(32, 0x5a));
}

TEST_F(FileCustodyTest, MissingFolderIsNotFound) {
  EXPECT_TRUE(create_file_custody(path("no/sealed"), path("no/seal"), random_).error() == Errc::kNotFound);
}

}  // namespace
}  // namespace andromede::keys
