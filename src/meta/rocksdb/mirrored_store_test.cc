#include "meta/rocksdb/mirrored_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "meta/rocksdb/counter_merge.h"
#include "meta/rocksdb/limits.h"
#include "meta/rocksdb/root_record.h"
#include "meta/rocksdb/test_cloud.h"

namespace andromede::meta {
namespace {

class MirroredStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    const Status opened = cloud_.open();
    ASSERT_TRUE(opened) << opened.error().describe();
  }
  static Commit unwitnessed() {
    Commit change;
    change.unwitnessed = "a test";
    return change;
  }
  TestCloud cloud_;
};

TEST_F(MirroredStoreTest, CommitsAreReadBackAndSurviveStopAndKill) {
  Commit change;
  change.put.push_back({{Space::kRecords, "o/a"}, "record"});
  change.put.push_back({{Space::kInline, "blob"}, std::string(4096, 'x')});
  change.usage = {1, 4096};
  change.event = "PutObject a";
  const auto info = cloud_.commit(std::move(change));
  ASSERT_TRUE(info) << info.error().describe();
  EXPECT_EQ(info->sequence, 1U);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(cloud_.read("o/a"), "record");
    EXPECT_EQ(cloud_.read("blob", Space::kInline), std::string(4096, 'x'));
    EXPECT_EQ(cloud_.read("blob"), "absent");
    EXPECT_EQ(sync_wait(cloud_.store().usage({}, Deadline::never())), (Usage{1, 4096}));
    EXPECT_EQ(cloud_.verify_journal(), 1U);
    round == 0 ? cloud_.kill() : cloud_.close();
    ASSERT_TRUE(cloud_.open());
  }
}

TEST_F(MirroredStoreTest, ExpectationsDecide) {
  Commit create = unwitnessed();
  create.expect.push_back({"k", std::nullopt});
  create.put.push_back({{Space::kRecords, "k"}, "1"});
  EXPECT_TRUE(cloud_.commit(create));
  const auto again = cloud_.commit(create);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), Errc::kConflict);

  Commit swap = unwitnessed();
  swap.expect.push_back({"k", "1"});
  swap.put.push_back({{Space::kRecords, "k"}, "2"});
  swap.put.push_back({{Space::kRecords, "other"}, "2"});
  EXPECT_TRUE(cloud_.commit(swap));
  EXPECT_FALSE(cloud_.commit(swap));
  EXPECT_EQ(cloud_.read("k"), "2");

  Commit remove = unwitnessed();
  remove.expect.push_back({"k", "2"});
  remove.expect.push_back({"other", "not this"});
  remove.erase.push_back({Space::kRecords, "k"});
  EXPECT_FALSE(cloud_.commit(remove));
  EXPECT_EQ(cloud_.read("k"), "2");
  remove.expect.pop_back();
  EXPECT_TRUE(cloud_.commit(remove));
  EXPECT_EQ(cloud_.read("k"), "absent");
  EXPECT_EQ(cloud_.store().last_sequence(), 0U);
  EXPECT_NE(cloud_.metrics().render().find("andromede_meta_conflicts_total 3"), std::string::npos);
}

// Commits that wait together are one group; each must see what the ones before it in the group changed.
TEST_F(MirroredStoreTest, ExpectationsHoldWithinAGroup) {
  constexpr int kRounds = 20;
  constexpr int kContenders = 16;
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = "k" + std::to_string(round);
    std::vector<Task<Result<CommitInfo>>> tasks;
    for (int i = 0; i < kContenders; ++i) {
      Commit change;
      change.event = "create";
      change.expect.push_back({key, std::nullopt});
      change.put.push_back({{Space::kRecords, key}, std::to_string(i)});
      tasks.push_back(cloud_.store().commit(std::move(change), Deadline::never()));
    }
    const auto results = sync_wait(when_all(std::move(tasks)));
    int winners = 0;
    for (int i = 0; i < kContenders; ++i) {
      const auto& result = results[static_cast<std::size_t>(i)];
      if (result) {
        ++winners;
        EXPECT_EQ(cloud_.read(key), std::to_string(i));
      } else {
        EXPECT_EQ(result.error(), Errc::kConflict);
      }
    }
    EXPECT_EQ(winners, 1);
  }
  EXPECT_EQ(cloud_.verify_journal(), static_cast<std::uint64_t>(kRounds));
}

TEST_F(MirroredStoreTest, CompareAndSwapFromManyThreadsLosesNothing) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  ASSERT_TRUE(cloud_.put("n", "0"));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int done = 0; done < kEach;) {
        const std::string now = cloud_.read("n");
        Commit change;
        change.event = "increment";
        change.expect.push_back({"n", now});
        change.put.push_back({{Space::kRecords, "n"}, std::to_string(std::stoi(now) + 1)});
        change.usage.objects = 1;
        const auto result = cloud_.commit(std::move(change));
        if (result) ++done;
        if (!result) EXPECT_EQ(result.error(), Errc::kConflict);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cloud_.read("n"), std::to_string(kThreads * kEach));
  EXPECT_EQ(sync_wait(cloud_.store().usage({}, Deadline::never())), (Usage{kThreads * kEach, 0}));
  EXPECT_EQ(cloud_.verify_journal(), static_cast<std::uint64_t>(kThreads * kEach + 1));
}

// A counter's additions are summed over the group; a put or erase of the same key in between must not reorder.
TEST_F(MirroredStoreTest, CountersKeepTheirOrderWithPutsAndErases) {
  for (int round = 0; round < 20; ++round) {
    std::vector<Task<Result<CommitInfo>>> tasks;
    const auto add = [&](std::int64_t by) {
      Commit change = unwitnessed();
      change.usage.bytes = by;
      tasks.push_back(cloud_.store().commit(std::move(change), Deadline::never()));
    };
    add(5);
    add(6);
    Commit erase = unwitnessed();
    erase.erase.push_back({kCounterSpace, byte_count_key({})});
    tasks.push_back(cloud_.store().commit(std::move(erase), Deadline::never()));
    add(7);
    add(-9);
    for (const auto& result : sync_wait(when_all(std::move(tasks)))) EXPECT_TRUE(result);
    EXPECT_EQ(cloud_.read(byte_count_key({}), kCounterSpace), encode_counter(-2));
  }
}

TEST_F(MirroredStoreTest, RefusesWhatIsOverALimit) {
  const auto refused = [&](Commit change) {
    const auto result = cloud_.commit(std::move(change));
    return !result && result.error() == Errc::kInvalidArgument;
  };
  Commit silent;
  silent.put.push_back({{Space::kRecords, "k"}, "v"});
  EXPECT_TRUE(refused(silent));
  Commit long_key = unwitnessed();
  long_key.put.push_back({{Space::kRecords, std::string(kEngineLimits.key_bytes + 1, 'k')}, "v"});
  EXPECT_TRUE(refused(long_key));
  Commit long_value = unwitnessed();
  long_value.put.push_back({{Space::kInline, "k"}, std::string(kEngineLimits.value_bytes + 1, 'v')});
  EXPECT_TRUE(refused(long_value));
  Commit big = unwitnessed();
  for (int i = 0; i < 3; ++i) big.put.push_back({{Space::kInline, std::to_string(i)}, std::string(100'000, 'v')});
  EXPECT_TRUE(refused(big));  // half of a segment here
  Commit journal = unwitnessed();
  journal.put.push_back({{Space::kJournal, "12345678"}, "forged"});
  EXPECT_TRUE(refused(journal));
  Commit unjournal = unwitnessed();
  unjournal.erase.push_back({Space::kJournal, "12345678"});
  EXPECT_TRUE(refused(unjournal));
  Scan scan;
  scan.limit = kEngineLimits.scan_items + 1;
  EXPECT_EQ(sync_wait(cloud_.store().scan(scan)).error(), Errc::kInvalidArgument);
  EXPECT_EQ(cloud_.get(std::string(kEngineLimits.key_bytes + 1, 'k')).error(), Errc::kInvalidArgument);
  EXPECT_TRUE(cloud_.put(std::string(kEngineLimits.key_bytes, 'k'), "v"));
}

TEST_F(MirroredStoreTest, PassedDeadlinesAndStoppedStoresAreRefused) {
  const SystemClock clock;
  Commit change = unwitnessed();
  change.put.push_back({{Space::kRecords, "late"}, "v"});
  const auto late = sync_wait(cloud_.store().commit(change, Deadline::after(clock, std::chrono::milliseconds(-1))));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), Errc::kNotBegun);
  EXPECT_EQ(cloud_.read("late"), "absent");
  cloud_.store().stop();
  EXPECT_EQ(cloud_.commit(change).error(), Errc::kNotBegun);
  EXPECT_EQ(cloud_.get("late").error(), Errc::kUnavailable);
}

TEST_F(MirroredStoreTest, FullQueueIsOverloadedAndEveryCommitIsAnswered) {
  cloud_.close();
  cloud_.options.max_queued_commits = 4;
  ASSERT_TRUE(cloud_.open());
  std::vector<Task<Result<CommitInfo>>> tasks;
  for (int i = 0; i < 300; ++i) {
    Commit change = unwitnessed();
    change.put.push_back({{Space::kRecords, "k" + std::to_string(i)}, std::string(2000, 'v')});
    tasks.push_back(cloud_.store().commit(std::move(change), Deadline::never()));
  }
  const auto results = sync_wait(when_all(std::move(tasks)));
  int accepted = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const bool there = cloud_.read("k" + std::to_string(i)) != "absent";
    EXPECT_EQ(there, results[i].has_value());
    if (results[i]) ++accepted;
    if (!results[i]) EXPECT_EQ(results[i].error(), Errc::kOverloaded);
  }
  EXPECT_GE(accepted, 4);
  EXPECT_LT(accepted, 300);
}

TEST_F(MirroredStoreTest, ManySegmentsLongGo) {
  // 256 KiB segments: the log goes round several times, and at the end everything is there after a kill.
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        Commit change;
        change.event = "put";
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        change.put.push_back({{Space::kRecords, key}, key});
        change.put.push_back({{Space::kInline, key}, std::string(7000, 'x')});
        const auto result = cloud_.commit(std::move(change));
        EXPECT_TRUE(result) << result.error().describe();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  cloud_.kill();
  ASSERT_TRUE(cloud_.open());
  EXPECT_EQ(cloud_.verify_journal(), 400U);
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < 100; ++i) {
      const std::string key = std::to_string(t) + "/" + std::to_string(i);
      EXPECT_EQ(cloud_.read(key), key);
      EXPECT_EQ(cloud_.read(key, Space::kInline).size(), 7000U);
    }
  }
}

TEST_F(MirroredStoreTest, JournalHasNoGapAfterAGroupThatCouldNotBeStored) {
  ASSERT_TRUE(cloud_.put("a", "1"));
  for (int i = 0; i < 3; ++i) {
    Commit change;
    change.event = "huge";
    change.put.push_back({{Space::kRecords, "huge"}, "1"});
    const auto result = cloud_.commit(std::move(change));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), Errc::kInvalidArgument);
    EXPECT_EQ(cloud_.read("huge"), "absent");
    ASSERT_TRUE(cloud_.put("b", std::to_string(i)));
  }
  EXPECT_EQ(cloud_.verify_journal(), 4U);
}

TEST_F(MirroredStoreTest, SegmentsOfAnotherSizeAreMadeAtTheNextOpening) {
  for (const std::uint64_t segment_bytes : {1U << 20, 64U << 10}) {
    ASSERT_TRUE(cloud_.put("size", std::to_string(segment_bytes)));
    cloud_.kill();
    cloud_.options.log_segment_bytes = segment_bytes;
    ASSERT_TRUE(cloud_.open());
    EXPECT_EQ(cloud_.read("size"), std::to_string(segment_bytes));
    const auto file = cloud_.disk(0).open("meta/log/segment-0000", io::OpenMode::kRead);
    ASSERT_TRUE(file);
    EXPECT_EQ(*(*file)->size(), segment_bytes);
  }
  cloud_.verify_journal();
}

TEST_F(MirroredStoreTest, GetManySeesOneState) {
  ASSERT_TRUE(cloud_.put("a", "0"));
  ASSERT_TRUE(cloud_.put("b", "0"));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 1; i <= 300; ++i) {
      Commit change = unwitnessed();
      change.put.push_back({{Space::kRecords, "a"}, std::to_string(i)});
      change.put.push_back({{Space::kRecords, "b"}, std::to_string(i)});
      EXPECT_TRUE(cloud_.commit(std::move(change)));
    }
    done = true;
  });
  while (!done) {
    const auto values = sync_wait(cloud_.store().get_many({}, {"a", "missing", "b"}, Deadline::never()));
    ASSERT_TRUE(values);
    ASSERT_EQ(values->size(), 3U);
    EXPECT_EQ((*values)[0], (*values)[2]);
    EXPECT_FALSE((*values)[1]);
  }
  writer.join();
}

// After the first opening it is answered from memory, after the others from the drive.
TEST_F(MirroredStoreTest, AValueIsReadWithTheOneThatItNames) {
  Commit change = unwitnessed();
  change.put.push_back({{Space::kRecords, "a"}, "payload"});
  change.put.push_back({{Space::kRecords, "b"}, "gone"});
  change.put.push_back({{Space::kInline, "payload"}, std::string(4096, 'x')});
  ASSERT_TRUE(cloud_.commit(std::move(change)));
  const NamedKey inlined = [](std::string_view value) { return Key{Space::kInline, std::string(value)}; };
  const NamedKey nothing = [](std::string_view) { return std::optional<Key>(); };
  const auto follow = [&](const char* key, const NamedKey& named) {
    const auto found = sync_wait(cloud_.store().get_following({}, {Space::kRecords, key}, named, Deadline::never()));
    EXPECT_TRUE(found) << found.error().describe();
    return std::pair(found->value.value_or("absent"), found->named.value_or("absent"));
  };
  using Pair = std::pair<std::string, std::string>;
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(follow("a", inlined), Pair("payload", std::string(4096, 'x')));
    EXPECT_EQ(follow("a", nothing), Pair("payload", "absent"));
    EXPECT_EQ(follow("b", inlined), Pair("gone", "absent"));
    EXPECT_EQ(follow("c", inlined), Pair("absent", "absent"));
    round == 0 ? cloud_.kill() : cloud_.close();
    ASSERT_TRUE(cloud_.open());
  }
}

TEST_F(MirroredStoreTest, ScansAreBoundedAndOrdered) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cloud_.put("k" + std::to_string(i), "v" + std::to_string(i)));
  ASSERT_TRUE(cloud_.put("l", "beyond"));
  for (int round = 0; round < 2; ++round) {
    const auto keys = [&](Scan scan) {
      std::string all;
      const auto items = sync_wait(cloud_.store().scan(std::move(scan)));
      EXPECT_TRUE(items);
      for (const Item& item : *items) {
        all += item.key.substr(1);
        EXPECT_TRUE(item.value.empty() == false || item.key.empty() == false);
      }
      return all;
    };
    Scan scan;
    scan.begin = "k";
    scan.end = "l";
    EXPECT_EQ(keys(scan), "0123456789");
    scan.limit = 3;
    EXPECT_EQ(keys(scan), "012");
    scan.end = "k5";
    scan.begin = "k4";
    EXPECT_EQ(keys(scan), "4");
    scan.begin = "k5";
    EXPECT_EQ(keys(scan), "");
    scan.keys_only = true;
    scan.end = "";
    scan.limit = 100;
    EXPECT_EQ(keys(scan), "56789");
    scan.limit = 0;
    EXPECT_EQ(keys(scan), "");
    cloud_.close();  // from memory in the first round, from the drive in the second
    ASSERT_TRUE(cloud_.open());
  }
}

TEST_F(MirroredStoreTest, WhatAGroupSharesIsReadOnceAndChangesOfTheGroupCount) {
  const auto metric = [&](const std::string& name) {
    const std::string text = cloud_.metrics().render();
    const std::string line = "\n" + name + " ";
    return std::stoull(text.substr(text.find(line) + line.size()));
  };
  ASSERT_TRUE(cloud_.put("state", "open"));
  const auto groups_before = metric("andromede_meta_commit_group_size_count");
  const auto read_before = metric("andromede_meta_expectations_read_total");
  constexpr int kCommits = 500;
  const auto expecting = [](const std::string& state, std::optional<std::string> next) {
    Commit change = unwitnessed();
    change.expect.push_back({"state", state});
    change.put.push_back({{Space::kRecords, next ? "state" : "other"}, next.value_or("v")});
    return change;
  };
  std::vector<Task<Result<CommitInfo>>> tasks;
  for (int i = 0; i < kCommits; ++i) {
    tasks.push_back(cloud_.store().commit(expecting("open", std::nullopt), Deadline::never()));
  }
  for (const auto& done : sync_wait(when_all(std::move(tasks)))) EXPECT_TRUE(done);
  const auto groups = metric("andromede_meta_commit_group_size_count") - groups_before;
  EXPECT_LT(groups, kCommits);
  EXPECT_EQ(metric("andromede_meta_expectations_read_total") - read_before, groups);
  // In whichever group each comes, it sees what those before it did.
  tasks.clear();
  tasks.push_back(cloud_.store().commit(expecting("closed", std::nullopt), Deadline::never()));
  tasks.push_back(cloud_.store().commit(expecting("open", std::nullopt), Deadline::never()));
  tasks.push_back(cloud_.store().commit(expecting("open", "closed"), Deadline::never()));
  tasks.push_back(cloud_.store().commit(expecting("open", std::nullopt), Deadline::never()));
  tasks.push_back(cloud_.store().commit(expecting("closed", std::nullopt), Deadline::never()));
  const auto done = sync_wait(when_all(std::move(tasks)));
  EXPECT_EQ(done[0].error(), Errc::kConflict);
  EXPECT_TRUE(done[1]);
  EXPECT_TRUE(done[2]);
  EXPECT_EQ(done[3].error(), Errc::kConflict);
  EXPECT_TRUE(done[4]);
}

TEST_F(MirroredStoreTest, MetricsTell) {
  ASSERT_TRUE(cloud_.put("a", "1"));
  const std::string text = cloud_.metrics().render();
  for (const char* name : {"andromede_meta_commit_group_size_count 1", "andromede_meta_commits_total 1",
                           "andromede_meta_sync_seconds_count 1", "andromede_meta_mirrors_online 1",
                           "andromede_meta_commit_queue_depth 0"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace andromede::meta
