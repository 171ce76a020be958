// Releases: gives the space of removed shards back, once no reader needs it. A reader pins its blob; a release of a
// pinned blob waits for the last pin; one that is under way hides its place from new readers.
//
// Thread-safe; nothing here blocks, drive I/O excepted, which runs on the drives' pools: one release a drive at a time,
// so that mass removal does not keep writers waiting. Borrowed drives outlive it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "blob/volumes/drive_volumes.h"

namespace andromede::blob {

// A removal that finds the queue of its drive full leaves an orphan, which is reclaimed later.
inline constexpr std::size_t kMaxQueuedReleases = 1U << 20;

class Releases {
 public:
  using FindDrive = std::function<DriveVolumes*(DriveId)>;  // null: not one of ours
  // Told of each place that was given back, or holds no such record any more, once nobody can read it.
  using OnReleased = std::function<void(BlobId, const ShardPlace&)>;
  Releases(FindDrive find_drive, OnReleased on_released, Counter released, Counter left);

  // Holds `blob`; answers the places of its shards that are being given back and must not be read.
  std::vector<ShardPlace> pin(BlobId blob);
  void unpin(BlobId blob);

  // Queues one shard's release.
  void release(BlobId blob, unsigned shard, const ShardPlace& place);

  // Refuses new releases and waits for those under way, until that moment at most. False: some have not ended.
  bool stop(std::chrono::steady_clock::time_point until);

 private:
  struct Release {
    BlobId blob;
    unsigned shard = 0;
    ShardPlace place;
  };
  struct Held {
    std::size_t readers = 0;
    std::vector<Release> waiting;  // for the last reader
    std::vector<ShardPlace> being_released;
  };
  struct Queue {
    std::deque<Release> releases;
    bool running = false;
  };
  void enqueue(const Release& release);  // mutex_ is held
  void run(DriveId drive);
  bool begin(const Release& release);
  void end(const Release& release);
  void erase_if_idle(BlobId blob);

  const FindDrive find_drive_;
  const OnReleased on_released_;
  const Counter released_;
  const Counter left_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::unordered_map<BlobId, Held> held_;
  std::unordered_map<DriveId, Queue> queues_;
  std::size_t running_ = 0;
  bool stopping_ = false;
};

}  // namespace andromede::blob
