#include "meta/rocksdb/committer.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/pool.h"
#include "meta/rocksdb/root_record.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kMaxGroupCommits = 1024;
constexpr std::size_t kMaxQueuedBytes = 256 << 20;
constexpr std::chrono::milliseconds kSpaceCheckInterval{500};
// Who holds commits back looks again at least so often: what is asked for may change with the drive map.
constexpr std::chrono::milliseconds kHeldCheckInterval{250};
// A lost mirror is tried to be marked out so often where nobody waits for it.
constexpr std::chrono::milliseconds kMarksRetryInterval{1000};
// Of what a group has read.
constexpr std::size_t kMaxRemembered = 256;
constexpr std::size_t kMaxRememberedBytes = 256;
// Tag, space, length prefixes and seal of one change.
constexpr std::size_t kChangeOverhead = 24 + kTagBytes;
// Of a root's usage.
constexpr std::size_t kCounters = 2;
// What sealing may add to an event.
constexpr std::size_t kSealOverhead = 512;

// A commit that was not staged was not begun, whatever it was refused for.
Error not_begun(const Error& error) {
  return leaves_doubt(error) ? Error(make_error_code(Errc::kNotBegun), error.describe()) : error;
}

bool data_key(Space space) { return space == Space::kRecords || space == Space::kInline; }

Status check_key(std::string_view key) {
  if (key.size() <= kEngineLimits.key_bytes) return {};
  return fail(Errc::kInvalidArgument, "a key has at most " + std::to_string(kEngineLimits.key_bytes) +
                                          " bytes, this one " + std::to_string(key.size()));
}

Status check_value(std::string_view value) {
  if (value.empty()) return fail(Errc::kInvalidArgument, "a value has at least one byte");
  if (value.size() <= kEngineLimits.value_bytes) return {};
  return fail(Errc::kInvalidArgument, "a value has at most " + std::to_string(kEngineLimits.value_bytes) +
                                          " bytes, this one " + std::to_string(value.size()));
}

// The commit's size in a record, or why it can never be done.
Result<std::size_t> check_limits(const Commit& change, std::size_t max_bytes) {
  if (!change.event && change.unwitnessed == nullptr) {
    return fail(Errc::kInvalidArgument, "a commit carries its journal event, or says why none is owed");
  }
  if (change.expect.size() > kEngineLimits.expectations) {
    return fail(Errc::kInvalidArgument,
                "a commit expects at most " + std::to_string(kEngineLimits.expectations) + " keys");
  }
  std::size_t bytes = 0;
  for (const Expectation& expectation : change.expect) {
    CHECK_OK(check_key(expectation.key));
    if (expectation.value) CHECK_OK(check_value(*expectation.value));
  }
  for (const Put& put : change.put) {
    if (!data_key(put.key.space)) {
      return fail(Errc::kInvalidArgument, "the journal is written by events only, and counters are added to");
    }
    CHECK_OK(check_key(put.key.bytes));
    CHECK_OK(check_value(put.value));
    bytes += put.key.bytes.size() + put.value.size() + kChangeOverhead;
  }
  for (const Key& key : change.erase) {
    if (!data_key(key.space) && key.space != kCounterSpace) {
      return fail(Errc::kInvalidArgument, "the journal is never erased");
    }
    CHECK_OK(check_key(key.bytes));
    bytes += key.bytes.size() + kChangeOverhead;
  }
  bytes += kCounters * (kChangeOverhead + RootId::kSize);
  if (change.event) {
    CHECK_OK(check_value(*change.event));
    bytes += change.event->size() + kChangeOverhead + kSealOverhead;
  }
  if (bytes > max_bytes) {
    return fail(Errc::kInvalidArgument,
                "a commit has at most " + std::to_string(max_bytes) + " bytes, this one " + std::to_string(bytes));
  }
  return bytes;
}

// Mirrors that were found to be full, noted from several threads.
class FullMirrors {
 public:
  // False: that one did not do its part.
  bool add(const Mirror& mirror) {
    const std::lock_guard lock(mutex_);
    drives_.insert(mirror.drive());
    return false;
  }
  [[nodiscard]] MirrorSet::List among(const MirrorSet::List& mirrors) const {
    MirrorSet::List found;
    const std::lock_guard lock(mutex_);
    std::ranges::copy_if(mirrors, std::back_inserter(found),
                         [&](const auto& mirror) { return drives_.contains(mirror->drive()); });
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::set<DriveId> drives_;
};

constexpr const char* kNotMarkedOut =
    "a metadata mirror was lost, and too few drives take the drive map that says so: bring drives back";

// Whatever the map's change failed with: its code could mean that nothing was written, and the group is.
Status not_marked_out(const Error& why) {
  return fail(Errc::kUnavailable, "a lost mirror is not marked out: " + why.describe());
}

}  // namespace

Committer::Committer(MirrorSet& mirrors, LogSealer& sealer, std::shared_ptr<const RecordSeal> seal, const Clock& clock,
                     Metrics& metrics, Options options)
    : mirrors_(mirrors),
      sealer_(sealer),
      seal_(std::move(seal)),
      clock_(clock),
      options_(options),
      group_size_(metrics.histogram("andromede_meta_commit_group_size", "Commits that shared one sync", {},
                                    {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})),
      queue_depth_(metrics.gauge("andromede_meta_commit_queue_depth", "Commits that wait for the committer")),
      held_(metrics.gauge("andromede_meta_commits_held", "Commits that wait for metadata mirrors to join")),
      sync_seconds_(metrics.histogram("andromede_meta_sync_seconds",
                                      "Time to write and sync one group of commits on every mirror")),
      commits_(metrics.counter("andromede_meta_commits_total", "Commits acknowledged")),
      conflicts_(metrics.counter("andromede_meta_conflicts_total", "Commits refused because an expectation failed")),
      expectations_read_(metrics.counter("andromede_meta_expectations_read_total",
                                         "Expectations that were looked up, once for those that a group shares")) {}

Committer::~Committer() { abandon(); }

Status Committer::start(Start start) {
  CHECK_OK(sealer_.restore(start.last_sequence, as_bytes(start.last_entry)));
  salt_ = start.salt;
  last_index_ = start.last_index;
  last_sequence_ = start.last_sequence;
  woken_ = mirrors_.has_failed();  // marks that are owed are not for a commit to bring up
  mode_ = Mode::kRunning;
  thread_ = std::thread([this] { run(); });
  return {};
}

void Committer::go_on_from(const Start& start) {
  salt_ = start.salt;
  last_index_ = start.last_index;
  last_sequence_.store(start.last_sequence, std::memory_order_release);
  must_reseal_ = true;
  unapplied_.reset();  // it lies in that mirror's log
  short_since_ = kNotShort;
}

Task<Result<CommitInfo>> Committer::commit(Commit change, Deadline deadline) {
  CO_TRY(const std::size_t bytes, check_limits(change, options_.max_commit_bytes));
  Pending pending(std::move(change), deadline, bytes);
  const Commit& queued = pending.change;
  const RootId root = queued.partition.root;
  if (queued.usage.objects != 0) pending.adds.push_back({object_count_key(root), queued.usage.objects});
  if (queued.usage.bytes != 0) pending.adds.push_back({byte_count_key(root), queued.usage.bytes});
  CO_CHECK_OK(enqueue(pending));
  co_return co_await pending.answer;
}

Status Committer::enqueue(Pending& pending) {
  {
    const std::lock_guard lock(mutex_);
    if (mode_ != Mode::kRunning) return fail(Errc::kNotBegun, "the metadata store is stopping");
    if (queue_.size() + held_commits_ >= options_.max_queued_commits ||
        queued_bytes_ + pending.bytes > kMaxQueuedBytes) {
      return fail(Errc::kOverloaded, "the commit queue is full");
    }
    queue_.push_back(&pending);
    queued_bytes_ += pending.bytes;
    if (busy_) return {};
  }
  work_.notify_one();
  return {};
}

void Committer::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  work_.notify_one();
}

void Committer::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (mode_ == Mode::kRunning) mode_ = Mode::kStopping;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Committer::abandon() {
  {
    const std::lock_guard lock(mutex_);
    mode_ = Mode::kAbandoned;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Committer::Pause::Pause(Committer& committer) : committer_(committer) {
  std::unique_lock lock(committer_.mutex_);
  ++committer_.pauses_;
  committer_.idle_.wait(lock, [&] { return !committer_.busy_; });
}

Committer::Pause::~Pause() {
  {
    const std::lock_guard lock(committer_.mutex_);
    --committer_.pauses_;
    // A mirror may have joined.
    committer_.woken_ = true;
  }
  committer_.work_.notify_one();
}

bool Committer::take_group(Group& group) {
  std::unique_lock lock(mutex_);
  busy_ = false;
  if (pauses_ > 0) idle_.notify_all();
  const auto has_work = [this] { return pauses_ == 0 && (woken_ || !queue_.empty() || mode_ != Mode::kRunning); };
  if (held_commits_ == 0 && !unapplied_ && !marks_owed_) {
    work_.wait(lock, has_work);
  } else {
    work_.wait_for(lock, held_for_now(), has_work);
    work_.wait(lock, [this] { return pauses_ == 0; });
  }
  if (mode_ == Mode::kAbandoned || (mode_ == Mode::kStopping && queue_.empty())) return false;
  busy_ = true;
  woken_ = false;
  std::size_t bytes = 0;
  while (!queue_.empty() && group.size() < kMaxGroupCommits) {
    Pending* const next = queue_.front();
    if (!group.empty() && bytes + next->bytes > options_.max_commit_bytes) break;
    bytes += next->bytes;
    queued_bytes_ -= next->bytes;
    group.push_back(next);
    queue_.pop_front();
  }
  queue_depth_.set(static_cast<double>(queue_.size()));
  return true;
}

void Committer::run() {
  name_thread("committer");
  Group group;
  while (take_group(group)) {
    const Status dropped = drop_failed();
    if (dropped && unapplied_) apply_what_is_left();
    const auto lacking = shortfall();
    look_at_held(lacking);
    if (!group.empty()) process(group, lacking);
    resume_waiters();
    group.clear();
    give_up_late();
  }
  {
    const std::lock_guard lock(mutex_);
    parked_.insert(parked_.end(), queue_.begin(), queue_.end());
    queue_.clear();
  }
  for (Pending* pending : parked_) answer(pending, fail(Errc::kNotBegun, "the metadata store is stopping"));
  for (Pending* pending : unconfirmed_) answer(pending, fail(Errc::kCancelled, "the metadata store is stopping"));
  resume_waiters();
}

bool Committer::may_wait() const {
  const SteadyTime since = short_since_.load();
  return since == kNotShort || clock_.steady() - since < options_.redundancy_wait;
}

Status Committer::accepts_commits() const {
  if (may_wait()) return {};
  // Mirrors may have joined since the committer looked.
  if (auto lacking = shortfall()) return fail(Errc::kNotBegun, std::move(*lacking));
  return {};
}

std::optional<std::string> Committer::shortfall() const {
  if (auto lacking = mirrors_.shortfall()) return lacking;
  if (marks_owed_) return kNotMarkedOut;
  return std::nullopt;
}

std::chrono::milliseconds Committer::held_for_now() const {
  const bool awaited = !parked_.empty() || !unconfirmed_.empty() || unapplied_;
  std::chrono::milliseconds left = awaited ? kHeldCheckInterval : kMarksRetryInterval;
  for (const Group* held : {&parked_, &unconfirmed_}) {
    for (const Pending* pending : *held) left = std::min(left, pending->deadline.left(clock_));
  }
  // A deadline's fraction of a millisecond must not make this thread spin.
  return left + std::chrono::milliseconds(1);
}

void Committer::hold(Group& where, Pending* pending) {
  where.push_back(pending);
  const std::lock_guard lock(mutex_);
  ++held_commits_;
  queued_bytes_ += pending->bytes;
  held_.set(static_cast<double>(held_commits_));
}

void Committer::forget_held(std::size_t commits, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  held_commits_ -= commits;
  queued_bytes_ -= bytes;
  held_.set(static_cast<double>(held_commits_));
}

void Committer::give_up(Group& held, const Error& why) {
  Group waiting;
  std::size_t bytes = 0;
  const bool may_wait_on = may_wait();
  for (Pending* pending : held) {
    if (may_wait_on && !pending->deadline.passed(clock_)) {
      waiting.push_back(pending);
      continue;
    }
    bytes += pending->bytes;
    answer(pending, fail(why));
  }
  forget_held(held.size() - waiting.size(), bytes);
  held = std::move(waiting);
}

void Committer::look_at_held(const std::optional<std::string>& shortfall) {
  if (!shortfall) {
    short_since_ = kNotShort;
  } else if (short_since_.load() == kNotShort) {
    short_since_ = clock_.steady();
  }
  if (parked_.empty() && unconfirmed_.empty()) return;
  if (shortfall) {
    give_up(parked_, Error(make_error_code(Errc::kNotBegun), *shortfall));
    give_up(unconfirmed_, Error(make_error_code(Errc::kUnavailable), *shortfall));
    return;
  }
  // A mirror that joined is a copy of one that has them.
  std::size_t bytes = 0;
  for (Pending* pending : unconfirmed_) {
    bytes += pending->bytes;
    answer(pending, CommitInfo{pending->sequence});
  }
  commits_.add(static_cast<double>(unconfirmed_.size()));
  forget_held(unconfirmed_.size(), bytes);
  unconfirmed_.clear();
  const std::lock_guard lock(mutex_);
  held_commits_ -= parked_.size();
  held_.set(static_cast<double>(held_commits_));
  queue_.insert(queue_.begin(), parked_.begin(), parked_.end());
  parked_.clear();
}

void Committer::process(Group& group, const std::optional<std::string>& shortfall) {
  lost_mirrors_ = false;
  const Group staged = stage(group, shortfall);
  if (!staged.empty()) {
    const Status stored = store_group(static_cast<std::uint32_t>(staged.size()));
    const bool survives = lost_mirrors_ || mirrors_.has_failed() ? mirrors_.standing().enough : !shortfall;
    std::size_t acknowledged = 0;
    for (Pending* pending : staged) {
      if (!stored) {
        answer(pending, fail(stored.error()));
      } else if (survives || pending->change.restores_redundancy) {
        answer(pending, CommitInfo{pending->sequence});
        ++acknowledged;
      } else {
        // Mirrors failed under it.
        hold(unconfirmed_, pending);
      }
    }
    if (stored) {
      commits_.add(static_cast<double>(acknowledged));
      group_size_.observe(static_cast<double>(staged.size()));
    }
  }
}

Committer::Group Committer::stage(const Group& group, const std::optional<std::string>& shortfall) {
  if (std::exchange(builder_is_read_, false)) builder_ = std::make_shared<RecordBuilder>(seal_);
  builder_->reset();
  overlay_.clear();
  read_.clear();
  adds_.clear();
  Group staged;
  const auto mirrors = mirrors_.list();
  Status ready = mirrors->empty() ? Status(fail(Errc::kUnavailable, "no metadata mirror is online")) : Status();
  if (ready) ready = check_space(*mirrors);
  // While a group is not applied no state has the last entry.
  if (ready && must_reseal_ && !unapplied_) ready = reseal();
  next_sequence_ = last_sequence_.load(std::memory_order_relaxed) + 1;
  for (Pending* pending : group) {
    const Commit& change = pending->change;
    Status status = ready;
    if (status && pending->deadline.passed(clock_)) {
      status = fail(Errc::kNotBegun, "the commit waited past its deadline");
    }
    if (status && shortfall && !change.restores_redundancy) {
      if (may_wait()) {
        hold(parked_, pending);
        continue;
      }
      status = fail(Errc::kNotBegun, *shortfall);
    }
    if (status && not_marked_out_) status = fail(*not_marked_out_);
    if (status && low_space_ && !change.put.empty() && !change.gives_back) {
      status = fail(Errc::kNoSpace, "a metadata drive is nearly full; deletes go on");
    }
    if (status) status = check(change);
    if (!status) {
      if (status.error() == Errc::kConflict) conflicts_.add();
      answer(pending, fail(not_begun(status.error())));
      continue;
    }
    stage_changes(*pending);
    staged.push_back(pending);
  }
  for (const auto& [key, by] : adds_) builder_->add(key, by);
  return staged;
}

Status Committer::check(const Commit& change) {
  for (const Expectation& expectation : change.expect) {
    TRY(const bool as_expected, holds(expectation));
    if (!as_expected) return fail(Errc::kConflict, "the state is not what the commit expects");
  }
  return {};
}

Result<bool> Committer::holds(const Expectation& expectation) {
  if (const auto changed = overlay_.find(expectation.key); changed != overlay_.end()) {
    return changed->second.has_value() == expectation.value.has_value() &&
           (!expectation.value || *changed->second == *expectation.value);
  }
  if (const auto known = read_.find(expectation.key); known != read_.end()) return known->second == expectation.value;
  expectations_read_.add();
  for (;;) {
    const auto mirror = mirrors_.reader();
    if (mirror == nullptr) return fail(Errc::kUnavailable, "no metadata mirror is online");
    std::string value;
    const auto found = read(mirror, Space::kRecords, expectation.key, value);
    if (found) {
      const bool there = *found == Found::kYes;
      const bool as_expected =
          there == expectation.value.has_value() && (!expectation.value || value == *expectation.value);
      // What many changes expect, the state of their bucket, is small and there.
      if (there && value.size() <= kMaxRememberedBytes && read_.size() < kMaxRemembered) {
        read_.emplace(expectation.key, std::move(value));
      }
      return as_expected;
    }
    if (!another_can_read(*mirror, found.error())) return fail(found.error());
  }
}

Result<Found> Committer::read(const std::shared_ptr<Mirror>& mirror, Space space, std::string_view key,
                              std::string& value) {
  auto found = mirror->state().get(space, key, Tier::kMemory, value);
  if (!found || *found != Found::kNotInMemory) return found;
  // Of the last one nothing else can be had than what it answers, whenever that is.
  if (!mirrors_.another_than(*mirror)) return mirror->state().get(space, key, Tier::kAll, value);
  struct Answer {
    Result<Found> found = Found::kNotInMemory;
    std::string value;
  };
  const auto answer = std::make_shared<Answer>();
  const bool answered = fanout_.run_alone(
      [mirror, space, own_key = std::string(key), answer] {
        answer->found = mirror->state().get(space, own_key, Tier::kAll, answer->value);
        return true;
      },
      options_.mirror_patience, [&] { return mirrors_.another_than(*mirror); });
  if (!answered) {
    const Error late(make_error_code(Errc::kTimeout), "the drive has not answered a read for long");
    mirror->fail(late);
    return fail(late);
  }
  value = std::move(answer->value);
  return std::move(answer->found);
}

bool Committer::another_can_read(Mirror& mirror, const Error& error) {
  return error == Errc::kTimeout || mirrors_.read_failed(mirror, error);
}

void Committer::flush_adds(std::string_view key) {
  if (adds_.empty()) return;
  if (const auto found = adds_.find(key); found != adds_.end()) {
    builder_->add(key, found->second);
    adds_.erase(found);
  }
}

void Committer::stage_changes(Pending& pending) {
  const Commit& change = pending.change;
  for (const Put& put : change.put) {
    if (put.key.space == Space::kRecords) overlay_[put.key.bytes] = put.value;
    builder_->put(put.key.space, put.key.bytes, put.value);
  }
  for (const Key& key : change.erase) {
    if (key.space == kCounterSpace) flush_adds(key.bytes);
    if (key.space == Space::kRecords) overlay_[key.bytes] = std::nullopt;
    builder_->erase(key.space, key.bytes);
  }
  // Summed over the group: a counter that every commit touches costs one merge a group.
  for (const Add& add : pending.adds) adds_[add.key] += add.by;
  if (change.event) {
    pending.sequence = next_sequence_++;
    Bytes key;
    append_be64(key, pending.sequence);
    builder_->put(Space::kJournal, as_text(key), sealer_.seal(pending.sequence, *change.event));
  }
}

Status Committer::check_space(const MirrorSet::List& mirrors) {
  const SteadyTime now = clock_.steady();
  const bool known_full =
      std::any_of(mirrors.begin(), mirrors.end(), [](const auto& mirror) { return mirror->out_of_space(); });
  if (!known_full && space_checked_ != SteadyTime{} && now - space_checked_ < kSpaceCheckInterval) return {};
  space_checked_ = now;
  struct Looks {
    std::atomic<bool> low{false};
    FullMirrors full;
  };
  const auto looks = std::make_shared<Looks>();
  run_parts(mirrors, [looks, reserve_bytes = options_.reserve_bytes](Mirror& mirror) {
    if (!mirror.try_resume()) return looks->full.add(mirror);
    const auto space = mirror.disk().space();
    if (space && space->free_bytes < least_free_bytes(reserve_bytes, *space)) looks->low = true;
    return space.has_value();
  });
  const bool low = looks->low;
  const MirrorSet::List full = looks->full.among(mirrors);
  if (low != low_space_) log_warning("metadata: drive space", {{"low", low}});
  low_space_ = low;
  if (full.empty()) return {};
  const Status rest = do_without(full);
  if (!rest) space_checked_ = {};
  return rest;
}

Status Committer::do_without(const MirrorSet::List& full) {
  std::vector<DriveId> drives;
  for (const auto& mirror : full) drives.push_back(mirror->drive());
  if (!mirrors_.standing(drives).enough) {
    return fail(Errc::kNoSpace,
                "a metadata drive is full and the other mirrors are too few to go on without it: free space on it, or "
                "add drives");
  }
  for (const auto& mirror : full) mirror->fail(Error(make_error_code(Errc::kNoSpace), "the drive is full"));
  // At once: what is written next must not ask those that are out for room.
  const Status dropped = drop_failed();
  if (!dropped) return fail(Errc::kUnavailable, "a full mirror is not marked out: " + dropped.error().describe());
  return {};
}

Status Committer::restore_from(const std::shared_ptr<Mirror>& mirror, std::uint64_t sequence) {
  Bytes key;
  append_be64(key, sequence);
  std::string entry;
  TRY(const Found found, read(mirror, Space::kJournal, as_text(key), entry));
  if (found != Found::kYes) return fail(Errc::kCorrupt, "the last journal entry is missing");
  return sealer_.restore(sequence, as_bytes(entry));
}

Status Committer::reseal() {
  const std::uint64_t sequence = last_sequence_.load(std::memory_order_relaxed);
  if (sequence == 0) {
    CHECK_OK(sealer_.restore(0, {}));
    must_reseal_ = false;
  }
  while (must_reseal_) {
    const auto mirror = mirrors_.reader();
    if (mirror == nullptr) return fail(Errc::kUnavailable, "no metadata mirror is online");
    const Status restored = restore_from(mirror, sequence);
    if (!restored && !another_can_read(*mirror, restored.error())) return restored;
    must_reseal_ = !restored;
  }
  return {};
}

Status Committer::store_group(std::uint32_t commits) {
  const std::uint64_t last_index = last_index_ + commits;
  const ByteView record = builder_->finish(salt_, last_index_ + 1, commits);
  // Whatever ends this early has made the sealer run ahead of what is stored.
  must_reseal_ = true;
  CHECK_OK(make_room(record.size()));
  const auto mirrors = mirrors_.list();
  CHECK_OK(write_and_apply(*mirrors, record, last_index));
  must_reseal_ = false;
  return {};
}

void Committer::on_each(const MirrorSet::List& mirrors, const std::function<Status(Mirror&)>& work) {
  run_parts(mirrors, [work](Mirror& mirror) {
    const Status done = work(mirror);
    if (!done) mirror.fail(done.error());
    return done.has_value();
  });
}

void Committer::run_parts(const MirrorSet::List& mirrors, const std::function<bool(Mirror&)>& work) {
  MirrorSet::List healthy;
  std::ranges::copy_if(mirrors, std::back_inserter(healthy), [](const auto& mirror) { return !mirror->failed(); });
  if (healthy.empty()) return;
  // One alone has nobody who could go on without it, and costs no hop.
  if (healthy.size() == 1) {
    work(*healthy.front());
    return;
  }
  std::vector<Fanout::Job> jobs;
  for (const auto& mirror : healthy) {
    jobs.emplace_back([mirror, work, record = builder_] { return work(*mirror); });
  }
  const std::vector<Fanout::Behind> behind = fanout_.run(std::move(jobs), options_.mirror_patience, clock_);
  for (std::size_t i = 0; i < healthy.size(); ++i) {
    if (behind[i]) continue;
    builder_is_read_ = true;
    healthy[i]->fail(Error(make_error_code(Errc::kTimeout), "the drive has not done what others did long ago"));
  }
  note_lags(healthy, behind);
}

void Committer::note_lags(const MirrorSet::List& mirrors, const std::vector<Fanout::Behind>& behind) {
  for (std::size_t i = 0; i < mirrors.size(); ++i) {
    if (!behind[i] || *behind[i] < kLeastLag) continue;
    const DriveId drive = mirrors[i]->drive();
    if (!lags_.note(drive, *behind[i], clock_.steady())) continue;
    log_warning("metadata: commits wait for a slow drive",
                {{"drive", drive.to_string()}, {"waited_ms", waited_for(drive).count()}});
  }
}

void Committer::give_up_late() {
  const std::vector<DriveId> late = lags_.spent(clock_.steady());
  for (const DriveId drive : late) {
    const auto mirror = mirrors_.find(drive);
    if (mirror == nullptr || !mirrors_.standing({drive}).enough) continue;
    const std::string waited = std::to_string(waited_for(drive).count());
    // One at a time: where all are busy, those that are left may do better without it.
    lags_.forget_all();
    mirror->fail(Error(make_error_code(Errc::kTimeout),
                       "the drive answers late: within a minute commits waited " + waited + " ms for it alone"));
    return;
  }
}

std::chrono::milliseconds Committer::waited_for(DriveId drive) const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(lags_.worth_telling(drive, clock_.steady()));
}

// kNoSpace, kInvalidArgument: nothing is written.
Status Committer::make_room(std::size_t record_bytes) {
  const auto mirrors = mirrors_.list();
  bool all_have = true;
  for (const auto& mirror : *mirrors) {
    if (record_bytes > mirror->log().segment_bytes()) {
      return fail(Errc::kInvalidArgument, "the group's sealed events exceed a log segment");
    }
    all_have = all_have && mirror->has_room(record_bytes);
  }
  if (all_have) return {};
  const auto full = std::make_shared<FullMirrors>();
  run_parts(*mirrors, [full, record_bytes](Mirror& mirror) {
    const Status made = mirror.make_room(record_bytes);
    if (!made && made.error() == Errc::kNoSpace) return full->add(mirror);
    if (!made) mirror.fail(made.error());
    return made.has_value();
  });
  const MirrorSet::List without_room = full->among(*mirrors);
  return without_room.empty() ? Status() : do_without(without_room);
}

Status Committer::drop_failed() {
  Status dropped;
  if (mirrors_.has_failed()) {
    lost_mirrors_ = true;
    dropped = mirrors_.drop_failed();
  }
  marks_owed_ = !dropped;
  if (dropped) {
    not_marked_out_.reset();
    marks_failure_.clear();
    return dropped;
  }
  const bool for_space = dropped.error() == Errc::kNoSpace;
  not_marked_out_ = for_space ? dropped.error() : Error(make_error_code(Errc::kUnavailable), kNotMarkedOut);
  // Tried again and again, and told when it is another one.
  const std::string failure = dropped.error().describe();
  if (std::exchange(marks_failure_, failure) != failure) {
    log_error("metadata: a lost mirror could not be marked out", {{"error", failure}});
  }
  return dropped;
}

Status Committer::write_and_apply(const MirrorSet::List& mirrors, ByteView record, std::uint64_t last_index) {
  const SteadyTime started = clock_.steady();
  on_each(mirrors, [record, last_index](Mirror& mirror) { return mirror.write(record, last_index); });
  sync_seconds_.observe(std::chrono::duration<double>(clock_.steady() - started).count());
  // Before any state shows the group: a lost mirror must be marked out before anybody can see what it lacks.
  Status kept = drop_failed();
  if (mirrors_.list()->empty()) return fail(Errc::kUnavailable, "no metadata mirror could be written");
  // From here on the group is in the log of every mirror that is left, whatever is answered.
  last_index_ = last_index;
  if (!kept) {
    unapplied_ = {std::exchange(builder_, std::make_shared<RecordBuilder>(seal_)), last_index, next_sequence_ - 1};
    return not_marked_out(kept.error());
  }
  on_each(mirrors,
          [payload = builder_->payload(), last_index](Mirror& mirror) { return mirror.apply(payload, last_index); });
  kept = drop_failed();
  if (mirrors_.list()->empty()) return fail(Errc::kUnavailable, "no metadata mirror could be written");
  last_sequence_.store(next_sequence_ - 1, std::memory_order_release);
  if (!kept) return not_marked_out(kept.error());
  return {};
}

void Committer::apply_what_is_left() {
  const auto mirrors = mirrors_.list();
  on_each(*mirrors, [record = unapplied_->record, last_index = unapplied_->last_index](Mirror& mirror) {
    return mirror.apply(record->payload(), last_index);
  });
  last_sequence_.store(unapplied_->last_sequence, std::memory_order_release);
  unapplied_.reset();
}

void Committer::resume_waiters() {
  std::vector<std::pair<Scheduler*, std::vector<std::coroutine_handle<>>>> by_scheduler;
  for (Answer& each : answers_) {
    const auto waiter = each.pending->answer.set_quietly(std::move(each.result));
    if (!waiter) continue;
    if (waiter.scheduler == nullptr) {
      waiter.coroutine.resume();
      continue;
    }
    auto found = std::find_if(by_scheduler.begin(), by_scheduler.end(),
                              [&](const auto& entry) { return entry.first == waiter.scheduler; });
    if (found == by_scheduler.end()) found = by_scheduler.insert(found, {waiter.scheduler, {}});
    found->second.push_back(waiter.coroutine);
  }
  answers_.clear();
  for (const auto& [scheduler, coroutines] : by_scheduler) scheduler->post_all(coroutines);
}

}  // namespace andromede::meta
