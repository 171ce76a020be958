// Balance: which shards move from the fullest drives to the emptiest after a drive joined, and no more than that. Pure.
#pragma once

#include <map>
#include <optional>

#include "fleet/layout.h"

namespace andromede::fleet {

// Drives count as even when their fill (ours / ours and free) lies within this of the mean, relative to the mean.
inline constexpr double kEvenWithin = 0.03;

// Keeps count of what moved: one for a whole rebalance. Not thread-safe.
class Balance {
 public:
  explicit Balance(const CandidateList& candidates);

  // No drive is too full or too empty.
  [[nodiscard]] bool even() const;
  // Bytes above the mean on drives that are fuller than it.
  [[nodiscard]] std::uint64_t excess_bytes() const;
  // A shard of `ref` that should move, and where to; the spread is not worse after it. nullopt: none should.
  [[nodiscard]] std::optional<Move> next(const Layout& layout, const blob::BlobRef& ref) const;
  void moved(DriveId from, DriveId to, std::uint64_t bytes);

 private:
  struct Fill {
    double used = 0;
    double total = 0;
    [[nodiscard]] double ratio() const { return total > 0 ? used / total : 1; }
  };
  [[nodiscard]] bool too_full(const Fill& fill) const { return fill.ratio() > mean_ * (1 + kEvenWithin); }
  [[nodiscard]] bool too_empty(const Fill& fill) const { return fill.ratio() < mean_ * (1 - kEvenWithin); }
  std::map<DriveId, Fill> fills_;
  double mean_ = 0;
};

}  // namespace andromede::fleet
