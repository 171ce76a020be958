// consortium show, check, apply; certificate renew.
#include "cloud_folder.h"
#include "command_line.h"
#include "commands.h"
#include "control/consortium_file.h"
#include "exit_codes.h"
#include "local_ca.h"
#include "messages.h"

namespace andromede::app {
namespace {

using nlohmann::json;

// Read here first: the server does not know what the file is called.
Result<std::string> read_consortium_text(const std::string& file) {
  TRY(std::string text, read_text_file(file));
  CHECK_OK(control::parse_consortium(text, file));
  return text;
}

int say_change(const CommonOptions& common, const json& change, Msg done) {
  if (common.json) {
    print_json(change);
    return kExitOk;
  }
  const std::string version = std::to_string(change.value("version", std::uint64_t{0}));
  const json differences = part_of(change, "differences");
  if (differences.empty()) {
    print(text(Msg::kConsortiumSame, {version}));
    return kExitOk;
  }
  for (const auto& line : differences) print("  - " + line.get<std::string>());
  print(text(done, {version}));
  if (change.contains("file_error")) {
    print(text(Msg::kConsortiumFileBehind, {change["file_error"].get<std::string>()}));
  }
  return kExitOk;
}

}  // namespace

int run_consortium_show(const CommonOptions& common) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto record = client->get("/v1/consortium");
  if (!record) return report_answer(record.error(), client->config());
  if (common.json) {
    print_json(*record);
    return kExitOk;
  }
  // A comment, so that what is printed is a consortium file.
  print(text(Msg::kConsortiumVersion, {std::to_string(record->value("version", std::uint64_t{0})),
                                       record->value("applied", ""), record->value("digest", "")}));
  print(record->value("text", ""));
  return kExitOk;
}

int run_consortium_check(const CommonOptions& common, const std::string& file) {
  const auto content = read_consortium_text(file);
  if (!content) return report_usage(content.error());
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto checked = client->post("/v1/consortium/check", {{"text", *content}});
  if (!checked) return report_answer(checked.error(), client->config());
  return say_change(common, *checked, Msg::kConsortiumWould);
}

int run_consortium_apply(const CommonOptions& common, const std::string& file) {
  const auto content = read_consortium_text(file);
  if (!content) return report_usage(content.error());
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto applied = client->put("/v1/consortium", {{"text", *content}});
  if (!applied) return report_answer(applied.error(), client->config());
  return say_change(common, *applied, Msg::kConsortiumApplied);
}

int run_certificate_renew(const CommonOptions& common) {
  const auto config = find_config(common);
  if (!config) return report_usage(config.error());
  const std::string folder = CloudFolder{config->folder}.tls();
  const Status renewed = renew_local_ca(folder, certificate_names(*config));
  if (!renewed) return report(renewed.error());
  if (common.json) {
    print_json({{"ca_certificate", folder + "/ca.crt"}});
  } else {
    print(text(Msg::kCertificateRenewed, {folder + "/ca.crt"}));
  }
  return kExitOk;
}

}  // namespace andromede::app
