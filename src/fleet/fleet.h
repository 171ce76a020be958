// fleet::Fleet: the life of drives and sites while the cloud serves: add, replace, heal, scrub, drain (withdrawal),
// rebalance, reclaim. What keeps blobs stands behind it: volumes on local drives (fleet/volumes), pools and CRUSH
// another day. One job runs at a time; what an operator asked for is kept, so that after kill -9 the next start goes on
// with it.
//
// Thread-safe. Calls block shortly (they write what was decided, and a journal entry); from api/operator through a
// pool.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "sovereignty/placement.h"

namespace andromede::fleet {

enum class JobKind : std::uint8_t { kHeal, kDrain, kScrub, kRebalance };
enum class JobState : std::uint8_t { kRunning, kDone, kFailed, kAborted };

struct Job {
  std::uint64_t number = 0;  // of this process
  JobKind kind = JobKind::kHeal;
  JobState state = JobState::kRunning;
  std::string subject;  // site or drive, for drains
  std::uint64_t blobs_done = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  // an estimate while it runs
  std::uint64_t repaired = 0;     // shards rebuilt
  std::uint64_t lost = 0;         // blobs that cannot be rebuilt
  Timestamp started;
  SteadyTime moving_since{};  // for the ETA: a clock that is set does not change it
  std::optional<Timestamp> ended;
  std::optional<std::chrono::seconds> eta;
  // What failed, or what was done; of a drain, moved since this process started, and the proof:
  // "312 shards moved; 0 shards, 0 mirrors left on dassault-1, dassault-2"
  std::string message;
};

// Metrics tell these numbers.
enum class DrivePhase : std::uint8_t {
  kActive = 1,    // takes new data
  kDraining = 2,  // gives its data away, takes none
  kDrained = 3,   // proven empty
  kReplaced = 4,  // lost and succeeded by another
};

struct DriveUsage {
  // Our shards on the drive, and what they take. While some are not counted yet these are too few.
  std::uint64_t shards = 0;
  std::uint64_t live_bytes = 0;
  bool counting = false;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;   // above what is kept free
  std::uint64_t queued_jobs = 0;  // reads, writes and syncs that wait for the drive
  std::uint64_t lies = 0;         // shards since the start that were wrong with right checksums
};

// How fast the room on a drive shrinks.
struct DriveFill {
  double bytes_per_s = 0;  // over `measured`; 0: not filling, or not yet known
  std::chrono::seconds measured{0};
  std::optional<std::chrono::seconds> left;
};

struct DriveStatus {
  DriveId id;
  DriveName name;
  SiteId site;
  AssociateId associate;
  std::string path;  // where it is, for people
  DrivePhase phase = DrivePhase::kActive;
  bool online = false;
  DriveUsage usage;  // of one that is online
  bool metadata_mirror = false;
  bool metadata_mirror_current = false;
  DriveFill fill;
};

// Writes are refused, and what would end that.
struct WritesRefused {
  Timestamp since;
  std::string why;                  // in words, with what to do
  std::vector<std::string> drives;  // those without room; empty: not for want of room
  std::uint64_t missing_bytes = 0;  // room to bring, on those drives, until writes go on
  std::uint64_t drives_needed = 0;  // on so many of them
};

// Losses that data of a policy survive, by the demand and, of what is written now, by the drives online now.
struct PolicyStatus {
  PolicyId id;
  bool is_default = false;
  sovereignty::Tolerance demanded;
  sovereignty::Tolerance actual;
};

struct FleetStatus {
  std::uint64_t epoch = 0;
  std::vector<DriveStatus> drives;
  std::vector<PolicyStatus> policies;
  bool degraded = false;              // something that a policy demands does not hold
  std::vector<std::string> reasons;   // why degraded, in words
  std::vector<std::string> changes;   // what is under way while all that is demanded holds, in words
  std::vector<std::string> warnings;  // what will come about, in words: no reason yet
  std::optional<WritesRefused> writes_refused;
  std::uint64_t damaged_found = 0;  // blocks or shards found bad since start, by reads and scrubs
  std::uint64_t repaired = 0;
  std::uint64_t waiting = 0;  // blobs that the last heal could not make whole; it is repeated when a drive comes back
  std::vector<Job> jobs;      // running first, then the latest
};

struct DrainRequest {
  std::optional<SiteId> site;
  std::optional<DriveName> drive;                  // one of the two
  std::optional<std::uint8_t> accept_site_losses;  // the operators accept to tolerate only so many from now on
  std::uint64_t bandwidth_bytes_per_s = 0;         // of this drain, over restarts; 0: the configured one
  // The leaving drives that are offline now count as left although what they hold cannot be erased; the journal names
  // them. Without it a drain of one is refused. One that is offline later keeps the drain from ending, until it is back
  // or the same drain is asked for again, with this.
  bool accept_unerased = false;
};

// A drive that is to join: new and empty.
struct NewDrive {
  DriveName name;
  SiteId site;
  AssociateId associate;
  std::string path;                  // where it is
  std::uint64_t capacity_bytes = 0;  // of it to be used at most; 0: all
};

class Fleet {
 public:
  virtual ~Fleet() = default;
  // Journals what the opening of drives and metadata found, and what operators decided before it. start() does so,
  // before anything else is committed: for who commits without starting.
  virtual Status journal_opening() = 0;
  // Resumes what an earlier process left and watches the drives.
  virtual Status start() = 0;
  // Ends jobs at a safe point and joins. `hurry`, if any, is called where that takes longer than a few seconds: it is
  // to end what they wait for.
  virtual void stop(const std::function<void()>& hurry) = 0;
  void stop() { stop({}); }

  virtual Result<FleetStatus> status() = 0;
  // Of status(), for who asks often.
  [[nodiscard]] virtual std::optional<WritesRefused> writes_refused() const = 0;
  // Joins a new, empty drive (of any site that the recorded consortium knows, also a new one) and fills it evenly.
  // `operator_name` goes to the journal.
  virtual Status add_drive(NewDrive drive, std::string operator_name) = 0;
  // A new, empty folder takes the place of a lost drive: same name, site and associate, new id; heal starts.
  virtual Status replace_drive(DriveName lost, std::string path, std::string operator_name) = 0;
  // Errors of the next three: kConflict when another job of an operator's runs (the message names it). Jobs that the
  // fleet began by itself make way and are taken up again afterwards.
  virtual Result<Job> heal(std::string operator_name) = 0;
  virtual Result<Job> scrub(std::string operator_name) = 0;
  // Lets the reclaim of a drive go on that stopped at an implausible share of orphans. kConflict: it did not stop
  // there; kNotFound: no such drive.
  virtual Status accept_orphans(DriveName drive, std::string operator_name) = 0;
  // kRefused before a byte moves, when what remains cannot hold the spread and the losses that some policy demands. Of
  // the site or drive that is draining already, after its job failed: goes on with it.
  virtual Result<Job> drain(DrainRequest request, std::string operator_name) = 0;
  // The draining drives take data again; what moved stays where it is until rebalance.
  virtual Status abort_drain(std::string operator_name) = 0;
  virtual Result<Job> job(std::uint64_t number) = 0;
};

}  // namespace andromede::fleet
