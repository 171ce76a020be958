#include "meta/rocksdb/mirrored_store.h"

#include <rocksdb/cache.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "meta/rocksdb/committer.h"
#include "meta/rocksdb/drive_work.h"
#include "meta/rocksdb/mirror_making.h"
#include "meta/rocksdb/mirror_set.h"
#include "meta/rocksdb/reader.h"
#include "meta/rocksdb/recovery.h"
#include "meta/rocksdb/roots.h"
#include "meta/rocksdb/telling.h"
#include "meta/rocksdb/verify.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kRowShare = 4;        // one part of the cache's so many is for records by key
constexpr double kHighPriorityShare = 0.3;  // of the cache: indexes and filters
constexpr int kCacheShardBits = 4;
// For a failed mirror to be closed at the end: its drive may hang.
constexpr std::chrono::seconds kClosingWait{3};

Error no_such_drive() { return {make_error_code(Errc::kNotFound), "no such drive"}; }

Error went_offline() { return {make_error_code(Errc::kIo), "the drive went offline"}; }

Committer::Options committer_options(const MirroredOptions& options) {
  Committer::Options made;
  made.max_queued_commits = options.max_queued_commits;
  made.reserve_bytes = options.reserve_bytes;
  made.redundancy_wait = options.redundancy_wait;
  made.mirror_patience = options.mirror_patience;
  // Half a segment, so that sealed events have room beside what was counted.
  made.max_commit_bytes = std::min<std::uint64_t>(kEngineLimits.commit_bytes, options.log_segment_bytes / 2);
  return made;
}

Limits limits_of(const Committer::Options& options) {
  Limits limits = kEngineLimits;
  limits.commit_bytes = options.max_commit_bytes;
  return limits;
}

// The opening of the last mirror, shared with the thread that does it.
struct Opened {
  Status open(DriveId drive, const std::shared_ptr<io::Disk>& disk) {
    Status done = try_open(drive, disk);
    if (!done) mirror.reset();  // closing asks the drive too
    return done;
  }
  Status try_open(DriveId drive, const std::shared_ptr<io::Disk>& disk) {
    TRY(mirror, open_and_replay(drive, disk, options));
    const State& state = mirror->state();
    start.last_index = state.applied();
    CHECK_OK(state.last_entry(start.last_sequence, start.last_entry));
    // Mirrors that went at the same moment need not hold the same, if one of them could not be marked out any more.
    // What it holds beyond may be whole: nobody was told that it is not done.
    if (start.last_index < last_index || start.last_sequence < last_sequence) {
      return fail(Errc::kUnavailable, "the drive's mirror ends at commit " + std::to_string(start.last_index) + ", " +
                                          std::to_string(last_index) + " were made; bring the drive with another one");
    }
    if (given_up) return fail(Errc::kCancelled, "nobody waits for it any more");
    return begin_epoch(*mirror, start.salt, segment_bytes);
  }

  Mirror::Options options;
  std::uint64_t segment_bytes = 0;
  std::uint64_t last_index = 0;  // of what was acknowledged
  std::uint64_t last_sequence = 0;
  std::atomic<bool> given_up{false};  // by who waited: it is to change nothing more
  std::shared_ptr<Mirror> mirror;
  Committer::Start start;
};

class Engine final : public MirroredStore {
 public:
  Engine(io::Drives& drives, LogSealer& sealer, std::shared_ptr<const RecordSeal> seal, const Clock& clock,
         Metrics& metrics, const MirroredOptions& options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine() override;

  Status open(LogSealer& sealer);
  void end_waits() override {
    stopping_ = true;
    reader_->end_waits();
  }
  void stop() override;

  [[nodiscard]] const Limits& limits() const override { return limits_; }
  Task<Result<CommitInfo>> commit(Commit change, Deadline deadline) override {
    if (change.needs_open_root) change.expect.push_back(Roots::is_open(change.partition.root));
    return committer_.commit(std::move(change), deadline);
  }
  [[nodiscard]] Status accepts_commits() const override { return committer_.accepts_commits(); }
  Task<Result<std::optional<std::string>>> get(Partition, Key key, Deadline deadline) override {
    return reader_->get(std::move(key), deadline);
  }
  Task<Result<Followed>> get_following(Partition, Key key, const NamedKey& named, Deadline deadline) override {
    return reader_->get_following(std::move(key), named, deadline);
  }
  Task<Result<std::vector<std::optional<std::string>>>> get_many(Partition, std::vector<std::string> keys,
                                                                 Deadline deadline) override {
    return reader_->get_many(std::move(keys), deadline);
  }
  Task<Result<std::vector<Item>>> scan(Scan scan) override { return reader_->scan(std::move(scan)); }
  std::unique_ptr<Cursor> cursor(CursorRange range) override {
    if (range.end.empty()) range.end = past_prefix(std::move(range.base));
    return reader_->cursor(std::move(range.begin), std::move(range.end), std::move(range.patience));
  }

  Task<Status> create_root(RootId root, Deadline deadline) override { return roots_.create(root, deadline); }
  Task<Result<std::optional<RootState>>> root_state(RootId root, Deadline deadline) override {
    return roots_.state(root, deadline);
  }
  Task<Status> close_root(RootId root, ClosingMark mark, Deadline deadline) override {
    return roots_.close(root, mark, deadline);
  }
  Task<Status> open_root(RootId root, Deadline deadline) override { return roots_.open(root, deadline); }
  Task<Result<CommitInfo>> end_root(RootId root, RootEnd end, Deadline deadline) override {
    return roots_.end(root, std::move(end), deadline);
  }
  Task<Result<std::vector<EndedRoot>>> ended_roots(RootId from, std::size_t limit, Deadline deadline) override {
    return roots_.ended(from, limit, deadline);
  }
  Task<Status> forget_root(RootId root, Deadline deadline) override { return roots_.forget(root, deadline); }
  Task<Result<Usage>> usage(RootId root, Deadline deadline) override { return roots_.usage(root, deadline); }

  Task<Result<std::optional<std::string>>> get_anywhere(Key key, Deadline deadline) override {
    return reader_->get(std::move(key), deadline);
  }
  Task<Result<std::vector<Item>>> scan_anywhere(Scan scan) override { return reader_->scan(std::move(scan)); }
  Task<Result<CommitInfo>> commit_anywhere(Commit change, Deadline deadline) override {
    return commit(std::move(change), deadline);
  }
  Task<Result<std::vector<CopyAnswer>>> get_everywhere(Key key, Deadline deadline) override {
    return reader_->get_everywhere(std::move(key), deadline);
  }
  Task<Result<std::vector<Item>>> scan_everywhere(Scan scan) override {
    return reader_->scan_everywhere(std::move(scan));
  }
  [[nodiscard]] std::size_t max_scan_items() const override { return limits_.scan_items; }
  [[nodiscard]] std::uint64_t last_sequence() const override { return committer_.last_sequence(); }

  [[nodiscard]] std::vector<MirrorStatus> mirrors() const override;
  [[nodiscard]] std::optional<std::string> shortfall() const override { return committer_.shortfall(); }
  [[nodiscard]] std::vector<MirrorRoom> room() const override;
  [[nodiscard]] std::vector<DriveId> out_for_space() const override { return mirrors_.out_for_space(); }
  [[nodiscard]] std::string why_lost(DriveId drive) const override { return mirrors_.why_lost(drive); }
  [[nodiscard]] std::vector<DriveId> absent_at_opening() const override { return absent_at_opening_; }
  Status add_mirror(DriveId drive, const std::function<bool(std::uint64_t, std::uint64_t)>& progress) override;
  Status remove_mirror(DriveId drive) override;
  [[nodiscard]] Result<bool> holds_files(DriveId drive) override;
  Status verify_mirror(DriveId drive, const std::function<bool(std::uint64_t)>& pace) override;
  [[nodiscard]] std::vector<MirrorEvent> take_events() override;

 private:
  // The way back to the engine for callbacks that may outlive it: nobody can unsubscribe from Drives, and a cursor may
  // keep a mirror.
  struct Hook {
    std::mutex mutex;
    Engine* engine = nullptr;
  };

  [[nodiscard]] Mirror::Options mirror_options() const;
  Status copy_from(const std::shared_ptr<Mirror>& source, DriveId drive, const std::shared_ptr<io::Disk>& disk,
                   const MirrorCopy::Progress& progress);
  Status finish_and_join(MirrorMaking& making, const Mirror& source, DriveId drive, Telling::Patience patience,
                         const MirrorCopy::Progress& progress);
  // Does `work`, which owns all it uses, on a thread of `on`, and waits until it ends, the drive is offline, or for so
  // long; or until `may_wait`, if any, answers an error, which is the answer then.
  Status wait_for(DriveWork& on, DriveId drive, const std::shared_ptr<io::Disk>& disk, std::function<Status()> work,
                  std::chrono::milliseconds patience, const std::function<Status()>& may_wait = {});
  // kTimeout while something that was given up goes on there; kConflict: what another caller waits for does.
  static Status nothing_hangs(DriveWork& on, DriveId drive, const std::string& root);
  // Reads of the mirror what is to be verified, on a thread of `on`; gives it up where that is wrong, or does not get
  // on, and another one takes part. Errors as of verify_mirror().
  using Verification = Status (*)(const State&, const Pace&);
  Status verify(DriveWork& on, const std::shared_ptr<Mirror>& mirror, Verification what, const Pace& pace);
  // Whether it can be copied from: a copy begins with a flush, which takes space.
  [[nodiscard]] bool has_room(const Mirror& mirror) const;
  // The mirror to copy from; null when none takes part.
  [[nodiscard]] std::shared_ptr<Mirror> source_of_copies(const MirrorSet::List& online) const;
  // Goes on with a current mirror whose drive is there again after the last one had gone. Where another drive has one
  // too, this one is waited for no longer than it gets on; its drive has failed then.
  Status come_back(DriveId drive, const std::shared_ptr<io::Disk>& disk, const std::function<bool()>& go_on);
  // Whether another drive that is online has a mirror that the map names, and nothing hangs there.
  [[nodiscard]] bool another_may_come_back(DriveId than);
  Status mark(DriveId drive, bool mirrors_metadata);
  void close();

  io::Drives& drives_;
  const std::shared_ptr<const RecordSeal> seal_;
  const MirroredOptions options_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<rocksdb::Cache> row_cache_;
  SystemRandom random_;
  const Limits limits_;
  MirrorSet mirrors_;
  const Counter forged_;
  Committer committer_;
  std::unique_ptr<Reader> reader_;
  Roots roots_;
  std::vector<DriveId> absent_at_opening_;
  DriveWork work_;          // changes a mirror's files
  DriveWork looking_;       // only reads
  DriveWork verifying_;     // likewise, for hours
  DriveWork checking_;      // likewise, what is copied from
  std::mutex maintenance_;  // one mirror is added or removed at a time
  std::atomic<bool> stopping_{false};
  std::mutex events_mutex_;
  std::vector<MirrorEvent> events_;  // under events_mutex_
  // Two, because what comes from Drives makes a mirror fail, which calls back in turn.
  const std::shared_ptr<Hook> drives_hook_ = std::make_shared<Hook>();
  const std::shared_ptr<Hook> failure_hook_ = std::make_shared<Hook>();
};

Engine::Engine(io::Drives& drives, LogSealer& sealer, std::shared_ptr<const RecordSeal> seal, const Clock& clock,
               Metrics& metrics, const MirroredOptions& options)
    : drives_(drives),
      seal_(std::move(seal)),
      options_(options),
      cache_(rocksdb::NewLRUCache(options.cache_bytes - options.cache_bytes / kRowShare, kCacheShardBits, false,
                                  kHighPriorityShare)),
      row_cache_(rocksdb::NewLRUCache(options.cache_bytes / kRowShare, kCacheShardBits)),
      limits_(limits_of(committer_options(options))),
      mirrors_(drives, metrics.gauge("andromede_meta_mirrors_online", "Metadata mirrors that take part in commits"),
               {options.least_mirrors, options.least_sites}),
      forged_(metrics.counter("andromede_meta_forged_records_total",
                              "Metadata records that a drive gave and that were not written there")),
      committer_(mirrors_, sealer, seal_, clock, metrics, committer_options(options)),
      reader_(std::make_unique<Reader>(mirrors_, metrics, clock, options.reader_threads, options.mirror_patience)),
      roots_(committer_, *reader_) {}

Engine::~Engine() {
  committer_.abandon();
  close();
}

Mirror::Options Engine::mirror_options() const {
  Mirror::Options made;
  made.seal = seal_;
  made.on_forged = [forged = forged_] { forged.add(); };
  made.cache = cache_;
  made.row_cache = row_cache_;
  made.memtable_bytes = options_.memtable_bytes;
  made.max_open_files = options_.max_open_files;
  made.log_segment_bytes = options_.log_segment_bytes;
  made.on_failure = [hook = failure_hook_] {
    const std::lock_guard lock(hook->mutex);
    if (hook->engine != nullptr) hook->engine->committer_.wake();
  };
  return made;
}

Status Engine::open(LogSealer& sealer) {
  const auto map = drives_.map();
  for (const io::DriveInfo& drive : map->drives) {
    if (drive.mirrors_metadata && !drives_.online(drive.id)) absent_at_opening_.push_back(drive.id);
  }
  ensure_background_threads(static_cast<std::size_t>(std::count_if(
      map->drives.begin(), map->drives.end(), [](const io::DriveInfo& drive) { return drive.mirrors_metadata; })));
  TRY(Recovered recovered, recover(drives_, mirror_options(), options_.create, sealer, random_));
  for (auto& mirror : recovered.mirrors) mirrors_.join(std::move(mirror));
  mirrors_.owe_marks(std::move(recovered.unmarked), std::move(recovered.full));
  // What cannot be marked now the committer marks before it writes.
  const Status marked = mirrors_.drop_failed();
  if (!marked) log_warning("metadata: who is missing is not marked yet", {{"error", marked.error().describe()}});
  events_ = std::move(recovered.lost);
  CHECK_OK(committer_.start(std::move(recovered.start)));
  {
    const std::scoped_lock lock(failure_hook_->mutex, drives_hook_->mutex);
    failure_hook_->engine = this;
    drives_hook_->engine = this;
  }
  drives_.subscribe([hook = drives_hook_](DriveId drive, bool online) {
    const std::lock_guard lock(hook->mutex);
    if (!online && hook->engine != nullptr) hook->engine->mirrors_.drive_lost(drive, went_offline());
  });
  // Those that went before the subscription.
  const auto mirrors = mirrors_.list();
  for (const auto& mirror : *mirrors) {
    if (!drives_.online(mirror->drive())) mirror->fail(went_offline());
  }
  // Only where commits need them: those of the start come before anybody keeps the mirrors, and a copy takes long.
  for (const DriveId drive : recovered.stale) {
    if (mirrors_.standing().enough) break;
    const Status added = add_mirror(drive, {});
    if (added) {
      events_.push_back({drive, true, "copied anew at start"});
    } else {
      log_warning("metadata: a mirror could not be copied anew",
                  {{"drive", drive.to_string()}, {"error", added.error().describe()}});
    }
  }
  return {};
}

void Engine::stop() {
  stopping_ = true;
  committer_.stop();
  // Only makes the next start quicker: the log has what was not flushed.
  {
    std::vector<std::pair<std::shared_ptr<Mirror>, std::shared_ptr<DriveWork::Job>>> flushes;
    const auto mirrors = mirrors_.list();
    for (const auto& mirror : *mirrors) {
      if (mirror->failed()) continue;
      const auto flush = [mirror] {
        Status flushed = mirror->state().flush();
        if (!flushed) log_warning("metadata: the last flush failed", {{"error", flushed.error().describe()}});
        return flushed;
      };
      flushes.emplace_back(mirror, work_.start(mirror->drive(), mirror->disk().root(), flush));
    }
    const auto give_up = std::chrono::steady_clock::now() + io::kDriveAnswerLimit;
    for (const auto& [mirror, flush] : flushes) {
      if (flush->wait(give_up)) continue;
      mirror->fail(Error(make_error_code(Errc::kTimeout), "the drive does not answer"));
    }
  }
  close();
}

void Engine::close() {
  for (const auto& hook : {drives_hook_, failure_hook_}) {
    const std::lock_guard lock(hook->mutex);
    hook->engine = nullptr;
  }
  // It looks at mirrors, and must not be the last to.
  reader_->end_watch();
  // Cursors and reads that are still alive keep their mirror open until they end.
  mirrors_.clear(kClosingWait);
  for (DriveWork* const work : {&work_, &looking_, &verifying_, &checking_})
    work->wait_all(std::chrono::steady_clock::now() + DriveWork::kLastWait);
}

std::vector<MirrorStatus> Engine::mirrors() const {
  std::vector<MirrorStatus> all;
  const auto online = mirrors_.list();
  for (const auto& mirror : *online) {
    all.push_back({mirror->drive(), !mirror->failed(), mirror->state().applied(),
                   mirror->state().bytes() + mirror->log().bytes(),
                   mirror->failed() ? std::chrono::milliseconds(0) : committer_.waited_for(mirror->drive())});
  }
  const auto map = drives_.map();
  for (const io::DriveInfo& drive : map->drives) {
    const bool listed =
        std::any_of(all.begin(), all.end(), [&](const auto& status) { return status.drive == drive.id; });
    if (drive.mirrors_metadata && !listed) all.push_back({drive.id, false, 0, 0});
  }
  return all;
}

std::vector<MirrorEvent> Engine::take_events() {
  const std::lock_guard lock(events_mutex_);
  return std::exchange(events_, {});
}

std::vector<MirrorRoom> Engine::room() const {
  std::vector<MirrorRoom> all;
  const auto online = mirrors_.list();
  for (const auto& mirror : *online) {
    if (mirror->failed()) continue;
    const auto space = drives_.space(mirror->drive());
    if (!space) continue;
    // A file system may refuse files while it shows free bytes.
    const std::uint64_t free_bytes = mirror->out_of_space() ? 0 : space->free_bytes;
    all.push_back({mirror->drive(), free_bytes, least_free_bytes(options_.reserve_bytes, *space)});
  }
  return all;
}

Status Engine::mark(DriveId drive, bool mirrors_metadata) {
  return drives_.update([&](io::DriveMap& map) -> Status {
    for (io::DriveInfo& each : map.drives) {
      if (each.id == drive) each.mirrors_metadata = mirrors_metadata;
    }
    return {};
  });
}

Status Engine::add_mirror(DriveId drive, const std::function<bool(std::uint64_t, std::uint64_t)>& progress) {
  const std::lock_guard maintenance(maintenance_);
  const auto map = drives_.map();
  const io::DriveInfo* const known = map->find(drive);
  if (known == nullptr) return fail(no_such_drive());
  const auto online = mirrors_.list();
  for (const auto& mirror : *online) {
    if (mirror->drive() != drive) continue;
    return mirror->failed() ? fail(Errc::kUnavailable, "the drive's mirror failed and is being taken out") : Status();
  }
  auto disk = drives_.disk(drive);
  if (disk == nullptr) return fail(Errc::kUnavailable, "the drive is offline");
  // A former mirror that hangs keeps one of its own.
  ensure_background_threads(online->size() + 1 + mirrors_.retired());
  CHECK_OK(nothing_hangs(work_, drive, disk->root()));
  if (online->empty() && known->mirrors_metadata) {
    CHECK_OK(come_back(drive, disk, [&] { return !progress || progress(0, 0); }));
  } else {
    // Before anything on the drive is touched: it may hold the only copy that is left.
    const auto source = source_of_copies(*online);
    if (source == nullptr) return fail(Errc::kUnavailable, "no metadata mirror is online to copy from");
    CHECK_OK(mirrors_.close_retired(drive, disk->root(), options_.mirror_patience));
    CHECK_OK(copy_from(source, drive, disk, progress));
  }
  if (drives_.disk(drive) == disk) return {};
  // It went while the mirror was in nobody's list; come back since, it may be another folder than this mirror lies in.
  mirrors_.drive_lost(drive, went_offline());
  return fail(went_offline());
}

bool Engine::has_room(const Mirror& mirror) const {
  if (mirror.out_of_space()) return false;
  const auto space = drives_.space(mirror.drive());
  return space && space->free_bytes >= least_free_bytes(options_.reserve_bytes, *space);
}

std::shared_ptr<Mirror> Engine::source_of_copies(const MirrorSet::List& online) const {
  std::shared_ptr<Mirror> any;
  for (const auto& mirror : online) {
    if (mirror->failed()) continue;
    if (has_room(*mirror)) return mirror;
    if (any == nullptr) any = mirror;
  }
  return any;
}

Status Engine::wait_for(DriveWork& on, DriveId drive, const std::shared_ptr<io::Disk>& disk,
                        std::function<Status()> work, std::chrono::milliseconds patience,
                        const std::function<Status()>& may_wait) {
  const auto job = on.start(drive, disk->root(), std::move(work));
  const auto until = std::chrono::steady_clock::now() + patience;
  std::optional<DriveWork::Time> offline_since;
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (auto done = job->wait(now + DriveWork::kLookAgain)) return *done;
    if (!offline_since && drives_.disk(drive) != disk) offline_since = now;
    Status may;
    if (offline_since && now - *offline_since > DriveWork::kLastWait) {
      may = fail(Errc::kUnavailable, "the drive does not answer");
    } else if (now > until) {
      may = fail(Errc::kTimeout, "the drive does not answer");
    } else if (stopping_) {
      may = fail(Errc::kCancelled, "stopped while the drive was waited for");
    } else if (may_wait) {
      may = may_wait();
    }
    if (may) continue;
    job->give_up();
    return may;
  }
}

Status Engine::nothing_hangs(DriveWork& on, DriveId drive, const std::string& root) {
  const auto job = on.running(drive, root);
  if (job == nullptr || job->wait(std::chrono::steady_clock::now() + DriveWork::kLastWait)) return {};
  if (!job->given_up()) return fail(Errc::kConflict, "another call is at work on the drive; try again later");
  return fail(Errc::kTimeout, "what was begun on the drive, and given up because it hung, has not ended");
}

Status Engine::copy_from(const std::shared_ptr<Mirror>& source, DriveId drive, const std::shared_ptr<io::Disk>& disk,
                         const MirrorCopy::Progress& progress) {
  MirrorMaking::Limits limits;
  limits.max_last_bytes = options_.max_paused_copy_bytes;
  // Where nothing is short a mirror that is low would only refuse what the others take.
  if (mirrors_.standing().enough) {
    TRY(const io::Space space, drives_.space(drive));
    limits.spare_bytes = least_free_bytes(options_.reserve_bytes, space);
  }
  // A copy must not take the place of what another mirror has right. Of the last one nothing better can be had.
  if (mirrors_.another_than(*source)) {
    const Status checked =
        verify(checking_, source, verify_records, [&](std::uint64_t) { return !progress || progress(0, 0); });
    if (!checked && checked.error() == Errc::kCancelled) return checked;
    if (!checked) return fail(Errc::kUnavailable, "the mirror that is copied from: " + checked.error().describe());
  }
  const auto making = std::make_shared<MirrorMaking>(source, drive, disk, mirror_options(), limits);
  const Telling::Patience patience{[&] { return stopping_ || source->failed() || drives_.disk(drive) != disk; },
                                   options_.silence_patience};
  Status joined = making->run(work_, MirrorMaking::Step::kCopy, progress, patience);
  if (joined) joined = finish_and_join(*making, *source, drive, patience, progress);
  if (!joined && making->made()) {
    const Status undone = making->run(work_, MirrorMaking::Step::kUndo, {}, patience);
    if (!undone) log_warning("metadata: an unfinished copy stays", {{"error", undone.error().describe()}});
  }
  return joined;
}

Status Engine::finish_and_join(MirrorMaking& making, const Mirror& source, DriveId drive, Telling::Patience patience,
                               const MirrorCopy::Progress& progress) {
  const Committer::Pause pause(committer_);
  const auto paused = std::chrono::steady_clock::now();
  if (source.failed()) return fail(Errc::kUnavailable, "the mirror that was copied from failed");
  if (!committer_.all_applied()) return fail(Errc::kUnavailable, "a lost mirror is not marked out yet");
  // Everybody's commits wait.
  patience.until = paused + options_.mirror_patience;
  CHECK_OK(making.run(work_, MirrorMaking::Step::kFinish, progress, patience));
  // No commits came between: another state was put in the copy's place.
  if (making.mirror().state().applied() != source.state().applied()) {
    return fail(Errc::kCorrupt, "the copy is not what was copied");
  }
  CHECK_OK(mark(drive, true));
  mirrors_.join(making.take());
  const std::chrono::duration<double> pause_seconds = std::chrono::steady_clock::now() - paused;
  log_info("metadata: a mirror joined",
           {{"drive", drive.to_string()}, {"commits_waited_seconds", pause_seconds.count()}});
  return {};
}

Status Engine::come_back(DriveId drive, const std::shared_ptr<io::Disk>& disk, const std::function<bool()>& go_on) {
  if (mirrors_.reader() != nullptr) {
    // Reads are answered as it is: not to be given up for an opening that cannot succeed.
    TRY(const io::Space space, drives_.space(drive));
    if (space.free_bytes < least_free_bytes(options_.reserve_bytes, space)) {
      return fail(Errc::kNoSpace, "the drive of the last metadata mirror is full");
    }
  }
  if (!mirrors_.release_last_resort(drive)) {
    return fail(Errc::kUnavailable,
                "the last metadata mirror is damaged: what of it can be read is served, and nothing written; bring a "
                "drive with another one");
  }
  // A read that hangs there holds it still.
  const auto readers = another_may_come_back(drive) ? options_.mirror_patience : MirrorSet::kReadersLeaveWithin;
  CHECK_OK(mirrors_.close_retired(drive, disk->root(), options_.mirror_patience, readers));
  const auto opened = std::make_shared<Opened>();
  opened->options = mirror_options();
  opened->options.warm_cache = true;
  const auto steps = std::make_shared<std::atomic<std::uint64_t>>(0);
  opened->options.on_step = [steps] { steps->fetch_add(1, std::memory_order_relaxed); };
  opened->segment_bytes = options_.log_segment_bytes;
  opened->start.salt = draw_salt(random_);
  {
    // No mirror is left: nothing is committed until one joins, which is done here alone.
    const Committer::Pause pause(committer_);
    opened->last_index = committer_.last_index();
    opened->last_sequence = committer_.last_sequence();
  }
  // Commits wait for it, but a drive that hangs keeps nobody else: neither the stop nor other mirrors.
  bool hangs = false;
  std::uint64_t seen = 0;
  auto heard = std::chrono::steady_clock::now();
  const auto may_wait = [&]() -> Status {
    if (!go_on()) return fail(Errc::kCancelled, "stopped while the drive was waited for");
    const auto now = std::chrono::steady_clock::now();
    const std::uint64_t told = steps->load(std::memory_order_relaxed);
    if (told != seen) heard = now;
    seen = told;
    hangs = now - heard >= options_.mirror_patience && another_may_come_back(drive);
    return hangs ? fail(Errc::kTimeout, "its metadata mirror does not answer while it is opened") : Status();
  };
  const Status done = wait_for(
      work_, drive, disk, [opened, drive, disk] { return opened->open(drive, disk); }, options_.opening_patience,
      may_wait);
  if (!done) opened->given_up = true;
  if (hangs) drives_.report_failure(drive, disk.get(), done.error());
  CHECK_OK(done);
  const Committer::Pause pause(committer_);
  // The others, before the first commit that they lack.
  const Status marked = drives_.update([&](io::DriveMap& map) -> Status {
    for (io::DriveInfo& each : map.drives) each.mirrors_metadata = each.id == drive;
    return {};
  });
  if (!marked) {
    work_.start(drive, disk->root(), [mirror = std::move(opened->mirror)]() mutable -> Status {
      mirror.reset();
      return {};
    });
    return marked;
  }
  mirrors_.join(std::move(opened->mirror));
  committer_.go_on_from(opened->start);
  log_info("metadata: the last mirror came back",
           {{"drive", drive.to_string()}, {"commits", opened->start.last_index}});
  return {};
}

bool Engine::another_may_come_back(DriveId than) {
  const auto map = drives_.map();
  return std::any_of(map->drives.begin(), map->drives.end(), [&](const io::DriveInfo& other) {
    if (other.id == than || !other.mirrors_metadata) return false;
    const auto disk = drives_.disk(other.id);
    return disk != nullptr && work_.running(other.id, disk->root()) == nullptr &&
           !mirrors_.closing(other.id, disk->root());
  });
}

Status Engine::remove_mirror(DriveId drive) {
  const std::lock_guard maintenance(maintenance_);
  {
    const Committer::Pause pause(committer_);
    const auto online = mirrors_.list();
    const bool takes_part =
        std::any_of(online->begin(), online->end(), [&](const auto& mirror) { return mirror->drive() == drive; });
    const auto map = drives_.map();
    const io::DriveInfo* const known = map->find(drive);
    if (known == nullptr) return fail(no_such_drive());
    if (takes_part || known->mirrors_metadata) {
      const bool another = std::any_of(online->begin(), online->end(), [&](const auto& mirror) {
        return mirror->drive() != drive && !mirror->failed();
      });
      if (!another) return fail(Errc::kRefused, "it is the last metadata mirror; add another one first");
      if (takes_part && !mirrors_.standing({drive}).enough) {
        return fail(Errc::kRefused, "without it commits would not survive the next loss; add another mirror first");
      }
      CHECK_OK(mark(drive, false));
      mirrors_.leave(drive);
    }
  }
  const auto disk = drives_.disk(drive);
  CHECK_OK(mirrors_.close_retired(drive, disk == nullptr ? std::string() : disk->root(), options_.mirror_patience));
  if (disk == nullptr) return {};
  CHECK_OK(nothing_hangs(work_, drive, disk->root()));
  return wait_for(
      work_, drive, disk,
      [disk]() -> Status {
        // A drive that never was a mirror gets no folders of one.
        TRY(const bool left, holds_mirror_files(*disk));
        return left ? remove_mirror_files(*disk) : Status();
      },
      options_.silence_patience);
}

Result<bool> Engine::holds_files(DriveId drive) {
  if (drives_.map()->find(drive) == nullptr) return fail(no_such_drive());
  const auto disk = drives_.disk(drive);
  if (disk == nullptr) return fail(Errc::kUnavailable, "the drive is offline");
  CHECK_OK(nothing_hangs(looking_, drive, disk->root()));
  const auto left = std::make_shared<bool>(false);
  CHECK_OK(wait_for(
      looking_, drive, disk,
      [disk, left]() -> Status {
        TRY(*left, holds_mirror_files(*disk));
        return {};
      },
      options_.silence_patience));
  return *left;
}

Status Engine::verify_mirror(DriveId drive, const std::function<bool(std::uint64_t)>& pace) {
  if (drives_.map()->find(drive) == nullptr) return fail(no_such_drive());
  const std::shared_ptr<Mirror> mirror = mirrors_.find(drive);
  if (mirror == nullptr) return fail(Errc::kUnavailable, "no metadata mirror on the drive takes part");
  // Not under maintenance_: this may take hours. Whoever takes the mirror out waits for no more than a piece.
  return verify(verifying_, mirror, verify_state, pace);
}

Status Engine::verify(DriveWork& on, const std::shared_ptr<Mirror>& mirror, Verification what, const Pace& pace) {
  const DriveId drive = mirror->drive();
  CHECK_OK(nothing_hangs(on, drive, mirror->disk().root()));
  const auto telling = std::make_shared<Telling>();
  const auto job = on.start(drive, mirror->disk().root(), [telling, mirror, what] {
    Status verified = what(mirror->state(), [&telling](std::uint64_t bytes) { return telling->tell(bytes, 0); });
    telling->end();
    return verified;
  });
  const Telling::Patience patience{
      [&] { return stopping_ || mirror->failed() || drives_.disk(drive).get() != &mirror->disk(); },
      options_.silence_patience};
  const auto answer = telling->wait(
      *job,
      [&](std::uint64_t bytes, std::uint64_t) { return mirrors_.find(drive) == mirror && (!pace || pace(bytes)); },
      patience);
  if (!answer) {
    const Error late(make_error_code(Errc::kTimeout), "the drive does not answer while its mirror is verified");
    if (mirrors_.another_than(*mirror)) mirror->fail(late);
    return fail(late);
  }
  const Status& verified = *answer;
  if (verified) return {};
  if (mirrors_.read_failed(*mirror, verified.error())) {
    return fail(verified.error().in("the mirror is given up, to be copied anew"));
  }
  if (!(verified.error() == Errc::kCorrupt || verified.error() == Errc::kIo)) return verified;
  return fail(verified.error().in("it is the last metadata mirror and stays; bring another drive"));
}

}  // namespace

Result<std::unique_ptr<MirroredStore>> MirroredStore::open(io::Drives& drives, LogSealer& sealer,
                                                           std::shared_ptr<const RecordSeal> seal, const Clock& clock,
                                                           Metrics& metrics, MirroredOptions options) {
  options.log_segment_bytes = round_up_to_block(std::max<std::uint64_t>(options.log_segment_bytes, kLogBlockBytes));
  auto store = std::make_unique<Engine>(drives, sealer, std::move(seal), clock, metrics, options);
  CHECK_OK(store->open(sealer));
  return std::unique_ptr<MirroredStore>(std::move(store));
}

}  // namespace andromede::meta
