#include "blob/store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "crypto/digest.h"

namespace andromede::blob {
namespace {

template <typename Id>
Id id_of(std::uint8_t first) {
  Bytes bytes(16);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return Id::from_bytes(bytes);
}

BlobRef golden_ref() {
  BlobRef ref;
  ref.id = id_of<BlobId>(0x10);
  ref.size_bytes = 1234567;
  ref.policy = PolicyId("standard");
  ref.code = {.data = 2, .parity = 2};
  ref.shards = {{.drive = id_of<DriveId>(0x20), .volume = 1, .offset = 0},
                {.drive = id_of<DriveId>(0x30), .volume = 300, .offset = 4096},
                {},
                {.drive = id_of<DriveId>(0x50), .volume = 4000000000U, .offset = 1ULL << 40}};
  return ref;
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
  std::ifstream file(ANDROMEDE_TESTDATA "/blob_ref_v2.bin", std::ios::binary);
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
  bytes[0] = 1;
  EXPECT_EQ(decode_blob_ref(resealed(bytes)).error(), Errc::kUnsupported);
}

TEST(BlobRefFormat, RefusesWhatIsOutOfBoundsThoughItsChecksumMatches) {
  BlobRef large = golden_ref();
  large.size_bytes = kMaxBlobBytes + 1;
  EXPECT_EQ(decode_blob_ref(as_bytes(encode(large))).error(), Errc::kCorrupt);

  Bytes no_data = body_of(golden_ref());
  no_data[20] = 0;  // k stands behind the version, the id and three bytes of size
  EXPECT_EQ(decode_blob_ref(resealed(no_data)).error(), Errc::kCorrupt);

  BlobRef placed_nowhere = golden_ref();
  placed_nowhere.shards[2].volume = 1;
  EXPECT_EQ(decode_blob_ref(as_bytes(encode(placed_nowhere))).error(), Errc::kCorrupt);

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

TEST(BlobRefFormat, TakesTheLargestCode) {
  BlobRef ref = golden_ref();
  ref.code = {.data = 24, .parity = 8};
  ref.shards.assign(kMaxShards, ref.shards[3]);
  const auto again = decode_blob_ref(as_bytes(encode(ref)));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, ref);
}

}  // namespace
}  // namespace andromede::blob
