// Withdrawal: whether drives can leave, how they are emptied, and the proof.
#include <algorithm>

#include "base/log.h"
#include "fleet/volumes/fleet_impl.h"

namespace andromede::fleet {

namespace {

std::string cannot_be_erased(const std::vector<DriveInfo>& offline) {
  return names_of(offline) +
         (offline.size() == 1 ? " is offline and cannot be erased: bring it back"
                              : " are offline and cannot be erased: bring them back") +
         ", or accept that with --accept-unerased";
}

std::string what_is_accepted(unsigned accepted, unsigned given, const std::string& demanded) {
  std::string said = "from now on " + sovereignty::counted(accepted, "lost site") + " must be survived; " + demanded;
  if (given < accepted) said += ", and what remains survives more than the " + std::to_string(given) + " given";
  return said;
}

}  // namespace

// --- asked for by operators ------------------------------------------------------------------------------------------

Result<std::vector<DriveInfo>> FleetImpl::leaving_drives(const DriveMap& map, const DrainRequest& request) const {
  if (request.site.has_value() == request.drive.has_value()) {
    return fail(Errc::kInvalidArgument, "name either a site or a drive to drain");
  }
  std::vector<DriveInfo> leaving;
  for (const DriveInfo& drive : map.drives) {
    if (drive.state != DriveState::kActive) continue;
    if (request.site ? drive.site == *request.site : drive.name == *request.drive) leaving.push_back(drive);
  }
  if (!leaving.empty()) return leaving;
  const auto has_left = [&](const DriveInfo& drive) {
    return !io::in_use(drive) && (request.site ? drive.site == *request.site : drive.name == *request.drive);
  };
  if (std::any_of(map.drives.begin(), map.drives.end(), has_left)) {
    return fail(Errc::kConflict, (request.site ? "site " + request.site->value() : request.drive->value()) +
                                     " has left the cloud already; see: andromede drive list");
  }
  std::string message = request.site ? "no active drive at a site named " + request.site->value()
                                     : "no active drive named " + request.drive->value();
  if (request.site && map.find(DriveName(request.site->value())) != nullptr) {
    message += "; that is a drive: give --drive " + request.site->value();
  }
  return fail(Errc::kNotFound, message + "; see: andromede drive list");
}

// The drives that shards may lie on, the leaving ones among them whether they are online or not.
Result<CandidateList> FleetImpl::drain_candidates(const std::vector<DriveInfo>& leaving) {
  candidates_.refresh();
  CandidateList list = *candidates_.snapshot();
  for (const DriveInfo& drive : leaving) {
    const bool listed = std::any_of(
        list.begin(), list.end(), [&](const sovereignty::Candidate& candidate) { return candidate.drive == drive.id; });
    if (listed) continue;
    // Only the records tell what lies on a drive that cannot be asked.
    TRY(const auto named, passes_.count_on(drive.id, [this] { return !stopping_; }));
    list.push_back({drive.id, drive.site, drive.associate, named.bytes, 0});
  }
  return list;
}

// Without this it would begin and end in vain: what is offline is not erased.
Result<std::vector<DriveInfo>> FleetImpl::accept_unerased(const std::vector<DriveInfo>& leaving,
                                                          const DrainRequest& request, DrainTerms& terms) const {
  const auto waited_for = waited_for_of(leaving, terms);
  if (!waited_for.empty() && !request.accept_unerased) return fail(Errc::kRefused, cannot_be_erased(waited_for));
  for (const DriveInfo& drive : waited_for) terms.unerased.push_back(drive.id);
  return accepted_of(leaving, terms);
}

Status FleetImpl::check_mirror_room(const std::vector<DriveInfo>& leaving, const CandidateList& candidates) const {
  const auto leaves = [&](DriveId id) {
    return std::any_of(leaving.begin(), leaving.end(), [id](const DriveInfo& drive) { return drive.id == id; });
  };
  std::vector<DriveId> staying;
  std::uint64_t mirror_bytes = 0;
  for (const meta::MirrorStatus& mirror : mirrors_.mirrors()) {
    if (!mirror.online) continue;
    mirror_bytes = std::max(mirror_bytes, mirror.bytes);
    if (!leaves(mirror.drive)) staying.push_back(mirror.drive);
  }
  CandidateList remaining;
  for (const sovereignty::Candidate& candidate : candidates) {
    if (!leaves(candidate.drive)) remaining.push_back(candidate);
  }
  const unsigned mirrors = policies_.snapshot()->mirrors();
  for (const DriveId id : sovereignty::place_mirrors(mirrors, remaining, staying)) {
    if (std::find(staying.begin(), staying.end(), id) != staying.end()) continue;
    const auto successor =
        std::find_if(remaining.begin(), remaining.end(),
                     [id](const sovereignty::Candidate& candidate) { return candidate.drive == id; });
    if (successor->free_bytes >= mirror_bytes + options_.reserve_bytes) continue;
    return fail(Errc::kRefused, "a metadata mirror would move to site " + successor->site.value() + " and takes " +
                                    std::to_string(mirror_bytes) + " bytes; its drive has " +
                                    std::to_string(successor->free_bytes) + " bytes free and keeps " +
                                    std::to_string(options_.reserve_bytes) + ": add a drive at a further site first");
  }
  return {};
}

Result<FleetImpl::Withdrawal> FleetImpl::check_withdrawal(const CandidateList& list,
                                                          const std::vector<DriveId>& leaving,
                                                          std::optional<std::uint8_t> accepted) {
  const auto policies = policies_.snapshot();
  const bool several = policies->all().size() > 1;
  // Of several, only the records tell whose the bytes on a drive are.
  Passes::BytesByPolicy bytes;
  if (several) {
    TRY(bytes, passes_.bytes_by_policy([this] { return !stopping_; }));
  }
  Withdrawal withdrawal;
  for (const sovereignty::Policy& policy : policies->all()) {
    const auto loses = [&](const sovereignty::Candidate& candidate) {
      return policy.allows(candidate.site) &&
             std::find(leaving.begin(), leaving.end(), candidate.drive) != leaving.end();
    };
    if (std::none_of(list.begin(), list.end(), loses)) continue;
    CandidateList of_policy = list;
    for (sovereignty::Candidate& candidate : of_policy) {
      if (several) candidate.total_bytes = candidate.free_bytes + bytes[policy.id][candidate.drive];
    }
    TRY(const auto check, sovereignty::check_withdrawal(policy, of_policy, leaving, accepted, options_.reserve_bytes));
    const unsigned after_all = withdrawal.site_losses.value_or(check.after.site_losses);
    withdrawal.site_losses = std::min(after_all, check.after.site_losses);
    // What need not be accepted is not: neither beside a policy's own demand nor below what the rest survives.
    if (check.after.site_losses >= policy.rule.site_losses) continue;
    const auto after = static_cast<std::uint8_t>(check.after.site_losses);
    withdrawal.accepted = std::min(withdrawal.accepted.value_or(after), after);
    withdrawal.said += (withdrawal.said.empty() ? "" : ", ") + sovereignty::named(policy.id) + " demands " +
                       std::to_string(policy.rule.site_losses);
  }
  CHECK_OK(sovereignty::check_room(list, leaving, options_.reserve_bytes));
  return withdrawal;
}

Result<Job> FleetImpl::drain(DrainRequest request, std::string operator_name) {
  const std::lock_guard operators(operators_);
  const auto map = drives_.map();
  CHECK_OK(check_free());
  Request wanted{.kind = JobKind::kDrain,
                 .drain = {.bandwidth_bytes_per_s = request.bandwidth_bytes_per_s, .unerased = {}}};
  const auto named = [&] { return request.site ? request.site->value() : request.drive->value(); };
  if (const auto draining = drives_in(*map, DriveState::kDraining); !draining.empty()) {
    const bool same = std::all_of(draining.begin(), draining.end(), [&](const DriveInfo& drive) {
      return request.site ? drive.site == *request.site : drive.name == request.drive;
    });
    if (!same) {
      return fail(Errc::kConflict, names_of(draining) + " is draining: wait until it has ended, or abort it");
    }
    // Its job failed: an operator who mended the cause starts it again. What was accepted of it before still is.
    {
      const std::lock_guard lock(mutex_);
      wanted.drain.unerased = drain_terms_.unerased;
    }
    TRY(const auto unerased, accept_unerased(draining, request, wanted.drain));
    Parameters parameters{{"drives", names_of(draining)}};
    if (!unerased.empty()) parameters.emplace_back("acceptedUnerased", names_of(unerased));
    CHECK_OK(journal_.record_drain("ResumeDrain", std::move(operator_name), std::move(parameters), wanted.drain));
    keep_terms(wanted.drain);
    return job(request_job(wanted, named()));
  }
  TRY(const auto leaving, leaving_drives(*map, request));
  std::vector<DriveId> leaving_ids;
  for (const DriveInfo& drive : leaving) leaving_ids.push_back(drive.id);
  TRY(const CandidateList list, drain_candidates(leaving));
  const auto accepted = request.accept_site_losses ? request.accept_site_losses : map->accepted_site_losses;
  TRY(const Withdrawal check, check_withdrawal(list, leaving_ids, accepted));
  CHECK_OK(check_mirror_room(leaving, list));
  TRY(const auto unerased, accept_unerased(leaving, request, wanted.drain));

  Parameters parameters{{request.site ? "site" : "drive", named()}, {"drives", names_of(leaving)}};
  if (check.site_losses) parameters.emplace_back("siteLossesAfter", std::to_string(*check.site_losses));
  const auto accepts = request.accept_site_losses ? check.accepted : std::nullopt;
  if (accepts) parameters.emplace_back("acceptedSiteLosses", std::to_string(*accepts));
  if (!unerased.empty()) parameters.emplace_back("acceptedUnerased", names_of(unerased));
  CHECK_OK(journal_.record_drain(request.site ? "DrainSite" : "DrainDrive", std::move(operator_name),
                                 std::move(parameters), wanted.drain));
  keep_terms(wanted.drain);
  CHECK_OK(drives_.update([&](DriveMap& changed) -> Status {
    for (DriveInfo& drive : changed.drives) {
      if (std::find(leaving_ids.begin(), leaving_ids.end(), drive.id) != leaving_ids.end()) {
        drive.state = DriveState::kDraining;
      }
    }
    if (accepts) changed.accepted_site_losses = accepts;
    return {};
  }));
  // From here on new blobs go elsewhere.
  candidates_.refresh();
  TRY(Job started, job(request_job(wanted, named())));
  if (accepts) started.message = what_is_accepted(*accepts, *request.accept_site_losses, check.said);
  return started;
}

void FleetImpl::keep_terms(const DrainTerms& terms) {
  const std::lock_guard lock(mutex_);
  drain_terms_ = terms;
}

Request FleetImpl::resumed_drain(const std::vector<DriveInfo>& draining) {
  return {.job = board_.open(JobKind::kDrain, names_of(draining)),
          .kind = JobKind::kDrain,
          .asked = true,
          .drain = drain_terms_};
}

Status FleetImpl::abort_drain(std::string operator_name) {
  const std::lock_guard operators(operators_);
  const auto draining = drives_in(*drives_.map(), DriveState::kDraining);
  if (draining.empty()) return fail(Errc::kConflict, "no drive is draining");
  CHECK_OK(journal_.record("AbortDrain", std::move(operator_name), {{"drives", names_of(draining)}}));
  CHECK_OK(drives_.update([&](DriveMap& map) -> Status {
    for (DriveInfo& drive : map.drives) {
      if (drive.state == DriveState::kDraining) drive.state = DriveState::kActive;
    }
    return {};
  }));
  {
    const std::lock_guard lock(mutex_);
    if (requested_ && requested_->kind == JobKind::kDrain) {
      board_.close(requested_->job, JobState::kAborted, kAbortedBy);
      requested_.reset();
    } else if (running_ && running_->kind == JobKind::kDrain) {
      abort_ = true;
    }
    throttle_.wake();
    wake_.notify_all();
  }
  candidates_.refresh();
  CHECK_OK(restore_site_losses());
  due(false, true);
  return {};
}

// What was accepted for want of a successor ends when what every policy demands can be met again.
Status FleetImpl::restore_site_losses() {
  if (!drives_.map()->accepted_site_losses) return {};
  const auto candidates = candidates_.snapshot();
  const auto policies = policies_.snapshot();
  for (const sovereignty::Policy& policy : policies->all()) {
    const auto best = sovereignty::best_tolerance(policy, *candidates);
    if (!best || best->site_losses < policy.rule.site_losses) return {};
  }
  CHECK_OK(journal_.record("RestoreSiteLosses", kFleetItself, {{"policies", policies->names()}}));
  return drives_.update([](DriveMap& changed) -> Status {
    changed.accepted_site_losses.reset();
    return {};
  });
}

// --- job thread ------------------------------------------------------------------------------------------------------

JobState FleetImpl::run_drain(const Request& request, std::string& message) {
  const auto leaving = drives_in(*drives_.map(), DriveState::kDraining);
  if (leaving.empty()) {
    message = "no drive is draining";
    return JobState::kAborted;
  }
  candidates_.refresh();
  if (const Status looked = look_ahead(request.job); !looked) return ended_with(looked.error(), message);
  std::optional<Throttle::Limit> limit;
  if (request.drain.bandwidth_bytes_per_s > 0) limit.emplace(throttle_, request.drain.bandwidth_bytes_per_s);

  std::uint64_t moved = 0;
  std::vector<DriveInfo> unerased;
  bool announced = false;
  for (unsigned fruitless = 0;;) {
    // A pass over no blobs asks nobody whether to go on.
    if (!go_on()) return ended_with(Error(make_error_code(Errc::kCancelled), "stopped"), message);
    candidates_.refresh();
    repair_damaged();
    const auto pass = settle_all(request.job);
    if (!pass) return ended_with(pass.error(), message);
    moved += pass->shards;
    auto left = left_on(leaving, request.drain);
    if (!left) return ended_with(left.error(), message);
    if (left->what.empty()) {
      auto finished = erase_and_mark_drained(leaving, request.drain, announced);
      if (finished) {
        unerased = *std::move(finished);
        break;
      }
      if (finished.error() != Errc::kConflict) return ended_with(finished.error(), message);
      left->what = finished.error().message();
    }
    const std::string trouble = mirror_keeper_.trouble();
    const bool stuck =
        pass->waiting + pass->lost > 0 || !trouble.empty() || !offline_of(leaving).empty() || left->needs_operator;
    fruitless = pass->shards == 0 && stuck ? fruitless + 1 : 0;
    if (fruitless >= options_.max_fruitless_passes) {
      message = left->what;
      for (const std::string& why : {pass->why, trouble}) message += why.empty() ? "" : "; " + why;
      message += "; start the drain again when that is mended, or abort it";
      return JobState::kFailed;
    }
    board_.change(request.job, [&](Job& running) { running.message = left->what; });
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kBetweenPasses, [this] { return stopping_ || abort_; });
  }
  message = std::to_string(moved) + " shards moved; 0 shards, 0 mirrors left on " + names_of(leaving);
  if (!unerased.empty()) {
    message += "; offline and not erased, as accepted: " + names_of(unerased);
  }
  due(true, false);
  return JobState::kDone;
}

std::vector<DriveInfo> FleetImpl::offline_of(const std::vector<DriveInfo>& drives) const {
  std::vector<DriveInfo> offline;
  for (const DriveInfo& drive : drives) {
    if (!drives_.online(drive.id)) offline.push_back(drive);
  }
  return offline;
}

std::vector<DriveInfo> FleetImpl::accepted_of(std::vector<DriveInfo> leaving, const DrainTerms& terms) {
  std::erase_if(leaving, [&](const DriveInfo& drive) { return !terms.accepts_unerased(drive.id); });
  return leaving;
}

std::vector<DriveInfo> FleetImpl::waited_for_of(const std::vector<DriveInfo>& leaving, const DrainTerms& terms) const {
  std::vector<DriveInfo> waited_for = offline_of(leaving);
  std::erase_if(waited_for, [&](const DriveInfo& drive) { return terms.accepts_unerased(drive.id); });
  return waited_for;
}

Result<FleetImpl::Left> FleetImpl::left_on(const std::vector<DriveInfo>& leaving, const DrainTerms& terms) {
  const auto map = drives_.map();
  for (const DriveInfo& drive : leaving) {
    const DriveInfo* now = map->find(drive.id);
    if (now != nullptr && now->mirrors_metadata) {
      return Left{"the metadata mirror on " + drive.name.value() + " has no successor yet"};
    }
    if (!drives_.online(drive.id)) {
      if (terms.accepts_unerased(drive.id)) continue;
      auto waited_for = waited_for_of(leaving, terms);
      if (waited_for.empty()) waited_for.push_back(drive);
      return Left{cannot_be_erased(waited_for)};
    }
    TRY(const bool mirror_files, mirrors_.holds_files(drive.id));
    if (mirror_files) {
      return Left{"files of the former metadata mirror on " + drive.name.value() + " are not removed yet"};
    }
    if (const std::string why = reclaim_waits_for(accepted_of(leaving, terms)); !why.empty()) {
      return Left{"what nobody names on " + drive.name.value() + " is not erased: " + why, true};
    }
    CHECK_OK(blobs_.count(drive.id, [this] { return go_on(); }));
    TRY(const auto usage, blobs_.usage(drive.id));
    // What nobody names any more: an upload that broke off, or one that is still running and will be seen next time.
    const auto reclaimed = reclaim_on(drive, [this] { return go_on(); });
    if (!reclaimed && reclaimed.error() == Errc::kRefused) {
      return Left{"reclaim stopped on " + drive.name.value() + ": " + reclaimed.error().message() +
                      "; where they are orphans: andromede drive reclaim " + drive.name.value(),
                  true};
    }
    if (!reclaimed) return fail(reclaimed.error());
    if (reclaimed->records < usage.shards) {
      std::string what = std::to_string(usage.shards - reclaimed->records) + " shards left on " + drive.name.value();
      if (reclaimed->differing > 0) {
        what += "; the metadata mirrors differ about " + std::to_string(reclaimed->differing) + " of its records";
      }
      for (const std::string& copy : reclaimed->unreadable_on) what += "; what cannot be read lies on " + copy;
      return Left{std::move(what), reclaimed->differing > 0};
    }
  }
  for (const DriveInfo& drive : leaving) {
    TRY(const auto named, passes_.count_on(drive.id, [this] { return go_on(); }));
    if (named.shards > 0) {
      return Left{std::to_string(named.shards) + " blobs are still recorded on " + drive.name.value()};
    }
  }
  return Left{};
}

Result<std::vector<DriveInfo>> FleetImpl::erase_and_mark_drained(const std::vector<DriveInfo>& leaving,
                                                                 const DrainTerms& terms, bool& announced) {
  const std::lock_guard operators(operators_);
  if (abort_) return fail(Errc::kCancelled, kAbortedBy);
  if (!announced) CHECK_OK(journal_.record("EraseDrainedDrives", kFleetItself, {{"drives", names_of(leaving)}}));
  announced = true;
  std::vector<DriveId> detached;
  std::vector<DriveInfo> unerased;
  Status done;
  for (const DriveInfo& drive : leaving) {
    const bool there = drives_.online(drive.id);
    if (there) {
      done = blobs_.detach_empty(drive.id);
      if (!done) break;
      detached.push_back(drive.id);
    }
    // One that goes while it is emptied may keep files.
    if (there && drives_.online(drive.id)) continue;
    unerased.push_back(drive);
    if (!terms.accepts_unerased(drive.id)) done = fail(Errc::kConflict, cannot_be_erased({drive}));
    if (!done) break;
  }
  if (done) done = mark_drained(leaving, unerased);
  if (!done) {
    // They are in use until all of them can leave.
    for (const DriveId id : detached) {
      if (const Status attached = blobs_.attach(id); !attached) {
        log_error("a draining drive cannot be used", {{"error", attached.error().describe()}});
      }
    }
    return fail(done.error());
  }
  candidates_.refresh();
  return unerased;
}

Status FleetImpl::mark_drained(const std::vector<DriveInfo>& leaving, const std::vector<DriveInfo>& unerased) {
  const Parameters proof{{"drives", names_of(leaving)},
                         {"shardsLeft", "0"},
                         {"mirrorsLeft", "0"},
                         {"offlineNotErased", names_of(unerased)}};
  CHECK_OK(journal_.record("CompleteDrain", kFleetItself, proof));
  Status marked = drives_.update([&](DriveMap& map) -> Status {
    for (DriveInfo& drive : map.drives) {
      const auto same = [&](const DriveInfo& other) { return other.id == drive.id; };
      if (std::any_of(leaving.begin(), leaving.end(), same)) drive.state = DriveState::kDrained;
    }
    return {};
  });
  if (!marked) {
    const Status told = journal_.record("CompleteDrainFailed", kFleetItself,
                                        {{"drives", names_of(leaving)}, {"error", marked.error().message()}});
    if (!told) log_warning("a failure is not journaled", {{"error", told.error().describe()}});
  }
  return marked;
}

}  // namespace andromede::fleet
