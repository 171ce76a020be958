// The fleet over volumes on local drives, and its making. Errors and threads: fleet/fleet.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "blob/authenticator.h"
#include "blob/shards/maintenance.h"
#include "blob/shards/sharded_catalog.h"
#include "fleet/fleet.h"
#include "fleet/policy_book.h"
#include "fleet/volumes/candidates.h"
#include "io/drives.h"
#include "meta/mirrors.h"
#include "meta/store.h"

namespace andromede::fleet {

struct Options {
  std::uint64_t bandwidth_bytes_per_s = 200ULL << 20;  // of heal, drain, scrub and rebalance
  std::chrono::milliseconds orphan_grace{15 * 60 * 1000};
  std::chrono::hours scrub_every{24 * 14};
  std::chrono::milliseconds reclaim_every{60 * 60 * 1000};
  std::chrono::milliseconds mirror_grace{3000};  // a lost metadata mirror is replaced after that
  std::uint64_t reserve_bytes = 64ULL << 20;     // room that a withdrawal leaves free on each remaining drive
  // A drain fails after so many passes in a row that cannot go on: an operator has to look.
  unsigned max_fruitless_passes = 20;
  // Blobs that were written one shard short are healed once no more come for so long: those are committed by then.
  std::chrono::milliseconds short_writes_quiet{10'000};
};

// Runs `join` where the recorded consortium knows the drive's site, as its associate's, and does not change meanwhile.
// Answers what `join` does; kRefused: it does not, and what has to be done first.
using AdmitDrive = std::function<Status(const io::DriveInfo& drive, const std::function<Status()>& join)>;

// All are borrowed and outlive the fleet; what `policies` says may change; `candidates` is kept fresh from start() on.
std::unique_ptr<Fleet> make_volumes_fleet(io::Drives& drives, Candidates& candidates, blob::Maintenance& blobs,
                                          blob::ShardCatalog& catalog, blob::Authenticator& authenticator,
                                          meta::Store& store, meta::Mirrors& mirrors, const PolicyBook& policies,
                                          AdmitDrive admit, const Clock& clock, Random& random, Metrics& metrics,
                                          Options options);

}  // namespace andromede::fleet
