// Drives, the work on them, and what status tells.
#include <algorithm>
#include <filesystem>

#include "api/operator/operations.h"
#include "api/operator/render.h"
#include "control/consortium_file.h"

namespace andromede::api {
namespace {

constexpr std::size_t kMaxNameBytes = 32;
constexpr std::size_t kMaxPathBytes = 4096;
// What is slower is a unit forgotten: a drive of 1 TB would take half a year.
constexpr std::uint64_t kMinBandwidthBytesPerS = 64 * 1024;

using nlohmann::json;

// Names go into the drive map, file names and the journal: the letters of the consortium file, and no others.
Result<std::string> read_name(const json& body, const char* key) {
  TRY(std::string name, read_text(body, key));
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (name.empty() || name.size() > kMaxNameBytes || !std::all_of(name.begin(), name.end(), allowed)) {
    return fail(Errc::kInvalidArgument,
                std::string(key) + " is not a name: use 1 to 32 lower-case letters, digits and '-'");
  }
  return name;
}

Result<std::string> read_path(const json& body) {
  const auto found = body.find("path");
  if (found == body.end() || !found->is_string()) {
    return fail(Errc::kInvalidArgument, "path is missing: the drive's folder is required");
  }
  auto path = found->get<std::string>();
  if (path.empty() || path.front() != '/' || path.size() > kMaxPathBytes || path.find('\0') != std::string::npos) {
    return fail(Errc::kInvalidArgument, "path must be absolute");
  }
  std::error_code code;
  if (!std::filesystem::is_directory(path, code)) {
    return fail(Errc::kNotFound, path + " is not a folder on the server: mount the drive or make the folder first");
  }
  return path;
}

}  // namespace

Result<OperatorAnswer> get_status(const OperatorCall& call) {
  TRY(const auto status, call.services.fleet.status());
  json rendered = to_json(status);
  if (call.options.warnings) {
    for (std::string& warning : call.options.warnings()) rendered["warnings"].push_back(std::move(warning));
  }
  rendered["version"] = call.options.version;
  rendered["journal_sequence"] = call.services.store.last_sequence();
  return OperatorAnswer{200, dump(rendered)};
}

Result<OperatorAnswer> list_jobs(const OperatorCall& call) {
  TRY(const auto status, call.services.fleet.status());
  return OperatorAnswer{200, dump({{"jobs", to_json(status)["jobs"]}})};
}

Result<OperatorAnswer> get_job(const OperatorCall& call) {
  TRY(const std::uint64_t number, parse_number(call.name, "a job's number"));
  TRY(const auto job, call.services.fleet.job(number));
  return OperatorAnswer{200, dump(to_json(job))};
}

Result<OperatorAnswer> add_drive(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {"name", "site", "associate", "path", "capacity_bytes"}));
  fleet::NewDrive drive;
  TRY(std::string name, read_name(call.body, "name"));
  TRY(std::string site, read_name(call.body, "site"));
  TRY(std::string associate, read_name(call.body, "associate"));
  drive.name = DriveName(std::move(name));
  drive.site = SiteId(std::move(site));
  drive.associate = AssociateId(std::move(associate));
  TRY(drive.path, read_path(call.body));
  if (const auto capacity = call.body.find("capacity_bytes"); capacity != call.body.end()) {
    if (!capacity->is_number_unsigned()) return fail(Errc::kInvalidArgument, "capacity_bytes must be a whole number");
    drive.capacity_bytes = capacity->get<std::uint64_t>();
    if (const Status enough = control::check_capacity(drive.capacity_bytes); !enough) {
      return fail(Errc::kInvalidArgument, "capacity_bytes " + enough.error().message());
    }
  }
  CHECK_OK(call.services.fleet.add_drive(drive, call.context.principal.id));
  return OperatorAnswer{201, dump({{"added", drive.name.value()}})};
}

Result<OperatorAnswer> replace_drive(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {"path"}));
  TRY(const std::string path, read_path(call.body));
  const std::string& name = call.name;
  CHECK_OK(call.services.fleet.replace_drive(DriveName(name), path, call.context.principal.id));
  return OperatorAnswer{201, dump({{"replaced", name}})};
}

Result<OperatorAnswer> reclaim_drive(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {}));
  CHECK_OK(call.services.fleet.accept_orphans(DriveName(call.name), call.context.principal.id));
  return OperatorAnswer{202, dump({{"accepted", call.name}})};
}

Result<OperatorAnswer> heal(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {}));
  TRY(const auto job, call.services.fleet.heal(call.context.principal.id));
  return OperatorAnswer{202, dump(to_json(job))};
}

Result<OperatorAnswer> scrub(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {}));
  TRY(const auto job, call.services.fleet.scrub(call.context.principal.id));
  return OperatorAnswer{202, dump(to_json(job))};
}

Result<OperatorAnswer> drain(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {"site", "drive", "accept_site_losses", "accept_unerased", "bandwidth_bytes_per_s"}));
  fleet::DrainRequest request;
  if (call.body.contains("site")) {
    TRY(std::string site, read_name(call.body, "site"));
    request.site = SiteId(std::move(site));
  }
  if (call.body.contains("drive")) {
    TRY(std::string drive, read_name(call.body, "drive"));
    request.drive = DriveName(std::move(drive));
  }
  if (const auto accepted = call.body.find("accept_site_losses"); accepted != call.body.end()) {
    if (!accepted->is_number_unsigned() || accepted->get<std::uint64_t>() > 32) {
      return fail(Errc::kInvalidArgument, "accept_site_losses must be a number from 0 to 32");
    }
    request.accept_site_losses = accepted->get<std::uint8_t>();
  }
  if (const auto accepted = call.body.find("accept_unerased"); accepted != call.body.end()) {
    if (!accepted->is_boolean()) return fail(Errc::kInvalidArgument, "accept_unerased must be true or false");
    request.accept_unerased = accepted->get<bool>();
  }
  if (const auto bandwidth = call.body.find("bandwidth_bytes_per_s"); bandwidth != call.body.end()) {
    if (!bandwidth->is_number_unsigned() || *bandwidth < kMinBandwidthBytesPerS) {
      return fail(Errc::kInvalidArgument,
                  "bandwidth_bytes_per_s must be a whole number of at least " + std::to_string(kMinBandwidthBytesPerS));
    }
    request.bandwidth_bytes_per_s = bandwidth->get<std::uint64_t>();
  }
  TRY(const auto job, call.services.fleet.drain(std::move(request), call.context.principal.id));
  return OperatorAnswer{202, dump(to_json(job))};
}

Result<OperatorAnswer> abort_drain(const OperatorCall& call) {
  CHECK_OK(call.services.fleet.abort_drain(call.context.principal.id));
  return OperatorAnswer{200, dump({{"aborted", true}})};
}

}  // namespace andromede::api
