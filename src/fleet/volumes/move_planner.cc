#include "fleet/volumes/move_planner.h"

#include <algorithm>

namespace andromede::fleet {
namespace {

// Headers, and block checksums at most a 64th of the payload: docs/formats/volume.md.
constexpr std::uint64_t kRecordOverheadBytes = 8192;
constexpr std::uint64_t kChecksumShare = 64;

}  // namespace

std::uint64_t shard_bytes(blob::Code code, std::uint64_t size_bytes) {
  const std::uint64_t payload = (size_bytes + code.data - 1) / code.data;
  return payload + payload / kChecksumShare + kRecordOverheadBytes;
}

MovePlanner::MovePlanner(std::shared_ptr<const io::DriveMap> map, std::shared_ptr<const CandidateList> candidates,
                         std::shared_ptr<const sovereignty::Policies> policies)
    : map_(std::move(map)), candidates_(std::move(candidates)), policies_(std::move(policies)) {
  for (const io::DriveInfo& drive : map_->drives) {
    if (drive.state != io::DriveState::kActive) continue;
    const auto online = std::find_if(candidates_->begin(), candidates_->end(),
                                     [&](const auto& candidate) { return candidate.drive == drive.id; });
    active_.push_back(
        online != candidates_->end() ? *online : sovereignty::Candidate{drive.id, drive.site, drive.associate, 0, 0});
  }
}

std::optional<SiteId> MovePlanner::site_of(DriveId drive) const {
  for (const auto& candidate : active_) {
    if (candidate.drive == drive) return candidate.site;
  }
  return std::nullopt;
}

Result<const sovereignty::Policy*> MovePlanner::policy_of(const blob::ShardedBlob& ref) const {
  TRY(const sovereignty::Policy* const policy, policies_->recorded(ref.policy));
  const sovereignty::Rule& rule = policy->rule;
  if (blob::Code{rule.data_shards, rule.parity_shards} != ref.code) {
    return fail(Errc::kUnavailable, sovereignty::named(ref.policy) + " has another code than the blob");
  }
  return policy;
}

bool MovePlanner::may_hold(const blob::ShardedBlob& ref, DriveId drive) const {
  const sovereignty::Policy* const policy = policies_->find(ref.policy);
  const auto site = site_of(drive);
  return policy != nullptr && site && policy->allows(*site);
}

sovereignty::Tolerance MovePlanner::tolerance_on(const blob::ShardedBlob& ref,
                                                 const std::vector<DriveId>& drives) const {
  std::vector<SiteId> sites;
  for (const DriveId drive : drives) {
    if (may_hold(ref, drive)) sites.push_back(*site_of(drive));
  }
  return sovereignty::tolerance_of(ref.code.data, sites);
}

sovereignty::Tolerance MovePlanner::tolerance(const blob::ShardedBlob& ref) const {
  std::vector<DriveId> drives;
  for (const blob::ShardPlace& place : ref.shards) drives.push_back(place.drive);
  return tolerance_on(ref, drives);
}

sovereignty::Tolerance MovePlanner::best_for(const sovereignty::Policy& policy) {
  const auto [entry, fresh] = best_.try_emplace(policy.id);
  if (fresh) {
    if (const auto best = sovereignty::best_tolerance(policy, *candidates_)) entry->second = *best;
  }
  return entry->second;
}

Result<std::vector<Move>> MovePlanner::moves(const blob::ShardedBlob& ref, Random& random) {
  TRY(const sovereignty::Policy* const policy, policy_of(ref));
  const unsigned best = best_for(*policy).site_losses;
  std::vector<std::optional<DriveId>> keep(ref.shards.size());
  bool all_stay = true;
  for (std::size_t i = 0; i < ref.shards.size(); ++i) {
    if (may_hold(ref, ref.shards[i].drive)) {
      keep[i] = ref.shards[i].drive;
    } else {
      all_stay = false;
    }
  }
  if (all_stay && tolerance(ref).site_losses >= best) return std::vector<Move>{};

  const std::uint64_t size = shard_bytes(ref);
  TRY(std::vector<DriveId> placed, sovereignty::place(*policy, active_, keep, size, random));
  // One shard at a time leaves the fullest site, as long as that helps: no more moves than the spread needs.
  while (tolerance_on(ref, placed).site_losses < best) {
    std::map<SiteId, unsigned> load;
    for (const DriveId drive : placed) {
      if (const auto site = site_of(drive)) ++load[*site];
    }
    const auto fullest =
        std::max_element(load.begin(), load.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    std::vector<std::optional<DriveId>> kept(placed.begin(), placed.end());
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (site_of(placed[i]) == fullest->first) {
        kept[i].reset();
        break;
      }
    }
    auto better = sovereignty::place(*policy, active_, kept, size, random);
    if (!better) break;
    unsigned load_after = 0;
    for (const DriveId drive : *better) load_after += site_of(drive) == fullest->first ? 1 : 0;
    if (load_after >= fullest->second) break;
    placed = std::move(*better);
  }

  std::vector<Move> moves;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    if (placed[i] != ref.shards[i].drive) moves.push_back({static_cast<unsigned>(i), placed[i]});
  }
  return moves;
}

}  // namespace andromede::fleet
