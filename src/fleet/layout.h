// Layout: where the shards of a blob lie, where they should lie, and the fewest moves between the two. Pure: it works
// on a snapshot of the drive map and of the candidates.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "blob/store.h"
#include "fleet/candidates.h"
#include "io/drives.h"
#include "sovereignty/placement.h"

namespace andromede::fleet {

struct Move {
  unsigned shard = 0;
  DriveId to;
};

// What one shard of a blob of `size_bytes` takes on a drive, about: payload, checksums and header.
std::uint64_t shard_bytes(blob::Code code, std::uint64_t size_bytes);
inline std::uint64_t shard_bytes(const blob::BlobRef& ref) { return shard_bytes(ref.code, ref.size_bytes); }

// Not thread-safe; cheap to make for every batch of blobs.
class Layout {
 public:
  // `candidates`: the active drives that are online.
  Layout(std::shared_ptr<const io::DriveMap> map, std::shared_ptr<const CandidateList> candidates);

  // The shard stays where it is: its drive is active. One that is only offline is expected back.
  [[nodiscard]] bool stays(const blob::ShardPlace& place) const;
  // What the shards that stay survive.
  [[nodiscard]] sovereignty::Tolerance tolerance(const blob::BlobRef& ref) const;
  // The moves that give every shard a drive that stays, and the spread that the drives online now allow. Empty: all is
  // well. Errors: kUnavailable, kNoSpace as sovereignty::place.
  Result<std::vector<Move>> moves(const blob::BlobRef& ref, Random& random);

 private:
  [[nodiscard]] std::optional<SiteId> site_of(DriveId drive) const;
  [[nodiscard]] sovereignty::Tolerance tolerance_on(const blob::BlobRef& ref, const std::vector<DriveId>& drives) const;
  sovereignty::Tolerance best_for(blob::Code code);

  std::shared_ptr<const io::DriveMap> map_;
  std::shared_ptr<const CandidateList> candidates_;
  CandidateList active_;  // all active drives; those that are offline have no free space
  std::map<std::pair<unsigned, unsigned>, sovereignty::Tolerance> best_;
};

}  // namespace andromede::fleet
