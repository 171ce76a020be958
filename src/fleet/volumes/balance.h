// Balance: which shards move from the fullest drives to the emptiest after a drive joined, and no more than that. Pure.
#pragma once

#include <map>
#include <optional>

#include "fleet/volumes/move_planner.h"

namespace andromede::fleet {

// Drives count as even when their fill (ours / ours and free) lies within this of the mean, relative to the mean.
inline constexpr double kEvenWithin = 0.03;

// Keeps count of what moved: one for a whole rebalance. Not thread-safe.
class Balance {
 public:
  explicit Balance(const CandidateList& candidates);

  // Where shards may go. Between sites first: what moves within a site before that might move again.
  enum class Reach { kAnySite, kSameSite };

  // No drive within reach of others is too full or too empty.
  [[nodiscard]] bool even(Reach reach) const;
  [[nodiscard]] bool even() const { return even(Reach::kAnySite) && even(Reach::kSameSite); }
  // How far the fill of a drive is from the mean of all at most: 0.01 is one hundredth of the drive.
  [[nodiscard]] double unevenness() const;
  // Bytes above the mean, of all drives or of its site's, on drives that are fuller than it.
  [[nodiscard]] std::uint64_t excess_bytes() const;
  // A shard of `ref` that should move, and where to; the spread is not worse after it. nullopt: none should.
  [[nodiscard]] std::optional<Move> next(const MovePlanner& planner, const blob::ShardedBlob& ref, Reach reach) const;
  void moved(DriveId from, DriveId to, std::uint64_t bytes);

 private:
  struct Fill {
    double used = 0;
    double total = 0;
    [[nodiscard]] double ratio() const { return total > 0 ? used / total : 1; }
    [[nodiscard]] bool too_full(double mean) const { return ratio() > mean * (1 + kEvenWithin); }
    [[nodiscard]] bool too_empty(double mean) const { return ratio() < mean * (1 - kEvenWithin); }
  };
  struct DriveFill : Fill {
    SiteId site;
  };
  // The fill that a drive of this site should have.
  [[nodiscard]] double mean(Reach reach, const SiteId& site) const;
  [[nodiscard]] bool helps(const DriveFill& from, const DriveFill& to, double size, Reach reach) const;
  void add(DriveId drive, double bytes);

  std::map<DriveId, DriveFill> fills_;
  std::map<SiteId, Fill> sites_;
  Fill all_;
};

}  // namespace andromede::fleet
