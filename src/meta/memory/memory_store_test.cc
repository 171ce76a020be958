#include "meta/memory/memory_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "meta/test_conformance.h"

namespace andromede::meta {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PlainSealer final : public LogSealer {
 public:
  Status restore(std::uint64_t, ByteView) override { return {}; }
  std::string seal(std::uint64_t sequence, std::string_view event) override {
    return std::to_string(sequence) + " " + std::string(event);
  }
};

class MemoryEngine final : public EngineUnderTest {
 public:
  explicit MemoryEngine(MemoryStore::Options options) : store_(sealer_, clock_, options) {}
  Store& store() override { return store_; }
  const Clock& clock() override { return clock_; }
  void shake(RootId root) override { store_.shake(root); }
  int sequences() override { return 10'000; }

 private:
  PlainSealer sealer_;
  ManualClock clock_{Timestamp{}};
  MemoryStore store_;
};

std::unique_ptr<EngineUnderTest> splitting() {
  const std::uint64_t seed = std::random_device{}();
  testing::Test::RecordProperty("seed", std::to_string(seed));
  return std::make_unique<MemoryEngine>(MemoryStore::Options{.seed = seed});
}

INSTANTIATE_TEST_SUITE_P(AnEngine, Conformance, testing::Values(Engine{"memory", splitting}),
                         [](const auto& one) { return std::string(one.param.name); });

class MemoryStoreTest : public testing::Test {
 protected:
  Commit put(const std::string& route, const std::string& key) {
    Commit change;
    change.partition = {root_, route};
    change.unwitnessed = "a test";
    change.put.push_back({{Space::kRecords, key}, "value"});
    return change;
  }
  Result<CommitInfo> commit(Commit change) { return sync_wait(store_.commit(std::move(change), Deadline::never())); }

  PlainSealer sealer_;
  ManualClock clock_{Timestamp{}};
  MemoryStore store_{sealer_, clock_, {.seed = 7, .limits = kLeastLimits, .calls_per_change = 0}};
  const RootId root_ = RootId::from_bytes(Bytes(RootId::kSize, 1));
};

// Whatever the borders are just now: it must not depend on luck that a wrong route is found out.
TEST_F(MemoryStoreTest, WhatIsOfTwoPartitionsIsRefusedWithBothNamed) {
  ASSERT_TRUE(sync_wait(store_.create_root(root_, Deadline::never())));
  ASSERT_TRUE(commit(put("left", "l")));
  ASSERT_TRUE(commit(put("right", "r")));
  ASSERT_EQ(store_.partitions(root_), 1U);
  const auto both = AllOf(HasSubstr("\"left\""), HasSubstr("\"right\""), HasSubstr(root_.to_string()));
  const auto expect_refused = [&](const auto& answer) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error(), Errc::kInvalidArgument);
    EXPECT_THAT(answer.error().message(), both);
  };
  Commit change = put("left", "l");
  change.expect.push_back({"r", std::nullopt});
  expect_refused(commit(change));
  change = put("left", "l");
  change.put.push_back({{Space::kRecords, "r"}, "value"});
  expect_refused(commit(change));
  change = put("left", "l");
  change.erase.push_back({Space::kRecords, "r"});
  expect_refused(commit(change));
  expect_refused(sync_wait(store_.get({root_, "left"}, {Space::kRecords, "r"}, Deadline::never())));
  expect_refused(sync_wait(store_.get_many({root_, "left"}, {"l", "r"}, Deadline::never())));
  // Another root is another partition.
  const auto answer = sync_wait(store_.get(kCloudPartition, {Space::kRecords, "l"}, Deadline::never()));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message(), AllOf(HasSubstr("\"left\""), HasSubstr("{cloud, ")));
}

TEST_F(MemoryStoreTest, RangesAreSplitAndMergedAndNoRecordIsLost) {
  ASSERT_TRUE(sync_wait(store_.create_root(root_, Deadline::never())));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(commit(put(std::to_string(i), "o" + std::to_string(i))));
  std::size_t most = 0;
  for (int i = 0; i < 500; ++i) {
    store_.shake(root_);
    most = std::max(most, store_.partitions(root_));
    const int at = i % 50;
    const auto value = sync_wait(
        store_.get({root_, std::to_string(at)}, {Space::kRecords, "o" + std::to_string(at)}, Deadline::never()));
    ASSERT_TRUE(value && *value);
  }
  EXPECT_GT(most, 5U);
  EXPECT_GT(store_.splits(), 20U);
  EXPECT_GT(store_.merges(), 20U);
  EXPECT_EQ(store_.splits() - store_.merges() + 1, store_.partitions(root_));
}

// Records of one route, or of routes that differ behind a zero byte only, are never torn apart.
TEST_F(MemoryStoreTest, ABorderHoldsNoZeroByte) {
  ASSERT_TRUE(sync_wait(store_.create_root(root_, Deadline::never())));
  for (int i = 0; i < 20; ++i) {
    const std::string route = std::string("a\0", 2) + std::to_string(i);
    ASSERT_TRUE(commit(put(route, "o" + route)));
  }
  for (int i = 0; i < 200; ++i) store_.shake(root_);
  EXPECT_LE(store_.partitions(root_), 2U);  // before "a", and from it on
}

TEST_F(MemoryStoreTest, ARootIsForgottenOnlyOnceItIsEmpty) {
  ASSERT_TRUE(sync_wait(store_.create_root(root_, Deadline::never())));
  ASSERT_TRUE(commit(put("a", "a")));
  EXPECT_FALSE(sync_wait(store_.forget_root(root_, Deadline::never())));
  Commit change = put("a", "a");
  change.erase.push_back({Space::kRecords, "a"});
  ASSERT_TRUE(commit(std::move(change)));
  EXPECT_TRUE(sync_wait(store_.forget_root(root_, Deadline::never())));
  EXPECT_EQ(commit(put("a", "a")).error(), Errc::kConflict);
}

}  // namespace
}  // namespace andromede::meta
