#include "fleet/volumes/balance.h"

#include <algorithm>
#include <cmath>

namespace andromede::fleet {

Balance::Balance(const CandidateList& candidates) {
  for (const auto& candidate : candidates) {
    DriveFill fill;
    fill.site = candidate.site;
    fill.total = static_cast<double>(candidate.total_bytes);
    fill.used = fill.total - static_cast<double>(std::min(candidate.free_bytes, candidate.total_bytes));
    for (Fill* const sum : {&all_, &sites_[candidate.site]}) {
      sum->used += fill.used;
      sum->total += fill.total;
    }
    fills_[candidate.drive] = fill;
  }
}

double Balance::mean(Reach reach, const SiteId& site) const {
  return reach == Reach::kAnySite ? all_.ratio() : sites_.at(site).ratio();
}

bool Balance::even(Reach reach) const {
  return std::none_of(fills_.begin(), fills_.end(), [this, reach](const auto& entry) {
    const double wanted = mean(reach, entry.second.site);
    return entry.second.too_full(wanted) || entry.second.too_empty(wanted);
  });
}

double Balance::unevenness() const {
  double most = 0;
  for (const auto& [drive, fill] : fills_) most = std::max(most, std::abs(fill.ratio() - all_.ratio()));
  return most;
}

std::uint64_t Balance::excess_bytes() const {
  double excess = 0;
  for (const auto& [drive, fill] : fills_) {
    const double wanted = std::min(mean(Reach::kAnySite, fill.site), mean(Reach::kSameSite, fill.site));
    if (fill.ratio() > wanted) excess += fill.used - wanted * fill.total;
  }
  return static_cast<std::uint64_t>(excess);
}

bool Balance::helps(const DriveFill& from, const DriveFill& to, double size, Reach reach) const {
  if (reach == Reach::kSameSite && from.site != to.site) return false;
  const double wanted = mean(reach, from.site);
  if (from.ratio() <= wanted || to.ratio() >= wanted) return false;
  if (!from.too_full(wanted) && !to.too_empty(wanted)) return false;
  // Never past the mean: what moves once never moves back.
  return (from.used - size) / from.total >= wanted * (1 - kEvenWithin) &&
         (to.used + size) / to.total <= wanted * (1 + kEvenWithin);
}

std::optional<Move> Balance::next(const MovePlanner& planner, const blob::ShardedBlob& ref, Reach reach) const {
  const auto size = static_cast<double>(shard_bytes(ref));
  const unsigned spread = planner.tolerance(ref).site_losses;
  std::optional<Move> best;
  double best_gain = 0;
  for (std::size_t i = 0; i < ref.shards.size(); ++i) {
    const auto from = fills_.find(ref.shards[i].drive);
    if (from == fills_.end()) continue;
    for (const auto& [drive, to] : fills_) {
      const double gain = from->second.ratio() - to.ratio();
      if (gain <= best_gain || !helps(from->second, to, size, reach) || !planner.may_hold(ref, drive)) continue;
      const auto holds = [target = drive](const blob::ShardPlace& place) { return place.drive == target; };
      if (std::any_of(ref.shards.begin(), ref.shards.end(), holds)) continue;
      blob::ShardedBlob after = ref;
      after.shards[i].drive = drive;
      if (planner.tolerance(after).site_losses < spread) continue;
      best = Move{static_cast<unsigned>(i), drive};
      best_gain = gain;
    }
  }
  return best;
}

void Balance::moved(DriveId from, DriveId to, std::uint64_t bytes) {
  add(from, -static_cast<double>(bytes));
  add(to, static_cast<double>(bytes));
}

void Balance::add(DriveId drive, double bytes) {
  const auto entry = fills_.find(drive);
  if (entry == fills_.end()) return;
  entry->second.used += bytes;
  sites_[entry->second.site].used += bytes;
  all_.used += bytes;
}

}  // namespace andromede::fleet
