// Drives: every drive of the cloud, where each lies (site, associate), its state, and which of them mirror the
// metadata.
//
// Each drive's root carries a label (who it is) and a copy of the map (who all are). The map has an epoch; a change is
// written to every online drive before it counts, and the highest epoch found at open is the truth, so a drive that was
// away cannot bring an old truth back. Bytes: docs/formats/drive-label.md.
//
// Thread-safe. map() and disk() are cheap snapshots, callable from event loops; the rest blocks.
//
// A drive may hang without failing. Every call of one is waited for so long at most (kDriveAnswerLimit); who has not
// answered then is offline, and nothing else is asked of it before that call ends. The call itself cannot be ended: its
// thread is left alone, and left behind when Drives goes.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "io/disk.h"

namespace andromede::io {

class DriveCalls;

enum class DriveState : std::uint8_t {
  kActive = 1,    // takes new data
  kDraining = 2,  // gives its data away, takes none
  kDrained = 3,   // proven empty; kept in the map as history
  kReplaced = 4,  // lost and succeeded by another; kept in the map as history
};

struct DriveInfo {
  DriveId id;
  DriveName name;
  SiteId site;
  AssociateId associate;
  std::string path;                  // the root's folder on this host
  std::uint64_t capacity_bytes = 0;  // 0: all of the file system
  DriveState state = DriveState::kActive;
  bool mirrors_metadata = false;  // holds a current mirror of the metadata
  bool operator==(const DriveInfo&) const = default;
};

struct DriveMap {
  CloudId cloud;
  std::uint64_t epoch = 0;
  // Site losses that the operators have explicitly accepted to tolerate, below the policy's (a withdrawal without a
  // successor yet); unset: the policy's.
  std::optional<std::uint8_t> accepted_site_losses;
  std::vector<DriveInfo> drives;
  [[nodiscard]] const DriveInfo* find(DriveId id) const;
  [[nodiscard]] const DriveInfo* find(const DriveName& name) const;
  bool operator==(const DriveMap&) const = default;
};

// An idle drive answers in milliseconds; one that syncs for many at once needs seconds.
inline constexpr std::chrono::seconds kDriveAnswerLimit{10};

Bytes encode(const DriveMap& map);
Result<DriveMap> decode_drive_map(ByteView bytes);  // kCorrupt

class Drives {
 public:
  // Opens the disk at DriveInfo::path, which may be relative to what the opener knows. Of a drive that open() has only
  // the path of, the other fields are empty. Called from any thread, for several drives at once; copied, and a copy may
  // live on in the thread of a drive that hangs.
  using OpenDisk = std::function<Result<std::unique_ptr<Disk>>(const DriveInfo&)>;

  // Labels empty drives and writes the first map (epoch 1; ids are the caller's). All must be there. kAlreadyExists
  // when a folder is another cloud's drive or not empty; kTimeout when a drive does not answer; on any error no folder
  // keeps what was written.
  static Result<std::unique_ptr<Drives>> create(DriveMap map, OpenDisk open_disk,
                                                std::chrono::milliseconds answer_limit = kDriveAnswerLimit);
  // Opens what can be opened; a drive that is missing or is not who its path says is offline. kUnavailable when none
  // carries a map; kCorrupt when the paths lead to drives of several clouds, none of which has more than half of them,
  // or to two histories of one cloud; kConflict when another process has one of the drives.
  static Result<std::unique_ptr<Drives>> open(const std::vector<std::string>& paths, OpenDisk open_disk,
                                              std::chrono::milliseconds answer_limit = kDriveAnswerLimit);
  ~Drives();

  [[nodiscard]] std::shared_ptr<const DriveMap> map() const;
  // Null: offline. The pointer keeps the disk open while it is used.
  [[nodiscard]] std::shared_ptr<Disk> disk(DriveId id) const;
  [[nodiscard]] bool online(DriveId id) const { return disk(id) != nullptr; }
  // Why the drive is offline, in words; empty when it is online or out of use.
  [[nodiscard]] std::string offline_reason(DriveId id) const;

  // Changes the map: `change` edits a copy, which gets the next epoch, is written to every online drive (a new one is
  // labelled first) and then becomes current. A failure of `change` changes nothing. kAlreadyExists, kNotFound, …: a
  // new drive cannot join, nothing is changed, kTimeout when it does not answer; kUnavailable: no drive took the map.
  // An old drive that does not take it goes offline. Drives that the change made drained or replaced are closed.
  Status update(const std::function<Status(DriveMap&)>& change);
  // From now on, when a change brings or takes a path, `remember` is given the paths of the drives in use, as they were
  // and as the change makes them, before a drive takes the changed map: who keeps them finds the cloud again whatever
  // happens next. The present ones the caller has kept already. An error of its refuses a change that brings a path; a
  // path too many does no harm. Not to call update().
  void remember_paths(std::function<Status(const std::set<std::string>&)> remember);
  // Takes a drive offline after an I/O failure. Idempotent. Listeners are told. A failure of `disk` that comes late,
  // after the drive went and came back, says nothing about its new opening and is ignored; the caller keeps it open.
  void report_failure(DriveId id, const Disk* disk, const Error& error);
  // The same where nobody knows of which opening the failure is.
  void report_failure(DriveId id, const Error& error);
  // Probes every online drive now (and offline ones, which come back when their label allows and they take the map).
  void probe_all();
  // Probes every second in a thread of its own, until stop(). A drive that was reported as failing is left alone for a
  // while, longer each time, so that it does not come and go every second.
  void watch();
  // Ends watching. When it answers, no listener is running and none is called any more. Not from a listener.
  void stop();
  // Called from probing or failing threads after a drive went offline, came back or joined: one call at a time, in the
  // order in which it happened, with no lock held. Listeners live until stop().
  void subscribe(std::function<void(DriveId, bool online)> listener);

 private:
  Drives(DriveMap map, OpenDisk open_disk, std::unique_ptr<DriveCalls> calls);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace andromede::io
