// The conformance suite of meta::Store: what every engine does alike. An engine's test includes this once and
// instantiates Conformance with itself. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "meta/store.h"

namespace andromede::meta {

class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;
  virtual Store& store() = 0;
  virtual const Clock& clock() = 0;
  // Splits or merges ranges of the root, where the engine has any.
  virtual void shake(RootId /*root*/) {}
  // How many random sequences are worth their time.
  virtual int sequences() = 0;
};

struct Engine {
  const char* name;
  std::function<std::unique_ptr<EngineUnderTest>()> make;
};

class Conformance : public testing::TestWithParam<Engine> {
 protected:
  inline static const Deadline kNever = Deadline::never();

  template <typename T>
  static T must(Result<T> result) {
    EXPECT_TRUE(result) << (result ? "" : result.error().describe());
    return result ? std::move(*result) : T{};
  }
  static void must(const Status& done) { EXPECT_TRUE(done) << (done ? "" : done.error().describe()); }

  Store& store() { return engine_->store(); }
  RootId make_root() {
    Bytes id(RootId::kSize, 7);
    id[0] = static_cast<std::uint8_t>(++roots_ >> 8);
    id[1] = static_cast<std::uint8_t>(roots_);
    const RootId root = RootId::from_bytes(id);
    must(sync_wait(store().create_root(root, kNever)));
    return root;
  }
  // Keys as those of a bucket are.
  static std::string base_of(std::string_view kind, RootId root) {
    return std::string(kind) + std::string(as_text(root.bytes()));
  }
  std::string key(const std::string& route, RootId root) { return base_of("o/", root) + route; }
  static Commit change_of(RootId root, std::string route) {
    Commit change;
    change.partition = {root, std::move(route)};
    change.unwitnessed = "a test";
    return change;
  }
  Result<CommitInfo> commit(Commit change) { return sync_wait(store().commit(std::move(change), kNever)); }
  Result<CommitInfo> put(RootId root, const std::string& route, const std::string& value) {
    Commit change = change_of(root, route);
    change.put.push_back({{Space::kRecords, key(route, root)}, value});
    return commit(std::move(change));
  }
  std::string read(const Partition& partition, const Key& what) {
    const auto value = sync_wait(store().get(partition, what, kNever));
    if (!value) return value.error().describe();
    return value->value_or("absent");
  }
  std::string read(RootId root, const std::string& route) {
    return read({root, route}, {Space::kRecords, key(route, root)});
  }
  static CursorRange all_of(RootId root, const std::string& base) { return {root, base, base, past_prefix(base), {}}; }
  // From `seek` on, by the cursor's own pace, with `between` called after each key.
  std::vector<Item> walk(CursorRange range, const std::string& seek, const std::function<void()>& between = {}) {
    std::vector<Item> items;
    const auto cursor = store().cursor(std::move(range));
    for (bool there = must(sync_wait(cursor->seek(seek))); there; there = must(sync_wait(cursor->next()))) {
      items.push_back({std::string(cursor->key()), std::string(cursor->value())});
      if (between) between();
    }
    return items;
  }
  std::uint64_t entries() { return store().last_sequence(); }

  const std::unique_ptr<EngineUnderTest> engine_ = GetParam().make();
  unsigned roots_ = 0;
};

inline Errc code(const auto& result) { return result ? Errc{} : static_cast<Errc>(result.error().code().value()); }

TEST_P(Conformance, ACommitIsWholeOrNotAtAll) {
  const RootId root = make_root();
  Commit change = change_of(root, "a");
  change.expect.push_back({key("a", root), std::nullopt});
  change.put.push_back({{Space::kRecords, key("a", root)}, "record"});
  change.put.push_back({{Space::kInline, key("a", root)}, "payload"});
  ASSERT_TRUE(commit(change));
  EXPECT_EQ(read(root, "a"), "record");
  EXPECT_EQ(read({root, "a"}, {Space::kInline, key("a", root)}), "payload");
  EXPECT_EQ(code(commit(change)), Errc::kConflict) << "it is there by now";

  Commit other = change_of(root, "a");
  other.expect.push_back({key("a", root), "record"});
  other.expect.push_back({key("a", root) + '\0' + "beside", "absent"});
  other.put.push_back({{Space::kRecords, key("a", root)}, "another"});
  other.erase.push_back({Space::kInline, key("a", root)});
  other.usage = {1, 1};
  other.event = "an event";
  const std::uint64_t before = entries();
  EXPECT_EQ(code(commit(other)), Errc::kConflict);
  EXPECT_EQ(read(root, "a"), "record");
  EXPECT_EQ(read({root, "a"}, {Space::kInline, key("a", root)}), "payload");
  EXPECT_EQ(entries(), before);
  EXPECT_EQ(must(sync_wait(store().usage(root, kNever))), Usage{});
  other.expect.pop_back();
  ASSERT_TRUE(commit(other));
  EXPECT_EQ(read(root, "a"), "another");
  EXPECT_EQ(read({root, "a"}, {Space::kInline, key("a", root)}), "absent");
  EXPECT_EQ(must(sync_wait(store().usage(root, kNever))), (Usage{1, 1}));
}

TEST_P(Conformance, APutBeforeAnEraseOfItsKeyIsErased) {
  const RootId root = make_root();
  Commit change = change_of(root, "a");
  change.put.push_back({{Space::kRecords, key("a", root)}, "1"});
  change.put.push_back({{Space::kRecords, key("a", root)}, "2"});
  ASSERT_TRUE(commit(change));
  EXPECT_EQ(read(root, "a"), "2");
  change.erase.push_back({Space::kRecords, key("a", root)});
  ASSERT_TRUE(commit(change));
  EXPECT_EQ(read(root, "a"), "absent");
}

TEST_P(Conformance, EveryWitnessedCommitHasOneEntryAndOthersHaveNone) {
  const RootId root = make_root();
  const std::uint64_t before = entries();
  Commit change = change_of(root, "a");
  change.put.push_back({{Space::kRecords, key("a", root)}, "1"});
  EXPECT_EQ(must(commit(change)).sequence, 0U);
  EXPECT_EQ(entries(), before);
  change.unwitnessed = nullptr;
  EXPECT_EQ(code(commit(change)), Errc::kInvalidArgument) << "neither an event nor why there is none";
  for (int i = 1; i <= 3; ++i) {
    change.event = "event " + std::to_string(i);
    EXPECT_EQ(must(commit(change)).sequence, before + static_cast<std::uint64_t>(i));
  }
  Scan scan;
  scan.space = Space::kJournal;
  Bytes first;
  append_be64(first, before + 1);
  scan.begin = std::string(as_text(first));
  const auto items = must(sync_wait(store().scan(scan)));
  ASSERT_EQ(items.size(), 3U);
  for (int i = 1; i <= 3; ++i) {
    const Item& item = items[static_cast<std::size_t>(i - 1)];
    EXPECT_EQ(read_be64(as_bytes(item.key)), before + static_cast<std::uint64_t>(i));
    EXPECT_TRUE(item.value.ends_with("event " + std::to_string(i)));
  }
}

TEST_P(Conformance, WhatIsOverALimitIsNotBegun) {
  const RootId root = make_root();
  const Limits limits = store().limits();
  const auto refused = [&](const std::function<void(Commit&)>& spoil) {
    Commit change = change_of(root, "a");
    change.put.push_back({{Space::kRecords, key("a", root)}, "1"});
    spoil(change);
    EXPECT_EQ(code(commit(std::move(change))), Errc::kInvalidArgument);
    EXPECT_EQ(read(root, "a"), "absent");
  };
  const std::string long_key(limits.key_bytes + 1, 'k');
  refused([&](Commit& change) { change.put.push_back({{Space::kRecords, long_key}, "1"}); });
  refused([&](Commit& change) { change.erase.push_back({Space::kRecords, long_key}); });
  refused([&](Commit& change) { change.expect.push_back({long_key, std::nullopt}); });
  refused([&](Commit& change) { change.put[0].value = ""; });
  refused([&](Commit& change) { change.expect.push_back({key("a", root), ""}); });
  refused([&](Commit& change) { change.put[0].value = std::string(limits.value_bytes + 1, 'v'); });
  refused([&](Commit& change) { change.put.push_back({{Space::kJournal, "12345678"}, "forged"}); });
  refused([&](Commit& change) { change.erase.push_back({Space::kJournal, "12345678"}); });
  refused([&](Commit& change) {
    for (std::size_t i = 0; i <= limits.expectations; ++i) change.expect.push_back({key("a", root), std::nullopt});
  });
  refused([&](Commit& change) {
    const std::size_t each = std::min(limits.value_bytes, limits.commit_bytes);
    for (std::size_t bytes = 0; bytes <= limits.commit_bytes; bytes += each) {
      change.put.push_back({{Space::kInline, std::to_string(bytes)}, std::string(each, 'v')});
    }
  });
  // What is at the limit goes.
  Commit change = change_of(root, "a");
  change.put.push_back({{Space::kRecords, std::string(kLeastLimits.key_bytes, 'k')}, "1"});
  change.put.push_back({{Space::kRecords, key("a", root)}, std::string(kLeastLimits.value_bytes, 'v')});
  for (std::size_t i = 0; i < kLeastLimits.expectations; ++i) {
    change.expect.push_back({key("a", root) + '\0' + std::to_string(i), std::nullopt});
  }
  must(commit(std::move(change)));

  const Partition partition{root, "a"};
  EXPECT_EQ(code(sync_wait(store().get(partition, {Space::kRecords, long_key}, kNever))), Errc::kInvalidArgument);
  EXPECT_EQ(code(sync_wait(store().get_many(partition, {long_key}, kNever))), Errc::kInvalidArgument);
  std::vector<std::string> keys(limits.scan_items, key("a", root));
  EXPECT_EQ(must(sync_wait(store().get_many(partition, keys, kNever))).size(), keys.size());
  keys.push_back("one more");
  EXPECT_EQ(code(sync_wait(store().get_many(partition, keys, kNever))), Errc::kInvalidArgument);
  Scan scan;
  scan.partition = partition;
  scan.limit = limits.scan_items;
  EXPECT_TRUE(sync_wait(store().scan(scan)));
  ++scan.limit;
  EXPECT_EQ(code(sync_wait(store().scan(scan))), Errc::kInvalidArgument);
}

TEST_P(Conformance, AScanKeepsToItsBorders) {
  const RootId root = make_root();
  const std::string base = key("a", root) + '\0';
  Commit change = change_of(root, "a");
  for (int i = 0; i < 10; ++i) change.put.push_back({{Space::kRecords, base + std::to_string(i)}, std::to_string(i)});
  must(commit(std::move(change)));
  Scan scan;
  scan.partition = {root, "a"};
  const auto seen = [&](const std::string& begin, const std::string& end, std::size_t limit = 100) {
    scan.begin = base + begin;
    scan.end = end.empty() ? past_prefix(base) : base + end;
    scan.limit = limit;
    std::string all;
    for (const Item& item : must(sync_wait(store().scan(scan)))) {
      EXPECT_EQ(item.value, scan.keys_only ? "" : item.key.substr(base.size()));
      all += item.key.substr(base.size());
    }
    return all;
  };
  EXPECT_EQ(seen("", ""), "0123456789");
  EXPECT_EQ(seen("3", "6"), "345");
  EXPECT_EQ(seen("3a", "6a"), "456");
  EXPECT_EQ(seen("3", "3"), "");
  EXPECT_EQ(seen("6", "3"), "");
  EXPECT_EQ(seen("", "", 4), "0123");
  EXPECT_EQ(seen("", "", 0), "");
  scan.keys_only = true;
  EXPECT_EQ(seen("8", ""), "89");
}

TEST_P(Conformance, GetManyAnswersInTheOrderOfItsKeys) {
  const RootId root = make_root();
  const std::string a = key("a", root);
  Commit change = change_of(root, "a");
  for (const char* each : {"1", "2"}) change.put.push_back({{Space::kRecords, a + '\0' + each}, each});
  must(commit(std::move(change)));
  const auto values = must(sync_wait(
      store().get_many({root, "a"}, {a + '\0' + "2", a + '\0' + "none", a + '\0' + "1", a + '\0' + "2"}, kNever)));
  EXPECT_EQ(values, (std::vector<std::optional<std::string>>{"2", std::nullopt, "1", "2"}));
  EXPECT_TRUE(must(sync_wait(store().get_many({root, "a"}, {}, kNever))).empty());
}

// Each thread raises numbers, one a route, by what it read; others come between, and so do splits.
TEST_P(Conformance, OfChangesThatMeetOneIsMade) {
  constexpr int kThreads = 4;
  constexpr int kEach = 30;
  const RootId root = make_root();
  const std::vector<std::string> routes{"a", "b", "c"};
  for (const std::string& route : routes) must(put(root, route, "0"));
  const std::uint64_t before = entries();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int done = 0; done < kEach * static_cast<int>(routes.size());) {
        const std::string& route = routes[static_cast<std::size_t>(done) % routes.size()];
        const std::string now = read(root, route);
        Commit change = change_of(root, route);
        change.unwitnessed = nullptr;
        change.event = "raised";
        change.expect.push_back({key(route, root), now});
        change.put.push_back({{Space::kRecords, key(route, root)}, std::to_string(std::stoi(now) + 1)});
        change.usage = {1, -1};
        const auto made = commit(std::move(change));
        EXPECT_TRUE(made || made.error() == Errc::kConflict);
        if (made) ++done;
        engine_->shake(root);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& route : routes) EXPECT_EQ(read(root, route), std::to_string(kThreads * kEach));
  const std::int64_t made = kThreads * kEach * static_cast<std::int64_t>(routes.size());
  EXPECT_EQ(must(sync_wait(store().usage(root, kNever))), (Usage{made, -made}));
  EXPECT_EQ(entries(), before + static_cast<std::uint64_t>(made));
}

TEST_P(Conformance, GetManySeesOneState) {
  const RootId root = make_root();
  const std::string first = key("a", root) + '\0' + "1";
  const std::string second = key("a", root) + '\0' + "2";
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      Commit change = change_of(root, "a");
      for (const std::string& each : {first, second}) {
        change.put.push_back({{Space::kRecords, each}, std::to_string(i)});
      }
      EXPECT_TRUE(commit(std::move(change)));
      engine_->shake(root);
    }
    done = true;
  });
  while (!done) {
    const auto values = must(sync_wait(store().get_many({root, "a"}, {first, second}, kNever)));
    EXPECT_EQ(values.at(0), values.at(1));
  }
  writer.join();
}

// The same of an end: nothing is added to a root that has ended, however the two met.
TEST_P(Conformance, AnAdditionAndAnEndNeverBothHappenUnseen) {
  for (int round = 0; round < 20; ++round) {
    const RootId root = make_root();
    Status added = fail(Errc::kInternal, "");
    std::thread adder([&] {
      Commit change = change_of(root, "a");
      change.needs_open_root = true;
      change.put.push_back({{Space::kRecords, key("a", root)}, "1"});
      const auto made = commit(std::move(change));
      if (made) added = {};
    });
    must(sync_wait(store().close_root(root, {1}, kNever)));
    const bool seen = !walk(all_of(root, base_of("o/", root)), "").empty();
    must(sync_wait(store().end_root(root, {{1}, "left", "the end"}, kNever)));
    adder.join();
    EXPECT_EQ(added.has_value(), seen) << "what is done before the closing is seen after it";
    EXPECT_EQ(walk(all_of(root, base_of("o/", root)), "").size(), seen ? 1U : 0U);
  }
}

TEST_P(Conformance, AValueIsReadWithTheOneThatItNames) {
  const RootId root = make_root();
  const std::string a = key("a", root);
  Commit change = change_of(root, "a");
  change.put.push_back({{Space::kRecords, a}, a + "payload"});
  change.put.push_back({{Space::kInline, a + "payload"}, "bytes"});
  must(commit(std::move(change)));
  const NamedKey inlined = [](std::string_view value) { return Key{Space::kInline, std::string(value)}; };
  const NamedKey missing = [](std::string_view) { return Key{Space::kInline, "none"}; };
  const NamedKey nothing = [](std::string_view) { return std::optional<Key>(); };
  const auto follow = [&](const std::string& from, const NamedKey& named) {
    const Followed found = must(sync_wait(store().get_following({root, "a"}, {Space::kRecords, from}, named, kNever)));
    return std::pair(found.value.value_or("absent"), found.named.value_or("absent"));
  };
  EXPECT_EQ(follow(a, inlined), std::pair(a + "payload", std::string("bytes")));
  EXPECT_EQ(follow(a, missing), std::pair(a + "payload", std::string("absent")));
  EXPECT_EQ(follow(a, nothing), std::pair(a + "payload", std::string("absent")));
  EXPECT_EQ(follow(a + '\0', inlined), std::pair(std::string("absent"), std::string("absent")));
}

TEST_P(Conformance, AWalkGoesOverAllRoutesInOrderAndJumps) {
  const RootId root = make_root();
  const RootId beside = make_root();
  const std::vector<std::string> routes{"a",       std::string("a\0b", 3), "a/b", "a/c", "aa", "b", "b\xff", "c/d",
                                        "\xff\xff"};
  for (const std::string& route : routes) {
    must(put(root, route, route));
    must(put(beside, route, "another root's"));
    engine_->shake(root);
  }
  const std::string base = base_of("o/", root);
  const auto seen = [&](const CursorRange& range, const std::string& seek) {
    std::vector<std::string> all;
    for (const Item& item : walk(range, seek, [&] { engine_->shake(root); })) {
      EXPECT_EQ(item.key, base + item.value);
      all.push_back(item.value);
    }
    return all;
  };
  std::vector<std::string> sorted = routes;
  std::ranges::sort(sorted);
  const CursorRange all = all_of(root, base);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(seen(all, base), sorted);
  EXPECT_EQ(seen(all, ""), sorted) << "before its begin";
  EXPECT_EQ(seen(all, base + "c/e"), (std::vector<std::string>{"\xff\xff"}));
  EXPECT_TRUE(seen(all, past_prefix(base)).empty());
  CursorRange some{root, base, base + "a/", past_prefix(base + "a/"), {}};
  EXPECT_EQ(seen(some, base), (std::vector<std::string>{"a/b", "a/c"}));
  some.end.clear();
  EXPECT_EQ(seen(some, base + "c"), (std::vector<std::string>{"c/d", "\xff\xff"})) << "to the end of its base";

  // As a listing with a delimiter does, and backwards.
  const auto cursor = store().cursor(all);
  ASSERT_TRUE(must(sync_wait(cursor->seek(base + "a/"))));
  EXPECT_EQ(cursor->key(), base + "a/b");
  ASSERT_TRUE(must(sync_wait(cursor->seek(past_prefix(base + "a/")))));
  EXPECT_EQ(cursor->key(), base + "aa");
  EXPECT_EQ(cursor->value(), "aa");
  ASSERT_TRUE(must(sync_wait(cursor->seek(base + "a"))));
  EXPECT_EQ(cursor->key(), base + "a");
  auto there = cursor->try_next();
  if (!there) there = sync_wait(cursor->next());
  EXPECT_TRUE(must(std::move(*there)));
  EXPECT_EQ(cursor->key(), base + std::string("a\0b", 3));
  EXPECT_FALSE(must(sync_wait(cursor->seek(past_prefix(base)))));
}

TEST_P(Conformance, AWalkUnderChangesMissesNothingThatWasThereAllTheTime) {
  const RootId root = make_root();
  const std::string base = base_of("o/", root);
  std::set<std::string> always;
  for (int i = 0; i < 60; ++i) {
    const std::string route = std::to_string(100 + i);
    must(put(root, route, "1"));
    if (i % 3 == 0) always.insert(base + route);
    engine_->shake(root);
  }
  std::mt19937 random(1);
  for (int round = 0; round < 5; ++round) {
    const auto items = walk(all_of(root, base), base, [&] {
      const std::string route = std::to_string(100 + random() % 60);
      const bool stays = always.contains(base + route);
      Commit change = change_of(root, route);
      if (!stays && random() % 2 == 0) {
        change.erase.push_back({Space::kRecords, base + route});
      } else {
        change.put.push_back({{Space::kRecords, base + route}, "2"});
      }
      must(commit(std::move(change)));
      engine_->shake(root);
    });
    std::set<std::string> seen;
    for (const Item& item : items) {
      EXPECT_TRUE(seen.empty() || *seen.rbegin() < item.key) << "in order, once";
      seen.insert(item.key);
      EXPECT_TRUE(item.value == "1" || item.value == "2");
    }
    EXPECT_TRUE(std::ranges::includes(seen, always));
  }
}

TEST_P(Conformance, NobodyWaitsBeyondHisDeadlineOrForAnotherToStop) {
  const RootId root = make_root();
  must(put(root, "a", "1"));
  const Deadline past = Deadline::after(engine_->clock(), std::chrono::milliseconds(-1));
  Commit change = change_of(root, "a");
  change.put.push_back({{Space::kRecords, key("a", root)}, "2"});
  EXPECT_EQ(code(sync_wait(store().commit(change, past))), Errc::kNotBegun);
  EXPECT_EQ(read(root, "a"), "1");
  EXPECT_EQ(code(sync_wait(store().close_root(root, {}, past))), Errc::kNotBegun);
  // What is in memory may be answered all the same.
  const auto value = sync_wait(store().get({root, "a"}, {Space::kRecords, key("a", root)}, past));
  EXPECT_TRUE(value ? *value == "1" : value.error() == Errc::kTimeout);
  Scan scan;
  scan.partition = {root, "a"};
  scan.begin = key("a", root);
  scan.end = past_prefix(scan.begin);
  scan.patience.deadline = past;
  EXPECT_EQ(code(sync_wait(store().scan(scan))), Errc::kTimeout);
  std::stop_source gone;
  gone.request_stop();
  scan.patience = {kNever, gone.get_token()};
  EXPECT_EQ(code(sync_wait(store().scan(scan))), Errc::kCancelled);
  CursorRange range = all_of(root, base_of("o/", root));
  range.patience.deadline = past;
  EXPECT_EQ(code(sync_wait(store().cursor(range)->seek(range.base))), Errc::kTimeout);
  range.patience = {kNever, gone.get_token()};
  EXPECT_EQ(code(sync_wait(store().cursor(range)->seek(range.base))), Errc::kCancelled);
}

TEST_P(Conformance, ARootTakesWhatIsAddedOnlyWhileItIsOpen) {
  const RootId root = make_root();
  EXPECT_EQ(code(sync_wait(store().create_root(root, kNever))), Errc::kConflict);
  const auto state = [&] { return must(sync_wait(store().root_state(root, kNever))); };
  const auto add = [&](const std::string& route) {
    Commit change = change_of(root, route);
    change.needs_open_root = true;
    change.usage = {1, 10};
    change.put.push_back({{Space::kRecords, key(route, root)}, "1"});
    return code(commit(std::move(change)));
  };
  EXPECT_EQ(state(), RootState::kOpen);
  EXPECT_EQ(add("a"), Errc{});
  EXPECT_EQ(add("b"), Errc{});
  EXPECT_EQ(must(sync_wait(store().usage(root, kNever))), (Usage{2, 20}));

  const ClosingMark mine{1};
  const ClosingMark others{2};
  must(sync_wait(store().close_root(root, mine, kNever)));
  EXPECT_EQ(state(), RootState::kClosing);
  EXPECT_EQ(add("c"), Errc::kConflict);
  must(sync_wait(store().open_root(root, kNever)));
  must(sync_wait(store().open_root(root, kNever)));
  EXPECT_EQ(add("c"), Errc{});
  const std::uint64_t before = entries();
  EXPECT_EQ(code(sync_wait(store().end_root(root, {mine, "left", "the end"}, kNever))), Errc::kConflict) << "open";
  must(sync_wait(store().close_root(root, mine, kNever)));
  must(sync_wait(store().close_root(root, others, kNever)));
  EXPECT_EQ(code(sync_wait(store().end_root(root, {mine, "left", "the end"}, kNever))), Errc::kConflict);
  EXPECT_EQ(entries(), before);
  EXPECT_EQ(must(sync_wait(store().end_root(root, {others, "left", "the end"}, kNever))).sequence, before + 1);
  EXPECT_EQ(state(), std::nullopt);
  EXPECT_EQ(must(sync_wait(store().usage(root, kNever))), Usage{});
  EXPECT_EQ(add("d"), Errc::kConflict);
  EXPECT_EQ(code(sync_wait(store().close_root(root, mine, kNever))), Errc::kNotFound);
  EXPECT_EQ(code(sync_wait(store().open_root(root, kNever))), Errc::kNotFound);
  EXPECT_EQ(code(sync_wait(store().end_root(root, {others, "left", "the end"}, kNever))), Errc::kConflict);
  EXPECT_EQ(code(sync_wait(store().create_root(root, kNever))), Errc::kConflict) << "it was";

  // What is left of it can be read and erased.
  EXPECT_EQ(walk(all_of(root, base_of("o/", root)), "").size(), 3U);
  for (const char* route : {"a", "b", "c"}) {
    Commit change = change_of(root, route);
    change.expect.push_back({key(route, root), "1"});
    change.erase.push_back({Space::kRecords, key(route, root)});
    must(commit(std::move(change)));
  }
  EXPECT_TRUE(walk(all_of(root, base_of("o/", root)), "").empty());
  const auto ended = must(sync_wait(store().ended_roots({}, 100, kNever)));
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].root, root);
  EXPECT_EQ(ended[0].left, "left");
  must(sync_wait(store().forget_root(root, kNever)));
  EXPECT_TRUE(must(sync_wait(store().ended_roots({}, 100, kNever))).empty());
}

TEST_P(Conformance, EndedRootsAreListedInPages) {
  std::vector<RootId> roots;
  for (int i = 0; i < 5; ++i) {
    roots.push_back(make_root());
    must(sync_wait(store().close_root(roots.back(), {}, kNever)));
    must(sync_wait(store().end_root(roots.back(), {{}, std::to_string(i), "the end"}, kNever)));
  }
  make_root();  // goes on
  const auto page = [&](RootId from, std::size_t limit) {
    std::string all;
    for (const EndedRoot& ended : must(sync_wait(store().ended_roots(from, limit, kNever)))) all += ended.left;
    return all;
  };
  EXPECT_EQ(page({}, 10), "01234");
  EXPECT_EQ(page({}, 2), "01");
  EXPECT_EQ(page(roots[2], 2), "23");
  EXPECT_EQ(page({}, 0), "");
}

// Random commits, looks and changes of ranges, against a map.
class RandomSequence {
 public:
  RandomSequence(EngineUnderTest& engine, RootId root, std::uint64_t seed)
      : engine_(engine), root_(root), random_(seed) {}
  // What went wrong; empty: nothing.
  std::string run(int steps) {
    std::string wrong;
    for (int i = 0; i < steps && wrong.empty(); ++i) {
      switch (random_() % 6) {
        case 0:
        case 1:
          wrong = commit();
          break;
        case 2:
          wrong = look();
          break;
        case 3:
          wrong = scan();
          break;
        case 4:
          wrong = walk();
          break;
        default:
          engine_.shake(root_);
      }
    }
    return wrong;
  }

 private:
  using Place = std::pair<Space, std::string>;

  Store& store() { return engine_.store(); }
  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string route() {
    static const std::vector<std::string> routes{
        "",     "a",       std::string("a\0", 2), std::string("a\0b", 3), "aa", "ab", "b", "b/c", "b/d", "\x7f",
        "\xff", "\xff\xff"};
    return routes[below(routes.size())];
  }
  // One of the few that records with that route have.
  Place place(const std::string& route) {
    const std::string id(as_text(root_.bytes()));
    switch (below(5)) {
      case 0:
        return {Space::kRecords, "o/" + id + route};
      case 2:
        return {Space::kRecords, parts_of(route) + std::to_string(below(3))};
      case 1:
        return {Space::kInline, id + route + "i"};
      default:
        return {Space::kRecords, "u/" + id + route + '\0' + std::to_string(below(3))};
    }
  }
  // In front of records that no other route's lie between.
  [[nodiscard]] std::string parts_of(const std::string& route) const {
    return "p/" + std::string(as_text(root_.bytes())) + std::to_string(route.size()) + route + '/';
  }
  std::optional<std::string> known(const Place& place) const {
    const auto found = model_.find(place);
    return found == model_.end() ? std::nullopt : std::optional(found->second);
  }
  std::string commit() {
    Commit change;
    change.partition = {root_, route()};
    change.unwitnessed = "a test";
    bool holds = true;
    for (std::size_t i = below(3); i > 0; --i) {
      const Place where = place(change.partition.route);
      if (where.first != Space::kRecords) continue;
      Expectation expectation{where.second, known(where)};
      if (below(8) == 0) {
        expectation.value = expectation.value ? std::nullopt : std::optional<std::string>("wrong");
        holds = false;
      }
      change.expect.push_back(std::move(expectation));
    }
    std::map<Place, std::optional<std::string>> changed;
    for (std::size_t i = below(4); i > 0; --i) {
      const Place where = place(change.partition.route);
      const std::string value = std::to_string(++values_);
      change.put.push_back({{where.first, where.second}, value});
      changed[where] = value;
    }
    for (std::size_t i = below(3); i > 0; --i) {
      const Place where = place(change.partition.route);
      change.erase.push_back({where.first, where.second});
      changed[where] = std::nullopt;
    }
    const auto done = sync_wait(store().commit(std::move(change), Deadline::never()));
    if (done.has_value() != holds) return "a commit: " + (done ? "done" : done.error().describe());
    if (!done && done.error() != Errc::kConflict) return "a commit: " + done.error().describe();
    for (const auto& [where, value] : changed) {
      if (!holds) break;
      if (value) {
        model_[where] = *value;
      } else {
        model_.erase(where);
      }
    }
    return {};
  }
  std::string look() {
    const std::string at = route();
    const Place where = place(at);
    const auto value = sync_wait(store().get({root_, at}, {where.first, where.second}, Deadline::never()));
    if (!value) return "a get: " + value.error().describe();
    return *value == known(where) ? "" : "a get: another value";
  }
  std::string scan() {
    Scan scan;
    scan.partition = {root_, route()};
    scan.begin = parts_of(scan.partition.route);
    scan.end = past_prefix(scan.begin);
    const auto items = sync_wait(store().scan(scan));
    if (!items) return "a scan: " + items.error().describe();
    std::vector<Item> wanted;
    for (const auto& [where, value] : model_) {
      const bool inside = where.first == Space::kRecords && where.second >= scan.begin && where.second < scan.end;
      if (inside) wanted.push_back({where.second, value});
    }
    return same(*items, wanted) ? "" : "a scan: other items";
  }
  std::string walk() {
    const std::string base = (below(2) == 0 ? "o/" : "u/") + std::string(as_text(root_.bytes()));
    const std::string from = base + route() + (below(2) == 0 ? std::string(1, '\0') : std::string());
    const auto cursor = store().cursor({root_, base, base, past_prefix(base), {}});
    std::vector<Item> items;
    auto there = sync_wait(cursor->seek(from));
    for (; there && *there; there = sync_wait(cursor->next())) {
      items.push_back({std::string(cursor->key()), std::string(cursor->value())});
      if (below(4) == 0) engine_.shake(root_);
    }
    if (!there) return "a walk: " + there.error().describe();
    std::vector<Item> wanted;
    for (const auto& [where, value] : model_) {
      const bool inside = where.first == Space::kRecords && where.second >= from && where.second.starts_with(base);
      if (inside) wanted.push_back({where.second, value});
    }
    return same(items, wanted) ? "" : "a walk: other items";
  }
  static bool same(const std::vector<Item>& a, const std::vector<Item>& b) {
    return std::ranges::equal(a, b, [](const Item& x, const Item& y) { return x.key == y.key && x.value == y.value; });
  }

  EngineUnderTest& engine_;
  const RootId root_;
  std::mt19937_64 random_;
  std::map<Place, std::string> model_;
  std::uint64_t values_ = 0;
};

TEST_P(Conformance, RandomSequencesAreAsInAMap) {
  constexpr int kSteps = 30;
  const std::uint64_t first = std::random_device{}();
  for (int i = 0; i < engine_->sequences(); ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    const std::string wrong = RandomSequence(*engine_, make_root(), seed).run(kSteps);
    ASSERT_EQ(wrong, "") << "sequence of the seed " << seed;
  }
}

}  // namespace andromede::meta
