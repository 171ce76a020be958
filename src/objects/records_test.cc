#include "objects/records.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace andromede::objects {
namespace {

template <typename Id>
Id id_of(std::uint8_t first) {
  Bytes bytes(16);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return Id::from_bytes(bytes);
}

Bytes run_of(std::uint8_t first, std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

crypto::Md5Digest md5_from(std::uint8_t first) {
  crypto::Md5Digest md5{};
  for (std::size_t i = 0; i < md5.size(); ++i) md5[i] = static_cast<std::uint8_t>(first + i);
  return md5;
}

BucketRecord golden_bucket() {
  return {id_of<BucketId>(1), AccountId("000000000001"), {1'700'000'000'123}, PolicyId("standard")};
}

DeletedBucket golden_deleted() { return {golden_bucket(), "archives"}; }

BlobRecord golden_blob() {
  return {{.id = id_of<BlobId>(5), .size_bytes = 200'000, .policy = PolicyId("standard"), .locator = run_of(0x70, 100)},
          id_of<KeyId>(0xC0),
          run_of(0x60, 40)};
}

PartRecord golden_part(std::uint32_t number, bool inlined) {
  PartRecord part;
  part.number = number;
  part.size_bytes = inlined ? 300 : (5ULL << 30);
  part.md5 = md5_from(static_cast<std::uint8_t>(number));
  part.modified = {1'700'000'000'456};
  part.checksum = {crypto::Checksum::kCrc64Nvme, ChecksumType::kFullObject, run_of(0x30, 8), 0};
  if (inlined) part.sent = {crypto::Checksum::kSha256, ChecksumType::kFullObject, run_of(0x40, 32), 0};
  part.pieces = {{id_of<BlobId>(static_cast<std::uint8_t>(number)), part.size_bytes, inlined, id_of<KeyId>(0xC0),
                  run_of(0x60, 40)}};
  return part;
}

SystemMetadata golden_system() {
  return {"text/plain; charset=utf-8",     "gzip",  "fr", "attachment", "no-cache",
          "Thu, 01 Dec 1994 16:00:00 GMT", "/index"};
}

ObjectRecord golden_object() {
  ObjectRecord object;
  object.head.size_bytes = (64ULL << 20) + 5;
  object.head.modified = {1'700'000'000'789};
  object.head.storage_class = StorageClass::kStandardIa;
  object.head.checksum_kind = crypto::Checksum::kSha1;
  object.head.md5 = md5_from(0x50);
  object.checksum = run_of(0x70, 20);
  object.system = golden_system();
  object.user = {{"colour", "bleu"},
                 {"empty", ""},
                 {"ville",
                  "Orl\xC3\xA9"
                  "ans"}};
  object.pieces = {{id_of<BlobId>(0x11), 64ULL << 20, false, id_of<KeyId>(0xC0), run_of(1, 40)},
                   {id_of<BlobId>(0x22), 5, true, id_of<KeyId>(0xD0), run_of(2, 40)}};
  return object;
}

ObjectRecord golden_multipart() {
  ObjectRecord object;
  object.head.size_bytes = (5ULL << 30) + 300;
  object.head.modified = {1'700'000'001'000};
  object.head.checksum_kind = crypto::Checksum::kCrc32c;
  object.head.checksum_type = ChecksumType::kComposite;
  object.head.md5 = md5_from(0x80);
  object.head.parts = 2;
  object.checksum = run_of(0x90, 4);
  object.upload = id_of<UploadId>(0x33);
  object.parts = {golden_part(1, false), golden_part(7, true)};
  return object;
}

ObjectRecord golden_apart() {
  ObjectRecord object = golden_multipart();
  object.parts.clear();
  object.head.parts = kPartsPerList + 1;
  object.head.size_bytes = (5ULL << 40) - 1;
  object.lists = {{700, 5ULL << 30}, {10'000, object.head.size_bytes - (5ULL << 30)}};
  return object;
}

UploadRecord golden_upload(bool held) {
  UploadRecord upload;
  upload.initiated = {1'700'000'002'000};
  upload.storage_class = StorageClass::kOnezoneIa;
  upload.checksum = crypto::Checksum::kSha256;
  upload.checksum_type = ChecksumType::kComposite;
  upload.system = golden_system();
  upload.user = {{"a", "b"}};
  upload.held = held;
  for (std::size_t i = 0; held && i < upload.by.size(); ++i) upload.by[i] = static_cast<std::uint8_t>(0xA0 + i);
  return upload;
}

// Decodes a golden file and compares; encodes what came and compares again.
template <typename Record, typename Decode>
void expect_golden(const std::string& name, const Record& record, Decode decode) {
  const std::string path = std::string(ANDROMEDE_TESTDATA "/") + name + ".bin";
  std::ifstream file(path, std::ios::binary);
  const std::string golden((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(golden.empty()) << path;
  const auto decoded = decode(as_bytes(golden));
  ASSERT_TRUE(decoded) << decoded.error().describe();
  EXPECT_EQ(*decoded, record);
  EXPECT_EQ(to_hex(as_bytes(encode(*decoded))), to_hex(as_bytes(golden)));
}

// No cut may pass, and nothing may stand behind it. What passes of other bytes has one encoding.
template <typename Decode>
void expect_one_encoding(const std::string& good, Decode decode) {
  ASSERT_TRUE(decode(as_bytes(good)));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string other = good;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    const auto decoded = decode(as_bytes(other));
    if (decoded) {
      EXPECT_EQ(encode(*decoded), other) << "bit " << bit;
    }
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode(as_bytes(good).first(size))) << "size " << size;
  }
  EXPECT_FALSE(decode(as_bytes(good + '\0')));
}

std::string changed(std::string record, std::size_t at, char value) {
  record[at] = value;
  return record;
}

TEST(Records, DecodeTheGoldenFilesAndEncodeThemAgain) {
  expect_golden("bucket_v3", golden_bucket(), decode_bucket);
  expect_golden("bucket_count_v2", BucketCount{300}, decode_bucket_count);
  expect_golden("deleted_bucket_v3", golden_deleted(), decode_deleted_bucket);
  expect_golden("object_v4", golden_object(), decode_object);
  expect_golden("object_multipart_v4", golden_multipart(), decode_object);
  expect_golden("object_parts_apart_v4", golden_apart(), decode_object);
  expect_golden("upload_v2", golden_upload(false), decode_upload);
  expect_golden("upload_held_v2", golden_upload(true), decode_upload);
  expect_golden("blob_v4", golden_blob(), decode_blob);
  expect_golden("part_v3", golden_part(7, true), decode_part);
  expect_golden("part_list_v3", std::vector{golden_part(1, false), golden_part(7, true)}, decode_part_list);
}

TEST(Records, HaveOneEncodingAndNoCutPasses) {
  expect_one_encoding(encode(golden_bucket()), decode_bucket);
  expect_one_encoding(encode(BucketCount{300}), decode_bucket_count);
  expect_one_encoding(encode(golden_deleted()), decode_deleted_bucket);
  expect_one_encoding(encode(golden_object()), decode_object);
  expect_one_encoding(encode(golden_multipart()), decode_object);
  expect_one_encoding(encode(golden_apart()), decode_object);
  expect_one_encoding(encode(golden_upload(true)), decode_upload);
  expect_one_encoding(encode(golden_blob()), decode_blob);
  expect_one_encoding(encode(golden_part(1, true)), decode_part);
  expect_one_encoding(encode(std::vector{golden_part(1, false)}), decode_part_list);
}

TEST(Records, RefuseAnotherRecordsLetterAndAnUnknownVersion) {
  EXPECT_TRUE(decode_object(as_bytes(encode(golden_bucket()))).error() == Errc::kCorrupt);
  const auto newer = decode_bucket(as_bytes(changed(encode(golden_bucket()), 1, 4)));
  ASSERT_FALSE(newer);
  EXPECT_NE(newer.error().message().find("version 4"), std::string::npos);
}

TEST(Records, RefuseFieldsThatCannotBe) {
  // Every byte of every field set to 0xFF: some are still a record, none may bring the decoder down or pass its limits.
  const std::string good = encode(golden_multipart());
  for (std::size_t at = 2; at < good.size(); ++at) {
    const auto decoded = decode_object(as_bytes(changed(good, at, '\xFF')));
    if (!decoded) continue;
    EXPECT_LE(decoded->head.size_bytes, kMaxObjectBytes);
    EXPECT_LE(decoded->head.parts, kMaxParts);
  }
  EXPECT_TRUE(decode_bucket_count(as_bytes(encode(BucketCount{kMaxBucketsPerAccount}))));
  EXPECT_FALSE(decode_bucket_count(as_bytes(encode(BucketCount{kMaxBucketsPerAccount + 1}))));
  ObjectRecord short_by_one = golden_object();
  short_by_one.pieces.back().size_bytes -= 1;
  EXPECT_FALSE(decode_object(as_bytes(encode(short_by_one))));
  ObjectRecord no_pieces = golden_object();
  no_pieces.pieces.clear();
  EXPECT_FALSE(decode_object(as_bytes(encode(no_pieces))));
  ObjectRecord unordered = golden_multipart();
  std::swap(unordered.parts[0], unordered.parts[1]);
  EXPECT_FALSE(decode_object(as_bytes(encode(unordered))));
}

TEST(Records, AHeadIsWhatItsObjectSays) {
  const auto head = decode_object_head(as_bytes(encode(golden_multipart())));
  ASSERT_TRUE(head);
  EXPECT_EQ(*head, golden_multipart().head);
  EXPECT_EQ(etag_text(*head), "808182838485868788898a8b8c8d8e8f-2");
}

TEST(Records, ManyPartsLieApart) {
  ObjectRecord object = golden_apart();
  const auto decoded = decode_object(as_bytes(encode(object)));
  ASSERT_TRUE(decoded) << decoded.error().describe();
  EXPECT_TRUE(decoded->parts_apart());
  EXPECT_EQ(*decoded, object);
  object.lists[0].size_bytes += 1;
  EXPECT_FALSE(decode_object(as_bytes(encode(object))));
  object = golden_apart();
  object.lists[0].last_number = object.lists[1].last_number;
  EXPECT_FALSE(decode_object(as_bytes(encode(object))));
  object = golden_apart();
  object.lists.pop_back();
  EXPECT_FALSE(decode_object(as_bytes(encode(object))));
}

}  // namespace
}  // namespace andromede::objects
