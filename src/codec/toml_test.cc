#include "codec/toml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace andromede::codec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kSample = R"(name = "Andromède"
port = 8080
share = 0.25

[server]
listen = "127.0.0.1"
tls = true
tags = ["a", "b"]

[[site]]
name = "etat-1"

[[site]]
name = "orange-1"
)";

TomlTable sample() {
  auto parsed = TomlTable::parse(kSample, "test.toml");
  EXPECT_TRUE(parsed.has_value());
  return *parsed;
}

TEST(Toml, ReadsEveryType) {
  const TomlTable root = sample();
  EXPECT_EQ(*root.text("name"), "Andromède");
  EXPECT_EQ(*root.integer("port", 1, 65535), 8080);
  EXPECT_DOUBLE_EQ(*root.number("share", 0, 1), 0.25);
  EXPECT_DOUBLE_EQ(*root.number("port", 0, 1e6), 8080.0);
  const auto server = root.table("server");
  ASSERT_TRUE(server.has_value());
  EXPECT_TRUE(*server->flag("tls"));
  EXPECT_THAT(*server->texts("tags"), ElementsAre("a", "b"));
  EXPECT_EQ(*server->text("listen"), "127.0.0.1");
  const auto sites = root.tables("site");
  ASSERT_EQ(sites->size(), 2U);
  EXPECT_EQ(*(*sites)[1].text("name"), "orange-1");
  EXPECT_EQ(*(*sites)[0].text("name"), "etat-1");
  EXPECT_TRUE(root.finish().has_value());
}

TEST(Toml, AbsentKeysGiveTheFallbackOrAnErrorThatNamesThem) {
  const TomlTable root = sample();
  EXPECT_EQ(*root.text("absent", "x"), "x");
  EXPECT_EQ(*root.integer("absent", 0, 9, 7), 7);
  EXPECT_FALSE(*root.flag("absent", false));
  EXPECT_EQ(root.optional_table("absent")->has_value(), false);
  EXPECT_TRUE(root.tables("absent")->empty());
  EXPECT_THAT(root.text("absent").error().message(), HasSubstr("test.toml: \"absent\" is missing"));
  const TomlTable server = *root.table("server");
  EXPECT_THAT(server.text("absent").error().message(), HasSubstr("test.toml:5: \"server.absent\" is missing"));
}

TEST(Toml, WrongTypeAndRangeNameFileAndLine) {
  const TomlTable root = sample();
  EXPECT_THAT(root.integer("port", 1, 80).error().message(),
              HasSubstr("test.toml:2: \"port\" must be between 1 and 80"));
  EXPECT_THAT(root.text("port").error().message(), HasSubstr("test.toml:2: \"port\" must be a string"));
  EXPECT_THAT(root.table("server")->texts("listen").error().message(), HasSubstr("test.toml:6"));
  EXPECT_THAT(root.integer("name", 0, 1).error().message(), HasSubstr("whole number"));
  EXPECT_FALSE(root.flag("name", true).has_value());
  EXPECT_FALSE(root.tables("server").has_value());
  EXPECT_FALSE(root.table("site").has_value());
  const auto nan = TomlTable::parse("x = nan", "f");
  EXPECT_FALSE(nan->number("x", 0, 1).has_value());
}

TEST(Toml, UnknownKeyIsRefusedWithItsLineAndTheNearestKnownOne) {
  const auto root = TomlTable::parse("[server]\nlisten = \"a\"\nprot = 1\n", "c.toml");
  const TomlTable server = *root->table("server");
  EXPECT_TRUE(server.text("listen").has_value());
  EXPECT_TRUE(server.integer("port", 1, 9, 1).has_value());
  const auto finished = root->finish();
  ASSERT_FALSE(finished.has_value());
  EXPECT_TRUE(finished.error() == Errc::kInvalidArgument);
  EXPECT_EQ(finished.error().message(),
            "c.toml:3: unknown key \"prot\" in [server]; did you mean \"port\"? Known keys: listen, port");
}

TEST(Toml, AnUnknownKeyThatIsLikeNoneIsASentenceOfItsOwn) {
  const auto root = TomlTable::parse("quite_another = 1\n", "c.toml");
  EXPECT_TRUE(root->integer("port", 1, 9, 1).has_value());
  EXPECT_EQ(root->finish().error().message(), "c.toml:1: unknown key \"quite_another\". Known keys: port");
}

TEST(Toml, UnknownKeyInATableOfAnArrayIsFound) {
  const TomlTable root = sample();
  for (const char* key : {"name", "port", "share", "server"}) EXPECT_TRUE(root.has(key));
  (void)root.text("name");
  (void)root.integer("port", 0, 9999);
  (void)root.number("share", 0, 1);
  const TomlTable server = *root.table("server");
  (void)server.text("listen");
  (void)server.flag("tls");
  (void)server.texts("tags");
  ASSERT_EQ(root.tables("site")->size(), 2U);
  EXPECT_THAT(root.finish().error().message(), HasSubstr("test.toml:11: unknown key \"name\" in [site]"));
}

TEST(Toml, KeysComeInTheFilesOrder) {
  const auto root = TomlTable::parse("zeta = 1\nalpha = 2\nmid = 3\n", "f");
  EXPECT_THAT(root->keys(), ElementsAre("zeta", "alpha", "mid"));
}

TEST(Toml, MalformedTextNamesItsLine) {
  const auto parsed = TomlTable::parse("a = 1\nb = = 2\n", "bad.toml");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().message(), HasSubstr("bad.toml:2:"));
  EXPECT_FALSE(TomlTable::parse("a = 1\na = 2\n", "twice").has_value());
  EXPECT_FALSE(TomlTable::parse(std::string(kMaxTomlBytes + 1, ' '), "big").has_value());
}

TEST(Toml, MissingFileIsNotFound) {
  EXPECT_TRUE(TomlTable::read_file("/nonexistent/x.toml").error() == Errc::kNotFound);
  EXPECT_FALSE(TomlTable::read_file("/").has_value());
}

}  // namespace
}  // namespace andromede::codec
