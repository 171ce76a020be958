// init, and opening what it made, with the real engines.
#include "init.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cloud.h"
#include "cloud_keys.h"
#include "io/drive_label.h"
#include "io/temporary_folder.h"
#include "local_ca.h"
#include "messages.h"
#include "progress_bar.h"

namespace andromede::app {
namespace {

constexpr const char* kConsortium = ANDROMEDE_EXAMPLES "/consortium-2011.toml";

bool private_to_owner(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) == 0;
}

class InitTest : public testing::Test {
 protected:
  InitOptions options(const std::string& consortium = kConsortium) {
    InitOptions made;
    made.folder = folder_.path() + "/cloud";
    made.consortium = consortium;
    return made;
  }
  io::TemporaryFolder folder_;
};

TEST_F(InitTest, MakesACloudThatOpens) {
  auto with_ca = options();
  with_ca.local_ca = true;
  const auto report = init_cloud(with_ca);
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_EQ(report->drives, 8U);
  EXPECT_EQ(report->tenants, 2U);
  EXPECT_TRUE(report->endpoint.starts_with("https://"));
  EXPECT_EQ(report->certificate_names, (std::set<std::string>{"127.0.0.1", "::1", "localhost"}));
  EXPECT_TRUE(report->reachable);
  const CloudFolder files{with_ca.folder};
  for (const std::string& secret :
       {files.credentials(), files.aws_credentials(), files.operator_token(), files.root_key(), files.root_seal(),
        files.directory_key(), files.drives_key(), files.tls() + "/server.key"}) {
    EXPECT_TRUE(private_to_owner(secret)) << secret;
  }
  const auto config = read_config(report->config);
  ASSERT_TRUE(config) << config.error().message();
  const std::string text = *read_text_file(report->config);
  for (const char* key :
       {"virtual_hosts", "tls_key", "insecure_http", "bandwidth_bytes_per_s", "event_loops", "access"}) {
    EXPECT_NE(text.find(std::string(key) + " = "), std::string::npos) << key;
  }
  const auto consortium = read_consortium(config->consortium);
  ASSERT_TRUE(consortium);
  const auto cloud = Cloud::open(*config, *consortium);
  ASSERT_TRUE(cloud) << cloud.error().describe();
  EXPECT_TRUE((*cloud)->ready());
  const auto credentials = nlohmann::json::parse(*read_secret_file(files.credentials()));
  ASSERT_EQ(credentials["tenants"].size(), 2U);
  for (const auto& tenant : credentials["tenants"]) {
    const auto found = (*cloud)->directory().find(tenant["access_key_id"].get<std::string>());
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->secret.view(), tenant["secret_access_key"].get<std::string>());
    EXPECT_EQ(found->account.id.value(), tenant["account"].get<std::string>());
  }
  auto token = *read_secret_file(files.operator_token());
  token.pop_back();
  EXPECT_EQ((*cloud)->operators().authenticate(token), "operator");
  const auto status = (*cloud)->fleet().status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->policies.front().actual.site_losses, 2U);
}

TEST_F(InitTest, IsFoundAgainByRememberedPaths) {
  ASSERT_TRUE(init_cloud(options()));
  const CloudFolder files{options().folder};
  // The consortium file of a cloud whose first drives are all gone names nothing that exists.
  for (const char* drive : {"etat-1", "etat-2", "orange-1", "orange-2", "dassault-1", "dassault-2", "thales-1"}) {
    std::filesystem::remove_all(files.root + "/drives/" + drive);
  }
  std::filesystem::rename(files.root + "/drives/thales-2", files.root + "/elsewhere");
  ASSERT_TRUE(write_file(files.drive_paths(), files.root + "/elsewhere\n", false));
  const auto config = read_config(files.config());
  ASSERT_TRUE(config);
  const auto opened = Cloud::open(*config, *read_consortium(config->consortium));
  // One drive of eight holds the map, so the cloud is recognised; too little is left to open it.
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kUnavailable) << opened.error().describe();
}

TEST_F(InitTest, ACloudThatIsNotFoundIsToldWhatToPutBack) {
  const auto refusal = [](const std::string& folder) {
    const auto config = read_config(folder + "/andromede.toml");
    const auto opened = Cloud::open(*config, *read_consortium(config->consortium));
    EXPECT_FALSE(opened);
    return opened ? std::string() : opened.error().message();
  };
  ASSERT_TRUE(init_cloud(options()));
  auto another = options();
  another.folder = folder_.path() + "/another";
  ASSERT_TRUE(init_cloud(another));
  const CloudFolder files{options().folder};
  std::filesystem::remove_all(files.root + "/keys");
  std::filesystem::copy(another.folder + "/keys", files.root + "/keys");
  const std::string foreign = refusal(files.root);
  EXPECT_NE(foreign.find("another cloud's keys"), std::string::npos) << foreign;
  std::filesystem::rename(files.root + "/drives", files.root + "/elsewhere");
  std::filesystem::remove(files.drive_paths());
  const std::string nothing = refusal(files.root);
  EXPECT_NE(nothing.find("Put " + files.drive_paths() + " back"), std::string::npos) << nothing;
}

TEST_F(InitTest, SaysThatNobodyOnTheNetworkReachesItsCertificatesNames) {
  auto everywhere = options();
  everywhere.local_ca = true;
  everywhere.s3_listen = "0.0.0.0:9000";
  const auto report = init_cloud(everywhere);
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_FALSE(report->reachable);
  EXPECT_EQ(report->endpoint, "https://127.0.0.1:9000") << "0.0.0.0 is no address to connect to";
}

TEST_F(InitTest, DoesNotTouchAnExistingCloud) {
  ASSERT_TRUE(init_cloud(options()));
  const auto before = read_text_file(options().folder + "/andromede.toml");
  const auto again = init_cloud(options());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), Errc::kAlreadyExists);
  EXPECT_EQ(*read_text_file(options().folder + "/andromede.toml"), *before);
}

TEST_F(InitTest, AConsortiumFileAloneIsNoCloud) {
  const CloudFolder files{options().folder};
  ASSERT_TRUE(make_folder(files.root));
  std::filesystem::copy_file(kConsortium, files.consortium());
  const auto refused = init_cloud(options(files.consortium()));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message().starts_with(files.consortium() + " is there, but no cloud: "))
      << refused.error().message();
  EXPECT_TRUE(std::filesystem::exists(files.consortium()));
  std::filesystem::rename(files.consortium(), folder_.path() + "/given.toml");
  EXPECT_TRUE(init_cloud(options(folder_.path() + "/given.toml")));
}

TEST_F(InitTest, MissingKeysAreToldWithWhatALinkLeadsTo) {
  ASSERT_TRUE(init_cloud(options()));
  const CloudFolder files{options().folder};
  SystemRandom random;
  const std::string medium = folder_.path() + "/medium/root.seal";
  const auto expect_gone = [&](const std::string& what) {
    const auto opened = open_custody(files, random);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().message().find("the cloud's keys are not there: " + what + " is missing"), 0U)
        << opened.error().message();
  };
  std::filesystem::rename(files.root_seal(), folder_.path() + "/root.seal");
  std::filesystem::create_symlink(medium, files.root_seal());
  expect_gone(files.root_seal() + " (" + files.root_seal() + " → " + medium + ")");
  std::filesystem::remove_all(files.keys());
  expect_gone(files.root_key());
  std::filesystem::create_directory_symlink(medium, files.keys());
  expect_gone(files.root_key() + " (" + files.keys() + " → " + medium + ")");
}

TEST_F(InitTest, MakesNothingFromABadConsortiumOrListener) {
  EXPECT_EQ(init_cloud(options("/no/such/file.toml")).error(), Errc::kInvalidArgument);
  ASSERT_TRUE(write_file(folder_.path() + "/bad.toml", "name = 3\n", false));
  EXPECT_EQ(init_cloud(options(folder_.path() + "/bad.toml")).error(), Errc::kInvalidArgument);
  auto open_to_all = options();
  open_to_all.s3_listen = "0.0.0.0:9000";
  const auto without_tls = init_cloud(open_to_all);
  ASSERT_FALSE(without_tls);
  EXPECT_EQ(without_tls.error(), Errc::kInvalidArgument);
  // Options that init has, and no line of a file that is not there.
  EXPECT_TRUE(without_tls.error().message().starts_with("--listen 0.0.0.0:9000: ")) << without_tls.error().message();
  EXPECT_NE(without_tls.error().message().find("--local-ca"), std::string::npos) << without_tls.error().message();
  auto no_port = options();
  no_port.operator_listen = "9001";
  EXPECT_TRUE(init_cloud(no_port).error().message().starts_with("--operator-listen 9001: "));
  auto both_the_same = options();
  both_the_same.operator_listen = both_the_same.s3_listen;
  EXPECT_EQ(init_cloud(both_the_same).error().message(),
            "--operator-listen " + both_the_same.s3_listen +
                ": is where the tenants' listener is (--listen): choose another port");
  EXPECT_FALSE(std::filesystem::exists(options().folder));
}

TEST_F(InitTest, LeavesNoHalfACloudBehind) {
  // The last drive's folder is a file: it cannot be made after seven others were.
  ASSERT_TRUE(write_file(folder_.path() + "/taken", "", false));
  auto text = *read_text_file(kConsortium);
  const std::string path = "drives/thales-2";
  text.replace(text.find("\"" + path), path.size() + 1, "\"" + folder_.path() + "/taken/thales-2");
  ASSERT_TRUE(write_file(folder_.path() + "/c.toml", text, false));
  const auto made = init_cloud(options(folder_.path() + "/c.toml"));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error(), Errc::kIo) << made.error().describe();
  EXPECT_FALSE(std::filesystem::exists(options().folder));
}

TEST_F(InitTest, GoesOnWhereAnInterruptedOneStopped) {
  auto text = *read_text_file(kConsortium);
  const std::string path = "drives/thales-2";
  const std::string elsewhere = folder_.path() + "/elsewhere";
  text.replace(text.find("\"" + path), path.size() + 1, "\"" + elsewhere);
  ASSERT_TRUE(write_file(folder_.path() + "/c.toml", text, false));
  const auto given = options(folder_.path() + "/c.toml");
  ASSERT_TRUE(init_cloud(given));
  const CloudFolder files{given.folder};
  // As if it had been killed just before the configuration: everything else is there.
  const auto config = read_config(files.config());
  const auto cloud = Cloud::open(*config, *read_consortium(config->consortium));
  ASSERT_TRUE(cloud);
  SystemRandom random;
  const auto seal = open_drive_seal(files, **open_custody(files, random));
  const auto label = io::decode_drive_label(as_bytes(*read_text_file(elsewhere + "/label")), **seal);
  std::string note = label->cloud.to_string() + "\n";
  const auto status = (*cloud)->fleet().status();
  for (const auto& drive : status->drives) note += drive.path + "\n";
  (*cloud)->stop();
  ASSERT_TRUE(write_file(files.unfinished(), note, false));
  std::filesystem::remove(files.config());
  const auto again = init_cloud(given);
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_FALSE(std::filesystem::exists(files.unfinished()));
  EXPECT_EQ(init_cloud(given).error(), Errc::kAlreadyExists);
}

TEST_F(InitTest, AFileThatIsNotThereIsNamedWithItsLine) {
  auto with_ca = options();
  with_ca.local_ca = true;
  ASSERT_TRUE(init_cloud(with_ca));
  const CloudFolder files{with_ca.folder};
  const auto config = read_config(files.config());
  ASSERT_TRUE(config);
  EXPECT_TRUE(check_files(*config));
  std::filesystem::remove(files.tls() + "/server.crt");
  const Status missing = check_files(*config);
  ASSERT_FALSE(missing);
  EXPECT_TRUE(
      missing.error().message().starts_with(files.config() + ":11: " + files.tls() + "/server.crt is not there"))
      << missing.error().message();
  EXPECT_NE(missing.error().message().find("certificate renew"), std::string::npos);
  std::filesystem::remove_all(files.tls());
  const std::string without_authority = check_files(*config).error().message();
  EXPECT_EQ(without_authority.find("certificate renew"), std::string::npos) << without_authority;
  EXPECT_NE(without_authority.find("only `andromede init --local-ca`"), std::string::npos) << without_authority;
}

TEST_F(InitTest, AnotherConsortiumIsRefusedAndTheRecordedOneHandedBack) {
  ASSERT_TRUE(init_cloud(options()));
  const CloudFolder files{options().folder};
  const auto config = read_config(files.config());
  ASSERT_TRUE(config);
  const std::string recorded = *read_text_file(files.consortium());
  auto changed = *read_consortium(config->consortium);
  changed.consortium.policies.front().rule.parity_shards = 0;
  const auto opened = Cloud::open(*config, changed);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kInvalidArgument);
  EXPECT_NE(opened.error().message().find("policy standard.parity_shards: 2 becomes 0"), std::string::npos)
      << opened.error().message();
  EXPECT_NE(opened.error().message().find(files.recorded_consortium()), std::string::npos);
  EXPECT_EQ(*read_text_file(files.recorded_consortium()), recorded);
  EXPECT_TRUE(Cloud::open(*config, *read_consortium(config->consortium)));
  EXPECT_FALSE(std::filesystem::exists(files.recorded_consortium())) << "it would tell of an older version one day";
}

TEST_F(InitTest, ALocalAuthorityIsRenewedWhole) {
  EXPECT_EQ(renew_local_ca(folder_.path() + "/tls", {"127.0.0.1"}).error(), Errc::kNotFound);
  ASSERT_TRUE(make_local_ca(folder_.path() + "/tls", {"127.0.0.1"}));
  const auto before = read_text_file(folder_.path() + "/tls/ca.crt");
  ASSERT_TRUE(renew_local_ca(folder_.path() + "/tls", {"127.0.0.1"}));
  EXPECT_NE(*read_text_file(folder_.path() + "/tls/ca.crt"), *before);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/tls.new"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/tls/ca.key"));
  EXPECT_TRUE(private_to_owner(folder_.path() + "/tls/server.key"));
}

TEST_F(InitTest, ASecretThatOthersCanReadIsNotUsed) {
  ASSERT_TRUE(init_cloud(options()));
  const CloudFolder files{options().folder};
  ::chmod(files.operator_token().c_str(), 0644);
  const auto token = read_secret_file(files.operator_token());
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error(), Errc::kRefused);
}

TEST(Messages, SpeakBothLanguages) {
  EXPECT_EQ(text_in(false, Msg::kInitDone, {"8", "2"}), "Made a cloud. Drives: 8, tenants: 2.");
  EXPECT_EQ(text_in(true, Msg::kInitDone, {"8", "2"}), "Nuage créé. Disques : 8, locataires : 2.");
  for (int i = 0; i < static_cast<int>(Msg::kCount); ++i) {
    EXPECT_FALSE(text_in(false, static_cast<Msg>(i)).empty()) << i;
    EXPECT_FALSE(text_in(true, static_cast<Msg>(i)).empty()) << i;
  }
}

TEST(Progress, IsReadable) {
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_seconds(59), "59 s");
  EXPECT_EQ(human_seconds(7500), "2 h 5 min");
  const nlohmann::json job{
      {"kind", "drain"}, {"subject", "orange"}, {"bytes_done", 1 << 20}, {"bytes_total", 4 << 20}, {"eta_seconds", 9}};
  const std::string line = progress_line(job);
  EXPECT_NE(line.find("drain orange [#######"), std::string::npos) << line;
  EXPECT_NE(line.find("25 %"), std::string::npos) << line;
  EXPECT_NE(progress_line({{"kind", "heal"}}).find("0 %"), std::string::npos) << "nothing known yet";
}

}  // namespace
}  // namespace andromede::app
