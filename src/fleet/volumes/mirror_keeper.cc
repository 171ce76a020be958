#include "fleet/volumes/mirror_keeper.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{5000};
constexpr std::chrono::milliseconds kFirstRetryWhileShort{250};
constexpr std::chrono::milliseconds kLongestRetry{300'000};
constexpr std::chrono::milliseconds kLongestRetryWhileShort{4000};
// So long another drive is preferred to one on which a mirror could not be made.
constexpr std::chrono::minutes kAvoidAfterFailure{10};

bool contains(const std::vector<DriveId>& list, DriveId drive) {
  return std::find(list.begin(), list.end(), drive) != list.end();
}

bool active(const io::DriveMap& map, DriveId id) {
  const io::DriveInfo* drive = map.find(id);
  return drive != nullptr && drive->state == io::DriveState::kActive;
}

}  // namespace

MirrorKeeper::MirrorKeeper(io::Drives& drives, meta::Mirrors& mirrors, Candidates& candidates,
                           const PolicyBook& policies, const Clock& clock, std::chrono::milliseconds grace,
                           Journal journal)
    : drives_(drives),
      mirrors_(mirrors),
      candidates_(candidates),
      policies_(policies),
      clock_(clock),
      grace_(grace),
      journal_(std::move(journal)) {}

MirrorKeeper::Drives MirrorKeeper::online_mirrors() const {
  Drives online;
  for (const meta::MirrorStatus& mirror : mirrors_.mirrors()) {
    if (mirror.online) online.insert(mirror.drive);
  }
  return online;
}

MirrorKeeper::State MirrorKeeper::state() const {
  State state;
  const auto map = drives_.map();
  const auto stays = [](const io::DriveInfo& drive) { return drive.state == io::DriveState::kActive; };
  const auto drives = std::count_if(map->drives.begin(), map->drives.end(), stays);
  state.wanted = std::min<std::size_t>(mirrors_demanded(), static_cast<std::size_t>(drives));
  const Drives online = online_mirrors();
  std::set<SiteId> sites;
  std::set<SiteId> sites_with_leaving;
  std::set<SiteId> all_sites;
  for (const io::DriveInfo& drive : map->drives) {
    if (online.contains(drive.id)) sites_with_leaving.insert(drive.site);
    if (!stays(drive)) {
      if (online.contains(drive.id)) ++state.leaving;
      continue;
    }
    if (drives_.online(drive.id)) all_sites.insert(drive.site);
    if (!online.contains(drive.id)) continue;
    ++state.online;
    sites.insert(drive.site);
  }
  state.sites = sites.size();
  state.sites_with_leaving = sites_with_leaving.size();
  state.sites_wanted = std::min(state.wanted, all_sites.size());
  return state;
}

std::string MirrorKeeper::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

Status MirrorKeeper::keep(const std::function<bool()>& go_on) {
  const bool commits_wait = mirrors_.shortfall().has_value();
  // A drive that has just gone must not be chosen.
  if (commits_wait) candidates_.refresh();
  const auto map = drives_.map();
  note_members(*map, online_mirrors(), commits_wait ? std::chrono::milliseconds(0) : grace_);
  const bool others = other_drives();
  // However often it failed.
  if (commits_wait) retry_at_ = std::min(retry_at_, clock_.steady() + kLongestRetryWhileShort);
  if (clock_.steady() < retry_at_ && !others) return {};
  Status kept = change(go_on);
  failures_ = kept ? 0 : failures_ + 1;
  if (!kept) {
    const auto first = commits_wait ? kFirstRetryWhileShort : kFirstRetry;
    retry_at_ = clock_.steady() + std::min(first * (1U << std::min(failures_ - 1, 10U)), kLongestRetry);
  }
  const std::lock_guard lock(mutex_);
  trouble_ = kept ? std::string() : kept.error().message();
  return kept;
}

bool MirrorKeeper::other_drives() {
  Drives now;
  const auto candidates = candidates_.snapshot();
  for (const sovereignty::Candidate& candidate : *candidates) now.insert(candidate.drive);
  return std::exchange(tried_with_, now) != now;
}

void MirrorKeeper::note_members(const io::DriveMap& map, const Drives& online, std::chrono::milliseconds grace) {
  for (const DriveId id : online) {
    members_[id] = std::nullopt;
    swept_.erase(id);
  }
  const SteadyTime now = clock_.steady();
  for (auto member = members_.begin(); member != members_.end();) {
    const io::DriveInfo* drive = map.find(member->first);
    if (!online.contains(member->first) && !member->second) {
      member->second = now;
      if (drive != nullptr) {
        const Status told = journal_(*drive, Change::kLost);
        if (!told) log_warning("the loss of a metadata mirror is not journaled", {{"error", told.error().describe()}});
      }
    }
    const bool forgotten = member->second && now - *member->second >= grace;
    member = forgotten || !active(map, member->first) ? members_.erase(member) : std::next(member);
  }
  for (const io::DriveInfo& drive : map.drives) {
    if (!drives_.online(drive.id)) swept_.erase(drive.id);
  }
}

std::vector<DriveId> MirrorKeeper::wanted(const io::DriveMap& map, const Drives& online) const {
  CandidateList candidates = *candidates_.snapshot();
  // Those that take part come first: of two mirrors on one site, the one that works is kept.
  std::vector<DriveId> current;
  for (const auto& [id, away_since] : members_) {
    if (online.contains(id)) current.push_back(id);
  }
  for (const auto& [id, away_since] : members_) {
    if (online.contains(id)) continue;
    current.push_back(id);
    const bool listed = std::any_of(candidates.begin(), candidates.end(),
                                    [&id](const sovereignty::Candidate& candidate) { return candidate.drive == id; });
    const io::DriveInfo* drive = map.find(id);
    if (!listed && drive != nullptr) candidates.push_back({id, drive->site, drive->associate, 0, 0});
  }
  // With none left, those that the map names are the only ones that still have it all.
  for (const io::DriveInfo& drive : map.drives) {
    if (drive.mirrors_metadata && !contains(current, drive.id)) current.push_back(drive.id);
  }
  auto places = sovereignty::place_mirrors(mirrors_demanded(), candidates, current);
  return with_room(std::move(places), candidates, current);
}

MirrorKeeper::Drives MirrorKeeper::full() const {
  Drives full;
  const auto rooms = mirrors_.room();
  for (const meta::MirrorRoom& mirror : rooms) {
    if (mirror.free_bytes < mirror.least_bytes) full.insert(mirror.drive);
  }
  return full;
}

MirrorKeeper::Drives MirrorKeeper::refusing() const {
  const auto out = mirrors_.out_for_space();
  Drives refusing(out.begin(), out.end());
  const SteadyTime now = clock_.steady();
  for (const auto& [drive, until] : failed_on_) {
    if (now < until) refusing.insert(drive);
  }
  return refusing;
}

std::uint64_t MirrorKeeper::needed_bytes() const {
  std::uint64_t least_bytes = 0;
  const auto rooms = mirrors_.room();
  for (const meta::MirrorRoom& mirror : rooms) least_bytes = std::max(least_bytes, mirror.least_bytes);
  std::uint64_t mirror_bytes = 0;
  const auto mirrors = mirrors_.mirrors();
  for (const meta::MirrorStatus& mirror : mirrors) mirror_bytes = std::max(mirror_bytes, mirror.bytes);
  return 2 * (least_bytes + mirror_bytes);
}

std::size_t MirrorKeeper::sites_of(const std::vector<DriveId>& drives) const {
  const auto map = drives_.map();
  std::set<SiteId> sites;
  for (const DriveId id : drives) {
    if (const io::DriveInfo* const drive = map->find(id)) sites.insert(drive->site);
  }
  return sites.size();
}

std::vector<DriveId> MirrorKeeper::with_room(std::vector<DriveId> places, const CandidateList& candidates,
                                             const std::vector<DriveId>& current) const {
  // That one has failed elsewhere must not keep a mirror where there is no room.
  std::array<Drives, 2> sets{refusing(), full()};
  sets[0].insert(sets[1].begin(), sets[1].end());
  if (sets[0].empty()) return places;
  const std::uint64_t needed = needed_bytes();
  for (const Drives& avoided : sets) {
    if (avoided.empty()) break;
    std::vector<DriveId> staying = current;
    std::erase_if(staying, [&](DriveId drive) { return avoided.contains(drive); });
    CandidateList roomy = candidates;
    std::erase_if(roomy, [&](const sovereignty::Candidate& candidate) {
      return avoided.contains(candidate.drive) ||
             (!contains(staying, candidate.drive) && candidate.free_bytes < needed);
    });
    auto found = sovereignty::place_mirrors(mirrors_demanded(), roomy, staying);
    if (found.size() >= places.size() && sites_of(found) >= sites_of(places)) return found;
  }
  return mirrors_.shortfall() ? spare_the_full(std::move(places), candidates) : places;
}

std::vector<DriveId> MirrorKeeper::spare_the_full(std::vector<DriveId> places, const CandidateList& candidates) const {
  const auto out = mirrors_.out_for_space();
  const Drives online = online_mirrors();
  CandidateList others = candidates;
  std::erase_if(others, [&](const sovereignty::Candidate& candidate) { return contains(out, candidate.drive); });
  std::vector<DriveId> spared = sovereignty::place_mirrors(mirrors_demanded(), others, {online.begin(), online.end()});
  const bool another = std::any_of(spared.begin(), spared.end(),
                                   [&](DriveId drive) { return !online.contains(drive) && drives_.online(drive); });
  if (!another) return places;
  // Nothing is given up for it.
  for (const DriveId drive : online) {
    if (!contains(spared, drive)) spared.push_back(drive);
  }
  return spared;
}

Status MirrorKeeper::bring_back(const std::function<bool()>& go_on) {
  Status first;
  const auto map = drives_.map();
  for (const io::DriveInfo& drive : map->drives) {
    if (!drive.mirrors_metadata || !drives_.online(drive.id)) continue;
    Status back = add(drive, go_on);
    // The map names no other any more.
    if (back || back.error() == Errc::kCancelled) return back;
    log_warning("a metadata mirror does not come back",
                {{"drive", drive.name.value()}, {"error", back.error().describe()}});
    if (first) first = std::move(back);
  }
  return first;
}

Status MirrorKeeper::change(const std::function<bool()>& go_on) {
  // Whatever one of them fails of must not keep the others out.
  if (online_mirrors().empty()) CHECK_OK(bring_back(go_on));
  const auto map = drives_.map();
  const Drives online = online_mirrors();
  const std::vector<DriveId> places = wanted(*map, online);
  CHECK_OK(add_missing(*map, places, online, go_on));
  CHECK_OK(tell_owed(*map));
  return remove_surplus(*map, places);
}

Status MirrorKeeper::add_missing(const io::DriveMap& map, const std::vector<DriveId>& wanted, const Drives& online,
                                 const std::function<bool()>& go_on) {
  for (const DriveId id : wanted) {
    const io::DriveInfo* drive = map.find(id);
    if (online.contains(id) || drive == nullptr || !drives_.online(id)) continue;
    CHECK_OK(add(*drive, go_on));
  }
  return {};
}

Status MirrorKeeper::add(const io::DriveInfo& drive, const std::function<bool()>& go_on) {
  log_info("making a metadata mirror", {{"drive", drive.name.value()}});
  // One that the map still names was the last of all and comes back: no entry can be written before it does.
  const Status told = drive.mirrors_metadata ? Status() : journal_(drive, Change::kAdded);
  // Where a full mirror refuses even the entry, it is this one that lets commits do without that one.
  const bool owed = !told && told.error() == Errc::kNoSpace;
  if (!told && !owed) return told;
  const Status added = mirrors_.add_mirror(drive.id, [&go_on](std::uint64_t, std::uint64_t) { return go_on(); });
  if (!added) {
    // Neither of which is the drive's fault; kUnavailable is that of the mirror copied from, or the drive is offline.
    if (added.error() != Errc::kCancelled && added.error() != Errc::kOverloaded &&
        added.error() != Errc::kUnavailable) {
      failed_on_[drive.id] = clock_.steady() + kAvoidAfterFailure;
    }
    return fail(added.error().in("metadata mirror on " + drive.name.value()));
  }
  failed_on_.erase(drive.id);
  log_info("metadata mirror takes part", {{"drive", drive.name.value()}});
  if (owed) untold_.insert(drive.id);
  return {};
}

Status MirrorKeeper::tell_owed(const io::DriveMap& map) {
  while (!untold_.empty()) {
    const io::DriveInfo* const drive = map.find(*untold_.begin());
    if (drive != nullptr) CHECK_OK(journal_(*drive, Change::kAdded));
    untold_.erase(untold_.begin());
  }
  return {};
}

Status MirrorKeeper::remove_surplus(const io::DriveMap& map, const std::vector<DriveId>& wanted) {
  // Only once every wanted one takes part, so that the number of copies never falls.
  const Drives online = online_mirrors();
  const auto takes_part = [&online](DriveId id) { return online.contains(id); };
  if (wanted.empty() || !std::all_of(wanted.begin(), wanted.end(), takes_part)) return {};
  for (const io::DriveInfo& drive : map.drives) {
    if (contains(wanted, drive.id) || !drives_.online(drive.id) || swept_.contains(drive.id)) continue;
    if (!takes_part(drive.id)) {
      TRY(const bool left, mirrors_.holds_files(drive.id));
      if (!left) {
        swept_.insert(drive.id);
        continue;
      }
    }
    CHECK_OK(journal_(drive, Change::kRemoved));
    const Status removed = mirrors_.remove_mirror(drive.id);
    if (!removed) return fail(removed.error().in("metadata mirror on " + drive.name.value()));
    members_.erase(drive.id);
    log_info("metadata mirror given up", {{"drive", drive.name.value()}});
  }
  return {};
}

Result<unsigned> MirrorKeeper::verify(const std::function<bool(std::uint64_t bytes)>& pace) {
  unsigned damaged = 0;
  for (const DriveId id : online_mirrors()) {
    const Status sound = mirrors_.verify_mirror(id, pace);
    if (sound) continue;
    const auto map = drives_.map();
    const io::DriveInfo* drive = map->find(id);
    const std::string name = drive == nullptr ? id.to_string() : drive->name.value();
    if (sound.error() != Errc::kCorrupt) return fail(sound.error().in("metadata mirror on " + name));
    log_error("a metadata mirror is damaged", {{"drive", name}, {"error", sound.error().describe()}});
    if (online_mirrors().contains(id)) return fail(sound.error().in("the only metadata mirror, on " + name));
    ++damaged;
  }
  return damaged;
}

}  // namespace andromede::fleet
