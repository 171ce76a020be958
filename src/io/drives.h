// Drives: every drive of the cloud, where each lies (site, associate), its state, and which of them mirror the
// metadata.
//
// Each drive's root carries a label (who it is) and a copy of the map (who all are), both authenticated with a key of
// the cloud's. A change of the map counts once as many drives have taken it as may go on without the others
// (DriveMap::minimum), and each map names those that it comes from: a drive whose map is none of those is kept out and
// named, whatever epoch it claims. What is true at start is decided before anything is written (io/drive_survey.h).
// Bytes: docs/formats/drive-label.md; why: docs/adr/0010-drives-identity.md, docs/adr/0011-one-history.md.
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
#include "io/drive_map.h"

namespace andromede::io {

class DriveCalls;
class DriveSurvey;

// An idle drive answers in milliseconds; one that syncs for many at once needs seconds.
inline constexpr std::chrono::seconds kDriveAnswerLimit{10};

// Opens the disk at DriveInfo::path, which may be relative to what the opener knows. Of a drive that only the path is
// known of, the other fields are empty. Called from any thread, for several drives at once; copied, and a copy may live
// on in the thread of a drive that hangs.
using OpenDisk = std::function<Result<std::unique_ptr<Disk>>(const DriveInfo&)>;

// What was found or decided of a drive without being asked: to be journaled.
struct DriveEvent {
  enum class Kind : std::uint8_t {
    kKeptOut,    // what it carries is not ours, or not of our history: nothing on it is used or changed
    kMapHealed,  // its map was damaged, and written anew
    kMirrorAway  // it held a current mirror of the metadata and was not there at start
  };
  Kind kind = Kind::kKeptOut;
  DriveId drive;
  DriveName name;
  SiteId site;
  std::string detail;
};

class Drives {
 public:
  using OpenDisk = io::OpenDisk;

  // Labels empty drives and writes the first map (epoch 1; ids are the caller's). All must be there. kAlreadyExists
  // when a folder is another cloud's drive or not empty; kTimeout when a drive does not answer; on any error no folder
  // keeps what was written.
  static Result<std::unique_ptr<Drives>> create(DriveMap map, std::shared_ptr<const DriveSeal> seal, OpenDisk open_disk,
                                                std::chrono::milliseconds answer_limit = kDriveAnswerLimit);
  // Opens what can be opened; a drive that is missing, is not who its path says or carries what is not of the true
  // history is offline. The others get the true map, which still says who was present when it was made: settle() is to
  // be called before anything is acknowledged, once a mirror of the metadata is known to be sound. Errors:
  // what survey.refusal() says; kConflict when another process took one of the drives meanwhile; kOverloaded: this one
  // has too few descriptors or threads to open them; kUnavailable: no drive took the map that an operator decided.
  static Result<std::unique_ptr<Drives>> open(DriveSurvey survey);
  ~Drives();

  [[nodiscard]] std::shared_ptr<const DriveMap> map() const;
  // Null: offline. The pointer keeps the disk open while it is used.
  [[nodiscard]] std::shared_ptr<Disk> disk(DriveId id) const;
  [[nodiscard]] bool online(DriveId id) const { return disk(id) != nullptr; }
  // Its room, asked as anything of a drive is: waited for so long at most. kTimeout; kUnavailable: it is offline.
  [[nodiscard]] Result<Space> space(DriveId id);
  // Why the drive is offline, in words; empty when it is online or out of use.
  [[nodiscard]] std::string offline_reason(DriveId id) const;

  // Changes the map: `change` edits a copy, which gets the next epoch, is written to every online drive (a new one is
  // labelled first) and then becomes current. It says as well who is present: those that are offline no more, and their
  // mirrors of the metadata are not current any more, as long as one is that is present. A failure of `change` changes
  // nothing. kAlreadyExists, kNotFound, …: a new drive cannot join, nothing is changed, kTimeout when it does not
  // answer; kUnavailable: of the drives that took part last, too few are online, or too few took the map, to change it
  // without the others. An old drive that does not take it goes offline; one that only has no room for it, or where
  // this process lacks descriptors or threads, stays, is given it once it can take it, and helps no map to count
  // before. Drives that the change made drained or replaced are closed.
  Status update(const std::function<Status(DriveMap&)>& change);
  // Has the map say who is present now: a change as any other, and none when it says so already.
  Status settle();
  // Whether the map says who is present now. After a return it does soon: until then the next start takes those who
  // came back for absent. From any thread, cheap.
  [[nodiscard]] bool presence_recorded() const;
  // From now on, when a change brings or takes a path, `remember` is given the paths of the drives in use, as they were
  // and as the change makes them, before a drive takes the changed map: who keeps them finds the cloud again whatever
  // happens next. The present ones the caller has kept already. An error of its refuses a change that brings a path; a
  // path too many does no harm. Not to call update().
  void remember_paths(std::function<Status(const std::set<std::string>&)> remember);
  // What was found since the last call, the oldest first; a drive is told of once for each kind of finding.
  [[nodiscard]] std::vector<DriveEvent> take_events();
  // Takes a drive offline after an I/O failure. Idempotent. Listeners are told. A failure of `disk` that comes late,
  // after the drive went and came back, says nothing about its new opening and is ignored; the caller keeps it open.
  void report_failure(DriveId id, const Disk* disk, const Error& error);
  // The same of one that holds a call of `disk`, which may never end: as long as that lives, the drive stays offline,
  // whatever its probes answer, so that what it holds does not grow.
  void report_hang(DriveId id, const Disk* disk, const Error& error, const std::shared_ptr<const void>& call);
  // The same where nobody knows of which opening the failure is.
  void report_failure(DriveId id, const Error& error);
  // Probes every online drive now (and offline ones, which come back when their label allows and they take the map).
  void probe_all();
  // Probes so often in a thread of its own, until stop(). A drive that was reported as failing is left alone for a
  // while, longer each time, so that it does not come and go every second. Drives that went or came are written down in
  // the map soon after; the more often, the later.
  void watch(std::chrono::milliseconds every = std::chrono::seconds(1));
  // Ends watching. When it answers, no listener is running and none is called any more. Not from a listener.
  void stop();
  // How many calls of drives hang: their threads are left behind when this goes. Waits for calls that are being made.
  [[nodiscard]] std::size_t hanging_calls();
  // Lets other processes have the drives that are online and answer, each waited for as open() says: for one that ends
  // with threads left behind, whose drive alone is then missing for the next. After stop(), and once nothing is written
  // any more.
  void unlock();
  // Called from probing or failing threads after a drive went offline, came back or joined: one call at a time, in the
  // order in which it happened, with no lock held. Listeners live until stop().
  void subscribe(std::function<void(DriveId, bool online)> listener);

 private:
  Drives(DriveMap map, std::shared_ptr<const DriveSeal> seal, OpenDisk open_disk, std::unique_ptr<DriveCalls> calls);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace andromede::io
