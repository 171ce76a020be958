// What a deleted bucket leaves is given back here: its name, where a crash left it, and its uploads under way with
// their parts. The record of the deleted bucket (docs/formats/object-record.md, "D") came with the commit that deleted
// it, and goes when nothing is left.
#include "objects/cleanup.h"

#include <utility>

#include "base/log.h"
#include "base/pool.h"
#include "objects/layout.h"
#include "objects/service_impl.h"

namespace andromede::objects {
namespace {

// What fails so fails for every bucket, and passes.
bool passes(const Error& error) {
  return error == Errc::kNotBegun || error == Errc::kUnavailable || error == Errc::kOverloaded ||
         error == Errc::kTimeout || error == Errc::kCancelled || error == Errc::kNoSpace;
}

constexpr const char* kJournaledAlready = "what is left of a bucket whose deletion is in the journal already";

}  // namespace

void Cleanup::start() {
  const std::lock_guard lock(mutex_);
  if (thread_.joinable()) return;
  stopping_ = false;
  due_ = true;
  thread_ = std::thread([this] { work(); });
}

void Cleanup::wake() {
  {
    const std::lock_guard lock(mutex_);
    due_ = true;
  }
  changed_.notify_all();
}

void Cleanup::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Cleanup::work() {
  name_thread("objects-cleanup");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || due_; });
    if (stopping_) return;
    due_ = false;
    lock.unlock();
    const Result<bool> more = step_();
    lock.lock();
    if (more) {
      due_ = due_ || *more;
      continue;
    }
    log_warning("objects: what a deleted bucket left could not be given back yet; it is tried again",
                {{"error", more.error().describe()}});
    due_ = true;
    changed_.wait_for(lock, retry_after_, [this] { return stopping_; });
  }
}

Task<Result<bool>> ServiceImpl::clean_up() {
  meta::Scan scan;
  scan.partition = layout::kCloud;
  scan.begin = std::string(layout::kDeletedBuckets) + cleanup_round_.behind;
  scan.end = layout::past_prefix(std::string(layout::kDeletedBuckets));
  scan.limit = 1;
  CO_TRY(const auto deleted, co_await meta_.scan(std::move(scan)));
  if (deleted.empty()) {
    CleanupRound round = std::exchange(cleanup_round_, {});
    note_stuck_cleanups(round.failed);
    if (!round.first_error) co_return false;
    co_return fail(round.first_error->in(std::to_string(round.failed) + " deleted buckets, the first"));
  }
  const Status cleaned = co_await clean_up_bucket(deleted.front());
  if (cleaned) co_return true;
  if (passes(cleaned.error())) co_return fail(cleaned.error());
  // What is wrong with this one keeps no other waiting: it is tried again with the next round.
  cleanup_round_.behind = deleted.front().key.substr(layout::kDeletedBuckets.size()) + '\0';
  if (!cleanup_round_.first_error) cleanup_round_.first_error = cleaned.error();
  ++cleanup_round_.failed;
  if (cleanup_round_.failed > stuck_cleanups_) note_stuck_cleanups(cleanup_round_.failed);
  co_return true;
}

void ServiceImpl::note_stuck_cleanups(std::size_t buckets) {
  stuck_cleanups_ = buckets;
  stuck_cleanups_gauge_.set(static_cast<double>(buckets));
}

Task<Status> ServiceImpl::clean_up_bucket(const meta::Item& deleted) {
  CO_TRY(const DeletedBucket record, decode_deleted_bucket(as_bytes(deleted.value)));
  CO_CHECK_OK(co_await erase_name(record.bucket, record.name));

  meta::Commit change = change_in(record.bucket);
  change.unwitnessed = kJournaledAlready;
  CO_TRY(const std::vector<Piece> pieces, co_await take_uploads(record.bucket, change));
  if (change.erase.empty()) change.erase.push_back({meta::Space::kRecords, deleted.key});
  CO_TRY(Displaced displaced, co_await displace(record.bucket, BlobId{}, pieces, change));
  const Status done = co_await commit_change(std::move(change), displaced, nullptr);
  // A blob moved meanwhile, or its upload was aborted: looked at anew.
  if (!done && !(done.error() == Errc::kConflict)) co_return done;
  co_return Status{};
}

Task<Result<std::vector<Piece>>> ServiceImpl::take_uploads(const BucketRecord& bucket, meta::Commit& change) {
  std::vector<Piece> pieces;
  meta::Scan scan;
  scan.partition = change.partition;
  scan.begin = layout::uploads(bucket.id);
  scan.end = layout::past_prefix(scan.begin);
  scan.limit = kMaxErasedPerStep;
  scan.keys_only = true;
  CO_TRY(auto uploads, co_await meta_.scan(std::move(scan)));
  for (meta::Item& upload : uploads) {
    if (change.erase.size() >= kMaxErasedPerStep) break;
    // Read from its end (docs/formats/metadata-keys.md).
    if (upload.key.size() < UploadId::kSize) co_return fail(Errc::kCorrupt, "an upload's key is too short");
    const std::string_view id = std::string_view(upload.key).substr(upload.key.size() - UploadId::kSize);
    scan = {};
    scan.partition = change.partition;
    scan.begin = layout::parts(UploadId::from_bytes(as_bytes(id)));
    scan.end = layout::past_prefix(scan.begin);
    scan.limit = kMaxErasedPerStep - change.erase.size();
    const std::size_t limit = scan.limit;
    CO_TRY(auto parts, co_await meta_.scan(std::move(scan)));
    for (meta::Item& part : parts) {
      CO_TRY(PartRecord decoded, decode_part(as_bytes(part.value)));
      std::ranges::move(decoded.pieces, std::back_inserter(pieces));
      change.erase.push_back({meta::Space::kRecords, std::move(part.key)});
    }
    // With its last parts: until then it is what leads to them.
    if (parts.size() < limit) change.erase.push_back({meta::Space::kRecords, std::move(upload.key)});
  }
  co_return pieces;
}

}  // namespace andromede::objects
