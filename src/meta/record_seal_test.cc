#include "meta/record_seal.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

std::string stored(const RecordSeal& seal, Space space, std::string_view key, std::string_view value) {
  return std::string(value) + std::string(as_text(seal.tag(space, key, value)));
}

TEST(RecordSeal, OpensWhatItSealedAsAViewIntoIt) {
  const auto seal = test_record_seal();
  for (const std::size_t size : {0, 1, 16, 300, 5000}) {
    const std::string value(size, 'v');
    const std::string bytes = stored(*seal, Space::kRecords, "key", value);
    const auto opened = seal->open(Space::kRecords, "key", bytes);
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, value);
    EXPECT_EQ(static_cast<const void*>(opened->data()), bytes.data());
  }
}

TEST(RecordSeal, AnotherKeySpaceOrCloudIsRefused) {
  const auto seal = test_record_seal();
  const std::string bytes = stored(*seal, Space::kRecords, "key", "value");
  const auto refused = [&](const RecordSeal& by, Space space, std::string_view key) {
    const auto opened = by.open(space, key, bytes);
    return !opened && opened.error() == Errc::kCorrupt;
  };
  EXPECT_TRUE(refused(*seal, Space::kRecords, "kez"));
  EXPECT_TRUE(refused(*seal, Space::kRecords, ""));
  EXPECT_TRUE(refused(*seal, Space::kInline, "key"));
  EXPECT_TRUE(refused(*seal, Space::kJournal, "key"));
  EXPECT_TRUE(refused(*seal, kEngineSpace, "key"));
  EXPECT_TRUE(refused(*test_record_seal(2), Space::kRecords, "key"));
}

TEST(RecordSeal, EveryFlippedBitAndEveryOtherLengthIsRefused) {
  const auto seal = test_record_seal();
  std::string bytes = stored(*seal, Space::kJournal, "12345678", "entry");
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(seal->open(Space::kJournal, "12345678", bytes)) << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(seal->open(Space::kJournal, "12345678", bytes.substr(0, size)));
  }
  EXPECT_FALSE(seal->open(Space::kJournal, "12345678", bytes + '\0'));
}

// What is moved from the key's end to the value's begin is another record.
TEST(RecordSeal, KeyAndValueAreNotOneText) {
  const auto seal = test_record_seal();
  EXPECT_NE(seal->tag(Space::kRecords, "ab", "c"), seal->tag(Space::kRecords, "a", "bc"));
  EXPECT_NE(seal->tag(Space::kRecords, "", "abc"), seal->tag(Space::kRecords, "abc", ""));
}

TEST(RecordSeal, ARefusalNamesTheSpaceAndNothingOfTheKey) {
  const auto opened = test_record_seal()->open(Space::kRecords, "o/secret-name", "not a sealed value at all");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message(), "forged or swapped record among the records");
}

TEST(RecordSeal, TheLogsTagsAreOfAnotherKey) {
  const auto seal = test_record_seal();
  EXPECT_NE(seal->log_tag(as_bytes(std::string_view("\0\0\0", 3)), as_bytes("v")), seal->tag(Space::kRecords, "", "v"));
}

// docs/formats/metadata-keys.md, of a program of its own.
TEST(RecordSeal, KnownAnswer) {
  Bytes key(32);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  const RecordSeal seal(*crypto::SecretKey::from_bytes(key));
  EXPECT_EQ(to_hex(seal.tag(Space::kRecords, "b/photos", "made")), "e97b683555e0d297503be410b8b39220");
  EXPECT_EQ(to_hex(seal.log_tag(as_bytes("header"), as_bytes("changes"))), "791dfd9786e6afd37b3d1a2e37a9e06d");
}

}  // namespace
}  // namespace andromede::meta
