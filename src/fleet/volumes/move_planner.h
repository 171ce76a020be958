// MovePlanner: where the shards of a blob lie, where they should lie, and the fewest moves between the two. Pure: it
// works on a snapshot of the drive map and of the candidates.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "blob/shards/sharded_blob.h"
#include "fleet/policy_book.h"
#include "fleet/volumes/candidates.h"
#include "io/drives.h"
#include "sovereignty/placement.h"

namespace andromede::fleet {

struct Move {
  unsigned shard = 0;
  DriveId to;
};

// What one shard of a blob of `size_bytes` takes on a drive, about: payload, checksums and header.
std::uint64_t shard_bytes(blob::Code code, std::uint64_t size_bytes);
inline std::uint64_t shard_bytes(const blob::ShardedBlob& ref) { return shard_bytes(ref.code, ref.size_bytes); }

// Not thread-safe; cheap to make for every batch of blobs.
class MovePlanner {
 public:
  // `candidates`: the active drives that are online.
  MovePlanner(std::shared_ptr<const io::DriveMap> map, std::shared_ptr<const CandidateList> candidates,
              std::shared_ptr<const sovereignty::Policies> policies);

  // Shards of the blob may lie on the drive, which is active; one that is only offline is expected back.
  [[nodiscard]] bool may_hold(const blob::ShardedBlob& ref, DriveId drive) const;
  // What the shards that stay where they are survive.
  [[nodiscard]] sovereignty::Tolerance tolerance(const blob::ShardedBlob& ref) const;
  // The moves that give every shard a drive that may hold it, and the spread that those online now allow. Empty: all is
  // well. Errors: kUnavailable, kNoSpace as sovereignty::place; kUnavailable: the blob's policy is none of the
  // consortium's.
  Result<std::vector<Move>> moves(const blob::ShardedBlob& ref, Random& random);

 private:
  [[nodiscard]] std::optional<SiteId> site_of(DriveId drive) const;
  [[nodiscard]] sovereignty::Tolerance tolerance_on(const blob::ShardedBlob& ref,
                                                    const std::vector<DriveId>& drives) const;
  Result<const sovereignty::Policy*> policy_of(const blob::ShardedBlob& ref) const;
  sovereignty::Tolerance best_for(const sovereignty::Policy& policy);

  std::shared_ptr<const io::DriveMap> map_;
  std::shared_ptr<const CandidateList> candidates_;
  std::shared_ptr<const sovereignty::Policies> policies_;
  CandidateList active_;  // all active drives; those that are offline have no free space
  std::map<PolicyId, sovereignty::Tolerance> best_;
};

}  // namespace andromede::fleet
