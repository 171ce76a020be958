// Faults under the metadata store: operations that fail or tear, power loss, damage, mirrors that go and come back.
#include "meta/rocksdb/recovery.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "meta/rocksdb/counter_merge.h"
#include "meta/rocksdb/root_record.h"
#include "meta/rocksdb/test_cloud.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

std::string key_of(int i) { return "key" + std::to_string(i); }

// Each commit changes two spaces, a counter and the journal, so that one that is not whole is seen.
Commit numbered(int i, std::size_t value_bytes = 3000) {
  Commit change;
  change.event = "put " + std::to_string(i);
  change.put.push_back({{Space::kRecords, key_of(i)}, "value" + std::to_string(i)});
  change.put.push_back({{Space::kInline, key_of(i)}, std::string(value_bytes, static_cast<char>('a' + i % 26))});
  change.usage.objects = 1;
  return change;
}

// Checks that commits 0 … acknowledged - 1 are there, whole, and at most the next ones; answers how many are there.
int check_whole(TestCloud& cloud, int acknowledged, int attempted, std::size_t value_bytes = 3000) {
  const auto entries = static_cast<int>(cloud.verify_journal());
  EXPECT_GE(entries, acknowledged);
  EXPECT_LE(entries, attempted);
  for (int i = 0; i < attempted; ++i) {
    EXPECT_EQ(cloud.read(key_of(i)), i < entries ? "value" + std::to_string(i) : "absent") << "commit " << i;
    EXPECT_EQ(cloud.read(key_of(i), Space::kInline),
              i < entries ? std::string(value_bytes, static_cast<char>('a' + i % 26)) : "absent");
  }
  EXPECT_EQ(cloud.read(object_count_key({}), kCounterSpace), entries == 0 ? "absent" : encode_counter(entries));
  return entries;
}

int commit_until_failure(TestCloud& cloud, int from, int to) {
  for (int i = from; i < to; ++i) {
    if (!cloud.commit(numbered(i))) return i;
  }
  return to;
}

class FailNth : public testing::TestWithParam<std::tuple<io::FaultAction, bool, std::size_t>> {};

TEST_P(FailNth, EveryAcknowledgedCommitSurvives) {
  const auto [action, from_then_on, mirrors] = GetParam();
  constexpr int kCommits = 14;
  for (std::uint64_t n = 1;; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    TestCloud cloud(mirrors, mirrors);
    cloud.options.log_segment_bytes = 16 << 10;  // so that segments are changed and made in the run
    ASSERT_TRUE(cloud.open());
    cloud.disk(0).arm(
        {.action = action, .ops = io::changing_ops(), .path_prefix = "meta/", .nth = n, .from_then_on = from_then_on});
    const int acknowledged = commit_until_failure(cloud, 0, kCommits);
    const bool struck = cloud.disk(0).fired() > 0;
    cloud.disk(0).disarm();
    if (mirrors > 1) {
      EXPECT_EQ(acknowledged, kCommits);
      if (struck) {
        EXPECT_FALSE(cloud.current(0));
        EXPECT_TRUE(cloud.current(1));
      }
    }
    cloud.lose_power(n);
    const Status opened = cloud.open();
    ASSERT_TRUE(opened) << opened.error().describe();
    check_whole(cloud, acknowledged, kCommits);
    EXPECT_TRUE(cloud.put("after", "wards"));
    if (!struck) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, FailNth,
                         testing::Combine(testing::Values(io::FaultAction::kFail, io::FaultAction::kTear),
                                          testing::Values(false, true), testing::Values(1U, 2U)));

TEST(Recovery, FailuresWhileOpeningLeaveTheMirrorAsItWas) {
  for (std::uint64_t n = 1;; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    TestCloud cloud;
    cloud.options.log_segment_bytes = 32 << 10;
    ASSERT_TRUE(cloud.open());
    ASSERT_EQ(commit_until_failure(cloud, 0, 5), 5);
    cloud.lose_power(n);
    cloud.disk(0).arm({.ops = io::changing_ops(), .path_prefix = "meta/", .nth = n});
    const Status opened = cloud.open();
    const bool struck = cloud.disk(0).fired() > 0;
    cloud.disk(0).disarm();
    cloud.lose_power(n + 1);
    ASSERT_TRUE(cloud.open());
    check_whole(cloud, 5, 5);
    if (!struck) {
      EXPECT_TRUE(opened);
      break;
    }
  }
}

TEST(Recovery, FirstOpeningCutShortIsBegunAnew) {
  for (std::uint64_t n = 1;; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    TestCloud cloud(2, 2);
    cloud.options.log_segment_bytes = 32 << 10;
    cloud.disk(1).arm({.ops = io::changing_ops(), .path_prefix = "meta", .nth = n, .from_then_on = true});
    const Status opened = cloud.open();
    const bool struck = cloud.disk(1).fired() > 0;
    cloud.disk(1).disarm();
    cloud.lose_power(n);
    const Status again = cloud.open();
    ASSERT_TRUE(again) << again.error().describe();
    EXPECT_EQ(commit_until_failure(cloud, 0, 3), 3);
    check_whole(cloud, 3, 3);
    if (!struck) {
      EXPECT_TRUE(opened);
      break;
    }
  }
}

TEST(Recovery, RepeatedPowerLossUnderConcurrentWriters) {
  TestCloud cloud;
  cloud.options.log_segment_bytes = 128 << 10;
  ASSERT_TRUE(cloud.open());
  constexpr std::size_t kWriters = 4;
  constexpr int kPerRound = 10'000;
  std::array<int, kWriters> acknowledged{};
  std::array<int, kWriters> attempted{};
  SeededRandom random(11);
  for (std::uint64_t round = 1; round <= 12; ++round) {
    cloud.disk(0).arm({.action = round % 2 == 0 ? io::FaultAction::kFail : io::FaultAction::kTear,
                       .ops = io::changing_ops(),
                       .path_prefix = "meta/",
                       .nth = 20 + random.below(60),
                       .from_then_on = true});
    std::vector<std::thread> writers;
    for (std::size_t w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        for (;;) {
          const int i = attempted[w];
          Commit change;
          change.event = "put";
          const std::string key = std::to_string(w) + "/" + std::to_string(i);
          change.expect.push_back({key, std::nullopt});
          change.put.push_back({{Space::kRecords, key}, "v"});
          change.put.push_back({{Space::kInline, key}, std::string(2000, 'v')});
          ++attempted[w];
          if (!cloud.commit(std::move(change))) return;
          acknowledged[w] = attempted[w];
        }
      });
    }
    for (auto& writer : writers) writer.join();
    cloud.lose_power(round);
    ASSERT_TRUE(cloud.open());
    cloud.verify_journal();
    const int first = static_cast<int>(round - 1) * kPerRound;
    for (std::size_t w = 0; w < kWriters; ++w) {
      for (int i = first; i < attempted[w]; ++i) {
        const std::string key = std::to_string(w) + "/" + std::to_string(i);
        const std::string record = cloud.read(key);
        EXPECT_EQ(record == "v", cloud.read(key, Space::kInline) == std::string(2000, 'v')) << key;
        if (i < acknowledged[w]) EXPECT_EQ(record, "v") << key;
      }
      // What was not acknowledged may be there or not: the next round takes numbers of its own.
      acknowledged[w] = attempted[w] = static_cast<int>(round) * kPerRound;
    }
  }
}

TEST(Recovery, DamageInTheMiddleOfTheOnlyLogIsRefused) {
  TestCloud cloud;
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 6), 6);
  cloud.kill();
  ASSERT_TRUE(cloud.disk(0).corrupt("meta/log/segment-0000", kLogBlockBytes + 100));
  const Status opened = cloud.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kCorrupt);
  EXPECT_NE(opened.error().message().find("drive-0"), std::string::npos) << opened.error().describe();
  EXPECT_TRUE(cloud.current(0));
}

TEST(Recovery, DamagedMirrorIsCopiedAnew) {
  for (const std::string damage : {"log", "state", "pipe", "link"}) {
    SCOPED_TRACE(damage);
    TestCloud cloud(2, 2);
    ASSERT_TRUE(cloud.open());
    ASSERT_EQ(commit_until_failure(cloud, 0, 6), 6);
    cloud.kill();
    const std::string state = cloud.root(0) + "/meta/state";
    if (damage == "state") {
      std::filesystem::remove(state + "/CURRENT");
    } else if (damage == "pipe") {  // a start would wait there for ever
      std::filesystem::remove(state + "/CURRENT");
      ASSERT_EQ(mkfifo((state + "/CURRENT").c_str(), 0600), 0);
    } else if (damage == "link") {  // to another mirror's
      std::filesystem::remove_all(state);
      std::filesystem::create_directory_symlink(cloud.root(1) + "/meta/state", state);
    } else {
      ASSERT_TRUE(cloud.disk(0).corrupt("meta/log/segment-0000", kLogBlockBytes + 100));
    }
    const Status opened = cloud.open();
    ASSERT_TRUE(opened) << opened.error().describe();
    EXPECT_FALSE(cloud.current(0)) << "commits do not need it";
    EXPECT_EQ(commit_until_failure(cloud, 6, 7), 7);
    ASSERT_TRUE(cloud.store().add_mirror(cloud.id(0), {}));
    EXPECT_TRUE(cloud.current(0));
    EXPECT_EQ(cloud.store().mirrors().size(), 2U);
    ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(1)));
    check_whole(cloud, 7, 7);  // now from the copy
  }
}

// Nobody else could, as nothing is committed before.
TEST(Recovery, OpeningCopiesAsManyMirrorsAsCommitsNeed) {
  for (const std::size_t least : {1U, 2U, 3U}) {
    SCOPED_TRACE(least);
    TestCloud cloud(3, 3);
    cloud.options.least_mirrors = cloud.options.least_sites = least;
    ASSERT_TRUE(cloud.open());
    ASSERT_EQ(commit_until_failure(cloud, 0, 6), 6);
    cloud.close();
    for (const std::size_t damaged : {0U, 2U}) std::filesystem::remove(cloud.root(damaged) + "/meta/state/CURRENT");
    const Status opened = cloud.open();
    ASSERT_TRUE(opened) << opened.error().describe();
    std::size_t current = 0;
    for (const std::size_t drive : {0U, 1U, 2U}) current += cloud.current(drive) ? 1 : 0;
    EXPECT_EQ(current, least);
    const auto mirrors = cloud.store().mirrors();
    EXPECT_EQ(std::count_if(mirrors.begin(), mirrors.end(), [](const MirrorStatus& mirror) { return mirror.online; }),
              static_cast<std::ptrdiff_t>(least));
    const auto events = cloud.store().take_events();
    EXPECT_EQ(std::count_if(events.begin(), events.end(), [](const MirrorEvent& event) { return event.copied; }),
              static_cast<std::ptrdiff_t>(least) - 1);
    EXPECT_EQ(events.size(), 2 + least - 1);
    EXPECT_EQ(commit_until_failure(cloud, 6, 7), 7);
    check_whole(cloud, 7, 7);
  }
}

TEST(Recovery, MirrorWithADamagedLastEntryIsSetAsideWhileAnotherIsIntact) {
  for (const std::size_t mirrors : {2U, 1U}) {
    TestCloud cloud(mirrors, mirrors);
    ASSERT_TRUE(cloud.open());
    ASSERT_EQ(commit_until_failure(cloud, 0, 6), 6);
    cloud.close();
    {
      State::Options options;
      options.seal = test_record_seal();
      options.cache = rocksdb::NewLRUCache(1 << 20);
      auto state = State::open(cloud.root(0) + "/meta/state", options);
      ASSERT_TRUE(state);
      Bytes key;
      append_be64(key, 6);
      RecordBuilder builder(test_record_seal());
      builder.put(Space::kJournal, as_text(key), "garbage");
      builder.finish(1, 6, 1);
      ASSERT_TRUE((*state)->apply(builder.payload(), 6));
      ASSERT_TRUE((*state)->flush());
    }
    const Status opened = cloud.open();
    if (mirrors == 1) {
      ASSERT_FALSE(opened);
      EXPECT_EQ(opened.error(), Errc::kCorrupt);
      EXPECT_TRUE(cloud.current(0));
      continue;
    }
    ASSERT_TRUE(opened) << opened.error().describe();
    EXPECT_FALSE(cloud.current(0));
    ASSERT_TRUE(cloud.put("after", "1"));
    ASSERT_TRUE(cloud.store().add_mirror(cloud.id(0), {}));
    ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(1)));
    EXPECT_EQ(cloud.verify_journal(), 7U);  // from the copy
  }
}

TEST(Recovery, MirrorOnAFullDriveIsLeftOutWhileAnotherIsIntact) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 3), 3);
  cloud.close();
  for (const std::size_t full : {1U, 2U}) {
    for (std::size_t i = 0; i < full; ++i) {
      cloud.disk(i).arm({.ops = {io::DiskOp::kOpen}, .path_prefix = "meta/log", .error = Errc::kNoSpace});
    }
    const Status opened = cloud.open();
    for (std::size_t i = 0; i < full; ++i) cloud.disk(i).disarm();
    if (full == 1) {
      ASSERT_TRUE(opened) << opened.error().describe();
      EXPECT_FALSE(cloud.current(0));
      EXPECT_TRUE(cloud.drives().online(cloud.id(0)));
      EXPECT_TRUE(cloud.store().holds_files(cloud.id(0)).value_or(false));
      check_whole(cloud, 3, 3);
      ASSERT_TRUE(cloud.store().add_mirror(cloud.id(0), {}));
      cloud.close();
    } else {
      ASSERT_FALSE(opened);
      EXPECT_EQ(opened.error(), Errc::kNoSpace) << opened.error().describe();
    }
  }
  ASSERT_TRUE(cloud.open());
  check_whole(cloud, 3, 3);
}

// Marked out, they would be worthless where the one that is left is lost next.
TEST(Recovery, FullMirrorsStayCurrentUntilOthersAreEnough) {
  TestCloud cloud(4, 3);
  cloud.options.least_mirrors = 2;
  cloud.options.least_sites = 2;
  cloud.options.redundancy_wait = {};
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "on three"));
  const auto restart = [&](bool full) {
    cloud.close();
    for (const std::size_t i : {0U, 1U}) {
      cloud.disk(i).disarm();
      if (full) cloud.disk(i).arm({.ops = {io::DiskOp::kOpen}, .path_prefix = "meta/log", .error = Errc::kNoSpace});
    }
    ASSERT_TRUE(cloud.open());
  };
  restart(true);
  EXPECT_TRUE(cloud.current(0) && cloud.current(1) && cloud.current(2));
  EXPECT_EQ(cloud.read("k"), "on three");
  EXPECT_FALSE(cloud.put("k", "on one"));
  Commit entry;
  entry.event = "a mirror is to be made";
  entry.restores_redundancy = true;
  EXPECT_EQ(cloud.commit(std::move(entry)).error(), Errc::kNoSpace) << "the keeper makes one all the same";
  restart(false);
  EXPECT_TRUE(cloud.put("k", "on three again"));
  restart(true);
  EXPECT_EQ(cloud.store().out_for_space().size(), 2U);
  ASSERT_TRUE(cloud.store().add_mirror(cloud.id(3), {}));
  EXPECT_TRUE(cloud.put("k", "on the third and the new one"));
  EXPECT_FALSE(cloud.current(0) || cloud.current(1));
  EXPECT_EQ(cloud.verify_journal(), 3U);
}

TEST(Recovery, LaggardsCatchUpFromTheLeadersLogOrByCopy) {
  for (const bool leader_flushed : {false, true}) {
    SCOPED_TRACE(leader_flushed);
    TestCloud cloud(2, 2);
    ASSERT_TRUE(cloud.open());
    ASSERT_EQ(commit_until_failure(cloud, 0, 3), 3);
    // Drive 1 says that it synced, and did not.
    cloud.disk(1).arm({.action = io::FaultAction::kLie,
                       .ops = {io::DiskOp::kWrite},
                       .path_prefix = "meta/log",
                       .from_then_on = true});
    for (int i = 3; i < 10; ++i) ASSERT_TRUE(cloud.commit(numbered(i, 20'000)));
    cloud.kill();
    if (leader_flushed) {
      State::Options options;
      options.seal = test_record_seal();
      options.cache = rocksdb::NewLRUCache(1 << 20);
      auto state = State::open(cloud.root(0) + "/meta/state", options);
      ASSERT_TRUE(state);
      // As if it had flushed by itself just before: the log's records are not needed and not looked at any more.
      auto log = CommitLog::open(cloud.disk(0).share(), cloud.options.log_segment_bytes);
      const auto records = (*log)->scan(*test_record_seal(), (*state)->salt(), (*state)->applied());
      ASSERT_TRUE(records);
      for (const auto& position : *records) {
        const Bytes record = *(*log)->read(*test_record_seal(), position);
        const ByteView payload = ByteView(record).subspan(kRecordHeaderBytes, position.header.payload_bytes);
        ASSERT_TRUE((*state)->apply(payload, position.header.last_index()));
      }
      ASSERT_TRUE((*state)->flush());
    }
    cloud.lose_power(1);
    const Status opened = cloud.open();
    ASSERT_TRUE(opened) << opened.error().describe();
    EXPECT_EQ(cloud.current(1), !leader_flushed);
    if (leader_flushed) ASSERT_TRUE(cloud.store().add_mirror(cloud.id(1), {}));
    const auto mirrors = cloud.store().mirrors();
    ASSERT_EQ(mirrors.size(), 2U);
    EXPECT_EQ(mirrors[0].commits, 10U);
    EXPECT_EQ(mirrors[1].commits, 10U);
    ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(0)));
    EXPECT_EQ(cloud.verify_journal(), 10U);
    for (int i = 3; i < 10; ++i) EXPECT_EQ(cloud.read(key_of(i), Space::kInline).size(), 20'000U);
  }
}

// What a mirror writes that nobody else has, behind the first commit, of "k": a key and its value a commit.
void write_alone(TestCloud& cloud, std::size_t i, const std::vector<std::pair<std::string, std::string>>& commits) {
  Mirror::Options options;
  options.seal = test_record_seal();
  options.log_segment_bytes = cloud.options.log_segment_bytes;
  const auto mirror = open_and_replay(cloud.id(i), cloud.drives().disk(cloud.id(i)), options);
  ASSERT_TRUE(mirror) << mirror.error().describe();
  const std::uint64_t salt = i + 1;
  ASSERT_TRUE(begin_epoch(**mirror, salt, options.log_segment_bytes));
  std::uint64_t sequence = 1;
  std::uint64_t index = (*mirror)->state().applied();
  std::string entry = ChainSealer::entry(sequence, "", "put k");
  for (const auto& [name, value] : commits) {
    RecordBuilder builder(test_record_seal());
    builder.put(Space::kRecords, name, value);
    entry = ChainSealer::entry(++sequence, entry, "put " + name + " " + value);
    Bytes key;
    append_be64(key, sequence);
    builder.put(Space::kJournal, as_text(key), entry);
    ++index;
    ASSERT_TRUE((*mirror)->write(builder.finish(salt, index, 1), index));
  }
}

// No store writes that; whatever does, none of the two is taken for a copy of the other.
TEST(Recovery, AsManyCommitsWithAnotherLastEntryAreAnotherHistory) {
  TestCloud cloud(2, 2);
  cloud.options.least_mirrors = 2;
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "before"));
  cloud.kill();
  for (const std::size_t i : {0U, 1U}) write_alone(cloud, i, {{"k", "of " + std::to_string(i)}});
  ASSERT_TRUE(cloud.open());
  EXPECT_TRUE(cloud.current(0) && cloud.current(1)) << "one is copied anew";
  EXPECT_EQ(cloud.verify_journal(), 2U);
  const auto copies = sync_wait(cloud.store().get_everywhere({Space::kRecords, "k"}, Deadline::never()));
  ASSERT_TRUE(copies);
  ASSERT_EQ(copies->size(), 2U);
  EXPECT_EQ((*copies)[0].value, (*copies)[1].value);
}

// The one with fewer commits is not brought up to date on top of what only it has.
TEST(Recovery, FewerCommitsWithAnEntryOfTheirOwnAreAnotherHistory) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "before"));
  cloud.kill();
  write_alone(cloud, 0, {{"0-0", "1"}});
  write_alone(cloud, 1, {{"1-0", "1"}, {"1-1", "1"}});
  ASSERT_TRUE(cloud.open());
  EXPECT_FALSE(cloud.current(0)) << "to be copied anew";
  ASSERT_TRUE(cloud.store().add_mirror(cloud.id(0), {}));
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(1)));
  EXPECT_EQ(cloud.verify_journal(), 3U);
  EXPECT_EQ(cloud.read("1-0"), "1");
  EXPECT_EQ(cloud.read("0-0"), "absent") << "of a history that is none";
}

// Whatever of the leader cannot be read while the other catches up, the other is not blamed and nothing is lost of what
// the leader's state has.
TEST(Recovery, LeadersReadErrorsAreNotTheFollowers) {
  for (std::uint64_t n = 1;; ++n) {
    SCOPED_TRACE("read " + std::to_string(n));
    TestCloud cloud(2, 2);
    ASSERT_TRUE(cloud.open());
    ASSERT_EQ(commit_until_failure(cloud, 0, 2), 2);
    cloud.disk(1).arm({.action = io::FaultAction::kLie,
                       .ops = {io::DiskOp::kWrite},
                       .path_prefix = "meta/log",
                       .from_then_on = true});
    for (int i = 2; i < 5; ++i) ASSERT_TRUE(cloud.commit(numbered(i)));
    cloud.kill();
    cloud.lose_power(1);
    cloud.disk(0).arm({.ops = {io::DiskOp::kRead}, .path_prefix = "meta/log", .nth = n});
    const Status opened = cloud.open();
    const bool struck = cloud.disk(0).fired() > 0;
    cloud.disk(0).disarm();
    ASSERT_TRUE(opened) << opened.error().describe();
    EXPECT_TRUE(cloud.drives().online(cloud.id(1)));
    if (!cloud.current(1)) ASSERT_TRUE(cloud.store().add_mirror(cloud.id(1), {})) << "copied from the leader's state";
    // Unless the fault was met before its log had been replayed, it leads.
    if (cloud.current(0)) check_whole(cloud, 5, 5);
    EXPECT_TRUE(cloud.put("after", "1"));
    if (!struck) break;
  }
}

TEST(Recovery, MirrorThatWasAwayIsMarkedOutBeforeTheFirstCommit) {
  TestCloud cloud(3, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 3), 3);
  cloud.close();
  cloud.disk(0).set_offline(true);
  cloud.reopen_drives();
  ASSERT_TRUE(cloud.open());
  EXPECT_FALSE(cloud.current(0));
  EXPECT_EQ(commit_until_failure(cloud, 3, 6), 6);
  cloud.close();
  cloud.disk(0).set_offline(false);
  cloud.reopen_drives();
  ASSERT_TRUE(cloud.open());
  check_whole(cloud, 6, 6);
  EXPECT_EQ(cloud.store().mirrors().size(), 1U);
  ASSERT_TRUE(cloud.store().add_mirror(cloud.id(0), {}));
  EXPECT_TRUE(cloud.current(0));
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(1)));
  check_whole(cloud, 6, 6);
}

TEST(Recovery, NeverBeginsEmptyWhileAMirrorIsAway) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 3), 3);
  cloud.close();
  ASSERT_TRUE(remove_mirror_files(cloud.disk(1)));
  cloud.disk(0).set_offline(true);
  cloud.reopen_drives();
  const Status opened = cloud.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kUnavailable);
  cloud.disk(0).set_offline(false);
  cloud.reopen_drives();
  ASSERT_TRUE(cloud.open());
  check_whole(cloud, 3, 3);
  EXPECT_EQ(cloud.store().mirrors().size(), 1U);
  ASSERT_TRUE(cloud.store().add_mirror(cloud.id(1), {}));
  EXPECT_EQ(cloud.store().mirrors().size(), 2U);
}

// Every blob would be one that nothing names, and be given back.
TEST(Recovery, NeverBeginsEmptyWhereACloudWas) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 3), 3);
  cloud.close();
  for (std::size_t i = 0; i < 2; ++i) ASSERT_TRUE(cloud.disk(i).remove(kMarkerPath));
  const Status opened = cloud.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kCorrupt);
  EXPECT_NE(opened.error().message().find("hold nothing"), std::string::npos) << opened.error().describe();
  EXPECT_TRUE(cloud.current(0));
  ASSERT_TRUE(cloud.disk(1).replace(kMarkerPath, encode_marker(cloud.options.log_segment_bytes)));
  ASSERT_TRUE(cloud.open());
  check_whole(cloud, 3, 3);
}

TEST(Mirrors, EachCanFlushAndCompactByItself) {
  TestCloud cloud(6, 5);
  ASSERT_TRUE(cloud.open());
  const auto threads = [](rocksdb::Env::Priority kind) { return rocksdb::Env::Default()->GetBackgroundThreads(kind); };
  EXPECT_GE(threads(rocksdb::Env::Priority::HIGH), 5);
  EXPECT_GE(threads(rocksdb::Env::Priority::LOW), 5);
  ASSERT_TRUE(cloud.store().add_mirror(cloud.id(5), {}));
  EXPECT_GE(threads(rocksdb::Env::Priority::HIGH), 6);
  EXPECT_GE(threads(rocksdb::Env::Priority::LOW), 6);
}

TEST(Mirrors, LossUnderLoadGoesUnnoticedAndReAddingBringsItBack) {
  TestCloud cloud(3, 3);
  ASSERT_TRUE(cloud.open());
  std::atomic<bool> stop = false;
  std::atomic<int> next = 0;
  std::vector<std::thread> writers;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([&] {
      while (!stop) {
        const int i = next++;
        const auto result = cloud.commit(numbered(i));
        EXPECT_TRUE(result) << result.error().describe();
        EXPECT_EQ(cloud.read(key_of(i)), "value" + std::to_string(i));
      }
    });
  }
  // Lets the writers get on by some commits.
  const auto settle = [&] {
    const int from = next;
    EXPECT_TRUE(eventually([&] { return next > from + 50; }));
  };
  settle();
  cloud.disk(0).set_offline(true);  // the one that answers reads: found by the committer's write
  EXPECT_TRUE(eventually([&] { return !cloud.current(0); }));
  cloud.disk(1).set_offline(true);  // found by a probe
  cloud.drives().probe_all();
  EXPECT_TRUE(eventually([&] { return !cloud.current(1); }));
  EXPECT_TRUE(cloud.current(2));
  cloud.disk(0).set_offline(false);
  cloud.disk(1).set_offline(false);
  cloud.drives().probe_all();
  std::uint64_t told = 0;
  for (const std::size_t i : {0U, 1U}) {
    const Status added = cloud.store().add_mirror(cloud.id(i), [&](std::uint64_t copied, std::uint64_t total) {
      EXPECT_LE(copied, total);
      ++told;
      return true;
    });
    EXPECT_TRUE(added) << added.error().describe();
    EXPECT_TRUE(cloud.current(i));
  }
  EXPECT_GT(told, 0U);
  settle();
  EXPECT_TRUE(cloud.store().remove_mirror(cloud.id(2)));
  settle();
  stop = true;
  for (auto& writer : writers) writer.join();
  const int written = next;
  EXPECT_EQ(cloud.verify_journal(), static_cast<std::uint64_t>(written));
  const auto mirrors = cloud.store().mirrors();
  ASSERT_EQ(mirrors.size(), 2U);
  for (const MirrorStatus& mirror : mirrors) {
    EXPECT_TRUE(mirror.online);
    EXPECT_EQ(mirror.commits, static_cast<std::uint64_t>(written));
    EXPECT_GT(mirror.bytes, 0U);
  }
  cloud.lose_power(5);
  ASSERT_TRUE(cloud.open());
  for (int i = 0; i < written; ++i) EXPECT_EQ(cloud.read(key_of(i)), "value" + std::to_string(i));
}

TEST(Mirrors, LossIsNoticedWithoutACommit) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("a", "1"));
  cloud.disk(0).set_offline(true);
  cloud.drives().probe_all();
  EXPECT_TRUE(eventually([&] { return !cloud.current(0); }));
  EXPECT_EQ(cloud.read("a"), "1");
  ASSERT_EQ(cloud.store().mirrors().size(), 1U);
}

TEST(Mirrors, LastOneIsNeverMarkedOut) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("a", "1"));
  EXPECT_TRUE(cloud.store().remove_mirror(cloud.id(0)));
  const Status refused = cloud.store().remove_mirror(cloud.id(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kRefused);
  cloud.disk(1).set_offline(true);
  const auto lost = cloud.put("b", "2");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error(), Errc::kUnavailable);
  EXPECT_EQ(cloud.put("c", "3").error(), Errc::kNotBegun);
  EXPECT_EQ(cloud.get("a").error(), Errc::kUnavailable);
  EXPECT_EQ(cloud.store().add_mirror(cloud.id(1), {}).error(), Errc::kUnavailable);
  EXPECT_EQ(cloud.store().add_mirror(cloud.id(0), {}).error(), Errc::kUnavailable);
  cloud.disk(1).set_offline(false);
  cloud.drives().probe_all();
  ASSERT_TRUE(cloud.drives().online(cloud.id(1)));
  // What keeps the number of mirrors up asks for any drive that is there.
  EXPECT_EQ(cloud.store().add_mirror(cloud.id(0), {}).error(), Errc::kUnavailable);
  const Status back = cloud.store().add_mirror(cloud.id(1), {});
  ASSERT_TRUE(back) << back.error().describe();
  EXPECT_EQ(cloud.read("a"), "1");
  EXPECT_TRUE(cloud.put("d", "4"));
  EXPECT_TRUE(cloud.store().add_mirror(cloud.id(0), {}));
  EXPECT_TRUE(cloud.put("e", "5"));
  cloud.lose_power(1);
  ASSERT_TRUE(cloud.open());
  EXPECT_EQ(cloud.read("a"), "1");
  EXPECT_EQ(cloud.read("d"), "4");
  EXPECT_EQ(cloud.read("e"), "5");
  EXPECT_TRUE(cloud.current(0));
  EXPECT_TRUE(cloud.current(1));
  cloud.verify_journal();
}

// Lets the process open no more files, as a burst of connections would.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit none = before_;
    none.rlim_cur = 0;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;
  ~NoMoreFiles() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

// UndefinedBehaviorSanitizer opens a pipe to look at an object, and takes a refusal for a bad object.
#if !__has_feature(undefined_behavior_sanitizer)
TEST(Mirrors, TooManyOpenFilesAreNoDrivesFaultAndNotTheEnd) {
  constexpr int kMany = 400;
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  int acknowledged = 0;
  {
    const NoMoreFiles none;
    // Until a flush, which the log's segments or the memtables ask for, has failed on both.
    while (acknowledged < kMany && cloud.commit(numbered(acknowledged, 20'000))) ++acknowledged;
  }
  ASSERT_LT(acknowledged, kMany);
  EXPECT_TRUE(cloud.drives().online(cloud.id(0)));
  EXPECT_TRUE(cloud.drives().online(cloud.id(1)));
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < 2; ++i) static_cast<void>(cloud.store().add_mirror(cloud.id(i), {}));
  }
  EXPECT_TRUE(cloud.current(0));
  EXPECT_TRUE(cloud.current(1));
  EXPECT_TRUE(cloud.put("after", "1"));
  for (int i = 0; i < acknowledged; ++i) EXPECT_EQ(cloud.read(key_of(i), Space::kInline).size(), 20'000U);
  cloud.verify_journal();
}
#endif

// RocksDB locks a path for as long as a database there is open, were it on a drive that is long gone.
TEST(Mirrors, LostMirrorIsClosedWhenAnotherDriveTakesItsPlace) {
  TestCloud cloud(3, 3);
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 3), 3);
  for (const std::size_t lost : {1U, 2U}) {
    cloud.disk(lost).set_offline(true);
    cloud.drives().probe_all();
    ASSERT_TRUE(eventually([&] { return !cloud.current(lost); }));
    cloud.replace_drive(lost);
  }
  const Status added = cloud.store().add_mirror(cloud.id(1), {});
  ASSERT_TRUE(added) << added.error().describe();
  EXPECT_TRUE(cloud.current(1));
  // Nobody used the other one either.
  State::Options options;
  options.seal = test_record_seal();
  options.cache = rocksdb::NewLRUCache(1 << 20);
  const auto state = State::create(cloud.root(2) + "/meta/state", options);
  EXPECT_TRUE(state) << state.error().describe();
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(0)));
  check_whole(cloud, 3, 3);
}

// The group at hand when the last mirrors went may lie on any of them.
TEST(Mirrors, LastOnesComeBackInAnyOrderWithTheGroupThatWasUnderWay) {
  for (std::uint64_t n = 1;; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    TestCloud cloud(2, 2);
    cloud.options.log_segment_bytes = 32 << 10;  // so that operations that make room are among them
    ASSERT_TRUE(cloud.open());
    for (std::size_t i = 0; i < 2; ++i) {
      cloud.disk(i).arm(
          {.ops = io::changing_ops(), .path_prefix = "meta/", .nth = n + i * (n % 3), .from_then_on = true});
    }
    constexpr int kCommits = 12;
    const int acknowledged = commit_until_failure(cloud, 0, kCommits);
    const bool struck = cloud.disk(0).fired() + cloud.disk(1).fired() > 0;
    for (std::size_t i = 0; i < 2; ++i) cloud.disk(i).disarm();
    cloud.drives().probe_all();
    int came = 0;
    for (int round = 0; struck && round < 2; ++round) {
      for (std::size_t i = 0; i < 2; ++i) {
        const std::size_t drive = n % 2 == 0 ? i : 1 - i;
        const bool alone = came == 0;
        const bool was_current = cloud.current(drive);
        const Status added = cloud.store().add_mirror(cloud.id(drive), {});
        if (added) ++came;
        if (!added) {
          EXPECT_EQ(added.error(), Errc::kUnavailable) << added.error().describe();
          EXPECT_TRUE(alone && !was_current) << added.error().describe();
        }
      }
    }
    check_whole(cloud, acknowledged, kCommits);
    EXPECT_TRUE(cloud.put("after", "1"));
    EXPECT_TRUE(cloud.current(0));
    EXPECT_TRUE(cloud.current(1));
    cloud.lose_power(n);
    ASSERT_TRUE(cloud.open());
    EXPECT_EQ(cloud.read("after"), "1");
    cloud.verify_journal();
    if (!struck) break;
  }
}

TEST(Mirrors, RemovingIsIdempotentAndClearsWhatAFormerMirrorLeft) {
  TestCloud cloud(3, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 5), 5);
  const auto holds = [&](std::size_t i) {
    const auto answer = cloud.store().holds_files(cloud.id(i));
    EXPECT_TRUE(answer) << answer.error().describe();
    return answer.value_or(false);
  };
  EXPECT_TRUE(holds(0));
  EXPECT_FALSE(holds(2));
  cloud.disk(0).set_offline(true);
  cloud.drives().probe_all();
  ASSERT_TRUE(eventually([&] { return !cloud.current(0); }));
  EXPECT_EQ(cloud.store().holds_files(cloud.id(0)).error(), Errc::kUnavailable);
  EXPECT_TRUE(cloud.store().remove_mirror(cloud.id(0)));  // it is away: nothing to be done
  cloud.disk(0).set_offline(false);
  cloud.drives().probe_all();
  EXPECT_TRUE(holds(0));
  for (int i = 0; i < 2; ++i) {
    const Status removed = cloud.store().remove_mirror(cloud.id(0));
    EXPECT_TRUE(removed) << removed.error().describe();
    EXPECT_FALSE(holds(0));
  }
  EXPECT_TRUE(cloud.store().remove_mirror(cloud.id(2)));  // never was one
  EXPECT_FALSE(std::filesystem::exists(cloud.root(2) + "/meta"));
  EXPECT_EQ(cloud.store().remove_mirror(DriveId()).error(), Errc::kNotFound);
  EXPECT_EQ(cloud.store().holds_files(DriveId()).error(), Errc::kNotFound);
  // Each kind of leftover counts by itself.
  std::filesystem::create_directories(cloud.root(0) + "/meta/state");
  EXPECT_FALSE(holds(0));
  std::ofstream(cloud.root(0) + "/meta/state/000001.sst") << "x";
  EXPECT_TRUE(holds(0));
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(0)));
  ASSERT_TRUE(cloud.disk(0).open("meta/log/segment-0000", io::OpenMode::kCreate));
  EXPECT_TRUE(holds(0));
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(0)));
  ASSERT_TRUE(cloud.disk(0).replace(kMarkerPath, encode_marker(kLogBlockBytes)));
  EXPECT_TRUE(holds(0));
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(0)));
  EXPECT_FALSE(holds(0));
  check_whole(cloud, 5, 5);
}

TEST(Mirrors, StoppedOrFailedCopyLeavesNothingBehind) {
  TestCloud cloud(2, 1);
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 5), 5);
  const Status cancelled = cloud.store().add_mirror(cloud.id(1), [](std::uint64_t, std::uint64_t) { return false; });
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error(), Errc::kCancelled);
  EXPECT_FALSE(cloud.current(1));
  EXPECT_FALSE(std::filesystem::exists(cloud.root(1) + "/meta/state"));
  EXPECT_FALSE(std::filesystem::exists(cloud.root(0) + "/meta/checkpoint"));
  EXPECT_EQ(cloud.store().add_mirror(DriveId(), {}).error(), Errc::kNotFound);
  cloud.close();
  cloud.options.max_paused_copy_bytes = 1;  // each round copies the manifest, at least
  ASSERT_TRUE(cloud.open());
  EXPECT_EQ(cloud.store().add_mirror(cloud.id(1), {}).error(), Errc::kOverloaded);
  EXPECT_FALSE(cloud.current(1));
  EXPECT_FALSE(cloud.store().holds_files(cloud.id(1)).value_or(true));
  cloud.close();
  cloud.options.max_paused_copy_bytes = 64 << 20;
  ASSERT_TRUE(cloud.open());
  for (std::uint64_t n = 1;; ++n) {
    cloud.disk(1).reset_counts();
    cloud.disk(1).arm({.ops = io::changing_ops(), .path_prefix = "meta", .nth = n});
    const Status added = cloud.store().add_mirror(cloud.id(1), {});
    const bool struck = cloud.disk(1).fired() > 0;
    cloud.disk(1).disarm();
    EXPECT_EQ(added.has_value(), !struck) << "operation " << n;
    EXPECT_EQ(cloud.current(1), !struck);
    if (!struck) break;
    EXPECT_TRUE(cloud.put("while", std::to_string(n)));
  }
  EXPECT_TRUE(cloud.store().add_mirror(cloud.id(1), {}));  // it is one already
  ASSERT_TRUE(cloud.put("after", "1"));
  ASSERT_TRUE(cloud.store().remove_mirror(cloud.id(0)));
  EXPECT_EQ(cloud.read("after"), "1");
  EXPECT_FALSE(std::filesystem::exists(cloud.root(0) + "/meta/state"));
}

TEST(Mirrors, FullDriveRefusesDataAndGoesOnDeletingAndReading) {
  TestCloud cloud;
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 3), 3);
  cloud.disk(0).set_capacity(2 * cloud.options.log_segment_bytes + 20'000);
  Status full;
  EXPECT_TRUE(eventually([&] {
    const auto result = cloud.put("more", "data");
    if (!result) full = fail(result.error());
    return !result;
  }));
  EXPECT_EQ(full.error(), Errc::kNoSpace);
  EXPECT_EQ(cloud.read(key_of(1)), "value1");
  Commit remove;
  remove.event = "delete";
  remove.erase.push_back({Space::kRecords, key_of(1)});
  EXPECT_TRUE(cloud.commit(std::move(remove)));
  EXPECT_EQ(cloud.read(key_of(1)), "absent");
  Commit mark;
  mark.unwitnessed = "a mark before something is given back";
  mark.put.push_back({{Space::kRecords, key_of(2)}, "marked"});
  EXPECT_FALSE(cloud.commit(mark));
  mark.gives_back = true;
  EXPECT_TRUE(cloud.commit(std::move(mark)));
  EXPECT_EQ(cloud.read(key_of(2)), "marked");
  cloud.disk(0).set_capacity(0);
  EXPECT_TRUE(eventually([&] { return cloud.put("more", "data").has_value(); }));
  cloud.verify_journal();
}

// What the sealer goes on from is read again after a group that could not be stored.
TEST(Mirrors, DamagedJournalFailsOverToTheNextMirror) {
  TestCloud cloud(2, 2);
  cloud.options.cache_bytes = 1;  // so that the damage is seen
  ASSERT_TRUE(cloud.open());
  ASSERT_EQ(commit_until_failure(cloud, 0, 40), 40);
  cloud.close();
  ASSERT_TRUE(cloud.open());
  for (const auto& entry : std::filesystem::directory_iterator(cloud.root(0) + "/meta/state")) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    // Past the properties and the footer nothing is looked at again.
    for (std::uintmax_t at = 16; at + 16 < entry.file_size() / 2; at += 16) {
      file.seekp(static_cast<std::streamoff>(at));
      file.put('\x5a');
    }
  }
  Commit huge;
  huge.event = "huge";
  ASSERT_FALSE(cloud.commit(std::move(huge)));
  const auto after = cloud.put("after", "1");
  EXPECT_TRUE(after) << after.error().describe();
  EXPECT_EQ(cloud.read("after"), "1");
  EXPECT_FALSE(cloud.current(0));
  EXPECT_EQ(cloud.verify_journal(), 41U);
}

// A bad block in a state's file: the other mirror answers, and the damaged one is taken out; alone, it says so.
TEST(Mirrors, DamagedBlockFailsOverToTheNextMirror) {
  for (const std::size_t mirrors : {2U, 1U}) {
    TestCloud cloud(mirrors, mirrors);
    ASSERT_TRUE(cloud.open());
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(cloud.commit(numbered(i)));
    cloud.close();
    for (const auto& entry : std::filesystem::directory_iterator(cloud.root(0) + "/meta/state")) {
      if (entry.path().extension() != ".blob") continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);
      file.seekp(middle);
      file.write("\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    }
    ASSERT_TRUE(cloud.open());
    int corrupt = 0;
    for (int i = 0; i < 50; ++i) {
      const auto value = cloud.get(key_of(i), Space::kInline);
      if (!value) {
        EXPECT_EQ(value.error(), Errc::kCorrupt);
        ++corrupt;
      } else {
        ASSERT_TRUE(*value);
        EXPECT_EQ(**value, std::string(3000, static_cast<char>('a' + i % 26)));
      }
    }
    if (mirrors == 2) {
      EXPECT_EQ(corrupt, 0);
      EXPECT_TRUE(cloud.put("after", "1"));
      EXPECT_FALSE(cloud.current(0));
      EXPECT_TRUE(cloud.drives().online(cloud.id(0)));  // damaged files are no reason to give the drive up
      EXPECT_TRUE(cloud.store().add_mirror(cloud.id(0), {}));
    } else {
      EXPECT_EQ(corrupt, 1);
      EXPECT_TRUE(cloud.put("after", "1"));
    }
  }
}

// By a thread that a drive keeps: it does not answer, and is not damaged.
TEST(Recovery, AMirrorWhoseStateIsOpenAlreadyCountsAsOneOfADriveThatHangs) {
  TestCloud cloud(3, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "1"));
  cloud.close();
  State::Options options;
  options.seal = test_record_seal();
  options.cache = rocksdb::NewLRUCache(1 << 20);
  const auto held = State::open(cloud.root(0) + "/" + kStatePath, options);
  ASSERT_TRUE(held);
  const Status opened = cloud.open();
  ASSERT_TRUE(opened) << opened.error().describe();
  EXPECT_EQ(cloud.read("k"), "1");
  EXPECT_FALSE(cloud.current(0));
  const std::string reason = cloud.drives().offline_reason(cloud.id(0));
  EXPECT_NE(reason.find("is open in this process"), std::string::npos) << reason;
}

}  // namespace
}  // namespace andromede::meta
