// What is stored anew obeys its policy. PoliciesInForce: how small it lies in the metadata; SpreadPlacer: on which
// drives else. Thread-safe.
#pragma once

#include "base/random.h"
#include "blob/shards/placer.h"
#include "fleet/policy_book.h"
#include "fleet/volumes/candidates.h"
#include "objects/service.h"
#include "sovereignty/placement.h"

namespace andromede::app {

class PoliciesInForce final : public objects::StoragePolicies {
 public:
  // Borrowed, and outlives this.
  explicit PoliciesInForce(const fleet::PolicyBook& policies) : policies_(policies) {}

  Result<PolicyId> choose(const PolicyId& wanted) override;
  std::uint64_t inline_limit_bytes(const PolicyId& policy) override;

 private:
  const fleet::PolicyBook& policies_;
};

class SpreadPlacer final : public blob::Placer {
 public:
  // All are borrowed and outlive the placer.
  SpreadPlacer(const fleet::PolicyBook& policies, fleet::Candidates& candidates, Random& random)
      : policies_(policies), candidates_(candidates), random_(random) {}

  // With fewer drives online than shards, but at least one more than data shards, the last shards get no drive (a none
  // id): they are rebuilt by heal. kUnavailable with fewer still: what is written must survive the next loss.
  Result<blob::Target> place(const PolicyId& policy, std::uint64_t size_bytes) override;

  // Looks at the drives again first: one of those that were candidates has just failed or filled up.
  Result<std::vector<DriveId>> replace(const PolicyId& policy, const std::vector<std::optional<DriveId>>& kept,
                                       const std::vector<DriveId>& without, std::uint64_t shard_bytes) override;

 private:
  Result<std::vector<DriveId>> spread(sovereignty::Policy policy, const std::vector<std::optional<DriveId>>& kept,
                                      const std::vector<DriveId>& without, std::uint64_t shard_bytes);

  const fleet::PolicyBook& policies_;
  fleet::Candidates& candidates_;
  Random& random_;
};

}  // namespace andromede::app
