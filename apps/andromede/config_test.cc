#include "config.h"

#include <gtest/gtest.h>

namespace andromede::app {
namespace {

TEST(Config, AnEmptyFileIsADefaultCloudBesideIt) {
  const auto config = parse_config("", "/srv/cloud/andromede.toml");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->folder, "/srv/cloud");
  EXPECT_EQ(config->consortium, "/srv/cloud/consortium.toml");
  EXPECT_EQ(config->s3.to_string(), "127.0.0.1:9000");
  EXPECT_EQ(config->operators.to_string(), "127.0.0.1:9001");
  EXPECT_EQ(config->region, "us-east-1");
  EXPECT_EQ(config->inline_limit_bytes, 32U * 1024);
}

TEST(Config, PathsAreRelativeToTheFile) {
  const auto config = parse_config(
      "[cloud]\nfolder = \"data\"\n[s3]\nlisten = \"0.0.0.0:443\"\ntls_certificate = \"tls/a.crt\"\ntls_key = \"/k\"\n",
      "/etc/andromede/andromede.toml");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->folder, "/etc/andromede/data");
  EXPECT_EQ(config->tls_certificate, "/etc/andromede/tls/a.crt");
  EXPECT_EQ(config->tls_key, "/k");
}

struct BadConfig {
  const char* text;
  const char* place;
  const char* part;
};
class ConfigRefuses : public testing::TestWithParam<BadConfig> {};

TEST_P(ConfigRefuses, AndNamesPlaceAndRemedy) {
  const auto config = parse_config(GetParam().text, "/c/a.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error(), Errc::kInvalidArgument);
  const std::string& message = config.error().message();
  EXPECT_EQ(message.rfind(GetParam().place, 0), 0U) << message;
  EXPECT_NE(message.find(GetParam().part), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Files, ConfigRefuses,
    testing::Values(BadConfig{"[s3]\nlisten = \"0.0.0.0:9000\"\n", "/c/a.toml:2", "insecure_http"},
                    BadConfig{"[s3]\nlisten = \"localhost\"\n", "/c/a.toml:2", "127.0.0.1:9000"},
                    BadConfig{"[s3]\nlisten = \"::1:9000\"\n", "/c/a.toml:2", "[::1]:9000"},
                    BadConfig{"[s3]\nlisten = \"127.0.0.1:99999\"\n", "/c/a.toml:2", "address and port"},
                    BadConfig{"[s3]\nlisen = \"127.0.0.1:1\"\n", "/c/a.toml:2", "listen"},
                    BadConfig{"[s3]\ntls_key = \"k\"\n", "/c/a.toml:2", "tls_certificate"},
                    BadConfig{"[operator]\nlisten = \"0.0.0.0:9001\"\n", "/c/a.toml:2", "ssh"},
                    BadConfig{"[storage]\ninline_limit_bytes = -1\n", "/c/a.toml:2", "between"},
                    BadConfig{"[log]\nlevel = \"loud\"\n", "/c/a.toml:2", "warning"},
                    BadConfig{"[logs]\n", "/c/a.toml:1", "logs"}, BadConfig{"[s3\n", "/c/a.toml:1", ""}));

TEST(Config, AMissingFileSaysWhatToDo) {
  const auto config = read_config("/no/such/andromede.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error(), Errc::kNotFound);
  EXPECT_NE(config.error().message().find("andromede init"), std::string::npos);
}

TEST(Endpoint, KnowsLoopback) {
  EXPECT_TRUE(parse_endpoint("127.0.0.9:1")->loopback());
  EXPECT_TRUE(parse_endpoint("[::1]:1")->loopback());
  EXPECT_FALSE(parse_endpoint("192.0.2.1:1")->loopback());
  EXPECT_EQ(parse_endpoint("[::1]:80")->to_string(), "[::1]:80");
}

}  // namespace
}  // namespace andromede::app
