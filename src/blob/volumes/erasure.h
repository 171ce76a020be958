// Reed-Solomon over one stripe: parity from data, and any block from k others. k = 1 is plain copies. Immutable,
// thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "blob/shards/sharded_blob.h"

namespace andromede::blob {

class ErasureCode {
 public:
  explicit ErasureCode(Code code);

  // Computes `parity` (m blocks) from `data` (k blocks), all of `block_bytes`.
  void encode(std::size_t block_bytes, const std::vector<const std::uint8_t*>& data,
              const std::vector<std::uint8_t*>& parity) const;
  // Computes block `want` of a stripe. `blocks` has one entry a shard, null where the block is not there; at least k
  // are there.
  void rebuild(std::size_t block_bytes, const std::vector<const std::uint8_t*>& blocks, unsigned want,
               std::uint8_t* out) const;

 private:
  Code code_;
  Bytes matrix_;  // (k + m) × k coefficients, identity above
  Bytes tables_;  // of the parity rows, expanded by ISA-L; empty where k = 1 or m = 0
};

}  // namespace andromede::blob
