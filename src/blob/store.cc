#include "blob/store.h"

#include "crypto/digest.h"

namespace andromede::blob {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::size_t kChecksumBytes = 4;

}  // namespace

std::string encode(const BlobRef& ref) {
  Bytes out;
  out.reserve(64 + ref.shards.size() * 26);
  ByteWriter writer(out);
  writer.u8(kVersion);
  writer.raw(ref.id.bytes());
  writer.varint(ref.size_bytes);
  writer.u8(ref.code.data);
  writer.u8(ref.code.parity);
  writer.text(ref.policy.value());
  CHECK(ref.shards.size() == ref.code.total(), "a ref names every shard of its code");
  for (const ShardPlace& place : ref.shards) {
    CHECK(place.offset % kPageBytes == 0, "records lie on whole pages");
    writer.raw(place.drive.bytes());
    writer.varint(place.volume);
    writer.varint(place.offset / kPageBytes);
  }
  writer.u32(crypto::crc32c(0, out));
  return std::string(as_text(out));
}

Result<BlobRef> decode_blob_ref(ByteView bytes) {
  if (bytes.empty()) return fail(Errc::kCorrupt, "blob ref: empty");
  if (bytes[0] != kVersion) {
    return fail(Errc::kUnsupported, "blob ref: version " + std::to_string(bytes[0]) + ", this program knows 2");
  }
  if (bytes.size() < kChecksumBytes) return fail(Errc::kCorrupt, "blob ref: cut short");
  const ByteView body = bytes.first(bytes.size() - kChecksumBytes);
  ByteReader trailer(bytes.last(kChecksumBytes));
  if (trailer.u32() != crypto::crc32c(0, body)) return fail(Errc::kCorrupt, "blob ref: the checksum does not match");

  ByteReader reader(body);
  reader.u8();
  BlobRef ref;
  ref.id = BlobId::from_bytes(reader.raw(BlobId::kSize));
  ref.size_bytes = reader.varint();
  ref.code.data = reader.u8();
  ref.code.parity = reader.u8();
  ref.policy = PolicyId(std::string(reader.text()));
  if (!reader.ok()) return fail(Errc::kCorrupt, "blob ref: cut short");
  if (ref.size_bytes > kMaxBlobBytes) return fail(Errc::kCorrupt, "blob ref: larger than any blob");
  if (ref.code.data == 0 || ref.code.total() > kMaxShards) return fail(Errc::kCorrupt, "blob ref: no such code");
  for (unsigned i = 0; i < ref.code.total(); ++i) {
    ShardPlace place;
    place.drive = DriveId::from_bytes(reader.raw(DriveId::kSize));
    const std::uint64_t volume = reader.varint();
    const std::uint64_t page = reader.varint();
    if (volume > UINT32_MAX || page > UINT64_MAX / kPageBytes) return fail(Errc::kCorrupt, "blob ref: no such place");
    if (place.drive.is_none() && (volume != 0 || page != 0)) {
      return fail(Errc::kCorrupt, "blob ref: a lost shard has no place");
    }
    place.volume = static_cast<std::uint32_t>(volume);
    place.offset = page * kPageBytes;
    ref.shards.push_back(place);
  }
  CHECK_OK(reader.finish("blob ref"));
  // A varint with needless zero groups decodes too; one value has one encoding, so that refs compare by their bytes.
  if (as_bytes(encode(ref)).size() != bytes.size()) return fail(Errc::kCorrupt, "blob ref: not in its shortest form");
  return ref;
}

}  // namespace andromede::blob
