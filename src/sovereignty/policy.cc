#include "sovereignty/policy.h"

#include <algorithm>

namespace andromede::sovereignty {
namespace {

unsigned most(const std::vector<Policy>& all, unsigned (Rule::*demand)() const) {
  unsigned found = 1;
  for (const Policy& policy : all) found = std::max(found, (policy.rule.*demand)());
  return found;
}

}  // namespace

const Policy* Policies::find(const PolicyId& id) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const Policy& policy) { return policy.id == id; });
  return found == all_.end() ? nullptr : &*found;
}

Result<const Policy*> Policies::recorded(const PolicyId& id) const {
  const Policy* const policy = find(id);
  if (policy == nullptr) return fail(Errc::kUnavailable, named(id) + " is none of the consortium's");
  return policy;
}

std::string Policies::names() const {
  std::string names;
  for (const Policy& policy : all_) names += (names.empty() ? "" : ", ") + policy.id.value();
  return names;
}

unsigned Policies::mirrors() const { return most(all_, &Rule::mirrors); }
unsigned Policies::least_mirrors() const { return most(all_, &Rule::least_mirrors); }
unsigned Policies::least_sites() const { return most(all_, &Rule::least_sites); }

}  // namespace andromede::sovereignty
