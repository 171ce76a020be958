#include "blob/store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "crypto/digest.h"

namespace andromede::blob {
namespace {

BlobRef golden_ref() {
  Bytes id(16);
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::uint8_t>(0x10 + i);
  Bytes locator(200);
  for (std::size_t i = 0; i < locator.size(); ++i) locator[i] = static_cast<std::uint8_t>(i);
  return {.id = BlobId::from_bytes(id), .size_bytes = 1234567, .policy = PolicyId("standard"), .locator = locator};
}

Bytes resealed(Bytes body) {
  ByteWriter(body).u32(crypto::crc32c(0, body));
  return body;
}

Bytes body_of(const BlobRef& ref) {
  Bytes bytes = to_bytes(encode(ref));
  bytes.resize(bytes.size() - 4);
  return bytes;
}

TEST(BlobRefFormat, DecodesTheGoldenFileAndEncodesItAgain) {
  std::ifstream file(ANDROMEDE_TESTDATA "/blob_ref_v3.bin", std::ios::binary);
  const std::string golden((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(golden.empty());
  const auto ref = decode_blob_ref(as_bytes(golden));
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_EQ(*ref, golden_ref());
  EXPECT_EQ(to_hex(as_bytes(encode(*ref))), to_hex(as_bytes(golden)));
}

TEST(BlobRefFormat, RefusesEveryFlippedBitAndEveryCut) {
  const Bytes good = to_bytes(encode(golden_ref()));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(decode_blob_ref(bad)) << "bit " << bit;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_blob_ref(ByteView(good).first(size))) << "size " << size;
  }
}

TEST(BlobRefFormat, RefusesAnotherVersion) {
  Bytes bytes = body_of(golden_ref());
  bytes[0] = 2;
  EXPECT_EQ(decode_blob_ref(resealed(bytes)).error(), Errc::kUnsupported);
}

TEST(BlobRefFormat, RefusesWhatIsOutOfBoundsThoughItsChecksumMatches) {
  BlobRef large = golden_ref();
  large.size_bytes = kMaxBlobBytes + 1;
  EXPECT_EQ(decode_blob_ref(as_bytes(encode(large))).error(), Errc::kCorrupt);

  // The locator's length is the two bytes before it.
  BlobRef longest = golden_ref();
  longest.locator.resize(kMaxLocatorBytes);
  ASSERT_TRUE(decode_blob_ref(as_bytes(encode(longest))));
  Bytes too_long = body_of(longest);
  too_long.push_back(0);
  const std::size_t length_at = too_long.size() - 1 - kMaxLocatorBytes - 2;
  ASSERT_EQ(too_long[length_at], 0x80);
  too_long[length_at] = 0x81;
  EXPECT_EQ(decode_blob_ref(resealed(too_long)).error(), Errc::kCorrupt);

  Bytes longer = body_of(golden_ref());
  longer.push_back(0);
  EXPECT_EQ(decode_blob_ref(resealed(longer)).error(), Errc::kCorrupt);
}

TEST(BlobRefFormat, RefusesAnEncodingThatIsNotTheShortest) {
  BlobRef ref = golden_ref();
  ref.size_bytes = 5;
  Bytes body = body_of(ref);
  body[17] = 0x85;  // 5 in two groups of seven bits
  body.insert(body.begin() + 18, 0x00);
  EXPECT_EQ(decode_blob_ref(resealed(body)).error(), Errc::kCorrupt);
}

TEST(BlobRefFormat, TakesAnEmptyLocatorWhichIsItsEnginesBusiness) {
  BlobRef ref = golden_ref();
  ref.locator.clear();
  const auto again = decode_blob_ref(as_bytes(encode(ref)));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, ref);
}

}  // namespace
}  // namespace andromede::blob
