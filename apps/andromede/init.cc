#include "init.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "aws_hints.h"
#include "cloud.h"
#include "cloud_folder.h"
#include "cloud_keys.h"
#include "config.h"
#include "identity/records.h"
#include "io/drive_label.h"
#include "io/drives.h"
#include "local_ca.h"
#include "messages.h"

namespace andromede::app {
namespace {

namespace fs = std::filesystem;

// The error says which option it is of: no file has been written yet that it could name.
Result<Endpoint> listener(const std::string& given, Msg option) {
  auto endpoint = parse_endpoint(given);
  if (!endpoint) return fail(Errc::kInvalidArgument, text(option, {given, endpoint.error().message()}));
  return endpoint;
}

// For its owner alone.
Status make_private_folder(const std::string& path) {
  CHECK_OK(make_folder(path));
  std::error_code code;
  fs::permissions(path, fs::perms::owner_all, code);
  if (code) return fail(Errc::kIo, path + ": cannot be kept from others: " + code.message());
  return {};
}

std::string config_text(const InitOptions& options, const Endpoint& s3) {
  std::string text =
      "# One cloud's configuration: every key, with its limits, is in docs/operations.md; an unknown one is an error.\n"
      "\n"
      "[cloud]\n"
      "folder = \".\"  # relative to this file\n"
      "consortium = \"consortium.toml\"\n"
      "\n"
      "[s3]\n"
      "listen = \"" +
      s3.to_string() +
      "\"\n"
      "region = \"us-east-1\"\n"
      "# virtual_hosts = [\"s3.example.org\"]  # buckets at BUCKET.s3.example.org too\n";
  if (options.local_ca) {
    text += "tls_certificate = \"tls/server.crt\"\ntls_key = \"tls/server.key\"\n";
  } else {
    text +=
        "# tls_certificate = \"tls/server.crt\"  # without these: plain HTTP, on a loopback address only\n"
        "# tls_key = \"tls/server.key\"\n";
  }
  text += "# insecure_http = true  # plain HTTP on any address: only behind a proxy that talks TLS\n";
  text += "\n[operator]\nlisten = \"" + options.operator_listen +
          "\"\n"
          "\n"
          "[storage]\n"
          "cache_bytes = 100663296              # of metadata\n"
          "bandwidth_bytes_per_s = 209715200    # of heal, drain, scrub and rebalance\n"
          "# event_loops = 0                     # threads that serve connections; 0: one a core\n"
          "\n"
          "[log]\n"
          "level = \"info\"\n"
          "access = false  # true: a line for every request; a request that fails for a fault of ours always has one\n";
  return text;
}

Result<io::DriveMap> first_map(const std::string& root, const control::ConsortiumFile& file, Random& random) {
  const sovereignty::Policies policies = sovereignty::policies_of(file.consortium);
  io::DriveMap map;
  map.cloud = CloudId::random(random);
  map.minimum = map.minimum_before = minimum_of(policies);
  fleet::CandidateList candidates;
  std::map<SiteId, AssociateId> owners;
  for (const sovereignty::Site& site : file.consortium.sites) owners[site.id] = site.associate;
  for (const control::DriveSpec& spec : file.drives) {
    io::DriveInfo drive;
    drive.id = DriveId::random(random);
    drive.name = spec.name;
    drive.site = spec.site;
    drive.associate = owners[spec.site];
    drive.path = spec.path.starts_with('/') ? spec.path : root + "/" + spec.path;
    drive.capacity_bytes = spec.capacity_bytes;
    CHECK_OK(make_private_folder(drive.path));
    candidates.push_back({drive.id, drive.site, drive.associate, 1, 1});
    map.drives.push_back(std::move(drive));
  }
  for (const DriveId mirror : sovereignty::place_mirrors(policies.mirrors(), candidates, {})) {
    for (io::DriveInfo& drive : map.drives) {
      if (drive.id == mirror) drive.mirrors_metadata = true;
    }
  }
  return map;
}

Status make_tenants(Cloud& cloud, const sovereignty::Consortium& consortium, const CloudFolder& folder,
                    const std::string& endpoint, const identity::Context& by) {
  nlohmann::json list = nlohmann::json::array();
  std::string profiles;
  for (const sovereignty::TenantSpec& tenant : consortium.tenants) {
    CHECK_OK(cloud.tenants().open(tenant.id, tenant.display_name, by));
    TRY(const auto credential, sync_wait(cloud.directory().create_credential(tenant.id, by)));
    const std::string profile = "aws_access_key_id = " + credential.access_key_id +
                                "\naws_secret_access_key = " + std::string(credential.secret.view()) + "\n\n";
    if (profiles.empty()) profiles = "[default]\n" + profile;
    profiles += "[" + tenant.id.value() + "]\n" + profile;
    list.push_back({{"account", tenant.id.value()},
                    {"name", tenant.display_name},
                    {"access_key_id", credential.access_key_id},
                    {"secret_access_key", credential.secret.view()}});
  }
  const nlohmann::json file{{"endpoint", endpoint}, {"region", "us-east-1"}, {"tenants", std::move(list)}};
  CHECK_OK(write_file(folder.aws_credentials(), profiles, true));
  return write_file(folder.credentials(), file.dump(2) + "\n", true);
}

// The first operator, who makes all others.
Status make_operator(Cloud& cloud, const CloudFolder& folder, const identity::Context& by) {
  TRY(const crypto::SecretText token, cloud.operators().create(by.principal.id, std::nullopt, by));
  return write_file(folder.operator_token(), std::string(token.view()) + "\n", true);
}

Status note_unfinished(const CloudFolder& folder, const io::DriveMap& map) {
  std::string note = map.cloud.to_string() + "\n";
  for (const io::DriveInfo& drive : map.drives) note += drive.path + "\n";
  return write_file(folder.unfinished(), note, false);
}

// Null where the init was cut off before its keys were whole: then no drive has a label yet.
Result<std::shared_ptr<const io::DriveSeal>> unfinished_seal(const CloudFolder& folder) {
  std::error_code code;
  if (!fs::exists(folder.drives_key(), code)) return nullptr;
  SystemRandom random;
  TRY(const auto custody, open_custody(folder, random));
  return open_drive_seal(folder, *custody);
}

// Removes what an init that was cut off left: nothing but its own, and nobody has stored anything there yet.
Status clear_unfinished(const CloudFolder& folder) {
  TRY(const auto seal, unfinished_seal(folder));
  TRY(const std::string note, read_text_file(folder.unfinished()));
  std::istringstream lines(note);
  std::string cloud;
  std::getline(lines, cloud);
  std::error_code code;
  for (std::string path; std::getline(lines, path) && !code;) {
    const std::string label_path = path + "/" + std::string(io::kLabelFile);
    const auto bytes = read_text_file(label_path);
    if (!bytes || seal == nullptr) continue;
    const auto label = io::decode_drive_label(as_bytes(*bytes), *seal);
    if (!label || label->cloud.to_string() != cloud) continue;
    std::vector<std::string> made;
    for (const auto& inside : fs::directory_iterator(path, code)) {
      if (inside.path() != label_path) made.push_back(inside.path());
    }
    // The label last: as long as it is there, this can be done again.
    made.push_back(label_path);
    for (const std::string& inside : made) {
      if (!code) fs::remove_all(inside, code);
    }
  }
  for (const std::string& made : {folder.keys(), folder.tls(), folder.operator_token(), folder.drive_paths(),
                                  folder.credentials(), folder.aws_credentials(), folder.consortium()}) {
    if (!code) fs::remove_all(made, code);
  }
  // Last: as long as it is there, the next init clears up.
  if (!code) fs::remove(folder.unfinished(), code);
  if (code)
    return fail(Errc::kIo, folder.root + ": what an interrupted init left cannot be removed: " + code.message());
  return {};
}

// Everything of a cloud. A crash in between leaves a folder that says it is not whole.
Result<InitReport> make_cloud(const InitOptions& options, const CloudFolder& folder, const Config& config,
                              const control::ConsortiumFile& consortium, std::string_view consortium_text,
                              std::string_view config_content) {
  InitReport report;
  SystemRandom random;
  TRY(const io::DriveMap map, first_map(folder.root, consortium, random));
  CHECK_OK(note_unfinished(folder, map));
  CHECK_OK(make_private_folder(folder.keys()));
  CHECK_OK(make_cloud_keys(folder, random));
  {
    TRY(const auto custody, open_custody(folder, random));
    TRY(const auto seal, open_drive_seal(folder, *custody));
    TRY(const auto drives, io::Drives::create(map, seal, open_drive));
    drives->stop();
  }
  if (options.local_ca) {
    const std::vector<std::string> names = certificate_names(config);
    CHECK_OK(make_local_ca(folder.tls(), names));
    report.ca_certificate = folder.tls() + "/ca.crt";
    report.certificate_names = local_ca_names(names);
    report.reachable = config.s3.loopback() || !names.empty();
  }
  report.endpoint = client_endpoint(config);
  {
    TRY(const auto cloud, Cloud::open(config, consortium, true));
    const identity::Context by = identity::operator_context(options.operator_name);
    CHECK_OK(make_operator(*cloud, folder, by));
    CHECK_OK(cloud->consortium().create(std::string(consortium_text), by));
    CHECK_OK(make_tenants(*cloud, consortium.consortium, folder, report.endpoint, by));
    cloud->stop();
  }
  CHECK_OK(write_file(folder.consortium(), consortium_text, false));
  // A folder with a configuration is a whole cloud.
  CHECK_OK(write_file(folder.config(), config_content, false));
  std::error_code code;
  fs::remove(folder.unfinished(), code);
  report.config = folder.config();
  report.credentials = folder.credentials();
  report.drives = map.drives.size();
  report.tenants = consortium.consortium.tenants.size();
  return report;
}

}  // namespace

Result<InitReport> init_cloud(const InitOptions& options) {
  TRY(const auto consortium, read_consortium(options.consortium));
  TRY(const std::string consortium_text, read_text_file(options.consortium));
  CHECK_OK(identity::check_operator_name(options.operator_name));
  TRY(const Endpoint s3, listener(options.s3_listen, Msg::kInitListen));
  TRY(const Endpoint operators, listener(options.operator_listen, Msg::kInitOperatorListen));
  if (!s3.loopback() && !options.local_ca) {
    return fail(Errc::kInvalidArgument, text(Msg::kInitListen, {options.s3_listen, text(Msg::kInitNeedsTls)}));
  }
  if (operators.taken_by(s3)) {
    return fail(Errc::kInvalidArgument,
                text(Msg::kInitOperatorListen, {options.operator_listen, text(Msg::kInitSameListen)}));
  }
  const CloudFolder folder{absolute_path(options.folder)};
  if (folder.root.empty()) return fail(Errc::kInvalidArgument, "the cloud's folder has a name");
  std::error_code code;
  const bool unfinished = fs::exists(folder.unfinished(), code) && !fs::exists(folder.config(), code);
  if (fs::exists(folder.config(), code)) {
    return fail(Errc::kAlreadyExists, text(Msg::kCloudIsThere, {folder.root, folder.config()}));
  }
  if (!unfinished && fs::exists(folder.consortium(), code)) {
    return fail(Errc::kAlreadyExists, text(Msg::kConsortiumIsThere, {folder.consortium()}));
  }
  // Checked before anything is made: a listener that serve would refuse.
  const std::string config_content = config_text(options, s3);
  TRY(const Config config, parse_config(config_content, folder.config()));

  const bool fresh = !fs::exists(folder.root, code);
  if (unfinished) CHECK_OK(clear_unfinished(folder));
  if (fresh) CHECK_OK(make_private_folder(folder.root));
  auto made = make_cloud(options, folder, config, consortium, consortium_text, config_content);
  // Half a cloud is worth nothing, and would be in the way of the next try.
  if (!made && fs::exists(folder.unfinished(), code)) {
    if (const Status cleared = clear_unfinished(folder); !cleared) return fail(cleared.error());
  }
  if (!made && fresh) fs::remove_all(folder.root, code);
  return made;
}

}  // namespace andromede::app
