// The embedded blob engine: volumes, large append-only files of self-describing records, on local drives; Reed-Solomon
// by ISA-L. Bytes: docs/formats/volume.md.
#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "blob/shards/maintenance.h"
#include "blob/shards/placer.h"
#include "blob/store.h"
#include "io/drives.h"

namespace andromede::blob {

inline constexpr unsigned kSyncPatiences = 6;

struct VolumeOptions {
  std::uint64_t volume_bytes = 1ULL << 30;    // a volume is closed when it reaches this
  std::uint64_t reserve_bytes = 64ULL << 20;  // kept free on each drive: kNoSpace beyond
  std::size_t max_open_files = 128;           // of a drive, closed again least recently used first
  // What is larger is reserved in steps behind what has arrived: an eighth of this first, then as much again as there
  // is, twice this at most.
  std::uint64_t whole_region_bytes = 32ULL << 20;
  unsigned threads_per_drive = 2;
  // So long a drive is waited for that does not answer to being attached or detached, and all of them at the end.
  std::chrono::milliseconds answer_limit = io::kDriveAnswerLimit;
  // Who waits for a drive that has begun with something of it, and neither ended it nor got on for so long, reports the
  // drive as failed; of a sync, which others' writes may hold up, for kSyncPatiences times as long.
  std::chrono::milliseconds patience = io::kDriveAnswerLimit;
};

// Shards on given drives. blob::Store over it: placed_store.h. Threads and errors of the calls that open or remove: as
// there.
class VolumeStore : public Maintenance {
 public:
  // Opens every online drive of the map. `drives`, `clock`, `random` and `metrics` outlive the store.
  static Result<std::unique_ptr<VolumeStore>> open(io::Drives& drives, const Clock& clock, Random& random,
                                                   Metrics& metrics, VolumeOptions options);
  // As Store::open_writer, on the drives of `target`.
  virtual Task<Result<std::unique_ptr<Writer>>> open_writer(BlobId id, Target target, std::uint64_t size_bytes,
                                                            Deadline deadline) = 0;
  // As Store::open_reader. Shards of `without` are not read, as if they were lost.
  virtual Task<Result<std::unique_ptr<Reader>>> open_reader(ShardedBlob blob, std::uint64_t offset,
                                                            std::uint64_t length, Deadline deadline,
                                                            ShardSet without) = 0;
  // As Store::distrust.
  virtual void distrust(const ShardedBlob& blob, ShardSet shards) = 0;
  // As Store::remove.
  virtual void remove(const ShardedBlob& blob) = 0;

  // From now on nobody waits for a drive: it is to all as if every drive had gone, and what is under way is left to
  // them. For a stop that can wait no longer, before stop().
  virtual void end_waits() = 0;
  // Ends removals under way and all else that runs, which is waited for so long as VolumeOptions says. kTimeout: a
  // drive that hangs keeps some of it, and keeps whoever destroys the store.
  virtual Status stop() = 0;
};

}  // namespace andromede::blob
