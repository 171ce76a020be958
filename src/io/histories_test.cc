// History has one line: what drives that went, came, lie or were cut off may say, and what an operator may decide.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "crypto/digest.h"
#include "io/drive_files.h"
#include "io/drive_lineage.h"
#include "io/fault_disk.h"
#include "io/test_drive_seal.h"

namespace andromede::io {
namespace {

using Names = std::vector<std::string>;
using Kind = DriveEvent::Kind;
using Objection = DriveSurvey::Objection;

// Four sites with two drives each, in memory: "etat-1" … "thales-2". The first drives of three sites mirror the
// metadata; what is acknowledged needs two drives on two sites.
class HistoriesTest : public testing::Test {
 protected:
  HistoriesTest() {
    DriveMap map;
    map.cloud = CloudId::random(random_);
    map.minimum = {2, 2};
    for (const std::string site : {"etat", "orange", "dassault", "thales"}) {
      for (const std::string number : {"-1", "-2"}) {
        const std::string name = site + number;
        add_disk(name);
        names_.push_back(name);
        DriveInfo drive = drive_of(site, name);
        drive.mirrors_metadata = number == "-1" && site != "dassault";
        map.drives.push_back(std::move(drive));
      }
    }
    auto made = Drives::create(map, test_seal(), opener());
    EXPECT_TRUE(made) << made.error().describe();
  }

  void add_disk(const std::string& name) { disks_[name] = FaultDisk::make("/" + name, disks_.size() + 1); }
  DriveInfo drive_of(const std::string& site, const std::string& name) {
    DriveInfo drive;
    drive.id = DriveId::random(random_);
    drive.name = DriveName(name);
    drive.site = SiteId(site);
    drive.associate = AssociateId(site);
    drive.path = name;
    return drive;
  }
  OpenDisk opener() {
    return [this](const DriveInfo& drive) -> Result<std::unique_ptr<Disk>> {
      const auto found = disks_.find(drive.path);
      if (found == disks_.end()) return fail(Errc::kNotFound, "no folder " + drive.path);
      CHECK_OK(found->second->probe());
      return std::unique_ptr<Disk>(found->second->share());
    };
  }

  void away(const Names& names) { set_offline(names, true); }
  void back(const Names& names) { set_offline(names, false); }
  void set_offline(const Names& names, bool offline) {
    for (const std::string& name : names) disks_.at(name)->set_offline(offline);
    if (drives_ != nullptr) drives_->probe_all();
  }
  void only(const Names& names) {
    for (const std::string& name : names_) {
      disks_.at(name)->set_offline(std::find(names.begin(), names.end(), name) == names.end());
    }
  }
  Result<DriveSurvey> survey() { return DriveSurvey::make(names_, test_seal(), opener()); }
  Status start() {
    drives_.reset();
    auto opened = open_drives(names_, opener());
    if (!opened) return fail(opened.error());
    drives_ = std::move(*opened);
    // As the metadata engine does, once it has a sound mirror; too few drives wait for others.
    const Status settled = drives_->settle();
    return settled || settled.error() == Errc::kUnavailable ? Status() : settled;
  }
  void must_start() {
    const Status started = start();
    ASSERT_TRUE(started) << started.error().describe();
  }
  void stop() { drives_.reset(); }
  // A change that is acknowledged, told by its number.
  Status change(std::uint64_t number) {
    EXPECT_NE(drives_, nullptr);
    return drives_->update([&](DriveMap& map) -> Status {
      map.drives.front().capacity_bytes = number;
      return {};
    });
  }
  [[nodiscard]] std::uint64_t last_change() const { return drives_->map()->drives.front().capacity_bytes; }
  static Names names_of(const std::vector<DriveInfo>& drives) {
    Names names;
    for (const DriveInfo& drive : drives) names.push_back(drive.name.value());
    std::sort(names.begin(), names.end());
    return names;
  }
  Status decide(const Names& without, const std::string& unix_user = "jeanne") {
    auto found = survey();
    if (!found) return fail(found.error());
    std::vector<DriveName> left;
    for (const std::string& name : without) left.emplace_back(name);
    if (const Status decided = found->decide(left, unix_user, {1000}); !decided) {
      objection_ = found->objection();
      objected_to_ = found->objected_to();
      return decided;
    }
    TRY(drives_, Drives::open(std::move(*found)));
    return {};
  }

  [[nodiscard]] DriveId id(const std::string& name) const { return drives_->map()->find(DriveName(name))->id; }
  [[nodiscard]] bool online(const std::string& name) const { return drives_->online(id(name)); }
  [[nodiscard]] std::string why(const std::string& name) const { return drives_->offline_reason(id(name)); }
  [[nodiscard]] bool is_present(const std::string& name) const {
    return present(*drives_->map()->find(DriveName(name)));
  }
  [[nodiscard]] bool mirrors(const std::string& name) const {
    return drives_->map()->find(DriveName(name))->mirrors_metadata;
  }
  Bytes file(const std::string& name) { return disks_.at(name)->read_all("map", kMaxMapBytes).value(); }
  DriveMap stored(const std::string& name) { return read_map(*disks_.at(name), *test_seal()).value().map; }
  Names told(Kind kind) {
    Names names;
    for (const DriveEvent& event : drives_->take_events()) {
      if (event.kind == kind) names.push_back(event.name.value());
    }
    return names;
  }
  // As who has no key would: any bytes, the checksum right.
  void forge(const std::string& name, const std::function<void(Bytes&)>& change) {
    Bytes bytes = file(name);
    change(bytes);
    bytes.resize(bytes.size() - 4);
    ByteWriter(bytes).u32(crypto::crc32c(0, Bytes(bytes)));
    ASSERT_TRUE(disks_.at(name)->replace("map", bytes));
  }
  static void claim_the_last_epoch(Bytes& map) { std::fill_n(map.begin() + 26, 8, std::uint8_t{0xff}); }

  SeededRandom random_{11};
  std::map<std::string, std::unique_ptr<FaultDisk>> disks_;
  Names names_;
  std::unique_ptr<Drives> drives_;
  // To the last decision that was refused.
  DriveSurvey::Objection objection_{};
  std::string objected_to_;
};

// --- doubt -----------------------------------------------------------------------------------------------------------

TEST_F(HistoriesTest, ADriveThatLiesElsewhereIsNamed) {
  stop();
  EXPECT_TRUE(survey()->elsewhere().empty());
  names_.emplace_back("moved");
  disks_["moved"] = disks_.at("etat-2")->share();
  EXPECT_TRUE(survey()->elsewhere().empty()) << "a second path to where it is";
  disks_.erase("etat-2");
  const auto found = survey();
  ASSERT_TRUE(found);
  const auto elsewhere = found->elsewhere();
  ASSERT_EQ(elsewhere.size(), 1U);
  EXPECT_EQ(elsewhere[0].drive.name, DriveName("etat-2"));
  EXPECT_EQ(elsewhere[0].found_at, "moved");
  EXPECT_EQ(elsewhere[0].drive.path, "etat-2");
}

TEST_F(HistoriesTest, ASiteThatWasAwayDoesNotStartAlone) {
  must_start();
  away({"etat-1", "etat-2"});
  ASSERT_TRUE(change(7));
  EXPECT_FALSE(is_present("etat-1") || is_present("etat-2"));
  EXPECT_FALSE(mirrors("etat-1")) << "it lacks what was acknowledged";
  stop();
  only({"etat-1", "etat-2"});
  const Bytes before = file("etat-1");
  const Status alone = start();
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error(), Errc::kRefused);
  for (const std::string name : {"orange-1 (site orange)", "thales-2 (site thales)", "drive proceed --without"}) {
    EXPECT_NE(alone.error().message().find(name), std::string::npos) << name << ": " << alone.error().message();
  }
  EXPECT_EQ(alone.error().message().find("etat"), std::string::npos) << alone.error().message();
  EXPECT_EQ(file("etat-1"), before) << "nothing is written before that is decided";
  back(names_);
  must_start();
  EXPECT_EQ(last_change(), 7U);
  EXPECT_TRUE(online("etat-1") && is_present("etat-1"));
  EXPECT_EQ(stored("etat-1"), *drives_->map());
}

TEST_F(HistoriesTest, StartsWithoutASiteThatCannotHaveGoneOnAlone) {
  away({"etat-1", "etat-2"});
  must_start();
  EXPECT_TRUE(is_present("orange-1"));
  EXPECT_FALSE(is_present("etat-1") || is_present("etat-2"));
  EXPECT_EQ(told(Kind::kMirrorAway), Names{"etat-1"});
  EXPECT_TRUE(change(1));
  back({"etat-1", "etat-2"});
  EXPECT_TRUE(online("etat-1") && online("etat-2"));
}

TEST_F(HistoriesTest, DrivesThatHoldNoMirrorRaiseNoDoubt) {
  away({"etat-2", "orange-2", "dassault-1", "dassault-2", "thales-2"});
  must_start();
  EXPECT_TRUE(change(1));
}

TEST_F(HistoriesTest, TheSurvivorsOfALossKnowThatTheyWentOnAlone) {
  must_start();
  away({"etat-1", "etat-2"});
  ASSERT_TRUE(change(1));
  away({"thales-1", "thales-2"});
  ASSERT_TRUE(change(2));
  stop();
  // The two sites that stayed are all that is needed …
  must_start();
  EXPECT_EQ(last_change(), 2U);
  stop();
  // … those that went do not know what came after …
  only({"etat-1", "etat-2", "thales-1", "thales-2"});
  EXPECT_EQ(start().error(), Errc::kRefused);
  // … and one of those that stayed tells them.
  only({"etat-1", "etat-2", "thales-1", "thales-2", "orange-1", "orange-2"});
  must_start();
  EXPECT_EQ(last_change(), 2U);
}

TEST_F(HistoriesTest, WithoutAnyCurrentMirrorNothingOpens) {
  away({"etat-1", "orange-1", "thales-1"});
  const Status started = start();
  EXPECT_EQ(started.error(), Errc::kUnavailable);
  EXPECT_NE(started.error().message().find("etat-1 (site etat), orange-1 (site orange), thales-1 (site thales)"),
            std::string::npos)
      << started.error().message();
}

TEST_F(HistoriesTest, TooFewDrivesChangeNothing) {
  must_start();
  away({"orange-1", "orange-2", "dassault-1", "dassault-2", "thales-1", "thales-2"});
  const Bytes before = file("etat-1");
  const Status changed = change(1);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error(), Errc::kUnavailable);
  EXPECT_NE(changed.error().message().find("orange-1 (site orange)"), std::string::npos) << changed.error().message();
  EXPECT_EQ(file("etat-1"), before);
  EXPECT_TRUE(mirrors("orange-1")) << "they lack nothing";
  back({"dassault-2"});
  EXPECT_TRUE(change(2));
  EXPECT_FALSE(is_present("thales-1"));
}

// Else it would go on with whoever is left alone, while those that the others are come back without it.
TEST_F(HistoriesTest, ADriveThatIsBackHelpsToGoOnOnceItIsPresentAgain) {
  must_start();
  away({"etat-1", "etat-2"});
  ASSERT_TRUE(change(1));
  away({"orange-1", "orange-2", "dassault-1", "dassault-2", "thales-2"});
  back({"etat-1"});
  EXPECT_TRUE(online("etat-1"));
  EXPECT_EQ(change(2).error(), Errc::kUnavailable) << "thales-1 alone is what took part last";
  back({"orange-2"});
  EXPECT_TRUE(change(3));
  EXPECT_TRUE(is_present("etat-1"));
}

// --- who lies
// ----------------------------------------------------------------------------------------------------------

TEST_F(HistoriesTest, AForgedMapIsNobodysTruthAndItsDriveIsKeptOut) {
  must_start();
  ASSERT_TRUE(change(1));
  stop();
  forge("thales-2", claim_the_last_epoch);
  const Bytes forged = file("thales-2");
  must_start();
  EXPECT_EQ(last_change(), 1U);
  EXPECT_LT(drives_->map()->epoch, 10U);
  EXPECT_FALSE(online("thales-2"));
  EXPECT_NE(why("thales-2").find("forged"), std::string::npos) << why("thales-2");
  EXPECT_EQ(told(Kind::kKeptOut), Names{"thales-2"});
  drives_->probe_all();
  EXPECT_TRUE(told(Kind::kKeptOut).empty()) << "once is enough";
  EXPECT_EQ(file("thales-2"), forged) << "it is evidence";
  away({"etat-1", "etat-2", "orange-1"});
  EXPECT_TRUE(change(2)) << "the cloud goes on, and can lose more";
}

TEST_F(HistoriesTest, AMapThatIsForgedWhileTheDriveIsAwayKeepsItOut) {
  must_start();
  away({"thales-2"});
  disks_.at("thales-2")->set_offline(false);
  forge("thales-2", claim_the_last_epoch);
  drives_->probe_all();
  EXPECT_FALSE(online("thales-2"));
  EXPECT_EQ(told(Kind::kKeptOut), Names{"thales-2"});
}

TEST_F(HistoriesTest, PathsInAForgedMapAreNotFollowed) {
  std::set<std::string> asked;
  std::mutex mutex;
  const auto watched = [&](const DriveInfo& drive) -> Result<std::unique_ptr<Disk>> {
    const std::lock_guard lock(mutex);
    asked.insert(drive.path);
    return opener()(drive);
  };
  forge("thales-2", claim_the_last_epoch);
  EXPECT_EQ(DriveSurvey::make({"thales-2"}, test_seal(), watched).error(), Errc::kUnavailable);
  EXPECT_EQ(asked, std::set<std::string>{"thales-2"});
}

// As RealDisk says it.
TEST_F(HistoriesTest, DrivesThatAProcessHoldsWhichHasEndedAreToldOfAndNotMissing) {
  std::set<std::string> held{names_.begin(), names_.end()};
  const auto holding = [&](const DriveInfo& drive) -> Result<std::unique_ptr<Disk>> {
    if (held.contains(drive.path)) return fail(Errc::kTimeout, "held by process 7");
    return opener()(drive);
  };
  const auto none = DriveSurvey::make(names_, test_seal(), holding);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), Errc::kTimeout);
  EXPECT_EQ(none.error().message(), "held by process 7");
  // Those that are there decide, as if the others hung.
  held = {"orange-1"};
  const auto most = DriveSurvey::make(names_, test_seal(), holding);
  ASSERT_TRUE(most) << most.error().describe();
  EXPECT_EQ(most->finding(), DriveSurvey::Finding::kClear);
  EXPECT_EQ(most->kept(), "held by process 7");
  held.clear();
  EXPECT_EQ(DriveSurvey::make(names_, test_seal(), holding)->kept(), "");
}

TEST_F(HistoriesTest, ADamagedMapIsWrittenAnewAndToldOf) {
  ASSERT_TRUE(disks_.at("orange-1")->corrupt("map", 40, 1));
  ASSERT_TRUE(disks_.at("orange-2")->remove("map"));
  must_start();
  EXPECT_TRUE(online("orange-1") && online("orange-2"));
  EXPECT_EQ(stored("orange-1"), *drives_->map());
  EXPECT_EQ(told(Kind::kMapHealed), (Names{"orange-1", "orange-2"}));
}

// What is damaged says nothing, so those drives are as good as missing where it matters.
TEST_F(HistoriesTest, DamagedMapsAreNoWitnesses) {
  for (const std::string name : {"orange-1", "thales-2"}) ASSERT_TRUE(disks_.at(name)->corrupt("map", 40, 1));
  EXPECT_EQ(start().error(), Errc::kRefused);
}

TEST_F(HistoriesTest, AMapOfANewerProgramIsNotOverwritten) {
  forge("thales-2", [](Bytes& map) { map[8] = 3; });
  const Bytes newer = file("thales-2");
  must_start();
  EXPECT_FALSE(online("thales-2"));
  EXPECT_EQ(file("thales-2"), newer);
}

TEST_F(HistoriesTest, ALabelIsNotTakenFromAnotherDriveOrMadeUp) {
  const Bytes label = disks_.at("etat-1")->read_all("label", kMaxLabelBytes).value();
  ASSERT_TRUE(disks_.at("thales-2")->replace("label", label));
  must_start();
  EXPECT_FALSE(online("thales-2"));
  EXPECT_NE(why("thales-2").find("another drive"), std::string::npos) << why("thales-2");
  EXPECT_TRUE(online("etat-1"));
  Bytes made_up = disks_.at("orange-2")->read_all("label", kMaxLabelBytes).value();
  made_up[30] ^= 1;
  made_up.resize(made_up.size() - 4);
  ByteWriter(made_up).u32(crypto::crc32c(0, Bytes(made_up)));
  ASSERT_TRUE(disks_.at("orange-2")->replace("label", made_up));
  drives_->probe_all();
  EXPECT_FALSE(online("orange-2"));
  drives_->probe_all();
  EXPECT_NE(why("orange-2").find("forged"), std::string::npos) << why("orange-2");
  const Names out = told(Kind::kKeptOut);
  EXPECT_EQ(std::set<std::string>(out.begin(), out.end()), (std::set<std::string>{"orange-2", "thales-2"}));
}

// --- old drives ------------------------------------------------------------------------------------------------------

// So many changes that the first of them are forgotten.
class AncientTest : public HistoriesTest {
 protected:
  void keep_old(const std::string& name) { old_ = disks_.at(name)->crash(1); }
  void age() {
    for (std::uint64_t number = 1; number <= kMaxForebears + 3; ++number) ASSERT_TRUE(change(number));
    last_ = kMaxForebears + 3;
  }
  // "thales-2" in a new folder, in the place of the one before.
  void replace() {
    away({"thales-2"});
    add_disk("thales-2-new");
    DriveInfo fresh = drive_of("thales", "thales-2");
    fresh.path = "thales-2-new";
    ASSERT_TRUE(drives_->update([&](DriveMap& map) -> Status {
      for (DriveInfo& drive : map.drives) {
        if (drive.name != fresh.name) continue;
        drive.state = DriveState::kReplaced;
        drive.name = DriveName("thales-2-until-2");
      }
      map.drives.push_back(fresh);
      return {};
    }));
  }
  std::unique_ptr<FaultDisk> old_;
  std::uint64_t last_ = 0;
};

TEST_F(AncientTest, AReplacedDriveThatIsStillThereStopsNoStart) {
  must_start();
  replace();
  age();
  stop();
  disks_.at("thales-2")->set_offline(false);
  const Bytes carried = file("thales-2");
  must_start();
  EXPECT_EQ(last_change(), last_);
  for (const std::string& name : names_) EXPECT_TRUE(online(name)) << name << why(name);
  const auto events = drives_->take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, Kind::kKeptOut);
  EXPECT_EQ(events[0].name, DriveName("thales-2-until-2"));
  EXPECT_NE(events[0].detail.find("still at thales-2"), std::string::npos) << events[0].detail;
  EXPECT_EQ(file("thales-2"), carried);
}

// Its name is another drive's by now: who decides is not led to that one.
TEST_F(AncientTest, AReplacedDriveThatIsStillThereIsNotToBeDecidedOn) {
  must_start();
  replace();
  age();
  away({"etat-1", "etat-2"});
  ASSERT_TRUE(change(++last_));
  stop();
  disks_.at("thales-2")->set_offline(false);
  only({"etat-1", "etat-2", "thales-2"});
  disks_.at("thales-2-new")->set_offline(true);
  const auto found = survey();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->finding(), DriveSurvey::Finding::kInDoubt);
  ASSERT_TRUE(decide({"orange-1", "orange-2", "dassault-1", "dassault-2", "thales-1", "thales-2"}));
  EXPECT_EQ(drives_->map()->decisions[0].without.size(), 6U);
  EXPECT_EQ(drives_->map()->find(id("thales-2"))->path, "thales-2-new");
}

// Put back as it was: alone it can have made nothing that counts.
TEST_F(AncientTest, AnOldCopyOfADriveInUseIsKeptOutAndNamed) {
  keep_old("thales-2");
  must_start();
  age();
  stop();
  disks_.at("thales-2") = std::move(old_);
  must_start();
  EXPECT_EQ(last_change(), last_);
  EXPECT_FALSE(online("thales-2"));
  EXPECT_EQ(told(Kind::kKeptOut), Names{"thales-2"});
}

TEST_F(AncientTest, OldCopiesOfEnoughDrivesAreAHistory) {
  must_start();
  ASSERT_TRUE(change(1));
  keep_old("thales-1");
  auto other = disks_.at("orange-2")->crash(1);
  age();
  stop();
  disks_.at("thales-1") = std::move(old_);
  disks_.at("orange-2") = std::move(other);
  EXPECT_EQ(start().error(), Errc::kRefused);
}

// --- room ------------------------------------------------------------------------------------------------------------

class FullTest : public HistoriesTest {
 protected:
  // As if somebody else had taken all that was free.
  void fill(const Names& names) {
    for (const std::string& name : names) {
      const Space space = disks_.at(name)->space().value();
      disks_.at(name)->set_capacity(space.total_bytes - space.free_bytes);
    }
  }
  // Maps of before there was a reserve.
  void give_up_reserve(const Names& names) {
    for (const std::string& name : names) ASSERT_TRUE(disks_.at(name)->keep_reserve("map", 0));
  }
};

TEST_F(FullTest, FullDrivesTakeMapsAndGoOnWhenOneIsLost) {
  must_start();
  fill(names_);
  away({"thales-2"});
  for (std::uint64_t number = 1; number < 200; ++number) ASSERT_TRUE(change(number));
  for (const std::string& name : names_) EXPECT_EQ(online(name), name != "thales-2") << name << why(name);
  back({"thales-2"});
  EXPECT_TRUE(online("thales-2"));
  must_start();
  EXPECT_EQ(last_change(), 199U);
  for (const std::string& name : names_) EXPECT_EQ(stored(name), *drives_->map()) << name;
}

TEST_F(FullTest, ADriveWithoutRoomForTheMapStaysAndIsGivenItLater) {
  must_start();
  give_up_reserve({"orange-1"});
  fill({"orange-1"});
  ASSERT_TRUE(change(1));
  EXPECT_TRUE(online("orange-1")) << why("orange-1");
  EXPECT_TRUE(is_present("orange-1") && mirrors("orange-1"));
  EXPECT_NE(stored("orange-1"), *drives_->map());
  must_start();
  EXPECT_TRUE(online("orange-1")) << "its map is past, and it still has no room for another one";
  EXPECT_EQ(last_change(), 1U);
  disks_.at("orange-1")->set_capacity(0);
  drives_->probe_all();
  EXPECT_EQ(stored("orange-1"), *drives_->map());
}

TEST_F(FullTest, DrivesThatDidNotTakeTheMapHelpNoMapToCount) {
  must_start();
  const Names full{"etat-1", "etat-2", "orange-1", "orange-2", "dassault-1", "dassault-2", "thales-2"};
  give_up_reserve(full);
  fill(full);
  const Status changed = change(1);
  EXPECT_EQ(changed.error(), Errc::kUnavailable);
  EXPECT_EQ(change(2).error(), Errc::kUnavailable);
  for (const std::string& name : names_) EXPECT_TRUE(online(name)) << name << why(name);
  EXPECT_EQ(last_change(), 0U);
  for (const std::string& name : full) disks_.at(name)->set_capacity(0);
  drives_->probe_all();
  ASSERT_TRUE(change(3));
  must_start();
  EXPECT_EQ(last_change(), 3U);
}

TEST_F(FullTest, TooFewDescriptorsTakeNoDriveOffline) {
  must_start();
  for (const std::string& name : names_) {
    disks_.at(name)->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map", .error = Errc::kOverloaded});
  }
  EXPECT_EQ(change(1).error(), Errc::kUnavailable);
  for (const std::string& name : names_) EXPECT_TRUE(online(name)) << name << why(name);
  EXPECT_TRUE(change(2));
}

// --- attempts
// ----------------------------------------------------------------------------------------------------------

TEST_F(HistoriesTest, AnAttemptThatTooFewTookIsAbandonedAndBringsNothingBack) {
  must_start();
  for (const std::string& name : names_) {
    if (name != "dassault-1") disks_.at(name)->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map"});
  }
  EXPECT_EQ(change(5).error(), Errc::kUnavailable);
  EXPECT_EQ(last_change(), 0U);
  EXPECT_TRUE(online("dassault-1"));
  EXPECT_EQ(stored("dassault-1"), *drives_->map()) << "it gives up what did not count";
  drives_->probe_all();
  for (const std::string& name : names_) EXPECT_TRUE(online(name)) << name;
  ASSERT_TRUE(change(6));
  stop();
  must_start();
  EXPECT_EQ(last_change(), 6U);
}

TEST_F(HistoriesTest, WhatDidNotCountComesBackAsPast) {
  must_start();
  // dassault-1 takes a change that nobody else takes, and goes.
  for (const std::string& name : names_) {
    if (name != "dassault-1") disks_.at(name)->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map"});
  }
  disks_.at("dassault-1")->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map", .nth = 2});
  EXPECT_FALSE(change(5));
  EXPECT_EQ(stored("dassault-1").drives.front().capacity_bytes, 5U);
  stop();
  away({"dassault-1"});
  must_start();
  EXPECT_EQ(last_change(), 0U);
  ASSERT_TRUE(change(6));
  back({"dassault-1"});
  EXPECT_TRUE(online("dassault-1")) << why("dassault-1");
  EXPECT_EQ(stored("dassault-1"), *drives_->map());
}

TEST_F(HistoriesTest, WhereBothMayHaveCountedNothingOpensUntilTheOthersAreBack) {
  must_start();
  // Cut off in the middle: some have the change, some do not.
  for (const std::string name : {"etat-1", "etat-2", "dassault-1", "dassault-2"}) {
    disks_.at(name)->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map", .from_then_on = true});
  }
  ASSERT_TRUE(change(5));
  stop();
  for (auto& [name, disk] : disks_) disk->disarm();
  only({"etat-1", "etat-2", "dassault-1", "dassault-2"});
  EXPECT_EQ(start().error(), Errc::kRefused);
  only({"etat-1", "etat-2", "dassault-1", "dassault-2", "orange-2"});
  EXPECT_EQ(start().error(), Errc::kRefused) << "the two mirrors that are missing may have gone on from there";
  only({"etat-1", "etat-2", "dassault-1", "dassault-2", "orange-1", "orange-2"});
  must_start();
  EXPECT_EQ(last_change(), 5U);
}

// It says that fewer took part than could have gone on instead of it.
TEST_F(HistoriesTest, AnAttemptThatAloneIsFoundIsNotTrustedToSayWhoWasThere) {
  must_start();
  away({"dassault-1", "dassault-2", "thales-1", "thales-2"});
  for (const std::string name : {"etat-2", "orange-1", "orange-2"}) {
    disks_.at(name)->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map"});
  }
  disks_.at("etat-1")->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map", .nth = 2});
  EXPECT_FALSE(change(5));
  EXPECT_EQ(stored("etat-1").drives.front().capacity_bytes, 5U);
  stop();
  only({"orange-1", "orange-2", "dassault-1", "dassault-2", "thales-1", "thales-2"});
  must_start();
  ASSERT_TRUE(change(6));
  stop();
  only({"etat-1", "etat-2"});
  EXPECT_EQ(start().error(), Errc::kRefused);
  back(names_);
  must_start();
  EXPECT_EQ(last_change(), 6U);
}

TEST_F(HistoriesTest, AnAttemptThatIsKnownToBeAbandonedRaisesNoDoubt) {
  must_start();
  for (const std::string& name : names_) {
    if (name != "dassault-1") disks_.at(name)->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map"});
  }
  disks_.at("dassault-1")->arm({.ops = {DiskOp::kWrite}, .path_prefix = "map", .nth = 2});
  EXPECT_FALSE(change(5));
  disks_.at("dassault-1")->set_offline(true);
  drives_->probe_all();
  EXPECT_TRUE(online("etat-1") && online("thales-1"));
  stop();
  back({"dassault-1"});
  away({"thales-1", "thales-2"});
  must_start();
  EXPECT_EQ(last_change(), 0U);
  EXPECT_TRUE(online("dassault-1")) << why("dassault-1");
  EXPECT_TRUE(change(6));
}

// Draws what happens to drives, kills in the middle of changes, and starts on any subset: a change that was
// acknowledged is in every cloud that opens from then on, without any operator's decision. ANDROMEDE_SEEDS=N: N
// sequences.
TEST_F(HistoriesTest, NoAcknowledgedChangeIsLostWhateverComesAndGoes) {
  const char* const asked = std::getenv("ANDROMEDE_SEEDS");
  const std::uint64_t seeds = asked == nullptr ? 40 : std::strtoull(asked, nullptr, 10);
  constexpr int kSteps = 120;
  std::uint64_t opened = 0;
  std::uint64_t refused = 0;
  std::uint64_t acknowledged = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    stop();
    for (const std::string& name : names_) add_disk(name);
    DriveMap map;
    map.cloud = CloudId::random(random);
    map.minimum = {2, 2};
    for (const std::string& name : names_) {
      map.drives.push_back(drive_of(name.substr(0, name.find('-')), name));
      map.drives.back().mirrors_metadata = name.ends_with("-1") && !name.starts_with("dassault");
    }
    ASSERT_TRUE(Drives::create(map, test_seal(), opener()));
    std::uint64_t last = 0;
    std::uint64_t number = 0;
    for (int step = 0; step < kSteps; ++step) {
      const std::string& one = names_[random.below(names_.size())];
      const std::string site = one.substr(0, one.find('-'));
      switch (random.below(11)) {
        case 0:
          disks_.at(one)->set_offline(random.below(2) == 0);
          break;
        case 1:
          for (const std::string number_of : {"-1", "-2"}) disks_.at(site + number_of)->set_offline(true);
          break;
        case 2:
          for (const std::string number_of : {"-1", "-2"}) disks_.at(site + number_of)->set_offline(false);
          break;
        case 3:
          if (drives_ != nullptr) drives_->probe_all();
          break;
        case 4:  // the process, or the power, ends
          stop();
          if (random.below(2) == 0) {
            for (auto& [name, disk] : disks_) {
              auto left = disk->crash(random.below(1000));
              left->set_offline(!disk->probe());
              disk = std::move(left);
            }
          }
          break;
        case 5:  // a change that is cut off on some drives
          if (drives_ == nullptr) break;
          for (auto& [name, disk] : disks_) {
            if (random.below(2) == 0)
              disk->arm({.action = FaultAction::kTear, .ops = changing_ops(), .nth = 1 + random.below(5)});
          }
          if (change(++number)) last = number;
          if (random.below(2) == 0) stop();
          for (auto& [name, disk] : disks_) disk->disarm();
          break;
        case 6:  // a mirror moves
          if (drives_ == nullptr || !online(one)) break;
          static_cast<void>(drives_->update([&](DriveMap& changed) -> Status {
            for (DriveInfo& drive : changed.drives) {
              if (drive.name.value() == one) drive.mirrors_metadata = true;
            }
            return {};
          }));
          break;
        default:
          if (drives_ != nullptr) {
            if (change(++number)) {
              last = number;
              ++acknowledged;
            }
            if (random.below(10) == 0) stop();
            break;
          }
          const Status started = start();
          ++(started ? opened : refused);
          if (started) {
            ASSERT_GE(last_change(), last) << "step " << step;
          } else {
            ASSERT_TRUE(started.error() == Errc::kRefused || started.error() == Errc::kUnavailable ||
                        started.error() == Errc::kNotFound)
                << started.error().describe();
          }
      }
      if (drives_ != nullptr) ASSERT_GE(last_change(), last) << "step " << step;
    }
    // With all of them back it opens, nothing stays out, and nothing is lost.
    stop();
    for (auto& [name, disk] : disks_) disk->set_offline(false);
    const Status started = start();
    ASSERT_TRUE(started) << started.error().describe();
    ASSERT_GE(last_change(), last);
    for (const std::string& name : names_) ASSERT_TRUE(online(name)) << name << ": " << why(name);
  }
  EXPECT_GT(opened, 50U);
  EXPECT_GT(refused, 50U);
  EXPECT_GT(acknowledged, 100U);
}

// --- decisions
// ---------------------------------------------------------------------------------------------------------

class DecisionsTest : public HistoriesTest {
 protected:
  // etat was away while the others went on, and is all that is left.
  void lose_all_but_etat() {
    must_start();
    away({"etat-1", "etat-2"});
    ASSERT_TRUE(change(1));
    stop();
    only({"etat-1", "etat-2"});
  }
  const Names others_{"orange-1", "orange-2", "dassault-1", "dassault-2", "thales-1", "thales-2"};
};

TEST_F(DecisionsTest, GoesOnOnlyWhenEveryDriveOfTheDoubtIsNamed) {
  lose_all_but_etat();
  const Bytes before = file("etat-1");
  EXPECT_EQ(decide({"orange-1"}).error(), Errc::kRefused);
  EXPECT_EQ(objection_, Objection::kOthersMissing);
  EXPECT_EQ(objected_to_.find("orange-1"), std::string::npos) << objected_to_;
  EXPECT_NE(objected_to_.find("thales-2 (site thales)"), std::string::npos) << objected_to_;
  EXPECT_EQ(decide({"orange-1", "nobody"}).error(), Errc::kInvalidArgument);
  EXPECT_EQ(objection_, Objection::kUnknownName);
  EXPECT_EQ(objected_to_, "nobody");
  Names too_many = others_;
  too_many.push_back("etat-2");
  const Status refused = decide(too_many);
  EXPECT_EQ(refused.error(), Errc::kRefused);
  EXPECT_NE(refused.error().message().find("etat-2 is there"), std::string::npos) << refused.error().message();
  EXPECT_EQ(objection_, Objection::kOfTheSameHistory);
  EXPECT_EQ(objected_to_, "etat-2");
  too_many.push_back("etat-1");
  EXPECT_EQ(decide(too_many).error(), Errc::kRefused);
  EXPECT_EQ(objection_, Objection::kNoDriveLeft);
  EXPECT_EQ(file("etat-1"), before);
  ASSERT_TRUE(decide(others_));
  const auto map = drives_->map();
  ASSERT_EQ(map->decisions.size(), 1U);
  EXPECT_EQ(map->decisions[0].unix_user, "jeanne");
  EXPECT_EQ(map->decisions[0].at.ms, 1000);
  EXPECT_EQ(map->decisions[0].without.size(), 6U);
  EXPECT_EQ(stored("etat-2"), *map);
  EXPECT_TRUE(is_present("etat-1") && mirrors("etat-1"));
  EXPECT_FALSE(is_present("thales-1"));
  EXPECT_TRUE(mirrors("thales-1")) << "until another one is known to be sound";
  must_start();
  EXPECT_EQ(told(Kind::kMirrorAway), (Names{"orange-1", "thales-1"}));
  EXPECT_EQ(drives_->map()->decisions.size(), 1U) << "it is carried until it is journaled";
  EXPECT_TRUE(change(9)) << "those that are left are all that there is";
  ASSERT_TRUE(drives_->update([](DriveMap& changed) -> Status {
    changed.decisions.clear();
    return {};
  }));
  must_start();
  EXPECT_TRUE(drives_->map()->decisions.empty());
}

class TwoDecisionsTest : public DecisionsTest {
 protected:
  // Of a cloud in which any two drives may go on.
  void lose_two_sites() {
    must_start();
    ASSERT_TRUE(drives_->update([](DriveMap& changed) -> Status {
      changed.minimum = {2, 1};
      return {};
    }));
    stop();
    only({"etat-1", "etat-2", "orange-1", "orange-2"});
  }
};

// A second loss before the first start: whoever decided first stands in the journal too.
TEST_F(TwoDecisionsTest, EveryDecisionIsCarriedUntilItIsJournaled) {
  lose_two_sites();
  ASSERT_TRUE(decide({"dassault-1", "dassault-2", "thales-1", "thales-2"}, "claire"));
  stop();
  only({"etat-1", "etat-2"});
  ASSERT_TRUE(decide({"orange-1", "orange-2"}));
  must_start();
  const auto map = drives_->map();
  ASSERT_EQ(map->decisions.size(), 2U);
  EXPECT_EQ(map->decisions[0].unix_user, "claire");
  EXPECT_EQ(map->decisions[0].without.size(), 4U);
  EXPECT_EQ(map->decisions[1].unix_user, "jeanne");
  EXPECT_EQ(map->decisions[1].without.size(), 2U);
  EXPECT_LT(map->decisions[0].epoch, map->decisions[1].epoch);
}

TEST_F(TwoDecisionsTest, MoreDecisionsThanAMapCarriesAreRefused) {
  lose_two_sites();
  ASSERT_TRUE(decide({"dassault-1", "dassault-2", "thales-1", "thales-2"}));
  ASSERT_TRUE(drives_->update([](DriveMap& changed) -> Status {
    changed.decisions.clear();
    for (std::uint64_t epoch = 1; epoch <= changed.epoch; ++epoch) changed.decisions.push_back({epoch, {}, "o", {}});
    return {};
  }));
  while (drives_->map()->decisions.size() < kMaxDecisions) {
    ASSERT_TRUE(drives_->update([](DriveMap& changed) -> Status {
      changed.decisions.push_back({changed.decisions.back().epoch + 1, {}, "o", {}});
      return {};
    }));
  }
  stop();
  only({"etat-1", "etat-2"});
  const Status refused = decide({"orange-1", "orange-2"});
  EXPECT_EQ(refused.error(), Errc::kRefused);
  EXPECT_NE(refused.error().message().find("64 decisions"), std::string::npos) << refused.error().message();
}

TEST_F(DecisionsTest, ALongNameOfWhoDecidesIsCut) {
  lose_all_but_etat();
  ASSERT_TRUE(decide(others_, std::string(kMaxUnixUserBytes + 1, 'j')));
  EXPECT_EQ(drives_->map()->decisions.back().unix_user, std::string(kMaxUnixUserBytes, 'j'));
}

TEST_F(DecisionsTest, NothingIsDecidedWhereNothingIsInDoubt) {
  away({"etat-1", "etat-2"});
  EXPECT_EQ(decide({"etat-1", "etat-2"}).error(), Errc::kRefused);
  EXPECT_EQ(objection_, Objection::kNothingInDoubt);
}

TEST_F(DecisionsTest, WhoWasLeftBehindWithAHistoryOfItsOwnStaysOutUntilReplaced) {
  lose_all_but_etat();
  ASSERT_TRUE(decide(others_));
  ASSERT_TRUE(change(9));
  back(others_);
  const Bytes theirs = file("thales-1");
  for (const std::string& name : others_) {
    EXPECT_FALSE(online(name)) << name;
    EXPECT_NE(why(name).find("a history of its own"), std::string::npos) << why(name);
  }
  EXPECT_EQ(told(Kind::kKeptOut).size(), 6U);
  // The same at a start: it has been decided which is true.
  must_start();
  EXPECT_EQ(last_change(), 9U);
  EXPECT_FALSE(online("thales-1") || online("orange-2"));
  EXPECT_EQ(file("thales-1"), theirs) << "nothing of it is erased";
  add_disk("thales-1-new");
  DriveInfo fresh = drive_of("thales", "thales-1");
  fresh.path = "thales-1-new";
  ASSERT_TRUE(drives_->update([&](DriveMap& map) -> Status {
    for (DriveInfo& drive : map.drives) {
      if (drive.name == fresh.name) {
        drive.state = DriveState::kReplaced;
        drive.name = DriveName("thales-1-before");
      }
    }
    map.drives.push_back(fresh);
    return {};
  }));
  EXPECT_TRUE(drives_->online(fresh.id));
  EXPECT_EQ(file("thales-1"), theirs);
}

TEST_F(DecisionsTest, WhoWasLeftBehindAndHasNothingOfItsOwnComesBack) {
  only({"etat-1", "etat-2"});
  ASSERT_TRUE(decide(others_));
  ASSERT_TRUE(change(9));
  back(others_);
  for (const std::string& name : others_) EXPECT_TRUE(online(name)) << name << why(name);
  ASSERT_TRUE(change(10));
  EXPECT_TRUE(is_present("thales-1"));
  EXPECT_FALSE(drives_->map()->find(id("thales-1"))->left_behind);
}

TEST_F(DecisionsTest, WhoWasLeftBehindAndCannotSayWhatItHoldsStaysOut) {
  lose_all_but_etat();
  ASSERT_TRUE(decide(others_));
  ASSERT_TRUE(disks_.at("thales-1")->corrupt("map", 40, 1));
  back({"thales-1"});
  EXPECT_FALSE(online("thales-1"));
  EXPECT_NE(why("thales-1").find("left behind"), std::string::npos) << why("thales-1");
}

TEST_F(DecisionsTest, TwoHistoriesOpenNothingUntilOneIsChosen) {
  lose_all_but_etat();
  // Whoever decided here had the true ones not at hand; the others know nothing of it and go on as well.
  ASSERT_TRUE(decide(others_));
  ASSERT_TRUE(change(9));
  stop();
  only(others_);
  must_start();
  ASSERT_TRUE(change(2));
  stop();
  // Of the two, an operator's word was for etat's.
  back(names_);
  must_start();
  EXPECT_EQ(last_change(), 9U);
  stop();
  // With a word for each, nobody knows.
  only({"orange-1", "orange-2"});
  ASSERT_TRUE(decide({"dassault-1", "dassault-2", "thales-1", "thales-2"}));
  ASSERT_TRUE(change(3));
  stop();
  back(names_);
  const Status refused = start();
  EXPECT_EQ(refused.error(), Errc::kRefused);
  EXPECT_NE(refused.error().message().find("orange-1"), std::string::npos) << refused.error().message();
  EXPECT_NE(refused.error().message().find("etat-1"), std::string::npos) << refused.error().message();
  EXPECT_EQ(decide({"etat-1"}).error(), Errc::kRefused);
  // What has to be named is told for each, and is enough.
  auto found = survey();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->histories().size(), 2U);
  std::vector<DriveSurvey::Line> histories;
  for (const DriveSurvey::Line* line : found->histories()) histories.push_back(*line);
  for (const DriveSurvey::Line& line : histories) {
    const bool etats = line.holders.contains(line.map.find(DriveName("etat-1"))->id);
    Names leave = etats ? others_ : Names({"etat-1", "etat-2"});
    std::sort(leave.begin(), leave.end());
    EXPECT_EQ(names_of(found->to_leave_for(line)), leave);
    EXPECT_EQ(found->finding(), DriveSurvey::Finding::kTwoHistories) << "nothing is decided by asking";
  }
  ASSERT_TRUE(decide({"etat-1", "etat-2"}));
  EXPECT_EQ(last_change(), 3U);
  EXPECT_TRUE(online("dassault-1")) << "it is of the past of the one that was chosen";
  EXPECT_FALSE(online("etat-1") || online("etat-2"));
  ASSERT_TRUE(change(4));
  must_start();
  EXPECT_EQ(last_change(), 4U);
  EXPECT_FALSE(online("etat-1"));
}

}  // namespace
}  // namespace andromede::io
