// SpreadPlacer: the drives of a new blob, by the consortium's rule. Thread-safe; does not block.
#pragma once

#include "base/random.h"
#include "fleet/candidates.h"
#include "objects/service.h"
#include "sovereignty/placement.h"

namespace andromede::app {

class SpreadPlacer final : public objects::Placer {
 public:
  // Both are borrowed and outlive the placer.
  SpreadPlacer(sovereignty::Rule rule, const fleet::Candidates& candidates, Random& random)
      : rule_(rule), candidates_(candidates), random_(random) {}

  // With fewer drives online than shards, but at least one more than data shards, the last shards get no drive (a none
  // id): they are rebuilt by heal. kUnavailable with fewer still: what is written must survive the next loss.
  Result<blob::Target> place(BlobId id, std::uint64_t size_bytes) override;

 private:
  const sovereignty::Rule rule_;
  const fleet::Candidates& candidates_;
  Random& random_;
};

}  // namespace andromede::app
