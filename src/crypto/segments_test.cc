#include "crypto/segments.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace andromede::crypto {
namespace {

Bytes counting(std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return bytes;
}
SecretKey counting_key() {
  Bytes bytes(SecretKey::kSize);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return std::move(*SecretKey::from_bytes(bytes));
}
BlobId counting_id() { return *BlobId::parse("000102030405060708090a0b0c0d0e0f"); }

Bytes seal_all(const SecretKey& key, BlobId blob, ByteView plain) {
  Bytes sealed(sealed_size(plain.size()));
  SegmentSealer sealer(key, blob);
  std::uint8_t* out = sealed.data();
  for (;;) {
    const ByteView piece = plain.first(std::min(plain.size(), kSegmentBytes));
    plain = plain.subspan(piece.size());
    sealer.seal(piece, plain.empty(), out);
    out += piece.size() + kTagBytes;
    if (plain.empty()) return sealed;
  }
}

Result<Bytes> open_all(const SecretKey& key, BlobId blob, ByteView sealed) {
  TRY(const std::uint64_t size, plain_size(sealed.size()));
  Bytes plain(size + 1);
  SegmentOpener opener(key, blob);
  std::uint32_t index = 0;
  for (std::uint8_t* out = plain.data(); !sealed.empty(); ++index) {
    const ByteView piece = sealed.first(std::min(sealed.size(), kSealedSegmentBytes));
    sealed = sealed.subspan(piece.size());
    CHECK_OK(opener.open(index, piece, sealed.empty(), out));
    out += piece.size() - kTagBytes;
  }
  plain.resize(size);
  return plain;
}

TEST(Segments, GoldenFileOpensAndSealsIdentically) {
  std::ifstream in(ANDROMEDE_TESTDATA "/segments-v1.bin", std::ios::binary);
  const Bytes golden((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const Bytes plain = counting(kSegmentBytes + 100);
  ASSERT_EQ(golden.size(), sealed_size(plain.size()));
  EXPECT_EQ(*open_all(counting_key(), counting_id(), golden), plain);
  EXPECT_EQ(seal_all(counting_key(), counting_id(), plain), golden);
}

TEST(Segments, EverySizeAroundASegmentRoundTrips) {
  for (const std::size_t size : {0UL, 1UL, 15UL, 4096UL, kSegmentBytes - 1, kSegmentBytes, kSegmentBytes + 1,
                                 2 * kSegmentBytes, 2 * kSegmentBytes + 5}) {
    const Bytes plain = counting(size);
    const Bytes sealed = seal_all(counting_key(), counting_id(), plain);
    EXPECT_EQ(*plain_size(sealed.size()), size);
    EXPECT_EQ(*open_all(counting_key(), counting_id(), sealed), plain) << size;
  }
}

TEST(Segments, SizesAreInverseAndImpossibleOnesAreRefused) {
  for (std::uint64_t plain = 0; plain < 3 * kSegmentBytes; plain += plain % kSegmentBytes < 40 ? 1 : 977) {
    EXPECT_EQ(*plain_size(sealed_size(plain)), plain);
  }
  for (const std::uint64_t bad : {0UL, 1UL, 15UL, kSealedSegmentBytes + 1, kSealedSegmentBytes + 16}) {
    EXPECT_TRUE(plain_size(bad).error() == Errc::kCorrupt) << bad;
  }
  EXPECT_EQ(sealed_size(5ULL << 30), (5ULL << 30) + (5ULL << 30) / kSegmentBytes * kTagBytes);
}

TEST(Segments, SealsAndOpensInPlace) {
  const Bytes plain = counting(5000);
  Bytes memory = plain;
  memory.resize(plain.size() + kTagBytes);
  SegmentSealer sealer(counting_key(), counting_id());
  sealer.seal(ByteView(memory).first(plain.size()), true, memory.data());
  EXPECT_EQ(memory, seal_all(counting_key(), counting_id(), plain));
  SegmentOpener opener(counting_key(), counting_id());
  ASSERT_TRUE(opener.open(0, memory, true, memory.data()).has_value());
  memory.resize(plain.size());
  EXPECT_EQ(memory, plain);
}

TEST(Segments, OpensInAnyOrder) {
  const Bytes plain = counting(3 * kSegmentBytes);
  const Bytes sealed = seal_all(counting_key(), counting_id(), plain);
  SegmentOpener opener(counting_key(), counting_id());
  Bytes out(kSegmentBytes);
  for (const std::uint32_t index : {2U, 0U, 1U}) {
    const ByteView piece = ByteView(sealed).subspan(index * kSealedSegmentBytes, kSealedSegmentBytes);
    ASSERT_TRUE(opener.open(index, piece, index == 2, out.data()).has_value());
    EXPECT_TRUE(std::equal(out.begin(), out.end(), plain.begin() + static_cast<long>(index * kSegmentBytes)));
  }
}

TEST(Segments, DetectsChangeReorderingTruncationExtensionAndSplicing) {
  const Bytes plain = counting(2 * kSegmentBytes);
  const Bytes sealed = seal_all(counting_key(), counting_id(), plain);
  const ByteView first = ByteView(sealed).first(kSealedSegmentBytes);
  const ByteView second = ByteView(sealed).subspan(kSealedSegmentBytes);
  Bytes out(kSegmentBytes);
  SegmentOpener opener(counting_key(), counting_id());
  ASSERT_TRUE(opener.open(0, first, false, out.data()).has_value());
  // Truncation: the first segment passed off as the last. Extension: the last passed off as one in the middle.
  EXPECT_TRUE(opener.open(0, first, true, out.data()).error() == Errc::kCorrupt);
  EXPECT_TRUE(opener.open(1, second, false, out.data()).error() == Errc::kCorrupt);
  EXPECT_TRUE(opener.open(1, first, false, out.data()).error() == Errc::kCorrupt);
  for (const std::size_t at : {0UL, 1000UL, kSegmentBytes, kSealedSegmentBytes - 1}) {
    Bytes changed = to_bytes(first);
    changed[at] ^= 0x10;
    EXPECT_TRUE(opener.open(0, changed, false, out.data()).error() == Errc::kCorrupt) << at;
    EXPECT_EQ(out, Bytes(kSegmentBytes, 0)) << "unauthenticated plaintext must not be left behind";
  }
  EXPECT_FALSE(opener.open(0, first.first(kTagBytes - 1), false, out.data()).has_value());
  SegmentOpener of_another_blob(counting_key(), BlobId{});
  EXPECT_FALSE(of_another_blob.open(0, first, false, out.data()).has_value());
  SeededRandom random(1);
  SegmentOpener with_another_key(SecretKey::random(random), counting_id());
  EXPECT_FALSE(with_another_key.open(0, first, false, out.data()).has_value());
  // A failure leaves the opener usable.
  EXPECT_TRUE(opener.open(1, second, true, out.data()).has_value());
}

TEST(Segments, SealerRefusesMisuse) {
  const Bytes plain = counting(100);
  Bytes out(kSealedSegmentBytes);
  SegmentSealer sealer(counting_key(), counting_id());
  EXPECT_DEATH(sealer.seal(plain, false, out.data()), "only the last segment");
  sealer.seal(plain, true, out.data());
  EXPECT_DEATH(sealer.seal(plain, true, out.data()), "nothing follows");
}

}  // namespace
}  // namespace andromede::crypto
