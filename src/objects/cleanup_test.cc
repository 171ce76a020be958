// Deletion of buckets with uploads under way: what the request does, what is done behind it, and what a crash between
// any two commits leaves.
#include "objects/cleanup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <set>
#include <thread>

#include "objects/layout.h"
#include "objects/records.h"
#include "objects/service_impl.h"
#include "objects/test_bodies.h"
#include "objects/test_cloud.h"

namespace andromede::objects {
namespace {

using testing::ElementsAreArray;

class CleanupTest : public testing::Test {
 protected:
  CleanupTest() {
    // An account has its count from its first bucket on.
    create("other");
    without_bucket_ = cloud_.keys();
  }

  Service& service() { return cloud_.service(); }
  const identity::Context& me() { return cloud_.context(); }
  void create(const std::string& name) { TestCloud::must(sync_wait(service().create_bucket(me(), name))); }
  Status remove(const std::string& name = "bucket") { return sync_wait(service().delete_bucket(me(), name)); }
  UploadId create_upload(const std::string& key = "key") {
    CreateUploadRequest request;
    request.bucket = "bucket";
    request.key = key;
    return TestCloud::must(sync_wait(service().create_upload(me(), request))).id;
  }
  Result<PutAnswer> upload_part(UploadId upload, std::uint32_t number, std::size_t bytes) {
    UploadPartRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.upload = upload;
    request.number = number;
    MemoryBody body(pattern(bytes, number));
    return sync_wait(service().upload_part(me(), request, body));
  }
  BucketId bucket_id() { return TestCloud::must(sync_wait(service().head_bucket(me(), "bucket"))).info.id; }
  // Parts of an upload as they would be, of blobs that were never written.
  void fake_parts(UploadId upload, std::uint32_t count, const std::string& key = "key") {
    const BucketId bucket = bucket_id();
    meta::Commit change;
    change.partition = layout::partition(bucket, key);
    change.unwitnessed = "a test";
    for (std::uint32_t number = 1; number <= count; ++number) {
      PartRecord part;
      part.number = number;
      part.size_bytes = kMinPartBytes;
      part.pieces = {{BlobId::random(cloud_.random()), part.size_bytes, false, KeyId{}, Bytes(40, 1)}};
      change.put.push_back({{meta::Space::kRecords, layout::part(upload, number)}, encode(part)});
    }
    TestCloud::must(sync_wait(cloud_.meta().commit(std::move(change), Deadline::never())));
  }
  // Uploads of every kind: without parts, with an inlined one, with blobs.
  void fill() {
    create_upload("nothing yet");
    const UploadId upload = create_upload();
    ASSERT_TRUE(upload_part(upload, 1, 100'000));
    ASSERT_TRUE(upload_part(upload, 2, 100));
    ASSERT_TRUE(upload_part(create_upload(), 9, 150'000));
  }
  std::size_t ended_buckets() {
    return TestCloud::must(sync_wait(cloud_.meta().ended_roots({}, 100, Deadline::never()))).size();
  }
  void expect_nothing_left() {
    EXPECT_EQ(ended_buckets(), 0U);
    EXPECT_THAT(cloud_.keys(), ElementsAreArray(without_bucket_));
    EXPECT_EQ(cloud_.payloads(), 0U);
  }

  TestCloud cloud_;
  std::vector<std::string> without_bucket_;
};

TEST_F(CleanupTest, ADeletionCostsTheSameWhateverIsUnderWay) {
  std::vector<std::size_t> erased_empty;
  for (const std::uint32_t uploads : {0U, 60U}) {
    create("bucket");
    for (std::uint32_t i = 0; i < uploads; ++i) create_upload();
    if (uploads > 0) fake_parts(create_upload(), 1000);
    std::vector<std::size_t> erased;
    cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
      erased.push_back(change.erase.size());
      return std::nullopt;
    };
    ASSERT_TRUE(remove());
    cloud_.watch.before_commit = {};
    if (uploads == 0) erased_empty = erased;
    EXPECT_EQ(erased, erased_empty);
    EXPECT_EQ(code_of(sync_wait(service().head_bucket(me(), "bucket"))), ObjectErrc::kNoSuchBucket);
  }
  cloud_.clean_up();
  expect_nothing_left();
}

TEST_F(CleanupTest, EveryStepIsBounded) {
  create("bucket");
  fake_parts(create_upload("a"), 2 * kMaxErasedPerStep, "a");  // exactly two steps
  fake_parts(create_upload("b"), kMaxErasedPerStep + 7, "b");
  for (int i = 0; i < 10; ++i) create_upload();
  const UploadId real = create_upload();
  ASSERT_TRUE(upload_part(real, 1, 100'000));
  ASSERT_TRUE(remove());
  std::size_t steps = 0;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    ++steps;
    // The records of uploads and parts, beside those of blobs.
    const auto blobs =
        std::ranges::count_if(change.erase, [](const meta::Key& key) { return key.bytes.starts_with(layout::kBlobs); });
    EXPECT_LE(change.erase.size() - static_cast<std::size_t>(blobs), kMaxErasedPerStep);
    EXPECT_LE(blobs, static_cast<std::ptrdiff_t>(kMaxErasedPerStep));
    return std::nullopt;
  };
  cloud_.clean_up();
  cloud_.watch.before_commit = {};
  // Two and one for the first, two for the second, one for each other upload, and the last.
  EXPECT_EQ(steps, 17U);
  expect_nothing_left();
  EXPECT_EQ(cloud_.removed().size(), 1U);
}

TEST_F(CleanupTest, ACrashBetweenAnyTwoCommitsLeavesNothingForGood) {
  for (const bool made : {false, true}) {
    for (int last = 0;; ++last) {
      create("bucket");
      fill();
      int commits = 0;
      bool crashed = false;
      const auto crash = [&](const meta::Commit&) -> std::optional<Error> {
        if (commits++ < last) return std::nullopt;
        crashed = true;
        return Error(make_error_code(Errc::kUnavailable), "crashed");
      };
      // What the last commit was is done, or not; after it there is nobody any more.
      if (made) {
        cloud_.watch.before_commit = [&](const meta::Commit&) -> std::optional<Error> {
          if (!crashed) return std::nullopt;
          return Error(make_error_code(Errc::kUnavailable), "crashed");
        };
        cloud_.watch.after_commit = crash;
      } else {
        cloud_.watch.before_commit = crash;
      }
      const Status deleted = remove();
      if (deleted) {
        while (!crashed) {
          const auto more = sync_wait(service().clean_up());
          if (!more || !*more) break;
        }
      }
      cloud_.watch = {};
      cloud_.restart();
      // Either the bucket is as it was, and takes writes, or it is gone; never something between.
      const bool there = sync_wait(service().head_bucket(me(), "bucket")).has_value();
      if (there) {
        EXPECT_FALSE(deleted);
        ListUploadsRequest list;
        list.bucket = "bucket";
        EXPECT_EQ(sync_wait(service().list_uploads(me(), list))->uploads.size(), 3U) << last;
        ASSERT_TRUE(upload_part(create_upload(), 1, 100));
        ASSERT_TRUE(remove());
      }
      cloud_.clean_up();
      expect_nothing_left();
      EXPECT_EQ(cloud_.blobs(), 0U) << last;
      EXPECT_EQ(TestCloud::must(sync_wait(service().list_buckets(me(), {}))).buckets.size(), 1U);
      if (!crashed) break;
    }
  }
}

TEST_F(CleanupTest, ANewBucketOfTheNameIsIndependent) {
  create("bucket");
  fill();
  ASSERT_TRUE(remove());
  create("bucket");
  ASSERT_TRUE(upload_part(create_upload(), 1, 120'000));
  PutRequest put;
  put.bucket = "bucket";
  put.key = "key";
  MemoryBody body(pattern(70'000, 7));
  ASSERT_TRUE(sync_wait(service().put(me(), put, body)));
  EXPECT_EQ(code_of(remove()), ObjectErrc::kBucketNotEmpty);
  cloud_.clean_up();
  EXPECT_EQ(cloud_.blobs(), 2U);
  EXPECT_EQ(cloud_.removed().size(), 2U);
  ListUploadsRequest list;
  list.bucket = "bucket";
  EXPECT_EQ(TestCloud::must(sync_wait(service().list_uploads(me(), list))).uploads.size(), 1U);
  GetRequest get;
  get.bucket = "bucket";
  get.key = "key";
  EXPECT_TRUE(sync_wait(read_all(**sync_wait(service().get(me(), get)))) == pattern(70'000, 7));
}

TEST_F(CleanupTest, WhatIsLeftOfABucketIsNobodys) {
  create("bucket");
  const UploadId upload = create_upload();
  ASSERT_TRUE(upload_part(upload, 1, 100));
  const std::vector<std::string> before = cloud_.keys();
  ASSERT_TRUE(remove());
  for (const bool again : {false, true}) {
    if (again) create("bucket");
    const auto expected = again ? ObjectErrc::kNoSuchUpload : ObjectErrc::kNoSuchBucket;
    EXPECT_EQ(code_of(upload_part(upload, 2, 100'000)), expected);
    EXPECT_EQ(code_of(sync_wait(service().abort_upload(me(), "bucket", "key", upload))), expected);
    ListPartsRequest list;
    list.bucket = "bucket";
    list.key = "key";
    list.upload = upload;
    EXPECT_EQ(code_of(sync_wait(service().list_parts(me(), list))), expected);
    CompleteRequest complete;
    complete.bucket = "bucket";
    complete.key = "key";
    complete.upload = upload;
    complete.parts = {{1, std::string(32, 'a'), {}}};
    EXPECT_EQ(code_of(sync_wait(service().complete_upload(me(), complete))), expected);
  }
  EXPECT_EQ(cloud_.blobs(), 0U);
}

TEST_F(CleanupTest, TheThreadStopsAfterItsStepAndGoesOnAtTheNextStart) {
  create("bucket");
  fake_parts(create_upload(), 5 * kMaxErasedPerStep);
  std::mutex mutex;
  std::condition_variable changed;
  int steps = 0;
  bool may_go_on = false;
  bool ended = false;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    if (!change.unwitnessed || change.partition == meta::kCloudPartition || change.gives_back) return std::nullopt;
    std::unique_lock lock(mutex);
    ++steps;
    if (change.erase.empty()) ended = true;  // the root is forgotten
    changed.notify_all();
    changed.wait(lock, [&] { return may_go_on; });
    return std::nullopt;
  };
  service().start_cleanup();
  // Woken by the deletion, which does not wait for it.
  ASSERT_TRUE(remove());
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return steps == 1; });
  }
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    service().stop_cleanup();
    stopped = true;
  });
  // It waits for the step under way: given back is either whole or nothing.
  EXPECT_FALSE(stopped);
  {
    const std::lock_guard lock(mutex);
    may_go_on = true;
  }
  changed.notify_all();
  stopper.join();
  EXPECT_LT(steps, 5);
  EXPECT_FALSE(ended);
  EXPECT_EQ(ended_buckets(), 1U);
  service().start_cleanup();
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ended; });
  }
  service().stop_cleanup();
  expect_nothing_left();
}

// Three deleted buckets, one of them with a part that cannot be read, one with a record that cannot.
TEST_F(CleanupTest, ADamagedRecordKeepsNoOtherBucketWaiting) {
  if (TestCloud::in_memory()) GTEST_SKIP() << "it has no record of a root to damage";
  std::vector<std::string> damaged;
  for (const char* what : {"part", "record", "nothing"}) {
    create("bucket");
    const BucketId bucket = bucket_id();
    const UploadId upload = create_upload();
    ASSERT_TRUE(upload_part(upload, 1, 100'000));
    std::string key = layout::part(upload, 1);
    ASSERT_TRUE(remove());
    // As the embedded engine keeps it.
    if (what == std::string("record")) key = "d/" + std::string(as_text(bucket.bytes()));
    if (what != std::string("nothing")) damaged.push_back(key);
  }
  std::vector<std::optional<std::string>> whole;
  for (const std::string& key : damaged) whole.push_back(cloud_.stored(key));
  const auto write = [&](std::size_t i, const std::string& value) {
    meta::Commit change;
    change.put.push_back({{meta::Space::kRecords, damaged[i]}, value});
    cloud_.change(std::move(change));
  };
  for (std::size_t i = 0; i < damaged.size(); ++i) write(i, "damaged");
  // To the end of a round.
  const auto round = [&]() -> Result<bool> {
    for (int step = 0; step < 100; ++step) {
      const auto more = sync_wait(service().clean_up());
      if (!more || !*more) return more;
    }
    return fail(Errc::kInternal, "a round without an end");
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(code_of(round()), Errc::kCorrupt);
    EXPECT_EQ(service().stuck_cleanups(), 2U);
    EXPECT_EQ(cloud_.removed().size(), 1U) << "the third bucket's blob";
  }
  EXPECT_EQ(cloud_.blobs(), 2U);
  write(0, *whole[0]);
  EXPECT_EQ(code_of(round()), Errc::kCorrupt);
  EXPECT_EQ(service().stuck_cleanups(), 1U);
  // What keeps all waiting is told at once, and forgets nothing.
  cloud_.watch.before_commit = [](const meta::Commit&) {
    return std::optional(Error(make_error_code(Errc::kNotBegun), "a test"));
  };
  write(1, *whole[1]);
  EXPECT_EQ(code_of(sync_wait(service().clean_up())), Errc::kNotBegun);
  cloud_.watch.before_commit = {};
  const auto last = round();
  ASSERT_TRUE(last) << last.error().describe();
  EXPECT_EQ(service().stuck_cleanups(), 0U);
  expect_nothing_left();
}

TEST(CleanupThread, TriesAgainAfterAnErrorAndSleepsWhenNothingIsLeft) {
  std::mutex mutex;
  std::condition_variable changed;
  int calls = 0;
  Cleanup cleanup(
      [&]() -> Result<bool> {
        const std::lock_guard lock(mutex);
        ++calls;
        changed.notify_all();
        if (calls <= 2) return fail(Errc::kUnavailable, "a test");
        return calls < 5;
      },
      std::chrono::milliseconds(1));
  const auto wait_for = [&](int wanted) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return calls >= wanted; });
    EXPECT_EQ(calls, wanted);
  };
  cleanup.start();
  wait_for(5);
  cleanup.wake();
  wait_for(6);
  cleanup.stop();
  cleanup.wake();  // nobody hears it
  EXPECT_EQ(calls, 6);
}

TEST(CleanupThread, ARestAfterAnErrorEndsWithAStop) {
  std::atomic<int> calls{0};
  Cleanup cleanup(
      [&]() -> Result<bool> {
        ++calls;
        calls.notify_all();
        return fail(Errc::kUnavailable, "a test");
      },
      std::chrono::hours(1));
  cleanup.start();
  calls.wait(0);
  cleanup.stop();
  EXPECT_EQ(calls, 1);
}

class BucketCountTest : public CleanupTest {
 protected:
  // As if the account had so many buckets.
  void count_as(std::uint32_t buckets) {
    meta::Commit change;
    change.partition = meta::kCloudPartition;
    change.put.push_back(
        {{meta::Space::kRecords, layout::bucket_count(me().principal.account.id)}, encode(BucketCount{buckets})});
    change.unwitnessed = "a test";
    TestCloud::must(sync_wait(cloud_.meta().commit(std::move(change), Deadline::never())));
  }
  std::uint32_t counted() {
    const auto raw = TestCloud::must(sync_wait(cloud_.meta().get(
        meta::kCloudPartition, {meta::Space::kRecords, layout::bucket_count(me().principal.account.id)},
        Deadline::never())));
    return raw ? TestCloud::must(decode_bucket_count(as_bytes(*raw))).buckets : 0;
  }
};

TEST_F(BucketCountTest, FollowsNamesGivenAndTaken) {
  EXPECT_EQ(counted(), 1U);
  create("bucket");
  create("bucket");  // again, which is no other
  EXPECT_EQ(counted(), 2U);
  EXPECT_EQ(code_of(sync_wait(service().create_bucket(cloud_.context(1), "bucket"))), ObjectErrc::kBucketAlreadyExists);
  EXPECT_EQ(counted(), 2U);
  ASSERT_TRUE(remove());
  EXPECT_FALSE(remove());
  EXPECT_EQ(counted(), 1U);
}

TEST_F(BucketCountTest, FollowsANameThatIsGivenWhileAnotherIsTaken) {
  create("bucket");
  bool came = false;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    // The commit that takes the name.
    if (came || change.partition != meta::kCloudPartition || change.event) return std::nullopt;
    came = true;
    std::thread([&] { create("another"); }).join();
    return std::nullopt;
  };
  ASSERT_TRUE(remove());
  cloud_.watch.before_commit = {};
  EXPECT_TRUE(came);
  EXPECT_EQ(counted(), 2U);
  EXPECT_EQ(TestCloud::must(sync_wait(service().list_buckets(me(), {}))).buckets.size(), 2U);
}

TEST_F(BucketCountTest, OfTwoThatTakeTheLastPlaceOneIsRefused) {
  count_as(kMaxBucketsPerAccount - 1);
  bool came = false;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    if (came || !change.event || change.event->find("CreateBucket") == std::string::npos) return std::nullopt;
    came = true;
    std::thread([&] { create("faster"); }).join();
    return std::nullopt;
  };
  EXPECT_EQ(code_of(sync_wait(service().create_bucket(me(), "slower"))), ObjectErrc::kTooManyBuckets);
  EXPECT_TRUE(came);
  cloud_.watch.before_commit = {};
  EXPECT_EQ(counted(), kMaxBucketsPerAccount);
  EXPECT_EQ(code_of(sync_wait(service().head_bucket(me(), "slower"))), ObjectErrc::kNoSuchBucket);
  ASSERT_TRUE(sync_wait(service().create_bucket(cloud_.context(1), "slower")));  // another account's count is its own
  ASSERT_TRUE(remove("faster"));
  create("in-its-place");
}

TEST_F(BucketCountTest, HoldsWhenManyComeAtOnce) {
  constexpr unsigned kRoom = 3;
  count_as(kMaxBucketsPerAccount - kRoom);
  std::mutex mutex;
  std::set<meta::RootId> roots;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    const std::lock_guard lock(mutex);
    if (change.partition != meta::kCloudPartition) roots.insert(change.partition.root);
    return std::nullopt;
  };
  std::vector<std::thread> threads;
  std::atomic<unsigned> made{0};
  std::atomic<unsigned> refused{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const Status done = sync_wait(service().create_bucket(me(), "bucket-" + std::to_string(i)));
      if (done) ++made;
      if (code_of(done) == ObjectErrc::kTooManyBuckets) ++refused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, kRoom);
  EXPECT_EQ(refused, 8 - kRoom);
  cloud_.watch.before_commit = {};
  // The roots of those that got no name are gone too.
  EXPECT_EQ(std::ranges::count_if(
                roots,
                [&](meta::RootId root) {
                  return TestCloud::must(sync_wait(cloud_.meta().root_state(root, Deadline::never()))).has_value();
                }),
            kRoom);
}

}  // namespace
}  // namespace andromede::objects
