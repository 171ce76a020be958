#include "sovereignty/consortium.h"

#include <algorithm>

namespace andromede::sovereignty {

Policies policies_of(const Consortium& consortium) {
  const auto in = [](const auto& list, const auto& value) {
    return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
  };
  std::vector<Policy> policies;
  for (const PolicySpec& spec : consortium.policies) {
    Policy policy{spec.id, spec.rule, spec.inline_limit_bytes, std::nullopt};
    if (!spec.associates.empty() || !spec.sites.empty() || !spec.countries.empty()) {
      policy.sites.emplace();
      for (const Site& site : consortium.sites) {
        const bool allows =
            in(spec.associates, site.associate) && in(spec.sites, site.id) && in(spec.countries, site.country);
        if (allows) policy.sites->insert(site.id);
      }
    }
    policies.push_back(std::move(policy));
  }
  return {std::move(policies), consortium.default_policy};
}

}  // namespace andromede::sovereignty
