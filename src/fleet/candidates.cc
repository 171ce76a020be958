#include "fleet/candidates.h"

namespace andromede::fleet {

Candidates::Candidates(io::Drives& drives, blob::Maintenance& blobs) : drives_(drives), blobs_(blobs) { refresh(); }

std::shared_ptr<const CandidateList> Candidates::snapshot() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

sovereignty::Candidate Candidates::describe(const io::DriveInfo& drive) const {
  sovereignty::Candidate candidate{drive.id, drive.site, drive.associate, 0, 0};
  if (!drives_.online(drive.id)) return candidate;
  if (const auto usage = blobs_.usage(drive.id)) {
    candidate.free_bytes = usage->free_bytes;
    candidate.total_bytes = usage->live_bytes + usage->free_bytes;
  }
  return candidate;
}

void Candidates::refresh() {
  // One at a time, so that an older look never replaces a newer one.
  const std::lock_guard refreshing(refreshing_);
  auto list = std::make_shared<CandidateList>();
  const auto map = drives_.map();
  for (const io::DriveInfo& drive : map->drives) {
    if (drive.state == io::DriveState::kActive && drives_.online(drive.id)) list->push_back(describe(drive));
  }
  const std::lock_guard lock(mutex_);
  list_ = std::move(list);
}

}  // namespace andromede::fleet
