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

// The next id of all. That of the last is none, from which a round begins anew: no random id is it.
meta::RootId behind(meta::RootId root) {
  Bytes bytes(root.bytes().begin(), root.bytes().end());
  for (auto byte = bytes.rbegin(); byte != bytes.rend() && ++*byte == 0; ++byte) {
  }
  return meta::RootId::from_bytes(bytes);
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
  CO_TRY(const auto deleted, co_await meta_.ended_roots(cleanup_round_.from, 1, deadline()));
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
  cleanup_round_.from = behind(deleted.front().root);
  if (!cleanup_round_.first_error) cleanup_round_.first_error = cleaned.error();
  ++cleanup_round_.failed;
  if (cleanup_round_.failed > stuck_cleanups_) note_stuck_cleanups(cleanup_round_.failed);
  co_return true;
}

void ServiceImpl::note_stuck_cleanups(std::size_t buckets) {
  stuck_cleanups_ = buckets;
  stuck_cleanups_gauge_.set(static_cast<double>(buckets));
}

Task<Status> ServiceImpl::clean_up_bucket(const meta::EndedRoot& deleted) {
  CO_TRY(const DeletedBucket record, decode_deleted_bucket(as_bytes(deleted.left)));
  CO_CHECK_OK(co_await erase_name(record.bucket, record.name, {}));
  CO_TRY(const bool more, co_await clean_up_upload(record.bucket));
  if (more) co_return Status{};
  co_return co_await meta_.forget_root(deleted.root, deadline());
}

Task<Result<bool>> ServiceImpl::clean_up_upload(const BucketRecord& bucket) {
  const std::string base = layout::uploads(bucket.id);
  const auto uploads = walk_of(bucket, base, {}, {deadline(), {}});
  CO_TRY(const bool any, co_await uploads->seek(base));
  if (!any) co_return false;
  CO_TRY(const layout::UploadName upload, layout::parse_upload(uploads->key().substr(base.size())));

  meta::Commit change = change_of(bucket, upload.key);
  change.unwitnessed = kJournaledAlready;
  meta::Scan scan;
  scan.partition = change.partition;
  scan.begin = layout::parts(upload.id);
  scan.end = meta::past_prefix(scan.begin);
  scan.limit = kMaxErasedPerStep;
  scan.patience.deadline = deadline();
  CO_TRY(auto parts, co_await meta_.scan(std::move(scan)));
  std::vector<Piece> pieces;
  for (meta::Item& part : parts) {
    CO_TRY(PartRecord decoded, decode_part(as_bytes(part.value)));
    std::ranges::move(decoded.pieces, std::back_inserter(pieces));
    change.erase.push_back({meta::Space::kRecords, std::move(part.key)});
  }
  // With its last parts: until then it is what leads to them.
  if (parts.size() < kMaxErasedPerStep) {
    change.erase.push_back({meta::Space::kRecords, std::string(uploads->key())});
  }
  CO_TRY(Displaced displaced, co_await displace(BlobId{}, pieces, change));
  const Status done = co_await commit_change(std::move(change), displaced, nullptr);
  // A blob moved meanwhile, or the upload was aborted: looked at anew.
  if (!done && !(done.error() == Errc::kConflict)) co_return fail(done.error());
  co_return true;
}

}  // namespace andromede::objects
