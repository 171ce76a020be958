// A cloud of real engines over temporary folders, with a fleet on top, to be stopped and opened again. For this
// folder's tests only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/test_eventually.h"
#include "blob/volumes/placed_store.h"
#include "blob/volumes/test_forgery.h"
#include "blob/volumes/volume_store.h"
#include "fleet/volumes/volumes_fleet.h"
#include "io/drives.h"
#include "io/temporary_folder.h"
#include "io/test_drive_seal.h"
#include "journal/journal.h"
#include "meta/rocksdb/mirrored_store.h"
#include "meta/test_record_seal.h"
#include "objects/blob_catalog.h"
#include "objects/layout.h"
#include "objects/live_blobs.h"
#include "objects/records.h"

namespace andromede::fleet {

// Says what the test tells it to: with bodies that are not sealed nobody else could tell.
class ToldAuthenticator final : public blob::Authenticator {
 public:
  Result<blob::Suspects> liars(const blob::BlobRef&, std::uint64_t, std::uint64_t) override {
    return blob::Suspects{answer.load()};
  }
  std::atomic<blob::ShardSet> answer{0};
};

// The real mirrors, for tests that have them say something else.
class MirrorsOver : public meta::Mirrors {
 public:
  explicit MirrorsOver(meta::Mirrors& real) : real_(real) {}
  [[nodiscard]] std::vector<meta::MirrorStatus> mirrors() const override { return real_.mirrors(); }
  [[nodiscard]] std::optional<std::string> shortfall() const override { return real_.shortfall(); }
  [[nodiscard]] std::vector<meta::MirrorRoom> room() const override { return real_.room(); }
  [[nodiscard]] std::vector<meta::MirrorEvent> take_events() override { return real_.take_events(); }
  [[nodiscard]] std::vector<DriveId> absent_at_opening() const override { return real_.absent_at_opening(); }
  Status add_mirror(DriveId drive, const std::function<bool(std::uint64_t, std::uint64_t)>& progress) override {
    return real_.add_mirror(drive, progress);
  }
  Status remove_mirror(DriveId drive) override { return real_.remove_mirror(drive); }
  [[nodiscard]] Result<bool> holds_files(DriveId drive) override { return real_.holds_files(drive); }
  Status verify_mirror(DriveId drive, const std::function<bool(std::uint64_t)>& pace) override {
    return real_.verify_mirror(drive, pace);
  }

 private:
  meta::Mirrors& real_;
};

// The wall clock of a machine on which each process starts an hour after the one before, as no test waits.
class LaterClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return {system_.now().ms + later_ms_.load()}; }
  [[nodiscard]] SteadyTime steady() const override { return system_.steady(); }
  void restart() { later_ms_ += std::chrono::milliseconds(std::chrono::hours(1)).count(); }

 private:
  SystemClock system_;
  std::atomic<std::int64_t> later_ms_{0};
};

// 2+2 anywhere: the default of a test's cloud.
inline sovereignty::Policy standard_policy() { return {PolicyId("standard"), {}, 0, std::nullopt}; }
// 2+1 at these sites.
inline sovereignty::Policy policy_at(std::set<SiteId> sites) {
  return {PolicyId("apart"), {2, 1, 1, 1}, 0, std::move(sites)};
}
inline sovereignty::Policies only_standard() { return {{standard_policy()}, PolicyId("standard")}; }

class FleetCloud {
 public:
  explicit FleetCloud(const std::vector<unsigned>& drives_per_site, std::uint64_t capacity_bytes = 0,
                      sovereignty::Policies in_force = only_standard())
      : policies(std::move(in_force)) {
    options.mirror_grace = std::chrono::milliseconds(200);
    options.reserve_bytes = 0;
    io::DriveMap map;
    map.cloud = CloudId::random(random);
    map.minimum = map.minimum_before = {2, 2};
    CandidateList first;
    for (std::size_t site = 0; site < drives_per_site.size(); ++site) {
      for (unsigned number = 1; number <= drives_per_site[site]; ++number) {
        map.drives.push_back(make_drive("s" + std::to_string(site), number, capacity_bytes));
        const io::DriveInfo& drive = map.drives.back();
        first.push_back({drive.id, drive.site, drive.associate, 1, 1});
      }
    }
    const unsigned mirrors = policies.snapshot()->mirrors();
    for (const DriveId mirror : sovereignty::place_mirrors(mirrors, first, {})) {
      for (io::DriveInfo& drive : map.drives) drive.mirrors_metadata = drive.mirrors_metadata || drive.id == mirror;
    }
    for (const io::DriveInfo& drive : map.drives) paths_.push_back(drive.path);
    auto created = io::Drives::create(map, io::test_seal(), opener());
    EXPECT_TRUE(created) << created.error().describe();
    (*created)->stop();
    created->reset();
    open();
  }
  FleetCloud(const FleetCloud&) = delete;
  FleetCloud& operator=(const FleetCloud&) = delete;
  ~FleetCloud() { close(); }

  io::DriveInfo make_drive(const std::string& site, unsigned number, std::uint64_t capacity_bytes = 0) {
    io::DriveInfo drive;
    drive.id = DriveId::random(random);
    drive.name = DriveName(site + "-" + std::to_string(number));
    drive.site = SiteId(site);
    drive.associate = AssociateId(site);
    drive.path = folder_.path() + "/" + drive.name.value();
    drive.capacity_bytes = capacity_bytes;
    std::filesystem::create_directory(drive.path);
    return drive;
  }
  std::string make_folder(const std::string& name) {
    std::filesystem::create_directory(folder_.path() + "/" + name);
    paths_.push_back(folder_.path() + "/" + name);
    return paths_.back();
  }
  NewDrive new_drive(const std::string& site, unsigned number, std::uint64_t capacity_bytes = 0) {
    const io::DriveInfo made = make_drive(site, number, capacity_bytes);
    return {made.name, made.site, made.associate, made.path, made.capacity_bytes};
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() + "/" + name; }

  void open() {
    clock.restart();
    auto drives_opened = io::open_drives(paths_, opener());
    ASSERT_TRUE(drives_opened) << drives_opened.error().describe();
    drives = *std::move(drives_opened);
    meta::MirroredOptions meta_options;
    meta_options.cache_bytes = 4 << 20;
    meta_options.memtable_bytes = 1 << 20;
    meta_options.log_segment_bytes = 1 << 20;
    meta_options.create = true;
    meta_options.least_mirrors = policies.snapshot()->least_mirrors();
    meta_options.least_sites = policies.snapshot()->least_sites();
    sealer_ = std::make_unique<journal::Sealer>();
    auto meta_opened =
        meta::MirroredStore::open(*drives, *sealer_, meta::test_record_seal(), clock, metrics, meta_options);
    ASSERT_TRUE(meta_opened) << meta_opened.error().describe();
    meta = *std::move(meta_opened);
    blob::VolumeOptions volume_options;
    volume_options.volume_bytes = 8 << 20;
    volume_options.reserve_bytes = 0;
    auto blobs_opened = blob::VolumeStore::open(*drives, clock, random, metrics, volume_options);
    ASSERT_TRUE(blobs_opened) << blobs_opened.error().describe();
    blobs = *std::move(blobs_opened);
    placed_ = blob::make_placed_store(*blobs, placer_);
    live_ = std::make_unique<objects::LiveBlobs>(*placed_);
    records_ = std::make_unique<objects::BlobCatalog>(*meta, *live_, clock, std::chrono::seconds(30));
    catalog = std::make_unique<blob::ShardedCatalog>(*records_);
    candidates = std::make_unique<Candidates>(*drives, *blobs);
    fleet = make_volumes_fleet(*drives, *candidates, *blobs, *catalog, authenticator, *meta, *meta, policies, admit,
                               clock, random, metrics, options);
    ASSERT_TRUE(fleet->start());
  }
  void close() {
    if (fleet) fleet->stop();
    if (drives) drives->stop();
    if (blobs) blobs->stop();
    if (meta) meta->stop();
    fleet.reset();
    candidates.reset();
    catalog.reset();
    records_.reset();
    live_.reset();
    placed_.reset();
    blobs.reset();
    meta.reset();
    drives.reset();
  }
  void reopen() {
    close();
    open();
  }

  // Writes a blob as objects/ does: placed, written, recorded. With fewer drives than shards the last get none.
  // `meanwhile` happens between the first half and the second.
  BlobId put(
      std::size_t size, const std::function<void()>& meanwhile = [] {},
      const PolicyId& policy_id = PolicyId("standard")) {
    const BlobId id = BlobId::random(random);
    Bytes body(size);
    random.fill(body);
    const auto ref = sync_wait(write(id, policy_id, body, meanwhile));
    EXPECT_TRUE(ref) << ref.error().describe();
    meta::Commit commit;
    commit.partition = meta::kCloudPartition;
    commit.unwitnessed = "a test's blob";
    commit.put.push_back(
        {{meta::Space::kRecords, objects::layout::blob(id)}, objects::encode(objects::BlobRecord{*ref, KeyId{}, {}})});
    const auto committed = sync_wait(meta->commit(std::move(commit), Deadline::after(clock, std::chrono::seconds(30))));
    EXPECT_TRUE(committed) << committed.error().describe();
    bodies[id] = std::move(body);
    return id;
  }
  void put_many(unsigned count, std::size_t size) {
    for (unsigned i = 0; i < count; ++i) put(size);
  }
  [[nodiscard]] blob::ShardedBlob ref(BlobId id) const {
    const auto found = catalog->find(id);
    EXPECT_TRUE(found && *found);
    return **found;
  }
  // Reads every blob and compares its bytes.
  void expect_all_readable() {
    for (const auto& [id, body] : bodies) {
      const auto back = sync_wait(read(ref(id)));
      ASSERT_TRUE(back) << back.error().describe();
      ASSERT_TRUE(*back == body) << "blob " << id.to_string();
    }
  }
  // Every shard of every blob lies on an active, online drive, and the blob survives that many lost sites.
  void expect_all_whole(unsigned site_losses) {
    const auto map = drives->map();
    for (const auto& [id, body] : bodies) {
      std::vector<SiteId> sites;
      const blob::ShardedBlob now = ref(id);
      for (unsigned i = 0; i < now.shards.size(); ++i) {
        const io::DriveInfo* drive = map->find(now.shards[i].drive);
        ASSERT_NE(drive, nullptr) << "shard " << i << " of " << id.to_string();
        ASSERT_EQ(drive->state, io::DriveState::kActive) << drive->name.value();
        sites.push_back(drive->site);
        const auto health = blobs->verify_shard(now, i, [](std::uint64_t) { return true; });
        ASSERT_TRUE(health) << health.error().describe();
        ASSERT_EQ(*health, blob::ShardHealth::kGood) << "shard " << i << " on " << drive->name.value();
      }
      ASSERT_GE(sovereignty::tolerance_of(now.code.data, sites).site_losses, site_losses) << id.to_string();
    }
  }
  // Every shard of every blob lies where its policy allows.
  void expect_all_within_policy() {
    const auto map = drives->map();
    const auto in_force = policies.snapshot();
    for (const auto& [id, body] : bodies) {
      const blob::ShardedBlob now = ref(id);
      for (const blob::ShardPlace& place : now.shards) {
        const io::DriveInfo* const drive = map->find(place.drive);
        ASSERT_NE(drive, nullptr) << id.to_string();
        ASSERT_TRUE(in_force->find(now.policy)->allows(drive->site)) << id.to_string() << " on " << drive->name.value();
      }
    }
  }
  // Makes a shard another, with right checksums; answers its drive's name.
  std::string forge(BlobId id, unsigned shard) {
    const blob::ShardedBlob now = ref(id);
    const blob::ShardPlace& place = now.shards[shard];
    const auto map = drives->map();
    const io::DriveInfo* const on = map->find(place.drive);
    blob::forge(on->path, now, shard);
    return on->name.value();
  }
  [[nodiscard]] DriveStatus drive(const std::string& name) {
    const auto status = fleet->status();
    EXPECT_TRUE(status);
    for (const DriveStatus& drive_status : status->drives) {
      if (drive_status.name.value() == name) return drive_status;
    }
    ADD_FAILURE() << "no drive " << name;
    return {};
  }
  [[nodiscard]] bool healthy() {
    const auto status = fleet->status();
    const auto running = [](const Job& job) { return job.state == JobState::kRunning; };
    return status && !status->degraded && status->changes.empty() &&
           std::none_of(status->jobs.begin(), status->jobs.end(), running);
  }
  [[nodiscard]] std::string reasons() {
    std::string all;
    const auto status = fleet->status();
    if (!status) return status.error().describe();
    for (const std::string& reason : status->reasons) all += reason + "; ";
    return all;
  }
  [[nodiscard]] std::string changes() {
    std::string all;
    const auto status = fleet->status();
    if (!status) return status.error().describe();
    for (const std::string& change : status->changes) all += change + "; ";
    return all;
  }
  // The job after it has ended.
  Job ended(std::uint64_t number) {
    EXPECT_TRUE(eventually([&] { return fleet->job(number)->state != JobState::kRunning; }))
        << fleet->job(number)->message;
    return *fleet->job(number);
  }
  [[nodiscard]] std::vector<std::string> journaled() {
    const auto entries = sync_wait(journal::read_entries(*meta, 1, 1000));
    EXPECT_TRUE(entries);
    std::vector<std::string> events;
    for (const journal::Entry& entry : *entries) events.push_back(entry.event);
    return events;
  }
  [[nodiscard]] bool journaled(const std::string& name) {
    const auto events = journaled();
    return std::any_of(events.begin(), events.end(),
                       [&](const std::string& event) { return event.find("\"" + name + "\"") != std::string::npos; });
  }

  PolicyBook policies;
  Options options;
  AdmitDrive admit = [](const io::DriveInfo&, const std::function<Status()>& join) { return join(); };
  LaterClock clock;
  SystemRandom random;
  Metrics metrics;
  std::map<BlobId, Bytes> bodies;
  ToldAuthenticator authenticator;
  std::unique_ptr<io::Drives> drives;
  std::unique_ptr<meta::MirroredStore> meta;
  std::unique_ptr<blob::VolumeStore> blobs;
  std::unique_ptr<blob::ShardedCatalog> catalog;
  std::unique_ptr<Candidates> candidates;
  std::unique_ptr<Fleet> fleet;

 private:
  // By the policies, over what takes data now; what fails under way is not replaced.
  class TestPlacer final : public blob::Placer {
   public:
    explicit TestPlacer(FleetCloud& cloud) : cloud_(cloud) {}
    Result<blob::Target> place(const PolicyId& policy, std::uint64_t size_bytes) override {
      const auto list = cloud_.candidates->snapshot();
      sovereignty::Policy now = *cloud_.policies.snapshot()->find(policy);
      const sovereignty::Rule rule = now.rule;
      now.rule = sovereignty::written_with(rule, sovereignty::allowed(now, *list).size());
      TRY(auto placed, sovereignty::place(now, *list, {}, size_bytes, cloud_.random));
      placed.resize(rule.shards());
      return blob::Target{{rule.data_shards, rule.parity_shards}, std::move(placed), policy};
    }
    Result<std::vector<DriveId>> replace(const PolicyId&, const std::vector<std::optional<DriveId>>&,
                                         const std::vector<DriveId>&, std::uint64_t) override {
      return fail(Errc::kUnsupported, "not here");
    }

   private:
    FleetCloud& cloud_;
  };

  static io::Drives::OpenDisk opener() {
    return [](const io::DriveInfo& drive) { return io::open_real_disk(drive.path, drive.capacity_bytes); };
  }
  Task<Result<blob::BlobRef>> write(BlobId id, PolicyId policy, ByteView body, const std::function<void()>& meanwhile) {
    CO_TRY(auto writer, co_await placed_->open_writer(id, policy, body.size(), Deadline::never()));
    CO_CHECK_OK(co_await writer->write(body.first(body.size() / 2)));
    meanwhile();
    CO_CHECK_OK(co_await writer->write(body.subspan(body.size() / 2)));
    co_return co_await writer->finish();
  }
  Task<Result<Bytes>> read(blob::ShardedBlob ref) {
    CO_TRY(auto reader, co_await blobs->open_reader(ref, 0, ref.size_bytes, Deadline::never(), 0));
    Bytes out;
    while (true) {
      CO_TRY(const ByteView part, co_await reader->read());
      if (part.empty()) co_return out;
      out.insert(out.end(), part.begin(), part.end());
    }
  }

  io::TemporaryFolder folder_;
  std::vector<std::string> paths_;
  std::unique_ptr<journal::Sealer> sealer_;
  TestPlacer placer_{*this};
  std::unique_ptr<blob::Store> placed_;
  std::unique_ptr<objects::LiveBlobs> live_;
  std::unique_ptr<objects::BlobCatalog> records_;
};

}  // namespace andromede::fleet
