// The consortium: associates, their capital, their sites and drives, and its policies. Where drives are mounted is no
// part of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "sovereignty/policy.h"

namespace andromede::sovereignty {

struct Site {
  SiteId id;
  AssociateId associate;
  std::string country;  // ISO 3166-1 alpha-2
  std::string city;
  std::vector<DriveName> drives;
};

struct Associate {
  AssociateId id;
  std::string display_name;
  std::string seat;                // country of its registered office, ISO 3166-1 alpha-2
  std::uint64_t capital_meur = 0;  // millions of euros
};

struct TenantSpec {
  AccountId id;
  std::string display_name;
};

// A policy as the consortium names it. Whatever is not allowed by all three lists that are not empty is excluded.
struct PolicySpec {
  PolicyId id;
  Rule rule;
  std::uint64_t inline_limit_bytes = 0;
  std::vector<AssociateId> associates;
  std::vector<SiteId> sites;
  std::vector<std::string> countries;
  friend bool operator==(const PolicySpec&, const PolicySpec&) = default;
};

struct Consortium {
  std::string name;
  std::vector<Associate> associates;
  std::vector<Site> sites;
  std::vector<TenantSpec> tenants;
  std::vector<PolicySpec> policies;
  PolicyId default_policy;  // one of them: of buckets that name none
};

// The policies, over the sites that the consortium has.
Policies policies_of(const Consortium& consortium);

}  // namespace andromede::sovereignty
