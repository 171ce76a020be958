#include "blob/volumes/record.h"

#include <gtest/gtest.h>

#include <fstream>

#include "blob/volumes/erasure.h"
#include "crypto/digest.h"

namespace andromede::blob {
namespace {

BlobId blob_of(std::uint8_t first) {
  Bytes bytes(16);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return BlobId::from_bytes(bytes);
}

Bytes golden_content(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t p = 0; p < size; ++p) bytes[p] = static_cast<std::uint8_t>(p * 31 + p / 251);
  return bytes;
}

Bytes golden_file() {
  std::ifstream file(ANDROMEDE_TESTDATA "/volume_v1.bin", std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  return to_bytes(content);
}

RecordHeader header_at(BlobId blob, unsigned shard, Code code, std::uint64_t offset, std::uint64_t declared) {
  return {.blob = blob,
          .shard = shard,
          .code = code,
          .volume = 7,
          .offset = offset,
          .region_bytes = RecordLayout(code, declared).used_bytes(),
          .declared_bytes = declared,
          .session = 0x1122334455667788,
          .created_ms = 1700000000000};
}

// The record of one shard, made from the format's words alone and not by the writer.
Bytes record_of(const RecordHeader& header, const std::vector<Bytes>& blocks, std::uint64_t size) {
  Bytes body;
  Bytes all_checksums;
  for (std::size_t begin = 0; begin < blocks.size(); begin += kGroupBlocks) {
    Bytes checksums;
    for (std::size_t b = begin; b < std::min(blocks.size(), begin + kGroupBlocks); ++b) {
      body.insert(body.end(), blocks[b].begin(), blocks[b].end());
      ByteWriter(checksums).u32(block_checksum(header.blob, header.shard, b, blocks[b]));
    }
    body.insert(body.end(), checksums.begin(), checksums.end());
    all_checksums.insert(all_checksums.end(), checksums.begin(), checksums.end());
  }
  const std::uint64_t used = round_up(kHeadBytes + body.size(), kPageBytes);
  const auto head = encode(header);
  const auto seal = encode(RecordSeal{.blob = header.blob,
                                      .size_bytes = size,
                                      .used_bytes = used,
                                      .blocks_checksum = crypto::crc32c(0, all_checksums),
                                      .sealed_ms = 1700000000001});
  Bytes record(head.begin(), head.end());
  record.insert(record.end(), seal.begin(), seal.end());
  record.insert(record.end(), body.begin(), body.end());
  record.resize(header.region_bytes);
  return record;
}

Bytes golden_volume() {
  Bytes volume;
  const auto append = [&](const Bytes& record) { volume.insert(volume.end(), record.begin(), record.end()); };

  const Bytes coded = golden_content(200000);
  std::vector<Bytes> blocks;
  const ErasureCode erasure({.data = 2, .parity = 2});
  for (const auto& [at, block] : {std::pair<std::size_t, std::size_t>{0, 65536}, {131072, 34496}}) {
    Bytes first(coded.begin() + static_cast<std::ptrdiff_t>(at),
                coded.begin() + static_cast<std::ptrdiff_t>(at + block));
    Bytes second(coded.begin() + static_cast<std::ptrdiff_t>(at + block),
                 coded.begin() + static_cast<std::ptrdiff_t>(std::min(coded.size(), at + 2 * block)));
    second.resize(block);
    Bytes parity(block);
    Bytes other(block);
    erasure.encode(block, {first.data(), second.data()}, {parity.data(), other.data()});
    blocks.push_back(parity);
  }
  append(record_of(header_at(blob_of(0x10), 2, {.data = 2, .parity = 2}, 0, 200000), blocks, 200000));
  append(record_of(header_at(blob_of(0x40), 0, {.data = 1, .parity = 0}, volume.size(), 0), {}, 0));
  const Bytes plain = golden_content(70000);
  append(record_of(header_at(blob_of(0x80), 0, {.data = 1, .parity = 0}, volume.size(), 100000),
                   {Bytes(plain.begin(), plain.begin() + 65536), Bytes(plain.begin() + 65536, plain.end())}, 70000));
  return volume;
}

TEST(VolumeFormat, TheGoldenFileIsWhatTheFormatSays) {
  const Bytes golden = golden_file();
  ASSERT_EQ(crypto::crc32c(0, golden), crypto::crc32c(0, golden_volume()));
  EXPECT_TRUE(golden == golden_volume());
}

TEST(VolumeFormat, HeadsOfTheGoldenFileDecodeAndEncodeAgain) {
  const Bytes golden = golden_file();
  std::uint64_t at = 0;
  std::vector<std::uint64_t> sizes;
  while (at < golden.size()) {
    const ByteView bytes = ByteView(golden).subspan(at, kHeadBytes);
    const auto head = decode_head(bytes, 7, at);
    ASSERT_TRUE(head) << head.error().describe();
    ASSERT_TRUE(head->seal);
    sizes.push_back(head->seal->size_bytes);
    const auto header = encode(head->header);
    const auto seal = encode(*head->seal);
    EXPECT_EQ(to_hex(header), to_hex(bytes.first(kHeaderBytes)));
    EXPECT_EQ(to_hex(seal), to_hex(bytes.last(kSealBytes)));
    at += head->header.region_bytes;
  }
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{200000, 0, 70000}));
}

TEST(VolumeFormat, EveryFlippedBitOfAHeadIsFound) {
  const Bytes golden = golden_file();
  const Bytes good(golden.begin(), golden.begin() + kHeadBytes);
  for (std::size_t bit = 0; bit < kHeadBytes * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    const auto head = decode_head(bad, 7, 0);
    if (bit < kHeaderBytes * 8) {
      ASSERT_FALSE(head) << bit;
      EXPECT_NE(head.error(), Errc::kNotFound);
    } else {
      ASSERT_TRUE(head) << bit;
      EXPECT_FALSE(head->seal) << bit;
    }
  }
}

TEST(VolumeFormat, AHeadOfAnotherPlaceIsNone) {
  const Bytes golden = golden_file();
  const ByteView head = ByteView(golden).first(kHeadBytes);
  EXPECT_TRUE(decode_head(head, 7, 0));
  EXPECT_EQ(decode_head(head, 8, 0).error(), Errc::kCorrupt);
  EXPECT_EQ(decode_head(head, 7, 4096).error(), Errc::kCorrupt);
  EXPECT_EQ(decode_head(Bytes(kHeadBytes), 7, 0).error(), Errc::kNotFound);
}

TEST(RecordLayout, BlocksNeverOverlapAndEndWhereTheRecordEnds) {
  for (const Code code : {Code{1, 0}, Code{1, 1}, Code{2, 2}, Code{3, 1}, Code{4, 2}}) {
    for (const std::uint64_t size :
         {0ULL, 1ULL, 63ULL * 1024, 65536ULL, 65537ULL, 1048576ULL + 7, 16ULL << 20, 17ULL << 20}) {
      const RecordLayout layout(code, size);
      std::uint64_t at = kHeadBytes;
      std::uint64_t held = 0;
      for (std::uint64_t b = 0; b < layout.stripes(); ++b) {
        EXPECT_EQ(layout.block_offset(b), at);
        at += layout.block_bytes(b);
        held += layout.block_bytes(b) * code.data;
        if (b % kGroupBlocks == kGroupBlocks - 1 || b + 1 == layout.stripes()) {
          EXPECT_EQ(layout.checksums_offset(b / kGroupBlocks), at);
          at += layout.group_blocks(b / kGroupBlocks) * kChecksumBytes;
        }
      }
      EXPECT_EQ(layout.end_offset(), at);
      EXPECT_GE(held, size);
      EXPECT_LT(held, size + code.data * kBlockRounding);
      EXPECT_EQ(layout.used_bytes() % kPageBytes, 0U);
    }
  }
}

TEST(RecordLayout, GrowsWithTheBlob) {
  // What is announced too large never needs more than its region.
  const Code code{.data = 4, .parity = 2};
  std::uint64_t before = 0;
  for (std::uint64_t size = 0; size < (1U << 20); size += 997) {
    const std::uint64_t used = RecordLayout(code, size).end_offset();
    EXPECT_GE(used, before);
    before = used;
  }
}

}  // namespace
}  // namespace andromede::blob
