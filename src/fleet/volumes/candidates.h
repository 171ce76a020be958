// Candidates: the drives that take data now, with their free space: a snapshot that event loops read without blocking,
// made anew each second and whenever a drive comes, goes or changes its state.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "blob/shards/maintenance.h"
#include "io/drives.h"
#include "sovereignty/placement.h"

namespace andromede::fleet {

// What each drive in use that is online holds and can take, or why it cannot be used.
using Usages = std::map<DriveId, Result<blob::DriveUsage>>;
// Blocks, as long as each drive takes to answer at most.
Usages look_at_usages(io::Drives& drives, blob::Maintenance& blobs);

using CandidateList = std::vector<sovereignty::Candidate>;

// Thread-safe. `total_bytes` of a candidate is what our shards take plus what is free, not the file system's size: what
// others keep there is neither ours to move nor to fill.
class Candidates {
 public:
  // Both are borrowed and outlive this.
  Candidates(io::Drives& drives, blob::Maintenance& blobs);

  // Active drives that are online and whose volumes could be opened.
  [[nodiscard]] std::shared_ptr<const CandidateList> snapshot() const;
  // Looks at the drives again. Blocks.
  void refresh();
  // The same, by a look that began at `looked_at`; unless a later one was put meanwhile.
  void refresh(const Usages& usages, SteadyTime looked_at);

 private:
  [[nodiscard]] std::optional<sovereignty::Candidate> describe(const io::DriveInfo& drive, const Usages& usages) const;

  io::Drives& drives_;
  blob::Maintenance& blobs_;
  std::mutex refreshing_;  // one at a time looks, so that many who ask at once do not all ask the drives
  mutable std::mutex mutex_;
  std::shared_ptr<const CandidateList> list_;
  SteadyTime looked_at_{};  // of list_
};

}  // namespace andromede::fleet
