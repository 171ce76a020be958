// MirrorKeeper: keeps the metadata on as many mirrors, at different sites, as the rule asks for. Called from one
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "fleet/candidates.h"
#include "io/drives.h"
#include "meta/mirrors.h"
#include "sovereignty/placement.h"

namespace andromede::fleet {

class MirrorKeeper {
 public:
  // Told (drive, added) before a mirror is made or given up, to journal it; an error stops the change.
  using Witness = std::function<Status(const io::DriveInfo& drive, bool added)>;

  // All are borrowed and outlive this. A mirror on a drive that is offline is replaced by one on another site once it
  // has been away for `grace`.
  MirrorKeeper(io::Drives& drives, meta::Mirrors& mirrors, Candidates& candidates, sovereignty::Rule rule,
               const Clock& clock, std::chrono::milliseconds grace, Witness witness);

  // Adds what is missing and can be had, gives up what has a successor or must leave. kCancelled when `go_on` said
  // false. After a failure nothing is tried again for a while.
  Status keep(const std::function<bool()>& go_on);
  struct State {
    std::size_t wanted = 0;  // parity + 1
    std::size_t online = 0;  // take part in every commit, on drives that stay
  };
  [[nodiscard]] State state() const;

 private:
  Status add_missing(const std::vector<DriveId>& wanted, const std::function<bool()>& go_on);
  Status remove_surplus(const std::vector<DriveId>& wanted);
  [[nodiscard]] bool takes_part(DriveId drive) const;

  io::Drives& drives_;
  meta::Mirrors& mirrors_;
  Candidates& candidates_;
  const sovereignty::Rule rule_;
  const Clock& clock_;
  const std::chrono::milliseconds grace_;
  const Witness witness_;
  std::map<DriveId, SteadyTime> away_since_;
  SteadyTime retry_at_{};
};

}  // namespace andromede::fleet
