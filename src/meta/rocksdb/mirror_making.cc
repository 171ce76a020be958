#include "meta/rocksdb/mirror_making.h"

#include "base/log.h"

namespace andromede::meta {
namespace {

constexpr int kMaxCopyRounds = 8;
// When so little was left for a round, the next one is for the committer to wait for.
constexpr std::uint64_t kSmallRoundBytes = 8 << 20;

}  // namespace

MirrorMaking::MirrorMaking(std::shared_ptr<Mirror> source, DriveId drive, std::shared_ptr<io::Disk> disk,
                           Mirror::Options options, Limits limits)
    : source_(std::move(source)),
      drive_(drive),
      disk_(std::move(disk)),
      options_(std::move(options)),
      limits_(limits),
      copy_(
          *source_, *disk_, [this](std::uint64_t copied, std::uint64_t total) { return told(copied, total); },
          limits.spare_bytes) {}

Status MirrorMaking::run(DriveWork& work, Step step, const MirrorCopy::Progress& progress, const Patience& patience) {
  ended_ = false;
  const auto job = work.start(drive_, disk_->root(), [self = shared_from_this(), step] { return self->work(step); });
  std::optional<DriveWork::Time> hopeless_since;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_for(lock, DriveWork::kLookAgain, [this] { return ended_ || progress_; });
    const auto now = std::chrono::steady_clock::now();
    // Ended as a whole, so that the drive is free.
    if (ended_ || job->ended()) {
      lock.unlock();
      for (;;) {
        if (auto answer = job->wait(std::chrono::steady_clock::now() + DriveWork::kLastWait)) return *answer;
      }
    }
    if (progress_) {
      const auto [copied, total] = *progress_;
      lock.unlock();
      const bool go_on = !progress || progress(copied, total);
      lock.lock();
      go_on_ = go_on;
      progress_.reset();
      changed_.notify_all();
    }
    if (!hopeless_since && patience.hopeless()) hopeless_since = now;
    if (now < patience.until && (!hopeless_since || now - *hopeless_since < DriveWork::kLastWait)) continue;
    given_up_ = true;
    changed_.notify_all();
    if (source_->failed() || copy_.asks_source()) {
      return fail(Errc::kUnavailable, "the mirror that is copied from does not answer");
    }
    return fail(Errc::kTimeout, "the drive does not answer while a mirror is made there");
  }
}

bool MirrorMaking::made() const {
  const std::lock_guard lock(mutex_);
  return !given_up_ && !undone_;
}

std::unique_ptr<Mirror> MirrorMaking::take() {
  const std::lock_guard lock(mutex_);
  undone_ = true;
  return std::move(mirror_);
}

Status MirrorMaking::work(Step step) {
  Status done = step == Step::kUndo ? undo() : (step == Step::kCopy ? copy() : finish());
  {
    const std::lock_guard lock(mutex_);
    if (step == Step::kUndo || (done && !given_up_)) {
      ended_ = true;
      changed_.notify_all();
      return done;
    }
  }
  if (const Status undone = undo(); !undone) {
    log_warning("metadata: an unfinished copy stays",
                {{"drive", drive_.to_string()}, {"error", undone.error().describe()}});
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
  return done;
}

bool MirrorMaking::told(std::uint64_t copied, std::uint64_t total) {
  std::unique_lock lock(mutex_);
  if (given_up_) return false;
  progress_ = {copied, total};
  changed_.notify_all();
  changed_.wait(lock, [this] { return !progress_ || given_up_; });
  return go_on_ && !given_up_;
}

Status MirrorMaking::copy() {
  std::uint64_t copied = 0;
  for (int i = 0; i < kMaxCopyRounds; ++i) {
    TRY(copied, copy_.round());
    if (i > 0 && copied <= kSmallRoundBytes) break;
  }
  if (copied > limits_.max_last_bytes) {
    return fail(Errc::kOverloaded, "the metadata change faster than they can be copied: " + std::to_string(copied) +
                                       " bytes in the last round; try again when less is written");
  }
  // Filled with zeros and synced, which takes long: not while commits wait.
  TRY(log_, CommitLog::create(disk_, options_.log_segment_bytes));
  // What the log took was not asked for yet.
  TRY(const io::Space space, disk_->space());
  if (space.free_bytes < limits_.spare_bytes) {
    return fail(Errc::kNoSpace, "a mirror on the drive would leave " + std::to_string(space.free_bytes) +
                                    " bytes free, and needs " + std::to_string(limits_.spare_bytes));
  }
  return {};
}

Status MirrorMaking::finish() {
  CHECK_OK(copy_.round());
  TRY(mirror_, Mirror::adopt(drive_, disk_, std::move(log_), options_));
  return {};
}

Status MirrorMaking::undo() {
  mirror_.reset();
  log_.reset();
  {
    const std::lock_guard lock(mutex_);
    undone_ = true;
  }
  return copy_.begun() ? remove_mirror_files(*disk_) : Status();
}

}  // namespace andromede::meta
