#include "sovereignty/consortium_record.h"

#include <algorithm>
#include <functional>

#include "sovereignty/placement.h"

namespace andromede::sovereignty {
namespace {

constexpr std::string_view kCanonicalMagic = "ACC2";

// By id, so that the order of a file's tables says nothing.
template <typename T, typename Id>
std::vector<const T*> sorted(const std::vector<T>& all, Id id) {
  std::vector<const T*> list;
  for (const T& one : all) list.push_back(&one);
  std::sort(list.begin(), list.end(),
            [id](const T* a, const T* b) { return std::invoke(id, *a) < std::invoke(id, *b); });
  return list;
}

template <typename T, typename Id, typename Value>
const T* find(const std::vector<T>& all, Id id, const Value& value) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const T& one) { return std::invoke(id, one) == value; });
  return found == all.end() ? nullptr : &*found;
}

class Differences {
 public:
  void text(const std::string& what, const std::string& from, const std::string& to) {
    if (from != to) lines_.push_back(what + ": \"" + from + "\" becomes \"" + to + "\"");
  }
  void number(const std::string& what, std::uint64_t from, std::uint64_t to) {
    if (from != to) lines_.push_back(what + ": " + std::to_string(from) + " becomes " + std::to_string(to));
  }
  // Those that come and those that go; `same` compares the others.
  template <typename T, typename Id, typename Same>
  void lists(const std::string& kind, const std::vector<T>& from, const std::vector<T>& to, Id id, Same same) {
    for (const T* one : sorted(from, id)) {
      const T* other = find(to, id, std::invoke(id, *one));
      if (other == nullptr) {
        lines_.push_back(kind + " " + std::invoke(id, *one).value() + " goes");
      } else {
        same(kind + " " + std::invoke(id, *one).value(), *one, *other);
      }
    }
    for (const T* one : sorted(to, id)) {
      if (find(from, id, std::invoke(id, *one)) == nullptr)
        lines_.push_back(kind + " " + std::invoke(id, *one).value() + " comes");
    }
  }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
};

std::string text_of(const std::string& text) { return text; }
template <typename Tag>
std::string text_of(const NameId<Tag>& id) {
  return id.value();
}

// What a policy allows, in an order of its own. None: all.
template <typename Id>
std::vector<std::string> in_order(const std::vector<Id>& ids) {
  std::vector<std::string> texts;
  for (const Id& id : ids) texts.push_back(text_of(id));
  std::sort(texts.begin(), texts.end());
  return texts;
}

template <typename Id>
std::string list_of(const std::vector<Id>& ids) {
  std::string list;
  for (const std::string& text : in_order(ids)) list += (list.empty() ? "" : ", ") + text;
  return list;
}

void compare_policies(Differences& found, const std::string& what, const PolicySpec& from, const PolicySpec& to) {
  found.number(what + ".data_shards", from.rule.data_shards, to.rule.data_shards);
  found.number(what + ".parity_shards", from.rule.parity_shards, to.rule.parity_shards);
  found.number(what + ".site_losses", from.rule.site_losses, to.rule.site_losses);
  found.number(what + ".drive_losses", from.rule.drive_losses, to.rule.drive_losses);
  found.number(what + ".inline_limit_bytes", from.inline_limit_bytes, to.inline_limit_bytes);
  found.text(what + ".associates", list_of(from.associates), list_of(to.associates));
  found.text(what + ".sites", list_of(from.sites), list_of(to.sites));
  found.text(what + ".countries", list_of(from.countries), list_of(to.countries));
}

// What the file lists may not have joined yet, or may have left.
Status check_new(const Policy& policy, const std::vector<DriveInUse>& in_use) {
  std::vector<Candidate> candidates;
  for (const DriveInUse& drive : in_use) {
    if (!drive.leaving) candidates.push_back({{}, drive.site, drive.associate, 1, 1});
  }
  const auto tolerance = best_tolerance(policy, candidates);
  const std::string remedy = ": let further drives join that it allows (`andromede drive add`), then apply it";
  if (!tolerance) return fail(Errc::kRefused, tolerance.error().message() + remedy);
  if (tolerance->site_losses >= policy.rule.site_losses) return {};
  return fail(Errc::kRefused, named(policy.id) + " would survive the loss of " +
                                  counted(tolerance->site_losses, "site") + " on the drives that are in use; " +
                                  std::to_string(policy.rule.site_losses) + " are demanded" + remedy);
}

// Whoever stored something by a policy may count on it for as long as it is stored, and which policies nothing is
// stored by is not known.
Status check_policies(const Consortium& from, const Consortium& to, const std::vector<DriveInUse>& in_use) {
  for (const PolicySpec& policy : from.policies) {
    const PolicySpec* now = find(to.policies, &PolicySpec::id, policy.id);
    if (now == nullptr) {
      return fail(Errc::kRefused,
                  named(policy.id) + " cannot go: what is stored by it would lie by no policy; leave it");
    }
    Differences changed;
    compare_policies(changed, named(policy.id), policy, *now);
    if (const auto lines = changed.take(); !lines.empty()) {
      return fail(Errc::kRefused, named(policy.id) + " cannot change (" + lines.front() +
                                      "): what is stored was placed by it; add a policy of another name instead");
    }
  }
  const Policies was = policies_of(from);
  const Policies is = policies_of(to);
  for (const Policy& policy : is.all()) {
    if (was.find(policy.id) == nullptr) CHECK_OK(check_new(policy, in_use));
  }
  if (is.least_mirrors() > was.least_mirrors() || is.least_sites() > was.least_sites()) {
    return fail(Errc::kRefused,
                "a policy that survives the loss of a drive or site cannot come to a cloud without any: its metadata "
                "are acknowledged on too few of them; make another cloud");
  }
  return {};
}

bool same_tenants(const Consortium& from, const Consortium& to) {
  return from.tenants.size() == to.tenants.size() &&
         std::all_of(from.tenants.begin(), from.tenants.end(), [&to](const TenantSpec& tenant) {
           const TenantSpec* other = find(to.tenants, &TenantSpec::id, tenant.id);
           return other != nullptr && other->display_name == tenant.display_name;
         });
}

Status check_drive(const Consortium& from, const Consortium& to, const DriveInUse& drive) {
  const Site* was = find(from.sites, &Site::id, drive.site);
  const Site* is = find(to.sites, &Site::id, drive.site);
  const std::string site = "site " + drive.site.value();
  const std::string why = ": its drive " + drive.name.value() + " is in use; withdraw it first (`andromede drain " +
                          drive.site.value() + "`)";
  if (was != nullptr && is == nullptr) return fail(Errc::kRefused, site + " cannot go" + why);
  if (is != nullptr && is->associate != drive.associate) {
    return fail(Errc::kRefused, site + " cannot become another associate's" + why);
  }
  if (was != nullptr && was->country != is->country) {
    return fail(Errc::kRefused, site + " cannot move to another country" + why);
  }
  const bool listed = was != nullptr && find(was->drives, std::identity{}, drive.name) != nullptr;
  if (listed && find(is->drives, std::identity{}, drive.name) == nullptr) {
    return fail(Errc::kRefused, "drive " + drive.name.value() +
                                    " cannot go: it is in use; withdraw it first "
                                    "(`andromede drain --drive " +
                                    drive.name.value() + "`)");
  }
  return {};
}

}  // namespace

Bytes canonical(const Consortium& consortium) {
  Bytes bytes = to_bytes(kCanonicalMagic);
  ByteWriter writer(bytes);
  writer.text(consortium.name);
  writer.text(consortium.default_policy.value());
  writer.varint(consortium.policies.size());
  for (const PolicySpec* policy : sorted(consortium.policies, &PolicySpec::id)) {
    writer.text(policy->id.value());
    writer.u8(policy->rule.data_shards);
    writer.u8(policy->rule.parity_shards);
    writer.u8(policy->rule.site_losses);
    writer.u8(policy->rule.drive_losses);
    writer.varint(policy->inline_limit_bytes);
    for (const auto& allowed : {in_order(policy->associates), in_order(policy->sites), in_order(policy->countries)}) {
      writer.varint(allowed.size());
      for (const std::string& one : allowed) writer.text(one);
    }
  }
  writer.varint(consortium.associates.size());
  for (const Associate* associate : sorted(consortium.associates, &Associate::id)) {
    writer.text(associate->id.value());
    writer.text(associate->display_name);
    writer.text(associate->seat);
    writer.u64(associate->capital_meur);
  }
  writer.varint(consortium.sites.size());
  for (const Site* site : sorted(consortium.sites, &Site::id)) {
    writer.text(site->id.value());
    writer.text(site->associate.value());
    writer.text(site->country);
    writer.text(site->city);
    writer.varint(site->drives.size());
    for (const DriveName* drive : sorted(site->drives, std::identity{})) writer.text(drive->value());
  }
  writer.varint(consortium.tenants.size());
  for (const TenantSpec* tenant : sorted(consortium.tenants, &TenantSpec::id)) {
    writer.text(tenant->id.value());
    writer.text(tenant->display_name);
  }
  return bytes;
}

crypto::Sha256Digest digest(const Consortium& consortium) { return crypto::sha256(canonical(consortium)); }

std::vector<std::string> differences(const Consortium& from, const Consortium& to) {
  Differences found;
  found.text("name", from.name, to.name);
  found.text("the default policy", from.default_policy.value(), to.default_policy.value());
  found.lists("policy", from.policies, to.policies, &PolicySpec::id,
              [&found](const std::string& what, const PolicySpec& a, const PolicySpec& b) {
                compare_policies(found, what, a, b);
              });
  found.lists("associate", from.associates, to.associates, &Associate::id,
              [&found](const std::string& what, const Associate& a, const Associate& b) {
                found.text(what + ".name", a.display_name, b.display_name);
                found.text(what + ".seat", a.seat, b.seat);
                found.number(what + ".capital_meur", a.capital_meur, b.capital_meur);
              });
  found.lists("site", from.sites, to.sites, &Site::id, [&found](const std::string& what, const Site& a, const Site& b) {
    found.text(what + ".associate", a.associate.value(), b.associate.value());
    found.text(what + ".country", a.country, b.country);
    found.text(what + ".city", a.city, b.city);
    found.lists(what + ": drive", a.drives, b.drives, std::identity{},
                [](const std::string&, const DriveName&, const DriveName&) {});
  });
  found.lists("tenant", from.tenants, to.tenants, &TenantSpec::id,
              [&found](const std::string& what, const TenantSpec& a, const TenantSpec& b) {
                found.text(what + ".name", a.display_name, b.display_name);
              });
  return found.take();
}

Status check_change(const Consortium& from, const Consortium& to, const std::vector<DriveInUse>& in_use) {
  CHECK_OK(check_policies(from, to, in_use));
  if (!same_tenants(from, to)) {
    return fail(Errc::kRefused,
                "the tenants of the file are those that `init` made: `andromede account create` and `andromede account "
                "close` change who is there");
  }
  for (const DriveInUse& drive : in_use) CHECK_OK(check_drive(from, to, drive));
  return {};
}

}  // namespace andromede::sovereignty
