// MirrorKeeper: keeps the metadata on as many mirrors, at different sites, as the strictest policy asks for, and
// nothing of it on any other drive. keep() is called from one thread; verify(), state() and trouble() from any.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "fleet/policy_book.h"
#include "fleet/volumes/candidates.h"
#include "io/drives.h"
#include "meta/mirrors.h"
#include "sovereignty/placement.h"

namespace andromede::fleet {

class MirrorKeeper {
 public:
  enum class Change : std::uint8_t { kAdded, kLost, kRemoved };
  // Told of a change, to journal it: before a mirror is made or given up, where an error stops the change; after one
  // was lost.
  using Journal = std::function<Status(const io::DriveInfo& drive, Change change)>;

  // All are borrowed and outlive this. The place of a mirror on a drive that is offline is kept for `grace`, so that a
  // moment's absence costs no copy elsewhere; then it is made on another drive. At once where commits wait for it.
  MirrorKeeper(io::Drives& drives, meta::Mirrors& mirrors, Candidates& candidates, const PolicyBook& policies,
               const Clock& clock, std::chrono::milliseconds grace, Journal journal);

  // Moves the mirror of a drive without room, which would hold up every commit, to one with room where that is as good.
  // Adds what is missing and can be had, gives up what has a successor or must leave, and removes what a former mirror
  // left on a drive. kCancelled when `go_on` said false. After a failure nothing is tried again for a while, longer
  // each time (but a few seconds while commits wait), unless drives come or go; and the drive on which it failed is
  // avoided for a while where others are as good, if it was the drive's fault.
  Status keep(const std::function<bool()>& go_on);
  // Reads and checks every mirror whole. A damaged one is given up and made anew by keep(). Answers how many were
  // damaged; an error when the last one is, or when `pace` said false (kCancelled).
  Result<unsigned> verify(const std::function<bool(std::uint64_t bytes)>& pace);
  struct State {
    std::size_t wanted = 0;
    std::size_t online = 0;   // take part in every commit, on drives that stay
    std::size_t leaving = 0;  // as well, until others have taken their place
    // On how many sites those that stay lie, all of them, and they could with the drives that are online.
    std::size_t sites = 0;
    std::size_t sites_with_leaving = 0;
    std::size_t sites_wanted = 0;
  };
  [[nodiscard]] State state() const;
  // Why the last keep() failed; empty when it did not.
  [[nodiscard]] std::string trouble() const;

 private:
  using Drives = std::set<DriveId>;
  [[nodiscard]] Drives online_mirrors() const;
  [[nodiscard]] unsigned mirrors_demanded() const { return policies_.snapshot()->mirrors(); }
  void note_members(const io::DriveMap& map, const Drives& online, std::chrono::milliseconds grace);
  [[nodiscard]] std::vector<DriveId> wanted(const io::DriveMap& map, const Drives& online) const;
  // Places for the mirrors on drives with room where none has just failed, as good as `places`; `places` when there are
  // none, or all of them are such.
  [[nodiscard]] std::vector<DriveId> with_room(std::vector<DriveId> places, const CandidateList& candidates,
                                               const std::vector<DriveId>& current) const;
  // While commits wait: what a mirror that is out for want of space left may be the only other copy, and goes once one
  // is made there. So others first, if there are any, however good.
  [[nodiscard]] std::vector<DriveId> spare_the_full(std::vector<DriveId> places, const CandidateList& candidates) const;
  // Those whose mirror has no room.
  [[nodiscard]] Drives full() const;
  // Those that refused a mirror for want of space, or on which making one has just failed.
  [[nodiscard]] Drives refusing() const;
  // What a mirror asks for: twice what it needs, so that the copy does not soon have to move on.
  [[nodiscard]] std::uint64_t needed_bytes() const;
  [[nodiscard]] std::size_t sites_of(const std::vector<DriveId>& drives) const;
  // With none left: goes on with one of those that the map names, whichever can; the others are copied anew.
  Status bring_back(const std::function<bool()>& go_on);
  Status add_missing(const io::DriveMap& map, const std::vector<DriveId>& wanted, const Drives& online,
                     const std::function<bool()>& go_on);
  Status add(const io::DriveInfo& drive, const std::function<bool()>& go_on);
  // Journals the additions that had to come before their entries.
  Status tell_owed(const io::DriveMap& map);
  Status remove_surplus(const io::DriveMap& map, const std::vector<DriveId>& wanted);
  Status change(const std::function<bool()>& go_on);
  // Since the last call.
  bool other_drives();

  io::Drives& drives_;
  meta::Mirrors& mirrors_;
  Candidates& candidates_;
  const PolicyBook& policies_;
  const Clock& clock_;
  const std::chrono::milliseconds grace_;
  const Journal journal_;
  // Drives that take part, or did until lately: since when they have not.
  std::map<DriveId, std::optional<SteadyTime>> members_;
  Drives swept_;  // nothing of a former mirror lies there
  Drives tried_with_;
  std::map<DriveId, SteadyTime> failed_on_;  // until when another is preferred
  Drives untold_;                            // added, and not journaled yet
  SteadyTime retry_at_{};
  unsigned failures_ = 0;
  mutable std::mutex mutex_;
  std::string trouble_;  // under mutex_
};

}  // namespace andromede::fleet
