#include "control/consortium_file.h"

#include <algorithm>
#include <set>

#include "codec/toml.h"
#include "sovereignty/placement.h"

namespace andromede::control {
namespace {

constexpr std::size_t kMaxNameBytes = 32;
constexpr std::size_t kMaxDisplayNameBytes = 200;
constexpr std::size_t kMaxAssociates = 64;
constexpr std::size_t kMaxSites = 64;
constexpr std::size_t kMaxDrives = 512;
constexpr std::size_t kMaxTenants = 1024;
constexpr std::size_t kMaxPolicies = 64;
constexpr std::int64_t kInlineBytes = 32 * 1024;
constexpr std::int64_t kMaxInlineBytes = 256 * 1024;
constexpr unsigned kMaxShards = 32;  // blob::kMaxShards
constexpr std::int64_t kMaxCapitalMeur = 1'000'000'000;
constexpr std::int64_t kMaxCapacityBytes = std::int64_t{1} << 60;

using codec::TomlTable;
using sovereignty::Associate;
using sovereignty::Candidate;
using sovereignty::Consortium;
using sovereignty::counted;
using sovereignty::named;
using sovereignty::Policies;
using sovereignty::Policy;
using sovereignty::PolicySpec;
using sovereignty::Rule;
using sovereignty::Site;
using sovereignty::TenantSpec;

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

constexpr const char* kNoCountry = "is not a country: use the two capital letters of ISO 3166-1, such as \"FR\"";

bool is_country(std::string_view text) {
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  return text.size() == 2 && std::all_of(text.begin(), text.end(), upper);
}

Result<std::string> read_country(const TomlTable& table, std::string_view key) {
  TRY(std::string country, table.text(key));
  if (!is_country(country)) return fail(table.error(key, kNoCountry));
  return country;
}

Result<std::vector<TomlTable>> read_tables(const TomlTable& table, std::string_view key, std::size_t max) {
  TRY(std::vector<TomlTable> tables, table.tables(key));
  if (tables.empty()) return fail(table.error(key, "is missing: at least one is required"));
  if (tables.size() > max) return fail(table.error(key, "has more than " + std::to_string(max) + " entries"));
  return tables;
}

Result<Rule> read_rule(const TomlTable& table) {
  // All are asked for before any is judged: see read_policy().
  const auto asked_data = table.integer("data_shards", 1, kMaxShards);
  const auto asked_parity = table.integer("parity_shards", 0, kMaxShards - 1);
  const auto asked_sites = table.integer("site_losses", 0, kMaxShards);
  const auto asked_drives = table.integer("drive_losses", 0, kMaxShards);
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

// `is_one` says whether a text can be in the list, `else_said` what is wrong with one that cannot.
template <typename Id, typename IsOne>
Result<std::vector<Id>> read_list(const TomlTable& table, std::string_view key, const char* else_said,
                                  const IsOne& is_one) {
  TRY(const std::vector<std::string> texts, table.texts(key));
  std::set<std::string> seen;
  std::vector<Id> ids;
  for (const std::string& text : texts) {
    if (!is_one(text)) return fail(table.error(key, "\"" + text + "\" " + else_said));
    if (!seen.insert(text).second) return fail(table.error(key, "names \"" + text + "\" twice: once is enough"));
    ids.emplace_back(text);
  }
  return ids;
}

Result<PolicySpec> read_policy(const TomlTable& table, const Consortium& consortium) {
  const auto any_of = [](const auto& list, const auto& matches) {
    return std::any_of(list.begin(), list.end(), matches);
  };
  const auto is_associate = [&](const std::string& id) {
    return any_of(consortium.associates, [&](const Associate& one) { return one.id.value() == id; });
  };
  const auto is_site = [&](const std::string& id) {
    return any_of(consortium.sites, [&](const Site& one) { return one.id.value() == id; });
  };
  auto name = read_name(table, "name");
  const auto inline_limit = table.integer("inline_limit_bytes", 0, kMaxInlineBytes, kInlineBytes);
  auto associates = read_list<AssociateId>(
      table, "associates", "is not the id of any [[associate]]: add it, or correct the name", is_associate);
  auto sites = read_list<SiteId>(table, "sites", "is not the id of any [[site]]: add it, or correct the name", is_site);
  auto countries = read_list<std::string>(table, "countries", kNoCountry, is_country);
  const auto rule = read_rule(table);
  // A slip in a key is told rather than that the right one is missing.
  CHECK_OK(table.finish());
  PolicySpec policy;
  TRY(std::string id, std::move(name));
  policy.id = PolicyId(std::move(id));
  TRY(policy.rule, rule);
  TRY(const std::int64_t limit, inline_limit);
  policy.inline_limit_bytes = static_cast<std::uint64_t>(limit);
  TRY(policy.associates, std::move(associates));
  TRY(policy.sites, std::move(sites));
  TRY(policy.countries, std::move(countries));
  return policy;
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

// What all drives of the file are told apart by.
struct Taken {
  std::set<std::string> names;
  std::set<std::string> paths;
};

Status read_drives(const TomlTable& table, Site& site, std::vector<DriveSpec>& drives, Taken& taken) {
  TRY(const auto tables, read_tables(table, "drive", kMaxDrives));
  for (const TomlTable& drive_table : tables) {
    DriveSpec drive;
    drive.site = site.id;
    TRY(std::string name, read_name(drive_table, "name"));
    if (!taken.names.insert(name).second) {
      return fail(drive_table.error("name", "is another drive's already: a drive's name is unique in the cloud"));
    }
    drive.name = DriveName(std::move(name));
    TRY(drive.path, drive_table.text("path"));
    if (drive.path.empty()) return fail(drive_table.error("path", "is empty: give the drive's folder"));
    if (!taken.paths.insert(drive.path).second) {
      return fail(drive_table.error("path", "is another drive's already: every drive has a folder of its own"));
    }
    TRY(const std::int64_t capacity, drive_table.integer("capacity_bytes", 0, kMaxCapacityBytes, 0));
    drive.capacity_bytes = static_cast<std::uint64_t>(capacity);
    if (const Status enough = check_capacity(drive.capacity_bytes); !enough) {
      return fail(drive_table.error("capacity_bytes", enough.error().message()));
    }
    site.drives.push_back(drive.name);
    drives.push_back(std::move(drive));
    if (taken.names.size() > kMaxDrives) return fail(table.error("drive", "goes beyond 512 drives in all"));
  }
  return {};
}

Status read_sites(const TomlTable& root, ConsortiumFile& into) {
  Consortium& consortium = into.consortium;
  TRY(const auto tables, read_tables(root, "site", kMaxSites));
  std::set<std::string> ids;
  Taken taken;
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
    CHECK_OK(read_drives(table, site, into.drives, taken));
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

// It must be one that the sites and drives that it allows can hold, or the first write would already break the promise.
Status check_policy(const TomlTable& table, const Policy& policy, const Consortium& consortium) {
  std::vector<Candidate> candidates;
  std::string outside;
  std::size_t inside = 0;
  for (const Site& site : consortium.sites) {
    for (std::size_t i = 0; i < site.drives.size(); ++i) candidates.push_back({{}, site.id, site.associate, 1, 1});
    if (policy.allows(site.id)) {
      ++inside;
    } else {
      outside += (outside.empty() ? "" : ", ") + site.id.value();
    }
  }
  const std::string widen = outside.empty() ? "" : ", or allow more sites (excluded are " + outside + ")";
  const auto tolerance = sovereignty::best_tolerance(policy, candidates);
  if (!tolerance) {
    return fail(table.error("data_shards", "and parity_shards cannot be placed: " + tolerance.error().message() +
                                               "; add drives or lower them" + widen));
  }
  if (tolerance->site_losses < policy.rule.site_losses) {
    return fail(table.error("site_losses", "cannot be kept: on " + counted(inside, "site") +
                                               " these shards survive the loss of " +
                                               std::to_string(tolerance->site_losses) +
                                               "; lower it, raise parity_shards, or add a site" + widen));
  }
  if (policy.inline_limit_bytes > 0 && !outside.empty()) {
    return fail(table.error("inline_limit_bytes",
                            "would put objects of " + named(policy.id) + " on metadata mirrors outside of it (at " +
                                outside + "), for the mirrors are all policies': set inline_limit_bytes = 0"));
  }
  return {};
}

Status read_policies(const TomlTable& root, Consortium& consortium) {
  TRY(const auto tables, read_tables(root, "policy", kMaxPolicies));
  for (const TomlTable& table : tables) {
    const auto asked_default = table.flag("default", false);
    TRY(PolicySpec policy, read_policy(table, consortium));
    TRY(const bool is_default, asked_default);
    const auto same = [&](const PolicySpec& other) { return other.id == policy.id; };
    if (std::any_of(consortium.policies.begin(), consortium.policies.end(), same)) {
      return fail(table.error("name", "is another policy's already: choose a new one"));
    }
    if (is_default && !consortium.default_policy.empty()) {
      return fail(table.error(
          "default", "is what " + named(consortium.default_policy) + " is already: say default = true of one policy"));
    }
    if (is_default) consortium.default_policy = policy.id;
    consortium.policies.push_back(std::move(policy));
  }
  if (consortium.default_policy.empty()) {
    return fail(tables.front().error(
        "default", "is true of no [[policy]]: say default = true of the one that buckets have which name none"));
  }
  const Policies compiled = sovereignty::policies_of(consortium);
  for (std::size_t i = 0; i < tables.size(); ++i) CHECK_OK(check_policy(tables[i], compiled.all()[i], consortium));
  return {};
}

}  // namespace

Status check_capacity(std::uint64_t capacity_bytes) {
  constexpr std::uint64_t kMinCapacityBytes = 512ULL << 20;
  if (capacity_bytes == 0 || capacity_bytes >= kMinCapacityBytes) return {};
  return fail(Errc::kInvalidArgument, "is too small: give 536870912 (512 MiB) at least, or 0 for all");
}

Result<ConsortiumFile> parse_consortium(std::string_view text, std::string_view file) {
  TRY(const TomlTable root, TomlTable::parse(text, std::string(file)));
  ConsortiumFile parsed;
  Consortium& consortium = parsed.consortium;
  TRY(consortium.name, read_display_name(root, "name"));
  CHECK_OK(read_associates(root, consortium));
  CHECK_OK(read_sites(root, parsed));
  CHECK_OK(read_policies(root, consortium));
  CHECK_OK(read_tenants(root, consortium));
  CHECK_OK(root.finish());
  return parsed;
}

}  // namespace andromede::control
