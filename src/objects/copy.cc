// CopyObject: the source's bytes are opened, sealed again under a key of their own and committed like a put's.
#include "objects/conditions.h"
#include "objects/layout.h"
#include "objects/service_impl.h"

namespace andromede::objects {
namespace {

bool changes_nothing(const CopyRequest& request) {
  return !request.replace_metadata && !request.storage_class && request.system.website_redirect.empty() &&
         request.checksum == crypto::Checksum::kNone && !request.names_encryption;
}

}  // namespace

Task<Result<CopyAnswer>> ServiceImpl::copy(const identity::Context& context, CopyRequest request) {
  CO_CHECK_OK(check_key(request.source_key));
  CO_CHECK_OK(check_key(request.key));
  if (request.replace_metadata) CO_CHECK_OK(check_metadata(request.user));
  CO_TRY(const BucketRecord bucket, co_await find_live_bucket(context, request.bucket));
  CO_TRY(const BucketRecord source_bucket, co_await find_bucket(context, kReadSource, request.source_bucket));
  if (source_bucket.id == bucket.id && request.source_key == request.key && changes_nothing(request)) {
    co_return fail(ObjectErrc::kInvalidRequest,
                   "This copy request is illegal because it is trying to copy an object to itself without changing the "
                   "object's metadata, storage class, website redirect location or encryption attributes.");
  }
  if (request.conditions.if_match || request.conditions.if_none_match) {
    // Told before the bytes are copied; what counts is checked in the commit.
    CO_TRY(const auto current, co_await find_object(bucket, request.key));
    CO_CHECK_OK(check_write(request.conditions, current ? &current->record.head : nullptr));
  }
  const std::optional<ByteRange> whole;
  CO_TRY(const std::unique_ptr<OpenObject> source, co_await open_object({.context = context,
                                                                         .bucket = source_bucket,
                                                                         .key = request.source_key,
                                                                         .conditions = request.source_conditions,
                                                                         .range = whole,
                                                                         .copy_source = true}));
  const ObjectInfo& info = source->info();
  if (info.size_bytes > kMaxPutBytes) {
    co_return fail(ObjectErrc::kInvalidRequest,
                   "The specified copy source is larger than the maximum allowable size "
                   "for a copy source: 5368709120");
  }
  crypto::Checksum kind = request.checksum;
  if (kind == crypto::Checksum::kNone) kind = info.checksum.kind;
  if (kind == crypto::Checksum::kNone) kind = crypto::Checksum::kCrc64Nvme;

  ObjectBody body(*source, request.progress);
  CO_TRY(SealedBody sealed, co_await store_body(context, bucket, body, {kind}));
  ObjectRecord record;
  record.head.size_bytes = sealed.size_bytes;
  record.head.storage_class = request.storage_class.value_or(StorageClass::kStandard);
  record.head.checksum_kind = kind;
  record.head.md5 = sealed.digests.md5;
  record.checksum = *sealed.digests.checksum(kind);
  record.system = request.replace_metadata ? request.system : info.system;
  record.system.website_redirect = request.system.website_redirect;
  record.user = request.replace_metadata ? request.user : info.user;
  record.pieces = sealed.pieces;
  CO_CHECK_OK(co_await commit_object({context, bucket, request.bucket, request.key}, "CopyObject", record, sealed,
                                     request.conditions));
  co_return CopyAnswer{etag_text(record.head), record.head.modified, checksum_of(record)};
}

}  // namespace andromede::objects
