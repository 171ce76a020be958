#include "meta/rocksdb/recovery.h"

#include <algorithm>
#include <array>

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
  std::string damage;  // what is wrong with the damaged ones, for people

  [[nodiscard]] std::size_t current() const { return good.size() + empty.size() + damaged.size() + offline.size(); }
};

Status replay(Candidate& candidate) {
  Mirror& mirror = *candidate.mirror;
  TRY(candidate.records, mirror.log().scan(mirror.state().salt(), mirror.state().applied()));
  for (const CommitLog::Position& position : candidate.records) {
    TRY(const Bytes record, mirror.log().read(position));
    const ByteView payload = ByteView(record).subspan(kRecordHeaderBytes, position.header.payload_bytes);
    CHECK_OK(mirror.state().apply(payload, position.header.last_index()));
  }
  return {};
}

Result<Candidate> open_candidate(DriveId drive, std::shared_ptr<io::Disk> disk, const Mirror::Options& options) {
  TRY(std::unique_ptr<Mirror> mirror, Mirror::open(drive, std::move(disk), options));
  Candidate candidate{std::move(mirror), {}};
  CHECK_OK(replay(candidate));
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
    } else if (candidate.error() == Errc::kCorrupt) {
      log_error("metadata: a mirror is damaged",
                {{"drive", drive.name.value()}, {"error", candidate.error().describe()}});
      census.damage += (census.damage.empty() ? "" : "; ") + drive.name.value() + ": " + candidate.error().message();
      census.damaged.push_back(drive.id);
    } else if (candidate.error() == Errc::kIo) {
      drives.report_failure(drive.id, candidate.error());
      census.offline.push_back(drive.id);
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
  return {};
}

Status check_census(const Census& census) {
  if (census.current() == 0) return fail(Errc::kUnavailable, "the drive map names no metadata mirror");
  if (!census.good.empty()) return {};
  if (!census.damaged.empty()) {
    return fail(Errc::kCorrupt, "no intact metadata mirror is online; damaged: " + census.damage +
                                    ". Bring a drive with an intact mirror online");
  }
  if (!census.offline.empty()) {
    return fail(Errc::kUnavailable,
                std::to_string(census.offline.size()) +
                    " metadata mirror(s) are offline and those online hold nothing; bring one online");
  }
  return {};
}

// Applies what `leader` has above `follower`'s state. False: the leader's log does not reach back that far.
Result<bool> catch_up(const Candidate& leader, Candidate& follower) {
  State& state = follower.mirror->state();
  for (const CommitLog::Position& position : leader.records) {
    const RecordHeader& header = position.header;
    if (header.last_index() <= state.applied()) continue;
    if (header.first_index != state.applied() + 1) return false;
    TRY(const Bytes record, leader.mirror->log().read(position));
    CHECK_OK(state.apply(ByteView(record).subspan(kRecordHeaderBytes, header.payload_bytes), header.last_index()));
  }
  return state.applied() == leader.mirror->state().applied();
}

// Moves every mirror that cannot be brought level to the damaged ones.
Status bring_level(io::Drives& drives, Census& census) {
  const auto leader = std::max_element(census.good.begin(), census.good.end(), [](const auto& a, const auto& b) {
    return a.mirror->state().applied() < b.mirror->state().applied();
  });
  std::vector<Candidate> level;
  for (Candidate& candidate : census.good) {
    if (&candidate == &*leader) {
      level.push_back(candidate);
      continue;
    }
    Result<bool> reached = catch_up(*leader, candidate);
    if (reached && *reached) {
      const Status flushed = candidate.mirror->state().flush();
      if (!flushed) reached = fail(flushed.error());
    }
    if (reached && *reached) {
      level.push_back(candidate);
    } else if (!reached && reached.error() == Errc::kIo) {
      drives.report_failure(candidate.mirror->drive(), reached.error());
      census.offline.push_back(candidate.mirror->drive());
    } else {
      census.damaged.push_back(candidate.mirror->drive());
    }
  }
  CHECK_OK(leader->mirror->state().flush());
  census.good = std::move(level);
  return {};
}

Status mark_out(io::Drives& drives, const std::vector<DriveId>& gone) {
  return drives.update([&](io::DriveMap& map) -> Status {
    for (io::DriveInfo& drive : map.drives) {
      if (std::find(gone.begin(), gone.end(), drive.id) != gone.end()) drive.mirrors_metadata = false;
    }
    return {};
  });
}

}  // namespace

Result<Recovered> recover(io::Drives& drives, const Mirror::Options& options, Random& random) {
  TRY(Census census, take_census(drives, options));
  CHECK_OK(check_census(census));
  if (census.good.empty()) CHECK_OK(create_all(drives, options, census));
  CHECK_OK(bring_level(drives, census));

  Recovered recovered;
  recovered.stale = census.empty;
  recovered.stale.insert(recovered.stale.end(), census.damaged.begin(), census.damaged.end());
  std::vector<DriveId> gone = recovered.stale;
  gone.insert(gone.end(), census.offline.begin(), census.offline.end());
  // Before the first commit: from then on these lack what was acknowledged.
  if (!gone.empty()) CHECK_OK(mark_out(drives, gone));

  std::array<std::uint8_t, sizeof(std::uint64_t)> salt{};
  random.fill(salt);
  std::memcpy(&recovered.start.salt, salt.data(), salt.size());
  for (const Candidate& candidate : census.good) {
    // All are level and flushed, so no mirror needs another's records any more.
    CHECK_OK(candidate.mirror->state().start_epoch(recovered.start.salt));
    CHECK_OK(candidate.mirror->log().start());
    recovered.mirrors.push_back(candidate.mirror);
  }
  const State& state = recovered.mirrors.front()->state();
  recovered.start.last_index = state.applied();
  CHECK_OK(state.last_entry(recovered.start.last_sequence, recovered.start.last_entry));
  return recovered;
}

}  // namespace andromede::meta
