#include "meta/rocksdb/root_record.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "crypto/digest.h"

namespace andromede::meta {
namespace {

RootRecord closing() {
  RootRecord record;
  record.state = RootState::kClosing;
  for (std::size_t i = 0; i < record.mark.size(); ++i) record.mark[i] = static_cast<std::uint8_t>(0xA0 + i);
  return record;
}

TEST(RootRecord, IsWhatTheGoldenFilesHold) {
  for (const auto& [name, record] : {std::pair("root_open.v1.bin", RootRecord{}), {"root_closing.v1.bin", closing()}}) {
    std::ifstream in(std::string(ANDROMEDE_TESTDATA) + "/" + name, std::ios::binary);
    const std::string golden{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    EXPECT_EQ(encode(record), golden) << name;
    const auto decoded = decode_root(as_bytes(golden));
    ASSERT_TRUE(decoded) << decoded.error().describe();
    EXPECT_EQ(*decoded, record);
  }
}

TEST(RootRecord, RefusesWhatIsDamagedOrOfAnotherVersion) {
  const std::string good = encode(closing());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(static_cast<unsigned char>(bad[bit / 8]) ^ (1U << bit % 8));
    EXPECT_EQ(decode_root(as_bytes(bad)).error(), Errc::kCorrupt) << bit;
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(decode_root(as_bytes(good).first(length))) << length;
  }
  // Under a right checksum: another letter, version, state, and a state that the length does not fit.
  for (const auto& [at, value] : {std::pair(0, 'O'), {1, '\2'}, {2, '\0'}, {2, '\3'}, {2, '\1'}}) {
    std::string bad = good.substr(0, good.size() - 4);
    bad[static_cast<std::size_t>(at)] = value;
    Bytes bytes = to_bytes(as_bytes(bad));
    ByteWriter(bytes).u32(crypto::crc32c(0, as_bytes(bad)));
    EXPECT_EQ(decode_root(bytes).error(), Errc::kCorrupt) << at;
  }
}

}  // namespace
}  // namespace andromede::meta
