// What the parts of a VolumeStore share: drives, releases, running writers, damaged blobs, buffers, metrics.
// Thread-safe. It outlives every Writer and Reader.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "blob/volumes/drive_volumes.h"
#include "blob/volumes/releases.h"
#include "blob/volumes/wait_watch.h"

namespace andromede::blob {

// Staging buffers of writers: as large as a drive likes its writes, and kept, since fresh memory costs page faults.
inline constexpr std::size_t kMaxKeptBufferBytes = 32U << 20;
inline constexpr std::size_t kLeastKeptBufferBytes = 128U << 10;  // smaller ones come from the heap at no such cost
// Blobs that take_damaged() has not fetched yet; more are found again by the next read or scrub.
inline constexpr std::size_t kMaxDamagedBlobs = 65536;
// Places that are not read any more; beyond, a read finds the lie again.
inline constexpr std::size_t kMaxDistrusted = 65536;

class StoreCore {
 public:
  StoreCore(io::Drives& drives, const Clock& clock, Random& random, Metrics& metrics, VolumeOptions options);
  StoreCore(const StoreCore&) = delete;
  StoreCore& operator=(const StoreCore&) = delete;
  ~StoreCore();

  // Null: never attached.
  [[nodiscard]] DriveVolumes* drive(DriveId id) const;
  // Null: offline or never attached.
  [[nodiscard]] DriveVolumes* online_drive(DriveId id) const;
  Status attach(DriveId id);

  // Writers whose blobs no record names yet.
  void writer_begins(BlobId blob);
  void writer_ends(BlobId blob);
  [[nodiscard]] bool is_written(BlobId blob) const;

  // Readers; jobs that they leave behind own what they use.
  void reader_begins();
  void reader_ends();

  void note_damage(BlobId blob, std::uint64_t blocks);
  // What these shards hold is not what was written, whatever its checksums say: until they are released nobody reads
  // it.
  void distrust(const ShardedBlob& ref, ShardSet shards);
  [[nodiscard]] bool distrusts(BlobId blob, const ShardPlace& place) const;
  // Nobody reads that place any more.
  void released(BlobId blob, const ShardPlace& place);
  [[nodiscard]] std::vector<BlobId> take_damaged();

  [[nodiscard]] Buffer staging_buffer(std::size_t capacity);
  void give_back(Buffer buffer);

  // Every drive is as if it had gone: see VolumeStore.
  void end_waits();
  // Waits until nothing runs that was started by a Writer, a Reader, a removal or a count, VolumeOptions::answer_limit
  // at most: a drive that hangs keeps its threads in the kernel, and what they use. kTimeout: there is such, and who
  // destroys this waits for it.
  Status stop();

  const Clock& clock;
  const std::uint64_t session;
  Releases releases;

  const Counter lies;      // shards that were wrong with right checksums
  const Counter damaged;   // blocks that failed their checksum, or lay on a record that was not there
  const Counter rebuilt;   // blocks computed from others for a reader
  const Counter repaired;  // shards rewritten
  const Counter read_bytes;
  const Counter written_bytes;
  std::atomic<std::uint64_t> short_writes{0};  // blobs written with a shard missing

 private:
  void distrust(BlobId blob, unsigned shard, const ShardPlace& place);

  io::Drives& drives_;
  const VolumeOptions options_;
  const DriveVolumes::Counters drive_counters_;

  mutable std::shared_mutex drives_mutex_;
  std::unordered_map<DriveId, std::unique_ptr<DriveVolumes>> by_id_;  // never erased

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::unordered_map<BlobId, unsigned> writing_;
  std::size_t users_ = 0;  // writers and readers
  std::set<BlobId> damaged_;
  std::unordered_multimap<BlobId, ShardPlace> distrusted_;
  std::atomic<bool> any_distrusted_{false};
  std::unordered_map<std::size_t, std::vector<Buffer>> buffers_;  // by capacity
  std::size_t kept_buffer_bytes_ = 0;

 public:
  // Rebuilds for readers, attaches drives that came back. Declared last: their work ends before anything above goes.
  ThreadPool recovery_pool;
  WaitWatch wait_watch;
};

}  // namespace andromede::blob
