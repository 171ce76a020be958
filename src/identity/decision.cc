#include "identity/decision.h"

namespace andromede::identity {
namespace {

// Actions on what is the cloud's own.
constexpr std::string_view kOperatorActions = "andromede:";

Decision decide_for_account(const Principal& principal, std::string_view action, const Resource& resource,
                            const Conditions& conditions) {
  if (conditions.listener != Listener::kTenants) return {false, "an account is nobody on the operators' listener"};
  if (action.starts_with(kOperatorActions)) return {false, "the action is the operators'"};
  if (resource.owner == nullptr) return {false, "it is the cloud's own"};
  if (*resource.owner != principal.account.id) return {false, "it belongs to another account"};
  return {true, "it is the account's own"};
}

Decision decide_for_operator(std::string_view action, const Resource& resource, const Conditions& conditions) {
  if (conditions.listener != Listener::kOperators) return {false, "an operator is nobody on the tenants' listener"};
  if (!action.starts_with(kOperatorActions)) return {false, "the action is the tenants'"};
  if (resource.owner != nullptr) return {false, "it belongs to an account"};
  return {true, "operators run the cloud"};
}

}  // namespace

Decision decide(const Principal& principal, std::string_view action, const Resource& resource,
                const Conditions& conditions) {
  switch (principal.kind) {
    case PrincipalKind::kAccountRoot:
      return decide_for_account(principal, action, resource, conditions);
    case PrincipalKind::kOperator:
      return decide_for_operator(action, resource, conditions);
    case PrincipalKind::kAnonymous:
      break;
  }
  return {false, "nobody said who asks"};
}

}  // namespace andromede::identity
