// PutObject, and the commit that makes a stored body an object.
#include "objects/conditions.h"
#include "objects/layout.h"
#include "objects/service_impl.h"

namespace andromede::objects {

Task<Result<PutAnswer>> ServiceImpl::put(const identity::Context& context, PutRequest request, BodySource& body) {
  CO_CHECK_OK(check_key(request.key));
  CO_CHECK_OK(check_metadata(request.user));
  CO_TRY(const BucketRecord bucket, co_await find_bucket(context, context.action, request.bucket));
  if (request.conditions.if_match || request.conditions.if_none_match) {
    // Told before the body is sent; what counts is checked in the commit.
    CO_TRY(const auto current, co_await find_object(bucket, request.key));
    CO_CHECK_OK(check_write(request.conditions, current ? &current->record.head : nullptr));
  }
  const crypto::Checksum kind = demanded_kind(request.checksum);
  CO_TRY(SealedBody sealed, co_await store_body(context, bucket, body, {kind}));
  CO_CHECK_OK(verify_body(request.checksum, sealed.digests, body));

  ObjectRecord record;
  record.head.size_bytes = sealed.size_bytes;
  record.head.storage_class = request.storage_class;
  record.head.checksum_kind = kind;
  record.head.md5 = sealed.digests.md5;
  record.checksum = *sealed.digests.checksum(kind);
  record.system = std::move(request.system);
  record.user = std::move(request.user);
  record.pieces = sealed.pieces;
  CO_CHECK_OK(co_await commit_object({context, bucket, request.bucket, request.key}, "PutObject", record, sealed,
                                     request.conditions));
  co_return PutAnswer{etag_text(record.head), checksum_of(record), record.head.size_bytes};
}

Task<Result<SealedBody>> ServiceImpl::store_body(const identity::Context& context, const BucketRecord& bucket,
                                                 BodySource& body, std::vector<crypto::Checksum> kinds) {
  CO_CHECK_OK(meta_.accepts_commits());
  co_return co_await seal_body(seal_, {bucket.owner, context.peer}, bucket.policy, key_use(context, bucket), body,
                               std::move(kinds), kMaxPutBytes);
}

Task<Status> ServiceImpl::commit_object(Names names, const char* event_name, ObjectRecord& record, SealedBody& body,
                                        const Conditions& conditions) {
  const BucketRecord& bucket = names.bucket;
  const std::string object_key = layout::object(bucket.id, names.key);
  for (Retries::Try a_try = retries_.begin(names.context.stop); a_try.may_go_on(); co_await a_try.pause()) {
    meta::Commit change = change_of(bucket, names.key);
    change.needs_open_root = true;
    // Nearly every bucket is open: its state is read only when that was wrong.
    if (!a_try.is_first()) CO_CHECK_OK(co_await ensure_open(bucket));
    CO_TRY(auto current, co_await find_object(bucket, names.key));
    CO_CHECK_OK(check_write(conditions, current ? &current->record.head : nullptr));
    auto displaced = co_await displace_object(bucket, current ? &*current : nullptr, change, names.context.stop);
    if (!displaced) {
      if (displaced.error() == Errc::kNotFound) continue;
      co_return fail(std::move(displaced).error());
    }
    change.expect.push_back({object_key, current ? std::optional(std::move(current->raw)) : std::nullopt});
    record.head.modified = clock_.now();
    change.put.push_back({{meta::Space::kRecords, object_key}, encode(record)});
    for (const BlobRecord& stored : body.blobs()) {
      change.put.push_back({{meta::Space::kRecords, layout::blob(stored.ref.id)}, encode(stored)});
    }
    if (body.pieces.front().inlined) {
      change.put.push_back({layout::inline_payload(body.pieces.front().blob), body.inline_payload});
    }
    change.usage = usage_of(current ? &current->record : nullptr, record);
    change.event = event(names.context, event_name,
                         {{"bucketName", names.bucket_name},
                          {"key", names.key},
                          {"size", std::to_string(record.head.size_bytes)},
                          {"etag", etag_text(record.head)}});
    const Status done = co_await commit_change(std::move(change), *displaced, &body);
    if (done || !(done.error() == Errc::kConflict)) co_return done;
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the object kept changing while it was written");
}

}  // namespace andromede::objects
