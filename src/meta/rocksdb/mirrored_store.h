// The embedded metadata engine: a commit log of ours, synced on every mirror in parallel, in front of one RocksDB per
// mirror. One fsync a group of commits, whatever the number of mirrors. Bytes: docs/formats/commit-log.md; why a log of
// our own: docs/adr/0003-commit-log.md.
#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "io/drives.h"
#include "meta/every_root.h"
#include "meta/mirrors.h"
#include "meta/record_seal.h"
#include "meta/store.h"

namespace andromede::meta {

struct MirroredOptions {
  std::size_t cache_bytes = 96 << 20;     // shared by all mirrors: blocks, blob values, records
  std::size_t memtable_bytes = 16 << 20;  // of one family; a mirror takes up to three times that
  std::uint64_t log_segment_bytes = 64 << 20;
  std::size_t max_queued_commits = 4096;
  unsigned max_open_files = 512;  // of a mirror's tables and values, closed again least recently used first
  unsigned reader_threads = 2;    // for reads that must touch a drive
  // What a commit must be on before it is acknowledged: so many mirrors, on drives of so many different sites (fewer
  // where the drive map's accepted_site_losses are fewer than one less).
  std::size_t least_mirrors = 1;
  std::size_t least_sites = 1;
  // So long after mirrors were lost commits wait for new ones; then they are kNotBegun at once.
  std::chrono::milliseconds redundancy_wait{10'000};
  std::chrono::milliseconds mirror_patience = io::kDriveAnswerLimit;  // for one that is late when another is done
  // For a copy or a check of a mirror that tells nothing more; and for the opening of the last mirror when its drive is
  // there again, unless it does not get on for mirror_patience and another drive has one that the map names.
  std::chrono::milliseconds silence_patience{std::chrono::minutes(2)};
  std::chrono::milliseconds opening_patience{std::chrono::minutes(10)};
  // Free space on a mirror's drive below which commits that put data are kNoSpace (deletes go on); never more than a
  // sixteenth of the drive.
  std::uint64_t reserve_bytes = 128 << 20;
  // What may be left to copy while commits wait for a new mirror: it joins when less is (kOverloaded otherwise).
  std::uint64_t max_paused_copy_bytes = 64 << 20;
  // The cloud is being made: where no mirror holds anything, they begin empty. Harmless when repeated.
  bool create = false;
};

class MirroredStore : public Store, public EveryRoot, public Mirrors {
 public:
  // Opens the mirrors that the drive map names, brings them level, and starts the committer. kCorrupt: those that are
  // online are damaged, or hold nothing and `create` is not set. `seal` is what this cloud authenticates its records
  // with. `drives`, `sealer`, `clock` and `metrics` outlive the store.
  static Result<std::unique_ptr<MirroredStore>> open(io::Drives& drives, LogSealer& sealer,
                                                     std::shared_ptr<const RecordSeal> seal, const Clock& clock,
                                                     Metrics& metrics, MirroredOptions options);
  // From now on nobody waits for a drive to answer a read, nor for one where a mirror is made, opened or verified:
  // kUnavailable, or as if the drive had gone. For a stop that can wait no longer, before stop().
  virtual void end_waits() = 0;
  // Finishes queued commits, flushes and closes; later calls are kNotBegun or kUnavailable. Destroying the store
  // without it leaves what kill -9 would leave. No call may be pending when the store is destroyed.
  virtual void stop() = 0;
};

}  // namespace andromede::meta
