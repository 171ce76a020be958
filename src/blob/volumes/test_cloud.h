// A cloud of fault-injecting drives with a volume store on top. For this folder's tests only.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <thread>

#include "base/test_bytes.h"
#include "base/test_eventually.h"
#include "blob/volumes/test_forgery.h"
#include "blob/volumes/volume_store.h"
#include "io/fault_disk.h"
#include "io/test_drive_seal.h"

namespace andromede::blob {

inline Result<ShardedBlob> finish(Writer& writer) {
  TRY(const BlobRef ref, sync_wait(writer.finish()));
  return sharded(ref);
}

// The catalog that objects/ keeps in the metadata, as a map.
class MapCatalog final : public ShardCatalog {
 public:
  Result<std::vector<ShardedBlob>> list(BlobId after, std::size_t limit) override {
    std::vector<ShardedBlob> page;
    for (auto it = refs.upper_bound(after); it != refs.end() && page.size() < limit; ++it) page.push_back(it->second);
    return page;
  }
  Result<std::optional<ShardedBlob>> find(BlobId id) override {
    const auto found = refs.find(id);
    return found == refs.end() ? std::nullopt : std::optional(found->second);
  }
  Status replace(const ShardedBlob& before, const ShardedBlob& after) override {
    const auto found = refs.find(before.id);
    if (found == refs.end() || found->second != before) return fail(Errc::kConflict, "changed");
    found->second = after;
    return {};
  }
  std::map<BlobId, ShardedBlob> refs;
};

// What a test that fails or hangs each operation in turn does at most.
inline constexpr std::uint64_t kMostOperations = 300;

class TestCloud {
 public:
  static VolumeOptions small_volumes() {
    return {.volume_bytes = 8U << 20, .reserve_bytes = 0, .whole_region_bytes = 256U << 10, .threads_per_drive = 2};
  }

  explicit TestCloud(unsigned drives, VolumeOptions options = small_volumes(), std::uint64_t seed = 1)
      : random(seed), options_(options) {
    io::DriveMap map;
    map.cloud = CloudId::random(random);
    for (unsigned i = 0; i < drives; ++i) {
      const std::string path = "/drive-" + std::to_string(i);
      disks_[path] = io::FaultDisk::make(path, seed + i);
      paths_.push_back(path);
      ids_.push_back(DriveId::random(random));
      map.drives.push_back({.id = ids_.back(),
                            .name = DriveName("d" + std::to_string(i)),
                            .site = SiteId("s" + std::to_string(i)),
                            .associate = AssociateId("a"),
                            .path = path});
    }
    auto made = io::Drives::create(map, io::test_seal(), opener());
    EXPECT_TRUE(made) << made.error().describe();
    drives_ = *std::move(made);
    open_store();
  }
  TestCloud(const TestCloud&) = delete;
  TestCloud& operator=(const TestCloud&) = delete;
  ~TestCloud() { close(); }

  void open_store() {
    auto opened = VolumeStore::open(*drives_, clock, random, metrics, options_);
    EXPECT_TRUE(opened) << opened.error().describe();
    store_ = *std::move(opened);
  }
  void close_store() {
    if (store_ != nullptr) store_->stop();
    store_ = nullptr;
  }
  void close() {
    close_store();
    if (drives_ != nullptr) drives_->stop();
    drives_ = nullptr;
  }
  void reopen() {
    auto opened = io::open_drives(paths_, opener());
    EXPECT_TRUE(opened) << opened.error().describe();
    drives_ = *std::move(opened);
    open_store();
  }
  // Ends the store and starts it again on the same drives.
  void restart() {
    close_store();
    open_store();
  }
  // The same after a power loss at this moment, faults gone.
  void crash(std::uint64_t seed) {
    std::map<std::string, std::unique_ptr<io::FaultDisk>> after;
    for (const auto& [path, disk] : disks_) after[path] = disk->crash(seed++);
    close();
    disks_ = std::move(after);
    reopen();
  }

  [[nodiscard]] VolumeStore& store() { return *store_; }
  [[nodiscard]] io::Drives& drives() { return *drives_; }
  [[nodiscard]] io::FaultDisk& disk(unsigned i) { return *disks_.at(paths_.at(i)); }
  [[nodiscard]] DriveId id(unsigned i) const { return ids_.at(i); }
  // The first drives, in order.
  [[nodiscard]] Target target(Code code) const {
    return {.code = code, .drives = {ids_.begin(), ids_.begin() + code.total()}};
  }
  // Makes the shard another, with right checksums.
  void forge(const ShardedBlob& ref, unsigned shard) {
    const ShardPlace& place = ref.shards[shard];
    const auto drive = std::find(ids_.begin(), ids_.end(), place.drive) - ids_.begin();
    const auto file = disk(static_cast<unsigned>(drive)).open(volume_path(place.volume), io::OpenMode::kReadWrite);
    ASSERT_TRUE(file);
    Bytes record(RecordLayout(ref.code, ref.size_bytes).used_bytes());
    ASSERT_TRUE((*file)->read_at(place.offset, record));
    blob::forge(record, ref, shard);
    ASSERT_TRUE((*file)->write_at(place.offset, record));
    ASSERT_TRUE((*file)->sync());
  }
  void take_offline(unsigned i) {
    disk(i).set_offline(true);
    drives_->report_failure(id(i), Error(make_error_code(Errc::kIo), "taken away by the test"));
  }

  Result<ShardedBlob> put(const Target& target, ByteView data, std::optional<std::uint64_t> announced = std::nullopt,
                          std::size_t piece = 100000) {
    return sync_wait(put_task(BlobId::random(random), target, data, announced.value_or(data.size()), piece));
  }
  Result<Bytes> get(const ShardedBlob& ref) { return get(ref, 0, ref.size_bytes); }
  Result<Bytes> get(const ShardedBlob& ref, std::uint64_t offset, std::uint64_t length, ShardSet without = 0) {
    return sync_wait(get_task(ref, offset, length, without));
  }
  // Once all is counted.
  [[nodiscard]] Result<DriveUsage> usage(unsigned i) {
    CHECK_OK(store_->count(id(i), {}));
    return store_->usage(id(i));
  }
  [[nodiscard]] std::uint64_t shards(unsigned i) {
    const auto now = usage(i);
    return now ? now->shards : 0;
  }
  [[nodiscard]] std::uint64_t all_shards() {
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < paths_.size(); ++i) sum += shards(i);
    return sum;
  }
  // Once all is counted, since counting removes those that hold nothing.
  [[nodiscard]] std::size_t volume_files(unsigned i) {
    static_cast<void>(usage(i));
    const auto names = disk(i).list("volumes");
    return names ? names->size() : 0;
  }
  [[nodiscard]] static std::string volume_path(std::uint32_t number) {
    std::string digits = std::to_string(number);
    return "volumes/" + std::string(8 - std::min<std::size_t>(digits.size(), 8), '0') + digits + ".vol";
  }

  SeededRandom random;
  ManualClock clock{Timestamp{1700000000000}};
  Metrics metrics;

 private:
  io::Drives::OpenDisk opener() {
    return [this](const io::DriveInfo& drive) -> Result<std::unique_ptr<io::Disk>> {
      return std::unique_ptr<io::Disk>(disks_.at(drive.path)->share());
    };
  }
  Task<Result<ShardedBlob>> put_task(BlobId id, Target target, ByteView data, std::uint64_t announced,
                                     std::size_t piece) {
    CO_TRY(auto writer, co_await store_->open_writer(id, target, announced, Deadline::never()));
    while (!data.empty()) {
      const ByteView part = data.first(std::min(piece, data.size()));
      CO_CHECK_OK(co_await writer->write(part));
      data = data.subspan(part.size());
    }
    CO_TRY(const BlobRef ref, co_await writer->finish());
    co_return sharded(ref);
  }
  Task<Result<Bytes>> get_task(ShardedBlob ref, std::uint64_t offset, std::uint64_t length, ShardSet without) {
    CO_TRY(auto reader, co_await store_->open_reader(ref, offset, length, Deadline::never(), without));
    Bytes out;
    for (;;) {
      CO_TRY(const ByteView part, co_await reader->read());
      if (part.empty()) co_return out;
      out.insert(out.end(), part.begin(), part.end());
    }
  }

  const VolumeOptions options_;
  std::map<std::string, std::unique_ptr<io::FaultDisk>> disks_;
  std::vector<std::string> paths_;
  std::vector<DriveId> ids_;
  std::unique_ptr<io::Drives> drives_;
  std::unique_ptr<VolumeStore> store_;
};

}  // namespace andromede::blob
