// CopyObject: the source's bytes are opened, sealed again under a key of their own and committed like a put's.
#include "objects/layout.h"
#include "objects/service_impl.h"

namespace andromede::objects {

Task<Result<CopyAnswer>> ServiceImpl::copy(identity::Caller caller, CopyRequest request) {
  CO_CHECK_OK(check_key(request.source_key));
  CO_CHECK_OK(check_key(request.key));
  if (request.replace_metadata) CO_CHECK_OK(check_metadata(request.user));
  CO_TRY(const BucketRecord bucket, co_await find_live_bucket(caller, request.bucket));
  CO_TRY(const BucketRecord source_bucket, co_await find_bucket(caller, request.source_bucket));
  const std::optional<ByteRange> whole;
  CO_TRY(const std::unique_ptr<OpenObject> source,
         co_await open_object(
             caller, {source_bucket, request.source_key, request.source_conditions, whole, std::nullopt, false, true}));
  const ObjectInfo& info = source->info();
  const StorageClass storage_class = request.storage_class.value_or(StorageClass::kStandard);
  const bool itself = source_bucket.id == bucket.id && request.source_key == request.key;
  if (itself && !request.replace_metadata && storage_class == info.storage_class) {
    co_return fail(ObjectErrc::kInvalidRequest,
                   "This copy request is illegal because it is trying to copy an object to itself without changing the "
                   "object's metadata, storage class, website redirect location or encryption attributes.");
  }
  if (info.size_bytes > kMaxPutBytes) {
    co_return fail(ObjectErrc::kInvalidRequest,
                   "The specified copy source is larger than the maximum allowable size "
                   "for a copy source: 5368709120");
  }
  crypto::Checksum kind = request.checksum;
  if (kind == crypto::Checksum::kNone) kind = info.checksum.kind;
  if (kind == crypto::Checksum::kNone) kind = crypto::Checksum::kCrc64Nvme;

  ObjectBody body(*source);
  CO_TRY(SealedBody sealed, co_await seal_body(seal_, bucket.owner, body, {kind}, kMaxPutBytes));
  ObjectRecord record;
  record.head.size_bytes = sealed.size_bytes;
  record.head.storage_class = storage_class;
  record.head.checksum_kind = kind;
  record.head.md5 = sealed.digests.md5;
  record.checksum = *sealed.digests.checksum(kind);
  record.system = request.replace_metadata ? request.system : info.system;
  record.user = request.replace_metadata ? request.user : info.user;
  record.pieces = sealed.pieces;
  CO_CHECK_OK(co_await commit_object({caller, bucket, request.bucket, request.key}, "CopyObject", record, sealed,
                                     request.conditions));
  co_return CopyAnswer{etag_text(record.head), record.head.modified, checksum_of(record)};
}

}  // namespace andromede::objects
