#include "blob/volumes/record.h"

#include "crypto/digest.h"

namespace andromede::blob {
namespace {

constexpr std::string_view kHeaderMagic = "ANDVREC\n";
constexpr std::string_view kSealMagic = "ANDVSEAL";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kChecksumAt = kHeaderBytes - kChecksumBytes;
static_assert(kHeaderBytes == kSealBytes);

template <std::size_t Size>
std::array<std::uint8_t, Size> sealed(Bytes fields) {
  fields.resize(kChecksumAt);
  ByteWriter(fields).u32(crypto::crc32c(0, fields));
  std::array<std::uint8_t, Size> out;
  std::copy(fields.begin(), fields.end(), out.begin());
  return out;
}

// Checks size, magic, checksum and version; answers a reader that stands behind the version.
Result<ByteReader> open_fields(ByteView bytes, std::string_view magic, const char* what) {
  const std::string name = what;
  if (bytes.size() != kHeaderBytes) return fail(Errc::kCorrupt, name + ": wrong size");
  if (as_text(bytes.first(magic.size())) != magic) return fail(Errc::kCorrupt, name + ": no magic");
  ByteReader trailer(bytes.subspan(kChecksumAt));
  if (trailer.u32() != crypto::crc32c(0, bytes.first(kChecksumAt))) {
    return fail(Errc::kCorrupt, name + ": the checksum does not match");
  }
  ByteReader reader(bytes.subspan(magic.size(), kChecksumAt - magic.size()));
  if (const auto version = reader.u16(); version != kVersion) {
    return fail(Errc::kUnsupported, name + ": version " + std::to_string(version) + ", this program knows 1");
  }
  return reader;
}

}  // namespace

bool RecordLayout::valid(Code code, std::uint64_t size_bytes) {
  return code.data > 0 && code.total() <= kMaxShards && size_bytes <= kMaxBlobBytes;
}

RecordLayout::RecordLayout(Code code, std::uint64_t size_bytes) : code_(code), size_bytes_(size_bytes) {
  CHECK(valid(code, size_bytes), "codes and sizes are checked where they come in");
  stripes_ = (size_bytes + stripe_bytes() - 1) / stripe_bytes();
  const std::uint64_t rest = stripes_ == 0 ? 0 : size_bytes - (stripes_ - 1) * stripe_bytes();
  last_block_bytes_ = code.data == 1 ? rest : round_up((rest + code.data - 1) / code.data, kBlockRounding);
}

std::uint32_t block_checksum(BlobId blob, unsigned shard, std::uint64_t block, ByteView data) {
  std::array<std::uint8_t, BlobId::kSize + 8> place{};
  std::copy(blob.bytes().begin(), blob.bytes().end(), place.begin());
  place[BlobId::kSize] = static_cast<std::uint8_t>(shard);
  const auto number = static_cast<std::uint32_t>(block);
  std::memcpy(place.data() + BlobId::kSize + 4, &number, sizeof number);
  return crypto::crc32c(crypto::crc32c(0, place), data);
}

std::array<std::uint8_t, kHeaderBytes> encode(const RecordHeader& header) {
  Bytes fields;
  fields.reserve(kHeaderBytes);
  ByteWriter writer(fields);
  writer.raw(as_bytes(kHeaderMagic));
  writer.u16(kVersion);
  writer.u8(static_cast<std::uint8_t>(header.shard));
  writer.u8(header.code.data);
  writer.u8(header.code.parity);
  writer.u8(0);
  writer.u16(0);
  writer.raw(header.blob.bytes());
  writer.u32(header.volume);
  writer.u32(kBlockBytes);
  writer.u64(header.offset);
  writer.u64(header.region_bytes);
  writer.u64(header.declared_bytes);
  writer.u64(header.session);
  writer.u64(static_cast<std::uint64_t>(header.created_ms));
  return sealed<kHeaderBytes>(std::move(fields));
}

std::array<std::uint8_t, kSealBytes> encode(const RecordSeal& seal) {
  Bytes fields;
  fields.reserve(kSealBytes);
  ByteWriter writer(fields);
  writer.raw(as_bytes(kSealMagic));
  writer.u16(kVersion);
  writer.u16(0);
  writer.u32(0);
  writer.raw(seal.blob.bytes());
  writer.u64(seal.size_bytes);
  writer.u64(seal.used_bytes);
  writer.u32(seal.blocks_checksum);
  writer.u64(static_cast<std::uint64_t>(seal.sealed_ms));
  return sealed<kSealBytes>(std::move(fields));
}

Result<RecordHeader> decode_header(ByteView bytes) {
  TRY(ByteReader reader, open_fields(bytes, kHeaderMagic, "record header"));
  RecordHeader header;
  header.shard = reader.u8();
  header.code.data = reader.u8();
  header.code.parity = reader.u8();
  bool zeros = all_zeros(reader.raw(3));
  header.blob = BlobId::from_bytes(reader.raw(BlobId::kSize));
  header.volume = reader.u32();
  const std::uint32_t block_bytes = reader.u32();
  header.offset = reader.u64();
  header.region_bytes = reader.u64();
  header.declared_bytes = reader.u64();
  header.session = reader.u64();
  header.created_ms = static_cast<std::int64_t>(reader.u64());
  zeros = zeros && all_zeros(reader.rest());
  if (!zeros || block_bytes != kBlockBytes || !RecordLayout::valid(header.code, header.declared_bytes) ||
      header.shard >= header.code.total() || header.offset % kPageBytes != 0 ||
      header.region_bytes != RecordLayout(header.code, header.declared_bytes).used_bytes()) {
    return fail(Errc::kCorrupt, "record header: fields out of bounds");
  }
  return header;
}

Result<RecordSeal> decode_seal(ByteView bytes) {
  TRY(ByteReader reader, open_fields(bytes, kSealMagic, "record seal"));
  RecordSeal seal;
  bool zeros = all_zeros(reader.raw(6));
  seal.blob = BlobId::from_bytes(reader.raw(BlobId::kSize));
  seal.size_bytes = reader.u64();
  seal.used_bytes = reader.u64();
  seal.blocks_checksum = reader.u32();
  seal.sealed_ms = static_cast<std::int64_t>(reader.u64());
  zeros = zeros && all_zeros(reader.rest());
  if (!zeros || seal.size_bytes > kMaxBlobBytes) return fail(Errc::kCorrupt, "record seal: fields out of bounds");
  return seal;
}

Result<RecordHead> decode_head(ByteView bytes, std::uint32_t volume, std::uint64_t offset) {
  if (bytes.size() != kHeadBytes) return fail(Errc::kCorrupt, "record head: cut short");
  const ByteView first = bytes.first(kHeaderBytes);
  auto header = decode_header(first);
  if (!header) {
    if (all_zeros(first)) return fail(Errc::kNotFound, "no record there");
    return fail(std::move(header).error());
  }
  if (header->volume != volume || header->offset != offset) {
    return fail(Errc::kCorrupt, "record header: of another place");
  }
  RecordHead head{.header = *header, .seal = std::nullopt};
  if (auto seal = decode_seal(bytes.subspan(kHeaderBytes));
      seal && seal->blob == header->blob && seal->size_bytes <= header->declared_bytes &&
      seal->used_bytes == RecordLayout(header->code, seal->size_bytes).used_bytes()) {
    head.seal = *seal;
  }
  return head;
}

bool all_zeros(ByteView bytes) {
  // memcmp of the bytes with themselves, one further: as fast as memory.
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace andromede::blob
