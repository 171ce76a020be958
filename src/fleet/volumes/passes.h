// Passes: whole walks over the catalog, a bounded batch at a time, several blobs at once. Called from the job thread
// only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/pool.h"
#include "base/random.h"
#include "blob/shards/maintenance.h"
#include "fleet/volumes/balance.h"
#include "fleet/volumes/move_planner.h"
#include "fleet/volumes/mover.h"

namespace andromede::fleet {

// What a pass found and did.
struct PassResult {
  std::uint64_t blobs = 0;
  std::uint64_t shards = 0;   // moved, rebuilt or rewritten
  std::uint64_t bytes = 0;    // of those; of a scrub: read
  std::uint64_t damaged = 0;  // shards that a scrub found bad
  std::uint64_t repaired = 0;
  std::uint64_t waiting = 0;  // blobs that cannot be settled now
  std::uint64_t lost = 0;     // blobs that cannot be rebuilt from what is online
  std::string why;            // of the last that waits or is lost
};

// Bytes just moved or read: for throttling and progress; false stops the pass (kCancelled).
using Progress = blob::Pace;

class Passes {
 public:
  // All are borrowed and outlive this.
  Passes(io::Drives& drives, Candidates& candidates, const PolicyBook& policies, blob::ShardCatalog& catalog,
         Mover& mover, Random& random);

  // Between batches: looks after urgent things.
  using BetweenBatches = std::function<void()>;

  // What settle_all would find now; of drives, no more than memory holds is asked.
  struct Outlook {
    std::uint64_t bytes = 0;                // to be moved
    std::map<DriveId, std::uint64_t> gone;  // shards that are recorded in volumes which their drives do not have
    bool all_known = true;                  // no drive is there that has not told its volumes yet
  };
  Result<Outlook> look_ahead(const std::function<bool()>& go_on);
  Result<PassResult> settle_all(const Progress& progress, const BetweenBatches& between);
  Result<PassResult> verify_all(const Progress& progress, const BetweenBatches& between);
  Result<PassResult> rebalance(const Progress& progress, const BetweenBatches& between);
  struct Named {
    std::uint64_t shards = 0;
    std::uint64_t bytes = 0;
  };
  // Shards that any copy of the metadata names on `drive`. From any thread.
  Result<Named> count_on(DriveId drive, const std::function<bool()>& go_on);
  // What the blobs of each policy take of each drive, about. From any thread.
  using BytesByPolicy = std::map<PolicyId, std::map<DriveId, std::uint64_t>>;
  Result<BytesByPolicy> bytes_by_policy(const std::function<bool()>& go_on);

 private:
  using PerBlob = std::function<Result<PassResult>(const blob::ShardedBlob&)>;
  // Adds what is gone of the blob, which is looked up again where that seems to be something.
  Status count_gone(blob::ShardedBlob ref, Outlook& outlook);
  Status each_batch(const std::function<Status(const std::vector<blob::ShardedBlob>&)>& work);
  // Runs `work` for every blob on several threads; each result is merged into `total`. The first kCancelled ends it.
  Status each_blob(const std::vector<blob::ShardedBlob>& batch, const PerBlob& work, PassResult& total);
  // One pass over the whole catalog: `between` and a look at `progress` before each batch.
  Result<PassResult> over_all(const Progress& progress, const BetweenBatches& between, const PerBlob& per_blob);
  struct SharedBalance {
    Balance& balance;
    std::mutex& mutex;  // guards it
    Balance::Reach reach;
  };
  Result<PassResult> move_for_balance(const blob::ShardedBlob& ref, const MovePlanner& planner, SharedBalance shared,
                                      const Progress& progress);

  io::Drives& drives_;
  Candidates& candidates_;
  const PolicyBook& policies_;
  blob::ShardCatalog& catalog_;
  Mover& mover_;
  Random& random_;
  ThreadPool movers_;
};

}  // namespace andromede::fleet
