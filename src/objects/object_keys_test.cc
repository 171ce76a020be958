// By which key objects are sealed and opened, and what a custody that hangs costs their readers and writers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "objects/layout.h"
#include "objects/records.h"
#include "objects/service_impl.h"
#include "objects/test_bodies.h"
#include "objects/test_cloud.h"

namespace andromede::objects {
namespace {

using ::testing::HasSubstr;

class ObjectKeysTest : public testing::Test {
 protected:
  ObjectKeysTest() {
    for (unsigned account : {0U, 1U}) {
      TestCloud::must(sync_wait(cloud_.service().create_bucket(cloud_.context(account), bucket(account))));
    }
  }
  ~ObjectKeysTest() override { cloud_.custody().release(); }

  static std::string bucket(unsigned account) { return "bucket-" + std::to_string(account); }
  Status put(unsigned account, const std::string& key, std::string bytes) {
    PutRequest request;
    request.bucket = bucket(account);
    request.key = key;
    MemoryBody body(std::move(bytes));
    TRY(const PutAnswer done, sync_wait(cloud_.service().put(cloud_.context(account), std::move(request), body)));
    static_cast<void>(done);
    return {};
  }
  Result<std::string> get(unsigned account, const std::string& key) {
    GetRequest request;
    request.bucket = bucket(account);
    request.key = key;
    TRY(const auto object, sync_wait(cloud_.service().get(cloud_.context(account), std::move(request))));
    return sync_wait(read_all(*object));
  }
  meta::Key record_key(unsigned account, const std::string& key) {
    const BucketHead head =
        TestCloud::must(sync_wait(cloud_.service().head_bucket(cloud_.context(account), bucket(account))));
    return {meta::Space::kRecords, layout::object(head.info.id, key)};
  }
  ObjectRecord record(unsigned account, const std::string& key) {
    return TestCloud::must(decode_object(as_bytes(*cloud_.stored(record_key(account, key).bytes))));
  }
  void commit(std::vector<meta::Put> put, std::vector<meta::Key> erase = {}) {
    meta::Commit change;
    change.put = std::move(put);
    change.erase = std::move(erase);
    cloud_.change(std::move(change));
  }

  TestCloud cloud_;
};

TEST_F(ObjectKeysTest, EveryPieceAndItsBlobNameTheOwnersKey) {
  ASSERT_TRUE(put(0, "small", pattern(1000)));
  ASSERT_TRUE(put(0, "large", pattern(3'000'000)));
  ASSERT_TRUE(put(1, "small", pattern(1000)));
  const Piece small = record(0, "small").pieces.at(0);
  const Piece large = record(0, "large").pieces.at(0);
  EXPECT_FALSE(small.key.is_none());
  EXPECT_EQ(large.key, small.key);
  EXPECT_NE(record(1, "small").pieces.at(0).key, small.key);
  const BlobRecord blob = TestCloud::must(decode_blob(as_bytes(*cloud_.stored(layout::blob(large.blob)))));
  EXPECT_EQ(blob.key, large.key);
  EXPECT_EQ(blob.wrapped_key, large.wrapped_key);
}

TEST_F(ObjectKeysTest, ACopyIsSealedByItsOwnOwnersKey) {
  ASSERT_TRUE(put(0, "large", pattern(300'000)));
  CopyRequest request;
  request.source_bucket = request.bucket = bucket(0);
  request.source_key = "large";
  request.key = "copy";
  ASSERT_TRUE(sync_wait(cloud_.service().copy(cloud_.context(0), std::move(request))));
  const Piece source = record(0, "large").pieces.at(0);
  const Piece copy = record(0, "copy").pieces.at(0);
  EXPECT_EQ(copy.key, source.key);
  EXPECT_NE(copy.wrapped_key, source.wrapped_key);
  EXPECT_TRUE(*get(0, "copy") == pattern(300'000));
}

// What a forged record would do.
TEST_F(ObjectKeysTest, AnotherAccountsPieceInARecordIsNotOpened) {
  if (TestCloud::in_memory()) GTEST_SKIP() << "it does not find another partition's records";
  ASSERT_TRUE(put(0, "mine", pattern(1000)));
  ASSERT_TRUE(put(1, "theirs", pattern(1000)));
  ASSERT_TRUE(put(0, "large", pattern(100'000)));
  ASSERT_TRUE(put(1, "large", pattern(100'000)));
  for (const auto& [name, of] : {std::pair{"mine", "theirs"}, std::pair{"large", "large"}}) {
    ObjectRecord forged = record(0, name);
    forged.pieces = record(1, of).pieces;
    commit({{record_key(0, name), encode(forged)}});
    EXPECT_EQ(code_of(get(0, name)), make_error_code(Errc::kCorrupt)) << name;
    EXPECT_TRUE(get(1, of)) << of;
  }
}

TEST_F(ObjectKeysTest, AKeyThatIsNoMoreIsSaidAndNotLookedForAgainAndAgain) {
  ASSERT_TRUE(put(0, "small", pattern(1000)));
  ASSERT_TRUE(put(0, "large", pattern(100'000)));
  const KeyId key = record(0, "small").pieces.at(0).key;
  commit({}, {{meta::Space::kRecords, "tkey/" + std::string(as_text(key.bytes()))}});
  cloud_.key_service().forget(key);
  unsigned reads = 0;
  cloud_.watch.after_get = [&](const std::string&) { ++reads; };
  for (const char* name : {"small", "large"}) {
    const auto got = get(0, name);
    EXPECT_EQ(code_of(got), make_error_code(Errc::kCorrupt)) << name;
    EXPECT_THAT(got.error().message(), HasSubstr(key.to_string()));
  }
  cloud_.watch.after_get = nullptr;
  EXPECT_LT(reads, 10U);
}

TEST_F(ObjectKeysTest, ACustodyThatHangsCostsOnlyThoseWhoNeedItsKeysAndNotForLong) {
  ASSERT_TRUE(put(0, "small", pattern(1000)));
  ASSERT_TRUE(put(0, "large", pattern(3'000'000)));
  ASSERT_TRUE(put(1, "small", pattern(1000)));
  cloud_.key_options.patience = std::chrono::milliseconds(50);
  cloud_.restart();
  ASSERT_TRUE(get(1, "small"));
  cloud_.custody().hold();
  EXPECT_EQ(code_of(get(0, "small")), make_error_code(Errc::kTimeout));
  EXPECT_EQ(code_of(get(0, "large")), make_error_code(Errc::kTimeout));
  EXPECT_EQ(code_of(put(0, "small", pattern(2000))), make_error_code(Errc::kTimeout));
  EXPECT_EQ(code_of(put(0, "large", pattern(2'000'000))), make_error_code(Errc::kTimeout));
  EXPECT_TRUE(get(1, "small"));
  EXPECT_TRUE(put(1, "large", pattern(2'000'000)));
  cloud_.custody().release();
  EXPECT_TRUE(eventually([&] { return get(0, "small").has_value(); }));
  EXPECT_TRUE(*get(0, "small") == pattern(1000));
  EXPECT_TRUE(*get(0, "large") == pattern(3'000'000));
  EXPECT_TRUE(put(0, "small", pattern(2000)));
  EXPECT_EQ(cloud_.blobs(), 2U) << "what failed left nothing";
}

}  // namespace
}  // namespace andromede::objects
