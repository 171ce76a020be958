// Reclaim: the space of records that nothing names is given back, unless something else may be wrong than that they are
// orphans (docs/adr/0084-reclaim-asks-every-mirror.md).
#include <algorithm>

#include "base/log.h"
#include "fleet/volumes/fleet_impl.h"
#include "io/drive_label.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::seconds kTryAgainAfter{30};

}  // namespace

std::string FleetImpl::reclaim_waits_for(const std::vector<DriveInfo>& given_up) const {
  if (mirrors_.shortfall()) return "too few metadata mirrors take part";
  return mirror_that_knows_more(given_up);
}

std::string FleetImpl::mirror_that_knows_more(const std::vector<DriveInfo>& given_up) const {
  const auto map = drives_.map();
  for (const DriveId id : mirrors_.absent_at_opening()) {
    const DriveInfo* const drive = map->find(id);
    const auto same = [&](const DriveInfo& other) { return other.id == id; };
    if (drive == nullptr || !io::in_use(*drive) || drives_.online(id)) continue;
    if (std::any_of(given_up.begin(), given_up.end(), same)) continue;
    return "drive " + drive->name.value() + " (site " + drive->site.value() +
           "), which held a current metadata mirror, has been away since the start: bring it back, replace or drain it";
  }
  return {};
}

void FleetImpl::note_stopped_reclaim(const DriveInfo& drive, const std::string& why) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    const auto [stopped, is_new] = reclaim_stopped_.try_emplace(drive.id);
    stopped->second.why = why;
    if (stopped->second.journaled) return;
    first = is_new;
  }
  if (first) log_error("reclaim stopped", {{"drive", drive.name.value()}, {"reason", why}});
  const Status told = journal_.record("StopReclaim", kFleetItself, {{"drive", drive.name.value()}, {"reason", why}});
  if (!told) {
    log_warning("a stopped reclaim is not journaled yet", {{"error", told.error().describe()}});
    return;
  }
  const std::lock_guard lock(mutex_);
  if (const auto stopped = reclaim_stopped_.find(drive.id); stopped != reclaim_stopped_.end()) {
    stopped->second.journaled = true;
  }
}

Result<blob::Maintenance::Reclaimed> FleetImpl::reclaim_on(const DriveInfo& drive, const blob::GoOn& go_on) {
  using Share = blob::Maintenance::Share;
  Share share = Share::kPlausible;
  {
    const std::lock_guard lock(mutex_);
    if (reclaim_accepted_.contains(drive.id)) share = Share::kAny;
  }
  auto reclaimed = blobs_.reclaim_orphans(drive.id, catalog_, options_.orphan_grace, share, go_on);
  if (!reclaimed) {
    if (reclaimed.error() == Errc::kRefused) note_stopped_reclaim(drive, reclaimed.error().message());
    return reclaimed;
  }
  const std::lock_guard lock(mutex_);
  reclaim_stopped_.erase(drive.id);
  reclaim_accepted_.erase(drive.id);
  reclaimed_[drive.id] = *reclaimed;
  if (reclaimed->bytes > 0) {
    log_info("orphans reclaimed",
             {{"drive", drive.name.value()}, {"records", reclaimed->records}, {"bytes", reclaimed->bytes}});
  }
  return reclaimed;
}

void FleetImpl::reclaim() {
  reclaim_at_ = clock_.steady() + options_.reclaim_every;
  const auto map = drives_.map();
  for (const DriveInfo& drive : map->drives) {
    if (stopping_) return;
    if (!io::in_use(drive) || !drives_.online(drive.id)) continue;
    if (const std::string why = reclaim_waits_for({}); !why.empty()) {
      log_info("reclaim waits", {{"reason", why}});
      reclaim_at_ = clock_.steady() + std::min<std::chrono::milliseconds>(kTryAgainAfter, options_.reclaim_every);
      return;
    }
    const auto idle = [this] {
      const std::lock_guard lock(mutex_);
      return !stopping_ && !requested_ && !heal_due_;
    };
    const auto reclaimed = reclaim_on(drive, idle);
    if (!reclaimed && reclaimed.error() == Errc::kCancelled) {
      reclaim_at_ = clock_.steady() + std::min<std::chrono::milliseconds>(kTryAgainAfter, options_.reclaim_every);
      return;
    }
    if (!reclaimed) {
      log_warning("orphans not reclaimed", {{"drive", drive.name.value()}, {"error", reclaimed.error().describe()}});
    }
  }
}

Status FleetImpl::accept_orphans(DriveName drive, std::string operator_name) {
  const std::lock_guard operators(operators_);
  const auto map = drives_.map();
  const DriveInfo* const known = map->find(drive);
  if (known == nullptr) return fail(Errc::kNotFound, "no drive named " + drive.value() + "; see: andromede drive list");
  std::string why;
  {
    const std::lock_guard lock(mutex_);
    if (const auto stopped = reclaim_stopped_.find(known->id); stopped != reclaim_stopped_.end())
      why = stopped->second.why;
  }
  if (why.empty())
    return fail(Errc::kConflict, "reclaim did not stop on " + drive.value() + ": there is nothing to accept");
  CHECK_OK(journal_.record("AcceptOrphans", std::move(operator_name), {{"drive", drive.value()}, {"reason", why}}));
  const std::lock_guard lock(mutex_);
  reclaim_accepted_.insert(known->id);
  reclaim_due_ = true;
  wake_.notify_all();
  return {};
}

}  // namespace andromede::fleet
