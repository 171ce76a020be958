// DeleteObject and DeleteObjects.
#include <algorithm>

#include "objects/conditions.h"
#include "objects/layout.h"
#include "objects/service_impl.h"

namespace andromede::objects {

std::size_t deletions_at_once(std::span<const std::optional<std::string>> records) {
  std::size_t count = 0;
  std::size_t parts = 0;
  for (const std::optional<std::string>& record : records.first(std::min(records.size(), kMaxDeletesAtOnce))) {
    // One that cannot be read is for its own deletion to complain about.
    if (const auto head = record ? decode_object_head(as_bytes(*record)) : ObjectHead{}; head) parts += head->parts;
    if (parts > kMaxPartsAtOnce && count > 0) break;
    ++count;
  }
  return count;
}

Task<Status> ServiceImpl::remove(const identity::Context& context, std::string bucket, DeleteItem item) {
  CO_TRY(const BucketRecord record, co_await find_live_bucket(context, bucket));
  co_return co_await remove_in(context, record, bucket, item);
}

Task<Result<std::vector<DeleteOutcome>>> ServiceImpl::remove_many(const identity::Context& context, std::string bucket,
                                                                  std::vector<DeleteItem> items) {
  CO_TRY(const BucketRecord record, co_await find_live_bucket(context, bucket));
  // The line of commits is everybody's.
  CO_TRY(const AccountTurns::Turn turn,
         co_await removals_.take(context.principal.account.id, turn_patience(context.stop)));
  std::vector<DeleteOutcome> outcomes;
  outcomes.reserve(items.size());
  Stretch stretch;
  // Each is a commit of its own, with its own event; under way together they share an fsync.
  for (std::span<DeleteItem> left(items); !left.empty();) {
    if (context.stop.stop_requested())
      co_return fail(Errc::kCancelled, "nobody waits for the rest of the deletions any more");
    // A key each has a partition of its own.
    std::vector<Task<Result<std::optional<std::string>>>> reads;
    for (const DeleteItem& item : left.first(std::min(left.size(), kMaxDeletesAtOnce))) {
      reads.push_back(meta_.get(layout::partition(record.id, item.key),
                                {meta::Space::kRecords, layout::object(record.id, item.key)}, deadline()));
    }
    std::vector<std::optional<std::string>> records;
    for (auto& read : co_await when_all(std::move(reads))) {
      CO_TRY(auto raw, std::move(read));
      records.push_back(std::move(raw));
    }
    const std::size_t count = deletions_at_once(records);
    std::vector<Task<DeleteOutcome>> tasks;
    for (DeleteItem& item : left.first(count)) {
      tasks.push_back(remove_one(context, record, bucket, std::move(item), stretch));
    }
    std::ranges::move(co_await when_all(std::move(tasks)), std::back_inserter(outcomes));
    left = left.subspan(count);
  }
  co_return outcomes;
}

Task<DeleteOutcome> ServiceImpl::remove_one(const identity::Context& context, const BucketRecord& bucket,
                                            const std::string& bucket_name, DeleteItem item, Stretch& stretch) {
  co_await stretch.pause();
  DeleteOutcome outcome{item.key, std::nullopt};
  Status status = co_await remove_in(context, bucket, bucket_name, item);
  if (!status) outcome.error = std::move(status).error();
  co_return outcome;
}

Task<Status> ServiceImpl::remove_in(const identity::Context& context, const BucketRecord& bucket,
                                    const std::string& bucket_name, const DeleteItem& item) {
  CO_CHECK_OK(check_key(item.key));
  if (!item.version_id.empty() && item.version_id != "null") {
    co_return fail(ObjectErrc::kNoSuchVersion, "the bucket keeps no versions: the only one is \"null\"");
  }
  for (Retries::Try a_try = retries_.begin(context.stop); a_try.may_go_on(); co_await a_try.pause()) {
    CO_TRY(const auto current, co_await find_object(bucket, item.key));
    CO_CHECK_OK(check_delete(item, current ? &current->record.head : nullptr));
    if (!current) co_return Status{};
    meta::Commit change = change_of(bucket, item.key);
    auto displaced = co_await displace_object(bucket, &*current, change, context.stop);
    if (!displaced) {
      if (displaced.error() == Errc::kNotFound) continue;
      co_return fail(std::move(displaced).error());
    }
    const std::string object_key = layout::object(bucket.id, item.key);
    change.expect.push_back({object_key, current->raw});
    change.erase.push_back({meta::Space::kRecords, object_key});
    change.usage = {-1, -static_cast<std::int64_t>(current->record.head.size_bytes)};
    change.event = event(context, "DeleteObject",
                         {{"bucketName", bucket_name},
                          {"key", item.key},
                          {"size", std::to_string(current->record.head.size_bytes)},
                          {"etag", etag_text(current->record.head)}});
    const Status done = co_await commit_change(std::move(change), *displaced, nullptr);
    if (done || !(done.error() == Errc::kConflict)) co_return done;
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the object kept changing while it was deleted");
}

}  // namespace andromede::objects
