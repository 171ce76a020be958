#include "meta/rocksdb/walk.h"

#include <rocksdb/perf_context.h>

#include <chrono>
#include <utility>

namespace andromede::meta {
namespace {

// Keys of any kind that walks of this thread have left behind, since it began: those that are there count once.
std::uint64_t passed_by_thread() {
  const rocksdb::PerfContext& counted = *rocksdb::get_perf_context();
  return counted.internal_key_skipped_count + counted.internal_delete_skipped_count +
         counted.internal_recent_skipped_count;
}

}  // namespace

Walk::Turn::Turn(Walk& walk) : walk_(walk), before_(passed_by_thread()), found_before_(walk.found_) {}

Walk::Turn::~Turn() {
  const std::uint64_t before = std::exchange(walk_.skipped_, walk_.skipped_ + skipped());
  if (before >= kSkippedToClear || walk_.skipped_ < kSkippedToClear) return;
  walk_.mirror_->state().clear_deleted(std::chrono::steady_clock::now());
}

std::uint64_t Walk::Turn::skipped() const {
  const std::uint64_t passed = passed_by_thread() - before_;
  const std::uint64_t found = walk_.found_ - found_before_;
  return passed > found ? passed - found : 0;  // the last one that was found is not passed yet
}

Walk::Walk(std::shared_ptr<Mirror> mirror, Space space, std::string begin, std::string end)
    : mirror_(std::move(mirror)),
      space_(space),
      begin_(std::move(begin)),
      end_(std::move(end)),
      lower_bound_(begin_),
      upper_bound_(end_) {
  rocksdb::ReadOptions options = read_options(Tier::kAll);
  options.max_skippable_internal_keys = kMaxSkippedKeys;
  // Whoever drops the walk may be an event loop: files that only it kept are not deleted there.
  options.background_purge_on_iterator_cleanup = true;
  options.iterate_lower_bound = &lower_bound_;
  if (!end_.empty()) options.iterate_upper_bound = &upper_bound_;
  iterator_.reset(mirror_->state().db().NewIterator(options, mirror_->state().family(space)));
}

Result<Walk::At> Walk::start() {
  iterator_->Seek(lower_bound_);
  return look();
}

Result<Walk::At> Walk::seek(const std::string& key) {
  iterator_->Seek(key);
  return look();
}

Result<Walk::At> Walk::next() {
  iterator_->Next();
  return look();
}

Result<Walk::At> Walk::go_on() {
  iterator_->Seek(resume_at_);
  return look();
}

Result<Walk::At> Walk::look() {
  if (iterator_->Valid()) {
    ++found_;
    TRY(value_, mirror_->state().open_value(space_, key(), iterator_->value().ToStringView()));
    return At::kKey;
  }
  const rocksdb::Status status = iterator_->status();
  if (status.ok()) return At::kEnd;
  if (!status.IsIncomplete()) return fail(to_error(status, "walk"));
  const rocksdb::Status told = iterator_->GetProperty("rocksdb.iterator.internal-key", &resume_at_);
  if (!told.ok()) return fail(to_error(told, "walk: where it stopped"));
  return At::kTurn;
}

}  // namespace andromede::meta
