#include "fleet/mirror_keeper.h"

#include <algorithm>

#include "base/log.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::seconds kRetryAfter{5};

bool contains(const std::vector<DriveId>& list, DriveId drive) {
  return std::find(list.begin(), list.end(), drive) != list.end();
}

}  // namespace

MirrorKeeper::MirrorKeeper(io::Drives& drives, meta::Mirrors& mirrors, Candidates& candidates, sovereignty::Rule rule,
                           const Clock& clock, std::chrono::milliseconds grace, Witness witness)
    : drives_(drives),
      mirrors_(mirrors),
      candidates_(candidates),
      rule_(rule),
      clock_(clock),
      grace_(grace),
      witness_(std::move(witness)) {}

bool MirrorKeeper::takes_part(DriveId drive) const {
  const auto mirrors = mirrors_.mirrors();
  return std::any_of(mirrors.begin(), mirrors.end(),
                     [drive](const meta::MirrorStatus& mirror) { return mirror.drive == drive && mirror.online; });
}

MirrorKeeper::State MirrorKeeper::state() const {
  State state;
  state.wanted = std::size_t{rule_.parity_shards} + 1;
  const auto map = drives_.map();
  for (const meta::MirrorStatus& mirror : mirrors_.mirrors()) {
    const io::DriveInfo* drive = map->find(mirror.drive);
    if (mirror.online && drive != nullptr && drive->state == io::DriveState::kActive) ++state.online;
  }
  return state;
}

Status MirrorKeeper::keep(const std::function<bool()>& go_on) {
  const SteadyTime now = clock_.steady();
  const auto map = drives_.map();
  std::vector<DriveId> current;
  CandidateList candidates = *candidates_.snapshot();
  for (const io::DriveInfo& drive : map->drives) {
    if (!drive.mirrors_metadata || drive.state != io::DriveState::kActive) continue;
    if (drives_.online(drive.id)) {
      away_since_.erase(drive.id);
      current.push_back(drive.id);
    } else if (now - away_since_.try_emplace(drive.id, now).first->second < grace_) {
      // Gone for a moment only, perhaps: its place is kept.
      current.push_back(drive.id);
      candidates.push_back({drive.id, drive.site, drive.associate, 0, 0});
    }
  }
  // Those that take part come first: of two mirrors on one site, the one that works is kept. Looked up once: a mirror
  // may fail at any moment, and an order that changes while it is made takes the algorithm out of its range.
  std::map<DriveId, bool> part;
  for (const DriveId drive : current) part[drive] = takes_part(drive);
  std::stable_partition(current.begin(), current.end(), [&part](DriveId drive) { return part.at(drive); });
  const auto wanted = sovereignty::place_mirrors(rule_, candidates, current);
  if (now < retry_at_) return {};
  Status kept = add_missing(wanted, go_on);
  if (kept) kept = remove_surplus(wanted);
  if (!kept) retry_at_ = clock_.steady() + kRetryAfter;
  return kept;
}

Status MirrorKeeper::add_missing(const std::vector<DriveId>& wanted, const std::function<bool()>& go_on) {
  for (const DriveId id : wanted) {
    if (takes_part(id) || !drives_.online(id)) continue;
    const auto map = drives_.map();
    const io::DriveInfo* drive = map->find(id);
    if (drive == nullptr) continue;
    log_info("making a metadata mirror", {{"drive", drive->name.value()}});
    if (!drive->mirrors_metadata) CHECK_OK(witness_(*drive, true));
    const Status added = mirrors_.add_mirror(id, [&go_on](std::uint64_t, std::uint64_t) { return go_on(); });
    if (!added) return fail(added.error().in("metadata mirror on " + drive->name.value()));
    log_info("metadata mirror takes part", {{"drive", drive->name.value()}});
  }
  return {};
}

Status MirrorKeeper::remove_surplus(const std::vector<DriveId>& wanted) {
  // Only once every wanted one takes part, so that the number of copies never falls.
  for (const DriveId id : wanted) {
    if (!takes_part(id)) return {};
  }
  if (wanted.empty()) return {};
  const auto map = drives_.map();
  for (const io::DriveInfo& drive : map->drives) {
    if (!drive.mirrors_metadata || contains(wanted, drive.id)) continue;
    // A lost mirror that has no successor yet is expected back, unless its drive is never coming back.
    const bool leaves = drive.state != io::DriveState::kActive;
    if (!leaves && !drives_.online(drive.id) && wanted.size() < std::size_t{rule_.parity_shards} + 1) continue;
    CHECK_OK(witness_(drive, false));
    const Status removed = mirrors_.remove_mirror(drive.id);
    if (!removed) return fail(removed.error().in("metadata mirror on " + drive.name.value()));
    away_since_.erase(drive.id);
    log_info("metadata mirror given up", {{"drive", drive.name.value()}});
  }
  return {};
}

}  // namespace andromede::fleet
