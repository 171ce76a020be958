// meta::Mirrors: what a mirrored metadata engine offers to fleet/. Every call blocks: maintenance threads only.
// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace andromede::meta {

struct MirrorStatus {
  DriveId drive;
  bool online = false;        // takes part in every commit
  std::uint64_t commits = 0;  // index of the last commit that it has durably
  std::uint64_t bytes = 0;
  // How long commits waited for it within the last minute, when another one had done its part; 0: not worth telling.
  std::chrono::milliseconds waited_for{0};
};

// What an opening did by itself, to be journaled.
struct MirrorEvent {
  DriveId drive;
  bool copied = false;  // made anew, since commits needed it; else it does not count any more
  std::string reason;
};

struct MirrorRoom {
  DriveId drive;
  std::uint64_t free_bytes = 0;   // 0 as well where the file system refuses to write, whatever it shows
  std::uint64_t least_bytes = 0;  // below it commits that put data are refused, whichever mirror it is
};

class Mirrors {
 public:
  virtual ~Mirrors() = default;
  [[nodiscard]] virtual std::vector<MirrorStatus> mirrors() const = 0;
  // Why commits are not acknowledged: what the mirrors that take part lack so that a commit survives the next loss, and
  // what would mend it, in words. nullopt: nothing is lacking. Cheap; from any thread.
  [[nodiscard]] virtual std::optional<std::string> shortfall() const = 0;
  // The room on the drives of those that take part and can be asked.
  [[nodiscard]] virtual std::vector<MirrorRoom> room() const = 0;
  // Drives whose mirror was given up for want of space, whatever they show as free, until one is made there again.
  [[nodiscard]] virtual std::vector<DriveId> out_for_space() const { return {}; }
  // Why the drive's mirror takes no part any more, in words; empty: it does, or nobody knows.
  [[nodiscard]] virtual std::string why_lost(DriveId /*drive*/) const { return {}; }
  // Drives that held a current mirror by the map that was found at opening, and could not be asked then. What they knew
  // may be more than what is known now.
  [[nodiscard]] virtual std::vector<DriveId> absent_at_opening() const = 0;
  // Copies the metadata to `drive` while commits go on, then lets it take part. Marks it in the drive map. `progress`
  // is called with (copied, total) bytes; false: stop (kCancelled), nothing is left behind; kOverloaded: so much is
  // written that commits would have to wait for long, likewise. A drive that was a mirror, went offline and came back
  // is brought up to date the same way. kUnavailable: no mirror can be copied from, or the drive is offline. kTimeout:
  // it hangs, or what was given up there has not ended; nothing that this still does counts. kNoSpace, before what the
  // drive held is removed: it has no room, or would be low where commits lack nothing without it. When no mirror is
  // left, one that the map still marks is opened as it is and goes on, if it holds every commit that was made and
  // failed for another reason than damage; where it does not get on, and another drive with such a one is online, its
  // drive fails, and the other one is to be tried (kTimeout). Any other drive is left untouched (kUnavailable).
  virtual Status add_mirror(DriveId drive, const std::function<bool(std::uint64_t, std::uint64_t)>& progress) = 0;
  // Takes a mirror out (marks it in the drive map first) and removes its files where the drive is online. Idempotent:
  // of a drive that neither takes part nor is marked, what a former mirror left is closed and removed. kRefused when
  // those that stay would be too few to acknowledge on; kNotFound: no such drive; kTimeout, kUnavailable: as above, and
  // it is out all the same.
  virtual Status remove_mirror(DriveId drive) = 0;
  // Whether anything of a mirror (marker, log, state, checkpoint) lies on the drive, whether or not it counts; empty
  // folders do not. kUnavailable when the drive is offline; kNotFound: no such drive; kConflict: another call
  // asks it; kTimeout: it hangs.
  [[nodiscard]] virtual Result<bool> holds_files(DriveId drive) = 0;
  // Reads all of a mirror's tables, blob files and its manifest from the drive and checks them against their recorded
  // checksums, and its records against their tags, while commits and reads go on. `pace`, which may be empty, is told
  // the bytes of each piece of at most 1 MiB after it was read, and may sleep; false stops. Errors: kCorrupt and kIo
  // (another mirror takes part: this one is given up, so that it is copied anew; it is the last: it stays, and the
  // message says so), kUnavailable (no mirror on the drive takes part), kTimeout (the drive does not answer: where
  // another mirror takes part this one has failed), kConflict (another call verifies it), kCancelled (stopped, or the
  // mirror left meanwhile), kOverloaded (too many open files), kNotFound (no such drive).
  virtual Status verify_mirror(DriveId drive, const std::function<bool(std::uint64_t bytes)>& pace) = 0;
  // What the opening did since the last call, the oldest first.
  [[nodiscard]] virtual std::vector<MirrorEvent> take_events() = 0;
};

}  // namespace andromede::meta
