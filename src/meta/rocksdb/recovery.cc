#include "meta/rocksdb/recovery.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>

#include "base/log.h"

namespace andromede::meta {
namespace {

struct Candidate {
  std::shared_ptr<Mirror> mirror;
  std::vector<CommitLog::Position> records;  // of its log, above what its state had applied
};

struct Census {
  std::vector<Candidate> good;
  std::vector<DriveId> empty;
  std::vector<DriveId> damaged;
  std::vector<DriveId> offline;
  std::vector<DriveId> full;      // intact, and cannot be opened for want of space
  std::vector<MirrorEvent> lost;  // of those that are online
  std::string damage;             // what is wrong with the damaged ones, for people
  std::optional<Error> no_space;  // of one of the full ones
  std::optional<Error> foreign;   // of one of the damaged ones: it is of another version

  [[nodiscard]] std::size_t current() const {
    return good.size() + empty.size() + damaged.size() + offline.size() + full.size();
  }
};

// An I/O failure, or a lock that a thread which has not ended keeps.
bool of_its_drive(const Error& error) { return error == Errc::kIo || error == Errc::kTimeout; }

Status replay(Candidate& candidate, const std::function<void()>& on_step) {
  Mirror& mirror = *candidate.mirror;
  TRY(candidate.records, mirror.log().scan(mirror.state().seal(), mirror.state().salt(), mirror.state().applied()));
  for (const CommitLog::Position& position : candidate.records) {
    TRY(const Bytes record, mirror.log().read(mirror.state().seal(), position));
    const ByteView payload = ByteView(record).subspan(kRecordHeaderBytes, position.header.payload_bytes);
    CHECK_OK(mirror.state().apply(payload, position.header.last_index()));
    if (on_step) on_step();
  }
  return {};
}

Result<Candidate> open_candidate(DriveId drive, std::shared_ptr<io::Disk> disk, const Mirror::Options& options) {
  TRY(std::unique_ptr<Mirror> mirror, Mirror::open(drive, std::move(disk), options));
  Candidate candidate{std::move(mirror), {}};
  CHECK_OK(replay(candidate, options.on_step));
  return candidate;
}

Result<Census> take_census(io::Drives& drives, const Mirror::Options& options) {
  Census census;
  const auto map = drives.map();
  Mirror::Options next = options;
  for (const io::DriveInfo& drive : map->drives) {
    if (!drive.mirrors_metadata) continue;
    auto disk = drives.disk(drive.id);
    if (disk == nullptr) {
      census.offline.push_back(drive.id);
      continue;
    }
    // Only the mirror that will answer reads warms the cache.
    next.warm_cache = census.good.empty();
    auto candidate = open_candidate(drive.id, std::move(disk), next);
    if (candidate) {
      census.good.push_back(std::move(*candidate));
    } else if (candidate.error() == Errc::kNotFound) {
      census.empty.push_back(drive.id);
      census.lost.push_back({drive.id, false, "it holds nothing"});
    } else if (candidate.error() == Errc::kCorrupt || candidate.error() == Errc::kUnsupported) {
      if (candidate.error() == Errc::kUnsupported) {
        census.foreign = candidate.error().in("metadata mirror on " + drive.name.value());
      }
      log_error("metadata: a mirror is damaged",
                {{"drive", drive.name.value()}, {"error", candidate.error().describe()}});
      census.damage += (census.damage.empty() ? "" : "; ") + drive.name.value() + ": " + candidate.error().message();
      census.damaged.push_back(drive.id);
      census.lost.push_back({drive.id, false, candidate.error().message()});
    } else if (of_its_drive(candidate.error())) {
      drives.report_failure(drive.id, candidate.error());
      census.offline.push_back(drive.id);
      census.lost.push_back({drive.id, false, candidate.error().message()});
    } else if (candidate.error() == Errc::kNoSpace) {
      census.no_space = candidate.error().in("metadata mirror on " + drive.name.value());
      log_error("metadata: a mirror's drive is full", {{"error", census.no_space->describe()}});
      census.full.push_back(drive.id);
      census.lost.push_back({drive.id, false, candidate.error().message()});
    } else {
      return fail(candidate.error().in("metadata mirror on " + drive.name.value()));
    }
  }
  return census;
}

// A new cloud: nothing anywhere.
Status create_all(io::Drives& drives, const Mirror::Options& options, Census& census) {
  Mirror::Options next = options;
  for (const DriveId drive : census.empty) {
    auto disk = drives.disk(drive);
    if (disk == nullptr) return fail(Errc::kUnavailable, "a drive went offline while its first mirror was made");
    next.warm_cache = census.good.empty();
    TRY(std::unique_ptr<Mirror> mirror, Mirror::create(drive, std::move(disk), next));
    census.good.push_back({std::move(mirror), {}});
  }
  census.empty.clear();
  census.lost.clear();
  return {};
}

Status check_census(const Census& census, bool create) {
  if (census.current() == 0) return fail(Errc::kUnavailable, "the drive map names no metadata mirror");
  if (!census.good.empty()) return {};
  if (census.foreign) return fail(*census.foreign);
  if (!census.damaged.empty()) {
    return fail(Errc::kCorrupt, "no intact metadata mirror is online; damaged: " + census.damage +
                                    ". Bring a drive with an intact mirror online");
  }
  if (census.no_space) return fail(*census.no_space);
  if (!census.offline.empty()) {
    return fail(Errc::kUnavailable,
                std::to_string(census.offline.size()) +
                    " metadata mirror(s) are offline and those online hold nothing; bring one online");
  }
  // An empty beginning makes every blob one that no metadata names, to be given back.
  if (!create) {
    return fail(Errc::kCorrupt,
                "the " + std::to_string(census.empty.size()) +
                    " metadata mirror(s) hold nothing, of a cloud that was made before: an unmounted or "
                    "emptied folder. Bring a drive with an intact mirror online, with its meta folder");
  }
  return {};
}

// Whether the journal of `follower` ends with an entry that `leader` has too; nullopt: the leader cannot tell.
Result<std::optional<bool>> begins_alike(const Candidate& leader, const Candidate& follower) {
  std::uint64_t sequence = 0;
  std::string entry;
  TRY(const Found any, follower.mirror->state().last_entry(sequence, entry));
  if (any == Found::kNo) return std::optional(true);
  Bytes key;
  append_be64(key, sequence);
  std::string its;
  const auto found = leader.mirror->state().get(Space::kJournal, as_text(key), Tier::kAll, its);
  if (found) return std::optional(*found == Found::kYes && its == entry);
  log_error("metadata: the journal of the mirror with the most commits cannot be read",
            {{"drive", leader.mirror->drive().to_string()}, {"error", found.error().describe()}});
  return std::optional<bool>();
}

// Applies what `leader` has above `follower`'s state. False: the leader's log does not reach back that far, or cannot
// be read, which says nothing against the follower. An error is the follower's own.
Result<bool> catch_up(const Candidate& leader, Candidate& follower) {
  State& state = follower.mirror->state();
  if (state.applied() < leader.mirror->state().applied()) {
    TRY(const std::optional<bool> alike, begins_alike(leader, follower));
    if (!alike) return false;
    // On top of what it did otherwise the leader's commits would make a state that never was.
    if (!*alike)
      return fail(Errc::kCorrupt, "its journal ends otherwise than that of the mirror with the most commits");
  }
  for (const CommitLog::Position& position : leader.records) {
    const RecordHeader& header = position.header;
    if (header.last_index() <= state.applied()) continue;
    if (header.first_index != state.applied() + 1) return false;
    const auto record = leader.mirror->log().read(state.seal(), position);
    if (!record) {
      log_error("metadata: the log of the mirror with the most commits cannot be read",
                {{"drive", leader.mirror->drive().to_string()}, {"error", record.error().describe()}});
      return false;
    }
    CHECK_OK(state.apply(ByteView(*record).subspan(kRecordHeaderBytes, header.payload_bytes), header.last_index()));
  }
  return state.applied() == leader.mirror->state().applied();
}

// Moves a mirror that failed in recovery to where it belongs: a failure to answer is its drive's, a full drive comes
// back when it has space, the rest is its own.
void set_aside(io::Drives& drives, Census& census, DriveId drive, const Error& error) {
  log_error("metadata: a mirror is set aside", {{"drive", drive.to_string()}, {"error", error.describe()}});
  if (of_its_drive(error)) drives.report_failure(drive, error);
  (of_its_drive(error) ? census.offline : error == Errc::kNoSpace ? census.full : census.damaged).push_back(drive);
  census.lost.push_back({drive, false, error.message()});
}

// Keeps the mirrors for which `step` succeeds; an error when none is left, or when it is this process's own.
Status keep_if(io::Drives& drives, Census& census, const std::function<Status(Candidate&)>& step) {
  std::vector<Candidate> kept;
  Status last;
  for (Candidate& candidate : census.good) {
    last = step(candidate);
    if (last) {
      kept.push_back(candidate);
    } else if (last.error() == Errc::kOverloaded) {
      return last;
    } else {
      set_aside(drives, census, candidate.mirror->drive(), last.error());
    }
  }
  census.good = std::move(kept);
  return census.good.empty() ? last : Status();
}

// Leaves only mirrors that hold the same commits, flushed.
Status bring_level(io::Drives& drives, Census& census) {
  for (;;) {
    // A copy: `census.good` is rebuilt, and the leader itself may turn out to be unable to flush.
    const Candidate leader = *std::max_element(
        census.good.begin(), census.good.end(),
        [](const auto& a, const auto& b) { return a.mirror->state().applied() < b.mirror->state().applied(); });
    // Its state has all that its log has: once flushed, it can be copied from even if the log can no longer be read.
    const Status led = leader.mirror->state().flush();
    CHECK_OK(keep_if(drives, census, [&](Candidate& candidate) -> Status {
      if (candidate.mirror == leader.mirror) return led;
      TRY(const bool level, catch_up(leader, candidate));
      if (level) return candidate.mirror->state().flush();
      // Without the leader, the next one is chosen among those that got as far as they could.
      if (!led) return {};
      return fail(Errc::kCorrupt, "the leader's log does not give what it lacks; to be copied anew");
    }));
    if (led) return {};
  }
}

Status mark_out(io::Drives& drives, const std::vector<DriveId>& gone) {
  return drives.update([&](io::DriveMap& map) -> Status {
    for (io::DriveInfo& drive : map.drives) {
      if (std::find(gone.begin(), gone.end(), drive.id) != gone.end()) drive.mirrors_metadata = false;
    }
    return {};
  });
}

// Where a mirror's journal ends.
struct JournalTail {
  std::uint64_t sequence = 0;
  std::string entry;
  friend bool operator==(const JournalTail&, const JournalTail&) = default;
};

// That of most; of the first, where several are of as many.
JournalTail most_common(const std::map<DriveId, JournalTail>& tails, const Census& census) {
  JournalTail best;
  std::ptrdiff_t most = 0;
  for (const Candidate& candidate : census.good) {
    const JournalTail& tail = tails.at(candidate.mirror->drive());
    const auto alike =
        std::count_if(tails.begin(), tails.end(), [&](const auto& other) { return other.second == tail; });
    if (alike > most) best = tail;
    most = std::max(most, alike);
  }
  return best;
}

// Where the journal goes on: the last entry of the mirrors, of which those that are damaged are set aside. So are those
// whose history is another than that of most: each entry is linked to all before it, so two that end alike are alike.
Status find_last_entry(io::Drives& drives, Census& census, LogSealer& sealer, Committer::Start& start) {
  std::map<DriveId, JournalTail> tails;
  CHECK_OK(keep_if(drives, census, [&](Candidate& candidate) -> Status {
    JournalTail tail;
    CHECK_OK(candidate.mirror->state().last_entry(tail.sequence, tail.entry));
    CHECK_OK(sealer.restore(tail.sequence, as_bytes(tail.entry)));
    tails[candidate.mirror->drive()] = std::move(tail);
    return {};
  }));
  const JournalTail tail = most_common(tails, census);
  CHECK_OK(keep_if(drives, census, [&](Candidate& candidate) -> Status {
    if (tails.at(candidate.mirror->drive()) == tail) return {};
    return fail(Errc::kCorrupt, "its journal ends otherwise than that of other mirrors with as many commits");
  }));
  start.last_sequence = tail.sequence;
  start.last_entry = tail.entry;
  return sealer.restore(tail.sequence, as_bytes(tail.entry));
}

}  // namespace

Result<Recovered> recover(io::Drives& drives, const Mirror::Options& options, bool create, LogSealer& sealer,
                          Random& random) {
  TRY(Census census, take_census(drives, options));
  CHECK_OK(check_census(census, create));
  if (census.good.empty()) CHECK_OK(create_all(drives, options, census));
  CHECK_OK(bring_level(drives, census));

  Recovered recovered;
  CHECK_OK(find_last_entry(drives, census, sealer, recovered.start));
  recovered.start.salt = draw_salt(random);
  // All are level and flushed, so no mirror needs another's records any more.
  CHECK_OK(keep_if(drives, census, [&](Candidate& candidate) {
    return begin_epoch(*candidate.mirror, recovered.start.salt, options.log_segment_bytes);
  }));

  recovered.stale = census.empty;
  recovered.stale.insert(recovered.stale.end(), census.damaged.begin(), census.damaged.end());
  std::vector<DriveId> gone = recovered.stale;
  gone.insert(gone.end(), census.offline.begin(), census.offline.end());
  // Before the first commit: from then on these lack what was acknowledged. Where too few drives are online for the map
  // to be changed, nothing is acknowledged before it is.
  const Status marked = gone.empty() ? drives.settle() : mark_out(drives, gone);
  if (!marked && marked.error() == Errc::kUnavailable) {
    recovered.unmarked = {gone.begin(), gone.end()};
  } else {
    CHECK_OK(marked);
  }
  recovered.full = {census.full.begin(), census.full.end()};
  recovered.lost = std::move(census.lost);
  for (const Candidate& candidate : census.good) recovered.mirrors.push_back(candidate.mirror);
  recovered.start.last_index = recovered.mirrors.front()->state().applied();
  return recovered;
}

Result<std::shared_ptr<Mirror>> open_and_replay(DriveId drive, std::shared_ptr<io::Disk> disk,
                                                const Mirror::Options& options) {
  TRY(Candidate candidate, open_candidate(drive, std::move(disk), options));
  return std::move(candidate.mirror);
}

std::uint64_t draw_salt(Random& random) {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes{};
  random.fill(bytes);
  std::uint64_t salt = 0;
  std::memcpy(&salt, bytes.data(), bytes.size());
  return salt;
}

Status begin_epoch(Mirror& mirror, std::uint64_t salt, std::uint64_t segment_bytes) {
  CHECK_OK(mirror.state().start_epoch(salt));
  CHECK_OK(mirror.resize_log(segment_bytes));
  return mirror.log().start();
}

}  // namespace andromede::meta
