// SpreadPlacer: the drives of a new blob, by the consortium's rule. Thread-safe.
#pragma once

#include "base/random.h"
#include "fleet/candidates.h"
#include "objects/service.h"
#include "sovereignty/placement.h"

namespace andromede::app {

class SpreadPlacer final : public objects::Placer, public blob::Replacer {
 public:
  // Both are borrowed and outlive the placer.
  SpreadPlacer(sovereignty::Rule rule, fleet::Candidates& candidates, Random& random)
      : rule_(rule), candidates_(candidates), random_(random) {}

  // With fewer drives online than shards, but at least one more than data shards, the last shards get no drive (a none
  // id): they are rebuilt by heal. kUnavailable with fewer still: what is written must survive the next loss.
  Result<blob::Target> place(BlobId id, std::uint64_t size_bytes) override;

  // Looks at the drives again first: one of those that were candidates has just failed or filled up.
  Result<std::vector<DriveId>> replace(const std::vector<std::optional<DriveId>>& kept,
                                       const std::vector<DriveId>& without, std::uint64_t shard_bytes) override;

 private:
  Result<std::vector<DriveId>> choose(const std::vector<std::optional<DriveId>>& kept,
                                      const std::vector<DriveId>& without, std::uint64_t shard_bytes);

  const sovereignty::Rule rule_;
  fleet::Candidates& candidates_;
  Random& random_;
};

}  // namespace andromede::app
