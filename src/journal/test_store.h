// TestStore: the embedded metadata engine over one drive in a temporary folder, its journal sealed as in production, to
// be closed and opened again. For the tests of journal, identity and keys.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "io/drives.h"
#include "io/temporary_folder.h"
#include "io/test_drive_seal.h"
#include "journal/journal.h"
#include "meta/rocksdb/mirrored_store.h"
#include "meta/test_record_seal.h"

namespace andromede::journal {

class TestStore {
 public:
  TestStore() {
    io::DriveMap map;
    map.cloud = CloudId::random(random_);
    io::DriveInfo drive;
    drive.id = DriveId::random(random_);
    drive.name = DriveName("drive-0");
    drive.site = SiteId("site-0");
    drive.associate = AssociateId("associate");
    drive.path = folder_.path();
    drive.mirrors_metadata = true;
    map.drives.push_back(drive);
    auto made = io::Drives::create(map, io::test_seal(),
                                   [](const io::DriveInfo& info) { return io::open_real_disk(info.path); });
    EXPECT_TRUE(made) << (made ? "" : made.error().describe());
    if (made) drives_ = std::move(*made);
    open();
  }
  ~TestStore() { close(); }
  TestStore(const TestStore&) = delete;
  TestStore& operator=(const TestStore&) = delete;

  void reopen() {
    close();
    open();
  }
  [[nodiscard]] meta::Store& store() { return *store_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] ManualClock& clock() { return clock_; }

  // Stores `value` under `key` of the partition "cloud", with `event` in the journal.
  Status put(const std::string& key, std::string value, std::string event) {
    meta::Commit change;
    change.partition = meta::kCloudPartition;
    change.put.push_back({{meta::Space::kRecords, key}, std::move(value)});
    change.event = std::move(event);
    TRY(const auto info, sync_wait(store_->commit(std::move(change), Deadline::never())));
    (void)info;
    return {};
  }
  Result<std::optional<std::string>> get(const std::string& key) {
    return sync_wait(store_->get({}, {meta::Space::kRecords, key}, Deadline::never()));
  }

 private:
  void open() {
    meta::MirroredOptions options;
    options.cache_bytes = 4 << 20;
    options.memtable_bytes = 1 << 20;
    options.log_segment_bytes = 256 << 10;
    options.create = true;
    sealer_ = std::make_unique<Sealer>();
    auto opened = meta::MirroredStore::open(*drives_, *sealer_, meta::test_record_seal(), clock_, metrics_, options);
    ASSERT_TRUE(opened) << opened.error().describe();
    store_ = std::move(*opened);
  }
  void close() {
    if (store_) store_->stop();
    store_.reset();
  }

  SeededRandom random_{1};
  ManualClock clock_{Timestamp{1'795'380'000'000}};
  Metrics metrics_;
  io::TemporaryFolder folder_;
  std::unique_ptr<io::Drives> drives_;
  std::unique_ptr<Sealer> sealer_;
  std::unique_ptr<meta::MirroredStore> store_;
};

}  // namespace andromede::journal
