#include <gtest/gtest.h>

#include <string>

#include "meta/rocksdb/test_cloud.h"

namespace andromede::meta {
namespace {

constexpr int kKeys = 3000;

std::string name(int i) {
  std::string digits = std::to_string(i);
  return "o/" + std::string(6 - digits.size(), '0') + digits;
}

class RocksCursorTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(cloud_.open());
    Commit change;
    for (int i = 0; i < kKeys; ++i) {
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
    auto cursor = cloud_.store().cursor("", "o/", "o0");
    EXPECT_EQ(walk(*cursor, "", 0), kKeys);  // below the range: starts at its beginning
    EXPECT_EQ(walk(*cursor, name(2900), 2900), 100);
    EXPECT_EQ(walk(*cursor, name(10) + "x", 11), kKeys - 11);
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
  const auto cursor = cloud_.store().cursor("", "o/", "o0");
  for (int i = 0; i < kKeys; i += 100) {
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
  const auto cursor = cloud_.store().cursor("", "o/", "");
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
  EXPECT_EQ(seen, kKeys + 1);  // and "p/above": the range has no end
  EXPECT_TRUE(had_to_wait);
}

TEST_F(RocksCursorTest, SeesOneStateWhileCommitsGoOn) {
  for (const bool cold : {false, true}) {
    if (cold) {
      cloud_.close();
      ASSERT_TRUE(cloud_.open());
    }
    const auto cursor = cloud_.store().cursor("", "o/", "o0");
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
    EXPECT_EQ(seen, cold ? kKeys - 1 : kKeys);
  }
  EXPECT_EQ(cloud_.read(name(700)), "changed");
}

TEST_F(RocksCursorTest, MovingPastTheEndStaysThere) {
  const auto cursor = cloud_.store().cursor("", "p/", "p0");
  ASSERT_TRUE(*sync_wait(cursor->seek("")));
  EXPECT_FALSE(*sync_wait(cursor->next()));
  EXPECT_FALSE(*sync_wait(cursor->next()));
  EXPECT_FALSE(**cursor->try_next());
  ASSERT_TRUE(*sync_wait(cursor->seek("p/above")));
}

}  // namespace
}  // namespace andromede::meta
