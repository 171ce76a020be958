// What CompleteMultipartUpload takes and refuses, against a simple model of Amazon's rules ("CompleteMultipartUpload"
// and "CompletedPart", S3 API reference; "Multipart upload limits", user guide).
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <time.h>

#include <map>
#include <ostream>

#include "objects/layout.h"
#include "objects/records.h"
#include "objects/service_impl.h"
#include "objects/test_cloud.h"

namespace andromede::objects {

std::ostream& operator<<(std::ostream& out, const CompletedPart& part) {
  return out << part.number << ":" << part.etag.substr(0, 4)
             << (part.checksum.kind == crypto::Checksum::kNone ? "" : "+" + to_hex(part.checksum.value));
}

namespace {

// A part as it was uploaded.
struct Uploaded {
  std::uint64_t size_bytes = 0;
  std::uint8_t content = 0;  // stands for its digests
};
using Upload = std::map<std::uint32_t, Uploaded>;

crypto::Md5Digest md5_of(std::uint8_t content) {
  crypto::Md5Digest md5{};
  md5.fill(content);
  return md5;
}
StoredChecksum checksum_of(crypto::Checksum kind, std::uint8_t content) {
  const std::size_t bytes = crypto::make_hasher(kind)->finish().size();
  return {kind, ChecksumType::kFullObject, Bytes(bytes, content), 0};
}

std::error_code model(crypto::Checksum algorithm, const Upload& uploaded, const std::vector<CompletedPart>& list) {
  if (list.empty()) return ObjectErrc::kInvalidRequest;
  std::uint32_t previous = 0;  // the wire lets no number below 1 in
  for (const CompletedPart& part : list) {
    if (part.number <= previous) return ObjectErrc::kInvalidPartOrder;
    previous = part.number;
  }
  if (algorithm != crypto::Checksum::kNone && algorithm != crypto::Checksum::kCrc64Nvme) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i].number != i + 1) return ObjectErrc::kInvalidPartOrder;
    }
  }
  for (const CompletedPart& part : list) {
    const auto found = uploaded.find(part.number);
    if (found == uploaded.end()) return ObjectErrc::kInvalidPart;
    if (part.etag != etag_text(md5_of(found->second.content), 0)) return ObjectErrc::kInvalidPart;
    if (part.checksum.kind == crypto::Checksum::kNone) continue;
    const crypto::Checksum kind = algorithm == crypto::Checksum::kNone ? crypto::Checksum::kCrc64Nvme : algorithm;
    if (!(part.checksum == checksum_of(kind, found->second.content))) return ObjectErrc::kInvalidPart;
  }
  for (std::size_t i = 0; i + 1 < list.size(); ++i) {
    if (uploaded.at(list[i].number).size_bytes < kMinPartBytes) return ObjectErrc::kEntityTooSmall;
  }
  return {};
}

class PartListsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cloud_ = std::make_unique<TestCloud>();
    cloud_->take_ten_thousand_parts();
    TestCloud::must(sync_wait(cloud_->service().create_bucket(cloud_->context(), "bucket")));
  }
  static void TearDownTestSuite() { cloud_.reset(); }

  // Parts as uploads leave them; their bytes, which no completion looks at, were never written.
  static UploadId make(crypto::Checksum algorithm, const Upload& uploaded) {
    CreateUploadRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.checksum = algorithm;
    request.checksum_type = algorithm == crypto::Checksum::kSha256 || algorithm == crypto::Checksum::kCrc32
                                ? ChecksumType::kComposite
                                : ChecksumType::kFullObject;
    const UploadId id = TestCloud::must(sync_wait(cloud_->service().create_upload(cloud_->context(), request))).id;
    meta::Commit change;
    const BucketId bucket =
        TestCloud::must(sync_wait(cloud_->service().head_bucket(cloud_->context(), "bucket"))).info.id;
    change.partition = layout::partition(bucket, "key");
    change.unwitnessed = "a test";
    for (const auto& [number, part] : uploaded) {
      PartRecord record;
      record.number = number;
      record.size_bytes = part.size_bytes;
      record.md5 = md5_of(part.content);
      record.checksum =
          checksum_of(algorithm == crypto::Checksum::kNone ? crypto::Checksum::kCrc64Nvme : algorithm, part.content);
      record.pieces = {{BlobId::random(cloud_->random()), part.size_bytes, false, KeyId{}, Bytes(40, 1)}};
      change.put.push_back({{meta::Space::kRecords, layout::part(id, number)}, encode(record)});
    }
    if (!change.put.empty()) {
      TestCloud::must(sync_wait(cloud_->meta().commit(std::move(change), Deadline::never())));
    }
    return id;
  }
  static Result<PutAnswer> complete(UploadId id, std::vector<CompletedPart> list) {
    CompleteRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.upload = id;
    request.parts = std::move(list);
    return sync_wait(cloud_->service().complete_upload(cloud_->context(), request));
  }
  static std::vector<PartInfo> object_parts() {
    GetRequest request;
    request.bucket = "bucket";
    request.key = "key";
    request.parts = {0, kMaxParts};
    request.head_only = true;
    return TestCloud::must(sync_wait(cloud_->service().get(cloud_->context(), request)))->parts();
  }

  inline static std::unique_ptr<TestCloud> cloud_;
};

// How a client may spoil a list, or leave it as it should be.
void spoil(std::vector<CompletedPart>& list) {
  if (list.empty()) return;
  const auto at = *rc::gen::inRange<std::size_t>(0, list.size());
  switch (*rc::gen::inRange(0, 9)) {
    case 0:
      list.insert(list.begin() + static_cast<std::ptrdiff_t>(at), list[at]);
      break;
    case 1:
      std::swap(list[at], list[list.size() - 1]);
      break;
    case 2:
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 3:
      list[at].etag = etag_text(md5_of(9), 0);
      break;
    case 4:
      list[at].number = *rc::gen::element(0U, 1U, 2U, 3U, 9'999U, kMaxParts, kMaxParts + 1);
      break;
    case 5:
      list[at].checksum = checksum_of(
          *rc::gen::element(crypto::Checksum::kCrc64Nvme, crypto::Checksum::kCrc32, crypto::Checksum::kSha256),
          *rc::gen::element<std::uint8_t>(1, 2, 9));
      break;
    default:
      break;
  }
}

TEST_F(PartListsTest, AreTakenAndRefusedAsTheModelSays) {
  std::map<std::error_code, int> outcomes;
  EXPECT_TRUE(rc::check("completion equals the model", [&] {
    const auto algorithm =
        *rc::gen::element(crypto::Checksum::kNone, crypto::Checksum::kCrc64Nvme, crypto::Checksum::kCrc32,
                          crypto::Checksum::kCrc32c, crypto::Checksum::kSha256);
    const bool run = *rc::gen::arbitrary<bool>();
    Upload uploaded;
    std::vector<CompletedPart> list;
    const auto numbers =
        run ? std::set<std::uint32_t>{1, 2, 3}
            : *rc::gen::container<std::set<std::uint32_t>>(rc::gen::element(1U, 2U, 3U, 4U, 500U, 9'999U, kMaxParts));
    for (const std::uint32_t number : numbers) {
      const Uploaded part{*rc::gen::weightedElement<std::uint64_t>(
                              {{8, kMinPartBytes}, {1, kMinPartBytes - 1}, {1, 5'000'000'000}, {1, 1}}),
                          *rc::gen::element<std::uint8_t>(1, 2)};
      uploaded.emplace(number, part);
      if (!run && *rc::gen::inRange(0, 4) == 0) continue;  // left out, which is the client's right
      list.push_back({number, etag_text(md5_of(part.content), 0), {}});
    }
    for (int times = *rc::gen::inRange(0, 3); times > 0; --times) spoil(list);

    const UploadId id = make(algorithm, uploaded);
    const auto answer = complete(id, list);
    const std::error_code code = answer ? std::error_code{} : answer.error().code();
    ++outcomes[code];
    RC_ASSERT(code == model(algorithm, uploaded, list));
    if (answer) {
      std::uint64_t size_bytes = 0;
      std::vector<std::uint32_t> listed;
      for (const CompletedPart& part : list) {
        size_bytes += uploaded.at(part.number).size_bytes;
        listed.push_back(part.number);
      }
      RC_ASSERT(answer->size_bytes == size_bytes);
      std::vector<std::uint32_t> stored;
      for (const PartInfo& part : object_parts()) stored.push_back(part.number);
      RC_ASSERT(stored == listed);
      // Asked again, as after a lost answer, with the same or with another list: it is done.
      RC_ASSERT(complete(id, list)->etag == answer->etag);
    } else {
      // Nothing happened: the right list still completes it, or the upload is given up.
      RC_ASSERT(sync_wait(cloud_->service().abort_upload(cloud_->context(), "bucket", "key", id)).has_value());
    }
  }));
  // Each of the model's answers was drawn.
  for (const ObjectErrc code : {ObjectErrc::kInvalidPartOrder, ObjectErrc::kInvalidPart, ObjectErrc::kEntityTooSmall}) {
    EXPECT_GT(outcomes[make_error_code(code)], 0) << make_error_code(code).message();
  }
  EXPECT_GT(outcomes[std::error_code{}], 10);
}

TEST_F(PartListsTest, HoldTenThousandPartsAndNotOneMore) {
  Upload uploaded;
  std::vector<CompletedPart> list;
  for (std::uint32_t number = 1; number <= kMaxParts; ++number) {
    uploaded.emplace(number, Uploaded{kMinPartBytes, 1});
    list.push_back({number, etag_text(md5_of(1), 0), {}});
  }
  const UploadId id = make(crypto::Checksum::kCrc32, uploaded);
  std::vector<CompletedPart> more = list;
  more.push_back({kMaxParts + 1, list.back().etag, {}});
  EXPECT_EQ(complete(id, more).error().code(), ObjectErrc::kInvalidPart);
  std::vector<CompletedPart> twice = list;
  twice[5'000].number = twice[4'999].number;
  EXPECT_EQ(complete(id, twice).error().code(), ObjectErrc::kInvalidPartOrder);
  const auto answer = complete(id, list);
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_EQ(answer->size_bytes, kMaxParts * kMinPartBytes);
  EXPECT_EQ(object_parts().size(), kMaxParts);
}

// Where each try reads long lists anew there are few of them.
TEST_F(PartListsTest, AreNotReadOverAndOverWhereTheyKeepChanging) {
  for (const std::uint32_t count : {1U, kMaxParts}) {
    Upload uploaded;
    std::vector<CompletedPart> list;
    for (std::uint32_t number = 1; number <= count; ++number) {
      uploaded.emplace(number, Uploaded{kMinPartBytes, 1});
      list.push_back({number, etag_text(md5_of(1), 0), {}});
    }
    const UploadId id = make(crypto::Checksum::kNone, uploaded);
    const std::size_t expected = std::min<std::size_t>(kMaxCommitTries, kMaxPartsOverTries / count);
    std::size_t tries = 0;
    cloud_->watch.before_commit = [&](const meta::Commit& change) -> std::optional<Error> {
      if (!change.event) return {};
      ++tries;
      return Error(make_error_code(Errc::kConflict), "a test");
    };
    EXPECT_EQ(complete(id, list).error().code(), ObjectErrc::kConditionalRequestConflict);
    EXPECT_EQ(std::exchange(tries, 0), expected);
    EXPECT_EQ(sync_wait(cloud_->service().abort_upload(cloud_->context(), "bucket", "key", id)).error().code(),
              ObjectErrc::kConditionalRequestConflict);
    EXPECT_EQ(tries, expected);
    cloud_->watch.before_commit = {};
    EXPECT_TRUE(complete(id, list));
  }
}

// Runs what is posted to it, and knows how much of the processor the longest turn took, and all.
class MeasuringLoop final : public Scheduler {
 public:
  void post(std::coroutine_handle<> coroutine) override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(coroutine);
    ready_.notify_one();
  }
  template <typename T>
  T run(Task<T> task) {
    const Scope scope(this);
    bool done = false;
    std::optional<T> out;
    std::exception_ptr exception;
    measure([&] { task_detail::run_into(std::move(task), out, exception, done); });
    while (!done) {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return !queue_.empty(); });
      const auto coroutine = queue_.front();
      queue_.pop_front();
      lock.unlock();
      measure([&] { coroutine.resume(); });
    }
    return std::move(*out);
  }
  [[nodiscard]] std::chrono::nanoseconds longest() const { return longest_; }
  [[nodiscard]] std::chrono::nanoseconds all() const { return all_; }

 private:
  static std::chrono::nanoseconds processor_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }
  template <typename Turn>
  void measure(Turn turn) {
    const auto began = processor_time();
    turn();
    const auto took = processor_time() - began;
    longest_ = std::max(longest_, took);
    all_ += took;
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::coroutine_handle<>> queue_;
  std::chrono::nanoseconds longest_{0};
  std::chrono::nanoseconds all_{0};
};

// Whatever the machine. The longest turn is the last one, where the lists are freed.
TEST_F(PartListsTest, AreWorkedOnInShortTurnsOfTheLoop) {
  Upload uploaded;
  CompleteRequest request;
  for (std::uint32_t number = 1; number <= kMaxParts; ++number) {
    uploaded.emplace(number, Uploaded{kMinPartBytes, 1});
    request.parts.push_back({number, etag_text(md5_of(1), 0), {}});
  }
  request.bucket = "bucket";
  request.key = "key";
  request.parts.back().etag = etag_text(md5_of(2), 0);
  request.upload = make(crypto::Checksum::kNone, uploaded);
  MeasuringLoop refused;
  EXPECT_EQ(refused.run(cloud_->service().complete_upload(cloud_->context(), request)).error().code(),
            ObjectErrc::kInvalidPart);
  EXPECT_LT(refused.longest(), refused.all() / 2);
  MeasuringLoop completed;
  request.parts.back().etag = request.parts.front().etag;
  EXPECT_TRUE(completed.run(cloud_->service().complete_upload(cloud_->context(), request)));
  EXPECT_LT(completed.longest(), completed.all() / 2);
  MeasuringLoop aborted;
  const UploadId other = make(crypto::Checksum::kNone, uploaded);
  EXPECT_TRUE(aborted.run(cloud_->service().abort_upload(cloud_->context(), "bucket", "key", other)));
  EXPECT_LT(aborted.longest(), aborted.all() / 2);
}

}  // namespace
}  // namespace andromede::objects
