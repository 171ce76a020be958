// status, drive, scrub, drain: what asks the running server about drives.
#include "cloud_folder.h"
#include "command_line.h"
#include "commands.h"
#include "exit_codes.h"
#include "messages.h"
#include "progress_bar.h"
#include "table.h"

namespace andromede::app {
namespace {

void print_drives(const nlohmann::json& drives) {
  std::vector<Row> rows{{text(Msg::kColDrive), text(Msg::kColSite), text(Msg::kColState), text(Msg::kColOnline),
                         text(Msg::kColShards), text(Msg::kColUsed), text(Msg::kColFree), text(Msg::kColMetadata)}};
  for (const auto& drive : drives) {
    const bool online = drive.value("online", false);
    // What an offline drive holds is not known.
    const auto known = [online](std::string words) { return online ? std::move(words) : std::string("-"); };
    rows.push_back(
        {drive.value("name", ""), drive.value("site", ""), drive.value("state", ""),
         text(online ? Msg::kYes : Msg::kNo),
         known((drive.value("counting", false) ? "≥ " : "") + std::to_string(drive.value("shards", std::uint64_t{0}))),
         known(human_bytes(drive.value("live_bytes", std::uint64_t{0}))),
         known(human_bytes(drive.value("free_bytes", std::uint64_t{0}))),
         drive.value("metadata_mirror_current", false) ? text(Msg::kYes) : "-"});
  }
  print_table(rows);
}

void print_status(const nlohmann::json& status) {
  const auto number = [](const nlohmann::json& of, const char* key) { return std::to_string(of.value(key, 0U)); };
  const bool degraded = status.value("degraded", true);
  if (const auto refused = status.find("writes_refused"); refused != status.end() && refused->is_object()) {
    print(text(Msg::kWritesRefused, {refused->value("since", ""), refused->value("reason", "")}));
  }
  print(text(degraded ? Msg::kDegraded : Msg::kHealthy));
  const nlohmann::json policies = part_of(status, "policies");
  for (const auto& policy : policies) {
    const nlohmann::json actual = part_of(policy, "actual", nlohmann::json::object());
    const nlohmann::json demanded = part_of(policy, "demanded", nlohmann::json::object());
    print(text(Msg::kPolicyLine,
               {policy.value("name", ""),
                text(degraded ? Msg::kToleratesNow : Msg::kTolerates,
                     {number(actual, "site_losses"), number(actual, "drive_losses")}),
                text(Msg::kDemanded, {number(demanded, "site_losses"), number(demanded, "drive_losses")})}));
  }
  const auto print_each = [&status](const char* key, const std::string& mark) {
    const nlohmann::json said = part_of(status, key);
    for (const auto& words : said) print(mark + words.get<std::string>());
  };
  print_each("reasons", "  - ");
  print_each("changes", "  ~ ");
  print_each("warnings", "  ! ");
  print("");
  print_drives(part_of(status, "drives"));
  const nlohmann::json jobs = part_of(status, "jobs");
  if (!jobs.empty()) print("");
  for (const auto& job : jobs) {
    if (job.value("state", "") == "running") {
      print(progress_line(job));
    } else {
      print(text(Msg::kJobLine, {std::to_string(job.value("number", 0U)), job.value("kind", ""),
                                 job.value("subject", ""), job.value("state", ""), job.value("message", "")}));
    }
  }
}

int start_and_wait(const CommonOptions& common, const std::string& target, const nlohmann::json& body, bool no_wait) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto job = client->post(target, body);
  if (!job) return report_answer(job.error(), client->config());
  const std::string message = job->value("message", "");
  if (!common.json && !message.empty()) print("  ! " + message);
  if (!no_wait) return wait_for_job(*client, *job, common.json);
  if (common.json) {
    print_json(*job);
  } else {
    print(text(Msg::kStarted, {std::to_string(job->value("number", 0U)), job->value("kind", "")}));
  }
  return kExitOk;
}

}  // namespace

int run_status(const CommonOptions& common, bool check) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto status = client->get("/v1/status");
  if (!status) return report_answer(status.error(), client->config());
  if (common.json) {
    print_json(*status);
  } else {
    print_status(*status);
  }
  return check && status->value("degraded", true) ? kExitDegraded : kExitOk;
}

int run_drive_list(const CommonOptions& common) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto status = client->get("/v1/status");
  if (!status) return report_answer(status.error(), client->config());
  if (common.json) {
    print_json(part_of(*status, "drives"));
  } else {
    print_drives(part_of(*status, "drives"));
  }
  return kExitOk;
}

int run_drive_add(const CommonOptions& common, const DriveOptions& options) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  nlohmann::json body{{"name", options.name},
                      {"site", options.site},
                      {"associate", options.associate},
                      {"path", absolute_path(options.path)}};
  if (options.capacity_bytes > 0) body["capacity_bytes"] = options.capacity_bytes;
  const auto added = client->post("/v1/drives", body);
  if (!added) {
    const int code = report_answer(added.error(), client->config());
    if (added.error() == Errc::kRefused) std::fprintf(stderr, "%s\n", text(Msg::kApplyFirst).c_str());
    return code;
  }
  if (common.json) {
    print_json(*added);
  } else {
    print(text(Msg::kDriveAdded, {options.name}));
  }
  return kExitOk;
}

int run_drive_replace(const CommonOptions& common, const DriveOptions& options) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto replaced =
      client->post("/v1/drives/" + options.name + "/replace", {{"path", absolute_path(options.path)}});
  if (!replaced) return report_answer(replaced.error(), client->config());
  if (common.json) {
    print_json(*replaced);
  } else {
    print(text(Msg::kDriveReplaced, {options.name}));
  }
  return kExitOk;
}

int run_drive_reclaim(const CommonOptions& common, const DriveOptions& options) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto accepted = client->post("/v1/drives/" + options.name + "/reclaim", nlohmann::json::object());
  if (!accepted) return report_answer(accepted.error(), client->config());
  if (common.json) {
    print_json(*accepted);
  } else {
    print(text(Msg::kDriveReclaims, {options.name}));
  }
  return kExitOk;
}

int run_drive_heal(const CommonOptions& common, bool no_wait) {
  return start_and_wait(common, "/v1/heal", nlohmann::json::object(), no_wait);
}

int run_scrub(const CommonOptions& common, bool no_wait) {
  return start_and_wait(common, "/v1/scrub", nlohmann::json::object(), no_wait);
}

int run_drain(const CommonOptions& common, const DrainOptions& options) {
  if (options.abort) {
    auto client = connect(common);
    if (!client) return report_usage(client.error());
    const auto aborted = client->remove("/v1/drain");
    if (!aborted) return report_answer(aborted.error(), client->config());
    if (common.json) {
      print_json(*aborted);
    } else {
      print(text(Msg::kDrainAborted));
    }
    return kExitOk;
  }
  nlohmann::json body = nlohmann::json::object();
  body[options.site.empty() ? "drive" : "site"] = options.site.empty() ? options.drive : options.site;
  if (options.accept_site_losses) body["accept_site_losses"] = *options.accept_site_losses;
  if (options.accept_unerased) body["accept_unerased"] = true;
  if (options.bandwidth_bytes_per_s > 0) body["bandwidth_bytes_per_s"] = options.bandwidth_bytes_per_s;
  return start_and_wait(common, "/v1/drain", body, options.no_wait);
}

}  // namespace andromede::app
