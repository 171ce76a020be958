#include "fleet/fleet.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <set>
#include <thread>

#include "base/log.h"
#include "base/pool.h"
#include "fleet/balance.h"
#include "fleet/jobs.h"
#include "fleet/mirror_keeper.h"
#include "fleet/mover.h"
#include "fleet/passes.h"
#include "fleet/throttle.h"
#include "fleet/witness.h"
#include "io/drive_label.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::seconds kWatchEvery{1};
constexpr std::chrono::milliseconds kWorkEvery{250};
constexpr std::chrono::seconds kRetryWaitingAfter{30};
// More damaged blobs than this are not remembered one by one: a scrub finds them.
constexpr std::size_t kMaxDamagedRemembered = 10'000;
constexpr std::chrono::milliseconds kBetweenPasses{500};
constexpr std::chrono::seconds kAttachAgainAfter{30};
// A rebalance that an earlier process did not end is taken up again; less is not worth a pass at every start.
constexpr double kUnevenAtStart = 0.01;
// Blobs written short wait for their heal no longer than this, however many more come.
constexpr std::chrono::minutes kShortWritesAtMost{10};

using io::DriveInfo;
using io::DriveMap;
using io::DriveState;
using Parameters = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::uint64_t job = 0;
  JobKind kind = JobKind::kHeal;
  bool asked = false;                       // by an operator, or resumed for one
  std::uint64_t bandwidth_bytes_per_s = 0;  // 0: the configured one
  bool accept_unerased = false;
};

// Blobs are being written without all their shards.
struct ShortWrites {
  SteadyTime first;
  SteadyTime last;
};

// What listeners of Drives hold: it outlives the fleet, because Drives does.
struct Signals {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<DriveId, bool>> drive_events;
};

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

class FleetImpl final : public Fleet {
 public:
  FleetImpl(io::Drives& drives, Candidates& candidates, blob::Maintenance& blobs, blob::Catalog& catalog,
            meta::Store& store, meta::Mirrors& mirrors, sovereignty::Rule rule, const Clock& clock, Random& random,
            Metrics& metrics, Options options)
      : drives_(drives),
        candidates_(candidates),
        blobs_(blobs),
        catalog_(catalog),
        mirrors_(mirrors),
        rule_(rule),
        clock_(clock),
        random_(random),
        metrics_(metrics),
        options_(options),
        witness_(store, clock),
        board_(clock),
        throttle_(options.bandwidth_bytes_per_s),
        mover_(drives, blobs, catalog, candidates, random),
        passes_(drives, candidates, catalog, mover_, random),
        mirror_keeper_(drives, mirrors, candidates, rule, clock, options.mirror_grace,
                       [this](const DriveInfo& drive, MirrorKeeper::Change change) {
                         return witness_.record(event_of(change), kFleetItself,
                                                {{"drive", drive.name.value()}, {"site", drive.site.value()}});
                       }),
        signals_(std::make_shared<Signals>()),
        repaired_counter_(metrics.counter("andromede_shards_repaired_total", "Shards rebuilt or rewritten")),
        damaged_counter_(metrics.counter("andromede_shards_damaged_total", "Shards found damaged by reads or scrubs")),
        moved_counter_(metrics.counter("andromede_fleet_moved_bytes_total", "Bytes moved by heal, drain, rebalance")),
        degraded_gauge_(metrics.gauge("andromede_degraded", "1 while the cloud is degraded")),
        waiting_gauge_(metrics.gauge("andromede_blobs_waiting", "Blobs that wait for heal")) {}

  ~FleetImpl() override { stop(); }

  Status start() override;
  void stop() override;
  Result<FleetStatus> status() override;
  Status add_drive(DriveInfo drive, std::string operator_name) override;
  Status replace_drive(DriveName lost, std::string path, std::string operator_name) override;
  Result<Job> heal(std::string operator_name) override;
  Result<Job> scrub(std::string operator_name) override;
  Result<Job> drain(DrainRequest request, std::string operator_name) override;
  Status abort_drain(std::string operator_name) override;
  Result<Job> job(std::uint64_t number) override;

 private:
  // --- watching thread: what must be seen within a second, whatever job runs
  void watch();
  void handle_drive_events();
  void attach_missing();
  void look_at_short_writes();
  void resume_drain_of(DriveId drive);
  void collect_damaged();
  void update_metrics();

  // --- job thread
  void work();
  std::optional<Request> next_request();  // mutex_ is held
  void run(const Request& request);
  void look_after();
  void repair_damaged();
  void reclaim();
  [[nodiscard]] SteadyTime next_scrub() const;
  JobState run_heal(std::uint64_t job, std::string& message);
  JobState run_scrub(std::uint64_t job, std::string& message);
  JobState run_rebalance(std::uint64_t job, std::string& message);
  JobState run_drain(const Request& request, std::string& message);
  Result<bool> nothing_left_on(const std::vector<DriveInfo>& leaving, bool accept_unerased, std::string& left);
  Status erase_and_mark_drained(const std::vector<DriveInfo>& leaving);
  Status mark_drained(const std::vector<DriveInfo>& leaving);
  [[nodiscard]] std::vector<DriveInfo> offline_of(const std::vector<DriveInfo>& drives) const;
  JobState ended_with(const Error& error, std::string& message) const;
  void count(std::uint64_t job, const PassResult& result);
  Progress progress_of(std::uint64_t job);
  [[nodiscard]] bool go_on() const { return !stopping_ && !abort_ && !make_way_; }

  // --- operators
  // kConflict when an operator's job runs. Who holds operators_ can then request one.
  [[nodiscard]] Status check_free() const;
  std::uint64_t request_job(Request request, std::string subject);
  Result<std::vector<DriveInfo>> leaving_drives(const DriveMap& map, const DrainRequest& request) const;
  Result<CandidateList> drain_candidates(const std::vector<DriveInfo>& leaving);
  Status check_mirror_room(const std::vector<DriveInfo>& leaving, const CandidateList& candidates) const;
  Status restore_site_losses();
  // Joins or replaces a drive; where that fails after it was journaled, the journal says so too.
  Status change_drives(const std::string& event, const std::string& principal, Parameters parameters, DriveId joining,
                       const std::function<Status(DriveMap&)>& change);
  void due(bool heal, bool rebalance);

  io::Drives& drives_;
  Candidates& candidates_;
  blob::Maintenance& blobs_;
  blob::Catalog& catalog_;
  meta::Mirrors& mirrors_;
  const sovereignty::Rule rule_;
  const Clock& clock_;
  Random& random_;
  Metrics& metrics_;
  const Options options_;
  Witness witness_;
  JobBoard board_;
  Throttle throttle_;
  Mover mover_;
  Passes passes_;
  MirrorKeeper mirror_keeper_;
  std::shared_ptr<Signals> signals_;

  std::mutex operators_;  // one change of the map by an operator at a time

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::optional<Request> requested_;
  std::optional<Request> running_;
  bool heal_due_ = false;
  bool rebalance_due_ = false;
  SteadyTime heal_retry_at_ = SteadyTime::max();
  SteadyTime rebalance_retry_at_ = SteadyTime::max();
  std::set<BlobId> damaged_;
  bool scrub_due_ = false;
  std::uint64_t waiting_ = 0;
  std::uint64_t lost_ = 0;

  SteadyTime reclaim_at_{};  // job thread only
  SteadyTime scrub_at_{};
  std::map<DriveId, SteadyTime> attach_again_at_;  // watching thread only, as are the next two
  std::uint64_t short_writes_ = 0;
  std::optional<ShortWrites> short_since_;

  std::atomic<std::uint64_t> damaged_found_{0};
  std::atomic<std::uint64_t> repaired_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> abort_{false};     // of the running job, by an operator
  std::atomic<bool> make_way_{false};  // for a job that an operator asks for
  bool started_ = false;
  std::thread watcher_;
  std::thread worker_;

  Counter repaired_counter_;
  Counter damaged_counter_;
  Counter moved_counter_;
  Gauge degraded_gauge_;
  Gauge waiting_gauge_;
};

// --- life ------------------------------------------------------------------------------------------------------------

Status FleetImpl::start() {
  CHECK(!started_, "a fleet starts once");
  started_ = true;
  candidates_.refresh();
  drives_.subscribe([signals = signals_](DriveId drive, bool online) {
    const std::lock_guard lock(signals->mutex);
    signals->drive_events.emplace_back(drive, online);
    signals->changed.notify_all();
  });
  drives_.watch();
  scrub_at_ = next_scrub();
  const auto draining = drives_in(*drives_.map(), DriveState::kDraining);
  {
    const std::lock_guard lock(mutex_);
    if (!draining.empty()) {
      requested_ = Request{board_.open(JobKind::kDrain, names_of(draining)), JobKind::kDrain, true};
      log_info("resuming a drain", {{"drives", names_of(draining)}});
    }
    // An earlier process may have stopped in the middle of anything: one look at every record tells.
    heal_due_ = true;
    const auto candidates = candidates_.snapshot();
    rebalance_due_ = Balance(*candidates).unevenness() > kUnevenAtStart;
  }
  watcher_ = std::thread([this] { watch(); });
  worker_ = std::thread([this] { work(); });
  return {};
}

void FleetImpl::stop() {
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
  if (watcher_.joinable()) watcher_.join();
  if (worker_.joinable()) worker_.join();
}

// Counted from the last scrub that ended, in whichever process that was.
SteadyTime FleetImpl::next_scrub() const {
  const auto last = witness_.last_scrub();
  if (!last) log_warning("the time of the last scrub is unknown", {{"error", last.error().describe()}});
  const std::int64_t since_ms = last && *last ? std::max<std::int64_t>(clock_.now().ms - (*last)->ms, 0) : 0;
  return clock_.steady() + options_.scrub_every - std::chrono::milliseconds(since_ms);
}

// --- watching thread -------------------------------------------------------------------------------------------------

void FleetImpl::watch() {
  name_thread("fleet-watch");
  while (!stopping_) {
    handle_drive_events();
    attach_missing();
    candidates_.refresh();
    collect_damaged();
    look_at_short_writes();
    update_metrics();
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
      continue;
    }
    attach_again_at_.erase(id);
    if (const Status attached = blobs_.attach(id); !attached) {
      log_error("a drive came back and cannot be used",
                {{"drive", drive->name.value()}, {"error", attached.error().describe()}});
      attach_again_at_[id] = clock_.steady() + kAttachAgainAfter;
      continue;
    }
    log_info("drive back online", {{"drive", drive->name.value()}, {"site", drive->site.value()}});
    due(true, false);
    if (drive->state == DriveState::kDraining) resume_drain_of(id);
  }
}

void FleetImpl::attach_missing() {
  const auto map = drives_.map();
  for (const DriveInfo& drive : map->drives) {
    if (!io::in_use(drive) || !drives_.online(drive.id) || blobs_.usage(drive.id)) continue;
    const SteadyTime now = clock_.steady();
    const auto [again, first] = attach_again_at_.try_emplace(drive.id, now + kAttachAgainAfter);
    if (first || now < again->second) continue;
    again->second = now + kAttachAgainAfter;
    if (const Status attached = blobs_.attach(drive.id); !attached) {
      log_error("a drive cannot be used", {{"drive", drive.name.value()}, {"error", attached.error().describe()}});
      continue;
    }
    log_info("drive usable again", {{"drive", drive.name.value()}});
    attach_again_at_.erase(drive.id);
    due(true, false);
  }
}

void FleetImpl::look_at_short_writes() {
  const std::uint64_t now_short = blobs_.short_writes();
  const SteadyTime now = clock_.steady();
  if (now_short != std::exchange(short_writes_, now_short)) {
    if (!short_since_) short_since_ = ShortWrites{now, now};
    short_since_->last = now;
  }
  // With drives away their return starts a heal, and sooner there is nowhere to put what is missing.
  if (!short_since_ || candidates_.snapshot()->size() < rule_.shards()) return;
  if (now - short_since_->last < options_.short_writes_quiet && now - short_since_->first < kShortWritesAtMost) return;
  short_since_.reset();
  due(true, false);
}

void FleetImpl::resume_drain_of(DriveId drive) {
  const std::lock_guard lock(mutex_);
  if (requested_ || (running_ && running_->asked)) return;
  const auto map = drives_.map();
  const DriveInfo* const back = map->find(drive);
  if (back == nullptr || back->state != DriveState::kDraining) return;
  const auto draining = drives_in(*map, DriveState::kDraining);
  requested_ = Request{board_.open(JobKind::kDrain, names_of(draining)), JobKind::kDrain, true};
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

void FleetImpl::update_metrics() {
  const auto now = status();
  if (!now) return;
  degraded_gauge_.set(now->degraded ? 1 : 0);
  waiting_gauge_.set(static_cast<double>(now->waiting));
  for (const DriveStatus& drive : now->drives) {
    const Labels labels{{"drive", drive.info.name.value()}, {"site", drive.info.site.value()}};
    metrics_.gauge("andromede_drive_state", "1 active, 2 draining, 3 drained, 4 replaced", labels)
        .set(static_cast<double>(drive.info.state));
    metrics_.gauge("andromede_drive_online", "1 while the drive is online", labels).set(drive.online ? 1 : 0);
    metrics_.gauge("andromede_drive_shards", "Shards on the drive", labels)
        .set(static_cast<double>(drive.usage.shards));
    metrics_.gauge("andromede_drive_live_bytes", "Bytes of shards on the drive", labels)
        .set(static_cast<double>(drive.usage.live_bytes));
    metrics_.gauge("andromede_drive_free_bytes", "Bytes free on the drive", labels)
        .set(static_cast<double>(drive.usage.free_bytes));
  }
}

// --- job thread ------------------------------------------------------------------------------------------------------

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

void FleetImpl::work() {
  name_thread("fleet-jobs");
  while (!stopping_) {
    look_after();
    std::optional<Request> request;
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
    }
    if (request) {
      run(*request);
    } else if (clock_.steady() >= reclaim_at_) {
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

void FleetImpl::look_after() {
  if (const Status kept = mirror_keeper_.keep([this] { return !stopping_; }); !kept) {
    log_warning("metadata mirrors", {{"error", kept.error().describe()}});
  }
  repair_damaged();
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

void FleetImpl::reclaim() {
  reclaim_at_ = clock_.steady() + options_.reclaim_every;
  const auto map = drives_.map();
  for (const DriveInfo& drive : map->drives) {
    if (stopping_) return;
    if (!io::in_use(drive) || !drives_.online(drive.id)) continue;
    const auto idle = [this] {
      const std::lock_guard lock(mutex_);
      return !stopping_ && !requested_ && !heal_due_;
    };
    const auto reclaimed = blobs_.reclaim_orphans(drive.id, catalog_, options_.orphan_grace, idle);
    if (!reclaimed && reclaimed.error() == Errc::kCancelled) {
      reclaim_at_ = clock_.steady() + kRetryWaitingAfter;
      return;
    }
    if (!reclaimed) {
      log_warning("orphans not reclaimed", {{"drive", drive.name.value()}, {"error", reclaimed.error().describe()}});
    } else if (reclaimed->records > 0) {
      log_info("orphans reclaimed",
               {{"drive", drive.name.value()}, {"records", reclaimed->records}, {"bytes", reclaimed->bytes}});
    }
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
    message = stopping_ ? "the server is stopping" : make_way_ ? "made way for another job" : "aborted";
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

JobState FleetImpl::run_heal(std::uint64_t job, std::string& message) {
  candidates_.refresh();
  const auto total = passes_.estimate([this] { return go_on(); });
  if (!total) return ended_with(total.error(), message);
  board_.change(job, [&](Job& running) { running.bytes_total = *total; });
  const auto result = passes_.settle_all(progress_of(job), [this] { look_after(); });
  if (!result) return ended_with(result.error(), message);
  count(job, *result);
  const std::lock_guard lock(mutex_);
  waiting_ = result->waiting;
  lost_ = result->lost;
  message =
      std::to_string(result->shards) + " shards placed anew, " + std::to_string(result->repaired) + " of them rebuilt";
  if (result->waiting > 0) message += "; " + std::to_string(result->waiting) + " blobs wait: " + result->why;
  if (result->lost > 0) message += "; " + std::to_string(result->lost) + " blobs cannot be rebuilt: " + result->why;
  if (result->waiting > 0) heal_retry_at_ = clock_.steady() + kRetryWaitingAfter;
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
  const auto result = passes_.verify_all(progress_of(job), [this] { look_after(); });
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
  const Status recorded = witness_.record_scrub(clock_.now(), message);
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
  const auto result = passes_.rebalance(progress_of(job), [this] { look_after(); });
  if (!result) return ended_with(result.error(), message);
  count(job, *result);
  message = std::to_string(result->shards) + " shards moved";
  return JobState::kDone;
}

// --- drain -----------------------------------------------------------------------------------------------------------

JobState FleetImpl::run_drain(const Request& request, std::string& message) {
  const auto leaving = drives_in(*drives_.map(), DriveState::kDraining);
  if (leaving.empty()) {
    message = "no drive is draining";
    return JobState::kAborted;
  }
  candidates_.refresh();
  const auto total = passes_.estimate([this] { return go_on(); });
  if (!total) return ended_with(total.error(), message);
  board_.change(request.job, [&](Job& running) { running.bytes_total = *total; });
  const Throttle::Limit limit(throttle_, request.bandwidth_bytes_per_s);

  std::uint64_t moved = 0;
  std::vector<DriveInfo> unerased;
  for (unsigned fruitless = 0;;) {
    candidates_.refresh();
    look_after();
    const auto pass = passes_.settle_all(progress_of(request.job), [this] { look_after(); });
    if (!pass) return ended_with(pass.error(), message);
    count(request.job, *pass);
    moved += pass->shards;
    std::string left;
    const auto empty = nothing_left_on(leaving, request.accept_unerased, left);
    if (!empty) return ended_with(empty.error(), message);
    if (*empty) {
      unerased = offline_of(leaving);
      const Status finished = erase_and_mark_drained(leaving);
      if (finished) break;
      if (finished.error() != Errc::kConflict) return ended_with(finished.error(), message);
      left = finished.error().message();
    }
    const std::string trouble = mirror_keeper_.trouble();
    const bool stuck = pass->waiting + pass->lost > 0 || !trouble.empty() || !offline_of(leaving).empty();
    fruitless = pass->shards == 0 && stuck ? fruitless + 1 : 0;
    if (fruitless >= options_.max_fruitless_passes) {
      message = left;
      for (const std::string& why : {pass->why, trouble}) message += why.empty() ? "" : "; " + why;
      message += "; start the drain again when that is mended, or abort it";
      return JobState::kFailed;
    }
    board_.change(request.job, [&](Job& running) { running.message = left; });
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

Result<bool> FleetImpl::nothing_left_on(const std::vector<DriveInfo>& leaving, bool accept_unerased,
                                        std::string& left) {
  const auto map = drives_.map();
  for (const DriveInfo& drive : leaving) {
    const DriveInfo* now = map->find(drive.id);
    if (now != nullptr && now->mirrors_metadata) {
      left = "the metadata mirror on " + drive.name.value() + " has no successor yet";
      return false;
    }
    if (!drives_.online(drive.id)) {
      if (accept_unerased) continue;
      left =
          drive.name.value() + " is offline and cannot be erased: bring it back, or accept that with --accept-unerased";
      return false;
    }
    TRY(const bool mirror_files, mirrors_.holds_files(drive.id));
    if (mirror_files) {
      left = "files of the former metadata mirror on " + drive.name.value() + " are not removed yet";
      return false;
    }
    TRY(const auto usage, blobs_.usage(drive.id));
    // What nobody names any more: an upload that broke off, or one that is still running and will be seen next time.
    TRY(const auto reclaimed,
        blobs_.reclaim_orphans(drive.id, catalog_, options_.orphan_grace, [this] { return go_on(); }));
    if (reclaimed.records < usage.shards) {
      left = std::to_string(usage.shards - reclaimed.records) + " shards left on " + drive.name.value();
      return false;
    }
  }
  for (const DriveInfo& drive : leaving) {
    TRY(const auto named, passes_.count_on(drive.id, [this] { return go_on(); }));
    if (named.shards > 0) {
      left = std::to_string(named.shards) + " blobs are still recorded on " + drive.name.value();
      return false;
    }
  }
  return true;
}

Status FleetImpl::erase_and_mark_drained(const std::vector<DriveInfo>& leaving) {
  const std::lock_guard operators(operators_);
  if (abort_) return fail(Errc::kCancelled, "aborted");
  std::vector<DriveId> detached;
  Status done;
  for (const DriveInfo& drive : leaving) {
    if (!drives_.online(drive.id)) continue;
    done = blobs_.detach_empty(drive.id);
    if (!done) break;
    detached.push_back(drive.id);
  }
  if (done) done = mark_drained(leaving);
  if (!done) {
    // They are in use until all of them can leave.
    for (const DriveId id : detached) {
      if (const Status attached = blobs_.attach(id); !attached) {
        log_error("a draining drive cannot be used", {{"error", attached.error().describe()}});
      }
    }
    return done;
  }
  candidates_.refresh();
  return {};
}

Status FleetImpl::mark_drained(const std::vector<DriveInfo>& leaving) {
  CHECK_OK(witness_.record("CompleteDrain", kFleetItself,
                           {{"drives", names_of(leaving)},
                            {"shardsLeft", "0"},
                            {"mirrorsLeft", "0"},
                            {"offlineNotErased", names_of(offline_of(leaving))}}));
  return drives_.update([&](DriveMap& map) -> Status {
    for (DriveInfo& drive : map.drives) {
      const auto same = [&](const DriveInfo& other) { return other.id == drive.id; };
      if (std::any_of(leaving.begin(), leaving.end(), same)) drive.state = DriveState::kDrained;
    }
    return {};
  });
}

// --- operators -------------------------------------------------------------------------------------------------------

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
  CHECK_OK(witness_.record("StartHeal", std::move(operator_name), {}));
  return job(request_job({.kind = JobKind::kHeal}, "by an operator"));
}

Result<Job> FleetImpl::scrub(std::string operator_name) {
  const std::lock_guard operators(operators_);
  CHECK_OK(check_free());
  CHECK_OK(witness_.record("StartScrub", std::move(operator_name), {}));
  return job(request_job({.kind = JobKind::kScrub}, "by an operator"));
}

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
  for (const DriveId id : sovereignty::place_mirrors(rule_, remaining, staying)) {
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

Result<Job> FleetImpl::drain(DrainRequest request, std::string operator_name) {
  const std::lock_guard operators(operators_);
  const auto map = drives_.map();
  CHECK_OK(check_free());
  const Request wanted{.kind = JobKind::kDrain,
                       .bandwidth_bytes_per_s = request.bandwidth_bytes_per_s,
                       .accept_unerased = request.accept_unerased};
  const auto named = [&] { return request.site ? request.site->value() : request.drive->value(); };
  if (const auto draining = drives_in(*map, DriveState::kDraining); !draining.empty()) {
    const bool same = std::all_of(draining.begin(), draining.end(), [&](const DriveInfo& drive) {
      return request.site ? drive.site == *request.site : drive.name == request.drive;
    });
    if (!same) {
      return fail(Errc::kConflict, names_of(draining) + " is draining: wait until it has ended, or abort it");
    }
    // Its job failed: an operator who mended the cause starts it again.
    Parameters parameters{{"drives", names_of(draining)}};
    if (request.accept_unerased) parameters.emplace_back("acceptedUnerased", names_of(offline_of(draining)));
    CHECK_OK(witness_.record("ResumeDrain", std::move(operator_name), std::move(parameters)));
    return job(request_job(wanted, named()));
  }
  TRY(const auto leaving, leaving_drives(*map, request));
  std::vector<DriveId> leaving_ids;
  for (const DriveInfo& drive : leaving) leaving_ids.push_back(drive.id);
  TRY(const CandidateList list, drain_candidates(leaving));
  const auto accepted = request.accept_site_losses ? request.accept_site_losses : map->accepted_site_losses;
  TRY(const auto check, sovereignty::check_withdrawal(rule_, list, leaving_ids, accepted, options_.reserve_bytes));
  CHECK_OK(check_mirror_room(leaving, list));

  Parameters parameters{{request.site ? "site" : "drive", named()},
                        {"drives", names_of(leaving)},
                        {"siteLossesAfter", std::to_string(check.after.site_losses)}};
  // What need not be accepted is not: the policy's own demand goes on.
  const bool accepts = request.accept_site_losses && check.after.site_losses < rule_.site_losses;
  if (accepts) parameters.emplace_back("acceptedSiteLosses", std::to_string(*request.accept_site_losses));
  if (request.accept_unerased) parameters.emplace_back("acceptedUnerased", names_of(offline_of(leaving)));
  CHECK_OK(witness_.record(request.site ? "DrainSite" : "DrainDrive", std::move(operator_name), std::move(parameters)));
  CHECK_OK(drives_.update([&](DriveMap& changed) -> Status {
    for (DriveInfo& drive : changed.drives) {
      if (std::find(leaving_ids.begin(), leaving_ids.end(), drive.id) != leaving_ids.end()) {
        drive.state = DriveState::kDraining;
      }
    }
    if (accepts) changed.accepted_site_losses = request.accept_site_losses;
    return {};
  }));
  // From here on new blobs go elsewhere.
  candidates_.refresh();
  return job(request_job(wanted, named()));
}

Status FleetImpl::abort_drain(std::string operator_name) {
  const std::lock_guard operators(operators_);
  const auto draining = drives_in(*drives_.map(), DriveState::kDraining);
  if (draining.empty()) return fail(Errc::kConflict, "no drive is draining");
  CHECK_OK(witness_.record("AbortDrain", std::move(operator_name), {{"drives", names_of(draining)}}));
  CHECK_OK(drives_.update([&](DriveMap& map) -> Status {
    for (DriveInfo& drive : map.drives) {
      if (drive.state == DriveState::kDraining) drive.state = DriveState::kActive;
    }
    return {};
  }));
  {
    const std::lock_guard lock(mutex_);
    if (requested_ && requested_->kind == JobKind::kDrain) {
      board_.close(requested_->job, JobState::kAborted, "aborted");
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

// What was accepted for want of a successor ends when the policy's own demand can be met again.
Status FleetImpl::restore_site_losses() {
  const auto candidates = candidates_.snapshot();
  const auto best = sovereignty::best_tolerance(rule_, *candidates);
  if (!drives_.map()->accepted_site_losses || !best || best->site_losses < rule_.site_losses) return {};
  CHECK_OK(witness_.record("RestoreSiteLosses", kFleetItself, {{"siteLosses", std::to_string(rule_.site_losses)}}));
  return drives_.update([](DriveMap& changed) -> Status {
    changed.accepted_site_losses.reset();
    return {};
  });
}

Status FleetImpl::change_drives(const std::string& event, const std::string& principal, Parameters parameters,
                                DriveId joining, const std::function<Status(DriveMap&)>& change) {
  CHECK_OK(witness_.record(event, principal, parameters));
  if (Status changed = drives_.update(change); !changed) {
    parameters.emplace_back("error", changed.error().message());
    const Status told = witness_.record(event + "Failed", principal, std::move(parameters));
    if (!told) log_warning("a failure is not journaled", {{"event", event}, {"error", told.error().describe()}});
    return changed;
  }
  CHECK_OK(blobs_.attach(joining));
  candidates_.refresh();
  return {};
}

Status FleetImpl::add_drive(DriveInfo drive, std::string operator_name) {
  const std::lock_guard operators(operators_);
  const auto map = drives_.map();
  if (map->find(drive.name) != nullptr) {
    return fail(Errc::kAlreadyExists,
                "a drive named " + drive.name.value() + " is or was part of this cloud: choose a new name");
  }
  for (const DriveInfo& other : map->drives) {
    const bool used = io::in_use(other);
    if (used && other.path == drive.path) {
      return fail(Errc::kAlreadyExists, drive.path + " is the folder of drive " + other.name.value());
    }
    if (used && other.site == drive.site && other.associate != drive.associate) {
      return fail(Errc::kInvalidArgument, "site " + drive.site.value() + " is " + other.associate.value() + "'s, not " +
                                              drive.associate.value() + "'s");
    }
  }
  if (drive.id.is_none()) drive.id = DriveId::random(random_);
  drive.state = DriveState::kActive;
  drive.mirrors_metadata = false;
  CHECK_OK(change_drives("AddDrive", operator_name,
                         {{"drive", drive.name.value()},
                          {"site", drive.site.value()},
                          {"associate", drive.associate.value()},
                          {"path", drive.path}},
                         drive.id, [&](DriveMap& changed) -> Status {
                           changed.drives.push_back(drive);
                           return {};
                         }));
  CHECK_OK(restore_site_losses());
  due(true, true);
  return {};
}

Status FleetImpl::replace_drive(DriveName lost, std::string path, std::string operator_name) {
  const std::lock_guard operators(operators_);
  const auto map = drives_.map();
  const DriveInfo* old = map->find(lost);
  if (old == nullptr) return fail(Errc::kNotFound, "no drive named " + lost.value() + "; see: andromede drive list");
  if (!io::in_use(*old)) {
    return fail(Errc::kConflict, lost.value() + " has left the cloud already");
  }
  if (old->state == DriveState::kDraining) {
    return fail(Errc::kConflict,
                lost.value() + " is draining: abort the drain first, or drain it with --accept-unerased");
  }
  if (drives_.online(old->id)) {
    return fail(Errc::kRefused, lost.value() + " is online: drain it instead, so that nothing has to be rebuilt");
  }
  DriveInfo successor = *old;
  successor.id = DriveId::random(random_);
  successor.path = path;
  successor.state = DriveState::kActive;
  successor.mirrors_metadata = false;
  CHECK_OK(change_drives(
      "ReplaceDrive", operator_name,
      {{"drive", lost.value()}, {"path", path}, {"lostId", old->id.to_string()}, {"newId", successor.id.to_string()}},
      successor.id, [&](DriveMap& changed) -> Status {
        for (DriveInfo& drive : changed.drives) {
          if (drive.id != successor.id && drive.name == lost) {
            drive.state = DriveState::kReplaced;
            // Names are unique: history keeps its own.
            drive.name = DriveName(lost.value() + "-until-" + std::to_string(changed.epoch));
          }
        }
        changed.drives.push_back(successor);
        return {};
      }));
  due(true, true);
  return {};
}

// --- status ----------------------------------------------------------------------------------------------------------

Result<FleetStatus> FleetImpl::status() {
  FleetStatus status;
  const auto map = drives_.map();
  status.epoch = map->epoch;
  const auto mirrors = mirrors_.mirrors();
  for (const DriveInfo& info : map->drives) {
    DriveStatus drive;
    drive.info = info;
    drive.online = drives_.online(info.id);
    const bool used = io::in_use(info);
    if (drive.online && used) {
      if (const auto usage = blobs_.usage(info.id)) {
        drive.usage = *usage;
      } else {
        status.reasons.push_back("drive " + info.name.value() + " (site " + info.site.value() +
                                 ") is online and cannot be used: " + usage.error().message());
      }
    }
    drive.metadata_mirror_current = std::any_of(mirrors.begin(), mirrors.end(), [&](const meta::MirrorStatus& mirror) {
      return mirror.drive == info.id && mirror.online;
    });
    if (!drive.online && used) {
      status.reasons.push_back("drive " + info.name.value() + " (site " + info.site.value() + ") is offline");
    }
    status.drives.push_back(std::move(drive));
  }
  status.demanded = {map->accepted_site_losses.value_or(rule_.site_losses), rule_.drive_losses};
  const auto candidates = candidates_.snapshot();
  if (const auto best = sovereignty::best_tolerance(rule_, *candidates)) {
    status.actual = *best;
  } else {
    status.reasons.push_back(best.error().message());
  }
  if (status.actual.site_losses < status.demanded.site_losses) {
    status.reasons.push_back("what is written now survives the loss of " + std::to_string(status.actual.site_losses) +
                             " sites; " + std::to_string(status.demanded.site_losses) + " are demanded");
  }
  const MirrorKeeper::State mirror_state = mirror_keeper_.state();
  const std::string trouble = mirror_keeper_.trouble();
  if (mirror_state.online < mirror_state.wanted) {
    status.reasons.push_back(std::to_string(mirror_state.online) + " of " + std::to_string(mirror_state.wanted) +
                             " metadata mirrors take part" + (trouble.empty() ? "" : ": " + trouble));
  }
  {
    const std::lock_guard lock(mutex_);
    status.waiting = waiting_;
    if (waiting_ > 0) status.reasons.push_back(std::to_string(waiting_) + " blobs wait for heal");
    if (lost_ > 0) status.reasons.push_back(std::to_string(lost_) + " blobs cannot be rebuilt from what is online");
    if (heal_due_) status.reasons.emplace_back("a heal is about to start");
    if (!damaged_.empty()) status.reasons.push_back(std::to_string(damaged_.size()) + " damaged blobs wait for repair");
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

}  // namespace

std::unique_ptr<Fleet> Fleet::make(io::Drives& drives, Candidates& candidates, blob::Maintenance& blobs,
                                   blob::Catalog& catalog, meta::Store& store, meta::Mirrors& mirrors,
                                   sovereignty::Rule rule, const Clock& clock, Random& random, Metrics& metrics,
                                   Options options) {
  return std::make_unique<FleetImpl>(drives, candidates, blobs, catalog, store, mirrors, rule, clock, random, metrics,
                                     options);
}

}  // namespace andromede::fleet
