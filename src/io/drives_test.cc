#include "io/drives.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <set>

#include "io/drive_files.h"
#include "io/fault_disk.h"
#include "io/temporary_folder.h"
#include "io/test_drive_seal.h"

namespace andromede::io {
namespace {

namespace fs = std::filesystem;

DriveInfo drive_at(Random& random, const std::string& name, const std::string& path) {
  DriveInfo info;
  info.id = DriveId::random(random);
  info.name = DriveName(name);
  info.site = SiteId("site-" + name);
  info.associate = AssociateId("associate");
  info.path = path;
  return info;
}

Status accept(DriveMap& map, std::uint8_t losses) {
  map.accepted_site_losses = losses;
  return {};
}
Status accept_one(DriveMap& map) { return accept(map, 1); }

using Events = std::vector<std::pair<DriveId, bool>>;

// Drives in memory, at the paths "a", "b" and "c".
class DrivesTest : public testing::Test {
 protected:
  DrivesTest() {
    for (const std::string name : {"a", "b", "c"}) add_disk(name);
  }

  void add_disk(const std::string& path) { disks_[path] = FaultDisk::make("/" + path, disks_.size() + 1); }

  Drives::OpenDisk opener() {
    return [this](const DriveInfo& drive) -> Result<std::unique_ptr<Disk>> {
      const auto found = disks_.find(drive.path);
      if (found == disks_.end()) return fail(Errc::kNotFound, "no folder " + drive.path);
      CHECK_OK(found->second->probe());
      return std::unique_ptr<Disk>(found->second->share());
    };
  }

  DriveMap new_map() {
    DriveMap map;
    map.cloud = CloudId::random(random_);
    for (const std::string name : {"a", "b", "c"}) map.drives.push_back(drive_at(random_, name, name));
    return map;
  }

  void create(std::chrono::milliseconds answer_limit = kDriveAnswerLimit) {
    auto made = Drives::create(new_map(), test_seal(), opener(), answer_limit);
    ASSERT_TRUE(made) << made.error().describe();
    drives_ = std::move(*made);
  }

  Result<std::unique_ptr<Drives>> reopen(const std::vector<std::string>& paths = {"a", "b", "c"}) {
    drives_.reset();
    return open_drives(paths, opener());
  }

  void must_reopen(const std::vector<std::string>& paths = {"a", "b", "c"}) {
    auto opened = reopen(paths);
    ASSERT_TRUE(opened) << opened.error().describe();
    drives_ = std::move(*opened);
    ASSERT_TRUE(drives_->settle());
  }

  [[nodiscard]] DriveId id(const std::string& name) const { return drives_->map()->find(DriveName(name))->id; }
  [[nodiscard]] bool online(const std::string& name) const { return drives_->online(id(name)); }
  [[nodiscard]] std::string why(const std::string& name) const { return drives_->offline_reason(id(name)); }
  DriveMap stored(const std::string& path) { return read_map(*disks_[path], *test_seal()).value().map; }
  // A cloud of one drive at `path`, as another operator made it.
  DriveMap make_other_cloud(const std::string& path) {
    disks_[path] = FaultDisk::make("/" + path);
    DriveMap map;
    map.cloud = CloudId::random(random_);
    map.drives.push_back(drive_at(random_, "foreign", path));
    EXPECT_TRUE(Drives::create(map, test_seal(2), opener()));
    return map;
  }

  SeededRandom random_{7};
  std::map<std::string, std::unique_ptr<FaultDisk>> disks_;
  std::unique_ptr<Drives> drives_;
};

TEST_F(DrivesTest, CreatesACloudAndOpensItAgain) {
  create();
  const DriveMap made = *drives_->map();
  EXPECT_EQ(made.epoch, 1U);
  for (const std::string name : {"a", "b", "c"}) {
    EXPECT_TRUE(online(name));
    EXPECT_EQ(drives_->disk(id(name))->root(), "/" + name);
    EXPECT_EQ(stored(name), made);
    EXPECT_EQ(why(name), "");
  }
  must_reopen();
  EXPECT_EQ(*drives_->map(), made);
  EXPECT_TRUE(online("a") && online("b") && online("c"));
  EXPECT_EQ(drives_->disk(DriveId::random(random_)), nullptr);
}

TEST_F(DrivesTest, OneSeedLeadsToAllDrives) {
  create();
  must_reopen({"b"});
  EXPECT_TRUE(online("a") && online("b") && online("c"));
}

TEST_F(DrivesTest, CreatesNothingWhereAFolderIsNotEmpty) {
  ASSERT_TRUE(disks_["c"]->replace("somebodys-file", Bytes(1)));
  EXPECT_EQ(Drives::create(new_map(), test_seal(), opener()).error(), Errc::kAlreadyExists);
  EXPECT_TRUE(disks_["a"]->list("").value().empty());
  EXPECT_EQ(disks_["c"]->list("").value(), std::vector<std::string>{"somebodys-file"});
  ASSERT_TRUE(disks_["c"]->remove("somebodys-file"));
  ASSERT_TRUE(disks_["c"]->make_folder("lost+found"));
  EXPECT_TRUE(Drives::create(new_map(), test_seal(), opener()));
}

TEST_F(DrivesTest, CreatesNothingOverADriveOfACloud) {
  create();
  const DriveMap before = *drives_->map();
  EXPECT_EQ(Drives::create(new_map(), test_seal(), opener()).error(), Errc::kAlreadyExists);
  EXPECT_EQ(Drives::create(before, test_seal(), opener()).error(), Errc::kAlreadyExists);
  EXPECT_EQ(stored("a"), before);
}

TEST_F(DrivesTest, CreatesNothingWithoutAllItsDrives) {
  disks_.erase("c");
  EXPECT_EQ(Drives::create(new_map(), test_seal(), opener()).error(), Errc::kNotFound);
  EXPECT_TRUE(disks_["a"]->list("").value().empty());
  DriveMap empty = new_map();
  empty.drives.clear();
  EXPECT_EQ(Drives::create(empty, test_seal(), opener()).error(), Errc::kInvalidArgument);
}

TEST_F(DrivesTest, CreateThatFailsAtAnyStepCanBeRepeated) {
  for (std::uint64_t n = 1;; ++n) {
    ASSERT_LT(n, 100U);
    disks_["b"] = FaultDisk::make("/b", n);
    for (const std::string name : {"a", "c"}) add_disk(name);
    disks_["b"]->arm({.ops = changing_ops(), .nth = n});
    const bool made = Drives::create(new_map(), test_seal(), opener()).has_value();
    EXPECT_TRUE(made || disks_["b"]->fired() > 0);
    if (made) break;  // what fails after that is only what is kept for the next map
    disks_["b"]->disarm();
    const auto again = Drives::create(new_map(), test_seal(), opener());
    ASSERT_TRUE(again) << "after failing operation " << n << ": " << again.error().describe();
  }
}

TEST_F(DrivesTest, CreateCutOffByPowerLossOpensOrCanBeRepeated) {
  std::set<bool> outcomes;
  for (std::uint64_t n = 1; n < 12; ++n) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      for (const std::string name : {"a", "b", "c"}) add_disk(name);
      disks_["a"]->arm({.ops = changing_ops(), .nth = n, .from_then_on = true});
      // From that operation on "a" takes nothing, so that what create() would tidy up stays there.
      std::map<std::string, std::unique_ptr<FaultDisk>> left;
      const DriveMap map = new_map();
      {
        auto made = Drives::create(map, test_seal(), opener());
        for (auto& [name, disk] : disks_) left[name] = disk->crash(seed);
      }
      disks_ = std::move(left);
      const auto opened = reopen();
      outcomes.insert(opened.has_value());
      if (opened) {
        EXPECT_EQ((*opened)->map()->cloud, map.cloud);
      } else {
        const auto again = Drives::create(new_map(), test_seal(), opener());
        ASSERT_TRUE(again) << "after operation " << n << ", seed " << seed << ": " << again.error().describe();
      }
    }
  }
  EXPECT_EQ(outcomes.size(), 2U);
}

TEST_F(DrivesTest, OpensWithoutTheDrivesThatAreLost) {
  create();
  const DriveMap made = *drives_->map();
  disks_.erase("a");
  must_reopen();
  EXPECT_EQ(drives_->map()->epoch, 2U) << "it says who is missing";
  EXPECT_EQ(drives_->map()->find(made.drives[0].id)->absent_since, 2U);
  EXPECT_EQ(stored("b"), *drives_->map());
  EXPECT_FALSE(online("a"));
  EXPECT_NE(why("a"), "");
  EXPECT_TRUE(online("b") && online("c"));
}

TEST_F(DrivesTest, OpensNothingWhereNoDriveIs) {
  EXPECT_EQ(reopen().error(), Errc::kNotFound);
  EXPECT_EQ(reopen({}).error(), Errc::kNotFound);
  EXPECT_EQ(reopen({"nowhere"}).error(), Errc::kNotFound);
}

TEST_F(DrivesTest, OpensNothingWhileAnotherProcessHasADrive) {
  create();
  drives_.reset();
  const auto in_use = [this](const DriveInfo& drive) -> Result<std::unique_ptr<Disk>> {
    if (drive.path == "b") return fail(Errc::kConflict, "in use");
    return opener()(drive);
  };
  EXPECT_EQ(open_drives({"a"}, in_use).error(), Errc::kConflict);
}

// Two processes that start together: what one has looked at the other does not get before it is opened.
TEST_F(DrivesTest, WhatWasLookedAtStaysOpenUntilAllAreOpened) {
  create();
  drives_.reset();
  const auto watched = [this](const DriveInfo& drive) {
    if (!drive.id.is_none()) {
      for (const auto& [path, disk] : disks_) EXPECT_GE(disk->handles(), 1U) << path << " before " << drive.path;
    }
    return opener()(drive);
  };
  const auto opened = open_drives({"a"}, watched);
  ASSERT_TRUE(opened) << opened.error().describe();
  for (const auto& [path, disk] : disks_) EXPECT_EQ(disk->handles(), 1U) << path;
}

TEST_F(DrivesTest, ADriveThatAnotherProcessTookMeanwhileOpensNothing) {
  create();
  drives_.reset();
  const auto taken = [this](const DriveInfo& drive) -> Result<std::unique_ptr<Disk>> {
    if (drive.path == "c" && drive.id.is_none()) return fail(Errc::kNotFound, "not mounted yet");
    if (drive.path == "c") return fail(Errc::kConflict, "in use");
    return opener()(drive);
  };
  EXPECT_EQ(open_drives({"a"}, taken).error(), Errc::kConflict);
}

TEST_F(DrivesTest, AFreshFolderInADrivesPlaceStaysOut) {
  create();
  add_disk("b");
  must_reopen();
  EXPECT_FALSE(online("b"));
  drives_->probe_all();
  EXPECT_FALSE(online("b"));
  EXPECT_TRUE(disks_["b"]->list("").value().empty()) << "nothing is written to it";
}

TEST_F(DrivesTest, ADriveOfAnotherCloudIsRefused) {
  create();
  const CloudId ours = drives_->map()->cloud;
  drives_.reset();
  const DriveMap foreign = make_other_cloud("b");
  must_reopen();
  EXPECT_EQ(drives_->map()->cloud, ours);
  EXPECT_FALSE(online("b"));
  EXPECT_NE(why("b").find("another cloud"), std::string::npos) << why("b");
  EXPECT_EQ(read_map(*disks_["b"], *test_seal(2))->map.cloud, foreign.cloud) << "nothing is written to it";
}

TEST_F(DrivesTest, OnlyDrivesThatItsKeyKnowsMakeACloud) {
  create();
  const CloudId ours = drives_->map()->cloud;
  drives_.reset();
  disks_.erase("c");
  make_other_cloud("b");
  make_other_cloud("d");
  must_reopen({"a", "b", "d"});
  EXPECT_EQ(drives_->map()->cloud, ours) << "whatever the others are, and however many";
}

TEST_F(DrivesTest, DrivesSwappedBetweenPathsStayOut) {
  create();
  drives_.reset();
  std::swap(disks_["a"], disks_["b"]);
  must_reopen();
  EXPECT_FALSE(online("a") || online("b"));
  EXPECT_TRUE(online("c"));
  EXPECT_NE(why("a").find("refused: a holds another drive of this cloud, b, instead of a: exchange the mounts"),
            std::string::npos)
      << why("a");
}

TEST_F(DrivesTest, ADriveThatWasAwayCannotBringAnOldTruthBack) {
  create();
  drives_->report_failure(id("a"), Error(make_error_code(Errc::kIo), "test"));
  ASSERT_TRUE(drives_->update(accept_one));
  EXPECT_EQ(stored("a").epoch, 1U);
  EXPECT_EQ(drives_->map()->find(id("a"))->absent_since, 2U);
  must_reopen();
  EXPECT_EQ(drives_->map()->epoch, 3U);
  EXPECT_EQ(drives_->map()->accepted_site_losses, 1);
  EXPECT_TRUE(online("a"));
  EXPECT_EQ(drives_->map()->find(id("a"))->absent_since, 0U) << "it is present again";
  EXPECT_EQ(stored("a"), *drives_->map()) << "it has been given the current map";
}

TEST_F(DrivesTest, FindsTheNewestMapThroughAnOldSeed) {
  create();
  disks_["a"]->set_offline(true);
  ASSERT_TRUE(drives_->update(accept_one));
  disks_["a"]->set_offline(false);
  must_reopen({"a"});
  EXPECT_EQ(drives_->map()->epoch, 2U);
}

TEST_F(DrivesTest, ADamagedLabelIsFoundAndTheDriveStaysOut) {
  create();
  for (const std::uint64_t offset : {0U, 9U, 12U, 30U, 44U}) {
    ASSERT_TRUE(disks_["b"]->corrupt("label", offset, 3));
    must_reopen();
    EXPECT_FALSE(online("b")) << offset;
    ASSERT_TRUE(disks_["b"]->corrupt("label", offset, 3));
    drives_->probe_all();
    EXPECT_TRUE(online("b"));
  }
}

TEST_F(DrivesTest, ADamagedMapIsReplacedByTheOthers) {
  create();
  const DriveMap made = *drives_->map();
  ASSERT_TRUE(disks_["a"]->corrupt("map", 40, 1));
  must_reopen();
  EXPECT_EQ(*drives_->map(), made);
  EXPECT_TRUE(online("a"));
  EXPECT_EQ(stored("a"), made);
}

TEST_F(DrivesTest, WithOnlyDamagedMapsNothingOpens) {
  create();
  drives_.reset();
  for (auto& [name, disk] : disks_) ASSERT_TRUE(disk->corrupt("map", 40, 1));
  EXPECT_EQ(reopen().error(), Errc::kUnavailable);
}

TEST_F(DrivesTest, UpdateIsWrittenToEveryDriveBeforeItCounts) {
  create();
  ASSERT_TRUE(drives_->update([&](DriveMap& map) {
    EXPECT_EQ(map.epoch, 1U);
    map.drives[0].state = DriveState::kDraining;
    return Status{};
  }));
  EXPECT_EQ(drives_->map()->epoch, 2U);
  EXPECT_EQ(drives_->map()->drives[0].state, DriveState::kDraining);
  for (const std::string name : {"a", "b", "c"}) EXPECT_EQ(stored(name), *drives_->map());
  EXPECT_TRUE(online("a")) << "a draining drive still serves";
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_EQ(read_map(*disks_["a"]->crash(seed), *test_seal())->map.epoch, 2U);
  }
}

TEST_F(DrivesTest, AChangeThatFailsOrBreaksTheMapChangesNothing) {
  create();
  const DriveMap made = *drives_->map();
  const auto attempt = [&](const std::function<void(DriveMap&)>& edit) {
    return drives_->update([&](DriveMap& map) {
      edit(map);
      return Status{};
    });
  };
  EXPECT_EQ(drives_
                ->update([](DriveMap& map) -> Status {
                  map.drives.clear();
                  return fail(Errc::kRefused, "no");
                })
                .error(),
            Errc::kRefused);
  EXPECT_EQ(attempt([](DriveMap& map) { map.drives.pop_back(); }).error(), Errc::kInvalidArgument);
  EXPECT_EQ(attempt([](DriveMap& map) { map.cloud = {}; }).error(), Errc::kInvalidArgument);
  EXPECT_EQ(attempt([](DriveMap& map) { map.drives[0].name = DriveName(""); }).error(), Errc::kInvalidArgument);
  EXPECT_EQ(*drives_->map(), made);
  for (const std::string name : {"a", "b", "c"}) EXPECT_EQ(stored(name), made);
}

TEST_F(DrivesTest, ADriveThatDoesNotTakeTheMapGoesOffline) {
  create();
  Events events;
  drives_->subscribe([&](DriveId drive, bool on) { events.emplace_back(drive, on); });
  disks_["b"]->arm({.ops = {DiskOp::kSync}});
  ASSERT_TRUE(drives_->update(accept_one));
  EXPECT_FALSE(online("b"));
  EXPECT_EQ(events, (Events{{id("b"), false}}));
  EXPECT_EQ(stored("a").epoch, 2U);
  drives_->probe_all();
  EXPECT_TRUE(online("b"));
  EXPECT_EQ(stored("b").epoch, 2U);
}

TEST_F(DrivesTest, AnUpdateThatNoDriveTakesDoesNotCount) {
  create();
  for (auto& [name, disk] : disks_) disk->arm({.ops = {DiskOp::kSyncFolder}});
  EXPECT_EQ(drives_->update(accept_one).error(), Errc::kUnavailable);
  EXPECT_FALSE(drives_->map()->accepted_site_losses);
  EXPECT_FALSE(online("a") || online("b") || online("c"));
  // The renames went through before the sync failed, so that epoch 2 lies on the drives: it is abandoned.
  EXPECT_EQ(stored("a").epoch, 2U);
  EXPECT_EQ(drives_->map()->epoch, 3U);
  drives_->probe_all();
  EXPECT_TRUE(online("a") && online("b") && online("c"));
  EXPECT_EQ(stored("a"), *drives_->map());
  ASSERT_TRUE(drives_->update([](DriveMap& map) { return accept(map, 3); }));
  EXPECT_EQ(drives_->map()->epoch, 4U);
  must_reopen();
  EXPECT_EQ(drives_->map()->accepted_site_losses, 3);
}

TEST_F(DrivesTest, PowerLossDuringAnUpdateLeavesTheOldMapOrTheNew) {
  std::set<std::uint64_t> epochs;
  bool passed = false;
  for (std::uint64_t n = 1; !passed; ++n) {
    ASSERT_LT(n, 100U);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      for (const std::string name : {"a", "b", "c"}) add_disk(name);
      create();
      for (auto& [name, disk] : disks_) {
        disk->reset_counts();
        disk->arm({.action = FaultAction::kTear, .ops = changing_ops(), .nth = n, .from_then_on = true});
      }
      const Status updated = drives_->update(accept_one);
      passed = disks_["a"]->fired() == 0;
      drives_.reset();
      for (auto& [name, disk] : disks_) disk = disk->crash(seed);
      must_reopen();
      epochs.insert(drives_->map()->epoch);
      EXPECT_EQ(drives_->map()->accepted_site_losses.has_value(), drives_->map()->epoch == 2);
      if (updated) EXPECT_EQ(drives_->map()->epoch, 2U);
      EXPECT_TRUE(online("a") && online("b") && online("c"));
    }
  }
  EXPECT_EQ(epochs, (std::set<std::uint64_t>{1, 2}));
}

TEST_F(DrivesTest, ANewDriveJoins) {
  create();
  Events events;
  drives_->subscribe([&](DriveId drive, bool on) { events.emplace_back(drive, on); });
  add_disk("d");
  const DriveInfo fresh = drive_at(random_, "d", "d");
  const auto join = [&](DriveMap& map) {
    map.drives.push_back(fresh);
    return Status{};
  };
  ASSERT_TRUE(drives_->update(join));
  EXPECT_TRUE(drives_->online(fresh.id));
  EXPECT_EQ(events, (Events{{fresh.id, true}}));
  EXPECT_EQ(stored("d"), *drives_->map());
  EXPECT_EQ(stored("a"), *drives_->map());
  must_reopen({"a"});
  EXPECT_TRUE(online("d"));
}

TEST_F(DrivesTest, ADriveThatIsNotEmptyOrNotThereDoesNotJoin) {
  create();
  const DriveMap made = *drives_->map();
  const auto join = [&](const std::string& path) {
    const DriveInfo fresh = drive_at(random_, "new", path);
    return drives_->update([&](DriveMap& map) {
      map.drives.push_back(fresh);
      return Status{};
    });
  };
  EXPECT_EQ(join("nowhere").error(), Errc::kNotFound);
  add_disk("full");
  ASSERT_TRUE(disks_["full"]->make_folder("photos"));
  EXPECT_EQ(join("full").error(), Errc::kAlreadyExists);
  make_other_cloud("foreign");
  EXPECT_EQ(join("foreign").error(), Errc::kAlreadyExists);
  EXPECT_EQ(join("a").error(), Errc::kInvalidArgument) << "two drives at one path";
  EXPECT_EQ(*drives_->map(), made);
  EXPECT_EQ(stored("a"), made);
  EXPECT_EQ(disks_["full"]->list("").value(), std::vector<std::string>{"photos"});
}

TEST_F(DrivesTest, AJoiningThatFailsAtAnyStepCanBeRepeated) {
  create();
  for (std::uint64_t n = 1;; ++n) {
    ASSERT_LT(n, 100U);
    const std::string name = "d" + std::to_string(n);
    add_disk(name);
    disks_[name]->arm({.ops = changing_ops(), .nth = n, .from_then_on = true});
    const DriveInfo fresh = drive_at(random_, name, name);
    const auto join = [&](DriveMap& map) {
      map.drives.push_back(fresh);
      return Status{};
    };
    const DriveMap before = *drives_->map();
    const Status joined = drives_->update(join);
    EXPECT_TRUE(joined || disks_[name]->fired() > 0);
    if (joined) break;  // what fails after that is only what is kept for the next map
    EXPECT_EQ(drives_->map()->find(fresh.id), nullptr);
    EXPECT_EQ(drives_->map()->drives.size(), before.drives.size());
    EXPECT_EQ(stored("a"), *drives_->map());
    EXPECT_TRUE(online("a"));
    disks_[name]->disarm();
    const Status again = drives_->update(join);
    ASSERT_TRUE(again) << "after failing operation " << n << ": " << again.error().describe();
  }
}

TEST_F(DrivesTest, AReplacedDriveIsClosedAndItsSuccessorTakesItsName) {
  create();
  const DriveId old = id("b");
  Events events;
  drives_->subscribe([&](DriveId drive, bool on) { events.emplace_back(drive, on); });
  add_disk("b2");
  const DriveInfo fresh = drive_at(random_, "b", "b2");
  ASSERT_TRUE(drives_->update([&](DriveMap& map) {
    map.drives[1].state = DriveState::kReplaced;
    map.drives.push_back(fresh);
    return Status{};
  }));
  EXPECT_EQ(id("b"), fresh.id);
  EXPECT_FALSE(drives_->online(old));
  EXPECT_EQ(drives_->offline_reason(old), "");
  EXPECT_EQ(events, (Events{{fresh.id, true}, {old, false}}));
  drives_->probe_all();
  must_reopen();
  EXPECT_FALSE(drives_->online(old)) << "a replaced drive that is found again is not opened";
  EXPECT_TRUE(drives_->online(fresh.id));
}

TEST_F(DrivesTest, PathsAreRememberedBeforeADriveTakesTheChange) {
  create();
  const DriveMap before = *drives_->map();
  add_disk("b2");
  const DriveInfo fresh = drive_at(random_, "b", "b2");
  const auto succeed = [&](DriveMap& map) {
    map.drives[1].state = DriveState::kReplaced;
    map.drives.push_back(fresh);
    return Status{};
  };
  drives_->remember_paths([](const std::set<std::string>&) -> Status { return fail(Errc::kNoSpace, "full"); });
  EXPECT_EQ(drives_->update(succeed).error(), Errc::kNoSpace);
  EXPECT_EQ(*drives_->map(), before) << "a change whose paths are not kept is refused";
  EXPECT_EQ(disks_["b2"]->list("").value(), std::vector<std::string>());

  std::set<std::string> kept;
  drives_->remember_paths([&](const std::set<std::string>& paths) -> Status {
    EXPECT_EQ(stored("a"), before);
    kept = paths;
    return {};
  });
  ASSERT_TRUE(drives_->update(succeed));
  EXPECT_EQ(kept, (std::set<std::string>{"a", "b", "b2", "c"}));

  kept.clear();
  add_disk("d");
  ASSERT_TRUE(disks_["d"]->replace("stranger", to_bytes("x")));
  EXPECT_FALSE(drives_->update([&](DriveMap& map) {
    map.drives.push_back(drive_at(random_, "d", "d"));
    return Status{};
  }));
  EXPECT_TRUE(kept.empty()) << "a folder that cannot join is not looked for at the next start";
}

TEST_F(DrivesTest, AChangeThatBringsNoPathNeedsNoneKept) {
  create();
  bool full = true;
  std::vector<std::set<std::string>> kept;
  drives_->remember_paths([&](const std::set<std::string>& paths) -> Status {
    if (full) return fail(Errc::kNoSpace, "full");
    kept.push_back(paths);
    return {};
  });
  const auto forget_mirror = [](DriveMap& map) {
    map.drives[0].mirrors_metadata = !map.drives[0].mirrors_metadata;
    return Status{};
  };
  EXPECT_TRUE(drives_->update(forget_mirror));
  full = false;
  EXPECT_TRUE(drives_->update(forget_mirror));
  EXPECT_TRUE(kept.empty()) << "they are kept already";
  add_disk("d");
  ASSERT_TRUE(drives_->update([&](DriveMap& map) {
    map.drives[1].state = DriveState::kDrained;
    map.drives.push_back(drive_at(random_, "d", "d"));
    return Status{};
  }));
  EXPECT_EQ(kept, (std::vector<std::set<std::string>>{{"a", "b", "c", "d"}}));
  full = true;
  EXPECT_TRUE(drives_->update(forget_mirror)) << "\"b\" is kept too long, which does no harm";
  full = false;
  EXPECT_TRUE(drives_->update(forget_mirror));
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept.back(), (std::set<std::string>{"a", "c", "d"}));
}

TEST_F(DrivesTest, ASuccessorInTheSameFolderNeedsItEmpty) {
  create();
  const auto replace = [&](const DriveInfo& fresh) {
    return drives_->update([&](DriveMap& map) {
      map.drives[1].state = DriveState::kReplaced;
      map.drives.push_back(fresh);
      return Status{};
    });
  };
  EXPECT_EQ(replace(drive_at(random_, "b", "b")).error(), Errc::kAlreadyExists);
  EXPECT_TRUE(online("b"));
  add_disk("b");  // a new drive, mounted where the lost one was
  const DriveInfo fresh = drive_at(random_, "b", "b");
  ASSERT_TRUE(replace(fresh));
  EXPECT_TRUE(drives_->online(fresh.id));
}

TEST_F(DrivesTest, AFailingDriveGoesOfflineOnceAndComesBackByProbing) {
  create();
  Events events;
  drives_->subscribe([&](DriveId drive, bool on) { events.emplace_back(drive, on); });
  const DriveId b = id("b");
  const auto held = drives_->disk(b);
  const Error error(make_error_code(Errc::kIo), "a sector is gone");
  drives_->report_failure(b, error);
  drives_->report_failure(b, error);
  drives_->report_failure(DriveId::random(random_), error);
  EXPECT_EQ(events, (Events{{b, false}}));
  EXPECT_NE(why("b").find("a sector is gone"), std::string::npos);
  EXPECT_TRUE(held->probe()) << "who holds the disk may finish";
  drives_->probe_all();
  EXPECT_EQ(events, (Events{{b, false}, {b, true}}));
  EXPECT_EQ(why("b"), "");
  EXPECT_NE(drives_->disk(b), held);
}

TEST_F(DrivesTest, AFailureOfAnEarlierOpeningDoesNotTakeTheNewOneDown) {
  create();
  const DriveId b = id("b");
  const Error error(make_error_code(Errc::kIo), "a late answer");
  const auto first = drives_->disk(b);
  drives_->report_failure(b, first.get(), error);
  EXPECT_FALSE(online("b"));
  drives_->probe_all();
  EXPECT_TRUE(online("b"));
  drives_->report_failure(b, first.get(), error);
  EXPECT_TRUE(online("b"));
  drives_->report_failure(b, drives_->disk(b).get(), error);
  EXPECT_FALSE(online("b"));
}

TEST_F(DrivesTest, ADriveThatComesBackGetsTheCurrentMap) {
  create();
  disks_["b"]->set_offline(true);
  drives_->probe_all();
  EXPECT_FALSE(online("b"));
  ASSERT_TRUE(drives_->update(accept_one));
  disks_["b"]->set_offline(false);
  EXPECT_EQ(stored("b").epoch, 1U);
  drives_->probe_all();
  EXPECT_TRUE(online("b"));
  EXPECT_EQ(stored("b").epoch, 2U);
  EXPECT_FALSE(drives_->presence_recorded()) << "that map says that it is away";
  ASSERT_TRUE(drives_->settle());
  EXPECT_TRUE(drives_->presence_recorded());
}

TEST_F(DrivesTest, ADriveThatCannotTakeTheMapDoesNotComeBack) {
  create();
  disks_["b"]->set_offline(true);
  drives_->probe_all();
  disks_["b"]->set_offline(false);
  disks_["b"]->arm({.ops = {DiskOp::kWrite}, .from_then_on = true});
  drives_->probe_all();
  EXPECT_FALSE(online("b"));
  disks_["b"]->disarm();
  drives_->probe_all();
  EXPECT_TRUE(online("b"));
}

TEST_F(DrivesTest, AnEmptiedDriveIsFoundThoughItsFolderIsThere) {
  create();
  ASSERT_TRUE(disks_["b"]->remove("label"));
  drives_->probe_all();
  EXPECT_FALSE(online("b"));
}

// Drives that hang without failing, which only the limit finds out.
class HangingDrivesTest : public DrivesTest {
 protected:
  ~HangingDrivesTest() override { let_go(); }
  void hang(const std::string& name) { disks_[name]->set_hanging(true); }
  void let_go() {
    for (auto& [name, disk] : disks_) disk->set_hanging(false);
    // Threads that hung may still be at the test's own opener.
    if (drives_ != nullptr) drives_->probe_all();
  }
  // Far longer than the calls need, far shorter than one without a limit would take.
  static bool ends_soon(const std::function<void()>& work) {
    const auto begun = std::chrono::steady_clock::now();
    work();
    return std::chrono::steady_clock::now() - begun < std::chrono::minutes(1);
  }
  bool comes_back(const std::string& name) {
    for (int i = 0; i < 20'000 && !online(name); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      drives_->probe_all();
    }
    return online(name);
  }
};

constexpr std::chrono::milliseconds kShortLimit{500};

TEST_F(HangingDrivesTest, IsTakenOfflineByProbingAndHoldsUpNobody) {
  create(kShortLimit);
  Events events;
  drives_->subscribe([&](DriveId drive, bool on) { events.emplace_back(drive, on); });
  hang("b");
  EXPECT_TRUE(ends_soon([&] { drives_->probe_all(); }));
  EXPECT_FALSE(online("b"));
  EXPECT_TRUE(online("a") && online("c"));
  EXPECT_NE(why("b").find("does not answer"), std::string::npos) << why("b");
  // Its call still hangs: it is not asked again, and nobody waits for it.
  EXPECT_TRUE(ends_soon([&] {
    for (int i = 0; i < 100; ++i) drives_->probe_all();
    EXPECT_TRUE(drives_->update(accept_one));
  }));
  EXPECT_EQ(stored("a").epoch, 2U);
  EXPECT_EQ(drives_->hanging_calls(), 1U);
  disks_["b"]->set_hanging(false);
  EXPECT_TRUE(comes_back("b"));
  EXPECT_EQ(drives_->hanging_calls(), 0U);
  EXPECT_EQ(stored("b"), *drives_->map());
  EXPECT_EQ(events, (Events{{id("b"), false}, {id("b"), true}}));
}

TEST_F(HangingDrivesTest, HoldsUpNobodyWhoAsksForItsRoom) {
  create(kShortLimit);
  EXPECT_GT(drives_->space(id("b"))->free_bytes, 0U);
  hang("b");
  EXPECT_TRUE(ends_soon([&] {
    EXPECT_EQ(drives_->space(id("b")).error(), Errc::kTimeout);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(drives_->space(id("b")).error(), Errc::kTimeout);
    EXPECT_TRUE(drives_->space(id("a")));
    drives_->probe_all();
    EXPECT_EQ(drives_->space(id("b")).error(), Errc::kUnavailable);
  }));
  EXPECT_EQ(drives_->space(DriveId::random(random_)).error(), Errc::kUnavailable);
}

TEST_F(HangingDrivesTest, DoesNotKeepAChangeFromTheOthers) {
  create(kShortLimit);
  hang("b");
  Status changed = fail(Errc::kInternal, "");
  EXPECT_TRUE(ends_soon([&] { changed = drives_->update(accept_one); }));
  EXPECT_TRUE(changed);
  EXPECT_EQ(drives_->map()->epoch, 2U);
  EXPECT_EQ(stored("a").epoch, 2U);
  EXPECT_EQ(stored("c").epoch, 2U);
  EXPECT_FALSE(online("b"));
  ASSERT_TRUE(drives_->update([](DriveMap& map) { return accept(map, 2); }));
  // What hung is written at last: an old map, which the drive's return replaces.
  disks_["b"]->set_hanging(false);
  EXPECT_TRUE(comes_back("b"));
  EXPECT_EQ(stored("b").epoch, 3U);
}

TEST_F(HangingDrivesTest, WhenAllHangNoChangeCounts) {
  create(kShortLimit);
  for (const std::string name : {"a", "b", "c"}) hang(name);
  EXPECT_EQ(drives_->update(accept_one).error(), Errc::kUnavailable);
  EXPECT_FALSE(drives_->map()->accepted_site_losses);
  let_go();
  EXPECT_TRUE(comes_back("a") && comes_back("b") && comes_back("c"));
  ASSERT_TRUE(drives_->update([](DriveMap& map) { return accept(map, 3); }));
  EXPECT_EQ(drives_->map()->epoch, 4U) << "epoch 2 may lie on a drive, and epoch 3 says that it is nothing";
}

TEST_F(HangingDrivesTest, TheOthersOpenWithoutIt) {
  create();
  drives_.reset();
  hang("b");
  EXPECT_TRUE(ends_soon([&] {
    auto opened = open_drives({"a", "b"}, opener(), kShortLimit);
    ASSERT_TRUE(opened) << opened.error().describe();
    drives_ = std::move(*opened);
  }));
  EXPECT_TRUE(online("a") && online("c"));
  EXPECT_FALSE(online("b"));
  disks_["b"]->set_hanging(false);
  EXPECT_TRUE(comes_back("b"));
}

TEST_F(HangingDrivesTest, DoesNotJoin) {
  create(kShortLimit);
  const DriveMap made = *drives_->map();
  add_disk("d");
  hang("d");
  const DriveInfo fresh = drive_at(random_, "d", "d");
  const auto join = [&](DriveMap& map) {
    map.drives.push_back(fresh);
    return Status{};
  };
  Status joined;
  EXPECT_TRUE(ends_soon([&] { joined = drives_->update(join); }));
  EXPECT_EQ(joined.error(), Errc::kTimeout);
  EXPECT_EQ(*drives_->map(), made);
  disks_["d"]->set_hanging(false);
  for (int i = 0; i < 20'000 && !joined; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    joined = drives_->update(join);
  }
  EXPECT_TRUE(joined) << joined.error().describe();
  EXPECT_TRUE(online("d"));
}

TEST_F(HangingDrivesTest, NobodyWaitsForItAtTheEnd) {
  create(kShortLimit);
  drives_->watch();
  hang("b");
  const std::size_t handles = disks_["b"]->handles();
  const DriveId b = id("b");
  while (drives_->online(b)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(ends_soon([&] {
    drives_->stop();
    drives_.reset();
  }));
  EXPECT_EQ(disks_["b"]->handles(), handles) << "what the call uses stays";
  disks_["b"]->set_hanging(false);
  for (int i = 0; i < 20'000 && disks_["b"]->handles() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(disks_["b"]->handles(), 0U);
}

TEST_F(HangingDrivesTest, TheOthersAreUnlockedThoughItWasNotFoundOut) {
  create(kShortLimit);
  drives_->stop();
  hang("b");
  ASSERT_TRUE(online("b"));
  EXPECT_TRUE(ends_soon([&] { drives_->unlock(); }));
  EXPECT_TRUE(disks_["a"]->unlocked() && disks_["c"]->unlocked());
  EXPECT_FALSE(disks_["b"]->unlocked()) << "with what hangs in it it is nobody else's";
}

TEST_F(DrivesTest, ListenersMayAskAndChange) {
  create();
  int calls = 0;
  drives_->subscribe([&](DriveId drive, bool on) {
    ++calls;
    EXPECT_EQ(drives_->online(drive), on);
    if (on) return;
    EXPECT_TRUE(drives_->update(accept_one));
    drives_->probe_all();
  });
  drives_->report_failure(id("b"), Error(make_error_code(Errc::kIo), "test"));
  EXPECT_EQ(calls, 2) << "went, and came back by the listener's own probing";
  EXPECT_EQ(drives_->map()->epoch, 2U);
}

TEST_F(DrivesTest, AfterStopNoListenerIsCalled) {
  create();
  int calls = 0;
  drives_->subscribe([&](DriveId, bool) { ++calls; });
  drives_->stop();
  drives_->report_failure(id("b"), Error(make_error_code(Errc::kIo), "test"));
  EXPECT_EQ(calls, 0);
  drives_->watch();  // does nothing any more
  drives_->stop();
}

TEST_F(DrivesTest, ManyThreadsMayFailProbeAndChangeAtOnce) {
  create();
  std::atomic<int> events{0};
  drives_->subscribe([&](DriveId, bool) { ++events; });
  const DriveId a = id("a");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        if (t == 0) drives_->report_failure(a, Error(make_error_code(Errc::kIo), "test"));
        if (t == 1) drives_->probe_all();
        if (t == 2) EXPECT_TRUE(drives_->update(accept_one));
        if (t == 3) static_cast<void>(drives_->disk(a));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  drives_->probe_all();
  EXPECT_TRUE(online("a"));
  EXPECT_EQ(drives_->map()->epoch, 51U);
  EXPECT_EQ(stored("a"), *drives_->map());
  EXPECT_GT(events, 1);
}

// Folders of the real file system.
class RealDrivesTest : public testing::Test {
 protected:
  RealDrivesTest() {
    DriveMap map;
    map.cloud = CloudId::random(random_);
    for (const std::string name : {"a", "b"}) {
      fs::create_directory(path(name));
      map.drives.push_back(drive_at(random_, name, path(name)));
    }
    drives_ = *Drives::create(map, test_seal(),
                              [](const DriveInfo& drive) { return open_real_disk(drive.path, drive.capacity_bytes); });
    drives_->subscribe([this](DriveId drive, bool on) {
      const std::lock_guard lock(mutex_);
      events_.emplace_back(drive, on);
      told_.notify_all();
    });
  }
  ~RealDrivesTest() override { drives_->stop(); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  [[nodiscard]] DriveId id(const std::string& name) const { return drives_->map()->find(DriveName(name))->id; }
  bool wait_for(const Events& expected) {
    std::unique_lock lock(mutex_);
    return told_.wait_for(lock, std::chrono::minutes(2), [&] { return events_ == expected; });
  }

  TemporaryFolder folder_;
  SeededRandom random_{3};
  std::mutex mutex_;
  std::condition_variable told_;
  Events events_;
  std::unique_ptr<Drives> drives_;
};

TEST_F(RealDrivesTest, WatchingFindsAVanishedFolderAndItsReturn) {
  drives_->watch();
  fs::rename(path("b"), path("b") + "-away");
  ASSERT_TRUE(wait_for({{id("b"), false}}));
  EXPECT_FALSE(drives_->online(id("b")));
  ASSERT_TRUE(drives_->update(accept_one));
  fs::rename(path("b") + "-away", path("b"));
  EXPECT_NE(drives_->map()->find(id("b"))->absent_since, 0U);
  ASSERT_TRUE(wait_for({{id("b"), false}, {id("b"), true}}));
  const auto disk = open_real_disk(path("b")).value();
  // It has been given the map, and soon after one that says that it is back.
  const auto is_back = [&] {
    const auto map = drives_->map();
    return present(*map->find(id("b"))) && read_map(*disk, *test_seal())->map == *map;
  };
  for (int i = 0; i < 2000 && !is_back(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(is_back());
}

TEST_F(RealDrivesTest, AFreshFolderInPlaceOfALostOneStaysOut) {
  fs::remove_all(path("b"));
  fs::create_directory(path("b"));
  drives_->probe_all();
  EXPECT_FALSE(drives_->online(id("b")));
  drives_->probe_all();
  EXPECT_FALSE(drives_->online(id("b")));
  EXPECT_TRUE(fs::is_empty(path("b")));
  EXPECT_TRUE(drives_->online(id("a")));
}

TEST_F(RealDrivesTest, ADriveWhoseContentWasDeletedIsFound) {
  for (const auto& entry : fs::directory_iterator(path("b"))) fs::remove_all(entry.path());
  drives_->probe_all();
  EXPECT_FALSE(drives_->online(id("b")));
}

TEST_F(RealDrivesTest, WatchingLeavesAFailedDriveAloneForAWhile) {
  drives_->watch();
  const auto failed = std::chrono::steady_clock::now();
  drives_->report_failure(id("b"), Error(make_error_code(Errc::kIo), "test"));
  ASSERT_TRUE(wait_for({{id("b"), false}, {id("b"), true}}));
  EXPECT_GE(std::chrono::steady_clock::now() - failed, std::chrono::seconds(2));
}

TEST_F(DrivesTest, StopsPromptly) {
  create();
  disks_["b"]->set_offline(true);
  drives_->watch(std::chrono::hours(1));
  while (online("b")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // Now it waits for the next probe, for very long.
  const auto begun = std::chrono::steady_clock::now();
  drives_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(10));
}

}  // namespace
}  // namespace andromede::io
