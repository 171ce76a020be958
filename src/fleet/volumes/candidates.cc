#include "fleet/volumes/candidates.h"

namespace andromede::fleet {

Usages look_at_usages(io::Drives& drives, blob::Maintenance& blobs) {
  Usages usages;
  const auto map = drives.map();
  for (const io::DriveInfo& drive : map->drives) {
    if (io::in_use(drive) && drives.online(drive.id)) usages.emplace(drive.id, blobs.usage(drive.id));
  }
  return usages;
}

Candidates::Candidates(io::Drives& drives, blob::Maintenance& blobs) : drives_(drives), blobs_(blobs) { refresh(); }

std::shared_ptr<const CandidateList> Candidates::snapshot() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

std::optional<sovereignty::Candidate> Candidates::describe(const io::DriveInfo& drive, const Usages& usages) const {
  if (drive.state != io::DriveState::kActive || !drives_.online(drive.id)) return std::nullopt;
  const auto found = usages.find(drive.id);
  if (found == usages.end() || !found->second) return std::nullopt;
  const auto& usage = found->second;
  return sovereignty::Candidate{drive.id, drive.site, drive.associate, usage->live_bytes + usage->free_bytes,
                                usage->free_bytes};
}

void Candidates::refresh() {
  const std::lock_guard refreshing(refreshing_);
  const SteadyTime now = std::chrono::steady_clock::now();
  refresh(look_at_usages(drives_, blobs_), now);
}

void Candidates::refresh(const Usages& usages, SteadyTime looked_at) {
  auto list = std::make_shared<CandidateList>();
  const auto map = drives_.map();
  for (const io::DriveInfo& drive : map->drives) {
    if (auto candidate = describe(drive, usages)) list->push_back(std::move(*candidate));
  }
  const std::lock_guard lock(mutex_);
  if (looked_at < looked_at_) return;
  looked_at_ = looked_at;
  list_ = std::move(list);
}

}  // namespace andromede::fleet
