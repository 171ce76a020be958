#include "meta/rocksdb/lags.h"

#include <algorithm>
#include <utility>

namespace andromede::meta {

Lags::Sums Lags::sums(const std::deque<Lag>& lags, SteadyTime now) {
  Sums sums;
  for (const Lag& lag : lags) {
    if (now - lag.at >= kLagWindow) continue;
    sums.behind += lag.behind;
    if (lag.behind >= kLateLag) sums.late += lag.behind;
  }
  return sums;
}

Lags::Duration Lags::worth_telling(const Sums& sums) {
  return sums.late > Duration(0) || sums.behind >= kLagBudget ? sums.behind : Duration(0);
}

bool Lags::note(DriveId drive, Duration behind, SteadyTime now) {
  if (behind < kLeastLag) return false;
  const std::lock_guard lock(mutex_);
  std::deque<Lag>& lags = lags_[drive];
  while (!lags.empty() && now - lags.front().at >= kLagWindow) lags.pop_front();
  const bool told = worth_telling(sums(lags, now)) > Duration(0);
  lags.push_back({now, behind});
  return !told && worth_telling(sums(lags, now)) > Duration(0);
}

Lags::Duration Lags::worth_telling(DriveId drive, SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = lags_.find(drive);
  return found == lags_.end() ? Duration(0) : worth_telling(sums(found->second, now));
}

std::vector<DriveId> Lags::spent(SteadyTime now) const {
  std::vector<std::pair<Duration, DriveId>> found;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [drive, lags] : lags_) {
      const Duration late = sums(lags, now).late;
      if (late >= kLagBudget) found.emplace_back(late, drive);
    }
  }
  std::ranges::sort(found, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<DriveId> drives;
  for (const auto& [late, drive] : found) drives.push_back(drive);
  return drives;
}

void Lags::forget_all() {
  const std::lock_guard lock(mutex_);
  lags_.clear();
}

}  // namespace andromede::meta
