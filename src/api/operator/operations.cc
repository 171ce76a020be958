#include "api/operator/operations.h"

#include <array>
#include <optional>

#include "sovereignty/consortium_record.h"

namespace andromede::api {
namespace {

using enum edge::Access;

constexpr std::size_t kMaxBodyBytes = 64 * 1024;
// A consortium file as JSON, every byte of it escaped with two.
constexpr std::size_t kMaxFileBodyBytes = 2 * sovereignty::kMaxConsortiumBytes + 1024;
constexpr std::chrono::milliseconds kVerifyTimeout{590'000};  // the command waits ten minutes for it

constexpr auto kOperatorOperations = std::to_array<OperatorOperation>({
    {.is = {.name = "Live", .open_to_anybody = true},
     .method = "GET",
     .path = "/health/live",
     .probe = &OperatorFrontEnd::live},
    {.is = {.name = "Ready", .open_to_anybody = true},
     .method = "GET",
     .path = "/health/ready",
     .probe = &OperatorFrontEnd::ready},
    {.is = {.name = "Metrics", .open_to_anybody = true},
     .method = "GET",
     .path = "/metrics",
     .probe = &OperatorFrontEnd::metrics},
    {{"Status", "andromede:GetStatus", "cloud", kRead}, "GET", "/v1/status", get_status},
    {{"ListJobs", "andromede:ListJobs", "job", kRead}, "GET", "/v1/jobs", list_jobs},
    {{"GetJob", "andromede:GetJob", "job", kRead}, "GET", "/v1/jobs/{number}", get_job},
    {{"AddDrive", "andromede:AddDrive", "drive", kWrite, kMaxBodyBytes}, "POST", "/v1/drives", add_drive},
    {{"ReplaceDrive", "andromede:ReplaceDrive", "drive", kWrite, kMaxBodyBytes},
     "POST",
     "/v1/drives/{name}/replace",
     replace_drive},
    {{"ReclaimDrive", "andromede:ReclaimDrive", "drive", kWrite, kMaxBodyBytes},
     "POST",
     "/v1/drives/{name}/reclaim",
     reclaim_drive},
    {{"Heal", "andromede:Heal", "cloud", kWrite, kMaxBodyBytes}, "POST", "/v1/heal", heal},
    {{"Scrub", "andromede:Scrub", "cloud", kWrite, kMaxBodyBytes}, "POST", "/v1/scrub", scrub},
    {{"Drain", "andromede:Drain", "cloud", kWrite, kMaxBodyBytes}, "POST", "/v1/drain", drain},
    {{"AbortDrain", "andromede:AbortDrain", "cloud", kWrite}, "DELETE", "/v1/drain", abort_drain},
    {{"ReadJournal", "andromede:ReadJournal", "journal", kRead}, "GET", "/v1/journal", read_journal},
    {{"ListAccounts", "andromede:ListAccounts", "account", kRead}, "GET", "/v1/accounts", list_accounts},
    {{"CreateAccount", "andromede:CreateAccount", "account", kWrite, kMaxBodyBytes},
     "POST",
     "/v1/accounts",
     create_account},
    {{"CloseAccount", "andromede:CloseAccount", "account", kWrite}, "DELETE", "/v1/accounts/{id}", close_account},
    {{"ListAccessKeys", "andromede:ListAccessKeys", "account", kRead}, "GET", "/v1/accounts/{id}/keys", list_keys},
    {{"CreateAccessKey", "andromede:CreateAccessKey", "account", kWrite, kMaxBodyBytes},
     "POST",
     "/v1/accounts/{id}/keys",
     create_key},
    {{"DisableAccessKey", "andromede:DisableAccessKey", "key", kWrite, kMaxBodyBytes},
     "POST",
     "/v1/keys/{id}/disable",
     disable_key},
    {{"EnableAccessKey", "andromede:EnableAccessKey", "key", kWrite, kMaxBodyBytes},
     "POST",
     "/v1/keys/{id}/enable",
     enable_key},
    {{"DeleteAccessKey", "andromede:DeleteAccessKey", "key", kWrite}, "DELETE", "/v1/keys/{id}", delete_key},
    {{"ListOperators", "andromede:ListOperators", "operator", kRead}, "GET", "/v1/operators", list_operators},
    {{"CreateOperator", "andromede:CreateOperator", "operator", kWrite, kMaxBodyBytes},
     "POST",
     "/v1/operators",
     create_operator},
    {{"RevokeOperator", "andromede:RevokeOperator", "operator", kWrite},
     "DELETE",
     "/v1/operators/{name}",
     revoke_operator},
    {{"GetConsortium", "andromede:GetConsortium", "consortium", kRead}, "GET", "/v1/consortium", get_consortium},
    {{"CheckConsortium", "andromede:CheckConsortium", "consortium", kRead, kMaxFileBodyBytes},
     "POST",
     "/v1/consortium/check",
     check_consortium},
    {{"ApplyConsortium", "andromede:ApplyConsortium", "consortium", kWrite, kMaxFileBodyBytes},
     "PUT",
     "/v1/consortium",
     apply_consortium},
    {{"VerifyJournal", "andromede:VerifyJournal", "journal", kRead},
     "GET",
     "/v1/journal/verify",
     verify_journal,
     nullptr,
     kVerifyTimeout},
    {.is = {"Unknown"}},
});

// Monitoring asks by HEAD too.
bool has_method(const OperatorOperation& row, std::string_view method) {
  return row.method == method || (row.is.open_to_anybody && method == "HEAD");
}

// The name in `path`, if it is one of the row's; empty where the row has none.
std::optional<std::string_view> match_path(std::string_view row, std::string_view path) {
  const std::size_t open = row.find('{');
  if (open == std::string_view::npos) return path == row ? std::optional(std::string_view()) : std::nullopt;
  const std::string_view before = row.substr(0, open);
  const std::string_view behind = row.substr(row.find('}') + 1);
  if (path.size() <= before.size() + behind.size()) return std::nullopt;
  if (!path.starts_with(before) || !path.ends_with(behind)) return std::nullopt;
  return path.substr(before.size(), path.size() - before.size() - behind.size());
}

}  // namespace

std::span<const OperatorOperation> operator_operations() { return kOperatorOperations; }

RoutedPath route_operator_path(std::string_view method, std::string_view path) {
  for (const OperatorOperation& row : kOperatorOperations) {
    if (!has_method(row, method)) continue;
    if (const auto name = match_path(row.path, path)) return {&row, std::string(*name)};
  }
  return {};
}

}  // namespace andromede::api
