// The bytes of a shard record (docs/formats/volume.md): where each part lies, and its header and seal. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "blob/shards/sharded_blob.h"

namespace andromede::blob {

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::size_t kBlockBytes = 64 * 1024;
inline constexpr std::uint64_t kGroupBlocks = 16;
inline constexpr std::size_t kHeaderBytes = 256;
inline constexpr std::size_t kSealBytes = 256;
inline constexpr std::size_t kHeadBytes = kHeaderBytes + kSealBytes;
inline constexpr std::size_t kChecksumBytes = 4;
// The last block of a shard is a multiple of this where k > 1.
inline constexpr std::uint64_t kBlockRounding = 64;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

// Where the parts of a shard's record lie, from the code and the blob's size alone. Offsets are relative to the record.
class RecordLayout {
 public:
  RecordLayout(Code code, std::uint64_t size_bytes);
  // Of a blob that is refused when its code or size are out of bounds.
  static bool valid(Code code, std::uint64_t size_bytes);

  [[nodiscard]] Code code() const { return code_; }
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  // Stripes of the blob, which is also the number of blocks of each shard.
  [[nodiscard]] std::uint64_t stripes() const { return stripes_; }
  [[nodiscard]] std::uint64_t stripe_bytes() const { return std::uint64_t{code_.data} * kBlockBytes; }
  // Bytes of each block of stripe `stripe`: kBlockBytes, or less in the last.
  [[nodiscard]] std::size_t block_bytes(std::uint64_t stripe) const {
    return stripe + 1 == stripes_ ? last_block_bytes_ : kBlockBytes;
  }
  [[nodiscard]] std::uint64_t groups() const { return (stripes_ + kGroupBlocks - 1) / kGroupBlocks; }
  [[nodiscard]] std::uint64_t group_blocks(std::uint64_t group) const {
    return std::min(kGroupBlocks, stripes_ - group * kGroupBlocks);
  }
  [[nodiscard]] std::uint64_t block_offset(std::uint64_t block) const {
    const std::uint64_t group = block / kGroupBlocks;
    return kHeadBytes + group * kFullGroupBytes + (block % kGroupBlocks) * kBlockBytes;
  }
  // Where the checksums of a group begin: right behind its last block.
  [[nodiscard]] std::uint64_t checksums_offset(std::uint64_t group) const {
    const std::uint64_t last = group * kGroupBlocks + group_blocks(group) - 1;
    return block_offset(last) + block_bytes(last);
  }
  // Where the last checksum ends.
  [[nodiscard]] std::uint64_t end_offset() const {
    if (stripes_ == 0) return kHeadBytes;
    return checksums_offset(groups() - 1) + group_blocks(groups() - 1) * kChecksumBytes;
  }
  [[nodiscard]] std::uint64_t used_bytes() const { return round_up(end_offset(), kPageBytes); }

 private:
  static constexpr std::uint64_t kFullGroupBytes = kGroupBlocks * (kBlockBytes + kChecksumBytes);
  Code code_;
  std::uint64_t size_bytes_;
  std::uint64_t stripes_;
  std::size_t last_block_bytes_;
};

// The checksum of a block, bound to its place so that no other block passes for it.
std::uint32_t block_checksum(BlobId blob, unsigned shard, std::uint64_t block, ByteView data);

struct RecordHeader {
  BlobId blob;
  unsigned shard = 0;
  Code code;
  std::uint32_t volume = 0;
  std::uint64_t offset = 0;
  std::uint64_t region_bytes = 0;
  std::uint64_t declared_bytes = 0;
  std::uint64_t session = 0;
  std::int64_t created_ms = 0;
  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

struct RecordSeal {
  BlobId blob;
  std::uint64_t size_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint32_t blocks_checksum = 0;
  std::int64_t sealed_ms = 0;
  friend bool operator==(const RecordSeal&, const RecordSeal&) = default;
};

std::array<std::uint8_t, kHeaderBytes> encode(const RecordHeader& header);
std::array<std::uint8_t, kSealBytes> encode(const RecordSeal& seal);
// kCorrupt when `bytes` (kHeaderBytes, kSealBytes) are no such thing; kUnsupported for a later version.
Result<RecordHeader> decode_header(ByteView bytes);
Result<RecordSeal> decode_seal(ByteView bytes);

// What stands at an offset of a volume.
struct RecordHead {
  RecordHeader header;
  std::optional<RecordSeal> seal;  // none: never finished, or damaged
  [[nodiscard]] std::uint64_t live_bytes() const { return seal ? seal->used_bytes : header.region_bytes; }
};
// `bytes` are the kHeadBytes at `offset` of volume `volume`. kNotFound: all zeros. kCorrupt: anything else that is no
// header, or the header of another place.
Result<RecordHead> decode_head(ByteView bytes, std::uint32_t volume, std::uint64_t offset);

bool all_zeros(ByteView bytes);

}  // namespace andromede::blob
