// TestCloud: a whole cloud under a temporary folder: drives, metadata, volumes, keys, two accounts and the service on
// top. With ANDROMEDE_TEST_METADATA=memory in the environment the metadata are those of meta/memory, whose partitions
// split at random by a seed that is told on failure (ANDROMEDE_TEST_SEED=N is that again). For tests only.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "base/test_eventually.h"
#include "blob/volumes/placed_store.h"
#include "blob/volumes/test_forgery.h"
#include "blob/volumes/volume_store.h"
#include "identity/directory.h"
#include "io/drives.h"
#include "io/temporary_folder.h"
#include "io/test_drive_seal.h"
#include "journal/journal.h"
#include "keys/key_service.h"
#include "keys/test_custody.h"
#include "meta/memory/memory_store.h"
#include "meta/rocksdb/mirrored_store.h"
#include "meta/test_forwarding_store.h"
#include "meta/test_record_seal.h"
#include "objects/layout.h"
#include "objects/records.h"
#include "objects/service.h"
#include "objects/test_pool_store.h"

namespace andromede::objects {

// That of the error of a result; none: it has a value.
std::error_code code_of(const auto& result) { return result ? std::error_code{} : result.error().code(); }

// Blobs of code {1, 0} on the first drive, of 2+2 over four, or in pools that know no drive.
enum class Spread { kOneDrive, kFourDrives, kPools };

// What a test does while the service is at its metadata. Not to be set while requests are under way.
struct Watch {
  using OnCommit = std::function<std::optional<Error>(const meta::Commit&)>;
  OnCommit before_commit;  // an error: the commit is not made and fails with it
  OnCommit after_commit;   // an error: the commit is made and fails all the same
  std::function<void()> before_cursor;
  std::function<void(const std::string& key)> after_get;  // between a get's look and its answer
};

// The metadata as the service sees them.
class WatchedStore final : public meta::ForwardingStore {
 public:
  WatchedStore(meta::Store& store, const Watch& watch) : ForwardingStore(store), watch_(watch) {}
  Task<Result<meta::CommitInfo>> commit(meta::Commit change, Deadline deadline) override {
    meta::Commit shown = change;
    co_return co_await watched(std::move(shown), ForwardingStore::commit(std::move(change), deadline));
  }
  Task<Result<std::optional<std::string>>> get(meta::Partition partition, meta::Key key, Deadline deadline) override {
    const std::string bytes = key.bytes;
    auto value = co_await ForwardingStore::get(std::move(partition), std::move(key), deadline);
    if (watch_.after_get) watch_.after_get(bytes);
    co_return value;
  }
  // By gets, so that these are watched.
  Task<Result<meta::Followed>> get_following(meta::Partition partition, meta::Key key, const meta::NamedKey& named,
                                             Deadline deadline) override {
    return Store::get_following(std::move(partition), std::move(key), named, deadline);
  }
  std::unique_ptr<meta::Cursor> cursor(meta::CursorRange range) override {
    if (watch_.before_cursor) watch_.before_cursor();
    return ForwardingStore::cursor(std::move(range));
  }
  // What becomes of a root is shown as the commit that it is.
  Task<Status> create_root(meta::RootId root, Deadline deadline) override {
    return watched(of(root), ForwardingStore::create_root(root, deadline));
  }
  Task<Status> close_root(meta::RootId root, meta::ClosingMark mark, Deadline deadline) override {
    return watched(of(root, true), ForwardingStore::close_root(root, mark, deadline));
  }
  Task<Status> open_root(meta::RootId root, Deadline deadline) override {
    return watched(of(root, true), ForwardingStore::open_root(root, deadline));
  }
  Task<Result<meta::CommitInfo>> end_root(meta::RootId root, meta::RootEnd end, Deadline deadline) override {
    meta::Commit change = of(root, true);
    change.event = end.event;
    change.unwitnessed = nullptr;
    return watched(std::move(change), ForwardingStore::end_root(root, std::move(end), deadline));
  }
  Task<Status> forget_root(meta::RootId root, Deadline deadline) override {
    return watched(of(root), ForwardingStore::forget_root(root, deadline));
  }

 private:
  static meta::Commit of(meta::RootId root, bool gives_back = false) {
    meta::Commit change;
    change.partition.root = root;
    change.gives_back = gives_back;
    change.unwitnessed = "of a root";
    return change;
  }
  // `made` is lazy: it is made between the two.
  template <typename T>
  Task<Result<T>> watched(meta::Commit change, Task<Result<T>> made) {
    if (watch_.before_commit) {
      if (std::optional<Error> error = watch_.before_commit(change)) co_return fail(std::move(*error));
    }
    auto done = co_await std::move(made);
    if (done && watch_.after_commit) {
      if (std::optional<Error> error = watch_.after_commit(change)) co_return fail(std::move(*error));
    }
    co_return done;
  }

  const Watch& watch_;
};

// The records as the catalog sees them.
class WatchedEveryRoot final : public meta::EveryRoot {
 public:
  WatchedEveryRoot(meta::EveryRoot& all, const Watch& watch) : all_(all), watch_(watch) {}
  Task<Result<std::optional<std::string>>> get_anywhere(meta::Key key, Deadline deadline) override {
    const std::string bytes = key.bytes;
    auto value = co_await all_.get_anywhere(std::move(key), deadline);
    if (watch_.after_get) watch_.after_get(bytes);
    co_return value;
  }
  Task<Result<std::vector<meta::Item>>> scan_anywhere(meta::Scan scan) override {
    return all_.scan_anywhere(std::move(scan));
  }
  Task<Result<meta::CommitInfo>> commit_anywhere(meta::Commit change, Deadline deadline) override {
    return all_.commit_anywhere(std::move(change), deadline);
  }
  Task<Result<std::vector<meta::CopyAnswer>>> get_everywhere(meta::Key key, Deadline deadline) override {
    return all_.get_everywhere(std::move(key), deadline);
  }
  Task<Result<std::vector<meta::Item>>> scan_everywhere(meta::Scan scan) override {
    return all_.scan_everywhere(std::move(scan));
  }
  [[nodiscard]] std::size_t max_scan_items() const override { return all_.max_scan_items(); }

 private:
  meta::EveryRoot& all_;
  const Watch& watch_;
};

// The blobs as the service sees them: remembers what it gave back.
class WatchedBlobs final : public blob::Store {
 public:
  explicit WatchedBlobs(blob::Store& store) : store_(store) {}
  Task<Result<std::unique_ptr<blob::Writer>>> open_writer(BlobId id, PolicyId policy, std::uint64_t size_bytes,
                                                          Deadline deadline) override {
    return store_.open_writer(id, std::move(policy), size_bytes, deadline);
  }
  Task<Result<std::unique_ptr<blob::Reader>>> open_reader(blob::BlobRef ref, std::uint64_t offset, std::uint64_t length,
                                                          Deadline deadline, blob::Suspects without) override {
    return store_.open_reader(std::move(ref), offset, length, deadline, without);
  }
  [[nodiscard]] std::vector<blob::Suspects> suspects(const blob::BlobRef& ref, blob::Suspects known,
                                                     std::size_t most) const override {
    return store_.suspects(ref, known, most);
  }
  void distrust(const blob::BlobRef& ref, blob::Suspects liars) override { store_.distrust(ref, liars); }
  void remove(blob::BlobRef ref) override {
    {
      const std::lock_guard lock(mutex_);
      removed_.push_back(ref.id);
    }
    store_.remove(std::move(ref));
  }
  [[nodiscard]] std::vector<BlobId> removed() const {
    const std::lock_guard lock(mutex_);
    return removed_;
  }

 private:
  blob::Store& store_;
  mutable std::mutex mutex_;
  std::vector<BlobId> removed_;
};

// The system's clock, which a test may put forward.
class HastyClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return {clock_.now().ms + ahead_ms_.load()}; }
  [[nodiscard]] SteadyTime steady() const override {
    return clock_.steady() + std::chrono::milliseconds(ahead_ms_.load());
  }
  void advance(std::chrono::milliseconds by) { ahead_ms_ += by.count(); }

 private:
  SystemClock clock_;
  std::atomic<std::int64_t> ahead_ms_{0};
};

class TestCloud {
 public:
  static constexpr unsigned kAccounts = 2;

  explicit TestCloud(Options options = {}, Spread spread = Spread::kOneDrive)
      : spread_(spread), options_(options), placer_(*this) {
    set_log_level(LogLevel::kWarning);
    io::DriveMap map;
    map.cloud = CloudId::random(random_);
    const unsigned count = spread == Spread::kFourDrives ? 4 : 1;
    for (unsigned i = 0; i < count; ++i) {
      io::DriveInfo drive;
      drive.id = DriveId::random(random_);
      drive.name = DriveName("drive-" + std::to_string(i));
      drive.site = SiteId("site-" + std::to_string(i));
      drive.associate = AssociateId("associate-" + std::to_string(i));
      drive.path = folder_.path() + "/" + drive.name.value();
      drive.mirrors_metadata = i == 0;
      std::filesystem::create_directory(drive.path);
      drives_ids_.push_back(drive.id);
      map.drives.push_back(drive);
    }
    drives_ = must(io::Drives::create(map, io::test_seal(), [](const io::DriveInfo& drive) {
      return io::open_real_disk(drive.path, drive.capacity_bytes);
    }));
    start();
    for (unsigned i = 0; i < kAccounts; ++i) {
      const identity::Account& account = accounts_[i];
      contexts_[i].principal = {identity::PrincipalKind::kAccountRoot, account, "AKIATESTTESTTESTTEST"};
      contexts_[i].request_id = "request";
      contexts_[i].source_address = "127.0.0.1";
      contexts_[i].peer = "127.0.0.1";
      contexts_[i].user_agent = "test";
      must(sync_wait(directory_->create_account(account, identity::operator_context("test"))));
      must(sync_wait(keys_->create_tenant_key(account.id, identity::operator_context("test"))));
    }
  }
  ~TestCloud() {
    stop();
    if (memory_ && testing::Test::HasFailure()) std::cerr << "ANDROMEDE_TEST_SEED=" << seed_ << '\n';
  }

  // For what is only the embedded engine's.
  static bool in_memory() { return setting("ANDROMEDE_TEST_METADATA") == "memory"; }

  [[nodiscard]] HastyClock& clock() { return clock_; }
  // Stops everything and starts it again on the same drives.
  void restart() {
    stop();
    start();
  }

  // Of who asks with a key of the account's.
  [[nodiscard]] const identity::Context& context(unsigned account = 0) const { return contexts_[account]; }
  // The same, who waits until `stop`.
  [[nodiscard]] identity::Context context_until(std::stop_token stop) const {
    identity::Context context = contexts_[0];
    context.stop = std::move(stop);
    return context;
  }

  Watch watch;
  std::uint64_t inline_limit_bytes = 32 * 1024;  // of the policy "standard"; "apart" has none
  meta::MirroredOptions meta_options;            // for the next start
  keys::KeyOptions key_options;                  // likewise

  Service& service() { return *service_; }
  meta::Store& meta() { return *meta_; }
  meta::EveryRoot& every_root() { return *every_root_; }
  // A completion of so many parts is one commit, larger than every engine takes; nothing else is.
  void take_ten_thousand_parts() {
    meta::Limits limits = meta::kLeastLimits;
    limits.commit_bytes = 16 << 20;
    if (memory_) memory_->set_limits(limits);
  }
  // A record, wherever it is.
  std::optional<std::string> stored(const std::string& key, meta::Space space = meta::Space::kRecords) {
    return must(sync_wait(every_root().get_anywhere({space, key}, Deadline::never())));
  }
  // Behind the service's back, in the partition of what is there already.
  void change(meta::Commit change) {
    change.unwitnessed = "a test";
    must(sync_wait(every_root().commit_anywhere(std::move(change), Deadline::never())));
  }
  identity::Directory& directory() { return *directory_; }
  keys::KeyService& key_service() { return *keys_; }
  keys::TestCustody& custody() { return *custody_; }
  Random& random() { return random_; }

  // As the service's thread would, to the end.
  void clean_up() {
    while (must(sync_wait(service_->clean_up()))) {
    }
  }
  // An object whose parts lie apart, made directly, as a completion leaves it: the parts' bodies, which never were,
  // would take minutes.
  void put_long_object(BucketId bucket, const std::string& key) {
    ObjectRecord record;
    record.head.parts = 1500;
    record.head.size_bytes = record.head.parts * kMinPartBytes;
    record.upload = UploadId::random(random_);
    meta::Commit change;
    change.partition = layout::partition(bucket, key);
    change.unwitnessed = "a test";
    std::uint32_t number = 0;
    for (std::uint32_t list = 0; list < 3; ++list) {
      std::vector<PartRecord> parts(kPartsPerList);
      for (PartRecord& part : parts) {
        part.number = ++number;
        part.size_bytes = kMinPartBytes;
        part.pieces = {{BlobId::random(random_), kMinPartBytes, false, KeyId{}, Bytes(40, 1)}};
      }
      record.lists.push_back({number, kPartsPerList * kMinPartBytes});
      change.put.push_back({{meta::Space::kRecords, layout::part_list(record.upload, list)}, encode(parts)});
    }
    change.put.push_back({{meta::Space::kRecords, layout::object(bucket, key)}, encode(record)});
    must(sync_wait(meta_->commit(std::move(change), Deadline::never())));
  }
  // Every key of a space, in order.
  std::vector<std::string> keys(meta::Space space = meta::Space::kRecords) {
    std::vector<std::string> all;
    meta::Scan scan;
    scan.space = space;
    scan.keys_only = true;
    while (true) {
      const auto items = must(sync_wait(every_root().scan_anywhere(scan)));
      for (const meta::Item& item : items) all.push_back(item.key);
      if (items.size() < scan.limit) return all;
      scan.begin = items.back().key + '\0';
    }
  }

  // How many blobs the records name, and how many payloads lie in the metadata.
  std::size_t blobs() { return blob_refs().size(); }
  [[nodiscard]] std::vector<blob::BlobRef> blob_refs() { return must(service_->catalog().list(BlobId{}, 4096)); }
  // The blobs that the service gave back since the start, in their order.
  [[nodiscard]] std::vector<BlobId> removed() const { return watched_blobs_->removed(); }
  std::size_t payloads() {
    meta::Scan scan;
    scan.space = meta::Space::kInline;
    scan.limit = every_root().max_scan_items();
    scan.keys_only = true;
    return must(sync_wait(every_root().scan_anywhere(scan))).size();
  }
  // How many shards lie on the first drive, once removals under way have ended, or objects in pools.
  std::uint64_t shards() {
    if (spread_ == Spread::kPools) return pools_.count();
    must(volumes_->count(drives_ids_.front(), {}));
    return must(volumes_->usage(drives_ids_.front())).shards;
  }
  blob::VolumeStore& volumes() { return *volumes_; }
  blob::Store& blob_store() {
    if (spread_ == Spread::kPools) return pools_;
    return *placed_;
  }
  PoolStore& pools() { return pools_; }
  // As the scrub asks.
  Result<bool> verify(const blob::BlobRef& ref) {
    return volumes_->verify_blob(must(blob::sharded(ref)), service_->authenticator(), {});
  }
  // Shards of the drive that were found to be forged.
  std::uint64_t lies(unsigned drive) { return must(volumes_->usage(drives_ids_.at(drive))).lies; }
  // Until it is probed.
  void take_offline(unsigned drive) {
    drives_->report_failure(drives_ids_.at(drive), Error(make_error_code(Errc::kIo), "a test"));
  }
  // Makes a shard of a blob on the drives in their order another, with right checksums.
  void forge(const blob::BlobRef& ref, unsigned shard) {
    const blob::ShardedBlob blob = must(blob::sharded(ref));
    const auto map = drives_->map();
    blob::forge(map->find(blob.shards.at(shard).drive)->path, blob, shard);
  }
  // Plaintext bytes that were read of objects since the start.
  double bytes_read() {
    const std::string name = "\nandromede_objects_read_bytes_total ";
    const std::string text = metrics_->render();
    return std::stod(text.substr(text.find(name) + name.size()));
  }
  meta::Usage usage(BucketId bucket) { return must(sync_wait(meta_->usage(layout::root(bucket), Deadline::never()))); }
  // Ends a bucket's root without a word to its service, as a crash in a deletion, or another process, leaves it.
  void end_root(BucketId bucket) {
    meta::RootEnd end;
    end.left = "a test";
    end.event = "{}";
    must(sync_wait(meta_->close_root(layout::root(bucket), end.mark, Deadline::never())));
    must(sync_wait(meta_->end_root(layout::root(bucket), end, Deadline::never())));
  }

  template <typename T>
  static T must(Result<T> result) {
    CHECK(result.has_value(), result.error().describe().c_str());
    return std::move(*result);
  }
  static void must(const Status& status) { CHECK(status.has_value(), status.error().describe().c_str()); }

 private:
  // The drives in their order: what a test stores is not spread by policy.
  class FixedPlacer final : public StoragePolicies, public blob::Placer {
   public:
    explicit FixedPlacer(const TestCloud& cloud) : cloud_(cloud) {}
    Result<PolicyId> choose(const PolicyId& wanted) override {
      if (wanted.empty()) return PolicyId("standard");
      if (wanted == PolicyId("standard") || wanted == PolicyId("apart")) return wanted;
      return fail(no_such_policy("standard, apart"));
    }
    std::uint64_t inline_limit_bytes(const PolicyId& policy) override {
      return policy == PolicyId("apart") ? 0 : cloud_.inline_limit_bytes;
    }
    Result<blob::Target> place(const PolicyId& policy, std::uint64_t) override {
      if (cloud_.spread_ == Spread::kOneDrive) return blob::Target{{1, 0}, cloud_.drives_ids_, policy};
      return blob::Target{{2, 2}, cloud_.drives_ids_, policy};
    }
    Result<std::vector<DriveId>> replace(const PolicyId&, const std::vector<std::optional<DriveId>>&,
                                         const std::vector<DriveId>&, std::uint64_t) override {
      return fail(Errc::kUnsupported, "not here");
    }

   private:
    const TestCloud& cloud_;
  };

  static std::string setting(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : value;
  }
  static std::uint64_t chosen_seed() {
    const std::string chosen = setting("ANDROMEDE_TEST_SEED");
    return chosen.empty() ? std::random_device{}() : std::stoull(chosen);
  }
  void start() {
    metrics_ = std::make_unique<Metrics>();
    sealer_ = std::make_unique<journal::Sealer>();
    meta_options.create = true;
    // Filled with zeros and synced at each start; as large as the largest commit needs.
    meta_options.log_segment_bytes = 2 * (16 << 20);
    if (memory_) {
      must(memory_->go_on_with(*sealer_));
    } else if (in_memory()) {
      memory_ = std::make_unique<meta::MemoryStore>(*sealer_, clock_, meta::MemoryStore::Options{.seed = seed_});
    } else {
      mirrored_ = must(
          meta::MirroredStore::open(*drives_, *sealer_, meta::test_record_seal(), clock_, *metrics_, meta_options));
    }
    meta_ = memory_ ? static_cast<meta::Store*>(memory_.get()) : mirrored_.get();
    every_root_ = memory_ ? static_cast<meta::EveryRoot*>(memory_.get()) : mirrored_.get();
    volumes_ = must(blob::VolumeStore::open(*drives_, clock_, random_, *metrics_, {}));
    keys_ = std::make_unique<keys::KeyService>(custody_, *meta_, clock_, random_, key_options);
    directory_ = std::make_unique<identity::Directory>(must(crypto::SecretKey::from_bytes(Bytes(32, 7))), *meta_,
                                                       clock_, random_);
    must(sync_wait(directory_->load()));
    watched_ = std::make_unique<WatchedStore>(*meta_, watch);
    watched_every_root_ = std::make_unique<WatchedEveryRoot>(*every_root_, watch);
    placed_ = blob::make_placed_store(*volumes_, placer_);
    watched_blobs_ = std::make_unique<WatchedBlobs>(blob_store());
    service_ = Service::make(*watched_, *watched_every_root_, *watched_blobs_, *keys_, placer_, *directory_, clock_,
                             random_, *metrics_, options_);
  }
  void stop() {
    service_.reset();
    watched_.reset();
    watched_every_root_.reset();
    watched_blobs_.reset();
    directory_.reset();
    keys_.reset();
    placed_.reset();
    volumes_->stop();
    volumes_.reset();
    if (mirrored_) mirrored_->stop();
    mirrored_.reset();
  }

  const Spread spread_;
  const Options options_;
  const std::array<identity::Account, kAccounts> accounts_{
      identity::Account{AccountId("000000000001"), "Culture", std::string(64, 'a')},
      identity::Account{AccountId("000000000002"), "Orléans", std::string(64, 'b')}};
  std::array<identity::Context, kAccounts> contexts_;
  io::TemporaryFolder folder_;
  HastyClock clock_;
  SystemRandom random_;
  const std::shared_ptr<keys::TestCustody> custody_ = std::make_shared<keys::TestCustody>(random_);
  std::vector<DriveId> drives_ids_;
  FixedPlacer placer_;
  std::unique_ptr<io::Drives> drives_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<journal::Sealer> sealer_;
  const std::uint64_t seed_ = chosen_seed();
  std::unique_ptr<meta::MemoryStore> memory_;  // lasts over a restart, as drives do
  std::unique_ptr<meta::MirroredStore> mirrored_;
  meta::Store* meta_ = nullptr;
  meta::EveryRoot* every_root_ = nullptr;
  std::unique_ptr<blob::VolumeStore> volumes_;
  std::unique_ptr<blob::Store> placed_;
  PoolStore pools_;
  std::unique_ptr<keys::KeyService> keys_;
  std::unique_ptr<identity::Directory> directory_;
  std::unique_ptr<WatchedStore> watched_;
  std::unique_ptr<WatchedEveryRoot> watched_every_root_;
  std::unique_ptr<WatchedBlobs> watched_blobs_;
  std::unique_ptr<Service> service_;
};

}  // namespace andromede::objects
