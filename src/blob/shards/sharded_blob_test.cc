#include "blob/shards/sharded_blob.h"

#include <gtest/gtest.h>

#include <fstream>

namespace andromede::blob {
namespace {

template <typename Id>
Id id_of(std::uint8_t first) {
  Bytes bytes(16);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return Id::from_bytes(bytes);
}

ShardedBlob golden_blob() {
  ShardedBlob blob;
  blob.id = id_of<BlobId>(0x10);
  blob.size_bytes = 1234567;
  blob.policy = PolicyId("standard");
  blob.code = {.data = 2, .parity = 2};
  blob.shards = {{.drive = id_of<DriveId>(0x20), .volume = 1, .offset = 0},
                 {.drive = id_of<DriveId>(0x30), .volume = 300, .offset = 4096},
                 {},
                 {.drive = id_of<DriveId>(0x50), .volume = 4000000000U, .offset = 1ULL << 40}};
  return blob;
}

// Reads `locator` as the golden blob's.
Result<ShardedBlob> read(Bytes locator) {
  BlobRef ref = ref_of(golden_blob());
  ref.locator = std::move(locator);
  return sharded(ref);
}

TEST(Locator, DecodesTheGoldenFileAndEncodesItAgain) {
  std::ifstream file(ANDROMEDE_TESTDATA "/locator_v1.bin", std::ios::binary);
  const std::string golden((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(golden.empty());
  const auto blob = read(to_bytes(golden));
  ASSERT_TRUE(blob) << blob.error().describe();
  EXPECT_EQ(*blob, golden_blob());
  EXPECT_EQ(to_hex(ref_of(*blob).locator), to_hex(as_bytes(golden)));
}

TEST(Locator, SaysNothingThatTheRefSays) {
  BlobRef ref = ref_of(golden_blob());
  EXPECT_EQ(ref.id, golden_blob().id);
  EXPECT_EQ(ref.size_bytes, golden_blob().size_bytes);
  EXPECT_EQ(ref.policy, golden_blob().policy);
  ref.id = id_of<BlobId>(0x60);
  ref.size_bytes = 5;
  ref.policy = PolicyId("apart");
  const auto blob = sharded(ref);
  ASSERT_TRUE(blob);
  EXPECT_EQ(blob->id, ref.id);
  EXPECT_EQ(blob->size_bytes, 5U);
  EXPECT_EQ(blob->policy, PolicyId("apart"));
  EXPECT_EQ(blob->shards, golden_blob().shards);
}

TEST(Locator, RefusesAnotherEnginesAndAnotherVersionByName) {
  Bytes bytes = ref_of(golden_blob()).locator;
  bytes[0] = 'R';
  EXPECT_EQ(read(bytes).error(), Errc::kUnsupported);
  EXPECT_TRUE(read(bytes).error().message().ends_with("another engine's"));
  bytes[0] = 'V';
  bytes[1] = 2;
  EXPECT_EQ(read(bytes).error(), Errc::kUnsupported);
  EXPECT_TRUE(read(bytes).error().message().ends_with("has version 2, this program knows 1"));
}

TEST(Locator, RefusesEveryCutAndWhatStandsBehindIt) {
  const Bytes good = ref_of(golden_blob()).locator;
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(read(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))).error(), Errc::kCorrupt)
        << "size " << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_EQ(read(longer).error(), Errc::kCorrupt);
}

TEST(Locator, RefusesWhatIsOutOfBounds) {
  Bytes no_data = ref_of(golden_blob()).locator;
  no_data[2] = 0;
  EXPECT_EQ(read(no_data).error(), Errc::kCorrupt);
  Bytes too_many = ref_of(golden_blob()).locator;
  too_many[2] = kMaxShards - 1;
  EXPECT_EQ(read(too_many).error(), Errc::kCorrupt);

  ShardedBlob placed_nowhere = golden_blob();
  placed_nowhere.shards[2].volume = 1;
  EXPECT_EQ(read(ref_of(placed_nowhere).locator).error(), Errc::kCorrupt);
}

TEST(Locator, RefusesAnEncodingThatIsNotTheShortest) {
  Bytes bytes = ref_of(golden_blob()).locator;
  // The first volume's number stands behind four bytes and the drive.
  ASSERT_EQ(bytes[20], 1);
  bytes[20] = 0x81;
  bytes.insert(bytes.begin() + 21, 0x00);
  EXPECT_EQ(read(bytes).error(), Errc::kCorrupt);
}

TEST(Locator, OfTheLargestCodeAndTheFarthestPlacesIsWithinItsBound) {
  ShardedBlob blob = golden_blob();
  blob.code = {.data = 24, .parity = 8};
  blob.shards.assign(kMaxShards, {.drive = id_of<DriveId>(0x50), .volume = UINT32_MAX, .offset = UINT64_MAX - 4095});
  const BlobRef ref = ref_of(blob);
  EXPECT_LE(ref.locator.size(), kMaxLocatorBytes);
  const auto again = sharded(ref);
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_EQ(*again, blob);
}

}  // namespace
}  // namespace andromede::blob
