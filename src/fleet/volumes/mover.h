// Mover: moves, rebuilds and repairs the shards of single blobs, and makes the metadata name the new places.
// Thread-safe: several blobs at the same time, from maintenance threads.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "blob/shards/maintenance.h"
#include "fleet/volumes/move_planner.h"
#include "meta/mirrors.h"

namespace andromede::fleet {

struct MoveCount {
  std::uint64_t shards = 0;
  std::uint64_t bytes = 0;
  std::uint64_t rebuilt = 0;  // of `shards`, those that had no good copy to move
};

class Mover {
 public:
  // All are borrowed and outlive the mover.
  Mover(io::Drives& drives, blob::Maintenance& blobs, blob::ShardCatalog& catalog, blob::Authenticator& authenticator,
        const meta::Mirrors& mirrors, Candidates& candidates, const PolicyBook& policies, Random& random);

  // Gives every shard of the blob the place that MovePlanner wants, and rebuilds what was in volumes that are gone. A
  // blob that was deleted or changed meanwhile is looked at again. Errors: kCorrupt (cannot be rebuilt), kUnavailable
  // and kNoSpace (not now), kIo, kCancelled (pace said so).
  Result<MoveCount> settle(blob::ShardedBlob ref, const blob::Pace& pace);
  // Which shards of `ref` are in volumes that are gone from their drives: a look into memory. Nothing is lost with them
  // where `ref` is not the record any more: what holds nothing is removed.
  struct Gone {
    std::vector<unsigned> shards;
    bool all_known = true;  // no drive is there that has not told its volumes yet
  };
  [[nodiscard]] Gone gone(const blob::ShardedBlob& ref) const;
  // One move that the caller chose; nothing when the blob was deleted or changed meanwhile. Errors as settle().
  Result<MoveCount> move(const blob::ShardedBlob& ref, Move move, const blob::Pace& pace);
  // Reads every shard on drives that are online, and holds them against each other; rewrites what is damaged, missing
  // or not what was written, and settles the blob when a shard has no drive. Errors as settle().
  struct Checked {
    std::uint64_t damaged = 0;
    std::uint64_t repaired = 0;
    std::uint64_t bytes = 0;
  };
  Result<Checked> verify(blob::ShardedBlob ref, const blob::Pace& pace);

 private:
  // Copies, replaces the record, gives the old places back. kConflict: the record is not `ref` any more.
  Result<MoveCount> carry_out(const blob::ShardedBlob& ref, const std::vector<Move>& moves, const blob::Pace& pace);
  Status name_new_places(const blob::ShardedBlob& before, const blob::ShardedBlob& after);

  io::Drives& drives_;
  blob::Maintenance& blobs_;
  blob::ShardCatalog& catalog_;
  blob::Authenticator& authenticator_;
  const meta::Mirrors& mirrors_;
  Candidates& candidates_;
  const PolicyBook& policies_;
  Random& random_;
};

}  // namespace andromede::fleet
