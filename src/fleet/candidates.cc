#include "fleet/candidates.h"

namespace andromede::fleet {

Candidates::Candidates(io::Drives& drives, blob::Maintenance& blobs) : drives_(drives), blobs_(blobs) { refresh(); }

std::shared_ptr<const CandidateList> Candidates::snapshot() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

std::optional<sovereignty::Candidate> Candidates::describe(const io::DriveInfo& drive) const {
  if (drive.state != io::DriveState::kActive || !drives_.online(drive.id)) return std::nullopt;
  const auto usage = blobs_.usage(drive.id);
  if (!usage) return std::nullopt;
  return sovereignty::Candidate{drive.id, drive.site, drive.associate, usage->live_bytes + usage->free_bytes,
                                usage->free_bytes};
}

void Candidates::refresh() {
  // One at a time, so that an older look never replaces a newer one.
  const std::lock_guard refreshing(refreshing_);
  auto list = std::make_shared<CandidateList>();
  const auto map = drives_.map();
  for (const io::DriveInfo& drive : map->drives) {
    if (auto candidate = describe(drive)) list->push_back(std::move(*candidate));
  }
  const std::lock_guard lock(mutex_);
  list_ = std::move(list);
}

}  // namespace andromede::fleet
