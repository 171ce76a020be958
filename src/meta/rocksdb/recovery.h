// Recovery: opens the mirrors that the drive map calls current, finds the truth among them, and brings them level
// (docs/formats/commit-log.md, "Recovery"). Blocks; one thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "io/drives.h"
#include "meta/mirrors.h"
#include "meta/rocksdb/committer.h"
#include "meta/rocksdb/mirror_set.h"

namespace andromede::meta {

struct Recovered {
  MirrorSet::List mirrors;  // level, flushed, their logs empty; at least one
  Committer::Start start;
  // Online drives that the map called current and that must be copied anew. They are marked out of the map.
  std::vector<DriveId> stale;
  // Drives that the map still calls current though they are not: too few drives are online to change it.
  std::set<DriveId> unmarked;
  // Drives whose mirror cannot be opened for want of space, and that hold all that was acknowledged: current as before.
  std::set<DriveId> full;
  // Mirrors that do not count any more, and why.
  std::vector<MirrorEvent> lost;
};

// `sealer` is given the last journal entry of each mirror: one that it refuses makes that mirror damaged. A mirror that
// cannot be opened for want of space counts as offline while another is intact.
//
// Errors: kUnavailable (no current mirror is online, or those online hold nothing while others are offline), kCorrupt
// (every current mirror that is online is damaged, or all hold nothing: with `create`, they begin empty then),
// kUnsupported (a later version wrote one), kOverloaded
// (too many open files), kNoSpace, kIo.
Result<Recovered> recover(io::Drives& drives, const Mirror::Options& options, bool create, LogSealer& sealer,
                          Random& random);

// A mirror by itself: opened, and brought by its own log to the last commit that it has. Changes nothing that an
// opening would not. Errors: kNotFound (the drive holds none), kCorrupt, kIo, kNoSpace, kOverloaded, kUnsupported.
Result<std::shared_ptr<Mirror>> open_and_replay(DriveId drive, std::shared_ptr<io::Disk> disk,
                                                const Mirror::Options& options);

// The salt of the log records to come; `random` is the system's outside of tests.
std::uint64_t draw_salt(Random& random);
// Makes `salt` the mirror's, flushed together with all that it holds, and its log empty.
Status begin_epoch(Mirror& mirror, std::uint64_t salt, std::uint64_t segment_bytes);

}  // namespace andromede::meta
