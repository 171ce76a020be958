// Multipart uploads: create, part, part copy, complete, abort, and their listings.
//
// An upload is one record, a part another; a part's commit expects the upload's record and the bucket's state, so that
// no part outlives its upload or comes to a bucket that is gone. Completing moves the parts' records into the object's,
// without touching their bytes: the commit expects every part as it was read, and erases it.
#include <algorithm>

#include "base/stretch.h"
#include "objects/conditions.h"
#include "objects/layout.h"
#include "objects/prefix_walk.h"
#include "objects/service_impl.h"

namespace andromede::objects {
namespace {

Error no_such_upload() {
  return {make_error_code(ObjectErrc::kNoSuchUpload),
          "there is no such upload: it was completed or aborted, or never was"};
}

// New ids rise with time, so that the uploads of one key are listed in the order of their initiation.
UploadId make_upload_id(Timestamp now, Random& random) {
  const UploadId noise = UploadId::random(random);
  constexpr std::size_t kTimeBytes = 6;
  Bytes bytes;
  append_be64(bytes, static_cast<std::uint64_t>(now.ms) << 16);
  bytes.resize(kTimeBytes);
  bytes.insert(bytes.end(), noise.bytes().begin() + kTimeBytes, noise.bytes().end());
  return UploadId::from_bytes(bytes);
}

bool is_crc(crypto::Checksum kind) {
  return kind == crypto::Checksum::kCrc32 || kind == crypto::Checksum::kCrc32c || kind == crypto::Checksum::kCrc64Nvme;
}

// What an upload's parts and its object carry: what it was created with, or CRC64NVME.
crypto::Checksum kind_of(const UploadRecord& upload) {
  return upload.checksum == crypto::Checksum::kNone ? crypto::Checksum::kCrc64Nvme : upload.checksum;
}
ChecksumType type_of(const UploadRecord& upload) {
  return upload.checksum == crypto::Checksum::kNone ? ChecksumType::kFullObject : upload.checksum_type;
}

Status check_part_number(std::uint32_t number) {
  if (number >= 1 && number <= kMaxParts) return {};
  return fail(ObjectErrc::kInvalidArgument, "Part number must be an integer between 1 and 10000, inclusive");
}

// Whether a part is the one that a client means to complete with.
Status check_listed_part(const CompletedPart& listed, const PartRecord* part) {
  const auto invalid = [&](const char* why) {
    return fail(ObjectErrc::kInvalidPart, "part " + std::to_string(listed.number) + ": " + why);
  };
  if (part == nullptr) return invalid("it was not uploaded");
  if (listed.etag != etag_text(part->md5, 0)) return invalid("its ETag is another");
  const StoredChecksum& claimed = listed.checksum;
  if (claimed.kind == crypto::Checksum::kNone) return {};
  if (claimed.kind == part->checksum.kind) {
    return claimed.value == part->checksum.value ? Status{} : invalid("its checksum is another");
  }
  if (claimed.kind == part->sent.kind) {
    return claimed.value == part->sent.value ? Status{} : invalid("its checksum is another");
  }
  return invalid("it was uploaded with another kind of checksum");
}

// "Tutorial: Check the integrity of data with additional checksums", S3 user guide: a composite checksum is that of the
// parts' concatenated checksums; a full-object one is combined from theirs.
Task<Bytes> checksum_of_parts(crypto::Checksum kind, ChecksumType type, const std::vector<PartRecord>& parts,
                              Stretch& stretch) {
  if (type == ChecksumType::kComposite) {
    const auto hasher = crypto::make_hasher(kind);
    for (const PartRecord& part : parts) {
      hasher->update(part.checksum.value);
      co_await stretch.pause();
    }
    co_return hasher->finish();
  }
  Bytes combined = parts.front().checksum.value;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    combined = crypto::combine_crc(kind, combined, parts[i].checksum.value, parts[i].size_bytes);
    co_await stretch.pause();
  }
  co_return combined;
}

Status check_type(ChecksumType claimed, const UploadRecord& upload) {
  const bool named = upload.checksum != crypto::Checksum::kNone;
  if (named && claimed == upload.checksum_type) return {};
  const char* const created = !named ? "null" : claimed == ChecksumType::kComposite ? "FULL_OBJECT" : "COMPOSITE";
  return fail(ObjectErrc::kInvalidRequest, "The upload was created using the " + std::string(created) +
                                               " checksum mode. The complete request must use the same checksum mode.");
}

// "CompletedPart", S3 API reference: parts with an additional checksum are numbered from 1 on without a gap. CRC64NVME
// is not among those that it names.
Status check_run(const std::vector<CompletedPart>& parts, const UploadRecord& upload) {
  if (upload.checksum == crypto::Checksum::kNone || upload.checksum == crypto::Checksum::kCrc64Nvme) return {};
  // They rise strictly: with as many as the last one's number none is missing.
  if (parts.back().number == parts.size()) return {};
  return fail(ObjectErrc::kInvalidPartOrder,
              "the parts of an upload with a checksum algorithm are numbered from 1 on without a gap");
}

Status check_whole(const StoredChecksum& claimed, const StoredChecksum& actual) {
  if (claimed.kind != actual.kind) {
    return fail(ObjectErrc::kInvalidRequest, "the upload was created with another kind of checksum");
  }
  if (claimed.value == actual.value && (claimed.parts == 0 || claimed.parts == actual.parts)) return {};
  return fail(ObjectErrc::kBadDigest, "the checksum is not that of the object's parts");
}

crypto::Md5Digest md5_of_parts(const std::vector<PartRecord>& parts) {
  Bytes digests;
  digests.reserve(parts.size() * sizeof(crypto::Md5Digest));
  for (const PartRecord& part : parts) digests.insert(digests.end(), part.md5.begin(), part.md5.end());
  return crypto::md5(digests);
}

UploadInfo upload_info(UploadId id, std::string key, const UploadRecord& record) {
  return {id, std::move(key), record.initiated, record.storage_class, record.checksum, record.checksum_type};
}

}  // namespace

Task<Result<UploadInfo>> ServiceImpl::create_upload(const identity::Context& context, CreateUploadRequest request) {
  CO_CHECK_OK(check_key(request.key));
  CO_CHECK_OK(check_metadata(request.user));
  if (request.checksum == crypto::Checksum::kCrc64Nvme && request.checksum_type == ChecksumType::kComposite) {
    co_return fail(ObjectErrc::kInvalidRequest, "CRC64NVME is a full-object checksum only");
  }
  if (request.checksum != crypto::Checksum::kNone && !is_crc(request.checksum) &&
      request.checksum_type == ChecksumType::kFullObject) {
    co_return fail(ObjectErrc::kInvalidRequest, "SHA-1 and SHA-256 are composite checksums only");
  }
  CO_TRY(const BucketRecord bucket, co_await find_bucket(context, context.action, request.bucket));
  UploadRecord record;
  record.initiated = clock_.now();
  record.storage_class = request.storage_class;
  record.checksum = request.checksum;
  record.checksum_type = request.checksum_type;
  record.system = std::move(request.system);
  record.user = std::move(request.user);
  const UploadId id = make_upload_id(record.initiated, random_);
  for (Retries::Try a_try = retries_.begin(context.stop); a_try.may_go_on(); co_await a_try.pause()) {
    CO_CHECK_OK(co_await ensure_open(bucket));
    meta::Commit change = change_of(bucket, request.key);
    change.needs_open_root = true;
    change.put.push_back({{meta::Space::kRecords, layout::upload(bucket.id, request.key, id)}, encode(record)});
    change.event = event(context, "CreateMultipartUpload",
                         {{"bucketName", request.bucket}, {"key", request.key}, {"uploadId", id.to_string()}});
    const auto done = co_await commit(std::move(change));
    if (done) co_return upload_info(id, std::move(request.key), record);
    if (!(done.error() == Errc::kConflict)) co_return fail(done.error());
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the bucket kept changing");
}

Task<Result<ServiceImpl::StoredUpload>> ServiceImpl::find_upload(const BucketRecord& bucket, const std::string& key,
                                                                 UploadId id) {
  CO_TRY(const auto state, co_await read_state(bucket));
  if (!state) co_return fail(ObjectErrc::kNoSuchBucket, "the bucket was deleted");
  CO_TRY(auto raw, co_await meta_.get(layout::partition(bucket.id, key),
                                      {meta::Space::kRecords, layout::upload(bucket.id, key, id)}, deadline()));
  if (!raw) co_return fail(no_such_upload());
  CO_TRY(UploadRecord record, decode_upload(as_bytes(*raw)));
  co_return StoredUpload{*std::move(raw), std::move(record)};
}

Task<Result<std::vector<PartRecord>>> ServiceImpl::stored_parts(const meta::Partition& partition, UploadId id,
                                                                ListWork& work) {
  std::vector<PartRecord> parts;
  meta::Scan scan;
  scan.partition = partition;
  scan.begin = layout::parts(id);
  scan.end = meta::past_prefix(scan.begin);
  while (true) {
    scan.patience.deadline = deadline();
    CO_TRY(auto items, co_await meta_.scan(scan));
    for (const meta::Item& item : items) {
      CO_TRY(PartRecord record, decode_part(as_bytes(item.value)));
      parts.push_back(std::move(record));
      ++work.parts_read;
      co_await work.stretch.pause();
    }
    if (items.size() < scan.limit) co_return parts;
    scan.begin = items.back().key + '\0';
  }
}

Task<Result<std::string>> ServiceImpl::mark_upload(meta::Partition partition, const std::string& upload_key,
                                                   StoredUpload upload, bool held) {
  upload.record.held = held;
  upload.record.by = {};
  if (held) random_.fill(upload.record.by);
  std::string marked = encode(upload.record);
  meta::Commit change;
  change.partition = std::move(partition);
  change.expect.push_back({upload_key, std::move(upload.raw)});
  change.put.push_back({{meta::Space::kRecords, upload_key}, marked});
  change.gives_back = held;
  change.unwitnessed = "an upload is held before its parts are taken, which is journaled";
  CO_TRY(const auto done, co_await commit(std::move(change)));
  static_cast<void>(done);
  co_return marked;
}

Task<Result<std::vector<PartRecord>>> ServiceImpl::take_parts(const std::string& upload_key, UploadId id,
                                                              StoredUpload upload, meta::Commit& change,
                                                              ListWork& work) {
  // Expecting the parts that are seen would not be enough: a part that comes after the look would be left behind.
  if (!upload.record.held) {
    CO_TRY(upload.raw, co_await mark_upload(change.partition, upload_key, upload, true));
  }
  CO_TRY(std::vector<PartRecord> parts, co_await stored_parts(change.partition, id, work));
  // Parts that were not found say nothing when the upload ended meanwhile: whoever ended it took them.
  CO_TRY(const auto now, co_await meta_.get(change.partition, {meta::Space::kRecords, upload_key}, deadline()));
  if (now != upload.raw) co_return fail(Errc::kConflict, "the upload changed while its parts were read");
  change.expect.push_back({upload_key, std::move(upload.raw)});
  change.erase.push_back({meta::Space::kRecords, upload_key});
  for (const PartRecord& part : parts) {
    change.erase.push_back({meta::Space::kRecords, layout::part(id, part.number)});
    co_await work.stretch.pause();
  }
  co_return parts;
}

Task<Result<PutAnswer>> ServiceImpl::upload_part(const identity::Context& context, UploadPartRequest request,
                                                 BodySource& body) {
  CO_CHECK_OK(check_key(request.key));
  CO_CHECK_OK(check_part_number(request.number));
  CO_TRY(const BucketRecord bucket, co_await find_bucket(context, context.action, request.bucket));
  CO_TRY(const StoredUpload upload, co_await find_upload(bucket, request.key, request.upload));
  const crypto::Checksum kind = kind_of(upload.record);
  const crypto::Checksum sent = request.checksum.kind;
  // An upload that was created without a checksum takes parts with any; its own is computed beside it.
  if (sent != crypto::Checksum::kNone && sent != kind && upload.record.checksum != crypto::Checksum::kNone) {
    co_return fail(ObjectErrc::kInvalidRequest, "the upload was created with another kind of checksum");
  }
  CO_TRY(SealedBody sealed,
         co_await store_body(context, bucket, body, sent == kind ? std::vector{kind} : std::vector{kind, sent}));
  CO_CHECK_OK(verify_body(request.checksum, sealed.digests, body));
  CO_TRY(const PartRecord part,
         co_await commit_part({context, bucket, request.bucket, request.key}, "UploadPart", request.upload,
                              request.number, upload.record, request.checksum, sealed));
  const bool other = part.sent.kind != crypto::Checksum::kNone;
  co_return PutAnswer{etag_text(part.md5, 0), other ? part.sent : part.checksum, part.size_bytes};
}

Task<Result<CopyAnswer>> ServiceImpl::copy_part(const identity::Context& context, CopyPartRequest request) {
  CO_CHECK_OK(check_key(request.source_key));
  CO_CHECK_OK(check_key(request.key));
  CO_CHECK_OK(check_part_number(request.number));
  CO_TRY(const BucketRecord bucket, co_await find_bucket(context, context.action, request.bucket));
  CO_TRY(const StoredUpload upload, co_await find_upload(bucket, request.key, request.upload));
  CO_TRY(const BucketRecord source_bucket, co_await find_bucket(context, kReadSource, request.source_bucket));
  CO_TRY(const std::unique_ptr<OpenObject> source, co_await open_object({.context = context,
                                                                         .bucket = source_bucket,
                                                                         .key = request.source_key,
                                                                         .conditions = request.source_conditions,
                                                                         .range = request.source_range,
                                                                         .copy_source = true}));
  const std::optional<ByteRange>& range = request.source_range;
  if (range && range->first && range->last &&
      (*range->last < *range->first || *range->last >= source->info().size_bytes)) {
    co_return fail(ObjectErrc::kInvalidRange,
                   "the range ends behind the source's " + std::to_string(source->info().size_bytes) + " bytes");
  }
  if (source->length() > kMaxPutBytes) {
    co_return fail(ObjectErrc::kInvalidRequest,
                   "The specified copy source is larger than the maximum allowable size "
                   "for a copy source: 5368709120");
  }
  ObjectBody body(*source, request.progress);
  CO_TRY(SealedBody sealed, co_await store_body(context, bucket, body, {kind_of(upload.record)}));
  CO_TRY(const PartRecord part,
         co_await commit_part({context, bucket, request.bucket, request.key}, "UploadPartCopy", request.upload,
                              request.number, upload.record, ChecksumDemand{}, sealed));
  co_return CopyAnswer{etag_text(part.md5, 0), part.modified, part.checksum};
}

Task<Result<PartRecord>> ServiceImpl::commit_part(Names names, const char* event_name, UploadId upload,
                                                  std::uint32_t number, const UploadRecord& expected,
                                                  const ChecksumDemand& demand, SealedBody& body) {
  const BucketRecord& bucket = names.bucket;
  const std::string upload_key = layout::upload(bucket.id, names.key, upload);
  const std::string part_key = layout::part(upload, number);
  const crypto::Checksum kind = kind_of(expected);
  PartRecord part;
  part.number = number;
  part.size_bytes = body.size_bytes;
  part.md5 = body.digests.md5;
  part.checksum = {kind, ChecksumType::kFullObject, *body.digests.checksum(kind), 0};
  if (demand.kind != crypto::Checksum::kNone && demand.kind != kind) {
    part.sent = {demand.kind, ChecksumType::kFullObject, *body.digests.checksum(demand.kind), 0};
  }
  part.pieces = body.pieces;
  for (Retries::Try a_try = retries_.begin(names.context.stop); a_try.may_go_on(); co_await a_try.pause()) {
    CO_CHECK_OK(co_await ensure_open(bucket));
    meta::Commit change = change_of(bucket, names.key);
    change.needs_open_root = true;
    CO_TRY(auto now, co_await meta_.get_many(change.partition, {upload_key, part_key}, deadline()));
    if (!now[0]) co_return fail(no_such_upload());
    CO_TRY(UploadRecord upload_now, decode_upload(as_bytes(*now[0])));
    if (upload_now.held) {
      const auto freed =
          co_await mark_upload(change.partition, upload_key, {std::move(*now[0]), std::move(upload_now)}, false);
      if (!freed && !(freed.error() == Errc::kConflict)) co_return fail(freed.error());
      continue;
    }
    std::vector<Piece> old;
    if (now[1]) {
      CO_TRY(PartRecord before, decode_part(as_bytes(*now[1])));
      old = std::move(before.pieces);
    }
    CO_TRY(Displaced displaced, co_await displace(BlobId{}, old, change));
    change.expect.push_back({upload_key, std::move(now[0])});
    change.expect.push_back({part_key, std::move(now[1])});
    part.modified = clock_.now();
    change.put.push_back({{meta::Space::kRecords, part_key}, encode(part)});
    for (const BlobRecord& stored : body.blobs()) {
      change.put.push_back({{meta::Space::kRecords, layout::blob(stored.ref.id)}, encode(stored)});
    }
    if (body.pieces.front().inlined) {
      change.put.push_back({layout::inline_payload(body.pieces.front().blob), body.inline_payload});
    }
    change.event = event(names.context, event_name,
                         {{"bucketName", names.bucket_name},
                          {"key", names.key},
                          {"uploadId", upload.to_string()},
                          {"partNumber", std::to_string(number)},
                          {"size", std::to_string(part.size_bytes)},
                          {"etag", etag_text(part.md5, 0)}});
    const Status done = co_await commit_change(std::move(change), displaced, &body);
    if (done) co_return part;
    if (!(done.error() == Errc::kConflict)) co_return fail(done.error());
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the part kept changing while it was written");
}

Task<Result<PutAnswer>> ServiceImpl::complete_upload(const identity::Context& context, CompleteRequest request) {
  CO_CHECK_OK(check_key(request.key));
  if (request.parts.empty())
    co_return fail(ObjectErrc::kInvalidRequest, "an object is completed from at least one part");
  std::uint32_t previous = 0;
  for (const CompletedPart& part : request.parts) {
    if (part.number <= previous) {
      co_return fail(ObjectErrc::kInvalidPartOrder, "parts are listed in rising order, each of them once");
    }
    previous = part.number;
  }
  CO_TRY(const BucketRecord bucket, co_await find_bucket(context, context.action, request.bucket));
  CO_TRY(const AccountTurns::Turn turn,
         co_await part_lists_.take(context.principal.account.id, turn_patience(context.stop)));
  ListWork work;
  for (Retries::Try a_try = retries_.begin(context.stop); a_try.may_go_on() && work.parts_read < kMaxPartsOverTries;
       co_await a_try.pause()) {
    auto done = co_await try_complete({context, bucket, request.bucket, request.key}, request, work);
    const bool again = !done && (done.error() == Errc::kConflict || done.error() == Errc::kNotFound);
    if (!again) co_return done;
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the object or its parts kept changing");
}

Task<Result<PutAnswer>> ServiceImpl::try_complete(Names names, const CompleteRequest& request, ListWork& work) {
  const BucketRecord& bucket = names.bucket;
  const std::string object_key = layout::object(bucket.id, names.key);
  const std::string upload_key = layout::upload(bucket.id, names.key, request.upload);
  CO_CHECK_OK(co_await ensure_open(bucket));
  meta::Commit change = change_of(bucket, names.key);
  change.needs_open_root = true;
  CO_TRY(auto now, co_await meta_.get_many(change.partition, {object_key, upload_key}, deadline()));
  std::optional<StoredObject> current;
  if (now[0]) {
    CO_TRY(ObjectRecord record, decode_object(as_bytes(*now[0])));
    current = StoredObject{*now[0], std::move(record)};
  }
  if (!now[1]) {
    // A repeated request after its answer was lost finds its own object.
    if (current && current->record.head.parts > 0 && current->record.upload == request.upload) {
      co_return PutAnswer{etag_text(current->record.head), checksum_of(current->record),
                          current->record.head.size_bytes};
    }
    co_return fail(no_such_upload());
  }
  CO_TRY(UploadRecord upload, decode_upload(as_bytes(*now[1])));
  if (request.checksum_type) CO_CHECK_OK(check_type(*request.checksum_type, upload));
  CO_CHECK_OK(check_run(request.parts, upload));
  CO_CHECK_OK(check_write(request.conditions, current ? &current->record.head : nullptr));
  CO_TRY(std::vector<PartRecord> stored,
         co_await take_parts(upload_key, request.upload, {std::move(*now[1]), upload}, change, work));

  std::vector<PartRecord> parts;
  std::vector<Piece> unused;
  std::uint64_t size_bytes = 0;
  std::size_t listed = 0;
  for (PartRecord& part : stored) {
    co_await work.stretch.pause();
    if (listed < request.parts.size() && request.parts[listed].number < part.number) {
      co_return fail(check_listed_part(request.parts[listed], nullptr).error());
    }
    if (listed == request.parts.size() || request.parts[listed].number > part.number) {
      std::ranges::move(part.pieces, std::back_inserter(unused));
      continue;
    }
    CO_CHECK_OK(check_listed_part(request.parts[listed], &part));
    ++listed;
    size_bytes += part.size_bytes;
    parts.push_back(std::move(part));
  }
  if (listed < request.parts.size()) co_return fail(check_listed_part(request.parts[listed], nullptr).error());
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    if (parts[i].size_bytes < kMinPartBytes) {
      co_return fail(ObjectErrc::kEntityTooSmall,
                     "part " + std::to_string(parts[i].number) + " is smaller than 5 MiB and not the last");
    }
  }
  if (size_bytes > kMaxObjectBytes) co_return fail(ObjectErrc::kEntityTooLarge, "an object has at most 5 TiB");
  if (request.object_size_bytes && *request.object_size_bytes != size_bytes) {
    co_return fail(ObjectErrc::kInvalidRequest, "the parts have " + std::to_string(size_bytes) + " bytes in all, not " +
                                                    std::to_string(*request.object_size_bytes));
  }

  ObjectRecord record;
  record.head.size_bytes = size_bytes;
  record.head.modified = clock_.now();
  record.head.storage_class = upload.storage_class;
  record.head.checksum_kind = kind_of(upload);
  record.head.checksum_type = type_of(upload);
  record.head.md5 = md5_of_parts(parts);
  record.head.parts = static_cast<std::uint32_t>(parts.size());
  record.checksum =
      co_await checksum_of_parts(record.head.checksum_kind, record.head.checksum_type, parts, work.stretch);
  record.system = std::move(upload.system);
  record.user = std::move(upload.user);
  record.upload = request.upload;
  if (request.checksum && upload.checksum != crypto::Checksum::kNone) {
    CO_CHECK_OK(check_whole(*request.checksum, checksum_of(record)));
  }

  // Given up here, the upload stays held, which a part, a completion or an abort to come knows what to do with.
  CO_TRY(Displaced displaced,
         co_await displace_object(bucket, current ? &*current : nullptr, change, names.context.stop));
  CO_TRY(Displaced dropped, co_await displace(BlobId{}, unused, change));
  if (record.parts_apart()) {
    for (std::size_t begin = 0; begin < parts.size(); begin += kPartsPerList) {
      const auto first = parts.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto last = parts.begin() + static_cast<std::ptrdiff_t>(std::min(parts.size(), begin + kPartsPerList));
      change.put.push_back({{meta::Space::kRecords,
                             layout::part_list(request.upload, static_cast<std::uint32_t>(begin / kPartsPerList))},
                            encode(std::vector<PartRecord>(first, last))});
      PartListHead head{std::prev(last)->number, 0};
      for (auto part = first; part != last; ++part) head.size_bytes += part->size_bytes;
      record.lists.push_back(head);
      co_await work.stretch.pause();
    }
  } else {
    record.parts = std::move(parts);
  }
  change.expect.push_back({object_key, std::move(now[0])});
  change.put.push_back({{meta::Space::kRecords, object_key}, encode(record)});
  change.usage = usage_of(current ? &current->record : nullptr, record);
  change.event = event(names.context, "CompleteMultipartUpload",
                       {{"bucketName", names.bucket_name},
                        {"key", names.key},
                        {"uploadId", request.upload.to_string()},
                        {"size", std::to_string(size_bytes)},
                        {"etag", etag_text(record.head)}});
  CO_CHECK_OK(co_await commit_change(std::move(change), displaced, nullptr));
  dropped.left();
  co_return PutAnswer{etag_text(record.head), checksum_of(record), size_bytes};
}

Task<Status> ServiceImpl::abort_upload(const identity::Context& context, std::string bucket, std::string key,
                                       UploadId upload) {
  CO_CHECK_OK(check_key(key));
  CO_TRY(const BucketRecord record, co_await find_bucket(context, context.action, bucket));
  CO_TRY(const AccountTurns::Turn turn,
         co_await part_lists_.take(context.principal.account.id, turn_patience(context.stop)));
  ListWork work;
  for (Retries::Try a_try = retries_.begin(context.stop); a_try.may_go_on() && work.parts_read < kMaxPartsOverTries;
       co_await a_try.pause()) {
    const Status done =
        co_await try_abort(record, key, upload,
                           event(context, "AbortMultipartUpload",
                                 {{"bucketName", bucket}, {"key", key}, {"uploadId", upload.to_string()}}),
                           work);
    if (done || !(done.error() == Errc::kConflict)) co_return done;
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the upload kept changing while it was aborted");
}

Task<Status> ServiceImpl::try_abort(const BucketRecord& bucket, const std::string& key, UploadId upload,
                                    std::string event, ListWork& work) {
  const std::string upload_key = layout::upload(bucket.id, key, upload);
  CO_TRY(StoredUpload found, co_await find_upload(bucket, key, upload));
  meta::Commit change = change_of(bucket, key);
  CO_TRY(std::vector<PartRecord> parts, co_await take_parts(upload_key, upload, std::move(found), change, work));
  std::vector<Piece> pieces;
  for (PartRecord& part : parts) {
    std::ranges::move(part.pieces, std::back_inserter(pieces));
    co_await work.stretch.pause();
  }
  CO_TRY(Displaced displaced, co_await displace(BlobId{}, pieces, change));
  change.event = std::move(event);
  co_return co_await commit_change(std::move(change), displaced, nullptr);
}

Task<Result<PartPage>> ServiceImpl::list_parts(const identity::Context& context, ListPartsRequest request) {
  CO_CHECK_OK(check_key(request.key));
  CO_TRY(const BucketRecord bucket, co_await find_bucket(context, context.action, request.bucket));
  CO_TRY(StoredUpload upload, co_await find_upload(bucket, request.key, request.upload));
  PartPage page;
  page.upload = upload_info(request.upload, std::move(request.key), upload.record);
  CO_TRY(page.owner, owner_of(bucket));
  const std::size_t max = std::min(request.max, kMaxListKeys);
  if (max == 0 || request.after >= kMaxParts) co_return page;
  meta::Scan scan;
  scan.patience = turn_patience(context.stop);
  CO_TRY(const AccountTurns::Turn turn, co_await listings_.take(context.principal.account.id, scan.patience));
  scan.partition = layout::partition(bucket.id, page.upload.key);
  scan.begin = layout::part(request.upload, request.after + 1);
  scan.end = meta::past_prefix(layout::parts(request.upload));
  scan.limit = max + 1;
  CO_TRY(const auto items, co_await meta_.scan(std::move(scan)));
  Stretch stretch;
  for (const meta::Item& item : items) {
    if (page.parts.size() == max) {
      page.truncated = true;
      break;
    }
    CO_TRY(const PartRecord part, decode_part(as_bytes(item.value)));
    page.parts.push_back(info_of(part));
    page.next = part.number;
    co_await stretch.pause();
  }
  co_return page;
}

Task<Result<UploadPage>> ServiceImpl::list_uploads(const identity::Context& context, ListUploadsRequest request) {
  CO_TRY(const BucketRecord bucket, co_await find_live_bucket(context, request.bucket));
  UploadPage page;
  CO_TRY(page.owner, owner_of(bucket));
  const std::size_t max = std::min(request.max, kMaxListKeys);
  if (max == 0) co_return page;

  const std::string base = layout::uploads(bucket.id);
  const meta::Patience patience = turn_patience(context.stop);
  CO_TRY(const AccountTurns::Turn turn, co_await listings_.take(context.principal.account.id, patience));
  PrefixWalk walk(walk_of(bucket, base, request.prefix, patience), base, request.prefix, request.delimiter);
  Stretch stretch;
  bool more = false;
  if (request.key_marker.empty()) {
    CO_TRY(more, co_await walk.start_at({}));
  } else if (walk.common_prefix_of(request.key_marker)) {
    CO_TRY(more, co_await walk.start_behind(request.key_marker));
  } else if (!request.upload_id_marker.empty()) {
    const auto id = UploadId::parse(request.upload_id_marker);
    if (!id) co_return fail(ObjectErrc::kInvalidArgument, "upload-id-marker: not an upload's id");
    CO_TRY(more, co_await walk.start_at(request.key_marker + '\0' + std::string(as_text(id->bytes())) + '\0'));
  } else {
    // Behind every upload of that key, whose record's key goes on with a zero byte.
    CO_TRY(more, co_await walk.start_at(request.key_marker + '\1'));
  }
  while (more) {
    if (page.uploads.size() + page.common_prefixes.size() == max) {
      page.truncated = true;
      break;
    }
    CO_TRY(const layout::UploadName name, layout::parse_upload(walk.key()));
    if (const auto prefix = walk.common_prefix_of(name.key)) {
      page.common_prefixes.emplace_back(*prefix);
      page.next_key = *prefix;
      page.next_upload_id.clear();
      CO_TRY(more, co_await walk.skip(*prefix));
      continue;
    }
    CO_TRY(const UploadRecord record, decode_upload(as_bytes(walk.value())));
    page.next_key = name.key;
    page.next_upload_id = name.id.to_string();
    page.uploads.push_back(upload_info(name.id, name.key, record));
    co_await stretch.pause();
    CO_TRY(more, co_await walk.next());
  }
  if (!page.truncated) {
    page.next_key.clear();
    page.next_upload_id.clear();
  }
  co_return page;
}

}  // namespace andromede::objects
