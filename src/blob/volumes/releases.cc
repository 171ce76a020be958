#include "blob/volumes/releases.h"

#include "base/log.h"

namespace andromede::blob {
namespace {

// A pool's thread serves others after so many releases in a row.
constexpr int kReleasesInARow = 16;

}  // namespace

Releases::Releases(FindDrive find_drive, OnReleased on_released, Counter released, Counter left)
    : find_drive_(std::move(find_drive)), on_released_(std::move(on_released)), released_(released), left_(left) {}

std::vector<ShardPlace> Releases::pin(BlobId blob) {
  const std::lock_guard lock(mutex_);
  Held& held = held_[blob];
  ++held.readers;
  return held.being_released;
}

void Releases::unpin(BlobId blob) {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(blob);
  if (found == held_.end() || --found->second.readers > 0) return;
  std::vector<Release> waiting;
  waiting.swap(found->second.waiting);
  erase_if_idle(blob);
  for (const Release& release : waiting) enqueue(release);
}

void Releases::release(BlobId blob, unsigned shard, const ShardPlace& place) {
  if (place.drive.is_none()) return;
  const std::lock_guard lock(mutex_);
  enqueue({.blob = blob, .shard = shard, .place = place});
}

void Releases::enqueue(const Release& release) {
  DriveVolumes* const drive = find_drive_(release.place.drive);
  Queue& queue = queues_[release.place.drive];
  if (stopping_ || drive == nullptr || !drive->online() || queue.releases.size() >= kMaxQueuedReleases) {
    left_.add();
    return;
  }
  const DriveId id = release.place.drive;
  queue.releases.push_back(release);
  if (queue.running) return;
  if (drive->post([this, id] { run(id); })) {
    queue.running = true;
    ++running_;
  } else {
    queue.releases.pop_back();
    left_.add();
  }
}

void Releases::run(DriveId id) {
  DriveVolumes* const drive = find_drive_(id);
  for (int i = 0;; ++i) {
    Release release;
    {
      const std::lock_guard lock(mutex_);
      Queue& queue = queues_[id];
      if (queue.releases.empty()) {
        queue.running = false;
        --running_;
        idle_.notify_all();
        return;
      }
      // A full pool makes this thread go on: what is queued must not be forgotten.
      if (i >= kReleasesInARow && drive->post([this, id] { run(id); })) return;
      release = queue.releases.front();
      queue.releases.pop_front();
    }
    if (!begin(release)) continue;
    const auto done = drive->release(release.blob, release.shard, release.place.volume, release.place.offset);
    if (done || done.error() == Errc::kNotFound) on_released_(release.blob, release.place);
    end(release);
    if (done) {
      released_.add();
    } else if (done.error() != Errc::kNotFound) {
      left_.add();
      log_warning("a shard's space was not given back; it will be reclaimed",
                  {{"blob", release.blob.to_string()}, {"error", done.error().describe()}});
    }
  }
}

bool Releases::begin(const Release& release) {
  const std::lock_guard lock(mutex_);
  Held& held = held_[release.blob];
  if (held.readers > 0) {
    held.waiting.push_back(release);
    return false;
  }
  held.being_released.push_back(release.place);
  return true;
}

void Releases::end(const Release& release) {
  const std::lock_guard lock(mutex_);
  std::erase(held_[release.blob].being_released, release.place);
  erase_if_idle(release.blob);
}

void Releases::erase_if_idle(BlobId blob) {
  const auto found = held_.find(blob);
  if (found == held_.end()) return;
  const Held& held = found->second;
  if (held.readers == 0 && held.waiting.empty() && held.being_released.empty()) held_.erase(found);
}

bool Releases::stop(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  return idle_.wait_until(lock, until, [this] { return running_ == 0; });
}

}  // namespace andromede::blob
