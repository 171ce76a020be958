#include "blob/store.h"

#include "crypto/digest.h"

namespace andromede::blob {
namespace {

constexpr std::uint8_t kVersion = 3;
constexpr std::size_t kChecksumBytes = 4;

}  // namespace

std::string encode(const BlobRef& ref) {
  CHECK(ref.locator.size() <= kMaxLocatorBytes, "an engine's locators have a bound");
  Bytes out;
  out.reserve(64 + ref.policy.value().size() + ref.locator.size());
  ByteWriter writer(out);
  writer.u8(kVersion);
  writer.raw(ref.id.bytes());
  writer.varint(ref.size_bytes);
  writer.text(ref.policy.value());
  writer.bytes(ref.locator);
  writer.u32(crypto::crc32c(0, out));
  return std::string(as_text(out));
}

Result<BlobRef> decode_blob_ref(ByteView bytes) {
  if (bytes.empty()) return fail(Errc::kCorrupt, "blob ref: empty");
  if (bytes[0] != kVersion) {
    return fail(Errc::kUnsupported, "blob ref: version " + std::to_string(bytes[0]) + ", this program knows 3");
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
  ref.policy = PolicyId(std::string(reader.text()));
  const ByteView locator = reader.bytes();
  if (!reader.ok()) return fail(Errc::kCorrupt, "blob ref: cut short");
  if (ref.size_bytes > kMaxBlobBytes) return fail(Errc::kCorrupt, "blob ref: larger than any blob");
  if (locator.size() > kMaxLocatorBytes) return fail(Errc::kCorrupt, "blob ref: a locator longer than any");
  ref.locator = to_bytes(locator);
  CHECK_OK(reader.finish("blob ref"));
  // A varint with needless zero groups decodes too; one value has one encoding, so that refs compare by their bytes.
  if (as_bytes(encode(ref)).size() != bytes.size()) return fail(Errc::kCorrupt, "blob ref: not in its shortest form");
  return ref;
}

}  // namespace andromede::blob
