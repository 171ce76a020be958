// What is acknowledged survives the next loss: commits below the least redundancy are refused or wait, those that
// restore it go on, and nothing is told, or shown, that not every mirror which counts has.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <sstream>
#include <thread>

#include "meta/rocksdb/log_record.h"
#include "meta/rocksdb/mirror.h"
#include "meta/rocksdb/state.h"
#include "meta/rocksdb/test_cloud.h"
#include "meta/rocksdb/test_hanging_tables.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

constexpr std::chrono::minutes kTenMinutes{10};

Commit put_of(const std::string& key, const std::string& value) {
  Commit change;
  change.put.push_back({{Space::kRecords, key}, value});
  change.event = "put " + key;
  return change;
}

Commit restoring(const std::string& key) {
  Commit change = put_of(key, "restored");
  change.restores_redundancy = true;
  return change;
}

// Three mirrors at three sites, of which two at two sites must have a commit.
class RedundancyTest : public testing::Test {
 protected:
  void open(std::chrono::milliseconds wait) {
    cloud_.options.least_mirrors = 2;
    cloud_.options.least_sites = 2;
    cloud_.options.redundancy_wait = wait;
    const Status opened = cloud_.open();
    ASSERT_TRUE(opened) << opened.error().describe();
    ASSERT_TRUE(cloud_.put("before", "1"));
  }
  void lose(std::size_t drive) {
    cloud_.disk(drive).set_offline(true);
    cloud_.drives().probe_all();
    ASSERT_TRUE(eventually([&] { return !cloud_.current(drive); }));
  }
  std::future<Result<CommitInfo>> begin(Commit change, Deadline deadline = Deadline::never()) {
    return std::async(std::launch::async, [this, change = std::move(change), deadline] {
      return sync_wait(cloud_.store().commit(change, deadline));
    });
  }
  // Whether so many commits come to wait for mirrors, `commit` among them.
  bool held(const std::future<Result<CommitInfo>>& commit, std::size_t commits) {
    const std::string line = "\nandromede_meta_commits_held " + std::to_string(commits) + "\n";
    return eventually([&] { return cloud_.metrics().render().find(line) != std::string::npos; }) &&
           commit.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  }
  ManualClock manual_clock_{Timestamp{0}};  // for the cloud, which it outlives
  TestCloud cloud_{4, 3};
  const SystemClock clock_;
};

TEST_F(RedundancyTest, BelowItCommitsAreRefusedWholeAndTheMessageSaysWhatIsMissing) {
  open(std::chrono::milliseconds(0));
  lose(0);
  EXPECT_TRUE(cloud_.put("two mirrors", "1"));
  EXPECT_FALSE(cloud_.store().shortfall());
  lose(1);
  const auto shortfall = cloud_.store().shortfall();
  ASSERT_TRUE(shortfall);
  EXPECT_NE(shortfall->find("must be on 2 metadata mirrors at 2 sites, and 1 takes part (drive-2 of site site-2)"),
            std::string::npos)
      << *shortfall;
  const std::uint64_t entries = cloud_.store().last_sequence();
  const auto refused = cloud_.put("one mirror", "1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kNotBegun);
  EXPECT_FALSE(leaves_doubt(refused.error()));
  EXPECT_EQ(refused.error().message(), *shortfall);
  const Status accepts = cloud_.store().accepts_commits();
  ASSERT_FALSE(accepts);
  EXPECT_EQ(accepts.error(), Errc::kNotBegun);
  EXPECT_EQ(accepts.error().message(), *shortfall);
  Commit erase;
  erase.event = "delete";
  erase.erase.push_back({Space::kRecords, "before"});
  EXPECT_EQ(cloud_.commit(std::move(erase)).error(), Errc::kNotBegun);
  EXPECT_EQ(cloud_.read("one mirror"), "absent");
  EXPECT_EQ(cloud_.read("before"), "1");
  EXPECT_EQ(cloud_.store().last_sequence(), entries);
  EXPECT_TRUE(cloud_.commit(restoring("mirror")));
  ASSERT_TRUE(cloud_.store().add_mirror(cloud_.id(3), {}));
  EXPECT_FALSE(cloud_.store().shortfall());
  EXPECT_TRUE(cloud_.store().accepts_commits());
  EXPECT_TRUE(cloud_.put("two again", "1"));
  cloud_.verify_journal();
}

// What another took away still takes writes: acknowledged by it, they would be nowhere.
TEST_F(RedundancyTest, AMirrorWhoseLogOrStateAnotherTookAwayIsFoundLost) {
  open(std::chrono::milliseconds(0));
  cloud_.drives().probe_all();
  ASSERT_TRUE(cloud_.current(0) && cloud_.current(1));
  const auto segments = cloud_.disk(0).list(kLogFolder);
  ASSERT_TRUE(segments);
  ASSERT_TRUE(cloud_.disk(0).remove(std::string(kLogFolder) + "/" + segments->back()));
  EXPECT_TRUE(cloud_.put("to an unlinked segment too", "1"));
  cloud_.drives().probe_all();
  EXPECT_TRUE(eventually([&] { return !cloud_.current(0); }));
  EXPECT_TRUE(cloud_.put("two mirrors", "1"));
  std::filesystem::rename(cloud_.root(1) + "/" + kStatePath, cloud_.root(1) + "/moved");
  cloud_.drives().probe_all();
  EXPECT_TRUE(eventually([&] { return !cloud_.current(1); }));
  EXPECT_TRUE(cloud_.store().shortfall());
}

TEST_F(RedundancyTest, CommitsWaitForTheNextMirrorAndKeepNobodyElseWaiting) {
  open(kTenMinutes);
  lose(0);
  lose(1);
  auto first = begin(put_of("first", "1"));
  auto second = begin(put_of("second", "1"));
  EXPECT_TRUE(held(first, 2));
  EXPECT_TRUE(cloud_.store().accepts_commits());
  EXPECT_TRUE(cloud_.commit(restoring("mirror")));
  EXPECT_EQ(cloud_.read("first"), "absent");
  ASSERT_TRUE(cloud_.store().add_mirror(cloud_.id(3), {}));
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  cloud_.disk(2).set_offline(true);
  cloud_.drives().probe_all();
  EXPECT_EQ(cloud_.read("first"), "1");
  EXPECT_EQ(cloud_.read("second"), "1");
}

// The record reaches one mirror of three, and two fail in the same sync: nobody may be told before another has it.
TEST_F(RedundancyTest, WhatOneMirrorAloneHasIsNotAcknowledgedBeforeAnotherHasItToo) {
  open(kTenMinutes);
  for (const std::size_t drive : {0U, 1U}) {
    cloud_.disk(drive).arm({.ops = {io::DiskOp::kSync}, .path_prefix = "meta/log", .from_then_on = true});
  }
  auto commit = begin(put_of("alone", "1"));
  ASSERT_TRUE(eventually([&] { return cloud_.store().shortfall().has_value(); }));
  EXPECT_TRUE(held(commit, 1));
  ASSERT_TRUE(cloud_.store().add_mirror(cloud_.id(3), {}));
  EXPECT_TRUE(commit.get());
  // The next loss, of the one that had it first.
  cloud_.disk(2).set_offline(true);
  cloud_.drives().probe_all();
  EXPECT_EQ(cloud_.read("alone"), "1");
}

TEST_F(RedundancyTest, WhatOneMirrorAloneKeepsMayBeDoneAndIsAnsweredSo) {
  open(std::chrono::milliseconds(0));
  for (const std::size_t drive : {0U, 1U}) {
    cloud_.disk(drive).arm({.ops = {io::DiskOp::kSync}, .path_prefix = "meta/log", .from_then_on = true});
  }
  const auto lost = cloud_.put("alone", "1");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error(), Errc::kUnavailable);
  EXPECT_TRUE(leaves_doubt(lost.error()));
}

TEST_F(RedundancyTest, AStopLeavesDoubtOfWhatOneMirrorAloneHas) {
  open(kTenMinutes);
  for (const std::size_t drive : {0U, 1U}) {
    cloud_.disk(drive).arm({.ops = {io::DiskOp::kSync}, .path_prefix = "meta/log", .from_then_on = true});
  }
  auto commit = begin(put_of("alone", "1"));
  ASSERT_TRUE(eventually([&] { return cloud_.store().shortfall().has_value(); }));
  cloud_.store().stop();
  EXPECT_TRUE(leaves_doubt(commit.get().error()));
}

TEST_F(RedundancyTest, ADeadlineTheBoundAndAStopEndTheWait) {
  open(kTenMinutes);
  lose(0);
  lose(1);
  const auto late = begin(put_of("late", "1"), Deadline::after(clock_, std::chrono::milliseconds(50))).get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), Errc::kNotBegun);
  auto waiting = begin(put_of("waiting", "1"));
  EXPECT_TRUE(held(waiting, 1));
  cloud_.store().stop();
  EXPECT_EQ(waiting.get().error(), Errc::kNotBegun);
  cloud_.close();

  // A start with one mirror waits as well, for so long and no longer.
  cloud_.options.redundancy_wait = std::chrono::milliseconds(100);
  ASSERT_TRUE(cloud_.open());
  EXPECT_EQ(cloud_.read("waiting"), "absent");
  EXPECT_EQ(cloud_.put("bounded", "1").error(), Errc::kNotBegun);
  EXPECT_EQ(cloud_.read("bounded"), "absent");
}

TEST_F(RedundancyTest, ThoseThatWaitCountAgainstTheQueue) {
  cloud_.options.max_queued_commits = 3;
  open(kTenMinutes);
  lose(0);
  lose(1);
  std::vector<std::future<Result<CommitInfo>>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(begin(put_of("k" + std::to_string(i), "1")));
    EXPECT_TRUE(held(waiting.back(), waiting.size()));
  }
  EXPECT_EQ(cloud_.put("one too many", "1").error(), Errc::kOverloaded);
  ASSERT_TRUE(cloud_.store().add_mirror(cloud_.id(3), {}));
  for (auto& commit : waiting) EXPECT_TRUE(commit.get());
  EXPECT_TRUE(cloud_.put("room again", "1"));
}

TEST_F(RedundancyTest, AMirrorThatIsNeededStays) {
  open(std::chrono::milliseconds(0));
  EXPECT_TRUE(cloud_.store().remove_mirror(cloud_.id(0)));
  const Status refused = cloud_.store().remove_mirror(cloud_.id(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kRefused);
  EXPECT_TRUE(cloud_.current(1));
  EXPECT_TRUE(cloud_.put("two are left", "1"));
}

TEST(Redundancy, MirrorsOfOneSiteAreOneWhereThePolicyCountsSites) {
  TestCloud cloud(3, 3, 1);
  cloud.options.least_mirrors = 2;
  cloud.options.least_sites = 2;
  cloud.options.redundancy_wait = std::chrono::milliseconds(0);
  ASSERT_TRUE(cloud.open());
  EXPECT_EQ(cloud.put("k", "1").error(), Errc::kNotBegun);
  EXPECT_NE(cloud.store().shortfall()->find("at 2 sites, and 3 take part"), std::string::npos);
  // Operators who accepted that no lost site is survived have what they accepted.
  ASSERT_TRUE(cloud.drives().update([](io::DriveMap& map) -> Status {
    map.accepted_site_losses = std::uint8_t{0};
    return {};
  }));
  EXPECT_TRUE(cloud.put("k", "1"));
}

// A file system of its own over a folder, which can be made to take no more files while it shows free bytes: in
// namespaces of this process, where the kernel allows them.
class FewFiles {
 public:
  // Before the process has a second thread.
  static bool allowed() {
    const std::string ids = "0 " + std::to_string(getuid()) + " 1";
    const std::string groups = "0 " + std::to_string(getgid()) + " 1";
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    std::ofstream("/proc/self/setgroups") << "deny";
    return static_cast<bool>(std::ofstream("/proc/self/uid_map") << ids << std::flush) &&
           static_cast<bool>(std::ofstream("/proc/self/gid_map") << groups << std::flush);
  }
  explicit FewFiles(std::string path) : path_(std::move(path)) {
    mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, "nr_inodes=200") == 0;
  }
  FewFiles(const FewFiles&) = delete;
  FewFiles& operator=(const FewFiles&) = delete;
  ~FewFiles() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  [[nodiscard]] bool mounted() const { return mounted_; }
  void use_up() const {
    for (int i = 0; std::ofstream(path_ + "/" + std::to_string(i)); ++i) {
    }
  }

 private:
  const std::string path_;
  bool mounted_ = false;
};

TEST(FullMirror, IsDoneWithoutWhereTheOthersAreEnough) {
  if (!FewFiles::allowed()) GTEST_SKIP() << "no user namespaces here";
  TestCloud cloud(4, 3);
  const FewFiles few(cloud.root(0));
  if (!few.mounted()) GTEST_SKIP() << "nothing can be mounted here";
  cloud.options.least_mirrors = 2;
  cloud.options.least_sites = 2;
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "1"));
  few.use_up();
  // A copy begins with a flush, by which it is found out: not the new mirror's drive is to blame.
  EXPECT_EQ(cloud.store().add_mirror(cloud.id(3), {}).error(), Errc::kUnavailable);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(cloud.put("after" + std::to_string(i), std::string(20'000, 'y')));
  EXPECT_FALSE(cloud.current(0));
  EXPECT_TRUE(cloud.drives().online(cloud.id(0))) << "a full drive still answers";
  EXPECT_EQ(cloud.store().out_for_space(), std::vector<DriveId>{cloud.id(0)});
  EXPECT_TRUE(cloud.store().add_mirror(cloud.id(3), {}));
  EXPECT_EQ(cloud.read("k"), "1");
  cloud.verify_journal();
}

TEST(FullMirror, ThatIsNeededRefusesCommitsUntilAnotherIsMadeFromOneWithRoom) {
  if (!FewFiles::allowed()) GTEST_SKIP() << "no user namespaces here";
  TestCloud cloud(3, 2);
  const FewFiles few(cloud.root(0));
  if (!few.mounted()) GTEST_SKIP() << "nothing can be mounted here";
  cloud.options.least_mirrors = 2;
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "1"));
  few.use_up();
  EXPECT_EQ(cloud.store().add_mirror(cloud.id(2), {}).error(), Errc::kUnavailable);
  EXPECT_EQ(cloud.put("k", "2").error(), Errc::kNoSpace);
  EXPECT_TRUE(cloud.current(0));
  const auto rooms = cloud.store().room();
  ASSERT_EQ(rooms.size(), 2U);
  EXPECT_EQ(rooms[0].free_bytes, 0U) << "whatever its file system shows";
  EXPECT_GT(rooms[1].free_bytes, 0U);
  const Status added = cloud.store().add_mirror(cloud.id(2), {});
  ASSERT_TRUE(added) << added.error().describe();
  EXPECT_TRUE(cloud.put("k", "2"));
  EXPECT_FALSE(cloud.current(0));
  cloud.verify_journal();
}

// One mirror was changed behind our back, with right checksums: it hides a record, and has another of its own.
TEST(Everywhere, WhatCannotBeTakenBackIsAskedOfEveryMirror) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cloud.put("k" + std::to_string(i), "v"));
  const std::uint64_t index = cloud.store().mirrors().front().commits;
  cloud.close();
  {
    State::Options options;
    options.seal = test_record_seal();
    options.cache = rocksdb::NewLRUCache(1 << 20);
    auto state = State::open(cloud.root(0) + "/meta/state", options);
    ASSERT_TRUE(state);
    RecordBuilder builder(test_record_seal());
    builder.erase(Space::kRecords, "k3");
    builder.erase(Space::kRecords, "k7");
    builder.put(Space::kRecords, "k5", "forged");
    builder.finish(1, index, 1);
    ASSERT_TRUE((*state)->apply(builder.payload(), index));
    ASSERT_TRUE((*state)->flush());
  }
  ASSERT_TRUE(cloud.open());
  const auto everywhere = [&](const char* key) -> std::string {
    std::string said;
    const auto answers = sync_wait(cloud.store().get_everywhere({Space::kRecords, key}, Deadline::never()));
    if (!answers) return answers.error().describe();
    for (const CopyAnswer& answer : *answers) said += answer.value.value_or("absent") + " ";
    return said;
  };
  EXPECT_EQ(everywhere("k1"), "v v ");
  EXPECT_EQ(everywhere("k3"), "absent v ");
  EXPECT_EQ(everywhere("k5"), "forged v ");
  EXPECT_EQ(everywhere("none"), "absent absent ");
  // One copy's page may reach further than another's.
  for (std::size_t page = 1; page <= 12; ++page) {
    std::string all;
    Scan scan;
    scan.begin = "k";
    scan.end = "l";
    scan.limit = page;
    for (;;) {
      const auto items = sync_wait(cloud.store().scan_everywhere(scan));
      ASSERT_TRUE(items);
      for (const Item& item : *items) all += item.key + (item.value == "v" ? " " : "! ");
      if (items->size() < page) break;
      scan.begin = items->back().key + std::string(1, '\0');
    }
    EXPECT_EQ(all, "k0 k1 k2 k3 k4 k5! k5 k6 k7 k8 k9 ") << page;
  }
  // Those that take part are asked, and no others.
  cloud.disk(1).set_offline(true);
  cloud.drives().probe_all();
  EXPECT_TRUE(eventually([&] { return everywhere("k3") == "absent "; }));
}

// An empty answer would say that all may be erased.
TEST(Everywhere, WithoutAMirrorThereIsNoAnswer) {
  TestCloud cloud;
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "v"));
  cloud.disk(0).set_offline(true);
  cloud.drives().probe_all();
  const std::string none = "\nandromede_meta_mirrors_online 0\n";
  ASSERT_TRUE(eventually([&] { return cloud.metrics().render().find(none) != std::string::npos; }));
  const auto refused = [](const auto& answer) { return !answer && answer.error() == Errc::kUnavailable; };
  MirroredStore& store = cloud.store();
  EXPECT_TRUE(refused(sync_wait(store.get_everywhere({Space::kRecords, "k"}, Deadline::never()))));
  EXPECT_TRUE(refused(sync_wait(store.scan_everywhere({}))));
  EXPECT_TRUE(refused(sync_wait(store.scan({}))));
  EXPECT_TRUE(refused(sync_wait(store.get_many({}, {"k"}, Deadline::never()))));
  EXPECT_TRUE(refused(sync_wait(store.cursor({{}, "", "k", "l", {}})->seek("k"))));
}

// It may know more than the others.
TEST(Everywhere, WhileALostMirrorIsNotMarkedOutThereIsNoAnswer) {
  TestCloud cloud(3, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "v"));
  cloud.disk(1).arm({.ops = {io::DiskOp::kSync}, .path_prefix = "meta/log"});
  for (std::size_t i = 0; i < 3; ++i)
    cloud.disk(i).arm({.ops = {io::DiskOp::kRename}, .path_prefix = "map", .from_then_on = true});
  EXPECT_FALSE(cloud.put("k", "after"));
  EXPECT_FALSE(sync_wait(cloud.store().get_everywhere({Space::kRecords, "k"}, Deadline::never())));
  EXPECT_FALSE(sync_wait(cloud.store().scan_everywhere({})));
}

// A state shows a group only once every mirror has it, or is marked out.
TEST(Visibility, NothingIsSeenWhileAMirrorHangs) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "before"));
  const std::uint64_t synced = cloud.disk(0).operations(io::DiskOp::kSync);
  cloud.disk(1).set_hanging(true);
  auto commit = std::async(std::launch::async, [&] { return cloud.put("k", "after"); });
  EXPECT_TRUE(
      eventually([&] { return cloud.disk(0).operations(io::DiskOp::kSync) > synced && cloud.disk(1).hanging() > 0; }));
  // There is no event that would say that it could be seen by now.
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(cloud.read("k"), "before");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_NE(commit.wait_for(std::chrono::milliseconds(0)), std::future_status::ready);
  cloud.disk(1).set_hanging(false);
  EXPECT_TRUE(commit.get());
  EXPECT_EQ(cloud.read("k"), "after");
}

// The first of the list, and any other; one and two of three.
TEST_F(RedundancyTest, MirrorsThatHangAreWaitedForSoLongAndTheOthersGoOn) {
  cloud_.options.mirror_patience = kPatience;
  open(kTenMinutes);
  cloud_.disk(0).set_hanging(true);
  EXPECT_TRUE(cloud_.put("without the first", "1"));
  EXPECT_FALSE(cloud_.drives().online(cloud_.id(0)));
  EXPECT_EQ(cloud_.store().mirrors().size(), 2U);
  cloud_.disk(2).set_hanging(true);
  auto waits = begin(put_of("one is left", "1"));
  ASSERT_TRUE(eventually([&] { return cloud_.store().shortfall().has_value(); }));
  EXPECT_EQ(cloud_.read("without the first"), "1");
  for (const std::size_t drive : {0, 2}) cloud_.disk(drive).set_hanging(false);
  EXPECT_TRUE(eventually([&] {
    cloud_.drives().probe_all();
    return cloud_.store().add_mirror(cloud_.id(2), {}).has_value();
  }));
  EXPECT_TRUE(waits.get());
  EXPECT_TRUE(eventually([&] { return cloud_.store().add_mirror(cloud_.id(0), {}).has_value(); }));
  for (const std::size_t drive : {0, 1, 2}) EXPECT_TRUE(cloud_.current(drive)) << drive;
}

// Each time well within what is waited for.
TEST_F(RedundancyTest, AMirrorThatIsLateAgainAndAgainIsToldAndThenDoneWithoutAsLongAsTheOthersAreEnough) {
  cloud_.clock = &manual_clock_;
  open(std::chrono::milliseconds(0));
  const auto late = [&](std::size_t drive, const std::string& key) {
    cloud_.disk(drive).set_hanging(true);
    auto commit = begin(put_of(key, "1"));
    EXPECT_TRUE(eventually([&] { return cloud_.disk(drive).hanging() > 0; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the others have done their part
    manual_clock_.advance(std::chrono::seconds(6));
    cloud_.disk(drive).set_hanging(false);
    EXPECT_TRUE(commit.get()) << key;
  };
  const auto told = [&](std::size_t drive) {
    for (const MirrorStatus& mirror : cloud_.store().mirrors()) {
      if (mirror.drive == cloud_.id(drive)) return mirror.waited_for;
    }
    return std::chrono::milliseconds(-1);
  };
  late(1, "first");
  EXPECT_EQ(told(1), std::chrono::seconds(6));
  EXPECT_EQ(told(0), std::chrono::seconds(0));
  EXPECT_TRUE(cloud_.current(1));
  late(1, "second");
  EXPECT_TRUE(eventually([&] { return !cloud_.current(1); }));
  EXPECT_NE(cloud_.drives().offline_reason(cloud_.id(1)).find("12000 ms"), std::string::npos);
  EXPECT_EQ(cloud_.read("second"), "1");
  // Two are left, and both are needed.
  for (int i = 0; i < 4; ++i) late(2, "needed " + std::to_string(i));
  EXPECT_EQ(told(2), std::chrono::seconds(24));
  EXPECT_TRUE(cloud_.put("more", "1"));
  EXPECT_TRUE(cloud_.current(2));
  cloud_.close();  // before the clock goes
}

// Those that are left may do better without it.
TEST_F(RedundancyTest, OfTwoMirrorsThatAreLateOneIsDoneWithoutAtATime) {
  cloud_.clock = &manual_clock_;
  ASSERT_TRUE(cloud_.open());
  for (const std::size_t drive : {1U, 2U}) cloud_.disk(drive).set_hanging(true);
  auto commit = begin(put_of("late", "1"));
  EXPECT_TRUE(eventually([&] { return cloud_.disk(1).hanging() > 0 && cloud_.disk(2).hanging() > 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the other has done its part
  manual_clock_.advance(std::chrono::seconds(12));
  for (const std::size_t drive : {1U, 2U}) cloud_.disk(drive).set_hanging(false);
  EXPECT_TRUE(commit.get());
  EXPECT_TRUE(eventually([&] { return !cloud_.current(1) || !cloud_.current(2); }));
  // Each looks again.
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(cloud_.put("more", "1"));
  EXPECT_NE(cloud_.current(1), cloud_.current(2));
}

// Who asks the drives for their space must not hang with one.
TEST_F(RedundancyTest, AMirrorThatHangsWhenAskedForItsSpaceIsWaitedForSoLongToo) {
  cloud_.options.mirror_patience = kPatience;
  open(kTenMinutes);
  for (const std::size_t hangs : {2U, 0U}) {
    std::this_thread::sleep_for(std::chrono::milliseconds(600));  // until the space is asked for again
    cloud_.disk(hangs).set_hanging(true);
    auto commit = begin(put_of("without " + std::to_string(hangs), "1"));
    if (hangs == 2) {
      EXPECT_TRUE(eventually([&] { return commit.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
    } else {
      EXPECT_TRUE(held(commit, 1)) << "one is left";
    }
    EXPECT_FALSE(cloud_.drives().online(cloud_.id(hangs)));
    cloud_.disk(hangs).set_hanging(false);
    if (hangs == 0) {
      EXPECT_TRUE(cloud_.store().add_mirror(cloud_.id(3), {}));
    }
    EXPECT_TRUE(commit.get());
  }
  cloud_.verify_journal();
}

TEST_F(RedundancyTest, WhereOneMirrorFailsAtOnceTheOthersAreWaitedFor) {
  cloud_.options.mirror_patience = std::chrono::milliseconds(50);
  open(std::chrono::milliseconds(0));
  std::this_thread::sleep_for(std::chrono::milliseconds(600));  // until the space is asked for again
  cloud_.disk(0).set_offline(true);
  for (const std::size_t drive : {1U, 2U}) cloud_.disk(drive).set_hanging(true);
  auto commit = begin(put_of("slow", "1"));
  EXPECT_EQ(commit.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  for (const std::size_t drive : {1U, 2U}) cloud_.disk(drive).set_hanging(false);
  const auto done = commit.get();
  EXPECT_TRUE(done) << done.error().describe();
  EXPECT_TRUE(cloud_.current(1) && cloud_.current(2));
}

TEST_F(RedundancyTest, AMirrorThatHangsWhenACommitReadsIsGivenUpAndTheNextOneAnswers) {
  cloud_.options.mirror_patience = kPatience;
  cloud_.options.max_open_files = 20;  // few enough that a start does not open every table
  open(kTenMinutes);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cloud_.put("k" + std::to_string(i), "1"));
    cloud_.close();
    ASSERT_TRUE(cloud_.open());
  }
  const DriveId first = cloud_.store().mirrors().front().drive;
  std::size_t hangs = 0;
  while (cloud_.id(hangs) != first) ++hangs;
  HangingTables tables(cloud_.root(hangs) + "/meta/state");
  for (int i = 0; i < 3; ++i) {
    Commit change = put_of("k" + std::to_string(i), "2");
    change.expect.push_back({"k" + std::to_string(i), "1"});
    auto commit = begin(std::move(change));
    EXPECT_TRUE(eventually([&] { return commit.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
    EXPECT_TRUE(commit.get());
  }
  EXPECT_FALSE(cloud_.current(hangs));
  EXPECT_FALSE(cloud_.drives().online(first));
  EXPECT_EQ(cloud_.store().mirrors().size(), 2U);
  EXPECT_EQ(cloud_.read("k0"), "2");
  EXPECT_TRUE(tables.let_go()) << "a read hung";
}

// Its probes answer: nothing says that it is offline.
TEST_F(RedundancyTest, AMirrorInTheMakingThatTellsNothingMoreIsGivenUp) {
  cloud_.options.silence_patience = std::chrono::milliseconds(300);
  open(kTenMinutes);
  cloud_.disk(3).set_hanging(true);
  auto added = std::async(std::launch::async, [&] { return cloud_.store().add_mirror(cloud_.id(3), {}); });
  const bool ended = added.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  EXPECT_TRUE(ended);
  EXPECT_TRUE(cloud_.drives().online(cloud_.id(3)));
  // What has not ended there keeps another one off the drive.
  if (ended) EXPECT_EQ(cloud_.store().add_mirror(cloud_.id(3), {}).error(), Errc::kTimeout);
  cloud_.disk(3).set_hanging(false);
  EXPECT_EQ(added.get().error(), Errc::kTimeout);
  EXPECT_TRUE(eventually([&] { return cloud_.store().add_mirror(cloud_.id(3), {}).has_value(); }));
}

class LastMirror : public testing::Test {
 protected:
  // It went, is there again, and hangs.
  void hang(std::chrono::milliseconds opening_patience) {
    cloud_.options.opening_patience = opening_patience;
    ASSERT_TRUE(cloud_.open());
    ASSERT_TRUE(cloud_.put("before", "1"));
    cloud_.disk(0).set_offline(true);
    cloud_.drives().probe_all();
    // Not before the failed mirror is taken out.
    const std::string none = "\nandromede_meta_mirrors_online 0\n";
    ASSERT_TRUE(eventually([&] { return cloud_.metrics().render().find(none) != std::string::npos; }));
    cloud_.disk(0).set_offline(false);
    ASSERT_TRUE(eventually([&] {
      cloud_.drives().probe_all();
      return cloud_.drives().online(cloud_.id(0));
    }));
    cloud_.disk(0).set_hanging(true);
  }
  void TearDown() override { cloud_.disk(0).set_hanging(false); }
  std::future<Status> come_back(std::function<bool(std::uint64_t, std::uint64_t)> progress = {}) {
    return std::async(std::launch::async,
                      [this, progress] { return cloud_.store().add_mirror(cloud_.id(0), progress); });
  }
  bool soon(const std::future<Status>& added) {
    const bool ended = added.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
    if (!ended) cloud_.disk(0).set_hanging(false);
    return ended;
  }
  TestCloud cloud_;
};

TEST_F(LastMirror, ThatHangsWhenItComesBackIsWaitedForSoLongAndMayTryAgain) {
  hang(std::chrono::milliseconds(500));
  auto added = come_back();
  EXPECT_TRUE(soon(added));
  EXPECT_EQ(added.get().error(), Errc::kTimeout);
  EXPECT_GT(cloud_.disk(0).hanging(), 0U);
  cloud_.disk(0).set_hanging(false);
  EXPECT_TRUE(eventually([&] { return cloud_.store().add_mirror(cloud_.id(0), {}).has_value(); }));
  EXPECT_EQ(cloud_.read("before"), "1");
  EXPECT_TRUE(cloud_.put("after", "1"));
}

TEST_F(LastMirror, ThatHangsWhenItComesBackKeepsNobodyWhoStops) {
  hang(kTenMinutes);
  std::atomic<bool> go_on{true};
  auto added = come_back([&](std::uint64_t, std::uint64_t) { return go_on.load(); });
  EXPECT_TRUE(eventually([&] { return cloud_.disk(0).hanging() > 0; }));
  go_on = false;
  EXPECT_TRUE(soon(added));
  EXPECT_EQ(added.get().error(), Errc::kCancelled);
  auto closed = std::async(std::launch::async, [&]() -> Status {
    cloud_.store().stop();
    return {};
  });
  EXPECT_TRUE(soon(closed));
}

TEST_F(LastMirror, ThatHangsWhenItComesBackKeepsNoCommitFromItsAnswer) {
  hang(kTenMinutes);
  std::atomic<bool> go_on{true};
  auto added = come_back([&](std::uint64_t, std::uint64_t) { return go_on.load(); });
  EXPECT_TRUE(eventually([&] { return cloud_.disk(0).hanging() > 0; }));
  auto commit = std::async(std::launch::async, [&]() -> Status {
    const auto done = cloud_.put("during", "1");
    return done ? Status() : fail(done.error());
  });
  EXPECT_TRUE(soon(commit));
  EXPECT_FALSE(commit.get());
  go_on = false;
  EXPECT_TRUE(soon(added));
}

// All went at the same moment, so that the map names them all, and are there again.
class AllMirrors : public RedundancyTest {
 protected:
  void lose_all_and_find(const std::vector<std::size_t>& again) {
    open(kTenMinutes);
    // To be replayed.
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(cloud_.put("k" + std::to_string(i), "1"));
    ASSERT_EQ(cloud_.store().mirrors().front().drive, cloud_.id(0));
    cursor_ = cloud_.store().cursor({{}, "", "", "", {}});
    if (read_) ASSERT_TRUE(sync_wait(cursor_->seek("k")));
    for (const std::size_t drive : {0U, 1U, 2U}) cloud_.disk(drive).set_offline(true);
    EXPECT_FALSE(cloud_.put("lost", "1"));
    const std::string none = "\nandromede_meta_mirrors_online 0\n";
    ASSERT_TRUE(eventually([&] { return cloud_.metrics().render().find(none) != std::string::npos; }));
    for (const std::size_t drive : again) cloud_.disk(drive).set_offline(false);
    ASSERT_TRUE(eventually([&] {
      cloud_.drives().probe_all();
      return std::all_of(again.begin(), again.end(),
                         [&](auto drive) { return cloud_.drives().online(cloud_.id(drive)); });
    }));
    for (const std::size_t drive : {0U, 1U, 2U}) ASSERT_TRUE(cloud_.current(drive)) << drive;
  }
  std::future<Status> come_back(std::size_t drive) {
    return std::async(std::launch::async, [this, drive] { return cloud_.store().add_mirror(cloud_.id(drive), {}); });
  }
  bool read_ = false;  // the first one, from before
  std::unique_ptr<Cursor> cursor_;
};

TEST_F(AllMirrors, OneThatHangsWhenItComesBackIsWaitedForSoLongAndAnotherOneCounts) {
  cloud_.options.mirror_patience = kPatience;
  lose_all_and_find({0, 1, 2});
  cloud_.disk(0).set_hanging(true);
  auto hangs = come_back(0);
  const bool ended = hangs.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  EXPECT_TRUE(ended);
  if (!ended) cloud_.disk(0).set_hanging(false);
  EXPECT_EQ(hangs.get().error(), Errc::kTimeout);
  EXPECT_GT(cloud_.disk(0).hanging(), 0U);
  EXPECT_FALSE(cloud_.drives().online(cloud_.id(0)));
  const std::string reason = cloud_.drives().offline_reason(cloud_.id(0));
  EXPECT_NE(reason.find("does not answer while it is opened"), std::string::npos) << reason;
  const Status back = cloud_.store().add_mirror(cloud_.id(1), {});
  ASSERT_TRUE(back) << back.error().describe();
  ASSERT_TRUE(cloud_.store().add_mirror(cloud_.id(2), {}));
  EXPECT_TRUE(cloud_.put("after", "1"));
  EXPECT_FALSE(cloud_.current(0));
  // What was given up ends, and is nothing.
  cloud_.disk(0).set_hanging(false);
  EXPECT_TRUE(eventually([&] {
    cloud_.drives().probe_all();
    return cloud_.store().holds_files(cloud_.id(0)).has_value();
  }));
  EXPECT_FALSE(cloud_.current(0));
  EXPECT_EQ(cloud_.store().mirrors().size(), 2U);
  EXPECT_TRUE(cloud_.put("more", "1"));
  EXPECT_TRUE(eventually([&] { return cloud_.store().add_mirror(cloud_.id(0), {}).has_value(); }));
  for (const std::size_t drive : {1U, 2U}) lose(drive);
  EXPECT_EQ(cloud_.read("more"), "1");
  cloud_.verify_journal();
}

TEST_F(AllMirrors, OneThatIsReadStillWhenItComesBackKeepsOutNoOtherOne) {
  cloud_.options.mirror_patience = kPatience;
  read_ = true;
  lose_all_and_find({0, 1, 2});
  auto held = come_back(0);
  EXPECT_EQ(held.wait_for(std::chrono::seconds(15)), std::future_status::ready);
  EXPECT_EQ(held.get().error(), Errc::kTimeout);
  EXPECT_TRUE(cloud_.drives().online(cloud_.id(0)));
  EXPECT_TRUE(cloud_.store().add_mirror(cloud_.id(1), {}));
  EXPECT_EQ(cloud_.read("k9"), "1");
}

TEST_F(AllMirrors, OneThatHangsWhenItComesBackIsWaitedForWhileNoOtherCanReplaceIt) {
  cloud_.options.mirror_patience = std::chrono::milliseconds(50);
  lose_all_and_find({0});
  cloud_.disk(0).set_hanging(true);
  auto back = come_back(0);
  EXPECT_EQ(back.wait_for(std::chrono::milliseconds(500)), std::future_status::timeout);
  cloud_.disk(0).set_hanging(false);
  EXPECT_TRUE(back.get());
  EXPECT_EQ(cloud_.read("k9"), "1");
}

TEST_F(AllMirrors, OneWhoseLogIsReadSlowlyWhenItComesBackDoesNotHang) {
  cloud_.options.mirror_patience = std::chrono::milliseconds(2000);
  lose_all_and_find({0, 1, 2});
  cloud_.disk(0).arm(
      {.action = io::FaultAction::kHang, .ops = {io::DiskOp::kRead}, .path_prefix = "meta/log", .from_then_on = true});
  auto back = come_back(0);
  for (int reads = 0; reads < 8; ++reads) {
    ASSERT_TRUE(eventually([&] { return cloud_.disk(0).hanging() > 0; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    if (reads == 7) cloud_.disk(0).disarm();
    cloud_.disk(0).set_hanging(false);
  }
  const Status came = back.get();
  EXPECT_TRUE(came) << came.error().describe();
  EXPECT_TRUE(cloud_.drives().online(cloud_.id(0)));
  EXPECT_EQ(cloud_.read("k9"), "1");
}

// The new mirror's drive hangs in the round that commits wait for.
TEST_F(RedundancyTest, CommitsWaitSoLongForAMirrorInTheMakingAndItIsGivenUp) {
  cloud_.options.mirror_patience = kPatience;
  open(kTenMinutes);
  std::atomic<bool> hangs{false};
  auto making = std::async(std::launch::async, [&] {
    return cloud_.store().add_mirror(cloud_.id(3), [&](std::uint64_t, std::uint64_t) {
      if (hangs) return true;
      // Its log is there: the last round.
      const auto segments = cloud_.disk(3).list("meta/log");
      if (segments && !segments->empty()) {
        cloud_.disk(3).set_hanging(true);
        hangs = true;
      }
      return true;
    });
  });
  ASSERT_TRUE(eventually([&] { return hangs.load(); }));
  EXPECT_TRUE(cloud_.put("meanwhile", "1"));
  const Status made = making.get();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error(), Errc::kTimeout) << made.error().describe();
  EXPECT_TRUE(cloud_.put("after", "1"));
  EXPECT_FALSE(cloud_.current(3));
  EXPECT_EQ(cloud_.store().mirrors().size(), 3U);
  // Nothing else begins there before that has ended, and nothing of it is left.
  EXPECT_EQ(cloud_.store().add_mirror(cloud_.id(3), {}).error(), Errc::kTimeout);
  EXPECT_EQ(cloud_.store().remove_mirror(cloud_.id(3)).error(), Errc::kTimeout);
  cloud_.disk(3).set_hanging(false);
  EXPECT_TRUE(eventually([&] { return !cloud_.store().holds_files(cloud_.id(3)).value_or(true); }));
  EXPECT_FALSE(cloud_.current(3));
  EXPECT_TRUE(eventually([&] { return cloud_.store().add_mirror(cloud_.id(3), {}).has_value(); }));
  for (const std::size_t drive : {0U, 1U}) lose(drive);
  EXPECT_EQ(cloud_.read("after"), "1");
  EXPECT_TRUE(cloud_.put("on the new one", "1"));
  cloud_.verify_journal();
}

// While commits go on it is waited for until its drive is found offline.
TEST_F(RedundancyTest, AMirrorInTheMakingIsGivenUpWithItsDriveAndAnotherIsMadeMeanwhile) {
  open(kTenMinutes);
  ASSERT_TRUE(cloud_.store().remove_mirror(cloud_.id(2)));
  auto making = std::async(std::launch::async, [&] {
    return cloud_.store().add_mirror(cloud_.id(3), [&](std::uint64_t, std::uint64_t) {
      cloud_.disk(3).set_hanging(true);
      return true;
    });
  });
  ASSERT_TRUE(eventually([&] { return cloud_.disk(3).hanging() > 0; }));
  EXPECT_TRUE(cloud_.put("meanwhile", "1"));
  EXPECT_NE(making.wait_for(std::chrono::milliseconds(300)), std::future_status::ready) << "it may be slow";
  cloud_.drives().report_failure(cloud_.id(3), Error(make_error_code(Errc::kTimeout), "no answer"));
  EXPECT_EQ(making.get().error(), Errc::kTimeout);
  const Status another = cloud_.store().add_mirror(cloud_.id(2), {});
  EXPECT_TRUE(another) << another.error().describe();
  EXPECT_EQ(cloud_.store().mirrors().size(), 3U);
  cloud_.disk(3).set_hanging(false);
}

// What the copy that hangs with its target asks no more is free: the next start must not lack a sound drive for it.
TEST_F(RedundancyTest, ACopyThatHangsKeepsItsSourceNeitherOpenNorFromBeingGivenUp) {
  open(kTenMinutes);
  const DriveId source = cloud_.store().mirrors().front().drive;
  auto making = std::async(std::launch::async, [&] {
    return cloud_.store().add_mirror(cloud_.id(3), [&](std::uint64_t, std::uint64_t) {
      cloud_.disk(3).set_hanging(true);
      return true;
    });
  });
  ASSERT_TRUE(eventually([&] { return cloud_.disk(3).hanging() > 0; }));
  cloud_.drives().report_failure(cloud_.id(3), Error(make_error_code(Errc::kTimeout), "no answer"));
  EXPECT_EQ(making.get().error(), Errc::kTimeout);
  EXPECT_GT(cloud_.disk(3).hanging(), 0U);
  const Status removed = cloud_.store().remove_mirror(source);
  EXPECT_TRUE(removed) << removed.error().describe();
  EXPECT_FALSE(cloud_.store().holds_files(source).value_or(true)) << "its checkpoint too";
  const Status again = cloud_.store().add_mirror(source, {});
  EXPECT_TRUE(again) << again.error().describe();
  cloud_.disk(3).set_hanging(false);
  EXPECT_TRUE(eventually([&] {
    cloud_.drives().probe_all();
    return !cloud_.store().holds_files(cloud_.id(3)).value_or(true);
  }));
  EXPECT_EQ(cloud_.store().mirrors().size(), 3U);
  EXPECT_TRUE(cloud_.put("after", "1"));
}

TEST_F(RedundancyTest, ACopyThatHangsAtAStopKeepsItsSourceFromNobody) {
  open(kTenMinutes);
  auto making = std::async(std::launch::async, [&] {
    return cloud_.store().add_mirror(cloud_.id(3), [&](std::uint64_t, std::uint64_t) {
      cloud_.disk(3).set_hanging(true);
      return true;
    });
  });
  ASSERT_TRUE(eventually([&] { return cloud_.disk(3).hanging() > 0; }));
  cloud_.store().stop();
  const bool ended = making.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  EXPECT_TRUE(ended);
  for (const std::size_t drive : {0U, 1U, 2U}) {
    State::Options options;
    options.seal = test_record_seal();
    options.cache = rocksdb::NewLRUCache(1 << 20);
    EXPECT_TRUE(State::open(cloud_.root(drive) + "/" + kStatePath, options)) << drive;
  }
  EXPECT_GT(cloud_.disk(3).hanging(), 0U);
  cloud_.disk(3).set_hanging(false);
  EXPECT_FALSE(making.get());
}

// One that is low would refuse what the others take.
TEST_F(RedundancyTest, WhereNothingIsShortNoMirrorIsMadeThatWouldBeLow) {
  open(std::chrono::milliseconds(0));
  ASSERT_TRUE(cloud_.store().remove_mirror(cloud_.id(2)));
  cloud_.disk(3).set_capacity(16 << 20);
  ASSERT_TRUE(cloud_.disk(3).replace("filler", Bytes((14 << 20) + (600 << 10), 1)));
  const Status refused = cloud_.store().add_mirror(cloud_.id(3), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::kNoSpace);
  EXPECT_FALSE(cloud_.store().holds_files(cloud_.id(3)).value_or(true));
  EXPECT_TRUE(cloud_.put("two mirrors", "1"));
  lose(1);
  EXPECT_TRUE(cloud_.store().add_mirror(cloud_.id(3), {})) << "deletions need a second one";
}

// A mirror that lost the group still counts as current in the map of every drive: after a start without the others it
// would be the truth. Nobody may have been told.
TEST(Visibility, NothingIsToldWhileALostMirrorIsNotMarkedOut) {
  TestCloud cloud(3, 2);
  cloud.options.redundancy_wait = kTenMinutes;
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "before"));
  cloud.disk(1).arm({.ops = {io::DiskOp::kSync}, .path_prefix = "meta/log"});
  for (std::size_t i = 0; i < 3; ++i) cloud.disk(i).arm({.ops = {io::DiskOp::kRename}, .path_prefix = "map"});
  auto commit = std::async(std::launch::async, [&] { return cloud.put("k", "after"); });
  // Not when a mirror comes back: at once.
  EXPECT_TRUE(eventually([&] { return commit.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
  EXPECT_TRUE(cloud.current(1));
  EXPECT_NE(cloud.read("k"), "after");
  cloud.store().stop();
  EXPECT_EQ(commit.get().error(), Errc::kUnavailable);
}

// Whoever starts with the mirror that lacks it would not find it again.
TEST(Visibility, WhatWasWrittenIsSeenOnceTheLostMirrorIsMarkedOut) {
  TestCloud cloud(3, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "before"));
  cloud.disk(2).set_offline(true);
  cloud.disk(1).arm({.ops = {io::DiskOp::kSync}, .path_prefix = "meta/log"});
  EXPECT_EQ(cloud.put("k", "after").error(), Errc::kUnavailable);
  EXPECT_TRUE(cloud.current(1)) << "one drive alone cannot change the map";
  EXPECT_EQ(cloud.read("k"), "before");
  EXPECT_FALSE(cloud.put("k", "more"));
  EXPECT_EQ(cloud.read("k"), "before");
  EXPECT_EQ(cloud.store().last_sequence(), 1U);
  cloud.disk(2).set_offline(false);
  cloud.drives().probe_all();
  EXPECT_TRUE(eventually([&] { return cloud.read("k") == "after"; }));
  EXPECT_FALSE(cloud.current(1));
  EXPECT_TRUE(cloud.put("k", "more"));
  EXPECT_EQ(cloud.read("k"), "more");
  cloud.kill();
  ASSERT_TRUE(cloud.open());
  EXPECT_EQ(cloud.read("k"), "more");
}

// Its drive went, and those that are left, which are enough, cannot write it down.
TEST_F(RedundancyTest, WhileALostMirrorIsNotMarkedOutThatIsToldAndTriedAgainWithoutAnyCommit) {
  open(std::chrono::milliseconds(0));
  for (std::size_t i = 0; i < 4; ++i) {
    cloud_.disk(i).arm(
        {.ops = {io::DiskOp::kWrite}, .path_prefix = "map", .from_then_on = true, .error = Errc::kNoSpace});
  }
  testing::internal::CaptureStderr();
  cloud_.disk(2).set_offline(true);
  cloud_.drives().probe_all();
  EXPECT_TRUE(eventually([&] { return cloud_.store().shortfall().has_value() && !cloud_.store().accepts_commits(); }));
  EXPECT_EQ(cloud_.store().accepts_commits().error(), Errc::kNotBegun);
  EXPECT_NE(cloud_.store().shortfall().value_or("").find("too few drives take the drive map"), std::string::npos);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cloud_.put("k", "1").error(), Errc::kNotBegun);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // it is tried again meanwhile
  std::istringstream log(testing::internal::GetCapturedStderr());
  std::map<std::string, int> told;
  for (std::string line; std::getline(log, line);) {
    if (line.find("could not be marked out") != std::string::npos) ++told[line.substr(line.find("error\":"))];
  }
  EXPECT_FALSE(told.empty());
  for (const auto& [error, times] : told) EXPECT_EQ(times, 1) << error;
  for (std::size_t i = 0; i < 4; ++i) cloud_.disk(i).disarm();
  cloud_.drives().probe_all();  // they are given the map that they lack
  EXPECT_TRUE(eventually([&] { return !cloud_.store().shortfall() && cloud_.store().accepts_commits(); }));
  EXPECT_FALSE(cloud_.current(2));
  EXPECT_TRUE(cloud_.put("k", "1"));
}

TEST(Visibility, AMarkThatAStartOwesIsMadeWithoutAnyCommit) {
  TestCloud cloud(3, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "before"));
  cloud.kill();
  for (const std::size_t i : {1U, 2U}) cloud.disk(i).set_offline(true);
  cloud.drives().probe_all();
  ASSERT_TRUE(cloud.open());
  EXPECT_TRUE(cloud.current(1)) << "one drive alone cannot change the map";
  EXPECT_TRUE(eventually([&] { return cloud.store().shortfall().has_value(); }));
  cloud.disk(2).set_offline(false);
  cloud.drives().probe_all();
  EXPECT_TRUE(eventually([&] { return !cloud.store().shortfall(); }));
  EXPECT_FALSE(cloud.current(1));
  EXPECT_TRUE(cloud.put("k", "after"));
}

// Of two mirrors each would come to have a group of the same index, and a later start would take them for the same.
TEST(Visibility, NothingIsWrittenWhileALostMirrorIsNotMarkedOut) {
  TestCloud cloud(3, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("k", "before"));
  cloud.disk(2).set_offline(true);
  cloud.disk(1).arm({.ops = {io::DiskOp::kSync}, .path_prefix = "meta/log"});
  EXPECT_EQ(cloud.put("k", "of the first").error(), Errc::kUnavailable);
  cloud.kill();
  cloud.disk(0).set_offline(true);
  cloud.disk(1).disarm();
  cloud.disk(1).set_offline(false);
  cloud.drives().probe_all();
  ASSERT_TRUE(cloud.drives().online(cloud.id(1)) && !cloud.drives().online(cloud.id(0)));
  ASSERT_TRUE(cloud.open());
  EXPECT_TRUE(cloud.current(0)) << "one drive alone cannot change the map";
  const std::uint64_t written = cloud.disk(1).operations(io::DiskOp::kWrite);
  Commit change = put_of("k", "of the second");
  change.restores_redundancy = true;
  EXPECT_EQ(cloud.commit(std::move(change)).error(), Errc::kNotBegun);
  EXPECT_EQ(cloud.disk(1).operations(io::DiskOp::kWrite), written);
  cloud.kill();
  for (const std::size_t i : {0U, 2U}) cloud.disk(i).set_offline(false);
  cloud.drives().probe_all();
  ASSERT_TRUE(cloud.open());
  EXPECT_EQ(cloud.read("k"), "of the first");
  EXPECT_EQ(cloud.verify_journal(), 2U);
  EXPECT_TRUE(cloud.current(0) && cloud.current(1));
}

// Both mirrors went at the same moment, so that the map names both; one says that it had synced what it never wrote.
TEST(Visibility, AMirrorThatLacksCommitsDoesNotGoOnAlone) {
  TestCloud cloud(2, 2);
  ASSERT_TRUE(cloud.open());
  ASSERT_TRUE(cloud.put("a", "1"));
  cloud.lose_power(1);
  ASSERT_TRUE(cloud.open());
  cloud.disk(1).arm(
      {.action = io::FaultAction::kLie, .ops = {io::DiskOp::kWrite}, .path_prefix = "meta/log", .from_then_on = true});
  ASSERT_TRUE(cloud.put("b", "2"));
  for (const std::size_t i : {0U, 1U}) cloud.disk(i).set_offline(true);
  EXPECT_FALSE(cloud.put("c", "3"));
  EXPECT_TRUE(cloud.current(0) && cloud.current(1));
  cloud.disk(1).disarm();
  cloud.disk(1).set_offline(false);
  cloud.drives().probe_all();
  ASSERT_TRUE(cloud.drives().online(cloud.id(1)));
  const Status alone = cloud.store().add_mirror(cloud.id(1), {});
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error(), Errc::kUnavailable);
  EXPECT_NE(alone.error().message().find("ends at commit"), std::string::npos) << alone.error().message();
  cloud.disk(0).set_offline(false);
  cloud.drives().probe_all();
  ASSERT_TRUE(cloud.store().add_mirror(cloud.id(0), {}));
  EXPECT_EQ(cloud.read("b"), "2");
  EXPECT_TRUE(cloud.put("d", "4"));
}

}  // namespace
}  // namespace andromede::meta
