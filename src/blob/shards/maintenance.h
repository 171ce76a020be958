// blob::Maintenance: what an engine on local drives offers to fleet/ for heal, drain, scrub and reclaim. Every call
// blocks: maintenance threads only. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "base/result.h"
#include "blob/authenticator.h"
#include "blob/shards/sharded_blob.h"
#include "blob/shards/sharded_catalog.h"

namespace andromede::blob {

enum class ShardHealth : std::uint8_t {
  kGood,
  kDamaged,  // there, and some block fails its checksum, or cannot be read
  kMissing,  // no such record, or the shard has no drive
};

struct DriveUsage {
  // Records on the drive that have not been released. After a start, or a drive's return, they are counted in the
  // background: until then these are too few.
  std::uint64_t shards = 0;
  std::uint64_t live_bytes = 0;  // theirs, headers included; of what is not counted yet: what its files take
  bool counting = false;         // some of it is not counted yet
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;   // above what is kept free
  std::uint64_t short_bytes = 0;  // missing to what is kept free
  // The file system has refused blocks or a file within the last minute, whatever it shows as free. free_bytes is 0 for
  // a part of that only, so that it is asked again.
  bool refuses = false;
  std::uint64_t queued_jobs = 0;  // reads, writes and syncs that wait for the drive
  std::uint64_t lies = 0;         // shards since the start that were wrong with right checksums
};

// Whether a shard can lie where its record says.
enum class Presence : std::uint8_t {
  kThere,    // its drive has that volume, and the volume reaches so far; what lies there only reading tells
  kGone,     // the drive is there, and has no such volume, or a shorter one
  kUnknown,  // the drive is offline, or has not told all its volumes yet
};

// Called with bytes just moved or read; it may sleep, to hold a bandwidth. False: stop (kCancelled).
using Pace = std::function<bool(std::uint64_t bytes)>;
// Asked between steps of a long work. False: stop (kCancelled).
using GoOn = std::function<bool()>;

class Maintenance {
 public:
  virtual ~Maintenance() = default;
  // Writes shard `index` of `ref` to drive `to` (from the shard itself where it is good, else rebuilt from others) and
  // syncs it. The metadata does not name it yet: the caller replaces the record, then releases the old place.
  virtual Result<ShardPlace> copy_shard(const ShardedBlob& ref, unsigned index, DriveId to, const Pace& pace) = 0;
  // Gives a shard's space back once no Reader needs it.
  virtual void release_shard(BlobId blob, unsigned index, ShardPlace place) = 0;
  // Reads the whole shard and checks every block. kOverloaded: too many files are open to tell;
  // kUnavailable: its drive is offline, or went there meanwhile.
  virtual Result<ShardHealth> verify_shard(const ShardedBlob& ref, unsigned index, const Pace& pace) = 0;
  // Reads all shards that are there at once: whether each is good, and all together are one blob, parity as computed
  // from data. Where they are not, or where there is one shard only, `authenticator` tells which lied; those are
  // distrusted. False: verify_shard() says which are to be repaired. Errors: kOverloaded, kCancelled, and the
  // authenticator's.
  virtual Result<bool> verify_blob(const ShardedBlob& ref, Authenticator& authenticator, const Pace& pace) = 0;
  // A look into memory. What was removed because it held nothing is gone as well: before kGone counts as a loss, the
  // record is read again.
  [[nodiscard]] virtual Presence presence(const ShardPlace& place) const = 0;
  // Rewrites a damaged shard elsewhere on the same drive from the others; answers its new place.
  virtual Result<ShardPlace> repair_shard(const ShardedBlob& ref, unsigned index, const Pace& pace) = 0;
  struct Reclaimed {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    // Records kept because the copies of the metadata differ about their blob, or one of them cannot be read.
    std::uint64_t differing = 0;
    std::set<std::string> unreadable_on;  // those copies, for people
  };
  // So many records of blobs that nobody knows are what broken uploads leave; more than that, and more than one in
  // kPlausibleShare of a drive's, and something else must be wrong: the metadata may be older than the drive.
  static constexpr std::uint64_t kPlausibleOrphans = 64;
  static constexpr std::uint64_t kPlausibleShare = 8;
  enum class Share : std::uint8_t { kPlausible, kAny };
  // Releases records on `drive` that no copy of the metadata names, that no running Writer owns and that are older than
  // `grace` (records of an earlier process are old enough by themselves). A bounded number at a time: the rest is for
  // the next call. `go_on` is asked before every volume and every record; empty: always. kRefused, and nothing is
  // released: the share is not plausible, and only a plausible one was wanted.
  virtual Result<Reclaimed> reclaim_orphans(DriveId drive, ShardCatalog& catalog, std::chrono::milliseconds grace,
                                            Share share, const GoOn& go_on) = 0;
  Result<Reclaimed> reclaim_orphans(DriveId drive, ShardCatalog& catalog, std::chrono::milliseconds grace,
                                    const GoOn& go_on = {}) {
    return reclaim_orphans(drive, catalog, grace, Share::kPlausible, go_on);
  }
  [[nodiscard]] virtual Result<DriveUsage> usage(DriveId drive) = 0;
  // Waits until all that is on the drive is counted, which is hurried. kCancelled: `go_on`, asked now and then (empty:
  // always), answered false. An error where it cannot be counted now.
  virtual Status count(DriveId drive, const GoOn& go_on) = 0;
  // Starts using a drive that was added to the map or came back, at a cost that does not grow with its records.
  // kTimeout: it has not answered within seconds, and is used once it does.
  virtual Status attach(DriveId drive) = 0;
  // Stops using one that leaves; its volumes, which must hold no live record, are removed: kConflict where one does, or
  // where that is not counted yet; kTimeout as attach(), which also takes it back.
  virtual Status detach_empty(DriveId drive) = 0;

  // Blobs whose reads found damage since the last call, to be healed soon.
  virtual std::vector<BlobId> take_damaged() = 0;
  // How many blobs were written without one of their shards since the start: to be settled once they are recorded.
  [[nodiscard]] virtual std::uint64_t short_writes() const = 0;
};

}  // namespace andromede::blob
