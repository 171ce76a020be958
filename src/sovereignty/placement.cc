#include "sovereignty/placement.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "base/check.h"

namespace andromede::sovereignty {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

// Sites of the candidates as small numbers, in order of first appearance: strings are compared once, not per shard.
struct SiteTable {
  std::vector<const SiteId*> ids;
  std::vector<std::size_t> of_candidate;

  explicit SiteTable(const std::vector<Candidate>& candidates) {
    of_candidate.reserve(candidates.size());
    for (const Candidate& candidate : candidates) of_candidate.push_back(index_of(candidate.site));
  }

 private:
  std::size_t index_of(const SiteId& site) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (*ids[i] == site) return i;
    }
    ids.push_back(&site);
    return ids.size() - 1;
  }
};

std::size_t find_candidate(const std::vector<Candidate>& candidates, DriveId drive) {
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].drive == drive) return i;
  }
  return kNone;
}

// `shards` shared out over sites that have `drives_per_site` drives each, as evenly as possible: the least loaded site
// with a drive left takes the next. No other way has a smaller sum over its t fullest sites, for any t.
std::vector<unsigned> share_out(unsigned shards, const std::vector<unsigned>& drives_per_site) {
  std::vector<unsigned> counts(drives_per_site.size(), 0);
  for (unsigned shard = 0; shard < shards; ++shard) {
    std::size_t best = kNone;
    for (std::size_t site = 0; site < counts.size(); ++site) {
      if (counts[site] < drives_per_site[site] && (best == kNone || counts[site] < counts[best])) best = site;
    }
    CHECK(best != kNone, "the caller has counted enough drives");
    ++counts[best];
  }
  return counts;
}

Tolerance tolerance_of_counts(unsigned data_shards, std::vector<unsigned> counts) {
  const unsigned total = std::accumulate(counts.begin(), counts.end(), 0U);
  Tolerance tolerance;
  if (total < data_shards) return tolerance;
  const unsigned spare = total - data_shards;
  tolerance.drive_losses = spare;
  std::sort(counts.begin(), counts.end(), std::greater<>());
  unsigned lost = 0;
  for (const unsigned count : counts) {
    if (count == 0 || lost + count > spare) break;
    lost += count;
    ++tolerance.site_losses;
  }
  return tolerance;
}

std::vector<unsigned> drives_per_site(const std::vector<Candidate>& candidates) {
  const SiteTable sites(candidates);
  std::vector<unsigned> drives(sites.ids.size(), 0);
  for (const std::size_t site : sites.of_candidate) ++drives[site];
  return drives;
}

std::string site_names(const std::vector<Candidate>& candidates) {
  const SiteTable sites(candidates);
  std::string names;
  for (const SiteId* site : sites.ids) names += (names.empty() ? "" : ", ") + site->value();
  return names;
}

// How many new sites, of one drive each, bring the tolerance up to `site_losses`; nullopt when none can.
std::optional<unsigned> sites_missing(const Rule& rule, std::vector<unsigned> drives, unsigned site_losses) {
  for (unsigned added = 1; added <= rule.shards(); ++added) {
    drives.push_back(1);
    const unsigned total = std::accumulate(drives.begin(), drives.end(), 0U);
    if (total < rule.shards()) continue;
    if (tolerance_of_counts(rule.data_shards, share_out(rule.shards(), drives)).site_losses >= site_losses)
      return added;
  }
  return std::nullopt;
}

std::string code_name(const Rule& rule) {
  return std::to_string(rule.data_shards) + "+" + std::to_string(rule.parity_shards);
}

std::uint64_t used_bytes(const Candidate& candidate) {
  return candidate.total_bytes > candidate.free_bytes ? candidate.total_bytes - candidate.free_bytes : 0;
}

std::uint64_t room_bytes(const Candidate& candidate, std::uint64_t reserve_bytes) {
  return candidate.free_bytes > reserve_bytes ? candidate.free_bytes - reserve_bytes : 0;
}

// Bytes that the drives can hold when every blob puts its shards on different drives, at most `most_per_site` on one
// site: a drive beyond one shard's share, or a site beyond its limit, cannot help.
std::uint64_t holdable_bytes(const Rule& rule, const std::vector<Candidate>& candidates, unsigned most_per_site,
                             std::uint64_t total_used, std::uint64_t reserve_bytes) {
  const std::uint64_t one_share = (total_used + rule.shards() - 1) / rule.shards();
  const SiteTable sites(candidates);
  std::vector<std::uint64_t> by_site(sites.ids.size(), 0);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::uint64_t capacity = used_bytes(candidates[i]) + room_bytes(candidates[i], reserve_bytes);
    by_site[sites.of_candidate[i]] += std::min(capacity, one_share);
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t bytes : by_site) sum += std::min(bytes, one_share * most_per_site);
  return sum;
}

Error too_few(const Policy& policy, std::size_t drives) {
  return {make_error_code(Errc::kUnavailable),
          named(policy.id) + ": a " + code_name(policy.rule) + " code needs " + counted(policy.rule.shards(), "drive") +
              "; " + std::to_string(drives) + " can take data: " + counted(policy.rule.shards() - drives, "drive") +
              " missing"};
}

}  // namespace

std::string counted(std::uint64_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

Tolerance tolerance_of(unsigned data_shards, const std::vector<SiteId>& sites) {
  std::map<SiteId, unsigned> by_site;
  for (const SiteId& site : sites) ++by_site[site];
  std::vector<unsigned> counts;
  counts.reserve(by_site.size());
  for (const auto& [site, count] : by_site) counts.push_back(count);
  return tolerance_of_counts(data_shards, std::move(counts));
}

std::optional<Tolerance> tolerance_left(const Tolerance& promised, unsigned sites, unsigned drives) {
  if (sites > promised.site_losses && drives > promised.drive_losses) return std::nullopt;
  Tolerance left;
  if (promised.site_losses > sites) left.site_losses = promised.site_losses - sites;
  if (promised.drive_losses > drives) left.drive_losses = promised.drive_losses - drives;
  // Who survives the loss of a site survives that of one drive on it.
  left.drive_losses = std::max(left.drive_losses, left.site_losses);
  return left;
}

Rule written_with(Rule rule, std::size_t drives) {
  if (drives < rule.shards() && rule.parity_shards > 0 && drives > rule.data_shards) {
    rule.parity_shards = static_cast<std::uint8_t>(drives - rule.data_shards);
  }
  return rule;
}

std::vector<Candidate> allowed(const Policy& policy, const std::vector<Candidate>& candidates) {
  std::vector<Candidate> inside;
  std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(inside),
               [&](const Candidate& candidate) { return policy.allows(candidate.site); });
  return inside;
}

Result<Tolerance> best_tolerance(const Policy& policy, const std::vector<Candidate>& candidates) {
  const Rule& rule = policy.rule;
  const std::vector<Candidate> inside = allowed(policy, candidates);
  if (inside.size() < rule.shards()) return fail(too_few(policy, inside.size()));
  return tolerance_of_counts(rule.data_shards, share_out(rule.shards(), drives_per_site(inside)));
}

Result<std::vector<DriveId>> place(const Policy& policy, const std::vector<Candidate>& candidates,
                                   const std::vector<std::optional<DriveId>>& keep, std::uint64_t shard_bytes,
                                   Random& random) {
  const unsigned shards = policy.rule.shards();
  if (keep.size() > shards) return fail(Errc::kInvalidArgument, "more kept places than the code has shards");

  const SiteTable sites(candidates);
  std::vector<unsigned> on_site(sites.ids.size(), 0);
  std::vector<bool> usable(candidates.size());
  std::size_t inside = 0;
  std::size_t with_space = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!policy.allows(candidates[i].site)) continue;
    ++inside;
    usable[i] = candidates[i].free_bytes >= std::max<std::uint64_t>(shard_bytes, 1);
    if (usable[i]) ++with_space;
  }

  std::vector<DriveId> chosen(shards);
  unsigned kept = 0;
  for (std::size_t shard = 0; shard < keep.size(); ++shard) {
    if (!keep[shard]) continue;
    const std::size_t at = find_candidate(candidates, *keep[shard]);
    if (at == kNone) return fail(Errc::kInvalidArgument, "a kept drive is not among the candidates");
    if (!policy.allows(candidates[at].site)) {
      return fail(Errc::kInvalidArgument, "a kept drive is not one that " + named(policy.id) + " allows");
    }
    for (std::size_t before = 0; before < shard; ++before) {
      if (keep[before] == keep[shard]) return fail(Errc::kInvalidArgument, "two shards are kept on one drive");
    }
    if (usable[at]) --with_space;
    usable[at] = false;
    ++on_site[sites.of_candidate[at]];
    chosen[shard] = *keep[shard];
    ++kept;
  }

  const unsigned wanted = shards - kept;
  if (with_space < wanted) {
    if (inside < shards) return fail(too_few(policy, inside));
    return fail(Errc::kNoSpace, named(policy.id) + ": " + counted(wanted, "drive") + " with " +
                                    std::to_string(shard_bytes) + " bytes free needed; " + std::to_string(with_space) +
                                    " left");
  }

  for (unsigned shard = 0; shard < shards; ++shard) {
    if (!chosen[shard].is_none()) continue;
    unsigned least = std::numeric_limits<unsigned>::max();
    std::uint64_t weight = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (!usable[i]) continue;
      const unsigned load = on_site[sites.of_candidate[i]];
      if (load > least) continue;
      if (load < least) {
        least = load;
        weight = 0;
      }
      weight += candidates[i].free_bytes;
    }
    std::uint64_t ticket = random.below(weight);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::size_t site = sites.of_candidate[i];
      if (!usable[i] || on_site[site] != least) continue;
      if (ticket >= candidates[i].free_bytes) {
        ticket -= candidates[i].free_bytes;
        continue;
      }
      chosen[shard] = candidates[i].drive;
      usable[i] = false;
      ++on_site[site];
      break;
    }
  }
  return chosen;
}

std::vector<DriveId> place_mirrors(unsigned mirrors, const std::vector<Candidate>& candidates,
                                   const std::vector<DriveId>& current) {
  const std::size_t wanted = std::min<std::size_t>(mirrors, candidates.size());
  const SiteTable sites(candidates);
  std::vector<unsigned> on_site(sites.ids.size(), 0);
  std::vector<bool> taken(candidates.size(), false);
  const auto rank = [&](std::size_t at) {
    return std::find(current.begin(), current.end(), candidates[at].drive) - current.begin();
  };
  const auto better = [&](std::size_t a, std::size_t b) {
    const unsigned load_a = on_site[sites.of_candidate[a]];
    const unsigned load_b = on_site[sites.of_candidate[b]];
    if (load_a != load_b) return load_a < load_b;
    const auto rank_a = rank(a);
    const auto rank_b = rank(b);
    if (rank_a != rank_b) return rank_a < rank_b;
    return candidates[a].free_bytes > candidates[b].free_bytes;
  };
  std::vector<DriveId> chosen;
  while (chosen.size() < wanted) {
    std::size_t best = kNone;
    for (std::size_t at = 0; at < candidates.size(); ++at) {
      if (!taken[at] && (best == kNone || better(at, best))) best = at;
    }
    taken[best] = true;
    ++on_site[sites.of_candidate[best]];
    chosen.push_back(candidates[best].drive);
  }
  return chosen;
}

Status check_room(const std::vector<Candidate>& candidates, const std::vector<DriveId>& leaving,
                  std::uint64_t reserve_bytes) {
  std::uint64_t to_move = 0;
  std::uint64_t room = 0;
  for (const Candidate& candidate : candidates) {
    if (std::find(leaving.begin(), leaving.end(), candidate.drive) != leaving.end()) {
      to_move += used_bytes(candidate);
    } else {
      room += room_bytes(candidate, reserve_bytes);
    }
  }
  if (room >= to_move) return {};
  return fail(Errc::kRefused, std::to_string(to_move) + " bytes would have to move; the drives that " +
                                  "remain have room for " + std::to_string(room) + " bytes: add drives with " +
                                  std::to_string(to_move - room) + " bytes more first");
}

namespace {

// check_withdrawal() of candidates that the policy allows.
Result<WithdrawalCheck> withdraw(const Policy& policy, const std::vector<Candidate>& candidates,
                                 const std::vector<DriveId>& leaving, std::optional<std::uint8_t> accepted_site_losses,
                                 std::uint64_t reserve_bytes) {
  const Rule& rule = policy.rule;
  std::vector<Candidate> remaining;
  WithdrawalCheck check;
  std::uint64_t total_used = 0;
  std::uint64_t room = 0;
  for (const Candidate& candidate : candidates) {
    total_used += used_bytes(candidate);
    if (std::find(leaving.begin(), leaving.end(), candidate.drive) != leaving.end()) {
      check.bytes_to_move += used_bytes(candidate);
    } else {
      room += room_bytes(candidate, reserve_bytes);
      remaining.push_back(candidate);
    }
  }
  if (const auto before = best_tolerance(policy, candidates)) check.before = *before;

  if (remaining.size() < rule.shards()) {
    return fail(Errc::kRefused, "a " + code_name(rule) + " code needs " + counted(rule.shards(), "drive") + "; " +
                                    std::to_string(remaining.size()) + " would remain: add " +
                                    counted(rule.shards() - remaining.size(), "drive") + " first");
  }
  const std::vector<unsigned> drives = drives_per_site(remaining);
  const std::vector<unsigned> counts = share_out(rule.shards(), drives);
  check.after = tolerance_of_counts(rule.data_shards, counts);

  const unsigned demanded = demanded_site_losses(policy, accepted_site_losses);
  if (check.after.site_losses < demanded) {
    std::string message = "on the " + counted(drives.size(), "site") + " that would remain (" + site_names(remaining) +
                          "), " + code_name(rule) + " shards survive the loss of " +
                          counted(check.after.site_losses, "site") + "; " + std::to_string(demanded) +
                          (demanded < rule.site_losses ? " were accepted" : " are demanded");
    const auto missing = sites_missing(rule, drives, demanded);
    message += missing ? ": first add drives at " + counted(*missing, "further site") + ", or accept"
                       : ", which no number of further sites can bring: accept";
    message += " to tolerate only " + counted(check.after.site_losses, "lost site") +
               " from now on: --accept-site-losses " + std::to_string(check.after.site_losses);
    return fail(Errc::kRefused, std::move(message));
  }
  if (check.after.drive_losses < rule.drive_losses) {
    return fail(Errc::kRefused, code_name(rule) + " shards survive the loss of " +
                                    counted(check.after.drive_losses, "drive") + "; " +
                                    std::to_string(rule.drive_losses) + " are demanded");
  }

  CHECK_OK(check_room(candidates, leaving, reserve_bytes));
  const unsigned most_per_site = *std::max_element(counts.begin(), counts.end());
  const std::uint64_t holdable = holdable_bytes(rule, remaining, most_per_site, total_used, reserve_bytes);
  if (holdable < total_used) {
    return fail(Errc::kRefused, "the drives that remain have room for " + std::to_string(room) +
                                    " bytes, but too unevenly over drives and sites to keep the spread: add " +
                                    "drives with " + std::to_string(total_used - holdable) +
                                    " bytes more at the smaller sites first");
  }
  check.bytes_free_after = room - check.bytes_to_move;
  return check;
}

}  // namespace

Result<WithdrawalCheck> check_withdrawal(const Policy& policy, const std::vector<Candidate>& candidates,
                                         const std::vector<DriveId>& leaving,
                                         std::optional<std::uint8_t> accepted_site_losses,
                                         std::uint64_t reserve_bytes) {
  const auto unknown = [&](DriveId drive) { return find_candidate(candidates, drive) == kNone; };
  if (std::any_of(leaving.begin(), leaving.end(), unknown)) {
    return fail(Errc::kInvalidArgument, "a leaving drive is not among the candidates");
  }
  auto check = withdraw(policy, allowed(policy, candidates), leaving, accepted_site_losses, reserve_bytes);
  if (!check) return fail(check.error().in(named(policy.id)));
  return check;
}

}  // namespace andromede::sovereignty
