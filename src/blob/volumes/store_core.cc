#include "blob/volumes/store_core.h"

#include <algorithm>

#include "base/log.h"

namespace andromede::blob {
namespace {

constexpr unsigned kRecoveryThreads = 2;
constexpr std::chrono::seconds kTellEvery{5};
constexpr std::chrono::seconds kLeastLastWait{1};

std::uint64_t random_number(Random& random) {
  std::array<std::uint8_t, 8> bytes{};
  random.fill(bytes);
  return read_be64(bytes);
}

}  // namespace

StoreCore::StoreCore(io::Drives& drives, const Clock& clock_in, Random& random, Metrics& metrics, VolumeOptions options)
    : clock(clock_in),
      session(random_number(random)),
      releases([this](DriveId id) { return drive(id); },
               [this](BlobId blob, const ShardPlace& place) { released(blob, place); },
               metrics.counter("andromede_blob_released_total", "Shards whose space was given back"),
               metrics.counter("andromede_blob_left_total", "Shards whose space could not be given back yet")),
      lies(metrics.counter("andromede_blob_lies_total", "Shards that were wrong with right checksums")),
      damaged(metrics.counter("andromede_blob_damaged_total", "Blocks found damaged or missing")),
      rebuilt(metrics.counter("andromede_blob_rebuilt_total", "Blocks rebuilt from other shards for a reader")),
      repaired(metrics.counter("andromede_blob_repaired_total", "Damaged shards rewritten")),
      read_bytes(metrics.counter("andromede_blob_read_bytes_total", "Bytes of blobs read")),
      written_bytes(metrics.counter("andromede_blob_written_bytes_total", "Bytes of blobs written")),
      drives_(drives),
      options_(options),
      drive_counters_{
          .sync_group = metrics.histogram("andromede_blob_sync_group_size", "Writers that waited for one sync", {},
                                          {1, 2, 4, 8, 16, 32, 64, 128}),
          .sync_seconds = metrics.histogram("andromede_blob_sync_seconds", "Time of one sync of a volume")},
      recovery_pool("blob-recovery", kRecoveryThreads, kMaxQueuedJobs) {}

StoreCore::~StoreCore() {
  std::unique_lock lock(mutex_);
  while (!idle_.wait_for(lock, kTellEvery, [this] { return users_ == 0; })) {
    log_warning("the blob store waits for its readers and writers to end", {{"left", users_}});
  }
  lock.unlock();
  while (!releases.stop(std::chrono::steady_clock::now() + kTellEvery)) {
    log_warning("the blob store waits for its removals to end");
  }
}

DriveVolumes* StoreCore::drive(DriveId id) const {
  const std::shared_lock lock(drives_mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second.get();
}

DriveVolumes* StoreCore::online_drive(DriveId id) const {
  DriveVolumes* const found = drive(id);
  return found != nullptr && found->online() ? found : nullptr;
}

Status StoreCore::attach(DriveId id) {
  if (id.is_none()) return fail(Errc::kInvalidArgument, "no drive is named");
  DriveVolumes* found = nullptr;
  {
    const std::unique_lock lock(drives_mutex_);
    auto& entry = by_id_[id];
    if (entry == nullptr) entry = std::make_unique<DriveVolumes>(id, drives_, clock, options_, drive_counters_);
    found = entry.get();
  }
  return found->attach();
}

void StoreCore::writer_begins(BlobId blob) {
  const std::lock_guard lock(mutex_);
  ++writing_[blob];
  ++users_;
}

void StoreCore::writer_ends(BlobId blob) {
  const std::lock_guard lock(mutex_);
  if (const auto found = writing_.find(blob); found != writing_.end() && --found->second == 0) writing_.erase(found);
  --users_;
  idle_.notify_all();
}

bool StoreCore::is_written(BlobId blob) const {
  const std::lock_guard lock(mutex_);
  return writing_.contains(blob);
}

void StoreCore::reader_begins() {
  const std::lock_guard lock(mutex_);
  ++users_;
}

void StoreCore::reader_ends() {
  // Under the lock: who waits for the last one may destroy this right after.
  const std::lock_guard lock(mutex_);
  --users_;
  idle_.notify_all();
}

void StoreCore::note_damage(BlobId blob, std::uint64_t blocks) {
  damaged.add(static_cast<double>(blocks));
  const std::lock_guard lock(mutex_);
  if (damaged_.size() < kMaxDamagedBlobs) damaged_.insert(blob);
}

void StoreCore::distrust(const ShardedBlob& ref, ShardSet shards) {
  for (unsigned i = 0; i < ref.shards.size(); ++i) {
    if (((shards >> i) & 1U) != 0 && !ref.shards[i].drive.is_none()) distrust(ref.id, i, ref.shards[i]);
  }
}

void StoreCore::distrust(BlobId blob, unsigned shard, const ShardPlace& place) {
  {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = distrusted_.equal_range(blob);
    if (std::any_of(begin, end, [&](const auto& entry) { return entry.second == place; })) return;
    if (distrusted_.size() < kMaxDistrusted) distrusted_.emplace(blob, place);
    any_distrusted_ = true;
  }
  lies.add();
  log_error("a drive lies: a shard is not what was written, and its checksums say that it is",
            {{"drive", place.drive.to_string()}, {"blob", blob.to_string()}, {"shard", shard}});
  if (DriveVolumes* const lying = drive(place.drive)) lying->count_lie();
  note_damage(blob, 1);
}

bool StoreCore::distrusts(BlobId blob, const ShardPlace& place) const {
  if (!any_distrusted_.load(std::memory_order_relaxed)) return false;
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = distrusted_.equal_range(blob);
  return std::any_of(begin, end, [&](const auto& entry) { return entry.second == place; });
}

void StoreCore::released(BlobId blob, const ShardPlace& place) {
  if (!any_distrusted_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = distrusted_.equal_range(blob);
  const auto entry = std::find_if(begin, end, [&](const auto& each) { return each.second == place; });
  if (entry != end) distrusted_.erase(entry);
  any_distrusted_ = !distrusted_.empty();
}

std::vector<BlobId> StoreCore::take_damaged() {
  const std::lock_guard lock(mutex_);
  std::vector<BlobId> taken(damaged_.begin(), damaged_.end());
  damaged_.clear();
  return taken;
}

Buffer StoreCore::staging_buffer(std::size_t capacity) {
  if (capacity >= kLeastKeptBufferBytes) {
    const std::lock_guard lock(mutex_);
    if (const auto kept = buffers_.find(capacity); kept != buffers_.end() && !kept->second.empty()) {
      Buffer buffer = std::move(kept->second.back());
      kept->second.pop_back();
      kept_buffer_bytes_ -= capacity;
      return buffer;
    }
  }
  return Buffer(capacity);
}

void StoreCore::give_back(Buffer buffer) {
  const std::size_t capacity = buffer.capacity();
  if (capacity < kLeastKeptBufferBytes) return;
  buffer.clear();
  const std::lock_guard lock(mutex_);
  if (kept_buffer_bytes_ + capacity > kMaxKeptBufferBytes) {
    // Other sizes than are wanted now must not hold the place for ever.
    buffers_.clear();
    kept_buffer_bytes_ = 0;
  }
  buffers_[capacity].push_back(std::move(buffer));
  kept_buffer_bytes_ += capacity;
}

void StoreCore::end_waits() {
  const std::shared_lock lock(drives_mutex_);
  for (const auto& [id, drive] : by_id_) drive->end_waits();
}

Status StoreCore::stop() {
  auto until = std::chrono::steady_clock::now() + options_.answer_limit;
  std::string left;
  {
    std::unique_lock lock(mutex_);
    idle_.wait_until(lock, until, [this] { return users_ == 0; });
    if (users_ > 0) left = std::to_string(users_) + " readers and writers";
  }
  if (!releases.stop(until)) left += (left.empty() ? "" : ", ") + std::string("removals");
  const std::shared_lock lock(drives_mutex_);
  for (const auto& [id, drive] : by_id_) drive->stop();
  // Whoever was waited for, the other drives end as they should.
  until = std::max(until, std::chrono::steady_clock::now() + kLeastLastWait);
  for (const auto& [id, drive] : by_id_) {
    if (!drive->stopped(until)) left += (left.empty() ? "" : ", ") + std::string("drive ") + id.to_string();
  }
  if (left.empty()) return {};
  return fail(Errc::kTimeout, "the blob store has not ended: " + left);
}

}  // namespace andromede::blob
