// Placement: which drives a blob's shards and the metadata's mirrors go to, and what losses a layout survives. Pure: no
// I/O, no clock; randomness is given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "sovereignty/policy.h"

namespace andromede::sovereignty {

struct Candidate {
  DriveId drive;
  SiteId site;
  AssociateId associate;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

// What a set of shards survives: the worst choice of whole sites (or drives) counted.
struct Tolerance {
  unsigned site_losses = 0;
  unsigned drive_losses = 0;
  friend bool operator==(const Tolerance&, const Tolerance&) = default;
};
// `sites[i]` is where shard i lies; `data_shards` of them are needed. Every shard on a drive of its own.
Tolerance tolerance_of(unsigned data_shards, const std::vector<SiteId>& sites);

// What shards that were placed to survive `promised` are still sure to survive when `drives` drives of `sites`
// different sites are gone (a site that lacks a drive counts as lost whole). Nothing: more is gone than was promised.
std::optional<Tolerance> tolerance_left(const Tolerance& promised, unsigned sites, unsigned drives);

// "1 drive", "3 drives": for what people read of placement.
std::string counted(std::uint64_t count, const char* noun);

// The candidates that the policy allows.
std::vector<Candidate> allowed(const Policy& policy, const std::vector<Candidate>& candidates);

// What is written while so many drives can take data: with fewer than shards the last parity shards are left out, as
// long as one loss of a drive is survived.
Rule written_with(Rule rule, std::size_t drives);
// With fewer drives nothing is written: what is must survive the next loss, where the code survives any.
[[nodiscard]] inline unsigned least_drives(const Rule& rule) {
  return rule.data_shards + (rule.parity_shards > 0 ? 1U : 0U);
}

// The best spread that those of the candidates that the policy allows give its shards: as many sites as possible, as
// even as possible. kUnavailable when they are fewer than the shards; the message says what is missing.
Result<Tolerance> best_tolerance(const Policy& policy, const std::vector<Candidate>& candidates);

// Drives for each shard, in shard order: distinct drives that the policy allows, spread over as many sites as possible
// and as evenly as possible; among equal choices, by free space (weighted random), so that drives fill evenly.
// Candidates without `shard_bytes` of free space are left out. `keep[i]`, where set, is a drive that shard i stays on:
// the rest is chosen around it. Errors: kUnavailable (too few drives), kNoSpace; kInvalidArgument: what is kept is not
// among the candidates, or not allowed.
Result<std::vector<DriveId>> place(const Policy& policy, const std::vector<Candidate>& candidates,
                                   const std::vector<std::optional<DriveId>>& keep, std::uint64_t shard_bytes,
                                   Random& random);

// Drives for so many mirrors of the metadata (fewer only where there are fewer candidates), spread over the sites as
// evenly as possible. Among equal choices those of `current` stay, the first named first; then the drive with the most
// free space.
std::vector<DriveId> place_mirrors(unsigned mirrors, const std::vector<Candidate>& candidates,
                                   const std::vector<DriveId>& current);

// What a withdrawal would leave of a policy.
struct WithdrawalCheck {
  Tolerance before;
  Tolerance after;
  std::uint64_t bytes_to_move = 0;
  std::uint64_t bytes_free_after = 0;  // on the drives that remain, and that the policy allows
};
// Whether `leaving` (a subset of `candidates`, whose used bytes are those of this policy's data) can go. kRefused, with
// a message that names the policy, the constraint and what would satisfy it, when the remaining drives cannot hold the
// shards, the demanded losses (the policy's, or `accepted_site_losses` when that is less) or the bytes (used of the
// leaving ones, `reserve_bytes` kept free on each remaining drive).
Result<WithdrawalCheck> check_withdrawal(const Policy& policy, const std::vector<Candidate>& candidates,
                                         const std::vector<DriveId>& leaving,
                                         std::optional<std::uint8_t> accepted_site_losses, std::uint64_t reserve_bytes);

// The part of it that concerns bytes alone. Together all policies' data must fit too: then the used bytes are all there
// are.
Status check_room(const std::vector<Candidate>& candidates, const std::vector<DriveId>& leaving,
                  std::uint64_t reserve_bytes);

// The losses of sites that a policy demands to survive, where so many are accepted since a withdrawal.
[[nodiscard]] inline unsigned demanded_site_losses(const Policy& policy, std::optional<std::uint8_t> accepted) {
  return accepted && *accepted < policy.rule.site_losses ? *accepted : policy.rule.site_losses;
}

}  // namespace andromede::sovereignty
