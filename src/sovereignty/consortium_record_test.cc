#include "sovereignty/consortium_record.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "control/consortium_file.h"

namespace andromede::sovereignty {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Consortium founding() {
  return control::parse_consortium(read(ANDROMEDE_EXAMPLES "/consortium-2011.toml"), "consortium-2011.toml")
      ->consortium;
}

Site& site(Consortium& consortium, const char* id) {
  for (Site& site : consortium.sites) {
    if (site.id == SiteId(id)) return site;
  }
  ADD_FAILURE() << id;
  return consortium.sites.front();
}

TEST(ConsortiumRecord, OrderIsNoDifference) {
  const Consortium was = founding();
  Consortium is = was;
  std::reverse(is.sites.begin(), is.sites.end());
  std::reverse(is.associates.begin(), is.associates.end());
  std::reverse(is.tenants.begin(), is.tenants.end());
  std::reverse(site(is, "etat").drives.begin(), site(is, "etat").drives.end());
  EXPECT_EQ(canonical(is), canonical(was));
  EXPECT_TRUE(differences(was, is).empty());
  EXPECT_TRUE(check_change(was, is, {}));
}

struct Change {
  const char* said;
  void (*change)(Consortium&);
};

class EveryDifference : public testing::TestWithParam<Change> {};

TEST_P(EveryDifference, IsToldAndChangesTheDigest) {
  const Consortium was = founding();
  Consortium is = was;
  GetParam().change(is);
  EXPECT_EQ(differences(was, is), std::vector<std::string>{GetParam().said});
  EXPECT_NE(digest(was), digest(is));
}

INSTANTIATE_TEST_SUITE_P(
    Of, EveryDifference,
    testing::Values(
        Change{"name: \"Andromède 2011\" becomes \"B\"", [](Consortium& c) { c.name = "B"; }},
        Change{"policy standard.data_shards: 2 becomes 1", [](Consortium& c) { c.policies[0].rule.data_shards = 1; }},
        Change{"policy standard.parity_shards: 2 becomes 1",
               [](Consortium& c) { c.policies[0].rule.parity_shards = 1; }},
        Change{"policy standard.site_losses: 2 becomes 1", [](Consortium& c) { c.policies[0].rule.site_losses = 1; }},
        Change{"policy standard.drive_losses: 2 becomes 1", [](Consortium& c) { c.policies[0].rule.drive_losses = 1; }},
        Change{"policy standard.inline_limit_bytes: 32768 becomes 0",
               [](Consortium& c) { c.policies[0].inline_limit_bytes = 0; }},
        Change{"policy standard.associates: \"\" becomes \"orange, thales\"",
               [](Consortium& c) { c.policies[0].associates = {AssociateId("thales"), AssociateId("orange")}; }},
        Change{"policy standard.sites: \"\" becomes \"etat\"",
               [](Consortium& c) { c.policies[0].sites = {SiteId("etat")}; }},
        Change{"policy standard.countries: \"\" becomes \"FR\"",
               [](Consortium& c) { c.policies[0].countries = {"FR"}; }},
        Change{"policy apart comes",
               [](Consortium& c) {
                 c.policies.push_back(c.policies[0]);
                 c.policies[1].id = PolicyId("apart");
               }},
        Change{"the default policy: \"standard\" becomes \"apart\"",
               [](Consortium& c) { c.default_policy = PolicyId("apart"); }},
        Change{"associate etat.name: \"État français\" becomes \"E\"",
               [](Consortium& c) { c.associates[0].display_name = "E"; }},
        Change{"associate etat.seat: \"FR\" becomes \"BE\"", [](Consortium& c) { c.associates[0].seat = "BE"; }},
        Change{"associate etat.capital_meur: 135 becomes 1", [](Consortium& c) { c.associates[0].capital_meur = 1; }},
        Change{"associate bull comes",
               [](Consortium& c) { c.associates.push_back({AssociateId("bull"), "B", "FR", 0}); }},
        Change{"site thales goes", [](Consortium& c) { c.sites.pop_back(); }},
        Change{"site etat.city: \"Paris\" becomes \"Lyon\"", [](Consortium& c) { site(c, "etat").city = "Lyon"; }},
        Change{"site etat.country: \"FR\" becomes \"BE\"", [](Consortium& c) { site(c, "etat").country = "BE"; }},
        Change{"site etat.associate: \"etat\" becomes \"orange\"",
               [](Consortium& c) { site(c, "etat").associate = AssociateId("orange"); }},
        Change{"site etat: drive etat-2 goes", [](Consortium& c) { site(c, "etat").drives.pop_back(); }},
        Change{"site etat: drive etat-3 comes",
               [](Consortium& c) { site(c, "etat").drives.push_back(DriveName("etat-3")); }},
        Change{"tenant 100000000002 goes", [](Consortium& c) { c.tenants.pop_back(); }},
        Change{"tenant 100000000001.name: \"Ministère de la Culture\" becomes \"M\"",
               [](Consortium& c) { c.tenants[0].display_name = "M"; }}));

void add_policy(Consortium& consortium, Rule rule, std::vector<SiteId> sites) {
  consortium.policies.push_back({.id = PolicyId("apart"),
                                 .rule = rule,
                                 .inline_limit_bytes = 0,
                                 .associates = {},
                                 .sites = std::move(sites),
                                 .countries = {}});
}

struct Attempt {
  const char* refused;  // null: allowed
  void (*change)(Consortium&);
};

class EveryChange : public testing::TestWithParam<Attempt> {};

TEST(CheckChange, NoPolicyComesThatNeedsDrivesWhichLeave) {
  const Consortium was = founding();
  Consortium is = was;
  add_policy(is, {1, 1, 1, 1}, {});
  std::vector<DriveInUse> in_use{{DriveName("etat-1"), SiteId("etat"), AssociateId("etat")},
                                 {DriveName("thales-1"), SiteId("thales"), AssociateId("thales")}};
  EXPECT_TRUE(check_change(was, is, in_use));
  in_use[1].leaving = true;
  const Status checked = check_change(was, is, in_use);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message().find("1 can take data"), std::string::npos) << checked.error().message();
}

TEST(CheckChange, NoPolicyComesThatNeedsMoreMirrorsToAcknowledgeThanThereWere) {
  Consortium was = founding();
  was.policies[0].rule = {1, 0, 0, 0};
  Consortium is = was;
  add_policy(is, {1, 1, 1, 1}, {});
  const std::vector<DriveInUse> in_use{{DriveName("etat-1"), SiteId("etat"), AssociateId("etat")},
                                       {DriveName("thales-1"), SiteId("thales"), AssociateId("thales")}};
  const Status checked = check_change(was, is, in_use);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message().find("make another cloud"), std::string::npos) << checked.error().message();
}

TEST_P(EveryChange, IsAllowedOrRefusedWithItsReason) {
  const Consortium was = founding();
  Consortium is = was;
  GetParam().change(is);
  // etat-1 and thales-1 are in use, and a drive of a site that the file does not know.
  const std::vector<DriveInUse> in_use{{DriveName("etat-1"), SiteId("etat"), AssociateId("etat")},
                                       {DriveName("thales-1"), SiteId("thales"), AssociateId("thales")},
                                       {DriveName("bull-1"), SiteId("bull"), AssociateId("bull")}};
  const Status checked = check_change(was, is, in_use);
  if (GetParam().refused == nullptr) {
    EXPECT_TRUE(checked) << checked.error().message();
    return;
  }
  ASSERT_FALSE(checked);
  EXPECT_TRUE(checked.error() == Errc::kRefused);
  EXPECT_NE(checked.error().message().find(GetParam().refused), std::string::npos) << checked.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    Of, EveryChange,
    testing::Values(
        Attempt{nullptr, [](Consortium& c) { c.name = "B"; }},
        Attempt{nullptr, [](Consortium& c) { c.associates[0].seat = "BE"; }},
        Attempt{nullptr, [](Consortium& c) { site(c, "etat").city = "Lyon"; }},
        Attempt{nullptr, [](Consortium& c) { site(c, "etat").drives.pop_back(); }},
        Attempt{nullptr, [](Consortium& c) { site(c, "orange").country = "BE"; }},
        Attempt{nullptr, [](Consortium& c) { c.sites.erase(c.sites.begin() + 1); }},
        Attempt{nullptr,
                [](Consortium& c) {
                  c.sites.push_back({SiteId("bull"), AssociateId("bull"), "FR", "Angers", {DriveName("bull-1")}});
                }},
        Attempt{"another associate's",
                [](Consortium& c) {
                  c.sites.push_back({SiteId("bull"), AssociateId("etat"), "FR", "Angers", {DriveName("bull-1")}});
                }},
        Attempt{"policy standard cannot change (policy standard.drive_losses: 2 becomes 1)",
                [](Consortium& c) { c.policies[0].rule.drive_losses = 1; }},
        Attempt{"policy standard cannot change",
                [](Consortium& c) { c.policies[0].associates = {AssociateId("etat")}; }},
        Attempt{"policy standard cannot go", [](Consortium& c) { c.policies[0].id = PolicyId("other"); }},
        Attempt{nullptr, [](Consortium& c) { add_policy(c, {2, 1, 1, 1}, {}); }},
        Attempt{nullptr, [](Consortium& c) { add_policy(c, {1, 1, 1, 1}, {SiteId("thales"), SiteId("etat")}); }},
        Attempt{nullptr,
                [](Consortium& c) {
                  add_policy(c, {2, 1, 1, 1}, {});
                  c.default_policy = PolicyId("apart");
                }},
        // Its drives are listed, and have not joined.
        Attempt{"policy apart: a 2+2 code needs 4 drives; 3 can take data: 1 drive missing: let further drives join",
                [](Consortium& c) { add_policy(c, {2, 2, 2, 2}, {}); }},
        Attempt{"policy apart would survive the loss of 0 sites on the drives that are in use; 1 are demanded",
                [](Consortium& c) { add_policy(c, {2, 0, 1, 0}, {}); }},
        Attempt{"account create", [](Consortium& c) { c.tenants.pop_back(); }},
        Attempt{"account create", [](Consortium& c) { c.tenants[0].display_name = "M"; }},
        Attempt{"site thales cannot go", [](Consortium& c) { c.sites.pop_back(); }},
        Attempt{"another associate's", [](Consortium& c) { site(c, "etat").associate = AssociateId("orange"); }},
        Attempt{"another country", [](Consortium& c) { site(c, "etat").country = "US"; }},
        Attempt{"drive etat-1 cannot go",
                [](Consortium& c) { site(c, "etat").drives.erase(site(c, "etat").drives.begin()); }}));

}  // namespace
}  // namespace andromede::sovereignty
