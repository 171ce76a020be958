// Reads of a mirror whose drive hangs: they go on with the next mirror, and keep nobody.
#include <gtest/gtest.h>

#include <future>

#include "base/left_behind.h"
#include "meta/rocksdb/test_cloud.h"
#include "meta/rocksdb/test_hanging_tables.h"

namespace andromede::meta {
namespace {

constexpr int kKeys = 3;  // each in a table of its own: too few of them to be compacted

std::string key_of(int i) { return "k" + std::to_string(i); }

class HangingReads : public testing::Test {
 protected:
  void open(std::size_t mirrors, std::chrono::milliseconds patience) {
    cloud_ = std::make_unique<TestCloud>(mirrors, mirrors);
    cloud_->options.mirror_patience = patience;
    cloud_->options.max_open_files = 20;  // few enough that a start does not open every table
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_TRUE(cloud_->open());
      ASSERT_TRUE(cloud_->put(key_of(i), "value " + std::to_string(i)));
      cloud_->close();
    }
    ASSERT_TRUE(cloud_->open());
    const DriveId first = cloud_->store().mirrors().front().drive;
    while (cloud_->id(hangs_) != first) ++hangs_;
    tables_ = std::make_unique<HangingTables>(cloud_->root(hangs_) + "/meta/state");
  }
  // Ends what hangs, again and again: who was behind it opens the next table.
  void TearDown() override {
    if (!tables_) return;
    tables_->let_go();
    cloud_->close();
    EXPECT_TRUE(eventually([&] {
      tables_->let_go();
      return left_behind() == 0;
    }));
  }
  // A read on a thread of its own. Whoever waits for it when a test has failed is let go by TearDown().
  template <typename Read>
  auto begin(Read read) {
    return std::async(std::launch::async, std::move(read));
  }
  template <typename T>
  bool soon(std::future<T>& read) {
    const bool ended = read.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
    if (!ended) tables_->let_go();
    return ended;
  }
  std::future<std::string> get(int i) {
    return begin([this, i] { return cloud_->read(key_of(i)); });
  }
  std::future<std::string> get_many() {
    return begin([this] {
      std::vector<std::string> keys;
      for (int i = 0; i < kKeys; ++i) keys.push_back(key_of(i));
      const auto values = sync_wait(cloud_->store().get_many({}, std::move(keys), Deadline::never()));
      return values && values->back() ? *values->back() : "none";
    });
  }
  std::future<std::string> get_following() {
    return begin([this]() -> std::string {
      std::string seen;
      const NamedKey named = [&seen](std::string_view value) -> std::optional<Key> {
        seen = value;
        return Key{Space::kRecords, key_of(1)};
      };
      const auto found =
          sync_wait(cloud_->store().get_following({}, {Space::kRecords, key_of(0)}, named, Deadline::never()));
      return found && found->named ? seen + ", " + *found->named : "none";
    });
  }
  std::future<std::string> scan(Patience patience = {}) {
    return begin([this, patience] {
      Scan scan;
      scan.begin = "k";
      scan.patience = patience;
      const auto items = sync_wait(cloud_->store().scan(std::move(scan)));
      return items ? std::to_string(items->size()) + " items" : items.error().describe();
    });
  }
  std::future<std::string> list(Patience patience = {}) {
    return begin([this, patience]() -> std::string {
      const auto cursor = cloud_->store().cursor({{}, "", "k", "l", patience});
      int seen = 0;
      auto there = sync_wait(cursor->seek("k"));
      for (; there && *there; there = sync_wait(cursor->next())) ++seen;
      return there ? std::to_string(seen) + " keys" : there.error().describe();
    });
  }
  void expect_all_answered() {
    auto many = get_many();
    auto following = get_following();
    auto scanned = scan();
    auto listed = list();
    std::vector<std::future<std::string>> gets;
    for (int i = 0; i < kKeys; ++i) gets.push_back(get(i));
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_TRUE(soon(gets[static_cast<std::size_t>(i)])) << i;
      EXPECT_EQ(gets[static_cast<std::size_t>(i)].get(), "value " + std::to_string(i));
    }
    ASSERT_TRUE(soon(many) && soon(following) && soon(scanned) && soon(listed));
    EXPECT_EQ(many.get(), "value " + std::to_string(kKeys - 1));
    EXPECT_EQ(following.get(), "value 0, value 1");
    EXPECT_EQ(scanned.get(), std::to_string(kKeys) + " items");
    EXPECT_EQ(listed.get(), std::to_string(kKeys) + " keys");
  }

  std::unique_ptr<TestCloud> cloud_;
  std::size_t hangs_ = 0;
  std::unique_ptr<HangingTables> tables_;
};

// Its probes answer, and nothing is committed.
TEST_F(HangingReads, GoToTheNextMirrorAndTheFirstOneHasFailed) {
  open(3, kPatience);
  expect_all_answered();
  EXPECT_TRUE(eventually([&] { return !cloud_->current(hangs_); }));
  EXPECT_FALSE(cloud_->drives().online(cloud_->id(hangs_)));
  EXPECT_EQ(cloud_->store().mirrors().size(), 2U);
  EXPECT_TRUE(cloud_->put("after", "1"));
  EXPECT_TRUE(tables_->let_go()) << "a read hung";
}

// Those that a thread is at, and those behind them.
TEST_F(HangingReads, GoToTheNextMirrorWhenTheDriveGoesOffline) {
  open(3, std::chrono::hours(1));
  std::vector<std::future<std::string>> reads;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kKeys; ++i) reads.push_back(get(i));
  }
  auto listed = list();
  auto scanned = scan();
  EXPECT_EQ(reads.back().wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  cloud_->disk(hangs_).set_offline(true);
  cloud_->drives().probe_all();
  for (std::size_t i = 0; i < reads.size(); ++i) {
    ASSERT_TRUE(soon(reads[i])) << i;
    EXPECT_EQ(reads[i].get(), "value " + std::to_string(i % kKeys));
  }
  ASSERT_TRUE(soon(listed) && soon(scanned));
  EXPECT_EQ(listed.get(), std::to_string(kKeys) + " keys");
  EXPECT_EQ(scanned.get(), std::to_string(kKeys) + " items");
  EXPECT_TRUE(tables_->let_go()) << "a read hung";
}

TEST_F(HangingReads, OfAllMirrorsAreRefusedAndTheMirrorHasFailed) {
  open(3, kPatience);
  auto read = begin(
      [this] { return sync_wait(cloud_->store().get_everywhere({Space::kRecords, key_of(0)}, Deadline::never())); });
  ASSERT_TRUE(soon(read));
  EXPECT_EQ(read.get().error(), Errc::kUnavailable);
  EXPECT_TRUE(eventually([&] { return !cloud_->current(hangs_); }));
  const auto answers = sync_wait(cloud_->store().get_everywhere({Space::kRecords, key_of(0)}, Deadline::never()));
  ASSERT_TRUE(answers);
  EXPECT_EQ(answers->size(), 2U);
}

TEST_F(HangingReads, ScansOfAllMirrorsAreRefusedAndTheMirrorHasFailed) {
  open(3, kPatience);
  Scan wanted;
  wanted.begin = "k";
  auto read = begin([this, wanted] { return sync_wait(cloud_->store().scan_everywhere(wanted)); });
  ASSERT_TRUE(soon(read));
  EXPECT_EQ(read.get().error(), Errc::kUnavailable);
  EXPECT_TRUE(eventually([&] { return !cloud_->current(hangs_); }));
  const auto items = sync_wait(cloud_->store().scan_everywhere(wanted));
  ASSERT_TRUE(items);
  EXPECT_EQ(items->size(), static_cast<std::size_t>(kKeys));
}

// Of the last one nothing else can be had; but whoever has patience for so long only waits no longer.
TEST_F(HangingReads, OfTheLastMirrorAreWaitedForUntilItsDriveIsOffline) {
  open(1, std::chrono::milliseconds(50));
  const SystemClock clock;
  auto value = get(0);
  std::stop_source gone;
  auto cut = list({.deadline = Deadline::never(), .stop = gone.get_token()});
  auto late = scan({.deadline = Deadline::after(clock, std::chrono::milliseconds(300)), .stop = {}});
  auto late_list = list({.deadline = Deadline::after(clock, std::chrono::milliseconds(300)), .stop = {}});
  ASSERT_TRUE(soon(late) && soon(late_list));
  EXPECT_NE(late.get().find("took too long"), std::string::npos);
  EXPECT_NE(late_list.get().find("took too long"), std::string::npos);
  EXPECT_EQ(cut.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
  gone.request_stop();
  ASSERT_TRUE(soon(cut));
  EXPECT_NE(cut.get().find("nobody waits"), std::string::npos);
  EXPECT_EQ(value.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  EXPECT_EQ(cloud_->store().mirrors().size(), 1U);
  cloud_->disk(hangs_).set_offline(true);
  cloud_->drives().probe_all();
  ASSERT_TRUE(soon(value));
  EXPECT_NE(value.get().find("no metadata mirror"), std::string::npos);
  EXPECT_TRUE(tables_->let_go()) << "a read hung";
}

// Nor by a stop that can wait no longer.
TEST_F(HangingReads, OfTheLastMirrorEndOnceNobodyIsToWait) {
  open(1, std::chrono::hours(1));
  auto value = get(0);
  auto listed = list();
  EXPECT_EQ(value.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  cloud_->store().end_waits();
  ASSERT_TRUE(soon(value) && soon(listed));
  EXPECT_NE(value.get().find("no metadata mirror answers"), std::string::npos);
  EXPECT_NE(listed.get().find("no metadata mirror answers"), std::string::npos);
  auto late = get(1);
  ASSERT_TRUE(soon(late));
  EXPECT_TRUE(tables_->let_go()) << "a read hung";
}

TEST_F(HangingReads, KeepNoStoreFromItsEnd) {
  open(3, kPatience);
  auto value = get(0);
  ASSERT_TRUE(soon(value));
  ASSERT_TRUE(eventually([&] { return !cloud_->drives().online(cloud_->id(hangs_)); }));
  auto closed = begin([this] {
    cloud_->close();
    return true;
  });
  ASSERT_TRUE(soon(closed));
  EXPECT_GT(cloud_->disk(hangs_).handles(), 0U) << "of the mirror that the read has";
  EXPECT_TRUE(tables_->let_go()) << "a read hung";
  EXPECT_TRUE(eventually([&] { return cloud_->disk(hangs_).handles() == 0; }));
}

}  // namespace
}  // namespace andromede::meta
