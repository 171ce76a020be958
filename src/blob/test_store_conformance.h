// What every engine behind blob::Store keeps to: the tests of one are the tests of all. An engine's test file says how
// it is made (INSTANTIATE_TEST_SUITE_P(NAME, StoreConformance, …)). For tests only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "base/random.h"
#include "base/test_bytes.h"
#include "base/test_eventually.h"
#include "blob/store.h"

namespace andromede::blob {

class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Store& store() = 0;
  // Whether nothing of any blob is kept, once what is under way has ended.
  virtual bool is_empty() = 0;
};

struct EngineUnderTest {
  std::function<std::unique_ptr<StoreUnderTest>()> make;
  PolicyId policy;  // a placement class that it knows
};

class StoreConformance : public testing::TestWithParam<EngineUnderTest> {
 protected:
  static constexpr std::uint64_t kSizes[] = {0, 1, 65'535, 65'536, 300'000, 3'000'000};

  Store& store() { return engine_->store(); }
  bool is_empty() {
    return eventually([&] { return engine_->is_empty(); });
  }
  Result<std::unique_ptr<Writer>> open_writer(std::uint64_t announced) {
    return sync_wait(store().open_writer(BlobId::random(random_), GetParam().policy, announced, Deadline::never()));
  }
  Result<BlobRef> put(ByteView data) {
    TRY(const auto writer, open_writer(data.size()));
    while (!data.empty()) {
      const ByteView piece = data.first(std::min<std::size_t>(data.size(), 100'000));
      CHECK_OK(sync_wait(writer->write(piece)));
      data = data.subspan(piece.size());
    }
    return sync_wait(writer->finish());
  }
  Result<std::unique_ptr<Reader>> open_reader(const BlobRef& ref, std::uint64_t offset, std::uint64_t length,
                                              Suspects without = {}) {
    return sync_wait(store().open_reader(ref, offset, length, Deadline::never(), without));
  }
  static Result<Bytes> rest_of(Reader& reader) {
    Bytes out;
    for (;;) {
      TRY(const ByteView part, sync_wait(reader.read()));
      if (part.empty()) return out;
      out.insert(out.end(), part.begin(), part.end());
    }
  }
  Result<Bytes> get(const BlobRef& ref, std::uint64_t offset, std::uint64_t length, Suspects without = {}) {
    TRY(const auto reader, open_reader(ref, offset, length, without));
    return rest_of(*reader);
  }
  Result<Bytes> get(const BlobRef& ref) { return get(ref, 0, ref.size_bytes); }
  static Bytes part(const Bytes& data, std::uint64_t offset, std::uint64_t length) {
    const auto begin = data.begin() + static_cast<std::ptrdiff_t>(offset);
    return {begin, begin + static_cast<std::ptrdiff_t>(length)};
  }
  // From 0 to `most`.
  std::uint64_t any(std::uint64_t most) {
    Bytes bytes(8);
    random_.fill(bytes);
    return read_be64(bytes) % (most + 1);
  }

  SeededRandom random_{7};
  const std::unique_ptr<StoreUnderTest> engine_ = GetParam().make();
};

TEST_P(StoreConformance, ABlobIsFoundByItsRefAloneInAnyRange) {
  for (const std::uint64_t size : kSizes) {
    SCOPED_TRACE(size);
    const Bytes data = random_bytes(random_, size);
    const auto written = put(data);
    ASSERT_TRUE(written) << written.error().describe();
    EXPECT_EQ(written->size_bytes, size);
    EXPECT_EQ(written->policy, GetParam().policy);
    EXPECT_LE(written->locator.size(), kMaxLocatorBytes);
    const auto ref = decode_blob_ref(as_bytes(encode(*written)));
    ASSERT_TRUE(ref) << ref.error().describe();
    EXPECT_EQ(*ref, *written);
    EXPECT_EQ(*get(*ref), data);
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t offset = any(size);
      const std::uint64_t length = any(size - offset);
      ASSERT_EQ(*get(*ref, offset, length), part(data, offset, length)) << offset << " + " << length;
    }
    EXPECT_EQ(open_reader(*ref, size, 1).error(), Errc::kInvalidArgument);
    EXPECT_EQ(open_reader(*ref, 1, UINT64_MAX).error(), Errc::kInvalidArgument);
  }
}

TEST_P(StoreConformance, FewerBytesThanAnnouncedAreABlobAndMoreAreRefused) {
  const Bytes data = random_bytes(random_, 200'000);
  const auto writer = open_writer(data.size() + 100'000);
  ASSERT_TRUE(writer) << writer.error().describe();
  ASSERT_TRUE(sync_wait((*writer)->write(data)));
  const auto ref = sync_wait((*writer)->finish());
  ASSERT_TRUE(ref) << ref.error().describe();
  EXPECT_EQ(*get(*ref), data);

  const auto beyond = open_writer(data.size() - 1);
  ASSERT_TRUE(beyond);
  EXPECT_EQ(sync_wait((*beyond)->write(data)).error(), Errc::kInvalidArgument);
}

TEST_P(StoreConformance, WhatIsNotFinishedLeavesNothing) {
  const Bytes data = random_bytes(random_, 1'500'000);
  for (const std::size_t written : {std::size_t{0}, std::size_t{70'000}, data.size()}) {
    auto writer = open_writer(data.size());
    ASSERT_TRUE(writer) << writer.error().describe();
    ASSERT_TRUE(sync_wait((*writer)->write(ByteView(data).first(written))));
    writer->reset();
    EXPECT_TRUE(is_empty()) << written << " bytes were written";
  }
}

TEST_P(StoreConformance, WhatIsRemovedIsReadToItsEndByWhoHasBegunAndFoundByNobodyAfterwards) {
  const Bytes data = random_bytes(random_, 3'000'000);
  const auto ref = put(data);
  ASSERT_TRUE(ref) << ref.error().describe();
  {
    const auto reader = open_reader(*ref, 0, data.size());
    ASSERT_TRUE(reader) << reader.error().describe();
    const auto begun = sync_wait((*reader)->read());
    ASSERT_TRUE(begun);
    Bytes all = to_bytes(*begun);
    store().remove(*ref);
    const auto rest = rest_of(**reader);
    ASSERT_TRUE(rest) << rest.error().describe();
    all.insert(all.end(), rest->begin(), rest->end());
    EXPECT_EQ(all, data);
  }
  EXPECT_TRUE(is_empty());
  EXPECT_EQ(get(*ref).error(), Errc::kNotFound);
  store().remove(*ref);
}

TEST_P(StoreConformance, AReaderThatRestedGoesOnWhereItWasTold) {
  const Bytes data = random_bytes(random_, 3'000'000);
  const auto ref = put(data);
  ASSERT_TRUE(ref) << ref.error().describe();
  const auto reader = open_reader(*ref, 1000, data.size() - 2000);
  ASSERT_TRUE(reader);
  std::uint64_t at = 1000;
  for (const std::uint64_t most : {1'000'000U, 65'536U, 1U, 200'000U}) {
    (*reader)->read_at_most(most);
    const auto view = sync_wait((*reader)->read());
    ASSERT_TRUE(view);
    ASSERT_FALSE(view->empty());
    ASSERT_EQ(to_bytes(*view), part(data, at, view->size()));
    at += view->size() / 2;
    (*reader)->rest_at(at);
  }
  EXPECT_EQ(*rest_of(**reader), part(data, at, data.size() - 1000 - at));
}

TEST_P(StoreConformance, SuspectsBeginWithWhatIsKnownAndAreReadWithout) {
  const Bytes data = random_bytes(random_, 300'000);
  const auto ref = put(data);
  ASSERT_TRUE(ref) << ref.error().describe();
  const auto all = store().suspects(*ref, {}, 1000);
  ASSERT_FALSE(all.empty());
  EXPECT_TRUE(all.front().none());
  for (const Suspects set : all) {
    EXPECT_EQ(std::count(all.begin(), all.end(), set), 1);
    EXPECT_EQ(*get(*ref, 0, data.size(), set), data) << set.parts;
    EXPECT_EQ(store().suspects(*ref, set, 1000).front(), set);
  }
  EXPECT_EQ(store().suspects(*ref, {}, 1).size(), 1U);
}

}  // namespace andromede::blob
