#include "aws_hints.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "cloud_folder.h"
#include "io/temporary_folder.h"

namespace andromede::app {
namespace {

Config listening(const std::string& address, std::vector<std::string> virtual_hosts = {}) {
  Config config;
  config.s3 = {address, 9000};
  config.virtual_hosts = std::move(virtual_hosts);
  return config;
}

TEST(AwsHints, NameAnAddressThatAnswers) {
  EXPECT_EQ(client_endpoint(listening("127.0.0.1")), "http://127.0.0.1:9000");
  EXPECT_EQ(client_endpoint(listening("192.0.2.7", {"s3.example.org"})), "http://192.0.2.7:9000");
  EXPECT_EQ(client_endpoint(listening("0.0.0.0")), "http://127.0.0.1:9000");
  EXPECT_EQ(client_endpoint(listening("::")), "http://[::1]:9000");
  Config tls = listening("0.0.0.0", {"s3.example.org", "s3.example.net"});
  tls.tls_certificate = "/srv/server.crt";
  EXPECT_EQ(client_endpoint(tls), "https://s3.example.org:9000");
}

TEST(AwsHints, NameEndpointAndRegion) {
  Config config = listening("127.0.0.1");
  config.region = "fr-paris-1";
  EXPECT_EQ(aws_settings(config), "AWS_DEFAULT_REGION=fr-paris-1");
  EXPECT_EQ(aws_s3(config), "aws --endpoint-url http://127.0.0.1:9000 s3");
}

TEST(AwsHints, NameTheLocalAuthority) {
  const io::TemporaryFolder folder;
  Config config = listening("127.0.0.1");
  config.folder = folder.path();
  config.tls_certificate = folder.path() + "/tls/server.crt";
  EXPECT_EQ(aws_s3(config), "aws --endpoint-url https://127.0.0.1:9000 s3");
  std::filesystem::create_directory(folder.path() + "/tls");
  ASSERT_TRUE(write_file(folder.path() + "/tls/ca.crt", "", false));
  EXPECT_EQ(aws_s3(config),
            "aws --endpoint-url https://127.0.0.1:9000 --ca-bundle " + folder.path() + "/tls/ca.crt s3");
}

TEST(AwsHints, AreWordsOfAShell) {
  EXPECT_EQ(shell_word("/srv/a-b_c.d"), "/srv/a-b_c.d");
  EXPECT_EQ(shell_word("/srv/my cloud"), "'/srv/my cloud'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace andromede::app
