#include "blob/volumes/volume_store.h"

#include "base/check.h"
#include "base/log.h"
#include "blob/volumes/maintenance.h"
#include "blob/volumes/reader.h"
#include "blob/volumes/store_core.h"
#include "blob/volumes/writer.h"

namespace andromede::blob {
namespace {

// Drives tells listeners for ever; this is what of the store they reach, until it stops.
struct Link {
  std::mutex mutex;
  StoreCore* core = nullptr;
};

void attach_or_warn(StoreCore& core, DriveId id) {
  if (const auto attached = core.attach(id); !attached) {
    log_warning("drive not attached", {{"drive", id.to_string()}, {"error", attached.error().describe()}});
  }
}

class VolumeStoreImpl final : public VolumeStore {
 public:
  VolumeStoreImpl(io::Drives& drives, const Clock& clock, Random& random, Metrics& metrics, VolumeOptions options)
      : core_(drives, clock, random, metrics, options), link_(std::make_shared<Link>()) {
    link_->core = &core_;
  }
  VolumeStoreImpl(const VolumeStoreImpl&) = delete;
  VolumeStoreImpl& operator=(const VolumeStoreImpl&) = delete;
  ~VolumeStoreImpl() override { static_cast<void>(stop_now()); }

  void start(io::Drives& drives) {
    std::vector<std::thread> threads;
    const auto map = drives.map();
    for (const auto& drive : map->drives) {
      if (!drives.online(drive.id)) continue;
      threads.emplace_back([this, id = drive.id] { attach_or_warn(core_, id); });
    }
    for (auto& thread : threads) thread.join();
    drives.subscribe([link = link_](DriveId id, bool online) {
      const std::lock_guard lock(link->mutex);
      if (!online || link->core == nullptr) return;
      StoreCore* const core = link->core;
      // Attaching looks at the drive: not on the thread that watches all of them.
      if (!core->recovery_pool.post([core, id] { attach_or_warn(*core, id); })) {
        log_warning("a drive that came back is not attached yet", {{"drive", id.to_string()}});
      }
    });
  }

  void end_waits() override { core_.end_waits(); }
  Status stop() override { return stop_now(); }

  Task<Result<std::unique_ptr<Writer>>> open_writer(BlobId id, Target target, std::uint64_t size_bytes,
                                                    Deadline deadline) override {
    return open_volume_writer(core_, id, std::move(target), size_bytes, deadline);
  }
  Task<Result<std::unique_ptr<Reader>>> open_reader(ShardedBlob ref, std::uint64_t offset, std::uint64_t length,
                                                    Deadline deadline, ShardSet without) override {
    return open_volume_reader(core_, std::move(ref), offset, length, deadline, without);
  }
  void distrust(const ShardedBlob& ref, ShardSet shards) override { core_.distrust(ref, shards); }
  void remove(const ShardedBlob& ref) override {
    for (unsigned i = 0; i < ref.shards.size(); ++i) release_shard(ref.id, i, ref.shards[i]);
  }

  Result<ShardPlace> copy_shard(const ShardedBlob& ref, unsigned index, DriveId to, const Pace& pace) override {
    return blob::copy_shard(core_, ref, index, to, pace);
  }
  void release_shard(BlobId blob, unsigned index, ShardPlace place) override {
    core_.releases.release(blob, index, place);
  }
  Result<ShardHealth> verify_shard(const ShardedBlob& ref, unsigned index, const Pace& pace) override {
    return blob::verify_shard(core_, ref, index, pace);
  }
  Result<bool> verify_blob(const ShardedBlob& ref, Authenticator& authenticator, const Pace& pace) override {
    return blob::verify_blob(core_, ref, authenticator, pace);
  }
  [[nodiscard]] Presence presence(const ShardPlace& place) const override {
    const DriveVolumes* const found = core_.drive(place.drive);
    return found == nullptr ? Presence::kUnknown : found->presence(place.volume, place.offset);
  }
  Result<ShardPlace> repair_shard(const ShardedBlob& ref, unsigned index, const Pace& pace) override {
    if (index >= ref.shards.size()) return fail(Errc::kInvalidArgument, "the blob has no such shard");
    auto place = blob::copy_shard(core_, ref, index, ref.shards[index].drive, pace);
    if (place) core_.repaired.add();
    return place;
  }
  Result<Reclaimed> reclaim_orphans(DriveId drive, ShardCatalog& catalog, std::chrono::milliseconds grace, Share share,
                                    const GoOn& go_on) override {
    return blob::reclaim_orphans(core_, drive, catalog, grace, share, go_on);
  }
  Result<DriveUsage> usage(DriveId drive) override {
    TRY(DriveVolumes* const found, find(drive));
    return found->usage();
  }
  Status count(DriveId drive, const GoOn& go_on) override {
    TRY(DriveVolumes* const found, find(drive));
    return found->count(go_on ? go_on : [] { return true; });
  }
  Status attach(DriveId drive) override { return core_.attach(drive); }
  Status detach_empty(DriveId drive) override {
    TRY(DriveVolumes* const found, find(drive));
    return found->detach_empty();
  }
  std::vector<BlobId> take_damaged() override { return core_.take_damaged(); }
  [[nodiscard]] std::uint64_t short_writes() const override { return core_.short_writes; }

 private:
  Result<DriveVolumes*> find(DriveId id) const {
    DriveVolumes* const found = core_.drive(id);
    if (found == nullptr) return fail(Errc::kUnavailable, "drive " + id.to_string() + " is not attached");
    return found;
  }
  Status stop_now() {
    {
      const std::lock_guard lock(link_->mutex);
      if (std::exchange(link_->core, nullptr) == nullptr) return {};
    }
    return core_.stop();
  }

  StoreCore core_;
  const std::shared_ptr<Link> link_;
};

}  // namespace

Result<std::unique_ptr<VolumeStore>> VolumeStore::open(io::Drives& drives, const Clock& clock, Random& random,
                                                       Metrics& metrics, VolumeOptions options) {
  if (options.volume_bytes < kPageBytes || options.whole_region_bytes < kPageBytes || options.threads_per_drive == 0) {
    return fail(Errc::kInvalidArgument, "volumes and regions have at least a page, drives at least a thread");
  }
  auto store = std::make_unique<VolumeStoreImpl>(drives, clock, random, metrics, options);
  store->start(drives);
  return std::unique_ptr<VolumeStore>(std::move(store));
}

}  // namespace andromede::blob
