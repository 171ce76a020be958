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

struct Consortium {
  std::string name;
  std::vector<Associate> associates;
  std::vector<Site> sites;
  std::vector<TenantSpec> tenants;
  Rule rule;
};

// Parses and checks a consortium file; `file` is its name for messages. Unknown keys, bad values, duplicates and
// dangling references are errors that name file, line and remedy.
Result<Consortium> parse_consortium(std::string_view text, std::string_view file);

}  // namespace andromede::sovereignty
