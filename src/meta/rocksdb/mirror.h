// Mirror: one drive's copy of the metadata, its commit log and its state.
//
// Threads: one thread at a time writes (make_room, write, apply); reads of the state come from any thread; fail() and
// failed() from any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/metrics.h"
#include "base/result.h"
#include "io/disk.h"
#include "meta/rocksdb/commit_log.h"
#include "meta/rocksdb/state.h"

namespace andromede::meta {

inline constexpr const char* kMetaFolder = "meta";
inline constexpr const char* kMarkerPath = "meta/mirror";
inline constexpr const char* kStatePath = "meta/state";
inline constexpr const char* kCheckpointPath = "meta/checkpoint";

// Where a mirror's state and its checkpoints lie on the host.
std::string state_path(const io::Disk& disk);
std::string checkpoint_path(const io::Disk& disk);

// The marker makes a mirror's folder count (docs/formats/commit-log.md).
Bytes encode_marker(std::uint64_t segment_bytes);
Result<std::uint64_t> decode_marker(ByteView bytes);  // segment bytes

// Removes the marker, then everything else of a mirror, and whatever lies in its place; follows no link. The mirror
// must be closed.
Status remove_mirror_files(io::Disk& disk);

// Whether anything of a mirror lies on the drive; empty folders are nothing.
Result<bool> holds_mirror_files(io::Disk& disk);

// What stays free on a mirror's drive, so that it can be written to as long as it is needed.
inline std::uint64_t least_free_bytes(std::uint64_t reserve_bytes, const io::Space& space) {
  return std::min(reserve_bytes, space.total_bytes / 16);
}

class Mirror {
 public:
  struct Options {
    std::shared_ptr<const RecordSeal> seal;
    std::function<void()> on_forged;
    std::shared_ptr<rocksdb::Cache> cache;
    std::shared_ptr<rocksdb::Cache> row_cache;
    std::size_t memtable_bytes = 32 << 20;
    unsigned max_open_files = 512;
    std::uint64_t log_segment_bytes = 64 << 20;
    bool warm_cache = false;
    // Told from any thread, while the mirror is opened above all, that its drive has answered once more.
    std::function<void()> on_step;
    // Told from any thread when the mirror stopped being usable.
    std::function<void()> on_failure;
  };

  // An empty mirror, whatever was there, with its marker. Durable when it answers.
  static Result<std::unique_ptr<Mirror>> create(DriveId drive, std::shared_ptr<io::Disk> disk, Options options);
  // kNotFound: the drive holds no mirror. kCorrupt: it must be copied anew; so must one of which anything is neither a
  // folder nor a file, before RocksDB comes to open it.
  static Result<std::unique_ptr<Mirror>> open(DriveId drive, std::shared_ptr<io::Disk> disk, Options options);
  // Opens a state whose files have just been copied to the drive, beside `log`, an empty one there, and sets the
  // marker.
  static Result<std::unique_ptr<Mirror>> adopt(DriveId drive, std::shared_ptr<io::Disk> disk,
                                               std::unique_ptr<CommitLog> log, Options options);

  [[nodiscard]] DriveId drive() const { return drive_; }
  [[nodiscard]] io::Disk& disk() const { return *disk_; }
  [[nodiscard]] State& state() const { return *state_; }
  [[nodiscard]] CommitLog& log() const { return *log_; }

  // Whether a record of that size can be written without make_room().
  [[nodiscard]] bool has_room(std::size_t record_bytes) const { return !out_of_space_ && log_->fits(record_bytes); }
  // Makes sure that a record of that size can be written. kNoSpace: nothing was changed.
  Status make_room(std::size_t record_bytes);
  // Writes a record and syncs it.
  Status write(ByteView record, std::uint64_t last_index) { return log_->append(record, last_index); }
  Status apply(ByteView payload, std::uint64_t last_index);

  // Flags the mirror; it is never used again. The first error stays.
  void fail(const Error& error);
  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_acquire); }
  [[nodiscard]] std::optional<Error> failure() const;
  // RocksDB ran out of space in the background; tries to go on. True: writing is possible.
  bool try_resume();
  // As it was when anything was last tried.
  [[nodiscard]] bool out_of_space() const { return out_of_space_; }
  // From the next CommitLog::start() on, segments have that size. Only while no record of the log is needed.
  Status resize_log(std::uint64_t segment_bytes);

 private:
  static Result<std::unique_ptr<Mirror>> try_open(DriveId drive, std::shared_ptr<io::Disk> disk, Options options);
  Mirror(DriveId drive, std::shared_ptr<io::Disk> disk) : drive_(drive), disk_(std::move(disk)) {}
  State::Options state_options(const Options& options);
  // The drive is to be found lost where the state is taken away from under RocksDB, which goes on without noticing.
  Status watch_state();

  const DriveId drive_;
  const std::shared_ptr<io::Disk> disk_;
  std::function<void()> on_failure_;
  std::function<void()> on_step_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> out_of_space_{false};
  mutable std::mutex mutex_;
  std::optional<Error> failure_;
  std::unique_ptr<CommitLog> log_;
  std::shared_ptr<const void> state_watch_;
  std::unique_ptr<State> state_;  // last: its threads call fail()
};

}  // namespace andromede::meta
