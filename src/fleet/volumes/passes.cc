#include "fleet/volumes/passes.h"

#include <latch>

#include "base/log.h"

namespace andromede::fleet {
namespace {

constexpr std::size_t kBatchBlobs = 256;  // a ShardedBlob is about 1 KiB at most
// A small shard's move is two syncs; a few at a time share the drives' queues without starving clients.
constexpr unsigned kMoverThreads = 4;

void merge(PassResult& into, const PassResult& part) {
  into.blobs += part.blobs;
  into.shards += part.shards;
  into.bytes += part.bytes;
  into.damaged += part.damaged;
  into.repaired += part.repaired;
  into.waiting += part.waiting;
  into.lost += part.lost;
  if (!part.why.empty()) into.why = part.why;
}

// A blob that could not be settled does not stop the pass: the others are made safe.
Result<PassResult> unsettled(const blob::ShardedBlob& ref, Error error) {
  if (error == Errc::kCancelled) return fail(std::move(error));
  PassResult result;
  result.blobs = 1;
  result.why = "blob " + ref.id.to_string() + ": " + error.message();
  if (error == Errc::kCorrupt) {
    result.lost = 1;
    log_error("a blob cannot be rebuilt", {{"blob", ref.id.to_string()}, {"error", error.describe()}});
  } else {
    result.waiting = 1;
    log_debug("a blob cannot be settled now", {{"blob", ref.id.to_string()}, {"error", error.describe()}});
  }
  return result;
}

}  // namespace

Passes::Passes(io::Drives& drives, Candidates& candidates, const PolicyBook& policies, blob::ShardCatalog& catalog,
               Mover& mover, Random& random)
    : drives_(drives),
      candidates_(candidates),
      policies_(policies),
      catalog_(catalog),
      mover_(mover),
      random_(random),
      movers_("fleet-mover", kMoverThreads, kMoverThreads * 2) {}

Status Passes::each_batch(const std::function<Status(const std::vector<blob::ShardedBlob>&)>& work) {
  BlobId after;
  while (true) {
    TRY(const auto batch, catalog_.list(after, kBatchBlobs));
    if (!batch.empty()) {
      after = batch.back().id;
      CHECK_OK(work(batch));
    }
    if (batch.size() < kBatchBlobs) return {};
  }
}

Status Passes::each_blob(const std::vector<blob::ShardedBlob>& batch, const PerBlob& work, PassResult& total) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::optional<Error> stopped;
  const auto take_turns = [&] {
    for (std::size_t at = next++; at < batch.size(); at = next++) {
      auto result = work(batch[at]);
      const std::lock_guard lock(mutex);
      if (!result) {
        stopped = std::move(result).error();
        next = batch.size();
        return;
      }
      merge(total, *result);
    }
  };
  std::latch done(kMoverThreads);
  for (unsigned i = 0; i < kMoverThreads; ++i) {
    const bool posted = movers_.post([&] {
      take_turns();
      done.count_down();
    });
    CHECK(posted, "only this thread posts, and waits for all before it posts again");
  }
  done.wait();
  if (stopped) return fail(std::move(*stopped));
  return {};
}

Result<Passes::Outlook> Passes::look_ahead(const std::function<bool()>& go_on) {
  Outlook outlook;
  CHECK_OK(each_batch([&](const std::vector<blob::ShardedBlob>& batch) -> Status {
    if (!go_on()) return fail(Errc::kCancelled, "stopped");
    MovePlanner planner(drives_.map(), candidates_.snapshot(), policies_.snapshot());
    for (const blob::ShardedBlob& ref : batch) {
      if (const auto moves = planner.moves(ref, random_)) outlook.bytes += moves->size() * shard_bytes(ref);
      const Mover::Gone gone = mover_.gone(ref);
      outlook.all_known = outlook.all_known && gone.all_known;
      if (!gone.shards.empty()) CHECK_OK(count_gone(ref, outlook));
    }
    return {};
  }));
  return outlook;
}

Status Passes::count_gone(blob::ShardedBlob ref, Outlook& outlook) {
  for (;;) {
    TRY(auto now, catalog_.find(ref.id));
    if (!now) return {};
    const bool same = *now == ref;
    ref = std::move(*now);
    const Mover::Gone gone = mover_.gone(ref);
    if (!same && !gone.shards.empty()) continue;
    for (const unsigned shard : gone.shards) ++outlook.gone[ref.shards[shard].drive];
    outlook.bytes += gone.shards.size() * shard_bytes(ref);
    return {};
  }
}

Result<PassResult> Passes::over_all(const Progress& progress, const BetweenBatches& between, const PerBlob& per_blob) {
  PassResult total;
  CHECK_OK(each_batch([&](const std::vector<blob::ShardedBlob>& batch) -> Status {
    between();
    if (!progress(0)) return fail(Errc::kCancelled, "stopped");
    return each_blob(batch, per_blob, total);
  }));
  return total;
}

Result<PassResult> Passes::settle_all(const Progress& progress, const BetweenBatches& between) {
  return over_all(progress, between, [&](const blob::ShardedBlob& ref) -> Result<PassResult> {
    const auto count = mover_.settle(ref, progress);
    if (!count) return unsettled(ref, count.error());
    PassResult result;
    result.blobs = 1;
    result.shards = count->shards;
    result.bytes = count->bytes;
    result.repaired = count->rebuilt;
    return result;
  });
}

Result<PassResult> Passes::verify_all(const Progress& progress, const BetweenBatches& between) {
  return over_all(progress, between, [&](const blob::ShardedBlob& ref) -> Result<PassResult> {
    const auto checked = mover_.verify(ref, progress);
    if (!checked) return unsettled(ref, checked.error());
    PassResult result;
    result.blobs = 1;
    result.bytes = checked->bytes;
    result.damaged = checked->damaged;
    result.repaired = checked->repaired;
    return result;
  });
}

Result<PassResult> Passes::rebalance(const Progress& progress, const BetweenBatches& between) {
  candidates_.refresh();
  Balance balance(*candidates_.snapshot());
  std::mutex mutex;
  PassResult total;
  for (const auto reach : {Balance::Reach::kAnySite, Balance::Reach::kSameSite}) {
    const auto move_batch = [&](const std::vector<blob::ShardedBlob>& batch) -> Status {
      between();
      if (!progress(0)) return fail(Errc::kCancelled, "stopped");
      const MovePlanner planner(drives_.map(), candidates_.snapshot(), policies_.snapshot());
      const auto move = [&](const blob::ShardedBlob& ref) {
        return move_for_balance(ref, planner, {balance, mutex, reach}, progress);
      };
      return each_blob(batch, move, total);
    };
    // One pass moves one shard of a blob at most; as long as that helps there may be more to gain.
    for (std::uint64_t before = total.shards; !balance.even(reach); before = total.shards) {
      CHECK_OK(each_batch(move_batch));
      if (total.shards == before) break;
    }
  }
  return total;
}

Result<PassResult> Passes::move_for_balance(const blob::ShardedBlob& ref, const MovePlanner& planner,
                                            SharedBalance shared, const Progress& progress) {
  auto& [balance, mutex, reach] = shared;
  PassResult result;
  result.blobs = 1;
  std::optional<Move> move;
  {
    // Counted before it is done, so that two movers do not both fill the same gap.
    const std::lock_guard lock(mutex);
    if (!balance.even(reach)) move = balance.next(planner, ref, reach);
    if (move) balance.moved(ref.shards[move->shard].drive, move->to, shard_bytes(ref));
  }
  if (!move) return result;
  const auto count = mover_.move(ref, *move, progress);
  if (!count || count->shards == 0) {
    const std::lock_guard lock(mutex);
    balance.moved(move->to, ref.shards[move->shard].drive, shard_bytes(ref));
  }
  if (!count) return unsettled(ref, count.error());
  result.shards = count->shards;
  result.bytes = count->bytes;
  return result;
}

Result<Passes::Named> Passes::count_on(DriveId drive, const std::function<bool()>& go_on) {
  Named named;
  BlobId after;
  for (;;) {
    if (!go_on()) return fail(Errc::kCancelled, "stopped");
    TRY(const blob::ShardCatalog::Page page, catalog_.list_everywhere(after, kBatchBlobs));
    for (const blob::ShardedBlob& ref : page.refs) {
      for (const blob::ShardPlace& place : ref.shards) {
        if (place.drive != drive) continue;
        ++named.shards;
        named.bytes += shard_bytes(ref);
      }
    }
    if (!page.next) return named;
    after = *page.next;
  }
}

Result<Passes::BytesByPolicy> Passes::bytes_by_policy(const std::function<bool()>& go_on) {
  BytesByPolicy bytes;
  CHECK_OK(each_batch([&](const std::vector<blob::ShardedBlob>& batch) -> Status {
    if (!go_on()) return fail(Errc::kCancelled, "stopped");
    for (const blob::ShardedBlob& ref : batch) {
      for (const blob::ShardPlace& place : ref.shards) bytes[ref.policy][place.drive] += shard_bytes(ref);
    }
    return {};
  }));
  return bytes;
}

}  // namespace andromede::fleet
