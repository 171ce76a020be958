#include "config.h"

#include <gtest/gtest.h>

#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "cloud_folder.h"

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
                    BadConfig{"[operator]\nlisten = \"localhost:9000\"\n", "/c/a.toml:2", "where [s3] listens"},
                    BadConfig{"[s3]\nlisten = \"127.0.0.1:9001\"\n", "/c/a.toml", "another port"},
                    BadConfig{"[storage]\nevent_loops = -1\n", "/c/a.toml:2", "between"},
                    BadConfig{"[log]\nlevel = \"loud\"\n", "/c/a.toml:2", "warning"},
                    BadConfig{"[logs]\n", "/c/a.toml:1", "logs"}, BadConfig{"[s3\n", "/c/a.toml:1", ""}));

TEST(Config, AMissingFileSaysWhatToDo) {
  const auto config = read_config("/no/such/andromede.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error(), Errc::kNotFound);
  EXPECT_NE(config.error().message().find("andromede init"), std::string::npos);
}

// A row of the table of keys in docs/operations.md: "| `[s3] listen` | `"…"` | 0 to 9 | meaning |".
struct DocumentedKey {
  std::string section;
  std::string key;
  std::string fallback;              // as TOML; empty: none
  std::vector<std::int64_t> limits;  // two, or none
  bool operator==(const DocumentedKey&) const = default;
};

std::string document(const char* name) {
  auto read = read_text_file(std::string(ANDROMEDE_DOCS) + name);
  EXPECT_TRUE(read) << name;
  return read ? *read : std::string();
}

std::vector<DocumentedKey> documented_keys(const std::string& page) {
  static const std::regex row(R"(\n\| `\[(\w+)\] (\w+)` \| (?:`([^`]*)`)? ?\| ([^|]*)\|)");
  static const std::regex number(R"(\d+)");
  std::vector<DocumentedKey> keys;
  for (std::sregex_iterator it(page.begin(), page.end(), row), end; it != end; ++it) {
    DocumentedKey key{(*it)[1], (*it)[2], (*it)[3], {}};
    const std::string limits = (*it)[4];
    for (std::sregex_iterator n(limits.begin(), limits.end(), number); n != end; ++n) {
      key.limits.push_back(std::stoll(n->str()));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

// What the parser itself says that it knows.
std::set<std::string> known_keys(const std::string& section) {
  const auto refused = parse_config((section.empty() ? "" : "[" + section + "]\n") + "nobodys_key = 1\n", "/c/a.toml");
  EXPECT_FALSE(refused);
  const std::string message = refused ? "" : refused.error().message();
  const std::string_view before = "Known keys: ";
  const std::size_t at = message.find(before);
  EXPECT_NE(at, std::string::npos) << message;
  std::set<std::string> keys;
  std::istringstream list(at == std::string::npos ? "" : message.substr(at + before.size()));
  for (std::string key; std::getline(list >> std::ws, key, ',');) keys.insert(key);
  return keys;
}

TEST(OperationsPage, HasEveryKeyWithItsDefaultAndLimits) {
  const auto keys = documented_keys(document("/operations.md"));
  std::set<std::string> documented;
  for (const DocumentedKey& key : keys) documented.insert(key.section + "." + key.key);
  std::set<std::string> known;
  for (const std::string& section : known_keys("")) {
    for (const std::string& key : known_keys(section)) known.insert(section + "." + key);
  }
  EXPECT_EQ(documented, known);

  const Config defaults = *parse_config("", "/c/a.toml");
  for (const DocumentedKey& key : keys) {
    const std::string set = "[" + key.section + "]\n" + key.key + " = ";
    if (!key.fallback.empty()) {
      auto same = parse_config(set + key.fallback + "\n", "/c/a.toml");
      ASSERT_TRUE(same) << set << key.fallback;
      // Where a file was named is no part of what was named.
      same->consortium_at = defaults.consortium_at;
      EXPECT_EQ(*same, defaults) << set << key.fallback;
    }
    if (key.limits.size() != 2) continue;
    for (const auto& [value, good] : {std::pair(key.limits[0], true), std::pair(key.limits[1], true),
                                      std::pair(key.limits[0] - 1, false), std::pair(key.limits[1] + 1, false)}) {
      EXPECT_EQ(parse_config(set + std::to_string(value) + "\n", "/c/a.toml").has_value(), good) << set << value;
    }
  }
}

TEST(Config, EveryKeyThatMeansSomethingElseIsNamed) {
  const Config before = *parse_config("", "/c/a.toml");
  EXPECT_TRUE(changed_keys(before, before).empty());
  // The same, written otherwise.
  EXPECT_TRUE(changed_keys(before, *parse_config("[cloud]\nfolder = \"../c/.\"\n", "/c/a.toml")).empty());
  const auto after = parse_config(R"([cloud]
folder = "elsewhere"
consortium = "other.toml"
[s3]
listen = "127.0.0.1:8000"
region = "fr-paris-1"
virtual_hosts = ["s3.example.org"]
tls_certificate = "a.crt"
tls_key = "a.key"
insecure_http = true
[operator]
listen = "127.0.0.1:8001"
[storage]
cache_bytes = 10000000
bandwidth_bytes_per_s = 2000000
event_loops = 1
[log]
level = "debug"
access = true
)",
                                  "/c/a.toml");
  ASSERT_TRUE(after) << after.error().message();
  std::set<std::string> known;
  for (const std::string& section : known_keys("")) {
    for (const std::string& key : known_keys(section)) known.insert("[" + section + "] " + key);
  }
  const std::vector<std::string> changed = changed_keys(before, *after);
  EXPECT_EQ(std::set<std::string>(changed.begin(), changed.end()), known);
}

TEST(OperationsPage, SaysTheSameInFrench) {
  const std::string english = document("/operations.md");
  const std::string french = document("/fr/operations.md");
  EXPECT_EQ(documented_keys(french), documented_keys(english));
  const auto quoted = [](const std::string& page) {
    static const std::regex code("```([^`]*)```|`([^`]+)`");
    static const std::regex blanks("\\s+");
    std::set<std::string> all;
    for (std::sregex_iterator it(page.begin(), page.end(), code), end; it != end; ++it) {
      all.insert(std::regex_replace((*it)[1].str() + (*it)[2].str(), blanks, " "));
    }
    return all;
  };
  EXPECT_EQ(quoted(french), quoted(english)) << "commands, names and values";
  const auto sections = [](const std::string& page) {
    static const std::regex heading("\n## ");
    return std::distance(std::sregex_iterator(page.begin(), page.end(), heading), std::sregex_iterator());
  };
  EXPECT_EQ(sections(french), sections(english));
}

TEST(Endpoint, KnowsWhoTakesItsPlace) {
  const auto taken = [](const char* one, const char* by) { return parse_endpoint(one)->taken_by(*parse_endpoint(by)); };
  EXPECT_TRUE(taken("127.0.0.1:9001", "127.0.0.1:9001"));
  EXPECT_TRUE(taken("127.0.0.1:9001", "localhost:9001"));
  EXPECT_TRUE(taken("127.0.0.1:9001", "0.0.0.0:9001"));
  EXPECT_TRUE(taken("127.0.0.1:9001", "[::]:9001"));
  EXPECT_FALSE(taken("127.0.0.1:9001", "127.0.0.1:9000"));
  EXPECT_TRUE(taken("[::1]:9001", "[::]:9001"));
  EXPECT_FALSE(taken("127.0.0.1:9001", "[::1]:9001"));
  EXPECT_FALSE(taken("[::1]:9001", "0.0.0.0:9001"));
  // Each gets one of the system's.
  EXPECT_FALSE(taken("127.0.0.1:0", "127.0.0.1:0"));
}

TEST(Endpoint, KnowsLoopback) {
  EXPECT_TRUE(parse_endpoint("127.0.0.9:1")->loopback());
  EXPECT_TRUE(parse_endpoint("[::1]:1")->loopback());
  EXPECT_FALSE(parse_endpoint("192.0.2.1:1")->loopback());
  EXPECT_EQ(parse_endpoint("[::1]:80")->to_string(), "[::1]:80");
}

}  // namespace
}  // namespace andromede::app
