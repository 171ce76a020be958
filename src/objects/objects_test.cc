// Buckets, put, get, remove and copy against the real engines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/test_memory.h"
#include "crypto/digest.h"
#include "objects/layout.h"
#include "objects/records.h"
#include "objects/service_impl.h"
#include "objects/test_bodies.h"
#include "objects/test_cloud.h"

namespace andromede::objects {
namespace {

class ObjectsTest : public testing::Test {
 protected:
  explicit ObjectsTest(Spread spread = Spread::kOneDrive) : cloud_({}, spread) {
    TestCloud::must(sync_wait(service().create_bucket(me(), "bucket")));
  }

  Service& service() { return cloud_.service(); }
  const identity::Context& me() { return cloud_.context(0); }
  const identity::Context& other() { return cloud_.context(1); }

  static PutRequest put_request(const std::string& key) {
    PutRequest request;
    request.bucket = "bucket";
    request.key = key;
    return request;
  }
  Result<PutAnswer> put(const std::string& key, std::string bytes) {
    MemoryBody body(std::move(bytes));
    return put(put_request(key), body);
  }
  Result<PutAnswer> put(PutRequest request, BodySource& body) {
    return sync_wait(service().put(me(), std::move(request), body));
  }
  static GetRequest get_request(const std::string& key) {
    GetRequest request;
    request.bucket = "bucket";
    request.key = key;
    return request;
  }
  Result<std::unique_ptr<OpenObject>> open(GetRequest request) {
    return sync_wait(service().get(me(), std::move(request)));
  }
  Result<std::string> get(GetRequest request) {
    TRY(const auto object, open(std::move(request)));
    return sync_wait(read_all(*object));
  }
  Result<std::string> get(const std::string& key) { return get(get_request(key)); }
  Status remove(const std::string& key) {
    DeleteItem item;
    item.key = key;
    return sync_wait(service().remove(me(), "bucket", item));
  }
  // An upload under way that has its first part.
  Result<UploadId> upload_with_part(const std::string& bucket, const std::string& key, std::string data) {
    CreateUploadRequest create;
    create.bucket = bucket;
    create.key = key;
    TRY(const UploadInfo upload, sync_wait(service().create_upload(me(), create)));
    UploadPartRequest part;
    part.bucket = bucket;
    part.key = key;
    part.upload = upload.id;
    part.number = 1;
    MemoryBody body(std::move(data));
    TRY(const PutAnswer stored, sync_wait(service().upload_part(me(), part, body)));
    static_cast<void>(stored);
    return upload.id;
  }
  BucketId bucket_id() { return TestCloud::must(sync_wait(service().head_bucket(me(), "bucket"))).info.id; }
  std::int64_t objects_counted() { return cloud_.usage(bucket_id()).objects; }
  std::int64_t bytes_counted() { return cloud_.usage(bucket_id()).bytes; }

  // Everything was given back: nothing is stored any more but the bucket.
  void expect_nothing_left() {
    EXPECT_EQ(cloud_.blobs(), 0U);
    EXPECT_EQ(cloud_.payloads(), 0U);
    EXPECT_EQ(objects_counted(), 0);
    EXPECT_EQ(bytes_counted(), 0);
    EXPECT_TRUE(eventually([&] { return cloud_.shards() == 0; }));
  }

  // Run on one drive and on four.
  void put_and_get_every_size();
  void break_bodies_off();
  void write_delete_and_read_at_once();

  TestCloud cloud_;
};

class FourDrivesTest : public ObjectsTest {
 protected:
  FourDrivesTest() : ObjectsTest(Spread::kFourDrives) {}
};

// Blobs lie with an engine that knows neither drives nor shards: nothing here may ask for them.
class PoolsTest : public ObjectsTest {
 protected:
  PoolsTest() : ObjectsTest(Spread::kPools) {}
};

constexpr std::size_t kInlineLimit = 32 * 1024;  // of the policy "standard"

void ObjectsTest::put_and_get_every_size() {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, kInlineLimit, kInlineLimit + 1,
                                 std::size_t{65535}, std::size_t{65536}, std::size_t{65537}, std::size_t{1} << 20,
                                 (std::size_t{1} << 20) + 1, std::size_t{5'000'000}}) {
    const std::string bytes = pattern(size, size);
    for (const bool announced : {true, false}) {
      MemoryBody body(bytes, 100'000);
      if (!announced) body.unannounced();
      const auto answer = put(put_request("key"), body);
      ASSERT_TRUE(answer) << answer.error().describe();
      EXPECT_EQ(answer->etag, to_hex(crypto::md5(as_bytes(bytes))));
      EXPECT_EQ(answer->checksum.kind, crypto::Checksum::kCrc64Nvme);
      const auto got = get("key");
      ASSERT_TRUE(got) << got.error().describe();
      EXPECT_TRUE(*got == bytes) << size;
    }
  }
  EXPECT_EQ(objects_counted(), 1);
  EXPECT_EQ(bytes_counted(), 5'000'000);
  ASSERT_TRUE(remove("key"));
  EXPECT_EQ(code_of(get("key")), ObjectErrc::kNoSuchKey);
  expect_nothing_left();
}

TEST_F(ObjectsTest, ObjectsSurviveARestart) {
  ASSERT_TRUE(put("small", pattern(1000)));
  ASSERT_TRUE(put("large", pattern(3'000'000)));
  cloud_.restart();
  EXPECT_TRUE(*get("small") == pattern(1000));
  EXPECT_TRUE(*get("large") == pattern(3'000'000));
}

TEST_F(ObjectsTest, MetadataComesBackAsItWent) {
  PutRequest request = put_request("key");
  request.system = {"text/html", "gzip", "fr", "attachment", "no-store", "never", ""};
  request.user = {{"name",
                   "Orl\xC3\xA9"
                   "ans"},
                  {"void", ""}};
  request.storage_class = StorageClass::kOnezoneIa;
  MemoryBody body("hello");
  ASSERT_TRUE(put(request, body));
  GetRequest head = get_request("key");
  head.head_only = true;
  const auto object = open(head);
  ASSERT_TRUE(object);
  EXPECT_EQ((*object)->info().system, request.system);
  EXPECT_EQ((*object)->info().user, request.user);
  EXPECT_EQ((*object)->info().storage_class, StorageClass::kOnezoneIa);
  EXPECT_EQ((*object)->info().size_bytes, 5U);
  EXPECT_EQ((*object)->info().parts, 0U);

  request.user["big"] = std::string(kMaxUserMetadataBytes, 'x');
  MemoryBody again("hello");
  EXPECT_EQ(code_of(put(request, again)), ObjectErrc::kMetadataTooLarge);
}

TEST_F(ObjectsTest, RangesFollowRfc9110) {
  const std::string bytes = pattern(200'000);
  ASSERT_TRUE(put("large", bytes));
  ASSERT_TRUE(put("small", "0123456789"));
  ASSERT_TRUE(put("empty", ""));
  const auto ranged = [&](const std::string& key, ByteRange range) {
    GetRequest request = get_request(key);
    request.range = range;
    return get(request);
  };
  EXPECT_EQ(*ranged("small", {4, 7}), "4567");
  EXPECT_EQ(*ranged("small", {4, std::nullopt}), "456789");
  EXPECT_EQ(*ranged("small", {std::nullopt, 3}), "789");
  EXPECT_EQ(*ranged("small", {std::nullopt, 100}), "0123456789");
  EXPECT_EQ(*ranged("small", {9, 1000}), "9");
  EXPECT_EQ(*ranged("small", {7, 4}), "0123456789");
  EXPECT_EQ(code_of(ranged("small", {10, 20})), ObjectErrc::kInvalidRange);
  EXPECT_EQ(code_of(ranged("small", {std::nullopt, 0})), ObjectErrc::kInvalidRange);
  EXPECT_EQ(code_of(ranged("empty", {0, 0})), ObjectErrc::kInvalidRange);
  EXPECT_EQ(code_of(ranged("empty", {std::nullopt, 5})), ObjectErrc::kInvalidRange);
  SeededRandom random(17);
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t first = random.below(bytes.size());
    const std::uint64_t last = first + random.below(bytes.size() - first);
    EXPECT_TRUE(*ranged("large", {first, last}) == bytes.substr(first, last - first + 1)) << first << "-" << last;
  }
  GetRequest request = get_request("small");
  request.range = ByteRange{4, 7};
  const auto object = open(request);
  EXPECT_EQ((*object)->offset(), 4U);
  EXPECT_EQ((*object)->length(), 4U);
  EXPECT_TRUE((*object)->partial());
  request.part_number = 1;
  EXPECT_EQ(code_of(open(request)), ObjectErrc::kInvalidRequest);
  request.range.reset();
  EXPECT_EQ(*get(request), "0123456789");
  request.part_number = 2;
  EXPECT_EQ(code_of(open(request)), ObjectErrc::kInvalidPartNumber);
}

TEST_F(ObjectsTest, NotModifiedIsSaidOfWhatWasLookedAtAndBeforeAnyRange) {
  const std::string etag = TestCloud::must(put("key", "0123456789")).etag;
  GetRequest request = get_request("key");
  request.conditions.if_none_match = etag;
  request.range = ByteRange{10, 20};
  auto object = open(request);
  ASSERT_TRUE(object) << object.error().describe();
  EXPECT_TRUE((*object)->not_modified());
  EXPECT_EQ((*object)->info().etag, etag);
  request.range.reset();
  request.part_number = 7;
  EXPECT_TRUE((*open(request))->not_modified());
  request.conditions.if_none_match = "other";
  EXPECT_EQ(code_of(open(request)), ObjectErrc::kInvalidPartNumber);
}

TEST_F(ObjectsTest, ARangeOfAnotherVersionIsIgnored) {
  const std::string etag = TestCloud::must(put("key", "0123456789")).etag;
  GetRequest request = get_request("key");
  request.range = ByteRange{4, 7};
  request.if_range = RangeCondition{"\"" + etag + "\"", {}};
  EXPECT_EQ(*get(request), "4567");
  request.if_range->modified = (*open(get_request("key")))->info().modified;
  EXPECT_EQ(*get(request), "4567");
  request.if_range->modified->ms += 1000;
  EXPECT_EQ(*get(request), "0123456789");
  request.if_range = RangeCondition{"\"other\"", {}};
  EXPECT_EQ(*get(request), "0123456789");
  EXPECT_FALSE((*open(request))->partial());
  request.range = ByteRange{10, 20};
  EXPECT_EQ(*get(request), "0123456789");
}

TEST_F(ObjectsTest, ABodyThatIsNotWhatItsDigestsSayLeavesNothing) {
  for (const std::size_t size : {std::size_t{1000}, std::size_t{3'000'000}}) {
    const std::string bytes = pattern(size);
    PutRequest request = put_request("key");
    request.checksum.content_md5 = Bytes(16, 0);
    MemoryBody md5(bytes);
    EXPECT_EQ(code_of(put(request, md5)), ObjectErrc::kBadDigest);

    request = put_request("key");
    request.checksum.kind = crypto::Checksum::kSha256;
    request.checksum.value = Bytes(32, 1);
    MemoryBody header(bytes);
    EXPECT_EQ(code_of(put(request, header)), ObjectErrc::kBadDigest);
    request.checksum.value = Bytes(3, 1);
    MemoryBody short_header(bytes);
    EXPECT_EQ(code_of(put(request, short_header)), ObjectErrc::kBadDigest);

    request.checksum.value.reset();
    request.checksum.in_trailer = true;
    MemoryBody trailer(bytes);
    trailer.trailer(Bytes(32, 2));
    EXPECT_EQ(code_of(put(request, trailer)), ObjectErrc::kBadDigest);
    MemoryBody no_trailer(bytes);
    EXPECT_EQ(code_of(put(request, no_trailer)), ObjectErrc::kInvalidRequest);
  }
  EXPECT_EQ(code_of(get("key")), ObjectErrc::kNoSuchKey);
  expect_nothing_left();
}

// Announces much, and sends a little now and then.
class TricklingBody final : public BodySource {
 public:
  TricklingBody(HastyClock& clock, std::string bytes, std::size_t chunk, std::chrono::milliseconds every)
      : clock_(clock), body_(std::move(bytes), chunk), every_(every) {}
  Task<Result<ByteView>> read() override {
    clock_.advance(every_);
    ++reads;
    return body_.read();
  }
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override {
    return body_.announced_size_bytes();
  }
  std::uint64_t reads = 0;

 private:
  HastyClock& clock_;
  MemoryBody body_;
  const std::chrono::milliseconds every_;
};

TEST_F(ObjectsTest, ABodyThatTricklesIsCutAndOneThatIsSlowIsNot) {
  const std::string bytes = pattern(5'000'000);
  TricklingBody trickles(cloud_.clock(), bytes, 6000, std::chrono::seconds(3));
  EXPECT_EQ(code_of(put(put_request("key"), trickles)), ObjectErrc::kRequestTimeout);
  EXPECT_LT(trickles.reads, 60U);
  expect_nothing_left();
  TricklingBody slow(cloud_.clock(), bytes, 200'000, std::chrono::seconds(10));
  const auto stored = put(put_request("key"), slow);
  ASSERT_TRUE(stored) << stored.error().describe();
}

// Does something before its first byte is read, when its upload is under way.
class BodyWithADetour final : public BodySource {
 public:
  BodyWithADetour(std::string bytes, std::function<void()> detour)
      : body_(std::move(bytes)), detour_(std::move(detour)) {}
  Task<Result<ByteView>> read() override {
    if (detour_) std::exchange(detour_, {})();
    return body_.read();
  }
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override {
    return body_.announced_size_bytes();
  }

 private:
  MemoryBody body_;
  std::function<void()> detour_;
};

TEST(UploadsUnderWay, AreBoundedForEachAccountAndPeer) {
  TestCloud cloud({.unfinished = {.bodies_of_account = 3, .bodies_of_peer = 3}});
  TestCloud::must(sync_wait(cloud.service().create_bucket(cloud.context(0), "bucket")));
  TestCloud::must(sync_wait(cloud.service().create_bucket(cloud.context(1), "others")));
  const std::string bytes = pattern(100'000);
  unsigned addresses = 0;
  const auto put = [&](unsigned account, const std::string& peer, BodySource& body) {
    identity::Context context = cloud.context(account);
    // One host with a /64 has a new address for each.
    context.source_address = peer + std::to_string(++addresses);
    context.peer = peer;
    PutRequest request;
    request.bucket = account == 0 ? "bucket" : "others";
    request.key = "key";
    return code_of(sync_wait(cloud.service().put(context, request, body)));
  };
  const auto plain = [&](unsigned account, const std::string& peer) {
    MemoryBody body(bytes);
    return put(account, peer, body);
  };
  BodyWithADetour third(bytes, [&] {
    EXPECT_EQ(plain(1, "near"), Errc::kOverloaded) << "a fourth of one peer";
    EXPECT_EQ(plain(1, "far"), std::error_code{});
  });
  BodyWithADetour from_far(bytes,
                           [&] { EXPECT_EQ(plain(0, "elsewhere"), Errc::kOverloaded) << "a fourth of one account"; });
  BodyWithADetour second(bytes, [&] {
    EXPECT_EQ(plain(0, "near"), Errc::kOverloaded) << "more than the half of an account, from one peer";
    EXPECT_EQ(put(0, "far", from_far), std::error_code{});
    MemoryBody small("what lies in the metadata holds nothing of a drive");
    EXPECT_EQ(put(0, "near", small), std::error_code{});
    EXPECT_EQ(put(1, "near", third), std::error_code{});
  });
  BodyWithADetour first(bytes, [&] { EXPECT_EQ(put(0, "near", second), std::error_code{}); });
  EXPECT_EQ(put(0, "near", first), std::error_code{});
  EXPECT_EQ(plain(0, "near"), std::error_code{});
}

TEST_F(ObjectsTest, EveryChecksumIsVerifiedStoredAndReturned) {
  const std::string bytes = pattern(70'000);
  for (const crypto::Checksum kind : {crypto::Checksum::kCrc32, crypto::Checksum::kCrc32c, crypto::Checksum::kCrc64Nvme,
                                      crypto::Checksum::kSha1, crypto::Checksum::kSha256}) {
    const auto hasher = crypto::make_hasher(kind);
    hasher->update(as_bytes(bytes));
    const Bytes value = hasher->finish();
    for (const bool in_trailer : {false, true}) {
      PutRequest request = put_request("key");
      request.checksum.kind = kind;
      request.checksum.in_trailer = in_trailer;
      request.checksum.content_md5 = to_bytes(ByteView(crypto::md5(as_bytes(bytes))));
      MemoryBody body(bytes);
      if (in_trailer) {
        body.trailer(value);
      } else {
        request.checksum.value = value;
      }
      const auto answer = put(request, body);
      ASSERT_TRUE(answer) << answer.error().describe();
      EXPECT_EQ(answer->checksum.kind, kind);
      EXPECT_EQ(answer->checksum.value, value);
      EXPECT_EQ((*open(get_request("key")))->info().checksum, answer->checksum);
    }
  }
}

void ObjectsTest::break_bodies_off() {
  for (const std::size_t at : {std::size_t{0}, std::size_t{500}, std::size_t{40'000}, std::size_t{2'500'000}}) {
    for (const bool announced : {true, false}) {
      MemoryBody body(pattern(3'000'000), 65'000);
      body.fail_at(at);
      if (!announced) body.unannounced();
      EXPECT_EQ(code_of(put(put_request("key"), body)), Errc::kCancelled);
    }
  }
  MemoryBody less(pattern(1000));
  less.announce(1001);
  EXPECT_EQ(code_of(put(put_request("key"), less)), ObjectErrc::kIncompleteBody);
  MemoryBody much_less(pattern(1'000'000));
  much_less.announce(2'000'000);
  EXPECT_EQ(code_of(put(put_request("key"), much_less)), ObjectErrc::kIncompleteBody);
  MemoryBody more(pattern(1'000'000));
  more.announce(999'999);
  EXPECT_EQ(code_of(put(put_request("key"), more)), ObjectErrc::kInvalidRequest);
  MemoryBody large("");
  large.announce(kMaxPutBytes + 1);
  EXPECT_EQ(code_of(put(put_request("key"), large)), ObjectErrc::kEntityTooLarge);
  expect_nothing_left();
}

TEST_F(ObjectsTest, ReplacingGivesTheOldSpaceBack) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(put("key", pattern(2'000'000, 1)));
    EXPECT_EQ(cloud_.blobs(), 1U);
    ASSERT_TRUE(put("key", pattern(100, 2)));
    EXPECT_EQ(cloud_.blobs(), 0U);
    EXPECT_EQ(cloud_.payloads(), 1U);
  }
  EXPECT_EQ(objects_counted(), 1);
  EXPECT_EQ(bytes_counted(), 100);
  ASSERT_TRUE(remove("key"));
  ASSERT_TRUE(remove("key"));
  expect_nothing_left();
}

TEST_F(ObjectsTest, AReaderKeepsWhatItOpened) {
  const std::string old_bytes = pattern(4'000'000, 1);
  ASSERT_TRUE(put("key", old_bytes));
  auto object = open(get_request("key"));
  ASSERT_TRUE(object);
  ASSERT_TRUE(put("key", pattern(4'000'000, 2)));
  auto second = open(get_request("key"));
  ASSERT_TRUE(remove("key"));
  EXPECT_TRUE(*sync_wait(read_all(**object)) == old_bytes);
  EXPECT_TRUE(*sync_wait(read_all(**second)) == pattern(4'000'000, 2));
  object->reset();
  second->reset();
  expect_nothing_left();
}

TEST_F(ObjectsTest, WhatCouldNotBePassedOnIsGivenAgain) {
  // One that lies in the metadata, and some whose segments do and do not end where they do.
  for (const std::size_t size : {std::size_t{40'000}, std::size_t{65'537}, std::size_t{3'000'000}}) {
    const std::string bytes = pattern(size);
    ASSERT_TRUE(put("key", bytes));
    for (int round = 0; round < 5; ++round) {
      SeededRandom random(static_cast<std::uint64_t>(round));
      const auto object = TestCloud::must(open(get_request("key")));
      std::string read;
      while (read.size() < size) {
        const ByteView piece = TestCloud::must(sync_wait(object->read()));
        ASSERT_FALSE(piece.empty());
        const std::size_t taken = random.below(2) == 0 ? piece.size() : random.below(piece.size() + 1);
        read += as_text(piece.first(taken));
        if (taken < piece.size()) object->unread(piece.size() - taken);
      }
      EXPECT_TRUE(read == bytes);
      EXPECT_TRUE(TestCloud::must(sync_wait(object->read())).empty());
    }
  }
}

TEST_F(ObjectsTest, WhatCouldNotBePassedOnHoldsNoMemory) {
  const std::string bytes = pattern(3'000'000);
  ASSERT_TRUE(put("key", bytes));
  const meta::Partition partition = layout::partition(bucket_id(), "key");
  const auto stored = TestCloud::must(sync_wait(
      cloud_.meta().get(partition, {meta::Space::kRecords, layout::object(bucket_id(), "key")}, Deadline::never())));
  const ObjectRecord record = TestCloud::must(decode_object(as_bytes(*stored)));
  Transfers transfers;
  LiveBlobs live(cloud_.blob_store());
  const OpenContext context{cloud_.meta(),  cloud_.blob_store(), cloud_.key_service(),   live, transfers,
                            cloud_.clock(), Counter(),           std::chrono::minutes(1)};
  PieceReader reader(context, {}, partition, record.pieces, 0, bytes.size(), "");
  const ByteView first = TestCloud::must(sync_wait(reader.read()));
  EXPECT_EQ(first.size(), kBatchBytes);
  EXPECT_EQ(transfers.held_bytes(), kBatchBytes * kBuffersPerTransfer);
  reader.unread(first.size() - 100);
  EXPECT_EQ(transfers.held_bytes(), 0U);
  // And goes on with little.
  const ByteView again = TestCloud::must(sync_wait(reader.read()));
  EXPECT_EQ(again.size(), crypto::kSegmentBytes - 100);
  EXPECT_EQ(as_text(again), bytes.substr(100, again.size()));
  EXPECT_EQ(transfers.held_bytes(), crypto::kSegmentBytes * kBuffersPerTransfer);
}

TEST_F(ObjectsTest, WhoWaitsInAPieceThatLiesInlineHoldsNothingOfTheOneBefore) {
  const std::string blob = pattern(300'000);
  const std::string tail = pattern(1000, 7);
  ASSERT_TRUE(put("blob", blob));
  ASSERT_TRUE(put("tail", tail));
  const meta::Partition partition = layout::partition(bucket_id(), "blob");
  const auto read = [&](meta::Space space, const std::string& key) { return *cloud_.stored(key, space); };
  std::vector<Piece> pieces;
  for (const char* key : {"blob", "tail"}) {
    const std::string raw = read(meta::Space::kRecords, layout::object(bucket_id(), key));
    pieces.push_back(TestCloud::must(decode_object(as_bytes(raw))).pieces.at(0));
  }
  ASSERT_TRUE(!pieces[0].inlined && pieces[1].inlined);
  const std::string payload = read(meta::Space::kInline, layout::inline_payload(pieces[1].blob).bytes);
  Transfers transfers;
  LiveBlobs live(cloud_.blob_store());
  const OpenContext context{cloud_.meta(),  cloud_.blob_store(), cloud_.key_service(),   live, transfers,
                            cloud_.clock(), Counter(),           std::chrono::minutes(1)};
  PieceReader reader(context, {}, partition, pieces, 0, blob.size() + tail.size(), payload);
  EXPECT_EQ(TestCloud::must(sync_wait(reader.read())).size(), blob.size());
  EXPECT_GT(transfers.held_bytes(), 0U);
  EXPECT_EQ(as_text(TestCloud::must(sync_wait(reader.read()))), tail);
  EXPECT_EQ(transfers.held_bytes(), 0U);
  reader.unread(tail.size() - 100);
  EXPECT_EQ(as_text(TestCloud::must(sync_wait(reader.read()))), tail.substr(100));
  EXPECT_EQ(transfers.held_bytes(), 0U);
}

TEST_F(ObjectsTest, ManyThatWaitForTheirPeersHoldNoMemory) {
  ASSERT_TRUE(put("key", pattern(3'000'000)));
  std::vector<std::unique_ptr<OpenObject>> waiting;
  std::size_t before_kib = 0;
  for (int i = 0; i < 200; ++i) {
    if (i == 20) before_kib = resident_kib();
    waiting.push_back(TestCloud::must(open(get_request("key"))));
    waiting.back()->unread(TestCloud::must(sync_wait(waiting.back()->read())).size());
  }
  const std::size_t grown_kib = resident_kib() - before_kib;
  RecordProperty("kib", static_cast<int>(grown_kib));
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  // Of plaintext alone each was given four times as much.
  EXPECT_LT(static_cast<std::int64_t>(grown_kib), 180 * 64);
#endif
}

TEST(TransfersTest, TakeLessWhereThereAreManyAndNextToNothingWhereMemoryIsLent) {
  constexpr std::size_t kMemoryBytes = 80U << 20;
  Transfers transfers(kMemoryBytes);
  std::vector<std::unique_ptr<Transfers::Entry>> entries;
  std::vector<std::size_t> batches;
  for (unsigned i = 0; i < 100; ++i) {
    entries.push_back(std::make_unique<Transfers::Entry>(transfers));
    batches.push_back(entries.back()->next_batch());
  }
  EXPECT_EQ(batches.front(), kBatchBytes);
  EXPECT_EQ(batches[kManyTransfers], kSmallBatchBytes);
  EXPECT_EQ(batches.back(), crypto::kSegmentBytes);
  EXPECT_LE(transfers.held_bytes(), kMemoryBytes + entries.size() * crypto::kSegmentBytes * kBuffersPerTransfer);
  // What is given back is there for others; who was slow begins with a segment.
  for (unsigned i = 0; i < 90; ++i) entries[i]->rest();
  EXPECT_EQ(entries.back()->next_batch(), kBatchBytes);
  entries.back()->slow_down();
  for (unsigned i = 0; i < kCalmBatches; ++i) EXPECT_EQ(entries.back()->next_batch(), crypto::kSegmentBytes) << i;
  EXPECT_EQ(entries.back()->next_batch(), 2 * crypto::kSegmentBytes);
  entries.clear();
  EXPECT_EQ(transfers.held_bytes(), 0U);
}

TEST_F(ObjectsTest, KeysHaveLimits) {
  EXPECT_EQ(code_of(put(std::string(kMaxKeyBytes + 1, 'k'), "x")), ObjectErrc::kKeyTooLong);
  EXPECT_EQ(code_of(put("", "x")), ObjectErrc::kInvalidArgument);
  EXPECT_TRUE(put(std::string(kMaxKeyBytes, 'k'), "x"));
  EXPECT_EQ(*get(std::string(kMaxKeyBytes, 'k')), "x");
}

TEST_F(ObjectsTest, ConditionsOnPut) {
  PutRequest none = put_request("key");
  none.conditions.if_none_match = "*";
  PutRequest match = put_request("key");
  match.conditions.if_match = "*";
  MemoryBody b1("1"), b2("2"), b3("3"), b4("4"), b5("5"), b6("6");
  EXPECT_EQ(code_of(put(match, b1)), ObjectErrc::kNoSuchKey);
  const auto first = put(none, b2);
  ASSERT_TRUE(first);
  EXPECT_EQ(code_of(put(none, b3)), ObjectErrc::kPreconditionFailed);
  match.conditions.if_match = "\"" + first->etag + "\"";
  EXPECT_TRUE(put(match, b4));
  EXPECT_EQ(code_of(put(match, b5)), ObjectErrc::kPreconditionFailed);
  EXPECT_EQ(*get("key"), "4");
}

TEST_F(ObjectsTest, OfConcurrentConditionalPutsExactlyOneWins) {
  for (const std::size_t size : {std::size_t{10}, std::size_t{100'000}}) {
    for (const bool create : {true, false}) {
      const std::string key = std::to_string(size);
      if (create) {
        ASSERT_TRUE(remove(key));
      } else {
        ASSERT_TRUE(put(key, "before"));
      }
      std::atomic<int> won{0}, lost{0}, winner{-1};
      std::vector<std::thread> threads;
      for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&, i] {
          PutRequest request = put_request(key);
          if (create) {
            request.conditions.if_none_match = "*";
          } else {
            request.conditions.if_match = to_hex(crypto::md5(as_bytes("before")));
          }
          MemoryBody body(pattern(size, static_cast<std::uint64_t>(i) + 10));
          const auto answer = put(request, body);
          if (answer) {
            ++won;
            winner = i;
          } else if (answer.error().code() == ObjectErrc::kPreconditionFailed) {
            ++lost;
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      EXPECT_EQ(won, 1);
      EXPECT_EQ(lost, 7);
      EXPECT_TRUE(*get(key) == pattern(size, static_cast<std::uint64_t>(winner.load()) + 10));
    }
    ASSERT_TRUE(remove(std::to_string(size)));
  }
  expect_nothing_left();
}

void ObjectsTest::write_delete_and_read_at_once() {
  constexpr std::size_t kSizes[] = {100, 50'000, 1'500'000};
  std::atomic<bool> stop{false};
  std::atomic<int> reads{0}, broken{0};
  std::mutex mutex;
  std::vector<std::string> failed;
  const auto note = [&](const char* what, const Error& error) {
    const std::lock_guard lock(mutex);
    failed.push_back(what + error.describe());
  };
  std::vector<std::thread> threads;
  for (std::uint64_t writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&, writer] {
      for (std::uint64_t i = 0; i < 30; ++i) {
        const std::uint64_t seed = writer * 1000 + i;
        if (const auto answer = put("key", pattern(kSizes[seed % 3], seed)); !answer) note("put: ", answer.error());
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      if (const auto answer = remove("key"); !answer) note("remove: ", answer.error());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  for (int reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto object = open(get_request("key"));
        if (!object) {
          if (object.error().code() != ObjectErrc::kNoSuchKey) note("open: ", object.error());
          continue;
        }
        const auto bytes = sync_wait(read_all(**object));
        ++reads;
        if (!bytes || to_hex(crypto::md5(as_bytes(*bytes))) != (*object)->info().etag) ++broken;
      }
    });
  }
  threads[0].join();
  threads[1].join();
  stop = true;
  for (std::size_t i = 2; i < threads.size(); ++i) threads[i].join();
  EXPECT_EQ(broken, 0);
  EXPECT_THAT(failed, testing::IsEmpty());
  EXPECT_GT(reads, 0);
  ASSERT_TRUE(remove("key"));
  expect_nothing_left();
}

TEST_F(ObjectsTest, DeletingManyAnswersForEach) {
  std::vector<DeleteItem> items;
  for (int i = 0; i < 300; ++i) {
    const std::string key = "key-" + std::to_string(i);
    if (i % 2 == 0) ASSERT_TRUE(put(key, "x"));
    DeleteItem item;
    item.key = key;
    if (i == 10) item.if_size_bytes = 99;
    items.push_back(item);
  }
  items.push_back(items.front());  // twice the same
  const auto outcomes = sync_wait(service().remove_many(me(), "bucket", items));
  ASSERT_TRUE(outcomes);
  ASSERT_EQ(outcomes->size(), items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ((*outcomes)[i].key, items[i].key);
    EXPECT_EQ((*outcomes)[i].error.has_value(), i == 10);
  }
  EXPECT_EQ((*outcomes)[10].error->code(), ObjectErrc::kPreconditionFailed);
  EXPECT_EQ(objects_counted(), 1);
  ASSERT_TRUE(remove("key-10"));
  expect_nothing_left();
}

TEST_F(ObjectsTest, MultiDeletesOfAnAccountTakeTurnsAndNobodyElsesWaitForThem) {
  ASSERT_TRUE(sync_wait(service().create_bucket(other(), "others")));
  std::vector<DeleteItem> items(3 * kRemovalsAtOnce);
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].key = "key-" + std::to_string(i);
    ASSERT_TRUE(put(items[i].key, "x"));
  }
  MemoryBody body("x");
  PutRequest request = put_request("key");
  request.bucket = "others";
  ASSERT_TRUE(sync_wait(service().put(other(), std::move(request), body)));

  std::atomic<bool> may_go_on = false;
  std::atomic<std::size_t> under_way = 0;
  std::atomic<std::size_t> most = 0;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    if (change.event && change.event->find("key-") != std::string::npos) {
      most = std::max<std::size_t>(most, ++under_way);
      may_go_on.wait(false);
      --under_way;
    }
    return std::nullopt;
  };
  std::atomic<std::size_t> deleted = 0;
  std::vector<std::jthread> threads;
  for (const DeleteItem& item : items) {
    threads.emplace_back([&] {
      const auto outcomes = sync_wait(service().remove_many(me(), "bucket", {item}));
      if (outcomes && !outcomes->front().error) ++deleted;
    });
  }
  while (under_way < kRemovalsAtOnce) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  DeleteItem item;
  item.key = "key";
  const auto outcomes = sync_wait(service().remove_many(other(), "others", {item}));
  EXPECT_TRUE(outcomes && !outcomes->front().error);
  EXPECT_EQ(under_way, kRemovalsAtOnce);
  may_go_on = true;
  may_go_on.notify_all();
  threads.clear();
  EXPECT_EQ(deleted, items.size());
  EXPECT_EQ(most, kRemovalsAtOnce);
  cloud_.watch.before_commit = nullptr;
}

// As when the server has cut its connection.
TEST_F(ObjectsTest, AMultiDeleteThatNobodyWaitsForIsNotBegunAndLeavesTheRest) {
  std::vector<DeleteItem> items(kMaxDeletesAtOnce + 1);
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].key = "key-" + std::to_string(i);
    ASSERT_TRUE(put(items[i].key, "x"));
  }
  std::stop_source gone;
  const auto remove_all = [&] {
    return code_of(sync_wait(service().remove_many(cloud_.context_until(gone.get_token()), "bucket", items)));
  };
  gone.request_stop();
  EXPECT_EQ(remove_all(), Errc::kCancelled);
  EXPECT_EQ(objects_counted(), static_cast<std::int64_t>(items.size()));
  gone = {};
  cloud_.watch.before_commit = [&](const meta::Commit&) -> std::optional<Error> {
    gone.request_stop();
    return std::nullopt;
  };
  EXPECT_EQ(remove_all(), Errc::kCancelled);
  EXPECT_EQ(objects_counted(), 1) << "what was under way went on";
  cloud_.watch.before_commit = {};
  gone = {};
  EXPECT_EQ(remove_all(), std::error_code{});
  expect_nothing_left();
}

TEST_F(ObjectsTest, AMultiDeleteThatWaitsForItsTurnGoesWithItsConnection) {
  std::atomic<bool> may_go_on = false;
  std::atomic<std::size_t> under_way = 0;
  std::vector<DeleteItem> items(kRemovalsAtOnce + 1);
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].key = "key-" + std::to_string(i);
    ASSERT_TRUE(put(items[i].key, "x"));
  }
  cloud_.watch.before_commit = [&](const meta::Commit&) -> std::optional<Error> {
    ++under_way;
    may_go_on.wait(false);
    return std::nullopt;
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kRemovalsAtOnce; ++i) {
    threads.emplace_back([&, i] { EXPECT_TRUE(sync_wait(service().remove_many(me(), "bucket", {items[i]}))); });
  }
  while (under_way < kRemovalsAtOnce) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::stop_source gone;
  std::future<std::error_code> waits = std::async(std::launch::async, [&] {
    return code_of(sync_wait(service().remove_many(cloud_.context_until(gone.get_token()), "bucket", {items.back()})));
  });
  EXPECT_EQ(waits.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  gone.request_stop();
  EXPECT_EQ(waits.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  may_go_on = true;
  may_go_on.notify_all();
  EXPECT_EQ(waits.get(), Errc::kCancelled);
  threads.clear();
  cloud_.watch.before_commit = {};
  EXPECT_EQ(objects_counted(), 1);
}

TEST_F(ObjectsTest, ALongObjectStaysWhereNobodyWaitsForItsTurn) {
  cloud_.put_long_object(bucket_id(), "key");
  ASSERT_TRUE(put("source", "x"));
  std::stop_source gone;
  gone.request_stop();
  DeleteItem item;
  item.key = "key";
  EXPECT_EQ(code_of(sync_wait(service().remove(cloud_.context_until(gone.get_token()), "bucket", item))),
            Errc::kCancelled);
  std::stop_source midway;
  cloud_.watch.after_get = [&](const std::string& key) {
    if (key.ends_with("key")) midway.request_stop();
  };
  const auto outcomes = sync_wait(service().remove_many(cloud_.context_until(midway.get_token()), "bucket", {item}));
  cloud_.watch.after_get = {};
  EXPECT_TRUE(midway.stop_requested());
  ASSERT_TRUE(outcomes);
  EXPECT_TRUE(outcomes->front().error && *outcomes->front().error == Errc::kCancelled);
  PutRequest request = put_request("key");
  MemoryBody body(pattern(kInlineLimit + 1));
  const identity::Context nobody = cloud_.context_until(gone.get_token());
  EXPECT_EQ(code_of(sync_wait(service().put(nobody, std::move(request), body))), Errc::kCancelled);
  CopyRequest copy;
  copy.source_bucket = copy.bucket = "bucket";
  copy.source_key = "source";
  copy.key = "key";
  EXPECT_EQ(code_of(sync_wait(service().copy(nobody, std::move(copy)))), Errc::kCancelled);
  GetRequest head = get_request("key");
  head.head_only = true;
  EXPECT_EQ(TestCloud::must(open(head))->info().parts, 1500U);
  EXPECT_TRUE(eventually([&] { return cloud_.shards() == 0; })) << "the put's body";
  EXPECT_TRUE(remove("key"));
}

TEST(DeletionsAtOnce, AreBoundedByObjectsAndByParts) {
  const auto of = [](std::uint32_t parts) -> std::optional<std::string> {
    ObjectRecord record;
    record.head.parts = parts;
    record.upload = UploadId::from_bytes(Bytes(16, 1));
    return encode(record);
  };
  EXPECT_EQ(deletions_at_once(std::vector(1000, of(0))), kMaxDeletesAtOnce);
  EXPECT_EQ(deletions_at_once(std::vector<std::optional<std::string>>(3)), 3U);
  EXPECT_EQ(deletions_at_once(std::vector{of(0), std::optional<std::string>("damaged"), of(10)}), 3U);
  EXPECT_EQ(deletions_at_once(std::vector(10, of(kMaxPartsAtOnce / 2))), 2U);
  EXPECT_EQ(deletions_at_once(std::vector(10, of(kMaxParts))), 1U);
  EXPECT_EQ(deletions_at_once(std::vector{of(0), of(kMaxParts)}), 1U);
}

TEST_F(ObjectsTest, ObjectsOfManyPartsAreDeletedTogether) {
  std::vector<DeleteItem> items;
  for (const char* key : {"a", "b", "c"}) {
    cloud_.put_long_object(bucket_id(), key);
    items.emplace_back().key = key;
  }
  const auto outcomes = sync_wait(service().remove_many(me(), "bucket", items));
  ASSERT_TRUE(outcomes);
  for (const DeleteOutcome& outcome : *outcomes) EXPECT_FALSE(outcome.error) << outcome.error->describe();
  for (const DeleteItem& item : items) EXPECT_EQ(code_of(get(item.key)), ObjectErrc::kNoSuchKey);
}

TEST_F(ObjectsTest, OfDeletionsThatRaceWithTheSameEtagExactlyOneWins) {
  DeleteItem item;
  item.key = "key";
  item.conditions.if_match = TestCloud::must(put("key", "x")).etag;
  std::vector<std::error_code> codes(4);
  std::vector<std::thread> threads;
  for (std::error_code& code : codes) {
    threads.emplace_back([&] { code = code_of(sync_wait(service().remove(me(), "bucket", item))); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::ranges::count(codes, std::error_code{}), 1);
  EXPECT_EQ(std::ranges::count(codes, make_error_code(ObjectErrc::kNoSuchKey)), 3);
  const auto outcomes = sync_wait(service().remove_many(me(), "bucket", {item}));
  ASSERT_TRUE(outcomes);
  ASSERT_TRUE(outcomes->front().error);
  EXPECT_EQ(outcomes->front().error->code(), ObjectErrc::kNoSuchKey);
}

TEST_F(ObjectsTest, CopyMakesAnObjectOfItsOwn) {
  PutRequest request = put_request("source");
  request.system.content_type = "text/plain";
  request.system.website_redirect = "/elsewhere";
  request.user = {{"a", "b"}};
  request.checksum.kind = crypto::Checksum::kCrc32;
  MemoryBody body(pattern(3'000'000));
  ASSERT_TRUE(put(request, body));
  CopyRequest copy;
  copy.source_bucket = copy.bucket = "bucket";
  copy.source_key = "source";
  copy.key = "target";
  const auto answer = sync_wait(service().copy(me(), copy));
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_EQ(answer->checksum.kind, crypto::Checksum::kCrc32);
  ASSERT_TRUE(remove("source"));
  EXPECT_TRUE(*get("target") == pattern(3'000'000));
  EXPECT_EQ((*open(get_request("target")))->info().system.content_type, "text/plain");
  EXPECT_EQ((*open(get_request("target")))->info().system.website_redirect, "");
  EXPECT_EQ((*open(get_request("target")))->info().user, request.user);

  copy.source_key = "target";
  EXPECT_EQ(code_of(sync_wait(service().copy(me(), copy))), ObjectErrc::kInvalidRequest);
  copy.replace_metadata = true;
  copy.user = {{"c", "d"}};
  ASSERT_TRUE(sync_wait(service().copy(me(), copy)));
  EXPECT_EQ((*open(get_request("target")))->info().user, copy.user);
  EXPECT_TRUE(*get("target") == pattern(3'000'000));

  for (const int what : {0, 1, 2, 3}) {
    CopyRequest onto_itself = copy;
    onto_itself.replace_metadata = false;
    EXPECT_EQ(code_of(sync_wait(service().copy(me(), onto_itself))), ObjectErrc::kInvalidRequest);
    if (what == 0) onto_itself.storage_class = StorageClass::kStandard;
    if (what == 1) onto_itself.system.website_redirect = "/there";
    if (what == 2) onto_itself.checksum = crypto::Checksum::kSha256;
    if (what == 3) onto_itself.names_encryption = true;
    EXPECT_TRUE(sync_wait(service().copy(me(), onto_itself))) << what;
    EXPECT_EQ((*open(get_request("target")))->info().system.website_redirect, what == 1 ? "/there" : "");
    EXPECT_EQ((*open(get_request("target")))->info().user, copy.user);
  }

  // The target's conditions are told before anything is copied.
  CopyRequest conditional = copy;
  conditional.conditions.if_none_match = "*";
  cloud_.watch.before_commit = [](const meta::Commit&) {
    return Error(make_error_code(Errc::kInternal), "unexpected");
  };
  const double read_before = cloud_.bytes_read();
  EXPECT_EQ(code_of(sync_wait(service().copy(me(), conditional))), ObjectErrc::kPreconditionFailed);
  EXPECT_EQ(cloud_.bytes_read(), read_before);
  cloud_.watch.before_commit = {};

  copy.source_conditions.if_none_match = answer->etag;
  EXPECT_EQ(code_of(sync_wait(service().copy(me(), copy))), ObjectErrc::kPreconditionFailed);
  copy.source_conditions = {};
  copy.source_key = "nothing";
  EXPECT_EQ(code_of(sync_wait(service().copy(me(), copy))), ObjectErrc::kNoSuchKey);
  ASSERT_TRUE(remove("target"));
  expect_nothing_left();
}

class NobodyWaits final : public Progress {
 public:
  Task<Status> goes_on() override { co_return fail(Errc::kCancelled, "nobody waits"); }
};

TEST_F(ObjectsTest, ACopyThatNobodyWaitsForStopsAndLeavesNothing) {
  MemoryBody body(pattern(3'000'000));
  ASSERT_TRUE(put(put_request("source"), body));
  NobodyWaits progress;
  CopyRequest copy;
  copy.source_bucket = copy.bucket = "bucket";
  copy.source_key = "source";
  copy.key = "target";
  copy.progress = &progress;
  EXPECT_TRUE(sync_wait(service().copy(me(), copy)).error() == Errc::kCancelled);
  EXPECT_EQ(code_of(open(get_request("target"))), ObjectErrc::kNoSuchKey);
  ASSERT_TRUE(remove("source"));
  expect_nothing_left();
}

TEST_F(ObjectsTest, BucketsOfOthersAreShut) {
  ASSERT_TRUE(put("key", "x"));
  EXPECT_EQ(code_of(sync_wait(service().create_bucket(other(), "bucket"))), ObjectErrc::kBucketAlreadyExists);
  EXPECT_EQ(code_of(sync_wait(service().head_bucket(other(), "bucket"))), ObjectErrc::kAccessDenied);
  EXPECT_EQ(code_of(sync_wait(service().delete_bucket(other(), "bucket"))), ObjectErrc::kAccessDenied);
  EXPECT_EQ(code_of(sync_wait(service().get(other(), get_request("key")))), ObjectErrc::kAccessDenied);
  MemoryBody body("y");
  EXPECT_EQ(code_of(sync_wait(service().put(other(), put_request("key"), body))), ObjectErrc::kAccessDenied);
  ListRequest list;
  list.bucket = "bucket";
  EXPECT_EQ(code_of(sync_wait(service().list(other(), list))), ObjectErrc::kAccessDenied);
  EXPECT_EQ(sync_wait(service().list_buckets(other(), {}))->buckets.size(), 0U);
  EXPECT_EQ(sync_wait(service().list_buckets(me(), {}))->buckets.size(), 1U);
}

TEST_F(ObjectsTest, BucketsAreMadeListedAndDeleted) {
  EXPECT_TRUE(sync_wait(service().create_bucket(me(), "bucket")));  // again: us-east-1 says yes
  for (const char* bad :
       {"a", "aa", "Upper", "under_score", "dot..dot", "dash-.dot", "dot.-dash", "end-", "-start", "192.168.5.123",
        "xn--x", "sthree-x", "amzn-s3-demo-x", "x-s3alias", "x--ol-s3", "x.mrap", "x--x-s3", "x--table-s3"}) {
    EXPECT_EQ(code_of(sync_wait(service().create_bucket(me(), bad))), ObjectErrc::kInvalidBucketName) << bad;
  }
  EXPECT_EQ(code_of(sync_wait(service().create_bucket(me(), std::string(64, 'a')))), ObjectErrc::kInvalidBucketName);
  EXPECT_TRUE(sync_wait(service().create_bucket(me(), std::string(63, 'a'))));
  EXPECT_TRUE(sync_wait(service().create_bucket(me(), "zz.top-1")));
  ListBucketsRequest request;
  request.max = 1;
  std::vector<std::string> names;
  for (;;) {
    const auto page = sync_wait(service().list_buckets(me(), request));
    ASSERT_TRUE(page);
    for (const BucketInfo& bucket : page->buckets) names.push_back(bucket.name);
    if (page->next.empty()) break;
    request.after = page->next;
  }
  EXPECT_EQ(names, (std::vector<std::string>{std::string(63, 'a'), "bucket", "zz.top-1"}));

  ASSERT_TRUE(put("key", "x"));
  EXPECT_EQ(code_of(sync_wait(service().delete_bucket(me(), "bucket"))), ObjectErrc::kBucketNotEmpty);
  ASSERT_TRUE(put("key2", "x"));  // a refused deletion leaves it as it was
  ASSERT_TRUE(remove("key"));
  ASSERT_TRUE(remove("key2"));
  EXPECT_TRUE(sync_wait(service().delete_bucket(me(), "bucket")));
  EXPECT_EQ(code_of(sync_wait(service().delete_bucket(me(), "bucket"))), ObjectErrc::kNoSuchBucket);
  EXPECT_EQ(code_of(sync_wait(service().head_bucket(me(), "bucket"))), ObjectErrc::kNoSuchBucket);
  EXPECT_EQ(code_of(put("key", "x")), ObjectErrc::kNoSuchBucket);
  EXPECT_EQ(code_of(get("key")), ObjectErrc::kNoSuchBucket);
  EXPECT_TRUE(sync_wait(service().create_bucket(other(), "bucket")));
}

TEST_F(ObjectsTest, WhatABucketHoldsIsStoredByItsPolicy) {
  ASSERT_TRUE(sync_wait(service().create_bucket(me(), "apart", PolicyId("apart"))));
  EXPECT_EQ(sync_wait(service().head_bucket(me(), "apart"))->info.policy, PolicyId("apart"));
  EXPECT_EQ(sync_wait(service().head_bucket(me(), "bucket"))->info.policy, PolicyId("standard")) << "it named none";
  const auto expect_all_apart = [&](std::size_t blobs) {
    const auto refs = cloud_.blob_refs();
    EXPECT_EQ(refs.size(), blobs);
    for (const blob::BlobRef& ref : refs) EXPECT_EQ(ref.policy, PolicyId("apart"));
    EXPECT_EQ(cloud_.payloads(), 0U) << "nothing of it lies in the metadata, however small";
  };
  PutRequest request = put_request("key");
  request.bucket = "apart";
  MemoryBody small("x");
  ASSERT_TRUE(put(request, small));
  expect_all_apart(1);

  const auto upload = upload_with_part("apart", "parts", "part");
  ASSERT_TRUE(upload);
  expect_all_apart(2);

  // A copy lies by the policy of the bucket that it comes to, as does a part's.
  ASSERT_TRUE(put("inlined", "y"));
  ASSERT_EQ(cloud_.payloads(), 1U);
  CopyRequest copy;
  copy.source_bucket = "bucket";
  copy.source_key = "inlined";
  copy.bucket = "apart";
  copy.key = "copy";
  ASSERT_TRUE(sync_wait(service().copy(me(), copy)));
  CopyPartRequest copied_part;
  copied_part.bucket = "apart";
  copied_part.key = "parts";
  copied_part.upload = *upload;
  copied_part.number = 2;
  copied_part.source_bucket = "bucket";
  copied_part.source_key = "inlined";
  ASSERT_TRUE(sync_wait(service().copy_part(me(), copied_part)));
  ASSERT_TRUE(remove("inlined"));
  expect_all_apart(4);
  cloud_.restart();
  MemoryBody later("z");
  ASSERT_TRUE(put(request, later));
  expect_all_apart(4);
}

TEST_F(ObjectsTest, ABucketIsMadeAgainOnlyByTheSamePolicy) {
  EXPECT_TRUE(sync_wait(service().create_bucket(me(), "bucket", PolicyId("standard"))));
  EXPECT_EQ(code_of(sync_wait(service().create_bucket(me(), "bucket", PolicyId("apart")))),
            ObjectErrc::kBucketAlreadyOwnedByYou);
  EXPECT_EQ(code_of(sync_wait(service().create_bucket(me(), "new", PolicyId("other")))), ObjectErrc::kNoSuchPolicy);
  EXPECT_EQ(code_of(sync_wait(service().head_bucket(me(), "new"))), ObjectErrc::kNoSuchBucket);
  ASSERT_TRUE(sync_wait(service().create_bucket(me(), "apart", PolicyId("apart"))));
  EXPECT_TRUE(sync_wait(service().create_bucket(me(), "apart"))) << "as clients repeat it";
  EXPECT_EQ(sync_wait(service().head_bucket(me(), "apart"))->info.policy, PolicyId("apart"));
}

TEST_F(ObjectsTest, DeletingABucketReclaimsItsUploads) {
  for (const std::size_t size_bytes : {100, 200'000, 200'000}) {
    ASSERT_TRUE(upload_with_part("bucket", "key", pattern(size_bytes)));
  }
  EXPECT_EQ(cloud_.blobs(), 2U);
  ASSERT_TRUE(sync_wait(service().delete_bucket(me(), "bucket")));
  ASSERT_TRUE(sync_wait(service().create_bucket(me(), "bucket")));
  EXPECT_EQ(cloud_.blobs(), 2U);
  cloud_.clean_up();
  expect_nothing_left();
}

TEST_F(ObjectsTest, ARefusedDeletionOfABucketLeavesItsUploads) {
  CreateUploadRequest create;
  create.bucket = "bucket";
  create.key = "upload";
  const auto upload = sync_wait(service().create_upload(me(), create));
  ASSERT_TRUE(upload);
  bool written = false;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    // A write comes just before the commit that would delete the bucket.
    if (!written && change.event && change.event->find("DeleteBucket") != std::string::npos) {
      written = true;
      std::thread([&] { EXPECT_TRUE(put("key", "x")); }).join();
    }
    return std::nullopt;
  };
  EXPECT_EQ(code_of(sync_wait(service().delete_bucket(me(), "bucket"))), ObjectErrc::kBucketNotEmpty);
  cloud_.watch.before_commit = {};
  EXPECT_TRUE(written);
  ListUploadsRequest list;
  list.bucket = "bucket";
  EXPECT_EQ(sync_wait(service().list_uploads(me(), list))->uploads.size(), 1U);
  UploadPartRequest part;
  part.bucket = "bucket";
  part.key = "upload";
  part.upload = upload->id;
  part.number = 1;
  MemoryBody body("part");
  EXPECT_TRUE(sync_wait(service().upload_part(me(), part, body)));
}

TEST_F(ObjectsTest, WhatGivesSpaceBackGoesOnWhereMetadataSpaceIsLow) {
  CreateUploadRequest create;
  create.bucket = "bucket";
  create.key = "key";
  const auto first = sync_wait(service().create_upload(me(), create));
  ASSERT_TRUE(sync_wait(service().create_upload(me(), create)));
  cloud_.watch.before_commit = [](const meta::Commit& change) -> std::optional<Error> {
    if (change.put.empty() || change.gives_back) return std::nullopt;
    return Error(make_error_code(Errc::kNoSpace), "low");
  };
  EXPECT_EQ(code_of(put("key", "x")), Errc::kNoSpace);
  EXPECT_TRUE(sync_wait(service().abort_upload(me(), "bucket", "key", first->id)));
  EXPECT_TRUE(sync_wait(service().delete_bucket(me(), "bucket")));
}

TEST_F(ObjectsTest, ANameThatChangedHandsIsItsNewOwners) {
  ASSERT_TRUE(put("key", "x"));
  ASSERT_TRUE(remove("key"));
  CreateUploadRequest create;
  create.bucket = "bucket";
  create.key = "key";
  const auto upload = sync_wait(service().create_upload(me(), create));
  // Deleted by another process: this one remembers it.
  meta::Commit name;
  name.partition = meta::kCloudPartition;
  name.erase = {{meta::Space::kRecords, layout::bucket_name("bucket")},
                {meta::Space::kRecords, layout::account_bucket(me().principal.account.id, "bucket")}};
  name.unwitnessed = "a test";
  cloud_.end_root(bucket_id());
  TestCloud::must(sync_wait(cloud_.meta().commit(name, Deadline::never())));
  ASSERT_TRUE(sync_wait(service().create_bucket(other(), "bucket")));
  MemoryBody body("y");
  EXPECT_TRUE(sync_wait(service().put(other(), put_request("key"), body)));
  EXPECT_EQ(code_of(put("key", "x")), ObjectErrc::kAccessDenied);

  cloud_.restart();
  ASSERT_TRUE(sync_wait(service().create_bucket(me(), "mine")));
  create.bucket = "mine";
  const auto mine = sync_wait(service().create_upload(me(), create));
  const BucketId id = TestCloud::must(sync_wait(service().head_bucket(me(), "mine"))).info.id;
  meta::Commit gone;
  gone.partition = layout::partition(id, "key");
  gone.erase = {{meta::Space::kRecords, layout::upload(id, "key", mine->id)}};
  gone.unwitnessed = "a test";
  TestCloud::must(sync_wait(cloud_.meta().commit(gone, Deadline::never())));
  cloud_.end_root(id);
  EXPECT_EQ(code_of(sync_wait(service().abort_upload(me(), "mine", "key", mine->id))), ObjectErrc::kNoSuchBucket);
}

TEST_F(ObjectsTest, ABucketReadBeforeItsNameWentIsNotRemembered) {
  bool read = false;
  cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
    // Just before the name goes, which is the last commit of a deletion.
    if (!read && change.partition == meta::kCloudPartition) {
      read = true;
      std::thread([&] {
        MemoryBody body("x");
        body.fail_at(0);
        EXPECT_EQ(code_of(put(put_request("key"), body)), Errc::kCancelled);
      }).join();
    }
    return std::nullopt;
  };
  ASSERT_TRUE(sync_wait(service().delete_bucket(me(), "bucket")));
  cloud_.watch.before_commit = {};
  EXPECT_TRUE(read);
  ASSERT_TRUE(sync_wait(service().create_bucket(me(), "bucket")));
  EXPECT_TRUE(put("key", "x"));
}

TEST_F(ObjectsTest, AWriteAndABucketsDeletionNeverBothSucceed) {
  for (int round = 0; round < 20; ++round) {
    const std::string name = "race-" + std::to_string(round);
    ASSERT_TRUE(sync_wait(service().create_bucket(me(), name)));
    Result<PutAnswer> answer = fail(Errc::kInternal, "");
    Status deleted = fail(Errc::kInternal, "");
    std::thread writer([&] {
      PutRequest request = put_request("key");
      request.bucket = name;
      MemoryBody body("x");
      answer = put(request, body);
    });
    std::thread deleter([&] { deleted = sync_wait(service().delete_bucket(me(), name)); });
    writer.join();
    deleter.join();
    EXPECT_NE(answer.has_value(), deleted.has_value()) << round;
    if (!answer) EXPECT_EQ(answer.error().code(), ObjectErrc::kNoSuchBucket);
    if (!deleted) EXPECT_EQ(deleted.error().code(), ObjectErrc::kBucketNotEmpty);
    GetRequest request = get_request("key");
    request.bucket = name;
    EXPECT_EQ(get(request).has_value(), answer.has_value());
  }
}

TEST_F(ObjectsTest, ABucketWhoseDeletionWasCutShortIsNoBucket) {
  ASSERT_TRUE(put("key", "x"));
  ASSERT_TRUE(remove("key"));
  // What a crash between the two commits of a deletion, or another process, leaves: the name without the state.
  cloud_.end_root(bucket_id());
  EXPECT_EQ(code_of(put("key", "x")), ObjectErrc::kNoSuchBucket);
  EXPECT_EQ(code_of(get("key")), ObjectErrc::kNoSuchBucket);
  EXPECT_EQ(code_of(remove("key")), ObjectErrc::kNoSuchBucket);
  EXPECT_EQ(code_of(sync_wait(service().head_bucket(me(), "bucket"))), ObjectErrc::kNoSuchBucket);
  EXPECT_TRUE(sync_wait(service().list_buckets(me(), {}))->buckets.empty());
  ASSERT_TRUE(sync_wait(service().create_bucket(other(), "bucket")));
  EXPECT_EQ(code_of(put("key", "x")), ObjectErrc::kAccessDenied);
}

TEST_F(ObjectsTest, AWriteOpensABucketThatADeletionLeftClosed) {
  TestCloud::must(sync_wait(cloud_.meta().close_root(layout::root(bucket_id()), {}, Deadline::never())));
  ASSERT_TRUE(put("key", "x"));
  EXPECT_EQ(*get("key"), "x");
  EXPECT_EQ(code_of(sync_wait(service().delete_bucket(me(), "bucket"))), ObjectErrc::kBucketNotEmpty);
}

TEST_F(ObjectsTest, OneAccountWinsARaceForAName) {
  for (int round = 0; round < 10; ++round) {
    const std::string name = "name-" + std::to_string(round);
    Status mine = fail(Errc::kInternal, ""), theirs = fail(Errc::kInternal, "");
    std::thread first([&] { mine = sync_wait(service().create_bucket(me(), name)); });
    std::thread second([&] { theirs = sync_wait(service().create_bucket(other(), name)); });
    first.join();
    second.join();
    EXPECT_NE(mine.has_value(), theirs.has_value());
    EXPECT_EQ(code_of(mine ? theirs : mine), ObjectErrc::kBucketAlreadyExists);
  }
}

TEST_F(ObjectsTest, EveryChangeIsInTheJournal) {
  const std::uint64_t before = cloud_.meta().last_sequence();
  ASSERT_TRUE(put("key \"quoted\"\n", "x"));
  ASSERT_TRUE(remove("key \"quoted\"\n"));
  ASSERT_TRUE(remove("key"));  // changes nothing
  EXPECT_EQ(cloud_.meta().last_sequence(), before + 2);
  const auto entries = sync_wait(journal::read_entries(cloud_.meta(), before + 1, 10));
  ASSERT_TRUE(entries) << entries.error().describe();
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_NE((*entries)[0].event.find("PutObject"), std::string::npos);
  EXPECT_NE((*entries)[0].event.find(to_hex(crypto::md5(as_bytes("x")))), std::string::npos);
  EXPECT_NE((*entries)[1].event.find("DeleteObject"), std::string::npos);
}

// A drive computes checksums as well as we do; the tags of the encryption it cannot.
TEST_F(FourDrivesTest, AForgedShardIsReadAroundAndNamed) {
  const std::string bytes = pattern(3'000'000);
  const std::vector<std::vector<unsigned>> cases{{0}, {1}, {2}, {3}, {0, 1}, {0, 2}};
  for (const std::vector<unsigned>& liars : cases) {
    ASSERT_TRUE(put("key", bytes));
    const blob::BlobRef ref = cloud_.blob_refs().at(0);
    std::array<std::uint64_t, 4> before{};
    for (unsigned i = 0; i < 4; ++i) before[i] = cloud_.lies(i);
    cloud_.volumes().take_damaged();
    for (const unsigned liar : liars) cloud_.forge(ref, liar);
    GetRequest range = get_request("key");
    range.range = ByteRange{1'234'567, 1'300'000};
    for (int i = 0; i < 2; ++i) {
      const auto part = get(range);
      ASSERT_TRUE(part) << part.error().describe();
      EXPECT_TRUE(*part == bytes.substr(1'234'567, 1'300'000 - 1'234'567 + 1));
      const auto whole = get("key");
      ASSERT_TRUE(whole) << whole.error().describe();
      EXPECT_TRUE(*whole == bytes);
    }
    // Parity is read where data is wrong only; who lies beyond that is the scrub's to find.
    const bool reads_lies = liars.front() < 2;
    for (unsigned i = 0; i < 4; ++i) {
      const bool lied = std::find(liars.begin(), liars.end(), i) != liars.end();
      EXPECT_LE(cloud_.lies(i) - before[i], lied ? 1U : 0U) << "drive " << i;
      if (i < 2 && lied) EXPECT_EQ(cloud_.lies(i) - before[i], 1U) << "drive " << i;
    }
    EXPECT_EQ(cloud_.volumes().take_damaged(), reads_lies ? std::vector<BlobId>{ref.id} : std::vector<BlobId>{});
    ASSERT_TRUE(*cloud_.verify(ref) == false);
    for (const unsigned liar : liars) EXPECT_EQ(cloud_.lies(liar) - before[liar], 1U) << "drive " << liar;
  }
}

TEST_F(FourDrivesTest, MoreForgedShardsThanParityAreAnError) {
  const std::string bytes = pattern(300'000);
  ASSERT_TRUE(put("key", bytes));
  const blob::BlobRef ref = cloud_.blob_refs().at(0);
  auto& authenticator = service().authenticator();
  EXPECT_TRUE(authenticator.liars(ref, 0, ref.size_bytes)->none());
  EXPECT_TRUE(*cloud_.verify(ref));
  for (const unsigned liar : {0U, 1U, 3U}) cloud_.forge(ref, liar);
  EXPECT_EQ(code_of(get("key")), Errc::kCorrupt);
  EXPECT_EQ(authenticator.liars(ref, 0, ref.size_bytes).error(), Errc::kCorrupt);
  EXPECT_EQ(cloud_.verify(ref).error(), Errc::kCorrupt);
  ASSERT_TRUE(remove("key"));
  EXPECT_EQ(authenticator.liars(ref, 0, ref.size_bytes).error(), Errc::kNotFound);
}

// The drive that is away may hold what makes it right: that is no damage yet.
TEST_F(FourDrivesTest, ForgedShardsAmongTooFewThatAreOnlineAreUnavailable) {
  ASSERT_TRUE(put("key", pattern(300'000)));
  const blob::BlobRef ref = cloud_.blob_refs().at(0);
  for (const unsigned liar : {0U, 1U}) cloud_.forge(ref, liar);
  cloud_.take_offline(2);
  EXPECT_EQ(code_of(get("key")), Errc::kUnavailable);
  EXPECT_EQ(service().authenticator().liars(ref, 0, ref.size_bytes).error(), Errc::kUnavailable);
}

TEST_F(ObjectsTest, AForgedOnlyShardIsAnErrorThatAScrubFinds) {
  ASSERT_TRUE(put("key", pattern(300'000)));
  const blob::BlobRef ref = cloud_.blob_refs().at(0);
  EXPECT_TRUE(*cloud_.verify(ref));
  cloud_.forge(ref, 0);
  EXPECT_EQ(code_of(get("key")), Errc::kCorrupt);
  EXPECT_EQ(cloud_.verify(ref).error(), Errc::kCorrupt);
}

TEST_F(ObjectsTest, WhatIsPutIsGotAtEverySizeThatMatters) { put_and_get_every_size(); }
TEST_F(FourDrivesTest, WhatIsPutIsGotAtEverySizeThatMatters) { put_and_get_every_size(); }
TEST_F(ObjectsTest, ABodyThatBreaksOffLeavesNothing) { break_bodies_off(); }
TEST_F(FourDrivesTest, ABodyThatBreaksOffLeavesNothing) { break_bodies_off(); }

TEST_F(PoolsTest, WhatIsPutIsGotAtEverySizeThatMatters) { put_and_get_every_size(); }

TEST_F(PoolsTest, ABodyThatBreaksOffLeavesNothing) { break_bodies_off(); }

TEST_F(PoolsTest, ConcurrentWritersDeletersAndReadersSeeWholeObjects) { write_delete_and_read_at_once(); }

TEST_F(PoolsTest, ABucketsPolicyChoosesThePool) {
  ASSERT_TRUE(sync_wait(service().create_bucket(me(), "apart", PolicyId("apart"))));
  PutRequest request = put_request("key");
  request.bucket = "apart";
  MemoryBody body(pattern(3'000'000));
  ASSERT_TRUE(put(request, body));
  EXPECT_EQ(cloud_.pools().count(PolicyId("apart")), 3U);
  EXPECT_EQ(cloud_.pools().count(PolicyId("standard")), 0U);
}

// With nothing that can be left out there is nobody to name.
TEST_F(PoolsTest, BytesThatAreNotWhatWasWrittenAreAnErrorThatAScrubFinds) {
  ASSERT_TRUE(put("key", pattern(3'000'000)));
  const blob::BlobRef ref = cloud_.blob_refs().at(0);
  EXPECT_TRUE(service().authenticator().liars(ref, 0, ref.size_bytes)->none());
  cloud_.pools().spoil();
  EXPECT_EQ(code_of(get("key")), Errc::kCorrupt);
  EXPECT_EQ(service().authenticator().liars(ref, 0, ref.size_bytes).error(), Errc::kCorrupt);
}
// Both have announced that its bytes go; the one who comes second still holds them for displaced once they are gone.
TEST_F(ObjectsTest, WhoOpensAnObjectThatTwoTakeAwayGetsWhatIsThereThen) {
  ASSERT_TRUE(put("key", pattern(50'000, 1)));
  std::promise<void> announced, let_go;
  std::atomic<bool> first{true};
  cloud_.watch.before_commit = [&](const meta::Commit&) -> std::optional<Error> {
    if (!first.exchange(false)) return std::nullopt;
    announced.set_value();
    let_go.get_future().wait();
    return std::nullopt;
  };
  std::atomic<bool> replaced{true};
  cloud_.watch.after_get = [&](const std::string& asked) {
    if (asked.find("key") == std::string::npos || replaced.exchange(true)) return;
    EXPECT_TRUE(put("key", pattern(50'000, 2)));
    EXPECT_TRUE(eventually([&] { return cloud_.shards() == 1; })) << "the former bytes go";
  };
  auto second = std::async(std::launch::async, [&] { return remove("key"); });
  announced.get_future().wait();
  replaced = false;
  const auto found = get("key");
  EXPECT_TRUE(found && *found == pattern(50'000, 2)) << (found ? "other bytes" : found.error().describe());
  EXPECT_TRUE(replaced);
  let_go.set_value();
  EXPECT_TRUE(second.get());
  cloud_.watch = {};
  expect_nothing_left();
}

TEST_F(ObjectsTest, ConcurrentWritersDeletersAndReadersSeeWholeObjects) { write_delete_and_read_at_once(); }
TEST_F(FourDrivesTest, ConcurrentWritersDeletersAndReadersSeeWholeObjects) { write_delete_and_read_at_once(); }

}  // namespace
}  // namespace andromede::objects
