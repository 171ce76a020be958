#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include "base/log.h"
#include "fleet/volumes/balance.h"
#include "fleet/volumes/fleet_impl.h"
#include "fleet/volumes/volumes_fleet.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::seconds kWatchEvery{1};
constexpr std::chrono::milliseconds kKeepEvery{200};
constexpr std::chrono::seconds kEndsGently{5};
constexpr std::chrono::seconds kJournalAgainAfter{5};
// More damaged blobs than this are not remembered one by one: a scrub finds them.
constexpr std::size_t kMaxDamagedRemembered = 10'000;
constexpr std::chrono::seconds kAttachAgainAfter{30};
// A rebalance that an earlier process did not end is taken up again; less is not worth a pass at every start.
constexpr double kUnevenAtStart = 0.01;
// Blobs written short wait for their heal no longer than this, however many more come.
constexpr std::chrono::minutes kShortWritesAtMost{10};

const char* event_of(MirrorKeeper::Change change) {
  switch (change) {
    case MirrorKeeper::Change::kAdded:
      return "AddMetadataMirror";
    case MirrorKeeper::Change::kLost:
      return "LoseMetadataMirror";
    case MirrorKeeper::Change::kRemoved:
      return "RemoveMetadataMirror";
  }
  return "ChangeMetadataMirror";
}

}  // namespace

std::string names_of(const std::vector<DriveInfo>& drives) {
  std::string names;
  for (const DriveInfo& drive : drives) names += (names.empty() ? "" : ", ") + drive.name.value();
  return names;
}

std::vector<DriveInfo> drives_in(const DriveMap& map, DriveState state) {
  std::vector<DriveInfo> drives;
  for (const DriveInfo& drive : map.drives) {
    if (drive.state == state) drives.push_back(drive);
  }
  return drives;
}

// --- life ------------------------------------------------------------------------------------------------------------

Status FleetImpl::start() {
  CHECK(!started_, "a fleet starts once");
  started_ = true;
  // Before anything else is committed. Where nothing can be, nothing else is either, and the mirrors' thread tries
  // again.
  static_cast<void>(journal_opening());
  candidates_.refresh();
  drives_.subscribe([signals = signals_](DriveId drive, bool online) {
    const std::lock_guard lock(signals->mutex);
    signals->drive_events.emplace_back(drive, online);
    signals->changed.notify_all();
  });
  drives_.watch();
  scrub_at_ = next_scrub();
  const auto draining = drives_in(*drives_.map(), DriveState::kDraining);
  if (const auto terms = journal_.drain_terms()) {
    keep_terms(*terms);
  } else if (!draining.empty()) {
    log_warning("a drain goes on as configured: what was asked of it is unknown",
                {{"error", terms.error().describe()}});
  }
  {
    const std::lock_guard lock(mutex_);
    if (!draining.empty()) {
      requested_ = resumed_drain(draining);
      log_info("resuming a drain", {{"drives", names_of(draining)}});
    }
    // An earlier process may have stopped in the middle of anything: one look at every record tells.
    heal_due_ = unlooked_ = true;
    const auto map = drives_.map();
    for (const DriveInfo& drive : map->drives) {
      if (!drives_.online(drive.id)) away_.insert(drive.id);
    }
    const auto candidates = candidates_.snapshot();
    rebalance_due_ = Balance(*candidates).unevenness() > kUnevenAtStart;
  }
  watcher_ = run_thread(&FleetImpl::watch);
  keeper_ = run_thread(&FleetImpl::keep_mirrors);
  worker_ = run_thread(&FleetImpl::work);
  return {};
}

Status FleetImpl::journal_opening() {
  const Status told = drive_events_.journal();
  if (!told) log_warning("what was found of drives is not journaled yet", {{"error", told.error().describe()}});
  return told;
}

std::thread FleetImpl::run_thread(void (FleetImpl::*run)()) {
  {
    const std::lock_guard lock(mutex_);
    ++threads_;
  }
  return std::thread([this, run] {
    (this->*run)();
    const std::lock_guard lock(mutex_);
    --threads_;
    ended_.notify_all();
  });
}

void FleetImpl::stop(const std::function<void()>& hurry) {
  if (!started_ || stopping_.exchange(true)) return;
  throttle_.wake();
  {
    const std::lock_guard lock(signals_->mutex);
    signals_->changed.notify_all();
  }
  {
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  }
  bool ended = false;
  {
    std::unique_lock lock(mutex_);
    ended = ended_.wait_for(lock, kEndsGently, [this] { return threads_ == 0; });
  }
  if (!ended && hurry) hurry();
  if (watcher_.joinable()) watcher_.join();
  if (keeper_.joinable()) keeper_.join();
  if (worker_.joinable()) worker_.join();
}

// Counted from the last scrub that ended, in whichever process that was.
SteadyTime FleetImpl::next_scrub() const {
  const auto last = journal_.last_scrub();
  if (!last) log_warning("the time of the last scrub is unknown", {{"error", last.error().describe()}});
  const std::int64_t since_ms = last && *last ? std::max<std::int64_t>(clock_.now().ms - (*last)->ms, 0) : 0;
  return clock_.steady() + options_.scrub_every - std::chrono::milliseconds(since_ms);
}

// --- mirrors' thread -------------------------------------------------------------------------------------------------

void FleetImpl::keep_mirrors() {
  name_thread("fleet-mirrors");
  SteadyTime journal_again_at{};
  while (!stopping_) {
    if (clock_.steady() >= journal_again_at && !journal_opening()) {
      journal_again_at = clock_.steady() + kJournalAgainAfter;
    }
    if (const Status kept = mirror_keeper_.keep([this] { return !stopping_; }); !kept) {
      log_warning("metadata mirrors", {{"error", kept.error().describe()}});
    }
    std::unique_lock lock(signals_->mutex);
    // Sooner when drives come or go; a mirror also fails without its drive.
    if (!stopping_) signals_->changed.wait_for(lock, kKeepEvery);
  }
}

Status FleetImpl::journal_mirror(const DriveInfo& drive, MirrorKeeper::Change change) {
  // The keeper must never wait for the redundancy that it is there to restore.
  Parameters parameters{{"drive", drive.name.value()}, {"site", drive.site.value()}};
  const std::string why = change == MirrorKeeper::Change::kLost ? mirrors_.why_lost(drive.id) : std::string();
  if (!why.empty()) parameters.emplace_back("reason", why);
  return journal_.record_restoring(event_of(change), kFleetItself, std::move(parameters));
}

// --- watching thread -------------------------------------------------------------------------------------------------

void FleetImpl::watch() {
  name_thread("fleet-watch");
  while (!stopping_) {
    handle_drive_events();
    const SteadyTime looked_at = std::chrono::steady_clock::now();
    const Usages usages = look_at_usages(drives_, blobs_);
    attach_missing(usages);
    candidates_.refresh(usages, looked_at);
    collect_damaged();
    look_at_short_writes();
    look_at_room(usages);
    update_metrics(usages);
    std::unique_lock lock(signals_->mutex);
    signals_->changed.wait_for(lock, kWatchEvery, [this] { return stopping_ || !signals_->drive_events.empty(); });
  }
}

void FleetImpl::handle_drive_events() {
  std::vector<std::pair<DriveId, bool>> events;
  {
    const std::lock_guard lock(signals_->mutex);
    events.swap(signals_->drive_events);
  }
  for (const auto& [id, online] : events) {
    const auto map = drives_.map();
    const DriveInfo* drive = map->find(id);
    if (drive == nullptr || drive->state == DriveState::kDrained || drive->state == DriveState::kReplaced) continue;
    if (!online) {
      log_warning("drive offline", {{"drive", drive->name.value()}, {"site", drive->site.value()}});
      const std::lock_guard lock(mutex_);
      away_.insert(id);
      continue;
    }
    if (const Status attached = blobs_.attach(id); !attached) {
      log_error("a drive came back and cannot be used",
                {{"drive", drive->name.value()}, {"error", attached.error().describe()}});
      attach_again_at_[id] = clock_.steady() + kAttachAgainAfter;
      continue;
    }
    attach_again_at_.erase(id);
    log_info("drive back online", {{"drive", drive->name.value()}, {"site", drive->site.value()}});
    if (has_just_joined(id)) {
      due(true, false);
    } else {
      owe_heal(false);
    }
    not_away(id);
    if (drive->state == DriveState::kDraining) resume_drain_of(id);
  }
}

void FleetImpl::not_away(DriveId drive) {
  const std::lock_guard lock(mutex_);
  away_.erase(drive);
}

bool FleetImpl::has_just_joined(DriveId drive) {
  const std::lock_guard lock(mutex_);
  return joining_.erase(drive) > 0;
}

void FleetImpl::attach_missing(const Usages& usages) {
  const auto map = drives_.map();
  for (const DriveInfo& drive : map->drives) {
    const auto seen = usages.find(drive.id);
    if (seen == usages.end() || !drives_.online(drive.id)) continue;
    if (seen->second) {
      // It may have answered since by itself.
      if (attach_again_at_.erase(drive.id) > 0) {
        log_info("drive usable again", {{"drive", drive.name.value()}});
        owe_heal(false);
        not_away(drive.id);
        if (drive.state == DriveState::kDraining) resume_drain_of(drive.id);
      }
      continue;
    }
    // It is there, and only does not answer.
    if (seen->second.error() == Errc::kTimeout) continue;
    const SteadyTime now = clock_.steady();
    const auto [again, first] = attach_again_at_.try_emplace(drive.id, now + kAttachAgainAfter);
    if (first || now < again->second) continue;
    again->second = now + kAttachAgainAfter;
    if (const Status attached = blobs_.attach(drive.id); !attached) {
      log_error("a drive cannot be used", {{"drive", drive.name.value()}, {"error", attached.error().describe()}});
    }
  }
}

bool FleetImpl::any_policy_whole() const {
  const auto policies = policies_.snapshot();
  const auto candidates = candidates_.snapshot();
  return std::any_of(policies->all().begin(), policies->all().end(), [&](const sovereignty::Policy& policy) {
    return sovereignty::allowed(policy, *candidates).size() >= policy.rule.shards();
  });
}

void FleetImpl::look_at_short_writes() {
  const std::uint64_t now_short = blobs_.short_writes();
  const SteadyTime now = clock_.steady();
  if (now_short != std::exchange(short_writes_, now_short)) {
    if (!short_since_) short_since_ = ShortWrites{now, now};
    short_since_->last = now;
  }
  // With drives away their return starts a heal, and sooner there is nowhere to put what is missing.
  if (!short_since_ || !any_policy_whole()) return;
  if (now - short_since_->last < options_.short_writes_quiet && now - short_since_->first < kShortWritesAtMost) return;
  short_since_.reset();
  owe_heal(false);
}

void FleetImpl::look_at_room(const Usages& usages) {
  const auto map = drives_.map();
  const auto mirrors = mirrors_.room();
  std::vector<RoomLook> looks;
  for (const DriveInfo& drive : map->drives) {
    if (!io::in_use(drive) || !drives_.online(drive.id)) continue;
    RoomLook look;
    look.drive = drive.id;
    look.name = drive.name.value();
    look.site = drive.site;
    if (const auto seen = usages.find(drive.id); seen != usages.end() && seen->second) {
      const auto& usage = seen->second;
      look.takes_shards = drive.state == DriveState::kActive;
      look.free_bytes = usage->refuses ? 0 : usage->free_bytes;
      look.short_bytes = usage->short_bytes;
    }
    for (const meta::MirrorRoom& mirror : mirrors) {
      if (mirror.drive != drive.id) continue;
      look.mirrors = true;
      look.mirror_free_bytes = mirror.free_bytes;
      look.mirror_least_bytes = mirror.least_bytes;
    }
    looks.push_back(std::move(look));
  }
  room_.note(looks, *policies_.snapshot(), mirrors_.shortfall());
}

void FleetImpl::resume_drain_of(DriveId drive) {
  const std::lock_guard lock(mutex_);
  if (requested_ || (running_ && running_->asked)) return;
  const auto map = drives_.map();
  const DriveInfo* const back = map->find(drive);
  if (back == nullptr || back->state != DriveState::kDraining) return;
  requested_ = resumed_drain(drives_in(*map, DriveState::kDraining));
  make_way_ = true;
  throttle_.wake();
  wake_.notify_all();
}

void FleetImpl::collect_damaged() {
  const auto found = blobs_.take_damaged();
  if (found.empty()) return;
  damaged_found_ += found.size();
  damaged_counter_.add(static_cast<double>(found.size()));
  const std::lock_guard lock(mutex_);
  for (const BlobId id : found) {
    if (damaged_.size() >= kMaxDamagedRemembered) {
      scrub_due_ = true;
      break;
    }
    damaged_.insert(id);
  }
  wake_.notify_all();
}

void FleetImpl::update_metrics(const Usages& usages) {
  const auto now = status_by(usages);
  if (!now) return;
  degraded_gauge_.set(now->degraded ? 1 : 0);
  waiting_gauge_.set(static_cast<double>(now->waiting));
  refused_gauge_.set(now->writes_refused ? 1 : 0);
  for (const PolicyStatus& policy : now->policies) {
    const Labels labels{{"policy", policy.id.value()}};
    metrics_.gauge("andromede_policy_site_losses_demanded", "Lost sites that data of the policy must survive", labels)
        .set(policy.demanded.site_losses);
    metrics_
        .gauge("andromede_policy_site_losses_survived", "Lost sites that data of the policy written now survive",
               labels)
        .set(policy.actual.site_losses);
  }
  for (const DriveStatus& drive : now->drives) {
    const Labels labels{{"drive", drive.name.value()}, {"site", drive.site.value()}};
    metrics_.gauge("andromede_drive_state", "1 active, 2 draining, 3 drained, 4 replaced", labels)
        .set(static_cast<double>(drive.phase));
    metrics_.gauge("andromede_drive_online", "1 while the drive is online", labels).set(drive.online ? 1 : 0);
    metrics_.gauge("andromede_drive_shards", "Shards on the drive", labels)
        .set(static_cast<double>(drive.usage.shards));
    metrics_
        .gauge("andromede_drive_counting", "1 while shards of before the start or return are still being counted",
               labels)
        .set(drive.usage.counting ? 1 : 0);
    metrics_.gauge("andromede_drive_live_bytes", "Bytes of shards on the drive", labels)
        .set(static_cast<double>(drive.usage.live_bytes));
    metrics_.gauge("andromede_drive_lies", "Shards since the start that were wrong with right checksums", labels)
        .set(static_cast<double>(drive.usage.lies));
    metrics_.gauge("andromede_drive_free_bytes", "Bytes free on the drive", labels)
        .set(static_cast<double>(drive.usage.free_bytes));
    metrics_.gauge("andromede_drive_fill_bytes_per_s", "How fast the room on the drive shrinks", labels)
        .set(drive.fill.bytes_per_s);
    metrics_
        .gauge("andromede_drive_seconds_left", "Until the drive is full at that rate; +Inf: it does not fill", labels)
        .set(drive.fill.left ? static_cast<double>(drive.fill.left->count()) : std::numeric_limits<double>::infinity());
    metrics_.gauge("andromede_drive_queue_depth", "Reads, writes and syncs that wait for the drive", labels)
        .set(static_cast<double>(drive.usage.queued_jobs));
  }
}

// --- status ----------------------------------------------------------------------------------------------------------

namespace {

std::string what_stored_survives(const sovereignty::Tolerance& promised, unsigned sites_short, unsigned drives_away) {
  const std::string until = "until the drives are back, or replaced and healed, ";
  const auto left = sovereignty::tolerance_left(promised, sites_short, drives_away);
  if (!left) return until + "some of what was stored before may not be readable";
  return until +
         "what was stored before is only sure to survive further lost sites: " + std::to_string(left->site_losses) +
         ", lost drives: " + std::to_string(left->drive_losses);
}

void say_shortfall(const PolicyId& policy, unsigned actual, unsigned demanded, const char* of,
                   std::vector<std::string>& reasons) {
  if (actual >= demanded) return;
  reasons.push_back(sovereignty::named(policy) + ": what is written now survives the loss of " +
                    sovereignty::counted(actual, of) + "; " + std::to_string(demanded) +
                    (demanded == 1 ? " is demanded" : " are demanded"));
}

DrivePhase phase_of(DriveState state) {
  switch (state) {
    case DriveState::kActive:
      return DrivePhase::kActive;
    case DriveState::kDraining:
      return DrivePhase::kDraining;
    case DriveState::kDrained:
      return DrivePhase::kDrained;
    case DriveState::kReplaced:
      break;
  }
  return DrivePhase::kReplaced;
}

// What the map alone says of it.
DriveStatus told_of(const DriveInfo& info) {
  DriveStatus drive;
  drive.id = info.id;
  drive.name = info.name;
  drive.site = info.site;
  drive.associate = info.associate;
  drive.path = info.path;
  drive.phase = phase_of(info.state);
  drive.metadata_mirror = info.mirrors_metadata;
  return drive;
}

DriveUsage told_of(const blob::DriveUsage& usage) {
  return {.shards = usage.shards,
          .live_bytes = usage.live_bytes,
          .counting = usage.counting,
          .total_bytes = usage.total_bytes,
          .free_bytes = usage.free_bytes,
          .queued_jobs = usage.queued_jobs,
          .lies = usage.lies};
}

}  // namespace

Result<FleetStatus> FleetImpl::status() { return status_by(look_at_usages(drives_, blobs_)); }

void FleetImpl::tell_policies(const DriveMap& map, FleetStatus& status) const {
  const auto policies = policies_.snapshot();
  const auto candidates = candidates_.snapshot();
  for (const sovereignty::Policy& policy : policies->all()) {
    PolicyStatus told;
    told.id = policy.id;
    told.is_default = policy.id == policies->default_policy();
    told.demanded = {sovereignty::demanded_site_losses(policy, map.accepted_site_losses), policy.rule.drive_losses};
    unsigned drives_away = 0;
    std::set<SiteId> sites_short;
    for (const DriveInfo& drive : map.drives) {
      if (!io::in_use(drive) || drives_.online(drive.id) || !policy.allows(drive.site)) continue;
      ++drives_away;
      sites_short.insert(drive.site);
    }
    if (drives_away > 0) {
      status.reasons.push_back(
          sovereignty::named(policy.id) + ": " +
          what_stored_survives(told.demanded, static_cast<unsigned>(sites_short.size()), drives_away));
    }
    if (told.demanded.site_losses < policy.rule.site_losses) {
      status.warnings.push_back(sovereignty::named(policy.id) + " demands to survive " +
                                sovereignty::counted(policy.rule.site_losses, "lost site") + "; " +
                                std::to_string(told.demanded.site_losses) +
                                (told.demanded.site_losses == 1 ? " is" : " are") +
                                " accepted since a withdrawal: add drives at a further site to end that");
    }
    if (const auto whole = sovereignty::best_tolerance(policy, *candidates); !whole) {
      status.reasons.push_back(whole.error().message());
    }
    sovereignty::Policy written = policy;
    written.rule = sovereignty::written_with(policy.rule, sovereignty::allowed(policy, *candidates).size());
    if (const auto best = sovereignty::best_tolerance(written, *candidates)) told.actual = *best;
    say_shortfall(policy.id, told.actual.site_losses, told.demanded.site_losses, "site", status.reasons);
    say_shortfall(policy.id, told.actual.drive_losses, told.demanded.drive_losses, "drive", status.reasons);
    status.policies.push_back(std::move(told));
  }
}

Result<FleetStatus> FleetImpl::status_by(const Usages& usages) {
  FleetStatus status;
  const auto map = drives_.map();
  status.epoch = map->epoch;
  const auto mirrors = mirrors_.mirrors();
  bool drives_away = false;
  for (const DriveInfo& info : map->drives) {
    DriveStatus drive = told_of(info);
    drive.online = drives_.online(info.id);
    const bool used = io::in_use(info);
    if (const auto seen = usages.find(info.id); drive.online && seen != usages.end()) {
      if (const auto& usage = seen->second) {
        drive.usage = told_of(*usage);
        if (usage->refuses) {
          status.warnings.push_back("drive " + info.name.value() + " (site " + info.site.value() +
                                    ") refuses space that it shows as free: mend that (no inodes are left, or a quota "
                                    "is reached), or replace it");
        }
        if (usage->lies > 0) {
          status.reasons.push_back("drive " + info.name.value() + " (site " + info.site.value() + ") gave " +
                                   std::to_string(usage->lies) +
                                   " shards that were not what was written, with right checksums, since the start; "
                                   "they are repaired: find out why, or replace it");
        }
      } else {
        status.reasons.push_back("drive " + info.name.value() + " (site " + info.site.value() +
                                 ") is online and cannot be used: " + usage.error().message());
      }
    }
    drive.metadata_mirror_current = std::any_of(mirrors.begin(), mirrors.end(), [&](const meta::MirrorStatus& mirror) {
      return mirror.drive == info.id && mirror.online;
    });
    for (const meta::MirrorStatus& mirror : mirrors) {
      if (mirror.drive != info.id || mirror.waited_for.count() == 0) continue;
      status.warnings.push_back("drive " + info.name.value() + " (site " + info.site.value() +
                                ") is slow: within the last minute changes waited " +
                                std::to_string(mirror.waited_for.count()) +
                                " ms for it, when another metadata mirror had them; where the others are enough it is "
                                "taken out should that go on: find out why, or replace it");
    }
    drive.fill = room_.fill_of(info.id);
    if (drive.fill.left && *drive.fill.left < kWarnAhead) {
      status.warnings.push_back("drive " + info.name.value() + " (site " + info.site.value() + ") will be full in " +
                                in_words(*drive.fill.left) + " at the rate of the last " +
                                in_words(drive.fill.measured) + ", " +
                                in_words(static_cast<std::uint64_t>(drive.fill.bytes_per_s)) + "/s: add drives");
    }
    if (!drive.online && used) {
      drives_away = true;
      const std::string why = drives_.offline_reason(info.id);
      status.reasons.push_back("drive " + info.name.value() + " (site " + info.site.value() + ") is offline" +
                               (why.empty() ? "" : ": " + why));
    }
    status.drives.push_back(std::move(drive));
  }
  tell_policies(*map, status);
  status.writes_refused = room_.refused();
  if (status.writes_refused) {
    status.reasons.push_back("writes are refused since " + to_iso8601(status.writes_refused->since) + ": " +
                             status.writes_refused->why);
  }
  const MirrorKeeper::State mirror_state = mirror_keeper_.state();
  const std::string trouble = mirror_keeper_.trouble();
  if (mirror_state.online + mirror_state.leaving < mirror_state.wanted) {
    status.reasons.push_back(std::to_string(mirror_state.online) + " of " + std::to_string(mirror_state.wanted) +
                             " metadata mirrors take part" + (trouble.empty() ? "" : ": " + trouble));
  } else if (mirror_state.sites_with_leaving < mirror_state.sites_wanted) {
    status.reasons.push_back("the metadata mirrors lie on " + std::to_string(mirror_state.sites) + " sites, and " +
                             std::to_string(mirror_state.sites_wanted) + " can have one" +
                             (trouble.empty() ? "" : ": " + trouble));
  } else if (mirror_state.online < mirror_state.wanted || mirror_state.sites < mirror_state.sites_wanted) {
    status.changes.push_back("metadata mirrors are made in the place of those on drives that leave: " +
                             std::to_string(mirror_state.online) + " of " + std::to_string(mirror_state.wanted) +
                             " are on drives that stay" + (trouble.empty() ? "" : ": " + trouble));
  }
  if (!drives_away && !drives_.presence_recorded()) {
    status.changes.emplace_back(
        "drives came back, and the drive map, by which the next start knows who is to be there, does not say so yet");
  }
  {
    const std::lock_guard lock(mutex_);
    status.waiting = waiting_;
    if (waiting_ > 0) status.reasons.push_back(std::to_string(waiting_) + " blobs wait for heal");
    if (lost_ > 0) status.reasons.push_back(std::to_string(lost_) + " blobs cannot be rebuilt from what is online");
    const bool came_back = std::any_of(status.drives.begin(), status.drives.end(), [&](const DriveStatus& drive) {
      return drive.online && io::in_use(*map->find(drive.id)) && away_.contains(drive.id);
    });
    if (heal_owed_ || heal_paying_ || came_back) {
      status.reasons.emplace_back("drives were lost, replaced or came back, and no heal has made all whole since");
    } else if (heal_due_) {
      status.changes.emplace_back("a heal is about to start");
    }
    if (unlooked_) {
      status.reasons.emplace_back(
          "since the start it is not known yet whether the drives have all the volumes that were on them: a heal "
          "looks");
    }
    for (const auto& [id, shards] : gone_) {
      const DriveInfo* const drive = map->find(id);
      if (drive == nullptr || !io::in_use(*drive)) continue;
      status.reasons.push_back("drive " + drive->name.value() + " (site " + drive->site.value() +
                               ") has lost volumes with " + std::to_string(shards) +
                               " shards, and no heal has rebuilt all of them yet: find out why");
    }
    if (!damaged_.empty()) status.reasons.push_back(std::to_string(damaged_.size()) + " damaged blobs wait for repair");
  }
  // Where mirrors are lacking, that is told already.
  if (const std::string why = mirror_that_knows_more({}); !why.empty() && !mirrors_.shortfall()) {
    status.reasons.push_back("the space of orphans is not given back: " + why);
  }
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, stopped] : reclaim_stopped_) {
      const DriveInfo* const drive = map->find(id);
      if (drive == nullptr || !io::in_use(*drive)) continue;
      status.reasons.push_back("reclaim stopped on drive " + drive->name.value() +
                               ", nothing was erased: " + stopped.why +
                               "; see whether drives that know them are away; where they are orphans, let it go on: "
                               "andromede drive reclaim " +
                               drive->name.value());
    }
    std::uint64_t differing = 0;
    std::set<std::string> unreadable_on;
    for (const auto& [id, reclaimed] : reclaimed_) {
      differing += reclaimed.differing;
      unreadable_on.insert(reclaimed.unreadable_on.begin(), reclaimed.unreadable_on.end());
    }
    if (differing > 0) {
      std::string told;
      for (const std::string& copy : unreadable_on) {
        told += (told.empty() ? "; what cannot be read lies on " : ", ") + copy;
      }
      status.reasons.push_back("the metadata mirrors differ about the blobs of " + std::to_string(differing) +
                               " records, which are kept: one of them is damaged or lies; " +
                               (told.empty() ? "which one cannot be told" : told.substr(2)));
    }
  }
  status.jobs = board_.list();
  for (const Job& job : status.jobs) {
    if (job.state == JobState::kRunning && job.kind == JobKind::kHeal && job.bytes_total > 0) {
      status.reasons.emplace_back("a heal is running");
    }
  }
  status.damaged_found = damaged_found_;
  status.repaired = repaired_;
  status.degraded = !status.reasons.empty();
  return status;
}

std::unique_ptr<Fleet> make_volumes_fleet(io::Drives& drives, Candidates& candidates, blob::Maintenance& blobs,
                                          blob::ShardCatalog& catalog, blob::Authenticator& authenticator,
                                          meta::Store& store, meta::Mirrors& mirrors, const PolicyBook& policies,
                                          AdmitDrive admit, const Clock& clock, Random& random, Metrics& metrics,
                                          Options options) {
  return std::make_unique<FleetImpl>(drives, candidates, blobs, catalog, authenticator, store, mirrors, policies,
                                     std::move(admit), clock, random, metrics, options);
}

}  // namespace andromede::fleet
