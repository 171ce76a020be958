// Where the shards of what is written go: asked by the engine, answered by the placement (sovereignty/placement.h),
// which apps/ ties to the drives in service.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "blob/shards/sharded_blob.h"

namespace andromede::blob {

// Chooses other drives for shards that a Writer lost under way, or found no room for, by the placement that chose the
// first.
class Replacer {
 public:
  virtual ~Replacer() = default;
  // By `policy`. `kept` has an entry per shard: where it is, or nullopt for one that is lost. Answers a drive per
  // shard, those of `kept` unchanged, and none of `without`, which have refused or failed; none ids where no drive is
  // left. `shard_bytes`: a record's size. May block; from any thread. Errors: kUnavailable (too few drives online),
  // kNoSpace.
  virtual Result<std::vector<DriveId>> replace(const PolicyId& policy, const std::vector<std::optional<DriveId>>& kept,
                                               const std::vector<DriveId>& without, std::uint64_t shard_bytes) = 0;
};

// The drives for one blob's shards, in shard order.
struct Target {
  Code code;
  std::vector<DriveId> drives;
  PolicyId policy{};
  // Asked when a drive has no room at the beginning, and when so many fail under way that what is left would not
  // survive the next loss. Borrowed, outlives the Writer; null: such a write fails.
  Replacer* replacer = nullptr;
};

class Placer : public Replacer {
 public:
  // Drives for a new blob of that placement class. From event loops; does not block. Errors as sovereignty::place:
  // kUnavailable, kNoSpace.
  virtual Result<Target> place(const PolicyId& policy, std::uint64_t size_bytes) = 0;
};

}  // namespace andromede::blob
