#include "api/operator/render.h"

#include <nlohmann/json.hpp>

#include "fleet/jobs.h"

namespace andromede::api {
namespace {

const char* phase_name(fleet::DrivePhase phase) {
  switch (phase) {
    case fleet::DrivePhase::kActive:
      return "active";
    case fleet::DrivePhase::kDraining:
      return "draining";
    case fleet::DrivePhase::kDrained:
      return "drained";
    case fleet::DrivePhase::kReplaced:
      return "replaced";
  }
  return "unknown";
}

nlohmann::json to_json(const sovereignty::Tolerance& tolerance) {
  return {{"site_losses", tolerance.site_losses}, {"drive_losses", tolerance.drive_losses}};
}

nlohmann::json to_json(const fleet::PolicyStatus& policy) {
  return {{"name", policy.id.value()},
          {"default", policy.is_default},
          {"demanded", to_json(policy.demanded)},
          {"actual", to_json(policy.actual)}};
}

nlohmann::json to_json(const std::optional<fleet::WritesRefused>& refused) {
  if (!refused) return nullptr;
  return {{"since", to_iso8601(refused->since)},
          {"reason", refused->why},
          {"drives", refused->drives},
          {"drives_needed", refused->drives_needed},
          {"missing_bytes", refused->missing_bytes}};
}

nlohmann::json to_json(const fleet::DriveStatus& drive) {
  return {{"name", drive.name.value()},
          {"id", drive.id.to_string()},
          {"site", drive.site.value()},
          {"associate", drive.associate.value()},
          {"path", drive.path},
          {"state", phase_name(drive.phase)},
          {"online", drive.online},
          {"metadata_mirror", drive.metadata_mirror},
          {"metadata_mirror_current", drive.metadata_mirror_current},
          {"shards", drive.usage.shards},
          {"live_bytes", drive.usage.live_bytes},
          {"counting", drive.usage.counting},
          {"free_bytes", drive.usage.free_bytes},
          {"total_bytes", drive.usage.total_bytes},
          {"fill_bytes_per_s", drive.fill.bytes_per_s},
          {"seconds_left", drive.fill.left ? nlohmann::json(drive.fill.left->count()) : nlohmann::json()}};
}

}  // namespace

nlohmann::json to_json(const fleet::Job& job) {
  nlohmann::json json{{"number", job.number},
                      {"kind", fleet::to_string(job.kind)},
                      {"state", fleet::to_string(job.state)},
                      {"subject", job.subject},
                      {"blobs_done", job.blobs_done},
                      {"bytes_done", job.bytes_done},
                      {"bytes_total", job.bytes_total},
                      {"repaired", job.repaired},
                      {"lost", job.lost},
                      {"started", to_iso8601(job.started)},
                      {"message", job.message}};
  json["ended"] = job.ended ? nlohmann::json(to_iso8601(*job.ended)) : nlohmann::json();
  json["eta_seconds"] = job.eta ? nlohmann::json(job.eta->count()) : nlohmann::json();
  return json;
}

nlohmann::json to_json(const fleet::FleetStatus& status) {
  nlohmann::json drives = nlohmann::json::array();
  for (const fleet::DriveStatus& drive : status.drives) drives.push_back(to_json(drive));
  nlohmann::json policies = nlohmann::json::array();
  for (const fleet::PolicyStatus& policy : status.policies) policies.push_back(to_json(policy));
  nlohmann::json jobs = nlohmann::json::array();
  for (const fleet::Job& job : status.jobs) jobs.push_back(to_json(job));
  return {{"epoch", status.epoch},           {"degraded", status.degraded},
          {"reasons", status.reasons},       {"changes", status.changes},
          {"warnings", status.warnings},     {"writes_refused", to_json(status.writes_refused)},
          {"policies", std::move(policies)}, {"damaged_found", status.damaged_found},
          {"repaired", status.repaired},     {"waiting", status.waiting},
          {"drives", std::move(drives)},     {"jobs", std::move(jobs)}};
}

nlohmann::json to_json(const std::vector<journal::Entry>& entries) {
  nlohmann::json list = nlohmann::json::array();
  for (const journal::Entry& entry : entries) {
    nlohmann::json event = nlohmann::json::parse(entry.event, nullptr, false);
    if (event.is_discarded()) event = entry.event;
    list.push_back({{"sequence", entry.sequence},
                    {"previous", to_hex(entry.previous)},
                    {"hash", to_hex(entry.hash)},
                    {"event", std::move(event)}});
  }
  return {{"entries", std::move(list)}};
}

}  // namespace andromede::api
