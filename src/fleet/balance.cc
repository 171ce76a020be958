#include "fleet/balance.h"

#include <algorithm>

namespace andromede::fleet {

Balance::Balance(const CandidateList& candidates) {
  double used = 0;
  double total = 0;
  for (const auto& candidate : candidates) {
    Fill fill;
    fill.total = static_cast<double>(candidate.total_bytes);
    fill.used = fill.total - static_cast<double>(std::min(candidate.free_bytes, candidate.total_bytes));
    used += fill.used;
    total += fill.total;
    fills_[candidate.drive] = fill;
  }
  mean_ = total > 0 ? used / total : 0;
}

bool Balance::even() const {
  return std::none_of(fills_.begin(), fills_.end(),
                      [this](const auto& entry) { return too_full(entry.second) || too_empty(entry.second); });
}

std::uint64_t Balance::excess_bytes() const {
  double excess = 0;
  for (const auto& [drive, fill] : fills_) {
    if (fill.ratio() > mean_) excess += fill.used - mean_ * fill.total;
  }
  return static_cast<std::uint64_t>(excess);
}

std::optional<Move> Balance::next(const Layout& layout, const blob::BlobRef& ref) const {
  const auto size = static_cast<double>(shard_bytes(ref));
  const unsigned spread = layout.tolerance(ref).site_losses;
  std::optional<Move> best;
  double best_gain = 0;
  for (std::size_t i = 0; i < ref.shards.size(); ++i) {
    const auto from = fills_.find(ref.shards[i].drive);
    if (from == fills_.end() || from->second.ratio() <= mean_) continue;
    if ((from->second.used - size) / from->second.total < mean_ * (1 - kEvenWithin)) continue;
    for (const auto& [drive, to] : fills_) {
      if (to.ratio() >= mean_ || (!too_full(from->second) && !too_empty(to))) continue;
      // Never past the mean: what moves once never moves back.
      if ((to.used + size) / to.total > mean_ * (1 + kEvenWithin)) continue;
      const auto holds = [target = drive](const blob::ShardPlace& place) { return place.drive == target; };
      if (std::any_of(ref.shards.begin(), ref.shards.end(), holds)) continue;
      const double gain = from->second.ratio() - to.ratio();
      if (gain <= best_gain) continue;
      blob::BlobRef after = ref;
      after.shards[i].drive = drive;
      if (layout.tolerance(after).site_losses < spread) continue;
      best = Move{static_cast<unsigned>(i), drive};
      best_gain = gain;
    }
  }
  return best;
}

void Balance::moved(DriveId from, DriveId to, std::uint64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (const auto entry = fills_.find(from); entry != fills_.end()) entry->second.used -= size;
  if (const auto entry = fills_.find(to); entry != fills_.end()) entry->second.used += size;
}

}  // namespace andromede::fleet
