// The volume store over a drive that hangs, neither answering nor failing, at its Nth I/O, then N + 1, until all pass.
// Nobody whom the store serves may wait for it once it is offline, and what it keeps must not touch what is theirs.
#include <gtest/gtest.h>

#include <future>

#include "blob/volumes/test_cloud.h"
#include "blob/volumes/underway.h"

namespace andromede::blob {
namespace {

constexpr unsigned kHanging = 1;
constexpr unsigned kLost = 0;
constexpr std::chrono::seconds kSoon{5};  // a second, on a machine that has much to do

VolumeOptions impatient() {
  VolumeOptions options = TestCloud::small_volumes();
  options.answer_limit = std::chrono::milliseconds(300);
  return options;
}

// Several stripes in two groups, so that shards are read and written in parts.
constexpr std::size_t kBlobBytes = 2'500'000;

class Hangs : public testing::Test {
 protected:
  struct Stored {
    ShardedBlob ref;
    Bytes data;
  };
  static Stored store(TestCloud& cloud, std::vector<unsigned> on) {
    Bytes data = random_bytes(cloud.random, kBlobBytes);
    Target target{.code = {2, 2}, .drives = {}};
    for (const unsigned drive : on) target.drives.push_back(cloud.id(drive));
    auto ref = cloud.put(target, data);
    EXPECT_TRUE(ref) << ref.error().describe();
    return {*std::move(ref), std::move(data)};
  }
  static Stored store_and_lose_one(TestCloud& cloud, std::vector<unsigned> on) {
    Stored stored = store(cloud, std::move(on));
    cloud.take_offline(kLost);
    return stored;
  }
  static bool soon(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + kSoon;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  // `work` on a cloud that `prepare` made, which hangs; it is taken offline as soon as it is asked for anything.
  // At every operation, or, where there are many of a kind, at every `step`th.
  template <typename Prepare, typename Work>
  static void at_every_operation(Prepare prepare, Work work, std::uint64_t step = 1) {
    bool passed = false;
    for (std::uint64_t n = 1; n < kMostOperations && !passed; n += step) {
      SCOPED_TRACE("the drive hangs at operation " + std::to_string(n));
      TestCloud cloud(6, impatient(), n);
      const Stored stored = prepare(cloud);
      io::FaultDisk& disk = cloud.disk(kHanging);
      disk.arm({.action = io::FaultAction::kHang, .path_prefix = "volumes", .nth = n});
      std::atomic<bool> done{false};
      std::thread thread([&] {
        work(cloud, stored);
        done = true;
      });
      EXPECT_TRUE(eventually([&] { return done || disk.hanging() > 0; }));
      cloud.drives().report_failure(cloud.id(kHanging), Error(make_error_code(Errc::kIo), "does not answer"));
      const bool ended = soon([&] { return done.load(); });
      EXPECT_TRUE(ended) << "somebody waits for a drive that is offline";
      passed = disk.fired() == 0;
      disk.disarm();
      disk.set_hanging(false);
      thread.join();
      if (!ended) return;
      cloud.drives().probe_all();
      cloud.restart();
      const auto read = cloud.get(stored.ref);
      ASSERT_TRUE(read) << read.error().describe();
      EXPECT_TRUE(*read == stored.data);
    }
    EXPECT_TRUE(passed);
  }
};

TEST_F(Hangs, AHealRebuildsFromTheOthers) {
  at_every_operation([](TestCloud& cloud) { return store_and_lose_one(cloud, {0, 1, 2, 3}); },
                     [](TestCloud& cloud, const Stored& stored) {
                       const auto place = cloud.store().copy_shard(stored.ref, kLost, cloud.id(4), {});
                       ASSERT_TRUE(place) << place.error().describe();
                       ShardedBlob healed = stored.ref;
                       healed.shards[kLost] = *place;
                       const auto read = cloud.get(healed);
                       ASSERT_TRUE(read) << read.error().describe();
                       EXPECT_TRUE(*read == stored.data);
                     });
}

TEST_F(Hangs, AHealOntoItEndsAndAnotherDriveTakesTheShard) {
  at_every_operation([](TestCloud& cloud) { return store_and_lose_one(cloud, {0, 2, 3, 4}); },
                     [](TestCloud& cloud, const Stored& stored) {
                       const auto place = cloud.store().copy_shard(stored.ref, 0, cloud.id(kHanging), {});
                       if (!place) {
                         EXPECT_EQ(place.error(), Errc::kUnavailable) << place.error().describe();
                       }
                       EXPECT_TRUE(cloud.store().copy_shard(stored.ref, 0, cloud.id(5), {}));
                     });
}

TEST_F(Hangs, AScrubEndsAndTakesNothingForDamaged) {
  at_every_operation([](TestCloud& cloud) { return store(cloud, {0, 1, 2, 3}); },
                     [](TestCloud& cloud, const Stored& stored) {
                       class Nobody final : public Authenticator {
                         Result<Suspects> liars(const BlobRef&, std::uint64_t, std::uint64_t) override {
                           return Suspects{};
                         }
                       } nobody;
                       EXPECT_TRUE(cloud.store().verify_blob(stored.ref, nobody, {}));
                       const auto health = cloud.store().verify_shard(stored.ref, 1, {});
                       if (health) {
                         EXPECT_EQ(*health, ShardHealth::kGood);
                       } else {
                         EXPECT_EQ(health.error(), Errc::kUnavailable) << "nobody can tell";
                       }
                       EXPECT_TRUE(cloud.store().take_damaged().empty());
                       EXPECT_NE(cloud.metrics.render().find("andromede_blob_damaged_total 0"), std::string::npos);
                     });
}

// More of them than there are threads that rebuild.
TEST_F(Hangs, ReadersGoOnWithoutIt) {
  at_every_operation([](TestCloud& cloud) { return store_and_lose_one(cloud, {0, 1, 2, 3}); },
                     [](TestCloud& cloud, const Stored& stored) {
                       std::vector<std::thread> readers;
                       for (int i = 0; i < 4; ++i) {
                         readers.emplace_back([&] {
                           const auto read = cloud.get(stored.ref);
                           ASSERT_TRUE(read) << read.error().describe();
                           EXPECT_TRUE(*read == stored.data);
                         });
                       }
                       for (auto& reader : readers) reader.join();
                       EXPECT_TRUE(cloud.get(stored.ref, 1'000'000, 100));
                     },
                     7);
}

TEST_F(Hangs, AReclaimEnds) {
  at_every_operation(
      [](TestCloud& cloud) {
        store(cloud, {0, 1, 2, 3});  // which no catalog names
        return store(cloud, {0, 1, 2, 3});
      },
      [](TestCloud& cloud, const Stored& stored) {
        MapCatalog catalog;
        catalog.refs[stored.ref.id] = stored.ref;
        static_cast<void>(cloud.store().reclaim_orphans(cloud.id(kHanging), catalog, std::chrono::milliseconds(0)));
      });
}

TEST_F(Hangs, WhoWaitsForACountGoesOn) {
  at_every_operation([](TestCloud& cloud) { return store(cloud, {0, 1, 2, 3}); },
                     [](TestCloud& cloud, const Stored&) {
                       cloud.restart();
                       static_cast<void>(cloud.store().count(cloud.id(kHanging), {}));
                     });
}

// Offers the given drives, one at a time.
class OneByOne final : public Replacer {
 public:
  explicit OneByOne(std::vector<DriveId> drives) : drives_(std::move(drives)) {}
  Result<std::vector<DriveId>> replace(const PolicyId&, const std::vector<std::optional<DriveId>>& kept,
                                       const std::vector<DriveId>&, std::uint64_t) override {
    std::vector<DriveId> answer;
    for (const auto& drive : kept) {
      answer.push_back(drive.value_or(DriveId{}));
      if (drive || next_ == drives_.size()) continue;
      answer.back() = drives_[next_++];
    }
    return answer;
  }

 private:
  const std::vector<DriveId> drives_;
  std::size_t next_ = 0;
};

TEST_F(Hangs, AWriteThatRebuildsGoesOnWithoutIt) {
  at_every_operation([](TestCloud& cloud) { return store(cloud, {2, 3, 4, 5}); },
                     [](TestCloud& cloud, const Stored& stored) {
                       // Two drives are away, and the first that is chosen in their place hangs.
                       OneByOne replacer({cloud.id(kHanging), cloud.id(4), cloud.id(5)});
                       Target target{.code = {2, 2},
                                     .drives = {cloud.id(0), cloud.id(2), DriveId{}, DriveId{}},
                                     .replacer = &replacer};
                       auto writer = sync_wait(cloud.store().open_writer(BlobId::random(cloud.random), target,
                                                                         stored.data.size(), Deadline::never()));
                       ASSERT_TRUE(writer) << writer.error().describe();
                       ASSERT_TRUE(sync_wait((*writer)->write(stored.data)));
                       const auto ref = finish(**writer);
                       ASSERT_TRUE(ref) << ref.error().describe();
                       const auto read = cloud.get(*ref);
                       ASSERT_TRUE(read) << read.error().describe();
                       EXPECT_TRUE(*read == stored.data);
                     });
}

// Read, written to and given back, it does not keep a process that stops; what it keeps ends when it answers.
TEST_F(Hangs, TheStoreStopsWithoutIt) {
  at_every_operation([](TestCloud& cloud) { return store(cloud, {0, 1, 2, 3}); },
                     [](TestCloud& cloud, const Stored& stored) {
                       const Bytes data = random_bytes(cloud.random, 300'000);
                       EXPECT_TRUE(cloud.put(cloud.target({2, 2}), data));
                       EXPECT_TRUE(cloud.get(stored.ref));
                       cloud.store().release_shard(stored.ref.id, kHanging, stored.ref.shards[kHanging]);
                       const Status stopped = cloud.store().stop();
                       if (stopped) {
                         EXPECT_EQ(cloud.disk(kHanging).hanging(), 0U);
                       } else {
                         EXPECT_EQ(stopped.error(), Errc::kTimeout);
                       }
                     },
                     5);
}

// Counting has a thread of its own.
TEST_F(Hangs, TheStoreStopsWithoutACountThatHangs) {
  TestCloud cloud(4, impatient());
  store(cloud, {0, 1, 2, 3});
  cloud.close_store();
  io::FaultDisk& disk = cloud.disk(kHanging);
  disk.arm({.action = io::FaultAction::kHang, .ops = {io::DiskOp::kRead}, .path_prefix = "volumes"});
  cloud.open_store();
  ASSERT_TRUE(eventually([&] { return disk.hanging() == 1; }));
  auto stopping = std::async(std::launch::async, [&] { return cloud.store().stop(); });
  EXPECT_TRUE(soon([&] { return stopping.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
  disk.disarm();
  disk.set_hanging(false);
  const Status stopped = stopping.get();
  ASSERT_FALSE(stopped);
  EXPECT_NE(stopped.error().message().find("drive " + cloud.id(kHanging).to_string()), std::string::npos)
      << stopped.error().describe();
}

// Whoever is waited for in vain, the drives end as they should.
TEST_F(Hangs, AStopThatAReaderOutlastsNamesNoDrive) {
  TestCloud cloud(4, impatient());
  const Stored stored = store(cloud, {0, 1, 2, 3});
  auto reader = sync_wait(cloud.store().open_reader(stored.ref, 0, kBlobBytes, Deadline::never(), 0));
  ASSERT_TRUE(reader);
  const Status stopped = cloud.store().stop();
  ASSERT_FALSE(stopped);
  EXPECT_NE(stopped.error().message().find("1 readers"), std::string::npos) << stopped.error().describe();
  EXPECT_EQ(stopped.error().message().find("drive "), std::string::npos) << stopped.error().describe();
  reader->reset();
}

// A drive that holds some of what it is asked of its volumes, and answers all else, its probes above all.
class Holds : public testing::Test {
 protected:
  static VolumeOptions impatient() {
    VolumeOptions options = TestCloud::small_volumes();
    options.patience = options.answer_limit = std::chrono::seconds(1);
    return options;
  }
  ~Holds() override { cloud_.disk(kHanging).disarm(); }

  void hold(std::vector<io::DiskOp> ops) {
    io::Fault fault{.action = io::FaultAction::kHold, .ops = std::move(ops), .path_prefix = "volumes"};
    fault.from_then_on = true;
    cloud_.disk(kHanging).arm(std::move(fault));
  }
  Result<ShardedBlob> store() { return cloud_.put(cloud_.target({2, 2}), data_); }
  void expect_found() {
    EXPECT_FALSE(cloud_.drives().online(cloud_.id(kHanging)));
    const std::string reason = cloud_.drives().offline_reason(cloud_.id(kHanging));
    EXPECT_NE(reason.find("of its volumes has not ended"), std::string::npos) << reason;
    for (const unsigned other : {0U, 2U, 3U}) EXPECT_TRUE(cloud_.drives().online(cloud_.id(other)));
    // Its probes answer, and another call would be held as those are.
    cloud_.drives().probe_all();
    EXPECT_FALSE(cloud_.drives().online(cloud_.id(kHanging)));
  }
  void expect_writers_go_on_without(io::DiskOp op) {
    hold({op});
    const auto put = store();
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_TRUE(put->shards[kHanging].drive.is_none());
    expect_found();
    expect_back();
  }
  void expect_back() {
    cloud_.disk(kHanging).disarm();
    EXPECT_TRUE(eventually([&] {
      cloud_.drives().probe_all();
      return cloud_.store().attach(cloud_.id(kHanging)).has_value();
    }));
  }

  TestCloud cloud_{6, impatient()};
  const Bytes data_ = random_bytes(cloud_.random, kBlobBytes);
};

// Two reads hold both threads of the drive, and with them what others want to write there.
TEST_F(Holds, ADriveThatHangsAtReadsAloneHoldsUpNoReadersAndNoWriters) {
  const auto ref = store();
  ASSERT_TRUE(ref);
  cloud_.restart();  // nothing of it is open
  hold({io::DiskOp::kRead});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto read = cloud_.get(*ref);
      ASSERT_TRUE(read) << read.error().describe();
      EXPECT_TRUE(*read == data_);
    });
  }
  // Or the first of them was given up before the second began.
  EXPECT_TRUE(
      eventually([&] { return cloud_.disk(kHanging).hanging() == 2 || !cloud_.drives().online(cloud_.id(kHanging)); }));
  const auto put = store();
  ASSERT_TRUE(put) << put.error().describe();
  EXPECT_TRUE(put->shards[kHanging].drive.is_none());
  for (auto& thread : threads) thread.join();
  expect_found();
  expect_back();
  const auto read = cloud_.get(*ref);
  ASSERT_TRUE(read);
  EXPECT_TRUE(*read == data_);
}

TEST_F(Holds, OneThatHangsAtWritesAloneHoldsUpNoWriters) { expect_writers_go_on_without(io::DiskOp::kWrite); }

TEST_F(Holds, OneThatHangsAtSyncsAloneHoldsUpNoWriters) { expect_writers_go_on_without(io::DiskOp::kSync); }

TEST_F(Holds, AScrubGoesOnAndTakesNothingForDamaged) {
  const auto ref = store();
  ASSERT_TRUE(ref);
  cloud_.restart();
  hold({io::DiskOp::kRead});
  const auto health = cloud_.store().verify_shard(*ref, kHanging, {});
  ASSERT_FALSE(health) << "it went away, and nobody knows what is on it";
  EXPECT_EQ(health.error(), Errc::kUnavailable);
  expect_found();
  class Nobody final : public Authenticator {
    Result<Suspects> liars(const BlobRef&, std::uint64_t, std::uint64_t) override { return Suspects{}; }
  } nobody;
  EXPECT_TRUE(cloud_.store().verify_blob(*ref, nobody, {}));
  EXPECT_TRUE(cloud_.store().copy_shard(*ref, kHanging, cloud_.id(4), {}));
  EXPECT_TRUE(cloud_.store().take_damaged().empty());
}

TEST_F(Holds, WhoWaitsForACountGoesOn) {
  ASSERT_TRUE(store());
  hold({io::DiskOp::kRead});
  cloud_.restart();
  EXPECT_EQ(cloud_.store().count(cloud_.id(kHanging), {}).error(), Errc::kUnavailable);
  expect_found();
}

TEST_F(Holds, AStartGoesOnWithoutIt) {
  ASSERT_TRUE(store());
  cloud_.close_store();
  hold({io::DiskOp::kList});
  cloud_.drives().report_failure(cloud_.id(kHanging), Error(make_error_code(Errc::kIo), "by the test"));
  cloud_.drives().probe_all();
  cloud_.open_store();
  expect_found();
  EXPECT_TRUE(store());
}

TEST_F(Holds, TheStoreStopsWithoutIt) {
  const auto ref = store();
  ASSERT_TRUE(ref);
  cloud_.restart();
  hold({io::DiskOp::kRead});
  EXPECT_TRUE(cloud_.get(*ref));
  const Status stopped = cloud_.store().stop();
  EXPECT_EQ(stopped.error(), Errc::kTimeout);
}

// Whatever hangs, and however many: a stop that can wait no longer says so.
TEST(HoldsAtAStop, NobodyWaitsOnceWaitsAreEnded) {
  TestCloud cloud(6);
  const Bytes data = random_bytes(cloud.random, kBlobBytes);
  const auto ref = cloud.put(cloud.target({2, 2}), data);
  ASSERT_TRUE(ref);
  cloud.restart();
  for (unsigned i = 0; i < 4; ++i) {
    io::Fault fault{.action = io::FaultAction::kHold, .ops = {}, .path_prefix = "volumes"};
    fault.from_then_on = true;
    cloud.disk(i).arm(std::move(fault));
  }
  std::vector<std::future<bool>> waiting;
  waiting.push_back(std::async(std::launch::async, [&] { return cloud.get(*ref).has_value(); }));
  waiting.push_back(std::async(std::launch::async, [&] { return cloud.put(cloud.target({2, 2}), data).has_value(); }));
  waiting.push_back(
      std::async(std::launch::async, [&] { return cloud.store().verify_shard(*ref, 2, {}).has_value(); }));
  waiting.push_back(
      std::async(std::launch::async, [&] { return cloud.store().copy_shard(*ref, 0, cloud.id(4), {}).has_value(); }));
  for (unsigned i = 0; i < 4; ++i) EXPECT_TRUE(eventually([&] { return cloud.disk(i).hanging() > 0; })) << i;
  const auto began = std::chrono::steady_clock::now();
  cloud.store().end_waits();
  for (auto& each : waiting) EXPECT_FALSE(each.get());
  EXPECT_LT(std::chrono::steady_clock::now() - began, kSoon) << "before their patience";
  for (unsigned i = 0; i < 4; ++i) EXPECT_TRUE(cloud.drives().online(cloud.id(i))) << "nothing is said of the drives";
  for (unsigned i = 0; i < 4; ++i) cloud.disk(i).disarm();
  EXPECT_TRUE(eventually([&] { return cloud.disk(0).hanging() == 0; }));
  cloud.restart();
  const auto read = cloud.get(*ref);
  ASSERT_TRUE(read);
  EXPECT_TRUE(*read == data);
}

TEST(Underway, OnlyWhatHasBegunAndDoesNotGetOnIsHeld) {
  constexpr std::chrono::hours kLookEvery{1};
  constexpr std::chrono::nanoseconds kPatience{1};
  const std::shared_ptr<io::Disk> disk = io::FaultDisk::make();
  const std::shared_ptr<io::Disk> other = io::FaultDisk::make();
  Underway underway;
  const auto held = [&] { return underway.held(disk.get(), kPatience, kLookEvery) != nullptr; };
  EXPECT_FALSE(held());
  std::weak_ptr<const void> call;
  {
    const Underway::Job job(underway, disk);
    EXPECT_FALSE(held()) << "it began since the last look";
    EXPECT_TRUE(held());
    underway.step();
    EXPECT_FALSE(held());
    EXPECT_TRUE(held());
    EXPECT_EQ(underway.held(other.get(), kPatience, kLookEvery), nullptr) << "of the opening before";
    EXPECT_EQ(underway.held(disk.get(), std::chrono::hours(1), kLookEvery), nullptr);
    call = underway.held(disk.get(), kPatience, kLookEvery);
    EXPECT_FALSE(call.expired());
  }
  EXPECT_TRUE(call.expired()) << "it has ended";
  EXPECT_FALSE(held());
  const Underway::Job patient(underway, disk, 1000);
  EXPECT_FALSE(held());
  EXPECT_EQ(underway.held(disk.get(), std::chrono::milliseconds(100), kLookEvery), nullptr);
}

}  // namespace
}  // namespace andromede::blob
