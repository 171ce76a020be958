// meta::Mirrors: what a mirrored metadata engine offers to fleet/. Every call blocks: maintenance threads only.
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace andromede::meta {

struct MirrorStatus {
  DriveId drive;
  bool online = false;        // takes part in every commit
  std::uint64_t commits = 0;  // index of the last commit that it has durably
  std::uint64_t bytes = 0;
};

class Mirrors {
 public:
  virtual ~Mirrors() = default;
  [[nodiscard]] virtual std::vector<MirrorStatus> mirrors() const = 0;
  // Copies the metadata to `drive` while commits go on, then lets it take part. Marks it in the drive map. `progress`
  // is called with (copied, total) bytes; false: stop (kCancelled), nothing is left behind. A drive that was a mirror,
  // went offline and came back is brought up to date the same way.
  virtual Status add_mirror(DriveId drive, const std::function<bool(std::uint64_t, std::uint64_t)>& progress) = 0;
  // Takes a mirror out (marks it in the drive map first) and removes its files where the drive is online. kRefused when
  // it is the last.
  virtual Status remove_mirror(DriveId drive) = 0;
};

}  // namespace andromede::meta
