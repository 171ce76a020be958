#include "control/consortium_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "control/consortium_file.h"
#include "journal/test_store.h"

namespace andromede::control {
namespace {

using ::testing::HasSubstr;

const identity::Context kOperator = identity::operator_context("claire");

std::string founding_text() {
  std::ifstream in(ANDROMEDE_EXAMPLES "/consortium-2011.toml");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string with(const std::string& what, const std::string& by) {
  std::string text = founding_text();
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

sovereignty::Consortium parsed(const std::string& text) { return parse_consortium(text, "c.toml")->consortium; }

class ConsortiumKeeperTest : public ::testing::Test {
 protected:
  ConsortiumKeeperTest()
      : keeper_(
            cloud_.store(), cloud_.clock(),
            [this] {
              if (meanwhile_) std::exchange(meanwhile_, nullptr)();
              return in_use_;
            },
            [this](const std::string& text) -> Status {
              if (unwritable_) return fail(Errc::kIo, "read-only");
              file_ = text;
              return {};
            },
            [this](sovereignty::Policies policies) { in_force_ = std::move(policies); }) {}
  nlohmann::json last_event() {
    const auto entries = sync_wait(journal::read_entries(cloud_.store(), cloud_.store().last_sequence(), 1));
    return nlohmann::json::parse(entries->front().event);
  }
  journal::TestStore cloud_;
  std::vector<sovereignty::DriveInUse> in_use_;
  std::function<void()> meanwhile_;  // between the look at the record and the commit
  bool unwritable_ = false;
  std::string file_;
  sovereignty::Policies in_force_;
  ConsortiumKeeper keeper_;
};

TEST_F(ConsortiumKeeperTest, WhatIsRecordedIsAgreedWithHoweverItIsWritten) {
  EXPECT_TRUE(keeper_.agree(parsed(founding_text())).error() == Errc::kNotFound);
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  EXPECT_EQ(last_event()["eventName"], "CreateConsortium");
  EXPECT_TRUE(keeper_.agree(parsed(founding_text())));
  EXPECT_TRUE(keeper_.agree(parsed(with("capital_meur = 135", "capital_meur =   135 # million"))));
  EXPECT_TRUE(keeper_.agree(parsed(with("drives/etat-1", "/mnt/etat-1")))) << "where a drive is mounted is no matter";
  EXPECT_TRUE(keeper_.create(founding_text(), kOperator).error() == Errc::kAlreadyExists);
  EXPECT_EQ(keeper_.current()->version, 1U);
}

TEST_F(ConsortiumKeeperTest, AnotherFileIsRefusedWithWhatDiffersAndWhatToDo) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  const Status refused = keeper_.agree(parsed(with("parity_shards = 2\nsite_losses = 2\ndrive_losses = 2",
                                                   "parity_shards = 0\nsite_losses = 0\ndrive_losses = 0")));
  EXPECT_TRUE(refused.error() == Errc::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("policy standard.parity_shards: 2 becomes 0"));
  EXPECT_THAT(refused.error().message(), HasSubstr("andromede consortium apply"));
  EXPECT_TRUE(file_.empty());
}

TEST_F(ConsortiumKeeperTest, AChangeIsTheNextVersionJournaledWithBothDigests) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  const auto before = keeper_.current();
  const std::string changed = with("\"Thales\"", "\"Thales Group\"");
  const auto checked = keeper_.check(changed);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->version, 2U);
  EXPECT_EQ(keeper_.current()->version, 1U) << "checked, not done";
  const auto applied = keeper_.apply(changed, kOperator);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(applied->version, 2U);
  EXPECT_EQ(applied->differences,
            std::vector<std::string>{"associate thales.name: \"Thales\" becomes \"Thales Group\""});
  EXPECT_EQ(file_, changed);
  const auto event = last_event();
  EXPECT_EQ(event["eventName"], "ApplyConsortium");
  EXPECT_EQ(event["userIdentity"]["userName"], "claire");
  EXPECT_EQ(event["requestParameters"]["version"], "2");
  EXPECT_EQ(event["requestParameters"]["digest"], to_hex(sovereignty::digest(parsed(changed))));
  EXPECT_EQ(event["requestParameters"]["previousDigest"], to_hex(before->digest));
  EXPECT_TRUE(keeper_.agree(parsed(changed)));
  const std::uint64_t entries = cloud_.store().last_sequence();
  const auto same = keeper_.apply("# the same\n" + changed, kOperator);
  ASSERT_TRUE(same);
  EXPECT_EQ(same->version, 2U);
  EXPECT_TRUE(same->differences.empty());
  EXPECT_EQ(cloud_.store().last_sequence(), entries) << "nothing changed";
}

TEST_F(ConsortiumKeeperTest, ADriveIsAdmittedWhereTheRecordKnowsItsSiteAsItsAssociates) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  unsigned joined = 0;
  const auto join = [&joined]() -> Status {
    ++joined;
    return {};
  };
  EXPECT_TRUE(keeper_.admit(SiteId("orange"), AssociateId("orange"), join));
  EXPECT_EQ(joined, 1U);
  EXPECT_TRUE(keeper_.admit(SiteId("orange"), AssociateId("orange"), [] { return fail(Errc::kNotFound, "no folder"); })
                  .error() == Errc::kNotFound);
  const Status other = keeper_.admit(SiteId("orange"), AssociateId("thales"), join);
  EXPECT_TRUE(other.error() == Errc::kRefused);
  EXPECT_THAT(other.error().message(), HasSubstr("orange's in the recorded consortium"));
  const std::string changed =
      founding_text() + "\n[[site]]\nid = \"lyon\"\nassociate = \"orange\"\ncountry = \"FR\"\ncity = \"Lyon\"\n\n" +
      "  [[site.drive]]\n  name = \"lyon-1\"\n  path = \"drives/lyon-1\"\n";
  const Status unknown = keeper_.admit(SiteId("lyon"), AssociateId("orange"), join);
  EXPECT_TRUE(unknown.error() == Errc::kRefused);
  EXPECT_THAT(unknown.error().message(), HasSubstr("first: andromede consortium apply FILE"));
  EXPECT_EQ(joined, 1U);
  ASSERT_TRUE(keeper_.apply(changed, kOperator));
  EXPECT_TRUE(keeper_.admit(SiteId("lyon"), AssociateId("orange"), join));
  EXPECT_EQ(joined, 2U);
}

TEST_F(ConsortiumKeeperTest, NothingIsAppliedWhileADriveJoins) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  std::thread applying;
  EXPECT_TRUE(keeper_.admit(SiteId("orange"), AssociateId("orange"), [&]() -> Status {
    applying = std::thread([&] { EXPECT_TRUE(keeper_.apply(with("\"Thales\"", "\"Thales Group\""), kOperator)); });
    EXPECT_EQ(keeper_.current()->version, 1U);
    return {};
  }));
  applying.join();
  EXPECT_EQ(keeper_.current()->version, 2U);
}

TEST_F(ConsortiumKeeperTest, AFileThatACrashLeftBehindIsWrittenAnew) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  const std::string changed = with("\"Thales\"", "\"Thales Group\"");
  unwritable_ = true;
  const auto applied = keeper_.apply(changed, kOperator);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->file_error, "read-only");
  unwritable_ = false;
  in_force_ = {};
  EXPECT_TRUE(keeper_.agree(parsed(founding_text())));
  EXPECT_EQ(file_, changed);
  EXPECT_EQ(in_force_.names(), "standard");
}

TEST_F(ConsortiumKeeperTest, APolicyComesIntoForceOnceItIsRecordedAndStays) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  EXPECT_TRUE(keeper_.agree(parsed(founding_text())));
  EXPECT_EQ(in_force_.names(), "standard");
  const std::string added =
      with("[[associate]]",
           "[[policy]]\nname = \"apart\"\ndata_shards = 1\nparity_shards = 1\nsite_losses = 1\n"
           "drive_losses = 1\ninline_limit_bytes = 0\nsites = [\"etat\", \"thales\"]\n\n[[associate]]");
  const auto refused = keeper_.apply(added, kOperator);
  ASSERT_FALSE(refused) << "no drive is in use";
  EXPECT_TRUE(refused.error() == Errc::kRefused);
  EXPECT_EQ(in_force_.names(), "standard");
  in_use_ = {{DriveName("etat-1"), SiteId("etat"), AssociateId("etat")},
             {DriveName("thales-1"), SiteId("thales"), AssociateId("thales")}};
  // A crash before the file is written.
  unwritable_ = true;
  ASSERT_TRUE(keeper_.apply(added, kOperator));
  EXPECT_EQ(in_force_.names(), "standard, apart");
  unwritable_ = false;
  in_force_ = {};
  EXPECT_TRUE(keeper_.agree(parsed(founding_text())));
  EXPECT_EQ(in_force_.names(), "standard, apart");
  const auto gone = keeper_.apply(founding_text(), kOperator);
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().message(), HasSubstr("policy apart cannot go"));
  EXPECT_EQ(in_force_.names(), "standard, apart");
}

TEST_F(ConsortiumKeeperTest, TheFileNeverFallsTwoVersionsBehind) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  const std::string second = with("\"Thales\"", "\"Thales Group\"");
  const std::string third = with("\"Orange\"", "\"Orange SA\"");
  unwritable_ = true;
  ASSERT_TRUE(keeper_.apply(second, kOperator));
  const auto refused = keeper_.apply(third, kOperator);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error() == Errc::kRefused);
  EXPECT_THAT(refused.error().message(), HasSubstr("read-only"));
  EXPECT_EQ(keeper_.current()->version, 2U);
  unwritable_ = false;
  ASSERT_TRUE(keeper_.apply(third, kOperator));
  EXPECT_EQ(file_, third);
  EXPECT_EQ(keeper_.current()->version, 3U);
}

TEST_F(ConsortiumKeeperTest, OfTwoChangesAtTheSameMomentOneIsMade) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  const std::string first = with("\"Thales\"", "\"Thales Group\"");
  ConsortiumKeeper other(
      cloud_.store(), cloud_.clock(), [this] { return in_use_; }, [](const std::string&) { return Status{}; },
      [](const sovereignty::Policies&) {});
  meanwhile_ = [&] { EXPECT_TRUE(other.apply(first, kOperator)); };
  const auto second = keeper_.apply(with("\"Orange\"", "\"Orange SA\""), kOperator);
  EXPECT_TRUE(second.error() == Errc::kConflict);
  EXPECT_EQ(keeper_.current()->version, 2U);
  EXPECT_TRUE(keeper_.agree(parsed(first)));
}

TEST_F(ConsortiumKeeperTest, WhatIsInUseIsNotTakenAway) {
  ASSERT_TRUE(keeper_.create(founding_text(), kOperator));
  in_use_ = {{DriveName("thales-1"), SiteId("thales"), AssociateId("thales")}};
  const std::string moved = with("country = \"FR\"\ncity = \"Toulouse\"", "country = \"US\"\ncity = \"Toulouse\"");
  EXPECT_TRUE(keeper_.check(moved).error() == Errc::kRefused);
  EXPECT_TRUE(keeper_.apply(moved, kOperator).error() == Errc::kRefused);
  EXPECT_EQ(keeper_.current()->version, 1U);
  in_use_.clear();
  EXPECT_TRUE(keeper_.apply(moved, kOperator));
  EXPECT_TRUE(keeper_.check("not TOML").error() == Errc::kInvalidArgument);
  EXPECT_TRUE(keeper_.check(std::string(sovereignty::kMaxConsortiumBytes + 1, '#')).error() == Errc::kInvalidArgument);
}

}  // namespace
}  // namespace andromede::control
