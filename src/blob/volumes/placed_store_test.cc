#include "blob/volumes/placed_store.h"

#include "blob/test_store_conformance.h"
#include "blob/volumes/test_cloud.h"

namespace andromede::blob {
namespace {

// The first drives, by a code for each placement class.
class CodePlacer final : public Placer {
 public:
  explicit CodePlacer(const TestCloud& cloud) : cloud_(cloud) {}
  Result<Target> place(const PolicyId& policy, std::uint64_t) override {
    if (policy == PolicyId("nowhere")) return fail(Errc::kUnavailable, "no drive may hold it");
    Target target = cloud_.target(policy == PolicyId("whole") ? Code{1, 0} : Code{2, 2});
    target.policy = policy;
    return target;
  }
  Result<std::vector<DriveId>> replace(const PolicyId&, const std::vector<std::optional<DriveId>>&,
                                       const std::vector<DriveId>&, std::uint64_t) override {
    return fail(Errc::kUnavailable, "no other drive");
  }

 private:
  const TestCloud& cloud_;
};

class VolumesUnderTest final : public StoreUnderTest {
 public:
  Store& store() override { return *store_; }
  bool is_empty() override { return cloud_.all_shards() == 0; }

 private:
  TestCloud cloud_{4};
  CodePlacer placer_{cloud_};
  const std::unique_ptr<Store> store_ = make_placed_store(cloud_.store(), placer_);
};

std::unique_ptr<StoreUnderTest> volumes_under_test() { return std::make_unique<VolumesUnderTest>(); }

INSTANTIATE_TEST_SUITE_P(Volumes, StoreConformance,
                         testing::Values(EngineUnderTest{volumes_under_test, PolicyId("whole")},
                                         EngineUnderTest{volumes_under_test, PolicyId("coded")}));

class PlacedStoreTest : public testing::Test {
 protected:
  Result<BlobRef> put(const PolicyId& policy, ByteView data) { return sync_wait(put_task(policy, data)); }
  Result<Bytes> get(const BlobRef& ref, Suspects without = {}) { return sync_wait(get_task(ref, without)); }

  Task<Result<BlobRef>> put_task(PolicyId policy, ByteView data) {
    CO_TRY(auto writer,
           co_await store_->open_writer(BlobId::random(cloud_.random), policy, data.size(), Deadline::never()));
    CO_CHECK_OK(co_await writer->write(data));
    co_return co_await writer->finish();
  }
  Task<Result<Bytes>> get_task(BlobRef ref, Suspects without) {
    CO_TRY(auto reader, co_await store_->open_reader(ref, 0, ref.size_bytes, Deadline::never(), without));
    Bytes out;
    for (;;) {
      CO_TRY(const ByteView part, co_await reader->read());
      if (part.empty()) co_return out;
      out.insert(out.end(), part.begin(), part.end());
    }
  }

  TestCloud cloud_{4};
  CodePlacer placer_{cloud_};
  const std::unique_ptr<Store> store_ = make_placed_store(cloud_.store(), placer_);
  const Bytes data_ = random_bytes(cloud_.random, 300'000);
};

TEST_F(PlacedStoreTest, AClassDecidesWhereABlobLiesAndTheRefFindsIt) {
  for (const char* const policy : {"whole", "coded"}) {
    const auto ref = put(PolicyId(policy), data_);
    ASSERT_TRUE(ref) << ref.error().describe();
    EXPECT_EQ(ref->policy, PolicyId(policy));
    EXPECT_EQ(ref->size_bytes, data_.size());
    const auto blob = sharded(*ref);
    ASSERT_TRUE(blob);
    EXPECT_EQ(blob->code, policy == std::string("whole") ? (Code{1, 0}) : (Code{2, 2}));
    const auto again = decode_blob_ref(as_bytes(encode(*ref)));
    EXPECT_EQ(*get(*again), data_);
    store_->remove(*ref);
    EXPECT_TRUE(eventually([&] { return cloud_.all_shards() == 0; }));
  }
}

TEST_F(PlacedStoreTest, WhatHasNoPlaceIsRefusedAsThePlacerSays) {
  EXPECT_EQ(put(PolicyId("nowhere"), data_).error(), Errc::kUnavailable);
}

TEST_F(PlacedStoreTest, AnotherEnginesLocatorIsRefusedAndNothingIsErased) {
  auto ref = *put(PolicyId("coded"), data_);
  const BlobRef right = ref;
  ref.locator[0] = 'R';
  EXPECT_EQ(get(ref).error(), Errc::kUnsupported);
  store_->remove(ref);
  store_->distrust(ref, {1});
  EXPECT_EQ(store_->suspects(ref, {}, 100), std::vector<Suspects>{{}});
  EXPECT_TRUE(cloud_.store().take_damaged().empty());
  EXPECT_EQ(*get(right), data_);
  EXPECT_EQ(cloud_.all_shards(), 4U);
}

// Of four shards two are enough: one and two can be left out, each set once, small ones first.
TEST_F(PlacedStoreTest, SuspectsAreAllThatAReadCanDoWithoutFewestFirst) {
  const auto parts = [&](const BlobRef& ref, Suspects known, std::size_t most) {
    std::vector<std::uint64_t> sets;
    for (const Suspects set : store_->suspects(ref, known, most)) sets.push_back(set.parts);
    return sets;
  };
  const auto ref = *put(PolicyId("coded"), data_);
  EXPECT_EQ(parts(ref, {}, 100), (std::vector<std::uint64_t>{0, 1, 2, 4, 8, 3, 5, 9, 6, 10, 12}));
  EXPECT_EQ(parts(ref, {}, 6), (std::vector<std::uint64_t>{0, 1, 2, 4, 8, 3}));
  EXPECT_EQ(parts(ref, {2}, 100), (std::vector<std::uint64_t>{2, 3, 6, 10}));
  EXPECT_EQ(parts(ref, {6}, 100), std::vector<std::uint64_t>{6});
  ShardedBlob lost = *sharded(ref);
  lost.shards[1] = {};
  EXPECT_EQ(parts(ref_of(lost), {}, 100), (std::vector<std::uint64_t>{0, 1, 4, 8, 5, 9, 12}));
  EXPECT_EQ(parts(*put(PolicyId("whole"), data_), {}, 100), std::vector<std::uint64_t>{0});
  for (const std::uint64_t set : parts(ref, {}, 100)) EXPECT_EQ(*get(ref, {set}), data_) << set;
}

TEST_F(PlacedStoreTest, WhatLiedIsLeftOutByLaterReads) {
  const auto ref = *put(PolicyId("coded"), data_);
  cloud_.forge(*sharded(ref), 0);
  EXPECT_NE(*get(ref), data_);
  EXPECT_EQ(*get(ref, {1}), data_);
  store_->distrust(ref, {1});
  EXPECT_EQ(*get(ref), data_);
  EXPECT_EQ(cloud_.usage(0)->lies, 1U);
  EXPECT_EQ(cloud_.store().take_damaged(), std::vector<BlobId>{ref.id});
}

}  // namespace
}  // namespace andromede::blob
