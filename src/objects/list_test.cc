// Listings against a std::map as model.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "objects/layout.h"
#include "objects/service_impl.h"
#include "objects/test_bodies.h"
#include "objects/test_cloud.h"

namespace andromede::objects {
namespace {

struct Row {
  std::string name;
  bool prefix = false;
  friend bool operator==(const Row&, const Row&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << (row.prefix ? "prefix " : "key ") << row.name;
  }
};

// What S3 lists of `keys`, without pages.
std::vector<Row> model(const std::set<std::string>& keys, const std::string& prefix, const std::string& delimiter,
                       const std::string& after) {
  std::vector<Row> rows;
  for (const std::string& key : keys) {
    if (!key.starts_with(prefix)) continue;
    Row row{key, false};
    if (!delimiter.empty()) {
      const std::size_t at = key.find(delimiter, prefix.size());
      if (at != std::string::npos) row = {key.substr(0, at + delimiter.size()), true};
    }
    if (row.name <= after && !after.empty()) continue;
    if (rows.empty() || !(rows.back() == row)) rows.push_back(row);
  }
  return rows;
}

class ListTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { shared_cloud = new TestCloud(); }
  static void TearDownTestSuite() {
    delete shared_cloud;
    shared_cloud = nullptr;
  }

  static Service& service() { return shared_cloud->service(); }
  static const identity::Context& me() { return shared_cloud->context(); }
  static std::string new_bucket() {
    static int number = 0;
    const std::string name = "bucket-" + std::to_string(number++);
    TestCloud::must(sync_wait(service().create_bucket(me(), name)));
    return name;
  }
  static void put(const std::string& bucket, const std::string& key) {
    PutRequest request;
    request.bucket = bucket;
    request.key = key;
    MemoryBody body("body of " + key);
    TestCloud::must(sync_wait(service().put(me(), request, body)));
  }
  static ListPage page(ListRequest request) {
    return TestCloud::must(sync_wait(service().list(me(), std::move(request))));
  }

  // All pages, each checked by itself.
  static std::vector<Row> list(ListRequest request) {
    std::vector<Row> rows;
    while (true) {
      const ListPage one = page(request);
      RC_ASSERT(one.entries.size() + one.common_prefixes.size() <= request.max);
      std::map<std::string, bool> merged;
      for (const ListEntry& entry : one.entries) merged.emplace(entry.key, false);
      for (const std::string& prefix : one.common_prefixes) merged.emplace(prefix, true);
      for (const auto& [name, is_prefix] : merged) rows.push_back({name, is_prefix});
      if (!one.truncated) {
        RC_ASSERT(one.next.empty());
        return rows;
      }
      RC_ASSERT(!merged.empty());
      RC_ASSERT(one.next == merged.rbegin()->first);
      request.after = one.next;
    }
  }

  static TestCloud* shared_cloud;
};
TestCloud* ListTest::shared_cloud = nullptr;

TEST_F(ListTest, IsWhatTheModelSays) {
  const std::string bucket = new_bucket();
  std::set<std::string> keys;
  // Keys over a small alphabet with the bytes that order badly: below and above the delimiters, 0xFF, UTF-8.
  const auto some_name = [](std::size_t longest) {
    return rc::gen::resize(static_cast<int>(longest),
                           rc::gen::container<std::string>(rc::gen::element('a', 'b', '/', '.', '\xFF', '\xC3', ' ')));
  };
  SeededRandom random(5);
  const std::string alphabet = "ab/.\xFF\xC3 ";
  while (keys.size() < 120) {
    std::string key;
    for (std::uint64_t length = 1 + random.below(6); length > 0; --length)
      key += alphabet[random.below(alphabet.size())];
    if (keys.insert(key).second) put(bucket, key);
  }
  EXPECT_TRUE(rc::check("listing equals the model", [&] {
    ListRequest request;
    request.bucket = bucket;
    request.prefix = *some_name(3);
    request.delimiter = *rc::gen::element<std::string>("", "/", ".", "//", "a/", "\xFF", "b");
    request.after = *some_name(4);
    request.max = *rc::gen::element<std::size_t>(1, 2, 7, 1000);
    RC_ASSERT(list(request) == model(keys, request.prefix, request.delimiter, request.after));
  }));
}

TEST_F(ListTest, AnswersWithNothingForNoKeysAndForNoBucket) {
  const std::string bucket = new_bucket();
  ListRequest request;
  request.bucket = bucket;
  EXPECT_TRUE(page(request).entries.empty());
  put(bucket, "a");
  request.max = 0;
  EXPECT_TRUE(page(request).entries.empty());
  EXPECT_FALSE(page(request).truncated);
  request.bucket = "no-such-bucket";
  EXPECT_EQ(sync_wait(service().list(me(), request)).error().code(), ObjectErrc::kNoSuchBucket);
}

TEST_F(ListTest, ShowsWhatAHeadShows) {
  const std::string bucket = new_bucket();
  put(bucket, "key");
  ListRequest request;
  request.bucket = bucket;
  const ListPage one = page(request);
  ASSERT_EQ(one.entries.size(), 1U);
  GetRequest head;
  head.bucket = bucket;
  head.key = "key";
  head.head_only = true;
  const auto object = sync_wait(service().get(me(), head));
  EXPECT_EQ(one.entries[0].etag, (*object)->info().etag);
  EXPECT_EQ(one.entries[0].size_bytes, (*object)->info().size_bytes);
  EXPECT_EQ(one.entries[0].modified, (*object)->info().modified);
  EXPECT_EQ(one.entries[0].checksum_kind, crypto::Checksum::kCrc64Nvme);
  EXPECT_EQ(one.owner.canonical_id, me().principal.account.canonical_id);
}

TEST_F(ListTest, AnotherBucketsKeysAreNotSeen) {
  const std::string first = new_bucket();
  const std::string second = new_bucket();
  put(first, "\xFF");
  put(second, "a");
  ListRequest request;
  for (const std::string& bucket : {first, second}) {
    request.bucket = bucket;
    EXPECT_EQ(page(request).entries.size(), 1U);
    request.delimiter = bucket == first ? "\xFF" : "a";
    EXPECT_EQ(page(request).common_prefixes.size(), 1U);
  }
}

TEST(Listings, OfOneAccountLeaveRoomForOthers) {
  TestCloud cloud;
  for (unsigned account = 0; account < 2; ++account) {
    const std::string name = "bucket-" + std::to_string(account);
    TestCloud::must(sync_wait(cloud.service().create_bucket(cloud.context(account), name)));
  }
  const auto list = [&](unsigned account) {
    ListRequest request;
    request.bucket = "bucket-" + std::to_string(account);
    return sync_wait(cloud.service().list(cloud.context(account), request)).has_value();
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t inside = 0;
  std::size_t most = 0;
  bool may_go_on = false;
  thread_local bool hold = false;
  cloud.watch.before_cursor = [&] {
    if (!hold) return;
    std::unique_lock lock(mutex);
    most = std::max(most, ++inside);
    changed.notify_all();
    changed.wait(lock, [&] { return may_go_on; });
    --inside;
  };
  std::vector<std::thread> flood;
  for (std::size_t i = 0; i < 3 * kListingsAtOnce; ++i) {
    flood.emplace_back([&] {
      hold = true;
      EXPECT_TRUE(list(0));
    });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return inside == kListingsAtOnce; });
  }
  // All that it may have under way hang, more of it waits, and another account's listings go on.
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(list(1));
  {
    const std::lock_guard lock(mutex);
    may_go_on = true;
  }
  changed.notify_all();
  for (std::thread& one : flood) one.join();
  EXPECT_EQ(most, kListingsAtOnce);
}

// Many deleted keys, a walk over which takes many turns: whoever goes meanwhile gets no more of them.
TEST(Listings, ThatNobodyWaitsForGiveUpTheirTurn) {
  if (TestCloud::in_memory()) GTEST_SKIP() << "its walks take no turns";
  TestCloud cloud;
  TestCloud::must(sync_wait(cloud.service().create_bucket(cloud.context(), "bucket")));
  const BucketId bucket = TestCloud::must(sync_wait(cloud.service().head_bucket(cloud.context(), "bucket"))).info.id;
  for (const bool there : {true, false}) {
    meta::Commit change;
    for (int i = 0; i < 20'000; ++i) {
      const meta::Key key{meta::Space::kRecords, layout::object(bucket, std::to_string(100'000 + i))};
      if (there) {
        change.put.push_back({key, "x"});
      } else {
        change.erase.push_back(key);
      }
    }
    cloud.change(std::move(change));
  }
  std::stop_source gone;
  const auto list = [&] {
    ListRequest request;
    request.bucket = "bucket";
    return sync_wait(cloud.service().list(cloud.context_until(gone.get_token()), request));
  };
  cloud.watch.before_cursor = [&] { gone.request_stop(); };
  auto page = list();
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error(), Errc::kCancelled);
  gone = {};
  cloud.watch.before_cursor = [&] { cloud.clock().advance(kTurnTime); };
  page = list();
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error(), Errc::kTimeout);
  cloud.watch.before_cursor = {};
  page = list();
  ASSERT_TRUE(page) << page.error().describe();
  EXPECT_TRUE(page->entries.empty());
}

}  // namespace
}  // namespace andromede::objects
