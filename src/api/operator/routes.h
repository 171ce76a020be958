// The routes of the operator's listener (docs/formats/operator-api.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace andromede::api {

enum class OperatorRoute : std::uint8_t {
  kUnknown,
  kLive,
  kReady,
  kMetrics,
  kStatus,
  kListJobs,
  kGetJob,
  kAddDrive,
  kReplaceDrive,
  kReclaimDrive,
  kHeal,
  kScrub,
  kDrain,
  kAbortDrain,
  kReadJournal,
  kListAccounts,
  kCreateAccount,
  kCloseAccount,
  kListKeys,
  kCreateKey,
  kDisableKey,
  kEnableKey,
  kDeleteKey,
  kListOperators,
  kCreateOperator,
  kRevokeOperator,
  kGetConsortium,
  kCheckConsortium,
  kApplyConsortium,
  kVerifyJournal,
};
inline constexpr std::size_t kOperatorRoutes = static_cast<std::size_t>(OperatorRoute::kVerifyJournal) + 1;

struct RoutedPath {
  OperatorRoute route = OperatorRoute::kUnknown;
  std::string name;  // what the path names: a job's number, a drive, an account
};
// `path`: without the query.
RoutedPath route_operator_path(std::string_view method, std::string_view path);

// "AddDrive"
std::string_view operator_route_name(OperatorRoute route);

}  // namespace andromede::api
