#include "meta/rocksdb/root_record.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace andromede::meta {
namespace {

RootRecord closing() {
  RootRecord record;
  record.state = RootState::kClosing;
  for (std::size_t i = 0; i < record.mark.size(); ++i) record.mark[i] = static_cast<std::uint8_t>(0xA0 + i);
  return record;
}

TEST(RootRecord, IsWhatTheGoldenFilesHold) {
  for (const auto& [name, record] : {std::pair("root_open.v2.bin", RootRecord{}), {"root_closing.v2.bin", closing()}}) {
    std::ifstream in(std::string(ANDROMEDE_TESTDATA) + "/" + name, std::ios::binary);
    const std::string golden{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    EXPECT_EQ(encode(record), golden) << name;
    const auto decoded = decode_root(as_bytes(golden));
    ASSERT_TRUE(decoded) << decoded.error().describe();
    EXPECT_EQ(*decoded, record);
  }
}

TEST(RootRecord, RefusesAnotherKindVersionStateOrLength) {
  const std::string good = encode(closing());
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(decode_root(as_bytes(good).first(length)).error(), Errc::kCorrupt) << length;
  }
  EXPECT_EQ(decode_root(as_bytes(good + '\0')).error(), Errc::kCorrupt);
  // Another letter, version, state, and a state that the length does not fit.
  for (const auto& [at, value] : {std::pair(0, 'O'), {1, '\1'}, {2, '\2'}, {2, '\0'}}) {
    std::string bad = good;
    bad[static_cast<std::size_t>(at)] = value;
    EXPECT_EQ(decode_root(as_bytes(bad)).error(), Errc::kCorrupt) << at;
  }
}

}  // namespace
}  // namespace andromede::meta
