#include "blob/shards/sharded_blob.h"

#include "base/bytes.h"
#include "base/check.h"

namespace andromede::blob {
namespace {

constexpr std::uint8_t kEngine = 'V';
constexpr std::uint8_t kVersion = 1;
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::size_t kMaxPlaceBytes = DriveId::kSize + 5 + 8;  // volume and page as varints
static_assert(4 + kMaxShards * kMaxPlaceBytes <= kMaxLocatorBytes);

Bytes locator_of(Code code, const std::vector<ShardPlace>& shards) {
  Bytes out;
  out.reserve(4 + shards.size() * kMaxPlaceBytes);
  ByteWriter writer(out);
  writer.u8(kEngine);
  writer.u8(kVersion);
  writer.u8(code.data);
  writer.u8(code.parity);
  for (const ShardPlace& place : shards) {
    CHECK(place.offset % kPageBytes == 0, "records lie on whole pages");
    writer.raw(place.drive.bytes());
    writer.varint(place.volume);
    writer.varint(place.offset / kPageBytes);
  }
  return out;
}

}  // namespace

BlobRef ref_of(const ShardedBlob& blob) {
  CHECK(blob.shards.size() == blob.code.total(), "a sharded blob names every shard of its code");
  return {.id = blob.id,
          .size_bytes = blob.size_bytes,
          .policy = blob.policy,
          .locator = locator_of(blob.code, blob.shards)};
}

Result<ShardedBlob> sharded(const BlobRef& ref) {
  const auto refuse = [&](Errc code, const std::string& why) {
    return fail(code, "the locator of blob " + ref.id.to_string() + why);
  };
  ByteReader reader(ref.locator);
  const std::uint8_t engine = reader.u8();
  const std::uint8_t version = reader.u8();
  if (!reader.ok()) return refuse(Errc::kCorrupt, " is cut short");
  if (engine != kEngine) return refuse(Errc::kUnsupported, " is another engine's");
  if (version != kVersion) {
    return refuse(Errc::kUnsupported, " has version " + std::to_string(version) + ", this program knows 1");
  }
  ShardedBlob blob{.id = ref.id, .size_bytes = ref.size_bytes, .policy = ref.policy, .code = {}, .shards = {}};
  blob.code.data = reader.u8();
  blob.code.parity = reader.u8();
  if (!reader.ok()) return refuse(Errc::kCorrupt, " is cut short");
  if (blob.code.data == 0 || blob.code.total() > kMaxShards) return refuse(Errc::kCorrupt, " names no such code");
  blob.shards.reserve(blob.code.total());
  for (unsigned i = 0; i < blob.code.total(); ++i) {
    ShardPlace place;
    place.drive = DriveId::from_bytes(reader.raw(DriveId::kSize));
    const std::uint64_t volume = reader.varint();
    const std::uint64_t page = reader.varint();
    if (!reader.ok()) return refuse(Errc::kCorrupt, " is cut short");
    if (volume > UINT32_MAX || page > UINT64_MAX / kPageBytes) {
      return refuse(Errc::kCorrupt, " names no such place");
    }
    if (place.drive.is_none() && (volume != 0 || page != 0)) {
      return refuse(Errc::kCorrupt, " gives a lost shard a place");
    }
    place.volume = static_cast<std::uint32_t>(volume);
    place.offset = page * kPageBytes;
    blob.shards.push_back(place);
  }
  if (reader.remaining() > 0) return refuse(Errc::kCorrupt, " goes on behind its end");
  // A varint with needless zero groups decodes too; one value has one encoding, so that refs compare by their bytes.
  if (locator_of(blob.code, blob.shards) != ref.locator) {
    return refuse(Errc::kCorrupt, " is not in its shortest form");
  }
  return blob;
}

}  // namespace andromede::blob
