#include "sovereignty/consortium.h"

#include <algorithm>
#include <set>

#include "codec/toml.h"

namespace andromede::sovereignty {
namespace {

constexpr std::size_t kMaxNameBytes = 32;
constexpr std::size_t kMaxDisplayNameBytes = 200;
constexpr std::size_t kMaxAssociates = 64;
constexpr std::size_t kMaxSites = 64;
constexpr std::size_t kMaxDrives = 512;
constexpr std::size_t kMaxTenants = 1024;
constexpr unsigned kMaxShards = 32;  // blob::kMaxShards
constexpr std::int64_t kMaxCapitalMeur = 1'000'000'000;
constexpr std::int64_t kMaxCapacityBytes = std::int64_t{1} << 60;

using codec::TomlTable;

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes) return false;
  if (text.front() == '-' || text.back() == '-') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

Result<std::string> read_name(const TomlTable& table, std::string_view key) {
  TRY(std::string name, table.text(key));
  if (!is_name(name)) {
    return fail(table.error(key, "is not a name: use 1 to 32 lower-case letters, digits and '-' (not at the ends)"));
  }
  return name;
}

Result<std::string> read_display_name(const TomlTable& table, std::string_view key) {
  TRY(std::string name, table.text(key));
  if (name.empty() || name.size() > kMaxDisplayNameBytes) {
    return fail(table.error(key, "must have 1 to 200 bytes"));
  }
  return name;
}

Result<std::string> read_country(const TomlTable& table, std::string_view key) {
  TRY(std::string country, table.text(key));
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (country.size() != 2 || !std::all_of(country.begin(), country.end(), upper)) {
    return fail(table.error(key, "is not a country: use the two capital letters of ISO 3166-1, such as \"FR\""));
  }
  return country;
}

Result<std::vector<TomlTable>> read_tables(const TomlTable& table, std::string_view key, std::size_t max) {
  TRY(std::vector<TomlTable> tables, table.tables(key));
  if (tables.empty()) return fail(table.error(key, "is missing: at least one is required"));
  if (tables.size() > max) return fail(table.error(key, "has more than " + std::to_string(max) + " entries"));
  return tables;
}

Result<Rule> read_rule(const TomlTable& root) {
  TRY(const TomlTable table, root.table("policy"));
  const auto asked_data = table.integer("data_shards", 1, kMaxShards);
  const auto asked_parity = table.integer("parity_shards", 0, kMaxShards - 1);
  const auto asked_sites = table.integer("site_losses", 0, kMaxShards);
  const auto asked_drives = table.integer("drive_losses", 0, kMaxShards);
  // A slip in a key is told rather than that the right one is missing.
  CHECK_OK(table.finish());
  TRY(const std::int64_t data, asked_data);
  TRY(const std::int64_t parity, asked_parity);
  if (data + parity > kMaxShards) {
    return fail(table.error("parity_shards", "is too many: data_shards + parity_shards is at most 32"));
  }
  TRY(const std::int64_t sites, asked_sites);
  TRY(const std::int64_t drives, asked_drives);
  if (drives > parity) {
    return fail(table.error("drive_losses", "cannot be more than parity_shards (" + std::to_string(parity) +
                                                "): lower it, or raise parity_shards"));
  }
  return Rule{static_cast<std::uint8_t>(data), static_cast<std::uint8_t>(parity), static_cast<std::uint8_t>(sites),
              static_cast<std::uint8_t>(drives)};
}

Status read_associates(const TomlTable& root, Consortium& consortium) {
  TRY(const auto tables, read_tables(root, "associate", kMaxAssociates));
  std::set<std::string> ids;
  for (const TomlTable& table : tables) {
    Associate associate;
    TRY(std::string id, read_name(table, "id"));
    if (!ids.insert(id).second) return fail(table.error("id", "is another associate's already: choose a new one"));
    associate.id = AssociateId(std::move(id));
    TRY(associate.display_name, read_display_name(table, "name"));
    TRY(associate.seat, read_country(table, "seat"));
    TRY(const std::int64_t capital, table.integer("capital_meur", 0, kMaxCapitalMeur, 0));
    associate.capital_meur = static_cast<std::uint64_t>(capital);
    consortium.associates.push_back(std::move(associate));
  }
  return {};
}

Status read_drives(const TomlTable& table, Site& site, std::set<std::string>& names, std::set<std::string>& paths) {
  TRY(const auto tables, read_tables(table, "drive", kMaxDrives));
  for (const TomlTable& drive_table : tables) {
    DriveSpec drive;
    TRY(std::string name, read_name(drive_table, "name"));
    if (!names.insert(name).second) {
      return fail(drive_table.error("name", "is another drive's already: a drive's name is unique in the cloud"));
    }
    drive.name = DriveName(std::move(name));
    TRY(drive.path, drive_table.text("path"));
    if (drive.path.empty()) return fail(drive_table.error("path", "is empty: give the drive's folder"));
    if (!paths.insert(drive.path).second) {
      return fail(drive_table.error("path", "is another drive's already: every drive has a folder of its own"));
    }
    TRY(const std::int64_t capacity, drive_table.integer("capacity_bytes", 0, kMaxCapacityBytes, 0));
    drive.capacity_bytes = static_cast<std::uint64_t>(capacity);
    if (const Status enough = check_capacity(drive.capacity_bytes); !enough) {
      return fail(drive_table.error("capacity_bytes", enough.error().message()));
    }
    site.drives.push_back(std::move(drive));
    if (names.size() > kMaxDrives) return fail(table.error("drive", "goes beyond 512 drives in all"));
  }
  return {};
}

Status read_sites(const TomlTable& root, Consortium& consortium) {
  TRY(const auto tables, read_tables(root, "site", kMaxSites));
  std::set<std::string> ids;
  std::set<std::string> names;
  std::set<std::string> paths;
  for (const TomlTable& table : tables) {
    Site site;
    TRY(std::string id, read_name(table, "id"));
    if (!ids.insert(id).second) return fail(table.error("id", "is another site's already: choose a new one"));
    site.id = SiteId(std::move(id));
    TRY(std::string associate, read_name(table, "associate"));
    site.associate = AssociateId(std::move(associate));
    const bool known = std::any_of(consortium.associates.begin(), consortium.associates.end(),
                                   [&](const Associate& other) { return other.id == site.associate; });
    if (!known) {
      return fail(table.error("associate", "\"" + site.associate.value() +
                                               "\" is not the id of any [[associate]]: add it, or correct the name"));
    }
    TRY(site.country, read_country(table, "country"));
    TRY(site.city, read_display_name(table, "city"));
    CHECK_OK(read_drives(table, site, names, paths));
    consortium.sites.push_back(std::move(site));
  }
  return {};
}

Status read_tenants(const TomlTable& root, Consortium& consortium) {
  TRY(const auto tables, read_tables(root, "tenant", kMaxTenants));
  std::set<std::string> ids;
  for (const TomlTable& table : tables) {
    TenantSpec tenant;
    TRY(std::string id, table.text("id"));
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (id.size() != 12 || !std::all_of(id.begin(), id.end(), digit)) {
      return fail(table.error("id", "is not an account id: use twelve digits in quotes, such as \"100000000001\""));
    }
    if (!ids.insert(id).second) return fail(table.error("id", "is another tenant's already: choose a new one"));
    tenant.id = AccountId(std::move(id));
    TRY(tenant.display_name, read_display_name(table, "name"));
    consortium.tenants.push_back(std::move(tenant));
  }
  return {};
}

// The rule must be one that these sites and drives can hold, or the first write would already break the promise.
Status check_rule(const TomlTable& root, const Consortium& consortium) {
  TRY(const TomlTable table, root.table("policy"));
  std::vector<Candidate> candidates;
  for (const Site& site : consortium.sites) {
    for (std::size_t i = 0; i < site.drives.size(); ++i) candidates.push_back({{}, site.id, site.associate, 1, 1});
  }
  const auto tolerance = best_tolerance(consortium.rule, candidates);
  if (!tolerance) {
    return fail(table.error("data_shards", "and parity_shards cannot be placed: " + tolerance.error().message() +
                                               "; add drives or lower them"));
  }
  if (tolerance->site_losses < consortium.rule.site_losses) {
    return fail(table.error("site_losses", "cannot be kept: on " + std::to_string(consortium.sites.size()) +
                                               " sites these shards survive the loss of " +
                                               std::to_string(tolerance->site_losses) +
                                               "; lower it, raise parity_shards, or add a site"));
  }
  return {};
}

}  // namespace

Status check_capacity(std::uint64_t capacity_bytes) {
  constexpr std::uint64_t kMinCapacityBytes = 512ULL << 20;
  if (capacity_bytes == 0 || capacity_bytes >= kMinCapacityBytes) return {};
  return fail(Errc::kInvalidArgument, "is too small: give 536870912 (512 MiB) at least, or 0 for all");
}

Result<Consortium> parse_consortium(std::string_view text, std::string_view file) {
  TRY(const TomlTable root, TomlTable::parse(text, std::string(file)));
  Consortium consortium;
  TRY(consortium.name, read_display_name(root, "name"));
  TRY(consortium.rule, read_rule(root));
  CHECK_OK(read_associates(root, consortium));
  CHECK_OK(read_sites(root, consortium));
  CHECK_OK(read_tenants(root, consortium));
  CHECK_OK(root.finish());
  CHECK_OK(check_rule(root, consortium));
  return consortium;
}

}  // namespace andromede::sovereignty
