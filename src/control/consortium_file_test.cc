#include "control/consortium_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace andromede::control {
namespace {

std::string founding_file() {
  std::ifstream in(ANDROMEDE_EXAMPLES "/consortium-2011.toml");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The founding file with one piece of text replaced, parsed; the message of its error.
std::string error_with(const std::string& what, const std::string& by) {
  std::string text = founding_file();
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  text.replace(at, what.size(), by);
  const auto parsed = parse_consortium(text, "c.toml");
  EXPECT_FALSE(parsed) << "accepted: " << by;
  if (parsed) return {};
  EXPECT_EQ(parsed.error(), Errc::kInvalidArgument);
  return parsed.error().message();
}

TEST(ConsortiumFile, ReadsTheFoundingOne) {
  const auto file = parse_consortium(founding_file(), "consortium-2011.toml");
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_EQ(file->drives.size(), 8U);
  EXPECT_EQ(file->drives[3].name, DriveName("orange-2"));
  EXPECT_EQ(file->drives[3].site, SiteId("orange"));
  EXPECT_EQ(file->drives[3].path, "drives/orange-2");
  const sovereignty::Consortium* const consortium = &file->consortium;
  ASSERT_EQ(consortium->associates.size(), 4U);
  EXPECT_EQ(consortium->associates[0].capital_meur, 135U);
  EXPECT_EQ(consortium->associates[2].display_name, "Dassault Systèmes");
  ASSERT_EQ(consortium->sites.size(), 4U);
  for (const sovereignty::Site& site : consortium->sites) {
    EXPECT_EQ(site.country, "FR");
    EXPECT_EQ(site.drives.size(), 2U);
  }
  EXPECT_EQ(consortium->tenants.size(), 2U);
  ASSERT_EQ(consortium->policies.size(), 1U);
  EXPECT_EQ(consortium->default_policy, PolicyId("standard"));
  EXPECT_EQ(consortium->policies[0].id, PolicyId("standard"));
  EXPECT_EQ(consortium->policies[0].rule, (sovereignty::Rule{2, 2, 2, 2}));
  EXPECT_EQ(consortium->policies[0].inline_limit_bytes, 32U * 1024);
}

struct BadCase {
  const char* what;
  const char* by;
  const char* message_part;
};

class ConsortiumFileRefuses : public testing::TestWithParam<BadCase> {};

TEST_P(ConsortiumFileRefuses, AndNamesPlaceAndRemedy) {
  const BadCase& bad = GetParam();
  const std::string message = error_with(bad.what, bad.by);
  EXPECT_EQ(message.rfind("c.toml:", 0), 0U) << message;
  EXPECT_NE(message.find(bad.message_part), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Files, ConsortiumFileRefuses,
    testing::Values(
        BadCase{"capital_meur = 60", "capitol_meur = 60", "capital_meur"}, BadCase{"city = \"Paris\"", "", "city"},
        BadCase{"associate = \"thales\"", "associate = \"bull\"", "is not the id of any [[associate]]"},
        BadCase{"name = \"orange-2\"", "name = \"orange-1\"", "unique"},
        BadCase{"path = \"drives/orange-2\"", "path = \"drives/etat-1\"", "folder of its own"},
        BadCase{"id = \"thales\"\nname", "id = \"etat\"\nname", "another associate's"},
        BadCase{"seat = \"FR\"", "seat = \"France\"", "ISO 3166-1"},
        BadCase{"id = \"100000000002\"", "id = \"100000000001\"", "another tenant's"},
        BadCase{"id = \"100000000002\"", "id = \"42\"", "twelve digits"},
        BadCase{"site_losses = 2", "site_losses = 3", "survive the loss of 2"},
        BadCase{"drive_losses = 2", "drive_losses = 3", "cannot be more than parity_shards"},
        BadCase{"data_shards = 2", "data_shards = 0", "between 1 and 32"},
        BadCase{"data_shards = 2", "data_shards = 8", "cannot be placed"},
        BadCase{"id = \"etat\"\nname", "id = \"État\"\nname", "not a name"},
        BadCase{"capacity_bytes = 0", "capacity_bytes = 1000", "512 MiB"},
        BadCase{"[[policy]]", "[[policies]]", "policy"}, BadCase{"[[policy]]", "[policy]", "[[policy]]"},
        BadCase{"default = true", "", "is true of no [[policy]]"},
        BadCase{"default = true", "default = \"yes\"", "default"},
        BadCase{"default = true", "default = true\nassociates = [\"bull\"]",
                "\"bull\" is not the id of any [[associate]]"},
        BadCase{"default = true", "default = true\nsites = [\"bull\"]", "\"bull\" is not the id of any [[site]]"},
        BadCase{"default = true", "default = true\nsites = [\"etat\", \"etat\"]", "twice"},
        BadCase{"default = true", "default = true\ncountries = [\"France\"]", "ISO 3166-1"},
        BadCase{"default = true", "default = true\ninline_limit_bytes = 1000000", "between 0 and 262144"},
        BadCase{"default = true", "default = true\ncountries = [\"BE\"]",
                "0 can take data: 4 drives missing; add drives or lower them, or allow more sites (excluded "
                "are etat, orange, dassault, thales)"},
        BadCase{"default = true",
                "default = true\ninline_limit_bytes = 0\nassociates = [\"etat\", "
                "\"orange\", \"thales\"]",
                "on 3 sites these shards survive the loss of 1; lower it, raise parity_shards, or add a "
                "site, or allow more sites (excluded are dassault)"},
        BadCase{"site_losses = 2", "site_losses = 1\nassociates = [\"etat\", \"orange\", \"thales\"]",
                "mirrors outside of it (at dassault), for the mirrors are all policies': set "
                "inline_limit_bytes = 0"},
        BadCase{"drive_losses = 2", "drive_loses = 2", "did you mean \"drive_losses\"?"}));

// A second policy behind the founding one.
std::string second_policy(const std::string& lines) {
  return "\n[[policy]]\ndata_shards = 2\nparity_shards = 1\nsite_losses = 1\ndrive_losses = 1\n" + lines +
         "\n[[associate]]";
}

TEST(ConsortiumFile, OfSeveralPoliciesOneIsTheDefaultAndEachHasItsSites) {
  std::string text = founding_file();
  text.replace(text.find("[[associate]]"), 13,
               second_policy("name = \"apart\"\ninline_limit_bytes = 0\nassociates = [\"etat\", \"orange\", "
                             "\"thales\"]\nsites = [\"etat\", \"orange\", \"thales\", \"dassault\"]\ncountries = "
                             "[\"FR\", \"BE\"]\n"));
  const auto consortium = parse_consortium(text, "c.toml");
  ASSERT_TRUE(consortium) << consortium.error().message();
  const sovereignty::Policies policies = sovereignty::policies_of(consortium->consortium);
  EXPECT_EQ(policies.default_policy(), PolicyId("standard"));
  EXPECT_EQ(policies.names(), "standard, apart");
  EXPECT_EQ(policies.mirrors(), 3U) << "of the one that survives more";
  const sovereignty::Policy* const apart = policies.find(PolicyId("apart"));
  ASSERT_NE(apart, nullptr);
  EXPECT_EQ(apart->sites, (std::set<SiteId>{SiteId("etat"), SiteId("orange"), SiteId("thales")}))
      << "what all three lists allow";
  EXPECT_FALSE(policies.find(PolicyId("standard"))->sites);
  EXPECT_TRUE(policies.find(PolicyId("standard"))->allows(SiteId("dassault")));
  EXPECT_EQ(policies.find(PolicyId("other")), nullptr);
}

TEST(ConsortiumFile, TwoPoliciesShareNoNameAndOneIsTheDefault) {
  EXPECT_NE(error_with("[[associate]]", second_policy("name = \"standard\"")).find("another policy's already"),
            std::string::npos);
  const std::string message = error_with("[[associate]]", second_policy("name = \"apart\"\ndefault = true"));
  EXPECT_NE(message.find("is what policy standard is already"), std::string::npos) << message;
}

TEST(ConsortiumFile, ErrorsNameTheLine) {
  const std::string message = error_with("site_losses = 2", "site_losses = \"two\"");
  EXPECT_EQ(message.rfind("c.toml:12:", 0), 0U) << message;
}

}  // namespace
}  // namespace andromede::control
