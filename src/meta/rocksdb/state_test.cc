#include "meta/rocksdb/state.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rocksdb/table_properties.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "io/temporary_folder.h"
#include "meta/rocksdb/counter_merge.h"
#include "meta/rocksdb/log_record.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

State::Options options() {
  State::Options made;
  made.seal = test_record_seal();
  made.cache = rocksdb::NewLRUCache(8 << 20);
  made.memtable_bytes = 1 << 20;
  return made;
}

class StateTest : public testing::Test {
 protected:
  void SetUp() override { reopen(true); }
  void reopen(bool create = false) {
    state_.reset();
    auto opened = create ? State::create(path(), options()) : State::open(path(), options());
    ASSERT_TRUE(opened) << opened.error().describe();
    state_ = std::move(*opened);
  }
  [[nodiscard]] std::string path() const { return folder_.path() + "/state"; }
  void put(std::uint64_t index, const std::string& key, const std::string& value, Space space = Space::kRecords) {
    RecordBuilder builder(test_record_seal());
    builder.put(space, key, value);
    builder.finish(1, index, 1);
    ASSERT_TRUE(state_->apply(builder.payload(), index));
  }
  void add(std::uint64_t index, const std::string& key, std::int64_t by) {
    RecordBuilder builder(test_record_seal());
    builder.add(key, by);
    builder.finish(1, index, 1);
    ASSERT_TRUE(state_->apply(builder.payload(), index));
  }
  std::optional<std::string> get(const std::string& key, Space space = Space::kRecords) {
    std::string value;
    const auto found = state_->get(space, key, Tier::kAll, value);
    EXPECT_TRUE(found);
    if (!found || *found != Found::kYes) return std::nullopt;
    return value;
  }
  io::TemporaryFolder folder_;
  std::unique_ptr<State> state_;
};

TEST_F(StateTest, ACheckpointWarnsOfNothing) {
  put(1, "a", "1");
  testing::internal::CaptureStderr();
  const Status made = state_->checkpoint(folder_.path() + "/checkpoint");
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(made);
  EXPECT_EQ(told, "");
}

// Deletions in memory are flushed where there are many, and not again at once.
TEST_F(StateTest, DeletionsAreClearedAwayWhereThereAreManyAndNotTooOften) {
  std::uint64_t index = 0;
  const auto erase = [&](std::uint64_t count) {
    RecordBuilder builder(test_record_seal());
    for (std::uint64_t i = 0; i < count; ++i) builder.erase(Space::kRecords, "k" + std::to_string(i));
    builder.finish(1, ++index, 1);
    ASSERT_TRUE(state_->apply(builder.payload(), index));
  };
  const auto in_memory = [&] {
    std::uint64_t entries = 0;
    EXPECT_TRUE(
        state_->db().GetIntProperty(state_->family(Space::kRecords), "rocksdb.num-entries-active-mem-table", &entries));
    return entries;
  };
  SteadyTime now = SteadyTime{} + std::chrono::hours(1);
  erase(State::kDeletionsToClear - 1);
  state_->clear_deleted(now);
  EXPECT_EQ(in_memory(), State::kDeletionsToClear - 1);
  erase(1);
  state_->clear_deleted(now);
  EXPECT_EQ(in_memory(), 0U);
  erase(State::kDeletionsToClear);
  now += State::kClearEvery - std::chrono::milliseconds(1);
  state_->clear_deleted(now);
  EXPECT_EQ(in_memory(), State::kDeletionsToClear);
  now += std::chrono::milliseconds(1);
  state_->clear_deleted(now);
  EXPECT_EQ(in_memory(), 0U);
}

// Two tables are too few to be compacted in their turn.
TEST_F(StateTest, ATableOfDeletionsIsCompactedBeforeItsTurn) {
  constexpr int kKeys = 4000;
  for (std::uint64_t index = 1; index <= 2; ++index) {
    RecordBuilder builder(test_record_seal());
    for (int i = 0; i < kKeys; ++i) {
      if (index == 1) {
        builder.put(Space::kRecords, "k" + std::to_string(i), "value");
      } else {
        builder.erase(Space::kRecords, "k" + std::to_string(i));
      }
    }
    builder.finish(1, index, 1);
    ASSERT_TRUE(state_->apply(builder.payload(), index));
    ASSERT_TRUE(state_->flush());
  }
  const auto deletions_in_tables = [&] {
    rocksdb::TablePropertiesCollection tables;
    EXPECT_TRUE(state_->db().GetPropertiesOfAllTables(state_->family(Space::kRecords), &tables).ok());
    std::uint64_t deletions = 0;
    for (const auto& [path, table] : tables) deletions += table->num_deletions;
    return deletions;
  };
  for (int i = 0; i < 6'000 && deletions_in_tables() > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(deletions_in_tables(), 0U);
}

TEST_F(StateTest, ClosingLosesWhatWasNotFlushedAndKeepsTheRestConsistent) {
  put(1, "a", "1");
  put(2, "b", std::string(5000, 'b'), Space::kInline);
  ASSERT_TRUE(state_->flush());
  put(3, "c", "3");
  EXPECT_EQ(state_->applied(), 3U);
  EXPECT_EQ(*state_->flushed(), 2U);
  reopen();
  EXPECT_EQ(state_->applied(), 2U);
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("b", Space::kInline), std::string(5000, 'b'));
  EXPECT_EQ(get("c"), std::nullopt);
}

TEST_F(StateTest, AutomaticFlushesNeverPartAKeyFromItsIndex) {
  // Each commit changes two families; the memtables are small, so flushes happen by themselves.
  constexpr std::uint64_t kCommits = 2000;
  for (std::uint64_t i = 1; i <= kCommits; ++i) {
    RecordBuilder builder(test_record_seal());
    builder.put(Space::kRecords, "last", std::to_string(i));
    builder.put(Space::kInline, std::to_string(i), std::string(2000, 'x'));
    builder.finish(1, i, 1);
    ASSERT_TRUE(state_->apply(builder.payload(), i));
  }
  reopen();
  const std::uint64_t applied = state_->applied();
  ASSERT_GT(applied, 0U);
  EXPECT_EQ(get("last"), std::to_string(applied));
  EXPECT_TRUE(get(std::to_string(applied), Space::kInline));
  EXPECT_FALSE(get(std::to_string(applied + 1), Space::kInline));
}

TEST_F(StateTest, CountersAddAcrossFlushes) {
  for (std::uint64_t i = 1; i <= 100; ++i) {
    add(i, "n", static_cast<std::int64_t>(i));
    if (i % 30 == 0) {
      ASSERT_TRUE(state_->flush());
    }
  }
  EXPECT_EQ(decode_counter(*get("n", kCounterSpace)), 5050);
  add(101, "n", -6000);
  EXPECT_EQ(decode_counter(*get("n", kCounterSpace)), -950);
  // What none of this program's versions writes.
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  ASSERT_TRUE(state_->db().Put(unlogged, state_->family(kCounterSpace), "odd", "not eight bytes!").ok());
  add(102, "odd", 4);
  EXPECT_EQ(decode_counter(*get("odd", kCounterSpace)), 4);
  ASSERT_TRUE(state_->flush());
  reopen();
  EXPECT_EQ(decode_counter(*get("n", kCounterSpace)), -950);
}

TEST_F(StateTest, MemoryTierNeverTouchesTheDrive) {
  put(1, "a", std::string(100, 'a'));
  put(2, "b", std::string(9000, 'b'), Space::kInline);
  std::string value;
  EXPECT_EQ(*state_->get(Space::kRecords, "a", Tier::kMemory, value), Found::kYes);
  ASSERT_TRUE(state_->flush());
  reopen();
  EXPECT_EQ(*state_->get(Space::kRecords, "a", Tier::kMemory, value), Found::kNotInMemory);
  EXPECT_EQ(*state_->get(Space::kInline, "b", Tier::kMemory, value), Found::kNotInMemory);
  EXPECT_EQ(*state_->get(Space::kRecords, "a", Tier::kAll, value), Found::kYes);
  EXPECT_EQ(*state_->get(Space::kInline, "b", Tier::kAll, value), Found::kYes);
  EXPECT_EQ(*state_->get(Space::kRecords, "a", Tier::kMemory, value), Found::kYes);
  EXPECT_EQ(*state_->get(Space::kInline, "b", Tier::kMemory, value), Found::kYes);
  EXPECT_EQ(value.size(), 9000U);
}

TEST_F(StateTest, LastJournalEntry) {
  std::uint64_t sequence = 0;
  std::string entry;
  EXPECT_EQ(*state_->last_entry(sequence, entry), Found::kNo);
  for (std::uint64_t i = 1; i <= 300; ++i) {
    Bytes key;
    append_be64(key, i);
    put(i, std::string(as_text(key)), "entry " + std::to_string(i), Space::kJournal);
  }
  EXPECT_EQ(*state_->last_entry(sequence, entry), Found::kYes);
  EXPECT_EQ(sequence, 300U);
  EXPECT_EQ(entry, "entry 300");
}

TEST_F(StateTest, EpochMakesSaltAndStateDurableTogether) {
  put(1, "a", "1");
  ASSERT_TRUE(state_->start_epoch(0xfeed));
  reopen();
  EXPECT_EQ(state_->salt(), 0xfeedU);
  EXPECT_EQ(state_->applied(), 1U);
  EXPECT_EQ(get("a"), "1");
}

TEST_F(StateTest, MissingAndDamagedFilesAreCorrupt) {
  put(1, "a", "1");
  ASSERT_TRUE(state_->flush());
  state_.reset();
  const auto damage = [&](const std::string& prefix) {
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (!entry.path().filename().string().starts_with(prefix)) continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(9);
      file.write("\xff\xff\xff\xff\xff\xff", 6);
    }
  };
  damage("MANIFEST");
  auto opened = State::open(path(), options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kCorrupt) << opened.error().describe();
  std::filesystem::remove_all(path());
  opened = State::open(path(), options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kCorrupt) << opened.error().describe();
}

TEST_F(StateTest, CheckpointIsAStateOfItsOwn) {
  put(1, "a", "1");
  put(2, "b", std::string(9000, 'b'), Space::kInline);
  const std::string copy = folder_.path() + "/copy";
  ASSERT_TRUE(state_->checkpoint(copy));
  put(3, "c", "3");
  auto opened = State::open(copy, options());
  ASSERT_TRUE(opened) << opened.error().describe();
  EXPECT_EQ((*opened)->applied(), 2U);
  std::string value;
  EXPECT_EQ(*(*opened)->get(Space::kInline, "b", Tier::kAll, value), Found::kYes);
  EXPECT_EQ(*(*opened)->get(Space::kRecords, "c", Tier::kAll, value), Found::kNo);
}

std::string journal_key(std::uint64_t sequence) {
  Bytes key;
  append_be64(key, sequence);
  return std::string(as_text(key));
}

TEST_F(StateTest, CheckpointsUnderLoadHoldEveryFamilyUpToOneCommit) {
  constexpr std::uint64_t kCheckpoints = 12;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (std::uint64_t i = 1; !stop; ++i) {
      RecordBuilder builder(test_record_seal());
      builder.put(Space::kRecords, "last", std::to_string(i));
      builder.put(Space::kInline, std::to_string(i), std::string(600, 'x'));
      // Not in every commit: a family may have nothing to flush.
      if (i % 7 == 0) builder.put(Space::kJournal, journal_key(i), "entry");
      builder.finish(1, i, 1);
      EXPECT_TRUE(state_->apply(builder.payload(), i));
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  std::uint64_t checked = 0;
  for (std::uint64_t n = 0; n < kCheckpoints; ++n) {
    const std::string copy = folder_.path() + "/copy" + std::to_string(n);
    const std::uint64_t before = state_->applied();
    const Status made = state_->checkpoint(copy);
    EXPECT_TRUE(made) << made.error().describe();
    const auto opened = State::open(copy, options());
    EXPECT_TRUE(opened);
    if (!opened) break;
    const std::uint64_t applied = (*opened)->applied();
    EXPECT_GE(applied, before);
    std::string value;
    for (std::uint64_t i = checked + 1; i <= applied; ++i) {
      EXPECT_EQ(*(*opened)->get(Space::kInline, std::to_string(i), Tier::kAll, value), Found::kYes) << i;
      if (i % 7 == 0) EXPECT_EQ(*(*opened)->get(Space::kJournal, journal_key(i), Tier::kAll, value), Found::kYes);
    }
    checked = applied;
    if (applied > 0) {
      EXPECT_EQ(*(*opened)->get(Space::kRecords, "last", Tier::kAll, value), Found::kYes);
      EXPECT_EQ(value, std::to_string(applied));
    }
  }
  stop = true;
  writer.join();
}

TEST_F(StateTest, StartingAFlushWhileWritesAreHeldUpIsNoFailure) {
  for (std::uint64_t i = 1; i <= 3; ++i) {
    put(i, "a", std::to_string(i));
    ASSERT_TRUE(state_->flush());
  }
  const auto set = [&](const std::string& stop_at) {
    const rocksdb::Status status =
        state_->db().SetOptions(state_->family(Space::kRecords), {{"level0_file_num_compaction_trigger", "1000"},
                                                                  {"level0_slowdown_writes_trigger", stop_at},
                                                                  {"level0_stop_writes_trigger", stop_at}});
    EXPECT_TRUE(status.ok()) << status.ToString();
  };
  set("2");
  const Status started = state_->start_flush();
  EXPECT_TRUE(started) << started.error().describe();
  set("1000");
  put(4, "a", "4");
  EXPECT_TRUE(state_->start_flush());
  EXPECT_EQ(get("a"), "4");
}

// A process that a drive keeps in the kernel keeps the locks of its files too. Those that count are the drives' own.
TEST_F(StateTest, IsOpenOnceInThisProcessAndNoOtherOnesLockKeepsItClosed) {
  put(1, "a", "1");
  ASSERT_TRUE(state_->flush());
  const auto twice = State::open(path(), options());
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error(), Errc::kTimeout) << twice.error().describe();
  state_.reset();
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const std::string lock = path() + "/LOCK";
  const pid_t other = fork();
  if (other == 0) {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    const int file = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const char locked = fcntl(file, F_SETLK, &whole) == 0 ? 'y' : 'n';
    (void)!write(ends[1], &locked, 1);
    for (;;) pause();
  }
  ASSERT_GT(other, 0);
  char locked = 0;
  EXPECT_EQ(read(ends[0], &locked, 1), 1);
  EXPECT_EQ(locked, 'y');
  auto opened = State::open(path(), options());
  EXPECT_TRUE(opened) << opened.error().describe();
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
  for (const int end : ends) close(end);
}

TEST(StateErrors, TellWhoseFaultItIs) {
  const auto code = [](const rocksdb::Status& status) { return to_error(status, "a test"); };
  EXPECT_EQ(code(rocksdb::Status::IOError("While open a file: /a/1.sst", "Too many open files")), Errc::kOverloaded);
  EXPECT_EQ(code(rocksdb::Status::IOError("While open a file: /a/1.sst", "Too many open files in system")),
            Errc::kOverloaded);
  EXPECT_EQ(code(rocksdb::Status::IOError("While appending: /a/1.sst", "Disk quota exceeded")), Errc::kNoSpace);
  EXPECT_EQ(code(rocksdb::Status::IOError("While reading: /a/1.sst", "Input/output error")), Errc::kIo);
  EXPECT_EQ(code(rocksdb::Status::NoSpace()), Errc::kNoSpace);
  EXPECT_EQ(code(rocksdb::Status::Corruption("a block")), Errc::kCorrupt);
}

TEST_F(StateTest, DoesNotMakeTheRootOfADriveThatWentAway) {
  const std::string root = folder_.path() + "/drive";
  const auto made = State::create(root + "/meta/state", options());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error(), Errc::kIo);
  EXPECT_FALSE(std::filesystem::exists(root));
}

}  // namespace
}  // namespace andromede::meta
