#include "spread_placer.h"

#include <algorithm>
#include <iterator>

#include "fleet/volumes/move_planner.h"

namespace andromede::app {

Result<PolicyId> PoliciesInForce::choose(const PolicyId& wanted) {
  const auto policies = policies_.snapshot();
  if (wanted.empty()) return policies->default_policy();
  if (policies->find(wanted) == nullptr) return fail(objects::no_such_policy(policies->names()));
  return wanted;
}

std::uint64_t PoliciesInForce::inline_limit_bytes(const PolicyId& policy) {
  const auto policies = policies_.snapshot();
  const sovereignty::Policy* const found = policies->find(policy);
  return found == nullptr ? 0 : found->inline_limit_bytes;
}

Result<blob::Target> SpreadPlacer::place(const PolicyId& policy, std::uint64_t size_bytes) {
  const auto policies = policies_.snapshot();
  TRY(const sovereignty::Policy* const found, policies->recorded(policy));
  const blob::Code code{found->rule.data_shards, found->rule.parity_shards};
  const std::vector<std::optional<DriveId>> none_kept(code.total());
  TRY(auto drives, spread(*found, none_kept, {}, fleet::shard_bytes(code, size_bytes)));
  return blob::Target{code, std::move(drives), policy, this};
}

Result<std::vector<DriveId>> SpreadPlacer::replace(const PolicyId& policy,
                                                   const std::vector<std::optional<DriveId>>& kept,
                                                   const std::vector<DriveId>& without, std::uint64_t shard_bytes) {
  candidates_.refresh();
  const auto policies = policies_.snapshot();
  TRY(const sovereignty::Policy* const found, policies->recorded(policy));
  return spread(*found, kept, without, shard_bytes);
}

Result<std::vector<DriveId>> SpreadPlacer::spread(sovereignty::Policy policy,
                                                  const std::vector<std::optional<DriveId>>& kept,
                                                  const std::vector<DriveId>& without, std::uint64_t shard_bytes) {
  fleet::CandidateList candidates = sovereignty::allowed(policy, *candidates_.snapshot());
  for (sovereignty::Candidate& candidate : candidates) {
    // They count as drives that have no room: the blob is not to get fewer shards for that.
    const bool left_out = std::find(without.begin(), without.end(), candidate.drive) != without.end();
    if (left_out) candidate.free_bytes = 0;
  }
  policy.rule = sovereignty::written_with(policy.rule, candidates.size());
  // Which shard a drive gets is all the same to the spread: the kept ones come first.
  std::vector<std::optional<DriveId>> keep;
  std::copy_if(kept.begin(), kept.end(), std::back_inserter(keep), [](const auto& drive) { return drive.has_value(); });
  TRY(const auto chosen, sovereignty::place(policy, candidates, keep, shard_bytes, random_));
  std::vector<DriveId> drives(kept.size());
  std::size_t next = keep.size();
  for (std::size_t shard = 0; shard < kept.size(); ++shard) {
    if (kept[shard]) {
      drives[shard] = *kept[shard];
    } else if (next < chosen.size()) {
      drives[shard] = chosen[next++];
    }
  }
  return drives;
}

}  // namespace andromede::app
