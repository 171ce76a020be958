// Multipart uploads against the real engines.
#include <gtest/gtest.h>

#include <thread>

#include "crypto/digest.h"
#include "objects/layout.h"
#include "objects/records.h"
#include "objects/test_bodies.h"
#include "objects/test_cloud.h"

namespace andromede::objects {
namespace {

Bytes digest(crypto::Checksum kind, std::string_view bytes) {
  const auto hasher = crypto::make_hasher(kind);
  hasher->update(as_bytes(bytes));
  return hasher->finish();
}

class MultipartTest : public testing::Test {
 protected:
  MultipartTest() { TestCloud::must(sync_wait(service().create_bucket(me(), "bucket"))); }

  Service& service() { return cloud_.service(); }
  const identity::Context& me() { return cloud_.context(); }

  UploadId create(crypto::Checksum kind = crypto::Checksum::kNone, ChecksumType type = ChecksumType::kFullObject,
                  const std::string& key = "key") {
    CreateUploadRequest request;
    request.bucket = "bucket";
    request.key = key;
    request.checksum = kind;
    request.checksum_type = type;
    request.user = {{"from", "upload"}};
    return TestCloud::must(sync_wait(service().create_upload(me(), request))).id;
  }
  Result<PutAnswer> upload(UploadId id, std::uint32_t number, std::string bytes, ChecksumDemand demand = {}) {
    UploadPartRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.upload = id;
    request.number = number;
    request.checksum = std::move(demand);
    MemoryBody body(std::move(bytes));
    return sync_wait(service().upload_part(me(), request, body));
  }
  CompletedPart part(UploadId id, std::uint32_t number, std::string bytes) {
    const PutAnswer answer = TestCloud::must(upload(id, number, std::move(bytes)));
    return {number, answer.etag, {}};
  }
  static CompleteRequest complete_request(UploadId id, std::vector<CompletedPart> parts) {
    CompleteRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.upload = id;
    request.parts = std::move(parts);
    return request;
  }
  Result<PutAnswer> complete(CompleteRequest request, std::stop_token stop = {}) {
    return sync_wait(service().complete_upload(cloud_.context_until(std::move(stop)), std::move(request)));
  }
  Result<PutAnswer> complete(UploadId id, std::vector<CompletedPart> parts) {
    return complete(complete_request(id, std::move(parts)));
  }
  Result<std::unique_ptr<OpenObject>> open(std::optional<std::uint32_t> part_number = {},
                                           std::optional<ByteRange> range = {}) {
    GetRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.part_number = part_number;
    request.range = range;
    return sync_wait(service().get(me(), request));
  }
  Result<std::vector<PartInfo>> object_parts(std::uint32_t after, std::size_t max) {
    GetRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.parts = {after, max};
    request.head_only = true;
    TRY(const auto object, sync_wait(service().get(me(), request)));
    return object->parts();
  }
  Result<std::string> get(std::optional<std::uint32_t> part_number = {}, std::optional<ByteRange> range = {}) {
    TRY(const auto object, open(part_number, range));
    return sync_wait(read_all(*object));
  }
  Status remove() {
    DeleteItem item;
    item.key = "key";
    return sync_wait(service().remove(me(), "bucket", item));
  }
  Status abort(UploadId id) { return sync_wait(service().abort_upload(me(), "bucket", "key", id)); }
  void expect_nothing_left() {
    EXPECT_EQ(cloud_.blobs(), 0U);
    EXPECT_EQ(cloud_.payloads(), 0U);
    const BucketId id = TestCloud::must(sync_wait(service().head_bucket(me(), "bucket"))).info.id;
    EXPECT_EQ(cloud_.usage(id), meta::Usage{});
    meta::Scan scan;
    for (const char* prefix : {"o/", "p/", "q/", "u/"}) {
      scan.begin = prefix;
      scan.end = meta::past_prefix(prefix);
      EXPECT_TRUE(TestCloud::must(sync_wait(cloud_.every_root().scan_anywhere(scan))).empty()) << prefix;
    }
    EXPECT_TRUE(eventually([&] { return cloud_.shards() == 0; }));
  }

  TestCloud cloud_;
};

const std::string& five_mib() {
  static const std::string bytes = pattern(kMinPartBytes, 77);
  return bytes;
}

TEST_F(MultipartTest, PartsBecomeOneObjectWithoutACopy) {
  const UploadId id = create();
  EXPECT_EQ(code_of(open()), ObjectErrc::kNoSuchKey);
  const std::string last = pattern(1000, 3);
  const std::vector parts{part(id, 1, five_mib()), part(id, 3, five_mib() + "x"), part(id, 9, last)};
  const auto answer = complete(id, parts);
  ASSERT_TRUE(answer) << answer.error().describe();
  const Bytes md5s = [&] {
    Bytes all;
    for (const std::string& bytes : {five_mib(), five_mib() + "x", last}) {
      const auto md5 = crypto::md5(as_bytes(bytes));
      all.insert(all.end(), md5.begin(), md5.end());
    }
    return all;
  }();
  EXPECT_EQ(answer->etag, to_hex(crypto::md5(md5s)) + "-3");
  const std::string whole = five_mib() + five_mib() + "x" + last;
  EXPECT_TRUE(*get() == whole);
  EXPECT_EQ(answer->checksum.value, digest(crypto::Checksum::kCrc64Nvme, whole));
  EXPECT_EQ((*open())->info().user, (UserMetadata{{"from", "upload"}}));
  EXPECT_EQ((*open())->info().parts, 3U);

  // Ranges over the seams, and parts by their numbers.
  const std::uint64_t seam = kMinPartBytes;
  EXPECT_TRUE(*get({}, ByteRange{seam - 5, seam + 4}) == whole.substr(seam - 5, 10));
  EXPECT_TRUE(*get({}, ByteRange{2 * seam - 5, std::nullopt}) == whole.substr(2 * seam - 5));
  EXPECT_TRUE(*get({}, ByteRange{std::nullopt, 1001}) == whole.substr(whole.size() - 1001));
  EXPECT_TRUE(*get(3) == five_mib() + "x");
  EXPECT_TRUE(*get(9) == last);
  EXPECT_EQ((*open(9))->info().checksum.value, digest(crypto::Checksum::kCrc64Nvme, last));
  EXPECT_EQ((*open(9))->info().etag, answer->etag);
  EXPECT_EQ(code_of(open(2)), ObjectErrc::kInvalidPartNumber);

  const auto listed = object_parts(1, 1);
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ((*listed)[0].number, 3U);

  // Completing again, after a lost answer, says the same; a deletion makes the upload unknown.
  const auto again = complete(id, parts);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->etag, answer->etag);
  ASSERT_TRUE(remove());
  EXPECT_EQ(code_of(complete(id, parts)), ObjectErrc::kNoSuchUpload);
  expect_nothing_left();
}

TEST_F(MultipartTest, WhatDoesNotFitIsRefusedAndCanBePutRight) {
  const UploadId id = create();
  const CompletedPart small = part(id, 1, "small");
  const CompletedPart second = part(id, 2, "second");
  EXPECT_EQ(code_of(complete(id, {})), ObjectErrc::kInvalidRequest);
  EXPECT_EQ(code_of(complete(id, {small, second})), ObjectErrc::kEntityTooSmall);
  EXPECT_EQ(code_of(complete(id, {second, small})), ObjectErrc::kInvalidPartOrder);
  CompletedPart wrong = second;
  wrong.etag = std::string(32, 'f');
  EXPECT_EQ(code_of(complete(id, {wrong})), ObjectErrc::kInvalidPart);
  wrong = second;
  wrong.number = 9999;
  EXPECT_EQ(code_of(complete(id, {wrong})), ObjectErrc::kInvalidPart);
  EXPECT_EQ(code_of(complete(id, {small, wrong})), ObjectErrc::kInvalidPart);
  EXPECT_EQ(code_of(upload(id, 0, "x")), ObjectErrc::kInvalidArgument);
  EXPECT_EQ(code_of(upload(id, kMaxParts + 1, "x")), ObjectErrc::kInvalidArgument);
  EXPECT_EQ(code_of(upload(UploadId{}, 1, "x")), ObjectErrc::kNoSuchUpload);
  CompleteRequest sized = complete_request(id, {second});
  sized.object_size_bytes = 5;
  EXPECT_EQ(code_of(complete(sized)), ObjectErrc::kInvalidRequest);
  // Only the second: the first is dropped.
  sized.object_size_bytes = 6;
  ASSERT_TRUE(complete(sized));
  EXPECT_EQ(*get(), "second");
  ASSERT_TRUE(remove());
  expect_nothing_left();
}

TEST_F(MultipartTest, APartThatIsSentAgainReplacesTheOneBefore) {
  const UploadId id = create();
  const CompletedPart before = part(id, 1, five_mib());
  const CompletedPart after = part(id, 1, "new");
  EXPECT_EQ(cloud_.blobs(), 0U);
  EXPECT_EQ(code_of(complete(id, {before})), ObjectErrc::kInvalidPart);
  EXPECT_EQ(code_of(complete(id, {after, after})), ObjectErrc::kInvalidPartOrder);
  ASSERT_TRUE(complete(id, {after}));
  EXPECT_EQ(*get(), "new");
  ASSERT_TRUE(remove());
  expect_nothing_left();
}

TEST_F(MultipartTest, APartThatIsNotWhatItsDigestsSayIsNone) {
  const UploadId plain = create();
  const UploadId crc = create(crypto::Checksum::kCrc32c, ChecksumType::kFullObject);
  for (const std::size_t size : {std::size_t{1000}, std::size_t{100'000}}) {
    const std::string bytes = pattern(size);
    for (const UploadId id : {plain, crc}) {
      ChecksumDemand md5;
      md5.content_md5 = Bytes(16, 1);
      EXPECT_EQ(code_of(upload(id, 1, bytes, md5)), ObjectErrc::kBadDigest);
      ChecksumDemand crc32c;
      crc32c.kind = crypto::Checksum::kCrc32c;
      crc32c.value = digest(crypto::Checksum::kCrc32c, bytes + "x");
      EXPECT_EQ(code_of(upload(id, 1, bytes, crc32c)), ObjectErrc::kBadDigest);
      crc32c.value = Bytes(3, 1);
      EXPECT_EQ(code_of(upload(id, 1, bytes, crc32c)), ObjectErrc::kBadDigest);
      crc32c.value.reset();
      crc32c.in_trailer = true;
      EXPECT_EQ(code_of(upload(id, 1, bytes, crc32c)), ObjectErrc::kInvalidRequest);
      ListPartsRequest list;
      list.bucket = "bucket";
      list.key = "key";
      list.upload = id;
      const PartPage page = TestCloud::must(sync_wait(service().list_parts(me(), list)));
      for (const PartInfo& listed : page.parts) EXPECT_NE(listed.number, 1U);
      ChecksumDemand right;
      right.kind = crypto::Checksum::kCrc32c;
      right.value = digest(crypto::Checksum::kCrc32c, bytes);
      right.content_md5 = to_bytes(ByteView(crypto::md5(as_bytes(bytes))));
      EXPECT_TRUE(upload(id, 2, bytes, right));
    }
    EXPECT_EQ(cloud_.blobs(), size > 32 * 1024 ? 2U : 0U);
  }
  ASSERT_TRUE(abort(plain));
  ASSERT_TRUE(abort(crc));
  expect_nothing_left();
}

TEST_F(MultipartTest, AbortGivesEverythingBack) {
  const UploadId id = create();
  part(id, 1, five_mib());
  part(id, 2, "small");
  EXPECT_EQ(cloud_.blobs(), 1U);
  ASSERT_TRUE(abort(id));
  EXPECT_EQ(code_of(abort(id)), ObjectErrc::kNoSuchUpload);
  EXPECT_EQ(code_of(upload(id, 1, "x")), ObjectErrc::kNoSuchUpload);
  EXPECT_EQ(code_of(complete(id, {{1, "x", {}}})), ObjectErrc::kNoSuchUpload);
  expect_nothing_left();
}

TEST_F(MultipartTest, AnAbortDuringAPartLeavesNothingOfIt) {
  for (int round = 0; round < 10; ++round) {
    const UploadId id = create();
    std::thread uploader([&] { static_cast<void>(upload(id, 1, pattern(300'000))); });
    EXPECT_TRUE(abort(id));
    uploader.join();
  }
  expect_nothing_left();
}

TEST_F(MultipartTest, APartDuringACompletionIsInItOrRefused) {
  for (int round = 0; round < 10; ++round) {
    const UploadId id = create();
    const std::vector<CompletedPart> parts{part(id, 1, "the only one")};
    std::thread uploader([&] { static_cast<void>(upload(id, 2, pattern(300'000))); });
    EXPECT_TRUE(complete(id, parts));
    uploader.join();
  }
  ASSERT_TRUE(remove());
  expect_nothing_left();
}

TEST_F(MultipartTest, CompositeAndFullObjectChecksums) {
  for (const auto& [kind, type] :
       std::vector<std::pair<crypto::Checksum, ChecksumType>>{{crypto::Checksum::kCrc32, ChecksumType::kFullObject},
                                                              {crypto::Checksum::kCrc32, ChecksumType::kComposite},
                                                              {crypto::Checksum::kCrc32c, ChecksumType::kFullObject},
                                                              {crypto::Checksum::kCrc64Nvme, ChecksumType::kFullObject},
                                                              {crypto::Checksum::kSha1, ChecksumType::kComposite},
                                                              {crypto::Checksum::kSha256, ChecksumType::kComposite}}) {
    const UploadId id = create(kind, type);
    std::vector<CompletedPart> parts;
    std::string all_values;
    for (std::uint32_t number = 1; number <= 2; ++number) {
      const std::string bytes = number == 1 ? five_mib() : "tail";
      ChecksumDemand demand;
      demand.kind = kind;
      demand.value = digest(kind, bytes);
      const auto answer = upload(id, number, bytes, demand);
      ASSERT_TRUE(answer) << answer.error().describe();
      EXPECT_EQ(answer->checksum.value, *demand.value);
      parts.push_back({number, answer->etag, answer->checksum});
      all_values += as_text(*demand.value);
    }
    StoredChecksum expected{kind, type, digest(kind, five_mib() + "tail"), 0};
    if (type == ChecksumType::kComposite) {
      expected.value = digest(kind, all_values);
      expected.parts = 2;
    }
    CompleteRequest request = complete_request(id, parts);
    request.checksum = expected;
    request.checksum->value[0] ^= 1;
    EXPECT_EQ(code_of(complete(request)), ObjectErrc::kBadDigest);
    request.checksum = expected;
    request.checksum->parts = 3;
    request.checksum->type = ChecksumType::kComposite;
    EXPECT_EQ(code_of(complete(request)), ObjectErrc::kBadDigest);
    request.checksum = expected;
    request.checksum_type = type == ChecksumType::kComposite ? ChecksumType::kFullObject : ChecksumType::kComposite;
    EXPECT_EQ(code_of(complete(request)), ObjectErrc::kInvalidRequest);
    request.checksum.reset();
    EXPECT_EQ(code_of(complete(request)), ObjectErrc::kInvalidRequest);
    request.checksum_type = type;
    // As the header tells it, where nothing but "-2" makes it composite.
    request.checksum = {kind, ChecksumType::kFullObject, expected.value, 0};
    request.parts[0].checksum.value[0] ^= 1;
    EXPECT_EQ(code_of(complete(request)), ObjectErrc::kInvalidPart);
    request.parts = parts;
    const auto answer = complete(request);
    ASSERT_TRUE(answer) << answer.error().describe();
    EXPECT_EQ(answer->checksum, expected);
    EXPECT_EQ((*open())->info().checksum, expected);
  }
  EXPECT_EQ(code_of(sync_wait([&] {
              CreateUploadRequest request;
              request.bucket = "bucket";
              request.key = "key";
              request.checksum = crypto::Checksum::kSha256;
              return service().create_upload(me(), request);
            }())),
            ObjectErrc::kInvalidRequest);
}

TEST_F(MultipartTest, AnUploadWithoutAChecksumTakesPartsWithAny) {
  const UploadId id = create();
  ChecksumDemand demand;
  demand.kind = crypto::Checksum::kCrc32;
  demand.value = digest(crypto::Checksum::kCrc32, "hello");
  const auto answer = upload(id, 1, "hello", demand);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->checksum.kind, crypto::Checksum::kCrc32);
  for (const std::string& etag : {std::string("*"), "\"" + answer->etag + "\"", answer->etag + "," + answer->etag}) {
    EXPECT_EQ(code_of(complete(id, {{1, etag, {}}})), ObjectErrc::kInvalidPart) << etag;
  }
  CompleteRequest request = complete_request(id, {{1, answer->etag, answer->checksum}});
  request.checksum_type = ChecksumType::kFullObject;
  EXPECT_EQ(code_of(complete(request)), ObjectErrc::kInvalidRequest);
  request.checksum_type.reset();
  // Created without an algorithm: what is claimed of the whole is not looked at.
  request.checksum = {crypto::Checksum::kSha256, ChecksumType::kFullObject, Bytes(32, 1), 0};
  const auto done = complete(request);
  ASSERT_TRUE(done) << done.error().describe();
  EXPECT_EQ(done->checksum.kind, crypto::Checksum::kCrc64Nvme);
  EXPECT_EQ(done->checksum.value, digest(crypto::Checksum::kCrc64Nvme, "hello"));
  const UploadId sha = create(crypto::Checksum::kSha256, ChecksumType::kComposite);
  EXPECT_EQ(code_of(upload(sha, 1, "hello", demand)), ObjectErrc::kInvalidRequest);
}

TEST_F(MultipartTest, PartsAreCopiedFromObjects) {
  const std::string source = pattern(11'000'000, 4);
  PutRequest put;
  put.bucket = "bucket";
  put.key = "source";
  MemoryBody body(source);
  ASSERT_TRUE(sync_wait(service().put(me(), put, body)));
  const UploadId id = create();
  CopyPartRequest request;
  request.bucket = request.source_bucket = "bucket";
  request.key = "key";
  request.source_key = "source";
  request.upload = id;
  std::vector<CompletedPart> parts;
  for (std::uint32_t number = 1; number <= 2; ++number) {
    request.number = number;
    request.source_range = number == 1 ? ByteRange{3, 6'000'002} : ByteRange{6'000'003, source.size() - 1};
    const auto answer = sync_wait(service().copy_part(me(), request));
    ASSERT_TRUE(answer) << answer.error().describe();
    parts.push_back({number, answer->etag, {}});
  }
  ASSERT_TRUE(complete(id, parts));
  EXPECT_TRUE(*get() == source.substr(3));
  request.upload = create();
  request.source_range = ByteRange{0, source.size()};
  EXPECT_EQ(code_of(sync_wait(service().copy_part(me(), request))), ObjectErrc::kInvalidRange);
  request.source_range.reset();
  EXPECT_TRUE(sync_wait(service().copy_part(me(), request)));
}

TEST_F(MultipartTest, PartsAndUploadsAreListedInPages) {
  const UploadId id = create();
  for (const std::uint32_t number : {1U, 2U, 5U, 10'000U}) part(id, number, "x");
  ListPartsRequest request;
  request.bucket = "bucket";
  request.key = "key";
  request.upload = id;
  request.max = 3;
  const auto first = sync_wait(service().list_parts(me(), request));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->parts.size(), 3U);
  EXPECT_TRUE(first->truncated);
  EXPECT_EQ(first->next, 5U);
  request.after = 5;
  const auto second = sync_wait(service().list_parts(me(), request));
  EXPECT_EQ(second->parts.size(), 1U);
  EXPECT_FALSE(second->truncated);

  std::vector<std::pair<std::string, std::string>> all{{"key", id.to_string()}};
  for (const char* key : {"a/1", "a/2", "b", "key", "key", "z"}) {
    all.emplace_back(key, create(crypto::Checksum::kNone, ChecksumType::kFullObject, key).to_string());
  }
  std::sort(all.begin(), all.end());
  std::vector<std::pair<std::string, std::string>> listed;
  ListUploadsRequest uploads;
  uploads.bucket = "bucket";
  uploads.max = 2;
  while (true) {
    const auto page = sync_wait(service().list_uploads(me(), uploads));
    ASSERT_TRUE(page);
    for (const UploadInfo& one : page->uploads) listed.emplace_back(one.key, one.id.to_string());
    if (!page->truncated) break;
    uploads.key_marker = page->next_key;
    uploads.upload_id_marker = page->next_upload_id;
  }
  EXPECT_EQ(listed, all);
  uploads = {};
  uploads.bucket = "bucket";
  uploads.delimiter = "/";
  uploads.max = 1;
  const auto prefixes = sync_wait(service().list_uploads(me(), uploads));
  EXPECT_EQ(prefixes->common_prefixes, std::vector<std::string>{"a/"});
  EXPECT_EQ(prefixes->next_key, "a/");
  uploads.key_marker = "a/";
  EXPECT_EQ(sync_wait(service().list_uploads(me(), uploads))->uploads.at(0).key, "b");
  uploads.key_marker = "key";
  EXPECT_EQ(sync_wait(service().list_uploads(me(), uploads))->uploads.at(0).key, "z");
  uploads.prefix = "key";
  uploads.key_marker = "";
  uploads.max = 1000;
  EXPECT_EQ(sync_wait(service().list_uploads(me(), uploads))->uploads.size(), 3U);
}

TEST_F(MultipartTest, ConditionsOnComplete) {
  const UploadId first = create();
  const CompletedPart one = part(first, 1, "one");
  CompleteRequest request = complete_request(first, {one});
  request.conditions.if_match = "*";
  EXPECT_EQ(code_of(complete(request)), ObjectErrc::kNoSuchKey);
  request.conditions = {};
  request.conditions.if_none_match = "*";
  const auto done = complete(request);
  ASSERT_TRUE(done);
  const UploadId second = create();
  request = complete_request(second, {part(second, 1, "two")});
  request.conditions.if_none_match = "*";
  EXPECT_EQ(code_of(complete(request)), ObjectErrc::kPreconditionFailed);
  request.conditions = {};
  request.conditions.if_match = done->etag;
  ASSERT_TRUE(complete(request));
  EXPECT_EQ(*get(), "two");
}

TEST_F(MultipartTest, OfConcurrentCompletesAllSeeTheSameObject) {
  const UploadId id = create();
  const CompletedPart one = part(id, 1, "one");
  std::vector<std::thread> threads;
  std::vector<Result<PutAnswer>> answers(4, fail(Errc::kInternal, ""));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([&, i] { answers[i] = complete(id, {one}); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer) << answer.error().describe();
    EXPECT_EQ(answer->etag, answers[0]->etag);
  }
  ASSERT_TRUE(remove());
  expect_nothing_left();
}

TEST_F(MultipartTest, TenThousandPartsFitOneCommit) {
  cloud_.take_ten_thousand_parts();
  // Ten thousand bodies of 5 MiB would take minutes: the parts' records are made directly, as uploads leave them.
  const UploadId id = create();
  const CompletedPart real = part(id, 1, "only");
  const BucketId bucket = TestCloud::must(sync_wait(service().head_bucket(me(), "bucket"))).info.id;
  const auto raw = TestCloud::must(sync_wait(cloud_.meta().get(
      layout::partition(bucket, "key"), {meta::Space::kRecords, layout::part(id, 1)}, Deadline::never())));
  PartRecord record = TestCloud::must(decode_part(as_bytes(*raw)));
  record.pieces[0].inlined = false;
  record.pieces[0].size_bytes = record.size_bytes = kMinPartBytes;
  std::vector<CompletedPart> parts;
  for (std::uint32_t number = 1; number <= kMaxParts;) {
    meta::Commit change;
    change.partition = layout::partition(bucket, "key");
    change.unwitnessed = "a test";
    for (int i = 0; i < 2000; ++i, ++number) {
      record.number = number;
      record.pieces[0].blob = BlobId::random(cloud_.random());
      change.put.push_back({{meta::Space::kRecords, layout::part(id, number)}, encode(record)});
      parts.push_back({number, real.etag, {}});
    }
    TestCloud::must(sync_wait(cloud_.meta().commit(std::move(change), Deadline::never())));
  }
  // A completion holds the upload; one that fails leaves it held, and the next part frees it.
  parts.back().etag = "wrong";
  EXPECT_EQ(code_of(complete(id, parts)), ObjectErrc::kInvalidPart);
  parts.back() = part(id, kMaxParts, "last");
  const auto answer = complete(id, parts);
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_EQ(answer->size_bytes, (kMaxParts - 1) * kMinPartBytes + 4);
  EXPECT_EQ(object_parts(9'990, 1000)->size(), 10U);
  EXPECT_EQ(object_parts(1'498, 3)->at(2).number, 1'501U);
  EXPECT_EQ(code_of(open()), Errc::kCorrupt);  // its blobs were never written

  // A part, a range and some parts are found without the lists that they are not in.
  const std::string list_key = layout::part_list(id, 3);
  const auto list = TestCloud::must(sync_wait(
      cloud_.meta().get(layout::partition(bucket, "key"), {meta::Space::kRecords, list_key}, Deadline::never())));
  const auto change_list = [&](bool there) {
    meta::Commit change;
    change.partition = layout::partition(bucket, "key");
    change.unwitnessed = "a test";
    if (there) {
      change.put.push_back({{meta::Space::kRecords, list_key}, *list});
    } else {
      change.erase.push_back({meta::Space::kRecords, list_key});
    }
    TestCloud::must(sync_wait(cloud_.meta().commit(std::move(change), Deadline::never())));
  };
  change_list(false);
  GetRequest head;
  head.bucket = "bucket";
  head.key = "key";
  head.head_only = true;
  for (const std::uint32_t number : {1U, 1500U, 2001U, kMaxParts}) {
    head.part_number = number;
    const auto opened = sync_wait(service().get(me(), head));
    ASSERT_TRUE(opened) << number << opened.error().describe();
    EXPECT_EQ((*opened)->offset(), (number - 1) * kMinPartBytes);
    EXPECT_EQ((*opened)->length(), number == kMaxParts ? 4 : kMinPartBytes);
  }
  head.part_number = 1501;
  EXPECT_EQ(code_of(sync_wait(service().get(me(), head))), Errc::kCorrupt);
  const std::uint64_t end = answer->size_bytes;
  EXPECT_EQ(*get({}, ByteRange{end - 4, end - 1}), "last");
  EXPECT_EQ(*get(kMaxParts), "last");
  EXPECT_EQ(object_parts(9'990, 1000)->size(), 10U);
  change_list(true);
  ASSERT_TRUE(remove());
}

TEST_F(MultipartTest, ACompletionOrAnAbortThatNobodyWaitsForIsNotBegun) {
  const UploadId id = create();
  CompleteRequest request = complete_request(id, {part(id, 1, "x")});
  std::stop_source gone;
  gone.request_stop();
  bool changed = false;
  cloud_.watch.before_commit = [&](const meta::Commit&) -> std::optional<Error> {
    changed = true;
    return std::nullopt;
  };
  EXPECT_EQ(code_of(complete(request, gone.get_token())), Errc::kCancelled);
  EXPECT_EQ(code_of(sync_wait(service().abort_upload(cloud_.context_until(gone.get_token()), "bucket", "key", id))),
            Errc::kCancelled);
  EXPECT_FALSE(changed);
  cloud_.watch.before_commit = {};
  EXPECT_TRUE(complete(request));
  EXPECT_EQ(*get(), "x");
  EXPECT_TRUE(remove());
  expect_nothing_left();
}

// Cut between the mark of its upload and the turn that taking away the object before it waits for.
TEST_F(MultipartTest, ACompletionGivenUpHalfwayIsBegunAnew) {
  cloud_.put_long_object(TestCloud::must(sync_wait(service().head_bucket(me(), "bucket"))).info.id, "key");
  const UploadId id = create();
  const UploadId aborted = create();
  for (const UploadId upload : {id, aborted}) {
    CompleteRequest request = complete_request(upload, {part(upload, 1, "x")});
    std::stop_source gone;
    cloud_.watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
      EXPECT_FALSE(change.event) << *change.event;
      gone.request_stop();
      return std::nullopt;
    };
    EXPECT_EQ(code_of(complete(request, gone.get_token())), Errc::kCancelled);
    EXPECT_TRUE(gone.stop_requested());
    cloud_.watch.before_commit = {};
    EXPECT_EQ(TestCloud::must(object_parts(0, kMaxParts)).size(), 1500U);
  }
  EXPECT_TRUE(abort(aborted));
  const CompletedPart other = part(id, 1, "y");
  EXPECT_TRUE(complete(id, {other}));
  EXPECT_EQ(*get(), "y");
  EXPECT_TRUE(remove());
}

}  // namespace
}  // namespace andromede::objects
