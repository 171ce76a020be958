#include "objects/records.h"

#include "meta/record.h"

namespace andromede::objects {
namespace {

using meta::RecordMark;

void checksum_fields(auto& fields, auto& checksum) {
  fields.one_of(checksum.kind, crypto::Checksum::kMd5);
  if (checksum.kind == crypto::Checksum::kNone) return;
  fields.one_of(checksum.type, ChecksumType::kComposite);
  fields.raw(checksum.value, crypto::checksum_size(checksum.kind));
  fields.number(checksum.parts, 0, kMaxParts);
}

bool sizes_add_up(const auto& pieces, std::uint64_t size_bytes) {
  std::uint64_t sum = 0;
  for (const auto& piece : pieces) {
    if (piece.size_bytes > size_bytes - sum) return false;
    sum += piece.size_bytes;
  }
  return sum == size_bytes;
}

// Of so many bytes together; at least one.
void pieces_fields(auto& fields, auto& pieces, std::uint64_t size_bytes) {
  fields.list(pieces, meta::kMostFieldBytes, [&](auto& piece) {
    fields.flag(piece.inlined);
    fields.id(piece.blob);
    fields.number(piece.size_bytes, 0, kMaxPutBytes);
    fields.id(piece.key);
    fields.bytes(piece.wrapped_key);
  });
  fields.require(!pieces.empty() && sizes_add_up(pieces, size_bytes), "pieces");
}

void part_fields(auto& fields, auto& part) {
  fields.number(part.number, 1, kMaxParts);
  fields.number(part.size_bytes, 0, kMaxObjectBytes);
  fields.array(part.md5);
  fields.time(part.modified);
  checksum_fields(fields, part.checksum);
  checksum_fields(fields, part.sent);
  pieces_fields(fields, part.pieces, part.size_bytes);
}

// One of several whose numbers rise.
void next_part_fields(auto& fields, auto& part, std::uint32_t& previous) {
  part_fields(fields, part);
  fields.require(part.number > previous, "order of parts");
  previous = part.number;
}

void system_fields(auto& fields, auto& system) {
  for (auto* const field :
       {&system.content_type, &system.content_encoding, &system.content_language, &system.content_disposition,
        &system.cache_control, &system.expires, &system.website_redirect}) {
    fields.text(*field);
  }
}

void bucket_fields(auto& fields, auto& bucket) {
  fields.id(bucket.id);
  fields.name(bucket.owner);
  fields.time(bucket.created);
  fields.name(bucket.policy);
}

struct BucketKind {
  using Record = BucketRecord;
  static constexpr RecordMark kMark{'B', 3, "bucket"};
  static void fields(auto& fields, auto& bucket) { bucket_fields(fields, bucket); }
};

struct BucketCountKind {
  using Record = BucketCount;
  static constexpr RecordMark kMark{'N', 2, "bucket count"};
  static void fields(auto& fields, auto& count) { fields.number(count.buckets, 0, kMaxBucketsPerAccount); }
};

struct DeletedBucketKind {
  using Record = DeletedBucket;
  static constexpr RecordMark kMark{'D', 3, "deleted bucket"};
  static void fields(auto& fields, auto& deleted) {
    bucket_fields(fields, deleted.bucket);
    fields.text(deleted.name);
  }
};

struct BlobKind {
  using Record = BlobRecord;
  static constexpr RecordMark kMark{'L', 4, "blob"};
  static void fields(auto& fields, auto& record) {
    fields.id(record.key);
    fields.bytes(record.wrapped_key);
    if constexpr (std::remove_reference_t<decltype(fields)>::kReads) {
      Bytes bytes;
      fields.bytes(bytes);
      auto ref = blob::decode_blob_ref(bytes);
      fields.require(ref.has_value(), "blob ref");
      if (ref) record.ref = *std::move(ref);
    } else {
      fields.text(blob::encode(record.ref));
    }
  }
};

struct PartKind {
  using Record = PartRecord;
  static constexpr RecordMark kMark{'P', 3, "part"};
  static void fields(auto& fields, auto& part) { part_fields(fields, part); }
};

struct PartListKind {
  using Record = std::vector<PartRecord>;
  static constexpr RecordMark kMark{'Q', 3, "part list"};
  static void fields(auto& fields, auto& parts) {
    std::uint32_t previous = 0;
    fields.list(parts, kPartsPerList, [&](auto& part) { next_part_fields(fields, part, previous); });
  }
};

struct ObjectKind {
  using Record = ObjectRecord;
  static constexpr RecordMark kMark{'O', 4, "object"};
  static void head(auto& fields, auto& head) {
    fields.number(head.size_bytes, 0, kMaxObjectBytes);
    fields.time(head.modified);
    fields.one_of(head.storage_class, StorageClass::kGlacierIr);
    fields.one_of(head.checksum_kind, crypto::Checksum::kMd5);
    fields.one_of(head.checksum_type, ChecksumType::kComposite);
    fields.array(head.md5);
    fields.number(head.parts, 0, kMaxParts);
  }
  static void fields(auto& fields, auto& record) {
    head(fields, record.head);
    fields.bytes(record.checksum);
    fields.require(record.checksum.size() == crypto::checksum_size(record.head.checksum_kind), "checksum");
    system_fields(fields, record.system);
    fields.map(record.user);
    if (record.head.parts == 0) {
      pieces_fields(fields, record.pieces, record.head.size_bytes);
      return;
    }
    fields.id(record.upload);
    std::uint32_t previous = 0;
    if (!record.parts_apart()) {
      fields.repeat(record.parts, record.head.parts, [&](auto& part) { next_part_fields(fields, part, previous); });
      fields.require(sizes_add_up(record.parts, record.head.size_bytes), "parts");
      return;
    }
    fields.repeat(record.lists, (record.head.parts + kPartsPerList - 1) / kPartsPerList, [&](auto& list) {
      fields.number(list.last_number, previous + 1, kMaxParts);
      fields.number(list.size_bytes, 0, kMaxObjectBytes);
      previous = list.last_number;
    });
    fields.require(sizes_add_up(record.lists, record.head.size_bytes), "part lists");
  }
};

struct UploadKind {
  using Record = UploadRecord;
  static constexpr RecordMark kMark{'U', 2, "upload"};
  static void fields(auto& fields, auto& upload) {
    fields.time(upload.initiated);
    fields.one_of(upload.storage_class, StorageClass::kGlacierIr);
    fields.one_of(upload.checksum, crypto::Checksum::kMd5);
    fields.one_of(upload.checksum_type, ChecksumType::kComposite);
    system_fields(fields, upload.system);
    fields.map(upload.user);
    fields.flag(upload.held);
    if (upload.held) fields.array(upload.by);
  }
};

}  // namespace

std::string encode(const BucketRecord& record) { return meta::encode<BucketKind>(record); }
Result<BucketRecord> decode_bucket(ByteView bytes) { return meta::decode<BucketKind>(bytes); }

std::string encode(const BucketCount& count) { return meta::encode<BucketCountKind>(count); }
Result<BucketCount> decode_bucket_count(ByteView bytes) { return meta::decode<BucketCountKind>(bytes); }

std::string encode(const DeletedBucket& deleted) { return meta::encode<DeletedBucketKind>(deleted); }
Result<DeletedBucket> decode_deleted_bucket(ByteView bytes) { return meta::decode<DeletedBucketKind>(bytes); }

std::string encode(const BlobRecord& record) { return meta::encode<BlobKind>(record); }
Result<BlobRecord> decode_blob(ByteView bytes) { return meta::decode<BlobKind>(bytes); }

std::string encode(const PartRecord& record) { return meta::encode<PartKind>(record); }
Result<PartRecord> decode_part(ByteView bytes) { return meta::decode<PartKind>(bytes); }

std::string encode(const std::vector<PartRecord>& parts) { return meta::encode<PartListKind>(parts); }
Result<std::vector<PartRecord>> decode_part_list(ByteView bytes) { return meta::decode<PartListKind>(bytes); }

std::string encode(const ObjectRecord& record) { return meta::encode<ObjectKind>(record); }
Result<ObjectRecord> decode_object(ByteView bytes) { return meta::decode<ObjectKind>(bytes); }

Result<ObjectHead> decode_object_head(ByteView bytes) {
  TRY(const ByteView in, meta::open_record(ObjectKind::kMark, bytes));
  meta::FieldReader fields(in);
  ObjectHead head;
  ObjectKind::head(fields, head);
  CHECK_OK(fields.finish(ObjectKind::kMark.name, false));
  return head;
}

std::string encode(const UploadRecord& record) { return meta::encode<UploadKind>(record); }
Result<UploadRecord> decode_upload(ByteView bytes) { return meta::decode<UploadKind>(bytes); }

std::string etag_text(const crypto::Md5Digest& md5, std::uint32_t parts) {
  std::string text = to_hex(md5);
  if (parts > 0) text += "-" + std::to_string(parts);
  return text;
}
std::string etag_text(const ObjectHead& head) { return etag_text(head.md5, head.parts); }

StoredChecksum checksum_of(const ObjectRecord& record) {
  StoredChecksum checksum;
  checksum.kind = record.head.checksum_kind;
  checksum.type = record.head.checksum_type;
  checksum.value = record.checksum;
  if (checksum.type == ChecksumType::kComposite) checksum.parts = record.head.parts;
  return checksum;
}

ObjectInfo info_of(std::string key, const ObjectRecord& record) {
  ObjectInfo info;
  info.key = std::move(key);
  info.size_bytes = record.head.size_bytes;
  info.etag = etag_text(record.head);
  info.modified = record.head.modified;
  info.storage_class = record.head.storage_class;
  info.system = record.system;
  info.user = record.user;
  info.checksum = checksum_of(record);
  info.parts = record.head.parts;
  return info;
}

PartInfo info_of(const PartRecord& record) {
  PartInfo info;
  info.number = record.number;
  info.size_bytes = record.size_bytes;
  info.checksum = record.checksum;
  info.etag = etag_text(record.md5, 0);
  info.modified = record.modified;
  return info;
}

}  // namespace andromede::objects
