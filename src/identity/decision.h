// Whether somebody may do something: the one place that decides. Pure: what there is to know of principal, resource and
// circumstances is given to it, and it looks nothing up.
//
// Whatever no rule allows is denied ("Policy evaluation logic", AWS IAM user guide). The rules there are: what belongs
// to an account is that account's, on the tenants' listener; what is the cloud's is the operators', on theirs.
#pragma once

#include <string_view>

#include "base/ids.h"
#include "identity/context.h"

namespace andromede::identity {

// Views into what outlives the decision.
struct Resource {
  std::string_view kind;             // "bucket", "drive"
  std::string_view name;             // empty: all of that kind
  const AccountId* owner = nullptr;  // null: the cloud's own
};

struct Conditions {
  Listener listener = Listener::kTenants;
};

struct Decision {
  bool allowed = false;
  const char* reason = "";  // in words, for logs: what allowed it, or why nothing did
};

// `action`: "s3:GetObject".
Decision decide(const Principal& principal, std::string_view action, const Resource& resource,
                const Conditions& conditions);

}  // namespace andromede::identity
