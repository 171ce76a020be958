#include "meta/rocksdb/rocks_cursor.h"

#include <gtest/gtest.h>
#include <rocksdb/cache.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <string>

#include "meta/rocksdb/log_record.h"
#include "meta/rocksdb/test_cloud.h"
#include "meta/rocksdb/test_reads.h"
#include "meta/rocksdb/walk.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

constexpr int kWalkedKeys = 3000;

std::string name(int i) {
  std::string digits = std::to_string(i);
  return "o/" + std::string(6 - digits.size(), '0') + digits;
}

class RocksCursorTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(cloud_.open());
    Commit change;
    for (int i = 0; i < kWalkedKeys; ++i) {
      change.put.push_back({{Space::kRecords, name(i)}, "value " + std::to_string(i)});
      if (i % 500 != 499) continue;
      change.unwitnessed = "a test";
      ASSERT_TRUE(cloud_.commit(std::move(change)));
      change = {};
    }
    ASSERT_TRUE(cloud_.put("n/below", "1"));
    ASSERT_TRUE(cloud_.put("p/above", "1"));
  }
  // Walks from the cursor's first key >= `from`, with try_next where it answers.
  static int walk(Cursor& cursor, const std::string& from, int first) {
    auto there = sync_wait(cursor.seek(from));
    int seen = 0;
    while (there && *there) {
      EXPECT_EQ(cursor.key(), name(first + seen));
      EXPECT_EQ(cursor.value(), "value " + std::to_string(first + seen));
      ++seen;
      const auto quick = cursor.try_next();
      there = quick ? *quick : sync_wait(cursor.next());
    }
    EXPECT_TRUE(there) << (there ? "" : there.error().describe());
    return seen;
  }
  TestCloud cloud_;
};

TEST_F(RocksCursorTest, WalksItsRangeFromMemoryAndFromTheDrive) {
  for (int round = 0; round < 2; ++round) {
    auto cursor = cloud_.store().cursor({{}, "", "o/", "o0", {}});
    EXPECT_EQ(walk(*cursor, "", 0), kWalkedKeys);  // below the range: starts at its beginning
    EXPECT_EQ(walk(*cursor, name(2900), 2900), 100);
    EXPECT_EQ(walk(*cursor, name(10) + "x", 11), kWalkedKeys - 11);
    EXPECT_EQ(walk(*cursor, "o/z", 0), 0);
    EXPECT_EQ(walk(*cursor, "p/", 0), 0);
    cursor.reset();  // it keeps its mirror open
    cloud_.close();
    ASSERT_TRUE(cloud_.open());
  }
}

TEST_F(RocksCursorTest, JumpsOverPrefixesWhenTheCacheIsCold) {
  cloud_.close();
  ASSERT_TRUE(cloud_.open());
  const auto cursor = cloud_.store().cursor({{}, "", "o/", "o0", {}});
  for (int i = 0; i < kWalkedKeys; i += 100) {
    const auto there = sync_wait(cursor->seek(name(i)));
    ASSERT_TRUE(there && *there);
    EXPECT_EQ(cursor->key(), name(i));
    ASSERT_TRUE(*sync_wait(cursor->next()));
    EXPECT_EQ(cursor->key(), name(i + 1));
  }
}

TEST_F(RocksCursorTest, TryNextDoesNotTouchTheDrive) {
  cloud_.close();
  ASSERT_TRUE(cloud_.open());
  const auto cursor = cloud_.store().cursor({{}, "", "o/", "", {}});
  ASSERT_TRUE(*sync_wait(cursor->seek("o/")));
  bool had_to_wait = false;
  int seen = 1;
  for (;;) {
    auto there = cursor->try_next();
    if (!there) {
      had_to_wait = true;
      there = sync_wait(cursor->next());
    }
    ASSERT_TRUE(*there);
    if (!**there) break;
    ++seen;
  }
  EXPECT_EQ(seen, kWalkedKeys + 1);  // and "p/above": the range has no end
  EXPECT_TRUE(had_to_wait);
}

TEST_F(RocksCursorTest, SeesOneStateWhileCommitsGoOn) {
  for (const bool cold : {false, true}) {
    if (cold) {
      cloud_.close();
      ASSERT_TRUE(cloud_.open());
    }
    const auto cursor = cloud_.store().cursor({{}, "", "o/", "o0", {}});
    ASSERT_TRUE(*sync_wait(cursor->seek("o/")));
    ASSERT_TRUE(cloud_.put(name(700), "changed"));
    Commit change;
    change.unwitnessed = "a test";
    change.erase.push_back({Space::kRecords, name(800)});
    ASSERT_TRUE(cloud_.commit(std::move(change)));
    int seen = 1;
    for (auto there = sync_wait(cursor->next()); there && *there; there = sync_wait(cursor->next())) {
      if (!cold) EXPECT_EQ(cursor->value(), "value " + std::to_string(seen));
      ++seen;
    }
    EXPECT_EQ(seen, cold ? kWalkedKeys - 1 : kWalkedKeys);
  }
  EXPECT_EQ(cloud_.read(name(700)), "changed");
}

TEST_F(RocksCursorTest, MovingPastTheEndStaysThere) {
  const auto cursor = cloud_.store().cursor({{}, "", "p/", "p0", {}});
  ASSERT_TRUE(*sync_wait(cursor->seek("")));
  EXPECT_FALSE(*sync_wait(cursor->next()));
  EXPECT_FALSE(*sync_wait(cursor->next()));
  EXPECT_FALSE(**cursor->try_next());
  ASSERT_TRUE(*sync_wait(cursor->seek("p/above")));
}

// Walks over what was deleted: none works longer at a time than its share.
class DeletedKeysTest : public testing::Test {
 protected:
  static constexpr int kDeleted = 30'000;

  void SetUp() override {
    cloud_.options.memtable_bytes = 16 << 20;  // all of it stays in memory until something flushes it
    cloud_.options.reader_threads = 1;
    ASSERT_TRUE(cloud_.open());
    ASSERT_TRUE(cloud_.put("o/0", "before"));
    change(kDeleted, true);
    change(kDeleted, false);
    ASSERT_TRUE(cloud_.put("o/z", "behind"));
  }
  void change(int count, bool there) {
    Commit commit;
    for (int i = 0; i < count; ++i) {
      if (there) {
        commit.put.push_back({{Space::kRecords, name(i)}, "value"});
      } else {
        commit.erase.push_back({Space::kRecords, name(i)});
      }
      if (i % 1000 != 999) continue;
      commit.unwitnessed = "a test";
      ASSERT_TRUE(cloud_.commit(std::move(commit)));
      commit = {};
    }
  }
  // How often walks gave up their turn, since the start.
  std::uint64_t turns() {
    const std::string text = cloud_.metrics().render();
    const std::string metric = "\nandromede_meta_walk_turns_total ";
    return std::stoull(text.substr(text.find(metric) + metric.size()));
  }
  std::vector<std::string> scan(const std::string& begin, const std::string& end, std::size_t limit = 1000) {
    Scan scan;
    scan.begin = begin;
    scan.end = end;
    scan.limit = limit;
    const auto items = sync_wait(cloud_.store().scan(std::move(scan)));
    EXPECT_TRUE(items) << (items ? "" : items.error().describe());
    std::vector<std::string> keys;
    for (const Item& item : *items) keys.push_back(item.key);
    return keys;
  }

  TestCloud cloud_;
};

// Each on a cloud of its own: what one walk met is gone for the next.
TEST_F(DeletedKeysTest, AWalkOverThemTakesAsManyTurnsAsTheyAreWorth) {
  EXPECT_EQ(scan("o/", "o0"), (std::vector<std::string>{"o/0", "o/z"}));
  EXPECT_GE(turns(), kDeleted / kMaxSkippedKeys - 1);
  EXPECT_LE(turns(), 2 * kDeleted / kMaxSkippedKeys + 2);  // a key and its deletion may count as two
}

TEST_F(DeletedKeysTest, SoDoesOneThatFindsNothing) {
  EXPECT_EQ(scan(name(0), name(kDeleted)), std::vector<std::string>());
  EXPECT_GE(turns(), kDeleted / kMaxSkippedKeys - 1);
}

TEST_F(DeletedKeysTest, SoDoesACursor) {
  const auto cursor = cloud_.store().cursor({{}, "", "o/", "o0", {}});
  ASSERT_TRUE(*sync_wait(cursor->seek("")));
  EXPECT_EQ(cursor->key(), "o/0");
  EXPECT_FALSE(cursor->try_next());  // it gave up its turn, and shows what it had
  EXPECT_EQ(turns(), 0U);
  ASSERT_TRUE(*sync_wait(cursor->next()));
  EXPECT_GE(turns(), kDeleted / kMaxSkippedKeys - 2);
  EXPECT_EQ(cursor->key(), "o/z");
  EXPECT_EQ(cursor->value(), "behind");
  EXPECT_FALSE(*sync_wait(cursor->next()));
  ASSERT_TRUE(*sync_wait(cursor->seek(name(7))));
  EXPECT_EQ(cursor->key(), "o/z");
  EXPECT_FALSE(*sync_wait(cloud_.store().cursor({{}, "", name(0), name(kDeleted), {}})->seek("")));
}

TEST_F(DeletedKeysTest, AWalkSeesTheStateThatItBeganWith) {
  const auto cursor = cloud_.store().cursor({{}, "", "o/", "o0", {}});
  ASSERT_TRUE(*sync_wait(cursor->seek("")));
  change(kDeleted, true);  // newer than what it shows: stepped over as well
  ASSERT_TRUE(*sync_wait(cursor->next()));
  EXPECT_EQ(cursor->key(), "o/z");
}

// One in a hundred is there: no step is long, and a page of them is.
class SomeDeletedKeysTest : public DeletedKeysTest {
 protected:
  void SetUp() override {
    DeletedKeysTest::SetUp();
    Commit commit;
    left_.emplace_back("o/0");
    for (int i = 0; i < kDeleted; i += 100) {
      commit.put.push_back({{Space::kRecords, name(i)}, "there"});
      left_.push_back(name(i));
    }
    left_.emplace_back("o/z");
    commit.unwitnessed = "a test";
    ASSERT_TRUE(cloud_.commit(std::move(commit)));
  }
  std::vector<std::string> left_;
};

TEST_F(SomeDeletedKeysTest, CountForAScan) {
  EXPECT_EQ(scan("o/", "o0"), left_);
  EXPECT_GE(turns(), kDeleted / kMaxSkippedKeys - 1);
}

// It shows what it has when it gives up its turn: so it comes back more often, with less, and each time among all reads
// only where its last turn was not spent.
TEST_F(SomeDeletedKeysTest, CountForACursor) {
  const auto cursor = cloud_.store().cursor({{}, "", "o/", "o0", {}});
  std::vector<std::string> walked;
  int waited = 0;
  for (auto there = sync_wait(cursor->seek("")); there && *there;) {
    walked.emplace_back(cursor->key());
    if (const auto quick = cursor->try_next()) {
      there = *quick;
    } else {
      ++waited;
      there = sync_wait(cursor->next());
    }
  }
  EXPECT_EQ(walked, left_);
  EXPECT_GE(waited, kDeleted / static_cast<int>(kMaxSkippedKeys) - 1);
}

// The same on a mirror that belongs to nobody else.
class OneMirrorTest : public testing::Test {
 protected:
  static constexpr int kWalkedKeys = 30'000;
  static constexpr int kEach = 100;  // of so many one is there

  void SetUp() override {
    Mirror::Options options;
    options.seal = test_record_seal();
    options.cache = rocksdb::NewLRUCache(8 << 20);
    auto made = Mirror::create(cloud_.id(0), cloud_.drives().disk(cloud_.id(0)), options);
    ASSERT_TRUE(made) << made.error().describe();
    mirror_ = *std::move(made);
    for (std::uint64_t index = 1; index <= 2; ++index) {
      RecordBuilder builder(test_record_seal());
      for (int i = 0; i < kWalkedKeys; ++i) {
        if (index == 1 || i % kEach == 0) {
          builder.put(Space::kRecords, name(i), "there");
        } else {
          builder.erase(Space::kRecords, name(i));
        }
      }
      builder.finish(1, index, 1);
      ASSERT_TRUE(mirror_->apply(builder.payload(), index));
    }
  }
  // Entries that nothing flushed yet.
  std::uint64_t in_memory() {
    std::uint64_t entries = 0;
    const State& state = mirror_->state();
    EXPECT_TRUE(
        state.db().GetIntProperty(state.family(Space::kRecords), "rocksdb.num-entries-active-mem-table", &entries));
    return entries;
  }

  TestCloud cloud_;
  std::shared_ptr<Mirror> mirror_;
};

TEST_F(OneMirrorTest, DeletedKeysAreClearedAwayOnlyWhereAWalkMetManyOfThem) {
  Walk walk(mirror_, Space::kRecords, "o/", "o0");
  const auto move = [&](bool begin) {
    const Walk::Turn turn(walk);
    const auto at = begin ? walk.start() : walk.next();
    return at && *at == Walk::At::kKey;
  };
  ASSERT_TRUE(move(true));
  // A key and its deletion may count as two.
  constexpr int kTooFew = kSkippedToClear / (2 * kEach);
  constexpr int kEnough = kSkippedToClear / (kEach - 1) + 1;
  for (int moves = 0; moves < kEnough; ++moves) {
    if (moves <= kTooFew) EXPECT_EQ(in_memory(), 2 * kWalkedKeys) << moves;
    ASSERT_TRUE(move(false));
  }
  EXPECT_EQ(in_memory(), 0U);
}

// What a cursor goes on with is a turn among long walks: here the one thread for reads is never free.
TEST_F(OneMirrorTest, ACursorThatGaveUpItsTurnIsInNobodysWay) {
  MirrorSet mirrors(cloud_.drives(), {}, {});
  mirrors.join(mirror_);
  Metrics metrics;
  SystemClock clock;
  MirrorPools pools(metrics, clock, 1, std::chrono::milliseconds(100),
                    [](const void*, std::chrono::nanoseconds) { return false; });
  RocksCursor cursor(mirrors, pools, "o/", "o0", {});
  ASSERT_TRUE(*sync_wait(cursor.seek("")));
  int seen = 1;
  for (; seen < 64; ++seen) ASSERT_TRUE(*sync_wait(cursor.next()));
  while (const auto quick = cursor.try_next()) {
    ASSERT_TRUE(*quick && **quick);
    ++seen;
  }
  std::promise<void> may_end;
  std::promise<void> began;
  std::thread read([&] {
    EXPECT_TRUE(sync_wait(read_on(pools.of(mirror_), [&](Reading&) -> Result<int> {
      began.set_value();
      may_end.get_future().wait();
      return 1;
    })));
  });
  began.get_future().wait();
  auto next = std::async(std::launch::async, [&] { return sync_wait(cursor.next()); });
  EXPECT_EQ(next.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  may_end.set_value();
  read.join();
  EXPECT_TRUE(*next.get());
  EXPECT_EQ(cursor.key(), name(kEach * seen));
}

// The one thread for reads never answers.
TEST_F(OneMirrorTest, ACursorWhoseMirrorIsGivenUpGoesOnOnceOneAnswers) {
  MirrorSet mirrors(cloud_.drives(), {}, {});
  mirrors.join(mirror_);
  Metrics metrics;
  SystemClock clock;
  std::atomic<bool> hopeless{false};
  MirrorPools pools(metrics, clock, 1, std::chrono::milliseconds(100),
                    [&](const void*, std::chrono::nanoseconds) { return hopeless.load(); });
  RocksCursor cursor(mirrors, pools, "o/", "o0", {});
  RocksCursor fresh(mirrors, pools, "o/", "o0", {});
  ASSERT_TRUE(*sync_wait(cursor.seek("")));
  std::promise<void> may_end;
  std::promise<void> began;
  std::thread read([&] {
    (void)sync_wait(read_on(pools.of(mirror_), [&](Reading&) -> Result<int> {
      began.set_value();
      may_end.get_future().wait();
      return 1;
    }));
  });
  began.get_future().wait();
  auto jump = std::async(std::launch::async, [&] { return sync_wait(cursor.seek("o/zzz")); });
  auto first = std::async(std::launch::async, [&] { return sync_wait(fresh.seek("")); });
  while (pools.of(mirror_).queued() < 2) std::this_thread::yield();
  hopeless = true;
  EXPECT_EQ(jump.get().error(), Errc::kUnavailable);
  EXPECT_EQ(first.get().error(), Errc::kUnavailable) << "there is no other mirror";
  read.join();
  hopeless = false;
  may_end.set_value();
  for (RocksCursor* const each : {&cursor, &fresh}) {
    const auto there = sync_wait(each->seek(""));
    EXPECT_TRUE(there && *there);
  }
}

// What is there is no reason to give way, however much of it there is, and not to clear anything away either.
TEST_F(DeletedKeysTest, KeysThatAreThereDoNotCount) {
  constexpr int kThere = 2 * kMaxSkippedKeys;
  Commit commit;
  for (int i = 0; i < kThere; ++i) {
    commit.put.push_back({{Space::kRecords, "q/" + name(i)}, "value"});
    if (i % 1000 != 999) continue;
    commit.unwitnessed = "a test";
    ASSERT_TRUE(cloud_.commit(std::move(commit)));
    commit = {};
  }
  EXPECT_EQ(scan("q/", "q0", kThere).size(), static_cast<std::size_t>(kThere));
  EXPECT_EQ(turns(), 0U);
  const auto cursor = cloud_.store().cursor({{}, "", "q/", "q0", {}});
  int walked = 0;
  for (auto there = sync_wait(cursor->seek("")); there && *there; there = sync_wait(cursor->next())) ++walked;
  EXPECT_EQ(walked, kThere);
  EXPECT_EQ(turns(), 0U);
}

TEST_F(DeletedKeysTest, AreClearedAwayOnceTheyWereMet) {
  // The deletions lie in memory, which only the walk's finding them has flushed; the table is then compacted.
  scan("o/", "o0");
  EXPECT_TRUE(eventually([&] {
    const std::uint64_t before = turns();
    scan("o/", "o0");
    return turns() == before;
  }));
}

}  // namespace
}  // namespace andromede::meta
