#include "api/operator/routes.h"

#include <array>

namespace andromede::api {
namespace {

struct Row {
  OperatorRoute route;
  std::string_view method;
  std::string_view path;    // or what it begins with, before a name
  std::string_view suffix;  // behind the name
  bool named;
  std::string_view title;
};

constexpr std::array<Row, kOperatorRoutes - 1> kRows = {{
    {OperatorRoute::kLive, "GET", "/health/live", "", false, "Live"},
    {OperatorRoute::kReady, "GET", "/health/ready", "", false, "Ready"},
    {OperatorRoute::kMetrics, "GET", "/metrics", "", false, "Metrics"},
    {OperatorRoute::kStatus, "GET", "/v1/status", "", false, "Status"},
    {OperatorRoute::kListJobs, "GET", "/v1/jobs", "", false, "ListJobs"},
    {OperatorRoute::kGetJob, "GET", "/v1/jobs/", "", true, "GetJob"},
    {OperatorRoute::kAddDrive, "POST", "/v1/drives", "", false, "AddDrive"},
    {OperatorRoute::kReplaceDrive, "POST", "/v1/drives/", "/replace", true, "ReplaceDrive"},
    {OperatorRoute::kReclaimDrive, "POST", "/v1/drives/", "/reclaim", true, "ReclaimDrive"},
    {OperatorRoute::kHeal, "POST", "/v1/heal", "", false, "Heal"},
    {OperatorRoute::kScrub, "POST", "/v1/scrub", "", false, "Scrub"},
    {OperatorRoute::kDrain, "POST", "/v1/drain", "", false, "Drain"},
    {OperatorRoute::kAbortDrain, "DELETE", "/v1/drain", "", false, "AbortDrain"},
    {OperatorRoute::kReadJournal, "GET", "/v1/journal", "", false, "ReadJournal"},
    {OperatorRoute::kListAccounts, "GET", "/v1/accounts", "", false, "ListAccounts"},
    {OperatorRoute::kCreateAccount, "POST", "/v1/accounts", "", false, "CreateAccount"},
    {OperatorRoute::kCloseAccount, "DELETE", "/v1/accounts/", "", true, "CloseAccount"},
    {OperatorRoute::kListKeys, "GET", "/v1/accounts/", "/keys", true, "ListAccessKeys"},
    {OperatorRoute::kCreateKey, "POST", "/v1/accounts/", "/keys", true, "CreateAccessKey"},
    {OperatorRoute::kDisableKey, "POST", "/v1/keys/", "/disable", true, "DisableAccessKey"},
    {OperatorRoute::kEnableKey, "POST", "/v1/keys/", "/enable", true, "EnableAccessKey"},
    {OperatorRoute::kDeleteKey, "DELETE", "/v1/keys/", "", true, "DeleteAccessKey"},
    {OperatorRoute::kListOperators, "GET", "/v1/operators", "", false, "ListOperators"},
    {OperatorRoute::kCreateOperator, "POST", "/v1/operators", "", false, "CreateOperator"},
    {OperatorRoute::kRevokeOperator, "DELETE", "/v1/operators/", "", true, "RevokeOperator"},
    {OperatorRoute::kGetConsortium, "GET", "/v1/consortium", "", false, "GetConsortium"},
    {OperatorRoute::kCheckConsortium, "POST", "/v1/consortium/check", "", false, "CheckConsortium"},
    {OperatorRoute::kApplyConsortium, "PUT", "/v1/consortium", "", false, "ApplyConsortium"},
    {OperatorRoute::kVerifyJournal, "GET", "/v1/journal/verify", "", false, "VerifyJournal"},
}};

bool open_to_head(OperatorRoute route) {
  return route == OperatorRoute::kLive || route == OperatorRoute::kReady || route == OperatorRoute::kMetrics;
}

}  // namespace

RoutedPath route_operator_path(std::string_view method, std::string_view path) {
  for (const Row& row : kRows) {
    if (method != row.method && !(method == "HEAD" && open_to_head(row.route))) continue;
    if (!row.named) {
      if (path == row.path) return {row.route, {}};
      continue;
    }
    if (path.size() <= row.path.size() + row.suffix.size()) continue;
    if (path.starts_with(row.path) && path.ends_with(row.suffix)) {
      path.remove_prefix(row.path.size());
      path.remove_suffix(row.suffix.size());
      return {row.route, std::string(path)};
    }
  }
  return {};
}

std::string_view operator_route_name(OperatorRoute route) {
  for (const Row& row : kRows) {
    if (row.route == route) return row.title;
  }
  return "Unknown";
}

}  // namespace andromede::api
