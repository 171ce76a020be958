// The job thread: which job runs next, and heal, scrub and rebalance.
#include <algorithm>

#include "base/log.h"
#include "base/pool.h"
#include "fleet/volumes/balance.h"
#include "fleet/volumes/fleet_impl.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::milliseconds kWorkEvery{250};
constexpr std::chrono::seconds kRetryWaitingAfter{30};

}  // namespace

void FleetImpl::due(bool heal, bool rebalance) {
  const std::lock_guard lock(mutex_);
  heal_due_ = heal_due_ || heal;
  rebalance_due_ = rebalance_due_ || rebalance;
  // What was lost is made whole before anything that can wait.
  if (heal && running_ && (running_->kind == JobKind::kScrub || running_->kind == JobKind::kRebalance)) {
    make_way_ = true;
    throttle_.wake();
  }
  wake_.notify_all();
}

void FleetImpl::owe_heal(bool rebalance) {
  {
    const std::lock_guard lock(mutex_);
    heal_owed_ = true;
  }
  due(true, rebalance);
}

void FleetImpl::work() {
  name_thread("fleet-jobs");
  while (!stopping_) {
    repair_damaged();
    std::optional<Request> request;
    bool accepted = false;
    {
      std::unique_lock lock(mutex_);
      if (!requested_ && !heal_due_ && !rebalance_due_ && damaged_.empty()) {
        wake_.wait_for(lock, kWorkEvery, [this] { return stopping_ || requested_ || !damaged_.empty(); });
      }
      if (stopping_) break;
      make_way_ = false;
      abort_ = false;
      request = next_request();
      running_ = request;
      if (!request) accepted = std::exchange(reclaim_due_, false);
    }
    if (request) {
      run(*request);
    } else if (accepted || clock_.steady() >= reclaim_at_) {
      reclaim();
    }
    const std::lock_guard lock(mutex_);
    running_.reset();
  }
}

std::optional<Request> FleetImpl::next_request() {
  const SteadyTime now = clock_.steady();
  heal_due_ = heal_due_ || now >= heal_retry_at_;
  rebalance_due_ = rebalance_due_ || now >= rebalance_retry_at_;
  const bool heal_first = heal_due_ && requested_ && requested_->kind == JobKind::kScrub;
  if (requested_ && !heal_first) return std::exchange(requested_, std::nullopt);
  if (heal_due_) {
    heal_due_ = false;
    heal_paying_ = std::exchange(heal_owed_, false);
    heal_retry_at_ = SteadyTime::max();
    return Request{board_.open(JobKind::kHeal, "after a change of drives"), JobKind::kHeal};
  }
  if (rebalance_due_) {
    rebalance_due_ = false;
    rebalance_retry_at_ = SteadyTime::max();
    const auto candidates = candidates_.snapshot();
    if (!Balance(*candidates).even()) {
      return Request{board_.open(JobKind::kRebalance, "drives are unevenly full"), JobKind::kRebalance};
    }
  }
  if (scrub_due_ || now >= scrub_at_) {
    scrub_due_ = false;
    scrub_at_ = now + options_.scrub_every;
    return Request{board_.open(JobKind::kScrub, "by schedule"), JobKind::kScrub};
  }
  return std::nullopt;
}

void FleetImpl::run(const Request& request) {
  std::string message;
  JobState state = JobState::kFailed;
  switch (request.kind) {
    case JobKind::kHeal:
      state = run_heal(request.job, message);
      break;
    case JobKind::kDrain:
      state = run_drain(request, message);
      break;
    case JobKind::kScrub:
      state = run_scrub(request.job, message);
      break;
    case JobKind::kRebalance:
      state = run_rebalance(request.job, message);
      break;
  }
  if (request.kind == JobKind::kHeal) {
    const std::lock_guard lock(mutex_);
    heal_owed_ = heal_owed_ || (heal_paying_ && state != JobState::kDone);
    heal_paying_ = false;
  }
  if (request.asked) {
    // Only the fleet's own heals are repeated.
    const std::lock_guard lock(mutex_);
    heal_due_ = heal_due_ || unlooked_ || !gone_.empty();
  }
  if (state != JobState::kDone && !stopping_) {
    const std::lock_guard lock(mutex_);
    const SteadyTime again_at = clock_.steady() + (make_way_ ? kBetweenPasses : kRetryWaitingAfter);
    if (request.asked && request.kind == JobKind::kScrub && make_way_ && !requested_) {
      board_.change(request.job, [this](Job& waiting) {
        waiting.blobs_done = 0;
        waiting.bytes_done = 0;
        waiting.moving_since = clock_.steady();
        waiting.message = "waits for a heal, then starts again";
      });
      requested_ = request;
      return;
    }
    if (!request.asked && request.kind == JobKind::kHeal) heal_retry_at_ = again_at;
    if (!request.asked && request.kind == JobKind::kRebalance) rebalance_retry_at_ = again_at;
    if (!request.asked && request.kind == JobKind::kScrub) scrub_due_ = make_way_;
  }
  log_info(
      "job ended",
      {{"job", request.job}, {"kind", to_string(request.kind)}, {"state", to_string(state)}, {"message", message}});
  board_.close(request.job, state, std::move(message));
}

void FleetImpl::repair_damaged() {
  std::set<BlobId> damaged;
  {
    const std::lock_guard lock(mutex_);
    damaged.swap(damaged_);
  }
  const auto pace = [this](std::uint64_t bytes) { return throttle_.take(bytes, [this] { return stopping_.load(); }); };
  for (const BlobId id : damaged) {
    if (stopping_) return;
    const auto ref = catalog_.find(id);
    if (!ref || !*ref) continue;
    const auto checked = mover_.verify(**ref, pace);
    if (checked) {
      repaired_ += checked->repaired;
      repaired_counter_.add(static_cast<double>(checked->repaired));
      continue;
    }
    if (checked.error() == Errc::kCorrupt) {
      const std::lock_guard lock(mutex_);
      ++lost_;
    }
    log_warning("a damaged blob is not repaired", {{"blob", id.to_string()}, {"error", checked.error().describe()}});
  }
}

Progress FleetImpl::progress_of(std::uint64_t job) {
  return [this, job](std::uint64_t bytes) {
    if (bytes > 0) {
      board_.change(job, [bytes](Job& running) {
        running.bytes_done += bytes;
        // Rebuilding reads more than it writes, and data arrive while a job runs: the estimate follows.
        running.bytes_total = std::max(running.bytes_total, running.bytes_done);
      });
    }
    return throttle_.take(bytes, [this] { return !go_on(); });
  };
}

JobState FleetImpl::ended_with(const Error& error, std::string& message) const {
  if (error == Errc::kCancelled) {
    message = stopping_ ? "the server is stopping" : make_way_ ? "made way for another job" : kAbortedBy;
    return JobState::kAborted;
  }
  message = error.message();
  return JobState::kFailed;
}

void FleetImpl::count(std::uint64_t job, const PassResult& result) {
  repaired_ += result.repaired;
  damaged_found_ += result.damaged;
  repaired_counter_.add(static_cast<double>(result.repaired));
  damaged_counter_.add(static_cast<double>(result.damaged));
  moved_counter_.add(static_cast<double>(result.shards > 0 ? result.bytes : 0));
  board_.change(job, [&](Job& running) {
    running.blobs_done += result.blobs;
    running.repaired += result.repaired;
    running.lost = result.lost;
  });
}

Status FleetImpl::look_ahead(std::uint64_t job) {
  TRY(auto outlook, passes_.look_ahead([this] { return go_on(); }));
  board_.change(job, [&](Job& running) { running.bytes_total = outlook.bytes; });
  const auto map = drives_.map();
  for (const auto& [id, shards] : outlook.gone) {
    const DriveInfo* const drive = map->find(id);
    log_error("volumes are gone from a drive",
              {{"drive", drive == nullptr ? id.to_string() : drive->name.value()}, {"shards", shards}});
  }
  const std::lock_guard lock(mutex_);
  unlooked_ = !outlook.all_known;
  gone_ = std::move(outlook.gone);
  return {};
}

Result<PassResult> FleetImpl::settle_all(std::uint64_t job) {
  auto result = passes_.settle_all(progress_of(job), [this] { repair_damaged(); });
  if (!result) return result;
  count(job, *result);
  if (result->waiting + result->lost > 0) return result;
  const std::lock_guard lock(mutex_);
  gone_.clear();
  return result;
}

JobState FleetImpl::run_heal(std::uint64_t job, std::string& message) {
  candidates_.refresh();
  if (const Status looked = look_ahead(job); !looked) return ended_with(looked.error(), message);
  const auto result = settle_all(job);
  if (!result) return ended_with(result.error(), message);
  const std::lock_guard lock(mutex_);
  waiting_ = result->waiting;
  lost_ = result->lost;
  message =
      std::to_string(result->shards) + " shards placed anew, " + std::to_string(result->repaired) + " of them rebuilt";
  if (result->waiting > 0) message += "; " + std::to_string(result->waiting) + " blobs wait: " + result->why;
  if (result->lost > 0) message += "; " + std::to_string(result->lost) + " blobs cannot be rebuilt: " + result->why;
  if (result->waiting > 0 || unlooked_) heal_retry_at_ = clock_.steady() + kRetryWaitingAfter;
  return result->lost > 0 ? JobState::kFailed : JobState::kDone;
}

JobState FleetImpl::run_scrub(std::uint64_t job, std::string& message) {
  std::uint64_t total = 0;
  const auto map = drives_.map();
  for (const DriveInfo& drive : map->drives) {
    if (const auto usage = blobs_.usage(drive.id)) total += usage->live_bytes;
  }
  const auto mirrors = mirrors_.mirrors();
  for (const meta::MirrorStatus& mirror : mirrors) total += mirror.bytes;
  board_.change(job, [&](Job& running) { running.bytes_total = total; });
  const auto bad_mirrors = mirror_keeper_.verify(progress_of(job));
  if (!bad_mirrors) return ended_with(bad_mirrors.error(), message);
  const auto result = passes_.verify_all(progress_of(job), [this] { repair_damaged(); });
  if (!result) return ended_with(result.error(), message);
  count(job, *result);
  damaged_found_ += *bad_mirrors;
  damaged_counter_.add(static_cast<double>(*bad_mirrors));
  reclaim();
  message = std::to_string(result->blobs) + " blobs read, " + std::to_string(result->damaged) + " shards damaged, " +
            std::to_string(result->repaired) + " repaired; " + std::to_string(mirrors.size()) +
            " metadata mirrors read, " + std::to_string(*bad_mirrors) + " damaged and made anew";
  if (result->lost > 0) message += "; " + std::to_string(result->lost) + " blobs cannot be rebuilt: " + result->why;
  if (result->waiting > 0) message += "; " + std::to_string(result->waiting) + " not repaired now: " + result->why;
  const Status recorded = journal_.record_scrub(clock_.now(), message);
  if (!recorded) log_warning("the time of this scrub is not recorded", {{"error", recorded.error().describe()}});
  const std::lock_guard lock(mutex_);
  lost_ = result->lost;
  scrub_at_ = clock_.steady() + options_.scrub_every;
  return result->lost + result->waiting > 0 ? JobState::kFailed : JobState::kDone;
}

JobState FleetImpl::run_rebalance(std::uint64_t job, std::string& message) {
  candidates_.refresh();
  const std::uint64_t excess = Balance(*candidates_.snapshot()).excess_bytes();
  board_.change(job, [&](Job& running) { running.bytes_total = excess; });
  const auto result = passes_.rebalance(progress_of(job), [this] { repair_damaged(); });
  if (!result) return ended_with(result.error(), message);
  count(job, *result);
  message = std::to_string(result->shards) + " shards moved";
  return JobState::kDone;
}

// --- asked for by operators ------------------------------------------------------------------------------------------

Status FleetImpl::check_free() const {
  const std::lock_guard lock(mutex_);
  if (!requested_ && !(running_ && running_->asked)) return {};
  const std::uint64_t number = requested_ ? requested_->job : running_->job;
  const auto running = board_.find(number);
  return fail(Errc::kConflict, "job " + std::to_string(number) + " (" +
                                   (running ? to_string(running->kind) : "unknown") +
                                   ") is running: wait until it has ended" +
                                   (running && running->kind == JobKind::kDrain ? ", or abort it" : ""));
}

std::uint64_t FleetImpl::request_job(Request request, std::string subject) {
  const std::lock_guard lock(mutex_);
  request.job = board_.open(request.kind, std::move(subject));
  request.asked = true;
  requested_ = request;
  make_way_ = true;
  throttle_.wake();
  wake_.notify_all();
  return request.job;
}

Result<Job> FleetImpl::job(std::uint64_t number) {
  auto job = board_.find(number);
  if (!job) return fail(Errc::kNotFound, "no job " + std::to_string(number) + " in this process");
  return std::move(*job);
}

Result<Job> FleetImpl::heal(std::string operator_name) {
  const std::lock_guard operators(operators_);
  CHECK_OK(check_free());
  CHECK_OK(journal_.record("StartHeal", std::move(operator_name), {}));
  return job(request_job({.kind = JobKind::kHeal}, "by an operator"));
}

Result<Job> FleetImpl::scrub(std::string operator_name) {
  const std::lock_guard operators(operators_);
  CHECK_OK(check_free());
  CHECK_OK(journal_.record("StartScrub", std::move(operator_name), {}));
  return job(request_job({.kind = JobKind::kScrub}, "by an operator"));
}

}  // namespace andromede::fleet
