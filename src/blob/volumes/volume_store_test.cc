#include "blob/volumes/volume_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/test_memory.h"
#include "blob/volumes/record.h"
#include "blob/volumes/test_cloud.h"
#include "io/temporary_folder.h"
#include "io/test_drive_seal.h"

namespace andromede::blob {
namespace {

constexpr std::array kCodes{Code{1, 0}, Code{1, 1}, Code{2, 2}, Code{4, 2}};
constexpr std::array<std::size_t, 6> kSizes{0, 1, 63 * 1024, 64 * 1024, 64 * 1024 + 1, (1 << 20) + 7};

TEST(VolumeStore, GivesBackWhatItTookForEveryCodeAndSize) {
  TestCloud cloud(6);
  for (const bool cached : {false, true}) {
    for (unsigned i = 0; i < 6; ++i) cloud.disk(i).set_cached(cached);
    for (const Code code : kCodes) {
      for (const std::size_t size : kSizes) {
        const Bytes data = random_bytes(cloud.random, size);
        const auto ref = cloud.put(cloud.target(code), data);
        ASSERT_TRUE(ref) << ref.error().describe();
        EXPECT_EQ(ref->size_bytes, size);
        EXPECT_EQ(ref->shards.size(), code.total());
        const auto read = cloud.get(*ref);
        ASSERT_TRUE(read) << read.error().describe();
        ASSERT_TRUE(*read == data) << code.total() << " shards, " << size << " bytes";
      }
    }
  }
  EXPECT_TRUE(cloud.store().take_damaged().empty());
}

TEST(VolumeStore, GivesBackSixteenMebibytesFromRealDrives) {
  const io::TemporaryFolder folder;
  SeededRandom random(3);
  SystemClock clock;
  Metrics metrics;
  io::DriveMap map;
  map.cloud = CloudId::random(random);
  Target target{.code = {4, 2}, .drives = {}};
  for (int i = 0; i < 6; ++i) {
    const std::string path = folder.path() + "/" + std::to_string(i);
    std::filesystem::create_directory(path);
    target.drives.push_back(DriveId::random(random));
    map.drives.push_back({.id = target.drives.back(),
                          .name = DriveName("d" + std::to_string(i)),
                          .site = SiteId("s"),
                          .associate = AssociateId("a"),
                          .path = path});
  }
  auto drives = io::Drives::create(map, io::test_seal(),
                                   [](const io::DriveInfo& drive) { return io::open_real_disk(drive.path); });
  ASSERT_TRUE(drives) << drives.error().describe();
  const Bytes data = random_bytes(random, 16U << 20);
  for (const Code code : kCodes) {
    auto store = VolumeStore::open(**drives, clock, random, metrics, {.reserve_bytes = 0});
    ASSERT_TRUE(store);
    const Target used{.code = code, .drives = {target.drives.begin(), target.drives.begin() + code.total()}};
    auto writer = sync_wait((*store)->open_writer(BlobId::random(random), used, data.size(), Deadline::never()));
    ASSERT_TRUE(writer) << writer.error().describe();
    ASSERT_TRUE(sync_wait((*writer)->write(data)));
    const auto ref = finish(**writer);
    ASSERT_TRUE(ref) << ref.error().describe();
    writer->reset();
    (*store)->stop();
    store->reset();

    // Another process reads it.
    store = VolumeStore::open(**drives, clock, random, metrics, {.reserve_bytes = 0});
    ASSERT_TRUE(store);
    auto reader = sync_wait((*store)->open_reader(*ref, 0, ref->size_bytes, Deadline::never(), 0));
    ASSERT_TRUE(reader) << reader.error().describe();
    Bytes read;
    for (;;) {
      const auto part = sync_wait((*reader)->read());
      ASSERT_TRUE(part) << part.error().describe();
      if (part->empty()) break;
      EXPECT_LE(part->size(), 1U << 20);
      read.insert(read.end(), part->begin(), part->end());
    }
    EXPECT_TRUE(read == data);
    reader->reset();
    EXPECT_EQ((*store)->usage(target.drives[0])->shards, 1U);
    (*store)->remove(*ref);
    EXPECT_TRUE(eventually([&] { return (*store)->usage(target.drives[0])->shards == 0; }));
    (*store)->stop();
  }
}

TEST(VolumeStore, ReadsAnyRange) {
  TestCloud cloud(6);
  SeededRandom random(11);
  for (const Code code : kCodes) {
    const std::size_t size = 3 * kBlockBytes * 16 + 12345;
    const Bytes data = random_bytes(random, size);
    const auto ref = cloud.put(cloud.target(code), data);
    ASSERT_TRUE(ref);
    for (int i = 0; i < 150; ++i) {
      for (unsigned d = 0; d < 6; ++d) cloud.disk(d).set_cached(random.below(2) == 0);
      std::uint64_t offset = random.below(size + 1);
      // Half of them begin and end near the edges of blocks and stripes.
      if (random.below(2) == 0)
        offset = std::min<std::uint64_t>(size, offset / kBlockBytes * kBlockBytes + random.below(3));
      std::uint64_t length = random.below(
          random.below(3) == 0 ? size - offset + 1 : std::min<std::uint64_t>(size - offset, 2 * kBlockBytes) + 1);
      const auto read = cloud.get(*ref, offset, length);
      ASSERT_TRUE(read) << read.error().describe();
      ASSERT_TRUE(std::equal(read->begin(), read->end(), data.begin() + static_cast<std::ptrdiff_t>(offset)) &&
                  read->size() == length)
          << "offset " << offset << " length " << length << " k " << int{code.data};
    }
    EXPECT_EQ(cloud.get(*ref, size, 1).error(), Errc::kInvalidArgument);
    EXPECT_EQ(cloud.get(*ref, size + 1, 0).error(), Errc::kInvalidArgument);
  }
}

TEST(VolumeStore, SurvivesEveryPairOfLostDrives) {
  const Code code{2, 2};
  for (unsigned a = 0; a < 4; ++a) {
    for (unsigned b = a + 1; b < 4; ++b) {
      TestCloud cloud(4);
      const Bytes data = random_bytes(cloud.random, 700000);
      const auto ref = cloud.put(cloud.target(code), data);
      ASSERT_TRUE(ref);
      cloud.take_offline(a);
      cloud.take_offline(b);
      const auto read = cloud.get(*ref);
      ASSERT_TRUE(read) << read.error().describe();
      EXPECT_TRUE(*read == data);
      // An offline drive is no damage; heal knows of it.
      EXPECT_TRUE(cloud.store().take_damaged().empty());
      // Two of four are too few to write: nothing could be lost any more.
      EXPECT_EQ(cloud.put(cloud.target(code), data).error(), Errc::kUnavailable);
      cloud.take_offline(a == 0 ? (b == 1 ? 2 : 1) : 0);
      EXPECT_EQ(cloud.get(*ref).error(), Errc::kUnavailable);
    }
  }
}

TEST(VolumeStore, WritesWithOneDriveLessWhereParityAllows) {
  TestCloud cloud(4);
  cloud.take_offline(2);
  const Bytes data = random_bytes(cloud.random, 200000);
  const auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_TRUE(ref->shards[2].drive.is_none());
  EXPECT_TRUE(*cloud.get(*ref) == data);
  EXPECT_EQ(cloud.store().short_writes(), 1U) << "its missing shard is to be put back";
  EXPECT_NE(cloud.metrics.render().find("andromede_blob_damaged_total 0"), std::string::npos);
  EXPECT_EQ(cloud.put({.code = {1, 0}, .drives = {cloud.id(2)}}, data).error(), Errc::kUnavailable);
}

TEST(VolumeStore, AWriteThatLosesADriveUnderWayIsToBeHealed) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 1'500'000);
  auto writer = *sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({2, 2}), data.size(), Deadline::never()));
  ASSERT_TRUE(sync_wait(writer->write(ByteView(data).first(700'000))));
  cloud.take_offline(1);
  ASSERT_TRUE(sync_wait(writer->write(ByteView(data).subspan(700'000))));
  EXPECT_TRUE(cloud.store().take_damaged().empty());
  const auto ref = finish(*writer);
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_EQ(cloud.store().short_writes(), 1U);
  EXPECT_TRUE(cloud.store().take_damaged().empty());
  EXPECT_TRUE(cloud.put(cloud.target({1, 0}), data));
  EXPECT_EQ(cloud.store().short_writes(), 1U) << "a whole one is none";
}

// A drive hangs: it neither answers nor fails. Then the probing of Drives takes it offline, or the deadline passes.
class HangingDrive : public testing::Test {
 protected:
  static constexpr unsigned kHanging = 1;
  ~HangingDrive() override { cloud_.disk(kHanging).set_hanging(false); }

  // Runs `work` beside `meanwhile`, which begins when it hangs.
  template <typename Work, typename Meanwhile>
  void run(Work work, Meanwhile meanwhile) {
    std::atomic<bool> done{false};
    std::thread thread([&] {
      work();
      done = true;
    });
    EXPECT_TRUE(eventually([&] { return cloud_.disk(kHanging).hanging() > 0; })) << "the drive is not asked";
    EXPECT_FALSE(done) << "the drive does not hang";
    meanwhile();
    EXPECT_TRUE(eventually([&] { return done.load(); }));
    if (!done) cloud_.disk(kHanging).set_hanging(false);
    thread.join();
  }
  Result<std::unique_ptr<Writer>> open(std::size_t bytes, Deadline deadline = Deadline::never()) {
    return sync_wait(cloud_.store().open_writer(BlobId::random(random_), cloud_.target({2, 2}), bytes, deadline));
  }
  void taken_offline() {
    cloud_.drives().report_failure(cloud_.id(kHanging), Error(make_error_code(Errc::kIo), "does not answer"));
  }
  // All but the hanging drive hold the blob, which is to be healed; what hung gives its space back when it goes on.
  void check(const Result<ShardedBlob>& ref, const Bytes& data) {
    ASSERT_TRUE(ref) << ref.error().describe();
    for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(ref->shards[i].drive.is_none(), i == kHanging);
    EXPECT_EQ(cloud_.store().short_writes(), 1U);
    cloud_.disk(kHanging).set_hanging(false);
    cloud_.drives().probe_all();
    MapCatalog catalog;
    catalog.refs[ref->id] = *ref;
    EXPECT_TRUE(eventually([&] {
      static_cast<void>(cloud_.store().reclaim_orphans(cloud_.id(kHanging), catalog, std::chrono::milliseconds(0)));
      const auto usage = cloud_.store().usage(cloud_.id(kHanging));
      return usage && usage->shards == 0;
    }));
    EXPECT_TRUE(*cloud_.get(*ref) == data);
  }

  TestCloud cloud_{4};
  SeededRandom random_{8};
  const Bytes data_ = random_bytes(random_, 1'500'000);
};

TEST_F(HangingDrive, AWriteGoesOnWithoutItOnceItIsOffline) {
  auto writer = open(data_.size());
  ASSERT_TRUE(writer);
  cloud_.disk(kHanging).set_hanging(true);
  Status written;
  run([&] { written = sync_wait((*writer)->write(data_)); }, [&] { taken_offline(); });
  ASSERT_TRUE(written) << written.error().describe();
  const auto ref = finish(**writer);
  writer->reset();
  check(ref, data_);
}

TEST_F(HangingDrive, AFinishGoesOnWithoutItOnceTheDeadlinePassed) {
  const Bytes data(data_.begin(), data_.begin() + 100'000);
  auto writer = open(data.size(), Deadline::after(cloud_.clock, std::chrono::seconds(30)));
  ASSERT_TRUE(writer);
  ASSERT_TRUE(sync_wait((*writer)->write(data)));
  cloud_.disk(kHanging).set_hanging(true);
  Result<ShardedBlob> ref = fail(Errc::kInternal, "");
  run([&] { ref = finish(**writer); }, [&] { cloud_.clock.advance(std::chrono::seconds(31)); });
  writer->reset();
  check(ref, data);
}

TEST_F(HangingDrive, AReservationGoesOnWithoutItOnceItIsOffline) {
  cloud_.disk(kHanging).set_hanging(true);
  Result<std::unique_ptr<Writer>> writer = fail(Errc::kInternal, "");
  run([&] { writer = open(data_.size()); }, [&] { taken_offline(); });
  ASSERT_TRUE(writer) << writer.error().describe();
  ASSERT_TRUE(sync_wait((*writer)->write(data_)));
  const auto ref = finish(**writer);
  writer->reset();
  check(ref, data_);
}

// Offers drives that hold no shard, from the last one down, whatever their state. `when_none`: its error once all were
// offered; without it, no drive.
class LastDrivesFirst final : public Replacer {
 public:
  explicit LastDrivesFirst(std::vector<DriveId> drives, std::optional<Errc> when_none = {})
      : drives_(std::move(drives)), when_none_(when_none) {}
  Result<std::vector<DriveId>> replace(const PolicyId& policy, const std::vector<std::optional<DriveId>>& kept,
                                       const std::vector<DriveId>& without, std::uint64_t /*shard_bytes*/) override {
    asked_policy = policy;
    asked_without.push_back(without);
    if (drives_.empty() && when_none_) return fail(*when_none_, "no drive is left");
    std::vector<DriveId> answer;
    for (const auto& drive : kept) {
      answer.push_back(drive.value_or(DriveId{}));
      if (drive || drives_.empty()) continue;
      answer.back() = drives_.back();
      drives_.pop_back();
    }
    return answer;
  }
  std::vector<std::vector<DriveId>> asked_without;
  PolicyId asked_policy;

 private:
  std::vector<DriveId> drives_;
  const std::optional<Errc> when_none_;
};

TEST(VolumeStore, AWriteThatLosesItsParityIsCompletedOnOtherDrives) {
  for (const bool first_spare_fails : {false, true}) {
    TestCloud cloud(8);
    LastDrivesFirst replacer({cloud.id(4), cloud.id(5), cloud.id(6), cloud.id(7)});
    Target target = cloud.target({2, 2});
    target.policy = PolicyId("apart");
    target.replacer = &replacer;
    const Bytes data = random_bytes(cloud.random, 1'500'000);
    auto writer =
        *sync_wait(cloud.store().open_writer(BlobId::random(cloud.random), target, 1'500'000, Deadline::never()));
    ASSERT_TRUE(sync_wait(writer->write(ByteView(data).first(700'000))));
    cloud.take_offline(0);
    cloud.take_offline(2);
    if (first_spare_fails) {
      cloud.take_offline(7);
      cloud.take_offline(6);
    }
    ASSERT_TRUE(sync_wait(writer->write(ByteView(data).subspan(700'000))));
    const auto ref = finish(*writer);
    ASSERT_TRUE(ref) << ref.error().describe();
    for (const ShardPlace& place : ref->shards) EXPECT_TRUE(cloud.drives().online(place.drive));
    cloud.take_offline(1);
    cloud.take_offline(3);
    EXPECT_EQ(*cloud.get(*ref), data);
  }
}

TEST(VolumeStore, WhatDrivesThatAreAwayCouldMakeReadableIsUnavailableAndNotDamaged) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 300'000);
  const auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  cloud.store().distrust(*ref, ShardSet{1});
  cloud.take_offline(1);
  cloud.take_offline(2);
  EXPECT_EQ(cloud.get(*ref).error(), Errc::kUnavailable);
}

TEST(VolumeStore, ADamagedBlockThatDrivesThatAreAwayCouldRepairIsUnavailable) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 300'000);
  const auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  const ShardPlace& place = ref->shards[0];
  ASSERT_TRUE(cloud.disk(0).corrupt(TestCloud::volume_path(place.volume), place.offset + kHeadBytes + 1000));
  cloud.take_offline(2);
  cloud.take_offline(3);
  EXPECT_EQ(cloud.get(*ref).error(), Errc::kUnavailable);
  for (const unsigned back : {2U, 3U}) cloud.disk(back).set_offline(false);
  cloud.drives().probe_all();
  EXPECT_TRUE(eventually([&] {
    const auto read = cloud.get(*ref);
    return read && *read == data;
  }));
}

TEST(VolumeStore, WhatNoReturnMakesReadableIsDamaged) {
  TestCloud cloud(4);
  const auto ref = cloud.put(cloud.target({2, 2}), random_bytes(cloud.random, 300'000));
  ASSERT_TRUE(ref);
  cloud.store().distrust(*ref, ShardSet{1 | 2 | 4});
  cloud.take_offline(3);
  EXPECT_EQ(cloud.get(*ref).error(), Errc::kCorrupt);
}

TEST(VolumeStore, AWriteThatFindsADriveFullBeginsOnAnother) {
  for (const Code code : {Code{1, 0}, Code{2, 2}}) {
    for (const bool first_spare_is_full : {false, true}) {
      TestCloud cloud(6);
      LastDrivesFirst replacer({cloud.id(4), cloud.id(5)});
      cloud.disk(0).set_capacity(1U << 20);
      if (first_spare_is_full) cloud.disk(5).set_capacity(1U << 20);
      Target target = cloud.target(code);
      target.replacer = &replacer;
      const Bytes data = random_bytes(cloud.random, 4'000'000);
      const auto ref = cloud.put(target, data);
      ASSERT_TRUE(ref) << ref.error().describe();
      EXPECT_EQ(ref->shards[0].drive, cloud.id(first_spare_is_full ? 4 : 5));
      EXPECT_EQ(replacer.asked_without.back(),
                first_spare_is_full ? (std::vector{cloud.id(0), cloud.id(5)}) : std::vector{cloud.id(0)});
      for (const ShardPlace& place : ref->shards) EXPECT_FALSE(place.drive.is_none());
      EXPECT_EQ(*cloud.get(*ref), data);
    }
  }
}

TEST(VolumeStore, AWriteThatFindsNoRoomAnywhereSaysSoAndLeavesNothing) {
  TestCloud cloud(6);
  LastDrivesFirst replacer({cloud.id(4), cloud.id(5)}, Errc::kNoSpace);
  for (const unsigned full : {0U, 4U, 5U}) cloud.disk(full).set_capacity(1U << 20);
  Target target = cloud.target({2, 2});
  target.replacer = &replacer;
  const auto writer =
      sync_wait(cloud.store().open_writer(BlobId::random(cloud.random), target, 4'000'000, Deadline::never()));
  if (writer) FAIL() << "there is no drive left for one of the shards";
  EXPECT_EQ(writer.error(), Errc::kNoSpace);
  EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0; }));
}

TEST(VolumeStore, AWriteThatNoDriveCompletesFailsAndLeavesNothing) {
  for (const std::optional<Errc> when_none : {std::optional<Errc>(), std::optional(Errc::kNoSpace)}) {
    TestCloud cloud(6);
    LastDrivesFirst replacer({cloud.id(4), cloud.id(5)}, when_none);
    Target target = cloud.target({2, 2});
    target.replacer = &replacer;
    const Bytes data = random_bytes(cloud.random, 1'500'000);
    auto writer =
        *sync_wait(cloud.store().open_writer(BlobId::random(cloud.random), target, 1'500'000, Deadline::never()));
    ASSERT_TRUE(sync_wait(writer->write(data)));
    for (const unsigned lost : {0U, 2U, 4U, 5U}) cloud.take_offline(lost);
    const auto ref = finish(*writer);
    ASSERT_FALSE(ref);
    EXPECT_EQ(ref.error(), Errc::kUnavailable)
        << "drives that went away, not their want of room, end it: " << ref.error().describe();
    writer.reset();
    EXPECT_TRUE(eventually([&] { return cloud.shards(1) + cloud.shards(3) == 0; }));
  }
}

TEST(VolumeStore, KeepsTheAnnouncement) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 3000000);
  EXPECT_EQ(cloud.put(cloud.target({2, 2}), data, 2999999).error(), Errc::kInvalidArgument);
  EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0; }));

  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65537}, std::size_t{2500000}}) {
    const auto ref = cloud.put(cloud.target({2, 2}), ByteView(data).first(size), 3000000);
    ASSERT_TRUE(ref) << ref.error().describe();
    EXPECT_EQ(ref->size_bytes, size);
    EXPECT_TRUE(*cloud.get(*ref) == Bytes(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size)));
    const std::uint64_t used = RecordLayout({2, 2}, size).used_bytes();
    EXPECT_TRUE(eventually([&] { return cloud.usage(0)->live_bytes == used; }));
    cloud.store().remove(*ref);
    EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0; }));
  }
}

TEST(VolumeStore, RefusesWhatCanNeverBeRight) {
  TestCloud cloud(2);
  EXPECT_EQ(cloud.put({.code = {2, 1}, .drives = {cloud.id(0)}}, {}).error(), Errc::kInvalidArgument);
  EXPECT_EQ(cloud.put({.code = {0, 0}, .drives = {}}, {}).error(), Errc::kInvalidArgument);
  EXPECT_EQ(cloud.put(cloud.target({1, 0}), {}, kMaxBlobBytes + 1).error(), Errc::kInvalidArgument);
  EXPECT_EQ(cloud.get(ShardedBlob{}).error(), Errc::kInvalidArgument);
}

TEST(VolumeStore, EndsWhenTheDeadlinePassed) {
  TestCloud cloud(1);
  const Bytes data = random_bytes(cloud.random, 100000);
  const Deadline deadline = Deadline::after(cloud.clock, std::chrono::seconds(5));
  auto writer =
      sync_wait(cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), data.size(), deadline));
  ASSERT_TRUE(writer);
  cloud.clock.advance(std::chrono::seconds(6));
  EXPECT_EQ(sync_wait((*writer)->write(data)).error(), Errc::kTimeout);
  // A blob with a piece missing must not be finished.
  EXPECT_EQ(sync_wait((*writer)->finish()).error(), Errc::kTimeout);
  writer->reset();
  EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0; }));
}

TEST(VolumeStore, AReaderRestsAndReadsAsMuchAsItIsAskedTo) {
  TestCloud cloud(6);
  SeededRandom random(13);
  for (const Code code : kCodes) {
    const Bytes data = random_bytes(random, 3 * kBlockBytes * 16 + 12345);
    const auto ref = cloud.put(cloud.target(code), data);
    ASSERT_TRUE(ref);
    for (int i = 0; i < 30; ++i) {
      for (unsigned d = 0; d < 6; ++d) cloud.disk(d).set_cached(random.below(2) == 0);
      auto reader = sync_wait(cloud.store().open_reader(*ref, 0, data.size(), Deadline::never(), 0));
      ASSERT_TRUE(reader);
      std::uint64_t before = data.size();  // asked for while what came next was read ahead
      for (std::uint64_t at = 0;;) {
        const std::uint64_t most = kBlockBytes << random.below(5);
        (*reader)->read_at_most(most);
        const auto part = sync_wait((*reader)->read());
        ASSERT_TRUE(part) << part.error().describe();
        if (part->empty()) {
          EXPECT_EQ(at, data.size());
          break;
        }
        EXPECT_LE(part->size(), std::max({most, std::exchange(before, most), 2 * kBlockBytes}));
        ASSERT_TRUE(std::ranges::equal(*part, ByteView(data).subspan(at, part->size())));
        at += part->size();
        if (random.below(3) != 0) continue;
        at -= random.below(part->size() + 1);
        (*reader)->rest_at(at);
      }
    }
  }
}

// A shard is read by one at a time: also where what comes next is in memory.
TEST(VolumeStore, AReaderThatRestedWaitsForWhatWasReadAhead) {
  VolumeOptions options = TestCloud::small_volumes();
  options.threads_per_drive = 1;
  TestCloud cloud(1, options);
  const Bytes data = random_bytes(cloud.random, 2 << 20);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  const auto busy_ref = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref && busy_ref);
  const auto reader = *sync_wait(cloud.store().open_reader(*ref, 0, data.size(), Deadline::never(), 0));
  const auto busy = *sync_wait(cloud.store().open_reader(*busy_ref, 0, data.size(), Deadline::never(), 0));
  reader->read_at_most(kBlockBytes);  // too little to read ahead, and it is seen that memory does not have it
  ASSERT_TRUE(sync_wait(reader->read()));
  cloud.disk(0).set_hanging(true);
  std::thread keeps_the_drive([&] { EXPECT_TRUE(sync_wait(busy->read())); });
  EXPECT_TRUE(eventually([&] { return cloud.disk(0).hanging() > 0; }));
  cloud.disk(0).set_cached(true);
  reader->read_at_most(data.size());
  EXPECT_TRUE(sync_wait(reader->read()));
  reader->rest_at(kBlockBytes);
  std::atomic<bool> done{false};
  std::thread waits([&] {
    const auto part = sync_wait(reader->read());
    EXPECT_TRUE(part && std::ranges::equal(*part, ByteView(data).subspan(kBlockBytes, part->size())));
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(done) << "while the drive has not answered what was asked ahead";
  cloud.disk(0).set_hanging(false);
  waits.join();
  keeps_the_drive.join();
}

TEST(VolumeStore, ReadersThatRestHoldNothingOfWhatWasReadAhead) {
  constexpr std::size_t kReaders = 100;
  TestCloud cloud(1);
  const Bytes data = random_bytes(cloud.random, 2 << 20);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref);
  std::vector<std::unique_ptr<Reader>> resting;
  std::size_t before_kib = 0;
  std::size_t piece = 0;
  for (std::size_t i = 0; i < kReaders + 10; ++i) {
    if (i == 10) before_kib = resident_kib();
    resting.push_back(*sync_wait(cloud.store().open_reader(*ref, 0, data.size(), Deadline::never(), 0)));
    const auto part = sync_wait(resting.back()->read());
    ASSERT_TRUE(part);
    piece = part->size();
    resting.back()->rest_at(0);
  }
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_TRUE(eventually([&] { return resident_kib() < before_kib + kReaders * piece / 4096; }))
      << resident_kib() - before_kib << " KiB";
#endif
  EXPECT_TRUE(*cloud.get(*ref) == data);
}

TEST(VolumeStore, AReaderKeepsARemovedBlob) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 3 << 20);
  const auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  const auto unread = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(unread);
  auto reader = sync_wait(cloud.store().open_reader(*ref, 0, ref->size_bytes, Deadline::never(), 0));
  ASSERT_TRUE(reader);
  auto first = sync_wait((*reader)->read());
  ASSERT_TRUE(first);
  Bytes read(first->begin(), first->end());
  cloud.store().remove(*ref);
  // What is removed after it, and read by nobody, is gone.
  cloud.store().remove(*unread);
  EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 4; }));
  for (;;) {
    const auto part = sync_wait((*reader)->read());
    ASSERT_TRUE(part) << part.error().describe();
    if (part->empty()) break;
    read.insert(read.end(), part->begin(), part->end());
  }
  EXPECT_TRUE(read == data);
  reader->reset();
  EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0; }));
  EXPECT_EQ(cloud.get(*ref).error(), Errc::kNotFound);
  EXPECT_TRUE(cloud.store().take_damaged().empty());
}

TEST(VolumeStore, ReadersAndRemovalsAtTheSameTime) {
  TestCloud cloud(1);
  for (int round = 0; round < 30; ++round) {
    const Bytes data = random_bytes(cloud.random, 400000);
    const auto ref = cloud.put(cloud.target({1, 0}), data);
    ASSERT_TRUE(ref);
    std::vector<std::thread> readers;
    std::atomic<int> wrong{0};
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        const auto read = cloud.get(*ref);
        if (read ? *read != data : read.error() != Errc::kNotFound) ++wrong;
      });
    }
    cloud.store().remove(*ref);
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0; }));
  EXPECT_TRUE(cloud.store().take_damaged().empty());
}

TEST(VolumeStore, AnAbandonedWriterGivesItsSpaceBack) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 2 << 20);
  for (const std::size_t written : {std::size_t{0}, std::size_t{1000}, std::size_t{1500000}}) {
    auto writer = sync_wait(
        cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({2, 2}), data.size(), Deadline::never()));
    ASSERT_TRUE(writer);
    EXPECT_EQ(cloud.all_shards(), 4U);
    ASSERT_TRUE(sync_wait((*writer)->write(ByteView(data).first(written))));
    writer->reset();
    EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0; }));
  }
  EXPECT_EQ(cloud.usage(0)->live_bytes, 0U);
}

TEST(VolumeStore, ManyWritersAtOnce) {
  TestCloud cloud(4);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  std::vector<Bytes> contents;
  for (int i = 0; i < 4; ++i)
    contents.push_back(random_bytes(cloud.random, 900000 + static_cast<std::size_t>(i) * 70001));
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 8; ++round) {
        const Bytes& data = contents[static_cast<std::size_t>(i)];
        const Code code = round % 2 == 0 ? Code{2, 2} : Code{1, 0};
        const auto ref = cloud.put(cloud.target(code), data);
        if (!ref || *cloud.get(*ref) != data) {
          ++wrong;
          continue;
        }
        if (round % 3 == 0) cloud.store().remove(*ref);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(VolumeStore, VolumesEndAndEmptyOnesGo) {
  TestCloud cloud(1, {.volume_bytes = 8U << 20, .reserve_bytes = 0, .threads_per_drive = 2});
  const Bytes data = random_bytes(cloud.random, 3 << 20);
  std::vector<ShardedBlob> refs;
  for (int i = 0; i < 9; ++i) refs.push_back(*cloud.put(cloud.target({1, 0}), data));
  EXPECT_EQ(cloud.volume_files(0), 5U);
  for (const auto& ref : refs) EXPECT_TRUE(*cloud.get(ref) == data);
  for (const auto& ref : refs) cloud.store().remove(ref);
  EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0 && cloud.volume_files(0) == 1; }));
  cloud.restart();
  EXPECT_EQ(cloud.volume_files(0), 0U);
}

TEST(VolumeStore, RestartsMakeNoFiles) {
  TestCloud cloud(1);
  const Bytes data = random_bytes(cloud.random, 100000);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref);
  const auto usage = cloud.usage(0);
  for (int i = 0; i < 10; ++i) {
    cloud.restart();
    const auto another = cloud.put(cloud.target({1, 0}), data);
    ASSERT_TRUE(another);
    EXPECT_NE(another->shards[0].volume, ref->shards[0].volume);
    cloud.store().remove(*another);
    EXPECT_TRUE(eventually([&] { return cloud.shards(0) == 1; }));
  }
  cloud.restart();
  EXPECT_EQ(cloud.volume_files(0), 1U);
  EXPECT_EQ(cloud.usage(0)->live_bytes, usage->live_bytes);
  EXPECT_TRUE(*cloud.get(*ref) == data);
}

TEST(VolumeStore, ABlobLargerThanAVolumeHasOneOfItsOwn) {
  TestCloud cloud(1, {.volume_bytes = 1U << 20, .reserve_bytes = 0, .threads_per_drive = 1});
  const Bytes data = random_bytes(cloud.random, 5 << 20);
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_TRUE(*cloud.get(*ref) == data);
}

// What is reserved for a large record may be taken by small ones before it gets there.
TEST(VolumeStore, LargeAndSmallReservationsAtTheSameTime) {
  for (const std::uint64_t volume_bytes : {1ULL << 30, 8ULL << 20}) {
    TestCloud cloud(1, {.volume_bytes = volume_bytes, .reserve_bytes = 0, .threads_per_drive = 2});
    std::atomic<bool> done{false};
    std::atomic<int> refused{0};
    std::thread large([&] {
      SeededRandom random(5);
      for (int i = 0; i < 30; ++i) {
        const auto writer = sync_wait(
            cloud.store().open_writer(BlobId::random(random), cloud.target({1, 0}), 200U << 20, Deadline::never()));
        refused += writer ? 0 : 1;
      }
      done = true;
    });
    const Bytes data = random_bytes(cloud.random, 100'000);
    while (!done) {
      const auto ref = cloud.put(cloud.target({1, 0}), data);
      if (ref) {
        cloud.store().remove(*ref);
      } else {
        ++refused;
      }
    }
    large.join();
    EXPECT_EQ(refused, 0);
    EXPECT_TRUE(cloud.drives().online(cloud.id(0)));
    EXPECT_TRUE(eventually([&] { return cloud.all_shards() == 0; }));
  }
}

TEST(VolumeStore, AFullDriveRefusesCleanlyAndGoesOnReading) {
  TestCloud cloud(1, {.volume_bytes = 8U << 20, .reserve_bytes = 1U << 20, .threads_per_drive = 2});
  cloud.disk(0).set_capacity(20U << 20);
  const Bytes data = random_bytes(cloud.random, 3 << 20);
  std::vector<ShardedBlob> refs;
  for (;;) {
    const auto ref = cloud.put(cloud.target({1, 0}), data);
    if (!ref) {
      EXPECT_EQ(ref.error(), Errc::kNoSpace);
      break;
    }
    refs.push_back(*ref);
    ASSERT_LT(refs.size(), 7U);
  }
  EXPECT_GE(refs.size(), 4U);
  // The reserve is left, and the drive is not blamed.
  EXPECT_GE(cloud.disk(0).space()->free_bytes, 1U << 20);
  EXPECT_TRUE(cloud.drives().online(cloud.id(0)));
  for (const auto& ref : refs) EXPECT_TRUE(*cloud.get(ref) == data);
  cloud.store().remove(refs.front());
  EXPECT_TRUE(eventually([&] { return cloud.shards(0) == refs.size() - 1; }));
  const auto again = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_TRUE(*cloud.get(*again) == data);
}

// No inodes, or a quota: the file system shows bytes that it does not give.
TEST(VolumeStore, ADriveThatRefusesWhatItShowsAsFreeCountsAsFullForAWhile) {
  for (const io::DiskOp refused : {io::DiskOp::kCreate, io::DiskOp::kAllocate}) {
    TestCloud cloud(1);
    cloud.disk(0).set_capacity(100U << 20);
    const Bytes data = random_bytes(cloud.random, 1 << 20);
    ASSERT_GT(cloud.store().usage(cloud.id(0))->free_bytes, 0U);
    cloud.disk(0).arm({.ops = {refused}, .path_prefix = "volumes", .from_then_on = true, .error = Errc::kNoSpace});
    const auto ref = cloud.put(cloud.target({1, 0}), data);
    ASSERT_FALSE(ref);
    EXPECT_EQ(ref.error(), Errc::kNoSpace);
    const auto full = cloud.store().usage(cloud.id(0));
    ASSERT_TRUE(full);
    EXPECT_TRUE(full->refuses);
    EXPECT_EQ(full->free_bytes, 0U);
    EXPECT_GT(full->short_bytes, 0U);
    EXPECT_TRUE(cloud.drives().online(cloud.id(0)));
    // It is asked again after a while.
    cloud.clock.advance(std::chrono::seconds(11));
    EXPECT_TRUE(cloud.store().usage(cloud.id(0))->refuses) << "it is told meanwhile";
    EXPECT_GT(cloud.store().usage(cloud.id(0))->free_bytes, 0U);
    cloud.clock.advance(std::chrono::seconds(50));
    EXPECT_FALSE(cloud.store().usage(cloud.id(0))->refuses);
    EXPECT_FALSE(cloud.put(cloud.target({1, 0}), data));
    EXPECT_TRUE(cloud.store().usage(cloud.id(0))->refuses);
    // And believed at once when it grants something.
    cloud.disk(0).disarm();
    EXPECT_TRUE(cloud.put(cloud.target({1, 0}), data));
    EXPECT_FALSE(cloud.store().usage(cloud.id(0))->refuses);
  }
}

// A drive that has no room beside its reserve is full, and says so by itself.
TEST(VolumeStore, TheReserveIsNoRefusalOfTheFileSystem) {
  TestCloud cloud(1, {.volume_bytes = 8U << 20, .reserve_bytes = 15U << 20, .threads_per_drive = 2});
  cloud.disk(0).set_capacity(20U << 20);
  EXPECT_EQ(cloud.put(cloud.target({1, 0}), random_bytes(cloud.random, 6 << 20)).error(), Errc::kNoSpace);
  EXPECT_FALSE(cloud.store().usage(cloud.id(0))->refuses);
}

// --- regions that grow

VolumeOptions large_volumes() {
  return {.volume_bytes = 64U << 20, .reserve_bytes = 0, .whole_region_bytes = 256U << 10, .threads_per_drive = 2};
}

// Of the drive, by volumes.
std::uint64_t taken_bytes(io::FaultDisk& disk) {
  std::uint64_t sum = 0;
  const auto names = disk.list("volumes");
  for (const std::string& name : names ? *names : std::vector<std::string>{}) {
    const auto file = disk.open("volumes/" + name, io::OpenMode::kRead);
    sum += file ? (*file)->allocated().value_or(0) : 0;
  }
  return sum;
}

TEST(GrowingRegion, SpaceIsReservedAsBytesArrive) {
  TestCloud cloud(1, large_volumes());
  cloud.disk(0).set_capacity(100U << 20);
  const std::uint64_t announced = 40U << 20;
  auto writer = sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), announced, Deadline::never()));
  ASSERT_TRUE(writer) << writer.error().describe();
  EXPECT_EQ(taken_bytes(cloud.disk(0)), 0U) << "nothing has arrived";
  EXPECT_EQ(cloud.store().usage(cloud.id(0))->live_bytes, 0U);
  const Bytes data = random_bytes(cloud.random, 1 << 20);
  for (std::uint64_t arrived = data.size(); arrived <= announced; arrived += data.size()) {
    ASSERT_TRUE(sync_wait((*writer)->write(data)));
    // As much again as has arrived, at most twice what is reserved whole.
    EXPECT_LE(taken_bytes(cloud.disk(0)), arrived + arrived / 512 + (513U << 10)) << arrived;
    EXPECT_LE(cloud.store().usage(cloud.id(0))->live_bytes, arrived + arrived / 512 + (513U << 10));
  }
  const auto ref = finish(**writer);
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_TRUE(eventually([&] { return taken_bytes(cloud.disk(0)) == RecordLayout({1, 0}, announced).used_bytes(); }));
  Bytes all;
  for (std::uint64_t i = 0; i < announced; i += data.size()) all.insert(all.end(), data.begin(), data.end());
  EXPECT_TRUE(*cloud.get(*ref) == all);
  EXPECT_TRUE(*cloud.get(*ref, 20000001, 300000) == Bytes(all.begin() + 20000001, all.begin() + 20300001));
}

TEST(GrowingRegion, ManyThatAnnounceMuchAndSendLittleTakeLittle) {
  TestCloud cloud(1, large_volumes());
  cloud.disk(0).set_capacity(100U << 20);
  const Bytes little = random_bytes(cloud.random, 70000);
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < 30; ++i) {
    auto writer = sync_wait(
        cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), 60U << 20, Deadline::never()));
    ASSERT_TRUE(writer) << i << ": " << writer.error().describe();
    ASSERT_TRUE(sync_wait((*writer)->write(little)));
    writers.push_back(*std::move(writer));
  }
  EXPECT_LE(taken_bytes(cloud.disk(0)), 30U * (256U << 10));
  EXPECT_TRUE(cloud.put(cloud.target({1, 0}), random_bytes(cloud.random, 30U << 20)));
  writers.clear();
  EXPECT_TRUE(eventually([&] { return cloud.shards(0) == 1; }));
  EXPECT_TRUE(eventually([&] { return cloud.volume_files(0) <= 2; })) << cloud.volume_files(0);
}

TEST(GrowingRegion, WhatTheDriveCannotHoldIsRefusedBeforeAByteIsSent) {
  TestCloud cloud(1, large_volumes());
  cloud.disk(0).set_capacity(20U << 20);
  const auto writer = sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), 30U << 20, Deadline::never()));
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error(), Errc::kNoSpace);
  EXPECT_EQ(cloud.volume_files(0), 0U);
}

TEST(GrowingRegion, ADriveThatFillsUpUnderAnUploadEndsItCleanly) {
  TestCloud cloud(1, large_volumes());
  cloud.disk(0).set_capacity(20U << 20);
  const Bytes data = random_bytes(cloud.random, 15U << 20);
  const auto open = [&] {
    return sync_wait(
        cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), data.size(), Deadline::never()));
  };
  auto first = open();
  auto second = open();
  ASSERT_TRUE(first && second) << "each alone fits";
  Status failed;
  const std::size_t piece = 1 << 20;
  for (std::size_t at = 0; at < data.size() && failed; at += piece) {
    for (auto* writer : {&*first, &*second}) {
      if (failed) failed = sync_wait((*writer)->write(ByteView(data).subspan(at, piece)));
    }
  }
  ASSERT_FALSE(failed) << "both do not fit";
  EXPECT_EQ(failed.error(), Errc::kNoSpace) << failed.error().describe();
  EXPECT_TRUE(cloud.drives().online(cloud.id(0))) << "a full drive has not failed";
  first->reset();
  second->reset();
  EXPECT_TRUE(eventually([&] { return taken_bytes(cloud.disk(0)) == 0; })) << taken_bytes(cloud.disk(0));
  const auto ref = cloud.put(cloud.target({1, 0}), data);
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_TRUE(*cloud.get(*ref) == data);
}

TEST(GrowingRegion, TheReserveIsLeftWhateverFillsTheDriveMeanwhile) {
  VolumeOptions options = large_volumes();
  options.reserve_bytes = 8U << 20;
  TestCloud cloud(1, options);
  cloud.disk(0).set_capacity(24U << 20);
  const Bytes data = random_bytes(cloud.random, 12U << 20);
  auto writer = sync_wait(
      cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), data.size(), Deadline::never()));
  ASSERT_TRUE(writer) << writer.error().describe();
  const auto others = cloud.disk(0).open("others", io::OpenMode::kCreate);
  ASSERT_TRUE(others);
  ASSERT_TRUE((*others)->allocate(0, 8U << 20));
  Status stored = sync_wait((*writer)->write(data));
  if (stored) {
    const auto ref = finish(**writer);
    if (!ref) stored = fail(ref.error());
  }
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error(), Errc::kNoSpace) << stored.error().describe();
}

// One volume after another would make a file of each large blob.
TEST(GrowingRegion, VolumesAreFilledByOneLargeBlobAfterAnother) {
  TestCloud cloud(1, large_volumes());
  std::vector<std::pair<ShardedBlob, Bytes>> stored;
  for (const std::uint64_t size : {3000000, 5000, 7000000, 1000000, 200000, 9000000, 400000, 12000000}) {
    Bytes data = random_bytes(cloud.random, size);
    // Announced one byte longer: a region that is not filled does not begin the next record too early.
    auto ref = cloud.put(cloud.target({1, 0}), data, size + 1 + size / 3);
    ASSERT_TRUE(ref) << ref.error().describe();
    stored.emplace_back(*ref, std::move(data));
  }
  EXPECT_EQ(cloud.volume_files(0), 2U) << "one for small records, one for large";
  std::uint64_t used = 0;
  for (const auto& [ref, data] : stored) {
    EXPECT_TRUE(*cloud.get(ref) == data);
    used += RecordLayout({1, 0}, data.size()).used_bytes();
  }
  EXPECT_TRUE(eventually([&] { return cloud.usage(0)->live_bytes == used; }));
  cloud.restart();
  EXPECT_EQ(cloud.shards(0), stored.size());
  EXPECT_EQ(cloud.usage(0)->live_bytes, used);
  for (const auto& [ref, data] : stored) EXPECT_TRUE(*cloud.get(ref) == data);
  for (const auto& [ref, data] : stored) cloud.store().remove(ref);
  EXPECT_TRUE(eventually([&] { return cloud.volume_files(0) == 0; }));
}

TEST(GrowingRegion, ACrashInTheMidstLeavesAnOrphan) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    TestCloud cloud(1, large_volumes());
    cloud.disk(0).set_capacity(100U << 20);
    const Bytes kept_data = random_bytes(cloud.random, 3000000);
    const auto kept = cloud.put(cloud.target({1, 0}), kept_data);
    ASSERT_TRUE(kept);
    auto writer = sync_wait(
        cloud.store().open_writer(BlobId::random(cloud.random), cloud.target({1, 0}), 50U << 20, Deadline::never()));
    ASSERT_TRUE(writer);
    ASSERT_TRUE(sync_wait((*writer)->write(random_bytes(cloud.random, 6U << 20))));
    cloud.disk(0).arm({.ops = io::changing_ops(), .path_prefix = "volumes", .from_then_on = true});
    writer->reset();
    cloud.crash(seed);
    MapCatalog catalog;
    catalog.refs[kept->id] = *kept;
    ASSERT_TRUE(cloud.store().reclaim_orphans(cloud.id(0), catalog, std::chrono::milliseconds(0)));
    EXPECT_EQ(cloud.shards(0), 1U);
    EXPECT_EQ(cloud.usage(0)->live_bytes, RecordLayout({1, 0}, kept_data.size()).used_bytes());
    // Blocks reserved ahead, between pieces of a record without a head, lie behind the end when the drive comes back.
    cloud.take_offline(0);
    cloud.disk(0).set_offline(false);
    cloud.drives().probe_all();
    ASSERT_TRUE(eventually([&] { return cloud.store().usage(cloud.id(0)).has_value(); }));
    const std::uint64_t used_bytes = RecordLayout({1, 0}, kept_data.size()).used_bytes();
    EXPECT_TRUE(eventually([&] { return taken_bytes(cloud.disk(0)) == used_bytes; }))
        << "seed " << seed << ": " << taken_bytes(cloud.disk(0));
    EXPECT_TRUE(*cloud.get(*kept) == kept_data);
  }
}

TEST(VolumeStore, ADriveThatHangsIsWaitedForSoLongAndUsedOnceItAnswers) {
  VolumeOptions options = TestCloud::small_volumes();
  options.answer_limit = std::chrono::milliseconds(50);
  TestCloud cloud(2, options);
  const Bytes data = random_bytes(cloud.random, 300000);
  const auto on_first = cloud.put({.code = {1, 0}, .drives = {cloud.id(0)}}, data);
  ASSERT_TRUE(on_first);
  cloud.close_store();
  cloud.disk(0).set_hanging(true);
  cloud.open_store();
  EXPECT_TRUE(cloud.put({.code = {1, 0}, .drives = {cloud.id(1)}}, data));
  // The limit is of one attempt, however many wait for it one after the other.
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(cloud.store().attach(cloud.id(0)).error(), Errc::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 50 * options.answer_limit);
  EXPECT_EQ(cloud.store().detach_empty(cloud.id(0)).error(), Errc::kTimeout);
  cloud.disk(0).set_hanging(false);
  EXPECT_TRUE(eventually([&] { return cloud.store().attach(cloud.id(0)).has_value(); }));
  EXPECT_TRUE(*cloud.get(*on_first) == data);
}

TEST(VolumeStore, TellsWhichVolumesAreGone) {
  TestCloud cloud(1);
  const Target target{.code = {1, 0}, .drives = {cloud.id(0)}};
  const Bytes data = random_bytes(cloud.random, 300000);
  const ShardPlace first = cloud.put(target, data)->shards[0];
  EXPECT_EQ(cloud.store().presence(first), Presence::kThere);
  ShardPlace place = first;
  place.offset += 100 * kPageBytes;
  EXPECT_EQ(cloud.store().presence(place), Presence::kGone);
  place = first;
  ++place.volume;
  EXPECT_EQ(cloud.store().presence(place), Presence::kGone);
  place.drive = DriveId::random(cloud.random);
  EXPECT_EQ(cloud.store().presence(place), Presence::kUnknown);

  cloud.restart();
  EXPECT_EQ(cloud.store().presence(first), Presence::kThere);
  cloud.close_store();
  ASSERT_TRUE(cloud.disk(0).remove(TestCloud::volume_path(first.volume)));
  cloud.clock.advance(std::chrono::seconds(1));
  cloud.open_store();
  EXPECT_EQ(cloud.store().presence(first), Presence::kGone);
  // What lies there now is something else.
  const ShardPlace second = cloud.put(target, data)->shards[0];
  EXPECT_EQ(cloud.store().presence(second), Presence::kThere);
  EXPECT_EQ(cloud.store().presence(first), Presence::kGone);
  cloud.take_offline(0);
  EXPECT_EQ(cloud.store().presence(first), Presence::kUnknown);
  EXPECT_EQ(cloud.store().presence(second), Presence::kUnknown);
}

TEST(VolumeStore, NothingIsGoneFromADriveThatHasNotToldItsVolumes) {
  VolumeOptions options = TestCloud::small_volumes();
  options.answer_limit = std::chrono::milliseconds(50);
  TestCloud cloud(1, options);
  const auto stored = cloud.put({.code = {1, 0}, .drives = {cloud.id(0)}}, random_bytes(cloud.random, 300000));
  ASSERT_TRUE(stored);
  cloud.close_store();
  cloud.disk(0).arm({.action = io::FaultAction::kHang, .ops = {io::DiskOp::kOpen}, .path_prefix = "volumes/"});
  cloud.open_store();
  EXPECT_TRUE(cloud.drives().online(cloud.id(0)));
  EXPECT_EQ(cloud.store().presence(stored->shards[0]), Presence::kUnknown);
  cloud.disk(0).disarm();
  cloud.disk(0).set_hanging(false);
  EXPECT_TRUE(eventually([&] { return cloud.store().presence(stored->shards[0]) == Presence::kThere; }));
}

// Numbers follow the clock, as long as one of this century.
TEST(VolumeStore, NumbersOfVolumesGrowWhateverTheClockSays) {
  TestCloud cloud(1);
  const Target target{.code = {1, 0}, .drives = {cloud.id(0)}};
  const auto number_of_next = [&](std::chrono::hours later) {
    cloud.clock.advance(later);
    cloud.restart();
    return cloud.put(target, random_bytes(cloud.random, 1000))->shards[0].volume;
  };
  EXPECT_EQ(number_of_next(std::chrono::hours(0)), 1'700'000'000U);
  EXPECT_EQ(number_of_next(std::chrono::hours(-1)), 1'700'000'001U);
  EXPECT_EQ(number_of_next(std::chrono::hours(-24 * 365 * 60)), 1'700'000'002U);
  EXPECT_EQ(number_of_next(std::chrono::hours(24 * 365 * 200)), 1'700'000'003U);
}

TEST(VolumeStore, ADriveThatComesBackIsUsedAgain) {
  TestCloud cloud(4);
  const Bytes data = random_bytes(cloud.random, 300000);
  const auto before = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(before);
  cloud.take_offline(0);
  const auto during = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(during);
  EXPECT_TRUE(during->shards[0].drive.is_none());
  cloud.disk(0).set_offline(false);
  cloud.drives().probe_all();
  ASSERT_TRUE(eventually([&] { return cloud.store().usage(cloud.id(0)).has_value(); }));
  ASSERT_TRUE(eventually([&] {
    const auto after = cloud.put(cloud.target({2, 2}), data);
    return after && !after->shards[0].drive.is_none();
  }));
  EXPECT_TRUE(*cloud.get(*before) == data);
}

}  // namespace
}  // namespace andromede::blob
