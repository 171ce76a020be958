// The consortium: associates, their capital, their sites and drives. Read from one TOML file (examples/).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "sovereignty/placement.h"

namespace andromede::sovereignty {

// A drive's capacity_bytes that is not 0 (all of the file system) holds its copy of the metadata with the log at least:
// 512 MiB. kInvalidArgument says what is wrong and what would be right.
Status check_capacity(std::uint64_t capacity_bytes);

struct DriveSpec {
  DriveName name;
  std::string path;                  // absolute, or relative to the cloud's folder
  std::uint64_t capacity_bytes = 0;  // see check_capacity()
};

struct Site {
  SiteId id;
  AssociateId associate;
  std::string country;  // ISO 3166-1 alpha-2
  std::string city;
  std::vector<DriveSpec> drives;
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

// Parses and checks a consortium file; `file` is its name for messages. Unknown keys, bad values, duplicates and
// dangling references are errors that name file, line and remedy.
Result<Consortium> parse_consortium(std::string_view text, std::string_view file);

}  // namespace andromede::sovereignty
