// What becomes of blobs when a commit fails, was made although it failed, or is overtaken: nothing that a record names,
// or may name, is ever given back, and nothing else stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>

#include "crypto/digest.h"
#include "objects/layout.h"
#include "objects/test_bodies.h"
#include "objects/test_cloud.h"

namespace andromede::objects {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

constexpr std::size_t kBlobBytes = 100'000;  // beyond what is inlined

// The blobs that a commit gives a record, or takes theirs.
std::vector<BlobId> named_by(const std::vector<meta::Key>& keys) {
  std::vector<BlobId> ids;
  for (const meta::Key& key : keys) {
    if (!key.bytes.starts_with(layout::kBlobs)) continue;
    ids.push_back(BlobId::from_bytes(as_bytes(std::string_view(key.bytes).substr(layout::kBlobs.size()))));
  }
  return ids;
}
std::vector<BlobId> blobs_put(const meta::Commit& change) {
  std::vector<meta::Key> keys;
  for (const meta::Put& put : change.put) keys.push_back(put.key);
  return named_by(keys);
}

class CommitErrorsTest : public testing::Test {
 protected:
  CommitErrorsTest() { TestCloud::must(sync_wait(service().create_bucket(me(), "bucket"))); }

  Service& service() { return cloud_.service(); }
  const identity::Context& me() { return cloud_.context(); }

  Status put(const std::string& key, const std::string& bytes) {
    PutRequest request;
    request.bucket = "bucket";
    request.key = key;
    MemoryBody body(bytes);
    return discard(sync_wait(service().put(me(), request, body)));
  }
  Status copy(const std::string& from, const std::string& to) {
    CopyRequest request;
    request.source_bucket = request.bucket = "bucket";
    request.source_key = from;
    request.key = to;
    return discard(sync_wait(service().copy(me(), request)));
  }
  Status remove(const std::string& key) {
    DeleteItem item;
    item.key = key;
    return sync_wait(service().remove(me(), "bucket", item));
  }
  Status remove_among_many(const std::string& key) {
    DeleteItem item;
    item.key = key;
    auto outcomes = TestCloud::must(sync_wait(service().remove_many(me(), "bucket", {item})));
    if (outcomes.front().error) return fail(*outcomes.front().error);
    return {};
  }
  UploadId create_upload() {
    CreateUploadRequest request;
    request.bucket = "bucket";
    request.key = "key";
    return TestCloud::must(sync_wait(service().create_upload(me(), request))).id;
  }
  Status upload_part(UploadId upload, std::uint32_t number, const std::string& bytes) {
    UploadPartRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.upload = upload;
    request.number = number;
    MemoryBody body(bytes);
    return discard(sync_wait(service().upload_part(me(), request, body)));
  }
  Status copy_part(UploadId upload, std::uint32_t number, const std::string& from) {
    CopyPartRequest request;
    request.bucket = request.source_bucket = "bucket";
    request.key = "key";
    request.source_key = from;
    request.upload = upload;
    request.number = number;
    return discard(sync_wait(service().copy_part(me(), request)));
  }
  Status complete(UploadId upload, const std::vector<std::pair<std::uint32_t, std::string>>& parts,
                  Conditions conditions = {}) {
    CompleteRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.upload = upload;
    request.conditions = std::move(conditions);
    for (const auto& [number, bytes] : parts) {
      request.parts.push_back({number, to_hex(crypto::md5(as_bytes(bytes))), {}});
    }
    return discard(sync_wait(service().complete_upload(me(), request)));
  }
  Status abort(UploadId upload) { return sync_wait(service().abort_upload(me(), "bucket", "key", upload)); }
  std::string get(const std::string& key = "key") {
    GetRequest request;
    request.bucket = "bucket";
    request.key = key;
    const auto object = sync_wait(service().get(me(), request));
    if (!object) return object.error().describe();
    const auto bytes = sync_wait(read_all(**object));
    return bytes ? *bytes : bytes.error().describe();
  }
  BucketId bucket_id() { return TestCloud::must(sync_wait(service().head_bucket(me(), "bucket"))).info.id; }
  std::vector<BlobId> blobs() {
    std::vector<BlobId> ids;
    for (const blob::BlobRef& ref : cloud_.blob_refs()) ids.push_back(ref.id);
    return ids;
  }
  bool found(BlobId id) { return TestCloud::must(service().catalog().find(id)).has_value(); }

  template <typename T>
  static Status discard(Result<T> result) {
    if (!result) return fail(std::move(result).error());
    return {};
  }

  TestCloud cloud_;
};

// A change of what is stored under "key", where there is an object of a blob of its own, "source" beside it, and an
// upload with parts 1 and 2.
struct Change {
  const char* event;
  const char* description;
  bool writes;  // a body of its own, to blobs
};

class ChangeTest : public CommitErrorsTest, public testing::WithParamInterface<Change> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(put("key", old_));
    ASSERT_TRUE(put("source", new_));
    upload_ = create_upload();
    ASSERT_TRUE(upload_part(upload_, 1, first_));
    ASSERT_TRUE(upload_part(upload_, 2, old_));
    before_ = blobs();
    ASSERT_EQ(before_.size(), 4U);
  }
  Status change() {
    const std::string_view what = GetParam().description;
    if (what == "put") return put("key", new_);
    if (what == "copy") return copy("source", "key");
    if (what == "remove") return remove("key");
    if (what == "removemany") return remove_among_many("key");
    if (what == "part") return upload_part(upload_, 2, new_);
    if (what == "copypart") return copy_part(upload_, 2, "source");
    if (what == "complete") return complete(upload_, {{1, first_}});
    return abort(upload_);
  }
  // The commit of the change itself, of the few that it may need.
  [[nodiscard]] static bool is_change(const meta::Commit& commit) {
    return commit.event && commit.event->find(GetParam().event) != std::string::npos;
  }
  Watch::OnCommit fail_change_with(Errc code) {
    return [this, code](const meta::Commit& commit) -> std::optional<Error> {
      if (!is_change(commit)) return std::nullopt;
      written_ = blobs_put(commit);
      taken_ = named_by(commit.erase);
      return Error(make_error_code(code), "a test");
    };
  }
  void expect_as_before() {
    EXPECT_TRUE(get() == old_);
    EXPECT_TRUE(get("source") == new_);
    EXPECT_THAT(blobs(), UnorderedElementsAreArray(before_));
    // The upload is as it was: completed with both its parts.
    EXPECT_EQ(code_of(complete(upload_, {{2, old_}})), std::error_code{});
    EXPECT_TRUE(get() == old_);
  }

  const std::string old_ = pattern(kBlobBytes, 1);
  const std::string new_ = pattern(kBlobBytes + 5, 2);
  const std::string first_ = pattern(kBlobBytes + 9, 3);
  UploadId upload_;
  std::vector<BlobId> before_;
  std::vector<BlobId> written_;
  std::vector<BlobId> taken_;
};

TEST_P(ChangeTest, ThatCertainlyFailsGivesBackWhatItWroteAndNothingElse) {
  for (const Errc code : {Errc::kNoSpace, Errc::kOverloaded, Errc::kNotBegun}) {
    const std::size_t removed_before = cloud_.removed().size();
    cloud_.watch.before_commit = fail_change_with(code);
    EXPECT_EQ(code_of(change()), code);
    cloud_.watch.before_commit = {};
    EXPECT_EQ(written_.empty(), !GetParam().writes);
    EXPECT_FALSE(taken_.empty());
    std::vector<BlobId> removed = cloud_.removed();
    removed.erase(removed.begin(), removed.begin() + static_cast<std::ptrdiff_t>(removed_before));
    EXPECT_THAT(removed, UnorderedElementsAreArray(written_));
  }
  cloud_.restart();
  expect_as_before();
}

TEST_P(ChangeTest, OfWhichNobodyKnowsThatItFailedGivesNothingBack) {
  cloud_.watch.before_commit = fail_change_with(Errc::kUnavailable);
  EXPECT_EQ(code_of(change()), Errc::kUnavailable);
  cloud_.watch.before_commit = {};
  EXPECT_THAT(cloud_.removed(), IsEmpty());
  // What was written is nobody's: it is found no more, so that it is reclaimed.
  for (const BlobId id : written_) EXPECT_FALSE(found(id));
  for (const BlobId id : taken_) EXPECT_TRUE(found(id));
  expect_as_before();
}

TEST_P(ChangeTest, ThatWasMadeAlthoughItFailedHoldsAndGivesNothingBack) {
  cloud_.watch.after_commit = fail_change_with(Errc::kUnavailable);
  EXPECT_EQ(code_of(change()), Errc::kUnavailable);
  cloud_.watch.after_commit = {};
  EXPECT_THAT(cloud_.removed(), IsEmpty());
  for (const BlobId id : written_) EXPECT_TRUE(found(id));
  for (const BlobId id : taken_) EXPECT_FALSE(found(id));
  for (int round = 0; round < 2; ++round) {
    const std::string_view what = GetParam().description;
    if (what == "put" || what == "copy") EXPECT_TRUE(get() == new_);
    if (what.starts_with("remove")) EXPECT_THAT(get(), testing::HasSubstr("no object"));
    if (what.ends_with("part")) {
      // Once: the second time it is the object of this upload that answers.
      EXPECT_TRUE(complete(upload_, {{2, new_}}));
      EXPECT_TRUE(get() == new_);
    }
    if (what == "complete") EXPECT_TRUE(get() == first_);
    if (what == "abort") EXPECT_EQ(code_of(abort(upload_)), ObjectErrc::kNoSuchUpload);
    cloud_.restart();
  }
}

TEST_P(ChangeTest, ThatIsOvertakenIsMadeOnceMoreAndGivesBackExactlyWhatItDisplaced) {
  bool overtaken = false;
  cloud_.watch.before_commit = [&](const meta::Commit& commit) -> std::optional<Error> {
    if (!is_change(commit)) return std::nullopt;
    taken_ = named_by(commit.erase);
    if (std::exchange(overtaken, true)) return std::nullopt;
    return Error(make_error_code(Errc::kConflict), "a test");
  };
  ASSERT_TRUE(change());
  cloud_.watch.before_commit = {};
  EXPECT_TRUE(overtaken);
  EXPECT_THAT(cloud_.removed(), UnorderedElementsAreArray(taken_));
  for (const BlobId id : taken_) EXPECT_FALSE(found(id));
}

INSTANTIATE_TEST_SUITE_P(AChange, ChangeTest,
                         testing::Values(Change{"PutObject", "put", true}, Change{"CopyObject", "copy", true},
                                         Change{"DeleteObject", "remove", false},
                                         Change{"DeleteObject", "removemany", false},
                                         Change{"UploadPart", "part", true}, Change{"UploadPartCopy", "copypart", true},
                                         Change{"CompleteMultipartUpload", "complete", false},
                                         Change{"AbortMultipartUpload", "abort", false}),
                         [](const auto& one) { return std::string(one.param.description); });

TEST_F(CommitErrorsTest, ABlobIsFoundFromItsFirstByteToItsRecord) {
  // Reclaim looks at the moment of the commit, before it and after it.
  std::vector<BlobId> seen;
  const auto look = [&](const meta::Commit& change) -> std::optional<Error> {
    for (const BlobId id : blobs_put(change)) {
      seen.push_back(id);
      std::thread([&] { EXPECT_TRUE(found(id)); }).join();
    }
    return std::nullopt;
  };
  cloud_.watch.before_commit = look;
  cloud_.watch.after_commit = look;
  ASSERT_TRUE(put("key", pattern(kBlobBytes)));
  const UploadId upload = create_upload();
  ASSERT_TRUE(upload_part(upload, 1, pattern(kBlobBytes)));
  EXPECT_EQ(seen.size(), 4U);
}

TEST_F(CommitErrorsTest, ABlobThatIsCommittedBetweenTwoLooksIsFound) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<BlobId> waiting;
  bool go_on = false;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    const std::vector<BlobId> ids = blobs_put(change);
    if (ids.empty()) return std::nullopt;
    std::unique_lock lock(mutex);
    waiting = ids.front();
    changed.notify_all();
    changed.wait(lock, [&] { return go_on; });
    return std::nullopt;
  };
  std::thread writer([&] { EXPECT_TRUE(put("key", pattern(kBlobBytes))); });
  std::string key;
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting.has_value(); });
    key = layout::blob(*waiting);
  }
  bool looked = false;
  cloud_.watch.after_get = [&](const std::string& asked) {
    if (looked || asked != key) return;
    looked = true;
    // The record was not there yet; now the commit goes through and the blob is in use no more.
    {
      const std::lock_guard lock(mutex);
      go_on = true;
    }
    changed.notify_all();
    writer.join();
  };
  EXPECT_TRUE(found(*waiting));
  EXPECT_TRUE(looked);
  cloud_.watch = {};
}

class ReadersTest : public CommitErrorsTest {
 protected:
  // An object of three blobs.
  void SetUp() override {
    const UploadId upload = create_upload();
    std::vector<std::pair<std::uint32_t, std::string>> parts;
    for (std::uint32_t number = 1; number <= 3; ++number) {
      parts.emplace_back(number, pattern(number == 3 ? kBlobBytes : kMinPartBytes, number));
      ASSERT_TRUE(upload_part(upload, number, parts.back().second));
      whole_ += parts.back().second;
    }
    ASSERT_TRUE(complete(upload, parts));
    ASSERT_EQ(cloud_.blobs(), 3U);
  }
  std::unique_ptr<OpenObject> open(std::optional<ByteRange> range = {}) {
    GetRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.range = range;
    return TestCloud::must(sync_wait(service().get(me(), request)));
  }

  std::string whole_;
};

TEST_F(ReadersTest, KeepAllBlobsOfWhatTheyReadAndTheLastOfThemGivesThemBack) {
  for (const bool replace : {false, true}) {
    if (replace) {
      whole_.clear();
      SetUp();
    }
    const std::size_t removed = cloud_.removed().size();
    auto first = open();
    auto second = open();
    auto tail = open(ByteRange{whole_.size() - 10, whole_.size() - 1});
    std::string begun(as_text(*sync_wait(first->read())));
    ASSERT_LT(begun.size(), kMinPartBytes);
    ASSERT_TRUE(replace ? put("key", "other") : remove("key"));
    EXPECT_EQ(cloud_.blobs(), 0U);
    EXPECT_EQ(cloud_.removed().size(), removed);
    begun += *sync_wait(read_all(*first));
    EXPECT_TRUE(begun == whole_);
    first.reset();
    EXPECT_EQ(cloud_.removed().size(), removed);
    EXPECT_TRUE(*sync_wait(read_all(*second)) == whole_);
    second.reset();
    EXPECT_EQ(cloud_.removed().size(), removed);
    EXPECT_EQ(*sync_wait(read_all(*tail)), whole_.substr(whole_.size() - 10));
    tail.reset();
    EXPECT_EQ(cloud_.removed().size(), removed + 3);
    if (replace) ASSERT_TRUE(remove("key"));
  }
}

TEST_F(ReadersTest, ThatComeAfterwardsHoldNothing) {
  ASSERT_TRUE(remove("key"));
  EXPECT_EQ(cloud_.removed().size(), 3U);
}

TEST_F(CommitErrorsTest, APutThatComesBetweenTheLookAndTheCompletionCounts) {
  const UploadId upload = create_upload();
  const std::string part = pattern(kBlobBytes, 4);
  ASSERT_TRUE(upload_part(upload, 1, part));
  bool came = false;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    if (came || !change.event || change.event->find("CompleteMultipartUpload") == std::string::npos) return {};
    came = true;
    std::thread([&] { EXPECT_TRUE(put("key", pattern(kBlobBytes, 5))); }).join();
    return {};
  };
  Conditions none;
  none.if_none_match = "*";
  EXPECT_EQ(code_of(complete(upload, {{1, part}}, none)), ObjectErrc::kPreconditionFailed);
  EXPECT_TRUE(came);
  EXPECT_TRUE(get() == pattern(kBlobBytes, 5));
  // Without a condition the later one wins, and what it displaced is given back.
  came = false;
  ASSERT_TRUE(complete(upload, {{1, part}}));
  EXPECT_TRUE(came);
  cloud_.watch.before_commit = {};
  EXPECT_TRUE(get() == part);
  EXPECT_EQ(cloud_.blobs(), 1U);
  EXPECT_EQ(cloud_.removed().size(), 2U);
  EXPECT_EQ(cloud_.usage(bucket_id()), (meta::Usage{1, kBlobBytes}));
}

TEST_F(CommitErrorsTest, AnAccountThatIsClosedMeanwhileMakesNoBucket) {
  bool came = false;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    if (came || !change.event || change.event->find("CreateBucket") == std::string::npos) return {};
    came = true;
    std::thread([&] {
      EXPECT_TRUE(sync_wait(
          cloud_.directory().close_account(me().principal.account.id, identity::operator_context("test"), {})));
    }).join();
    return {};
  };
  EXPECT_EQ(code_of(sync_wait(service().create_bucket(me(), "another"))), Errc::kRefused);
  cloud_.watch.before_commit = {};
  EXPECT_TRUE(came);
  EXPECT_FALSE(sync_wait(service().head_bucket(me(), "another")));
}

TEST_F(CommitErrorsTest, ABucketThatIsDeletedBetweenTheLookAndTheCommitTakesNothing) {
  const std::string bytes = pattern(kBlobBytes, 6);
  for (const char* event : {"PutObject", "CompleteMultipartUpload", "UploadPart", "CreateMultipartUpload"}) {
    const UploadId upload = create_upload();
    ASSERT_TRUE(upload_part(upload, 1, bytes));
    bool came = false;
    cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
      if (came || !change.event || change.event->find(event) == std::string::npos) return {};
      came = true;
      std::thread([&] { EXPECT_TRUE(sync_wait(service().delete_bucket(me(), "bucket"))) << event; }).join();
      return {};
    };
    const std::string_view what = event;
    Status done;
    if (what == "PutObject") done = put("key", bytes);
    if (what == "CompleteMultipartUpload") done = complete(upload, {{1, bytes}});
    if (what == "UploadPart") done = upload_part(upload, 2, bytes);
    if (what == "CreateMultipartUpload") {
      CreateUploadRequest request;
      request.bucket = "bucket";
      request.key = "key";
      done = discard(sync_wait(service().create_upload(me(), request)));
    }
    cloud_.watch.before_commit = {};
    EXPECT_TRUE(came) << event;
    EXPECT_EQ(code_of(done), ObjectErrc::kNoSuchBucket) << event;
    ASSERT_TRUE(sync_wait(service().create_bucket(me(), "bucket")));
    cloud_.clean_up();
    EXPECT_EQ(cloud_.blobs(), 0U) << event;
  }
}

TEST_F(CommitErrorsTest, PartsThatACompletionLeavesOutAreGivenBack) {
  const UploadId upload = create_upload();
  const std::string five_mib = pattern(kMinPartBytes, 7);
  ASSERT_TRUE(upload_part(upload, 1, five_mib));
  ASSERT_TRUE(upload_part(upload, 2, five_mib));
  const std::vector<BlobId> uploaded = blobs();
  ASSERT_TRUE(upload_part(upload, 3, "inlined, and left out too"));
  ASSERT_TRUE(complete(upload, {{2, five_mib}}));
  EXPECT_TRUE(get() == five_mib);
  ASSERT_EQ(cloud_.blobs(), 1U);
  ASSERT_EQ(cloud_.removed().size(), 1U);
  EXPECT_THAT(std::vector({blobs().front(), cloud_.removed().front()}), UnorderedElementsAreArray(uploaded));
  EXPECT_EQ(cloud_.payloads(), 0U);
}

// One mirror is left where two are needed, and nobody waits for another.
TEST_F(CommitErrorsTest, BelowTheLeastRedundancyNoBodyIsTakenAndNothingStaysOnDrives) {
  if (TestCloud::in_memory()) GTEST_SKIP() << "it has no mirrors";
  const std::string bytes = pattern(1'000'000);
  ASSERT_TRUE(put("source", bytes));
  const UploadId upload = create_upload();
  const std::uint64_t shards = cloud_.shards();
  cloud_.meta_options.least_mirrors = 2;
  cloud_.meta_options.redundancy_wait = std::chrono::milliseconds(0);
  cloud_.restart();
  // The first one finds out, with its commit.
  EXPECT_EQ(code_of(put("key", bytes)), Errc::kNotBegun);
  EXPECT_EQ(cloud_.removed().size(), 1U);
  MemoryBody body(bytes);
  PutRequest request;
  request.bucket = "bucket";
  request.key = "key";
  EXPECT_EQ(code_of(sync_wait(service().put(me(), request, body))), Errc::kNotBegun);
  UploadPartRequest part;
  part.bucket = "bucket";
  part.key = "key";
  part.upload = upload;
  part.number = 1;
  EXPECT_EQ(code_of(sync_wait(service().upload_part(me(), part, body))), Errc::kNotBegun);
  EXPECT_EQ(body.reads(), 0);
  const double read = cloud_.bytes_read();
  EXPECT_EQ(code_of(copy("source", "key")), Errc::kNotBegun);
  EXPECT_EQ(code_of(copy_part(upload, 1, "source")), Errc::kNotBegun);
  EXPECT_EQ(cloud_.bytes_read(), read);
  EXPECT_EQ(cloud_.removed().size(), 1U);
  for (int i = 0; i < 12'000 && cloud_.shards() > shards; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(cloud_.shards(), shards);
  cloud_.meta_options.least_mirrors = 1;
  cloud_.restart();
  EXPECT_TRUE(get("source") == bytes);
  EXPECT_TRUE(put("key", bytes));
}

}  // namespace
}  // namespace andromede::objects
