// TestCloud: a few drives with their logs on FaultDisk and their states in temporary folders, and the metadata store
// over them, to be opened, crashed and opened again. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/test_eventually.h"
#include "crypto/digest.h"
#include "io/drives.h"
#include "io/fault_disk.h"
#include "io/temporary_folder.h"
#include "io/test_drive_seal.h"
#include "meta/rocksdb/mirrored_store.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {

// Links each entry to the one before by its checksum: "<sequence> <checksum of the previous entry> <event>".
class ChainSealer final : public LogSealer {
 public:
  Status restore(std::uint64_t last_sequence, ByteView last_entry) override {
    if (last_sequence > 0 && !as_text(last_entry).starts_with(std::to_string(last_sequence) + " ")) {
      return fail(Errc::kCorrupt, "a journal entry begins with its number");
    }
    sequence_ = last_sequence;
    last_ = std::string(as_text(last_entry));
    return {};
  }
  std::string seal(std::uint64_t sequence, std::string_view event) override {
    EXPECT_EQ(sequence, sequence_ + 1);
    sequence_ = sequence;
    last_ = entry(sequence, last_, event);
    // What no record can hold: the group fails after it was sealed.
    if (event == "huge") last_.append(1 << 20, 'x');
    return last_;
  }
  static std::string entry(std::uint64_t sequence, std::string_view previous, std::string_view event) {
    return std::to_string(sequence) + " " + std::to_string(crypto::crc32c(0, as_bytes(previous))) + " " +
           std::string(event);
  }

 private:
  std::uint64_t sequence_ = 0;
  std::string last_;
};

// For drives that hang: a sound mirror answers sooner, on a loaded machine too.
inline constexpr std::chrono::milliseconds kPatience{1'500};

class TestCloud {
 public:
  static constexpr std::size_t kMaxSites = 100;

  // The first `mirrors` of `drives` drives mirror the metadata. Each stands at a site of its own, or at one of so many.
  // With more mirrors than one, a map counts once two drives took it; so that one of two mirrors can be lost, there is
  // a drive more than mirrors then.
  explicit TestCloud(std::size_t drives = 1, std::size_t mirrors = 1, std::size_t sites = kMaxSites) {
    // RocksDB syncs its files for real, many times a test; what these tests lose is lost by FaultDisk.
    if (std::filesystem::is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 0);
    if (mirrors > 1) drives = std::max(drives, mirrors + 1);
    for (std::size_t i = 0; i < drives; ++i) {
      auto folder = std::make_unique<io::TemporaryFolder>();
      disks_[folder->path()] = io::FaultDisk::make(folder->path(), i + 1);
      folders_.push_back(std::move(folder));
    }
    io::DriveMap map;
    map.cloud = CloudId::random(random_);
    map.minimum.drives = map.minimum_before.drives = mirrors > 1 ? 2 : 1;
    for (std::size_t i = 0; i < drives; ++i) {
      const std::string name = "drive-" + std::to_string(i);
      map.drives.push_back({.id = DriveId::random(random_),
                            .name = DriveName(name),
                            .site = SiteId("site-" + std::to_string(i % sites)),
                            .associate = AssociateId("associate"),
                            .path = folders_[i]->path(),
                            .capacity_bytes = 0,
                            .state = io::DriveState::kActive,
                            .mirrors_metadata = i < mirrors});
      ids_.push_back(map.drives.back().id);
    }
    auto made = io::Drives::create(map, io::test_seal(), opener());
    EXPECT_TRUE(made) << (made ? "" : made.error().describe());
    if (made) drives_ = std::move(*made);
    options.cache_bytes = 8 << 20;
    options.memtable_bytes = 1 << 20;
    options.log_segment_bytes = 256 << 10;
    options.create = true;
  }
  ~TestCloud() { close(); }

  Status open() {
    sealer_ = std::make_unique<ChainSealer>();
    metrics_ = std::make_unique<Metrics>();
    TRY(store_, MirroredStore::open(*drives_, *sealer_, test_record_seal(), *clock, *metrics_, options));
    options.create = false;
    return {};
  }
  // As kill -9 does; the drives keep what was written.
  void kill() { store_.reset(); }
  void close() {
    if (store_) store_->stop();
    store_.reset();
  }
  // As a power loss does: each drive keeps what was synced and some of the rest.
  void lose_power(std::uint64_t seed) {
    store_.reset();
    drives_.reset();
    for (auto& [path, disk] : disks_) disk = disk->crash(seed++);
    reopen_drives();
  }
  void reopen_drives() {
    drives_.reset();
    std::vector<std::string> paths;
    for (const auto& folder : folders_) paths.push_back(folder->path());
    auto opened = io::open_drives(paths, opener());
    ASSERT_TRUE(opened) << opened.error().describe();
    drives_ = std::move(*opened);
  }

  // Gives up a drive for good and puts an empty one of another id at the same path.
  void replace_drive(std::size_t i) {
    std::filesystem::remove_all(root(i) + "/meta");
    disks_.at(root(i)) = io::FaultDisk::make(root(i), i + 100);
    const DriveId gone = std::exchange(ids_[i], DriveId::random(random_));
    const Status replaced = drives_->update([&](io::DriveMap& map) -> Status {
      io::DriveInfo fresh = *map.find(gone);
      fresh.id = ids_[i];
      fresh.mirrors_metadata = false;
      for (io::DriveInfo& drive : map.drives) {
        if (drive.id == gone) drive.state = io::DriveState::kReplaced;
      }
      map.drives.push_back(std::move(fresh));
      return {};
    });
    ASSERT_TRUE(replaced) << replaced.error().describe();
  }

  [[nodiscard]] MirroredStore& store() { return *store_; }
  [[nodiscard]] io::Drives& drives() { return *drives_; }
  [[nodiscard]] Metrics& metrics() { return *metrics_; }
  [[nodiscard]] io::FaultDisk& disk(std::size_t i) { return *disks_.at(folders_[i]->path()); }
  [[nodiscard]] std::string root(std::size_t i) const { return folders_[i]->path(); }
  [[nodiscard]] DriveId id(std::size_t i) const { return ids_[i]; }
  [[nodiscard]] bool current(std::size_t i) { return drives_->map()->find(ids_[i])->mirrors_metadata; }

  Result<CommitInfo> commit(Commit change) { return sync_wait(store_->commit(std::move(change), Deadline::never())); }
  Result<CommitInfo> put(const std::string& key, const std::string& value) {
    Commit change;
    change.put.push_back({{Space::kRecords, key}, value});
    change.event = "put " + key;
    return commit(std::move(change));
  }
  Result<std::optional<std::string>> get(const std::string& key, Space space = Space::kRecords) {
    return sync_wait(store_->get({}, {space, key}, Deadline::never()));
  }
  // The value; "absent"; or the error.
  std::string read(const std::string& key, Space space = Space::kRecords) {
    const auto value = get(key, space);
    if (!value) return value.error().describe();
    return *value ? **value : "absent";
  }
  // Checks that the journal has no gap and that its links hold; answers its length.
  std::uint64_t verify_journal() {
    std::string previous;
    std::uint64_t next = 1;
    for (;;) {
      Bytes key;
      append_be64(key, next);
      Scan scan;
      scan.space = Space::kJournal;
      scan.begin = std::string(as_text(key));
      auto items = sync_wait(store_->scan(scan));
      EXPECT_TRUE(items) << (items ? "" : items.error().describe());
      if (!items || items->empty()) break;
      for (const Item& item : *items) {
        EXPECT_EQ(read_be64(as_bytes(item.key)), next);
        const std::string event = item.value.substr(item.value.find(' ', item.value.find(' ') + 1) + 1);
        EXPECT_EQ(item.value, ChainSealer::entry(next, previous, event));
        previous = item.value;
        ++next;
      }
    }
    EXPECT_EQ(store_->last_sequence(), next - 1);
    return next - 1;
  }

  MirroredOptions options;
  const Clock* clock = &system_clock_;  // outlives the store

 private:
  io::Drives::OpenDisk opener() {
    return [this](const io::DriveInfo& drive) -> Result<std::unique_ptr<io::Disk>> {
      const auto found = disks_.find(drive.path);
      if (found == disks_.end()) return fail(Errc::kNotFound, drive.path);
      CHECK_OK(found->second->probe());
      return std::unique_ptr<io::Disk>(found->second->share());
    };
  }

  SeededRandom random_{1};
  SystemClock system_clock_;
  std::vector<std::unique_ptr<io::TemporaryFolder>> folders_;
  std::map<std::string, std::unique_ptr<io::FaultDisk>> disks_;
  std::vector<DriveId> ids_;
  std::unique_ptr<io::Drives> drives_;
  std::unique_ptr<ChainSealer> sealer_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<MirroredStore> store_;
};

}  // namespace andromede::meta
