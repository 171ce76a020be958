// A blob cut into shards on drives: what an engine on drives writes into a BlobRef's locator, and reads there. Bytes:
// docs/formats/blob-ref.md.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "blob/store.h"

namespace andromede::blob {

inline constexpr unsigned kMaxShards = 32;

// k data and m parity shards; {1, 0} is one whole copy, {1, m} is m+1 copies.
struct Code {
  std::uint8_t data = 1;
  std::uint8_t parity = 0;
  [[nodiscard]] unsigned total() const { return unsigned{data} + parity; }
  friend bool operator==(const Code&, const Code&) = default;
};

// Where one shard lies.
struct ShardPlace {
  DriveId drive;
  std::uint32_t volume = 0;
  std::uint64_t offset = 0;  // of the record's header in the volume
  friend bool operator==(const ShardPlace&, const ShardPlace&) = default;
};

// Shards of a blob: bit i for shard i. As Suspects::parts says them.
using ShardSet = std::uint32_t;
static_assert(kMaxShards <= 32);

struct ShardedBlob {
  BlobId id;
  std::uint64_t size_bytes = 0;  // of ciphertext
  PolicyId policy{};             // by which the shards are placed, for as long as the blob lives
  Code code;
  std::vector<ShardPlace> shards;  // index i is shard i; a none drive: that shard is lost and waits for heal
  friend bool operator==(const ShardedBlob&, const ShardedBlob&) = default;
};

BlobRef ref_of(const ShardedBlob& blob);
// Errors: kUnsupported (another engine's locator, or another version), kCorrupt.
Result<ShardedBlob> sharded(const BlobRef& ref);

}  // namespace andromede::blob
