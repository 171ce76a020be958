#include "fleet/volumes/mover.h"

#include <algorithm>

namespace andromede::fleet {
namespace {

// A blob's record changes when another mover or the repair after a read was faster; more often than this in a row, and
// something is wrong.
constexpr int kMaxAttempts = 5;

// The record changed, or what it named moved away: read it again.
bool changed_meanwhile(const Error& error) { return error == Errc::kConflict || error == Errc::kNotFound; }

}  // namespace

Mover::Mover(io::Drives& drives, blob::Maintenance& blobs, blob::ShardCatalog& catalog,
             blob::Authenticator& authenticator, const meta::Mirrors& mirrors, Candidates& candidates,
             const PolicyBook& policies, Random& random)
    : drives_(drives),
      blobs_(blobs),
      catalog_(catalog),
      authenticator_(authenticator),
      mirrors_(mirrors),
      candidates_(candidates),
      policies_(policies),
      random_(random) {}

Status Mover::name_new_places(const blob::ShardedBlob& before, const blob::ShardedBlob& after) {
  const Status named = catalog_.replace(before, after);
  // Named by so few mirrors that the next loss may bring the old record back: what that one names must still be there.
  if (named && mirrors_.shortfall()) return named;
  // Whichever record the metadata now holds, the places that only the other one names are free.
  for (unsigned i = 0; i < before.shards.size(); ++i) {
    if (before.shards[i] == after.shards[i]) continue;
    const blob::ShardPlace& unnamed = named ? before.shards[i] : after.shards[i];
    // A replace that failed for another reason than a conflict may have been stored: then the shard is left to reclaim.
    if (!named && named.error() != Errc::kConflict) continue;
    if (!unnamed.drive.is_none()) blobs_.release_shard(before.id, i, unnamed);
  }
  return named;
}

Result<MoveCount> Mover::carry_out(const blob::ShardedBlob& ref, const std::vector<Move>& moves,
                                   const blob::Pace& pace) {
  MoveCount count;
  blob::ShardedBlob after = ref;
  std::optional<Error> failed;
  for (const Move& move : moves) {
    auto place = blobs_.copy_shard(ref, move.shard, move.to, pace);
    if (!place) {
      // What was copied before is kept: each shard in a better place is one loss less to fear.
      failed = std::move(place).error();
      break;
    }
    if (blobs_.presence(ref.shards[move.shard]) != blob::Presence::kThere) ++count.rebuilt;
    ++count.shards;
    count.bytes += shard_bytes(ref);
    after.shards[move.shard] = *place;
  }
  if (count.shards > 0) CHECK_OK(name_new_places(ref, after));
  if (failed) return fail(std::move(*failed));
  return count;
}

Mover::Gone Mover::gone(const blob::ShardedBlob& ref) const {
  Gone found;
  for (unsigned i = 0; i < ref.shards.size(); ++i) {
    const blob::ShardPlace& place = ref.shards[i];
    if (place.drive.is_none()) continue;
    const blob::Presence presence = blobs_.presence(place);
    if (presence == blob::Presence::kGone) found.shards.push_back(i);
    if (presence == blob::Presence::kUnknown && drives_.online(place.drive)) found.all_known = false;
  }
  return found;
}

Result<MoveCount> Mover::settle(blob::ShardedBlob ref, const blob::Pace& pace) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const std::vector<unsigned> lacking = gone(ref).shards;
    MovePlanner planner(drives_.map(), candidates_.snapshot(), policies_.snapshot());
    const auto wanted = planner.moves(ref, random_);
    // What is gone is made good where it was, also where the rest has to wait for room.
    if (!wanted && lacking.empty()) return fail(wanted.error());
    std::vector<Move> moves = wanted ? *wanted : std::vector<Move>{};
    for (const unsigned shard : lacking) {
      const auto moved = [shard](const Move& move) { return move.shard == shard; };
      if (std::any_of(moves.begin(), moves.end(), moved)) continue;
      if (planner.may_hold(ref, ref.shards[shard].drive)) moves.push_back({shard, ref.shards[shard].drive});
    }
    auto count = carry_out(ref, moves, pace);
    if (count && !wanted) return fail(wanted.error());
    if (count) return count;
    if (!changed_meanwhile(count.error())) return count;
    TRY(auto now, catalog_.find(ref.id));
    if (!now) return MoveCount{};
    // Nobody was faster: it lies where its record says on too few drives.
    if (*now == ref && count.error() == Errc::kNotFound) return fail(Errc::kCorrupt, count.error().message());
    ref = std::move(*now);
  }
  return fail(Errc::kConflict, "blob " + ref.id.to_string() + " changed " + std::to_string(kMaxAttempts) +
                                   " times while its shards were being moved");
}

Result<MoveCount> Mover::move(const blob::ShardedBlob& ref, Move move, const blob::Pace& pace) {
  auto count = carry_out(ref, {move}, pace);
  if (!count && changed_meanwhile(count.error())) return MoveCount{};
  return count;
}

Result<Mover::Checked> Mover::verify(blob::ShardedBlob ref, const blob::Pace& pace) {
  Checked checked;
  int changes = 0;
  const auto sound = blobs_.verify_blob(ref, authenticator_, pace);
  // Deleted, moved or changed meanwhile: as a damaged one it is looked at again.
  if (!sound && !changed_meanwhile(sound.error())) return fail(sound.error());
  const bool whole = sound && *sound;
  for (const blob::ShardPlace& place : ref.shards) {
    if (whole && !place.drive.is_none() && drives_.online(place.drive)) checked.bytes += shard_bytes(ref);
  }
  for (unsigned i = 0; !whole && i < ref.shards.size();) {
    const blob::ShardPlace place = ref.shards[i];
    if (place.drive.is_none() || !drives_.online(place.drive)) {
      ++i;
      continue;
    }
    const auto health = blobs_.verify_shard(ref, i, pace);
    if (!health && health.error() == Errc::kUnavailable) {
      // Heal's business while it is away; back again it is read anew.
      if (drives_.online(place.drive) && ++changes > kMaxAttempts) return fail(health.error());
      continue;
    }
    CHECK_OK(health);
    checked.bytes += shard_bytes(ref);
    if (*health == blob::ShardHealth::kGood) {
      ++i;
      continue;
    }
    // Deleted or moved since it was listed: what looks missing is only somewhere else.
    TRY(auto now, catalog_.find(ref.id));
    if (!now) return checked;
    if (*now != ref) {
      if (++changes > kMaxAttempts) return fail(Errc::kConflict, "blob " + ref.id.to_string() + " keeps changing");
      ref = std::move(*now);
      continue;
    }
    if (!drives_.online(place.drive)) continue;
    ++checked.damaged;
    TRY(const blob::ShardPlace repaired, blobs_.repair_shard(ref, i, pace));
    blob::ShardedBlob after = ref;
    after.shards[i] = repaired;
    if (const Status named = name_new_places(ref, after); !named) {
      if (named.error() == Errc::kConflict) continue;
      return fail(named.error());
    }
    ++checked.repaired;
    ref = std::move(after);
    ++i;
  }
  const auto without_drive = [](const blob::ShardPlace& place) { return place.drive.is_none(); };
  if (std::any_of(ref.shards.begin(), ref.shards.end(), without_drive)) {
    TRY(const MoveCount settled, settle(std::move(ref), pace));
    checked.repaired += settled.rebuilt;
  }
  return checked;
}

}  // namespace andromede::fleet
