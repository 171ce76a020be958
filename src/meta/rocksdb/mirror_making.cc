#include "meta/rocksdb/mirror_making.h"

#include "base/log.h"

namespace andromede::meta {
namespace {

constexpr int kMaxCopyRounds = 8;
// When so little was left for a round, the next one is for the committer to wait for.
constexpr std::uint64_t kSmallRoundBytes = 8 << 20;

}  // namespace

MirrorMaking::MirrorMaking(const std::shared_ptr<Mirror>& source, DriveId drive, std::shared_ptr<io::Disk> disk,
                           Mirror::Options options, Limits limits)
    : source_(source),
      drive_(drive),
      disk_(std::move(disk)),
      options_(std::move(options)),
      limits_(limits),
      copy_(
          source, *disk_, [this](std::uint64_t copied, std::uint64_t total) { return telling_.tell(copied, total); },
          limits.spare_bytes) {}

Status MirrorMaking::run(DriveWork& work, Step step, const MirrorCopy::Progress& progress,
                         const Telling::Patience& patience) {
  telling_.begin();
  const auto job = work.start(drive_, disk_->root(), [self = shared_from_this(), step] { return self->work(step); });
  if (const auto done = telling_.wait(*job, progress, patience)) return *done;
  const auto source = source_.lock();
  if (source == nullptr || source->failed() || copy_.asks_source()) {
    return fail(Errc::kUnavailable, "the mirror that is copied from does not answer");
  }
  return fail(Errc::kTimeout, "the drive does not answer while a mirror is made there");
}

bool MirrorMaking::made() const { return !telling_.given_up() && !undone_; }

std::unique_ptr<Mirror> MirrorMaking::take() {
  undone_ = true;
  return std::move(mirror_);
}

Status MirrorMaking::work(Step step) {
  Status done = step == Step::kUndo ? undo() : (step == Step::kCopy ? copy() : finish());
  if (step == Step::kUndo) {
    telling_.end();
    return done;
  }
  if (done && telling_.end()) return done;
  if (const Status undone = undo(); !undone) {
    log_warning("metadata: an unfinished copy stays",
                {{"drive", drive_.to_string()}, {"error", undone.error().describe()}});
  }
  telling_.end();
  return done;
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
  undone_ = true;
  return copy_.begun() ? remove_mirror_files(*disk_) : Status();
}

}  // namespace andromede::meta
