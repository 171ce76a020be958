#include "objects/records.h"

#include <algorithm>

namespace andromede::objects {
namespace {

constexpr std::size_t kMarkerBytes = 2;
constexpr std::size_t kCrcBytes = 4;

enum class Letter : std::uint8_t {
  kBucket = 'B',
  kCount = 'N',
  kDeleted = 'D',
  kObject = 'O',
  kUpload = 'U',
  kPart = 'P',
  kPartList = 'Q',
  kBlob = 'L'
};

std::uint8_t version_of(Letter letter) {
  switch (letter) {
    case Letter::kObject:
    case Letter::kBlob:
      return 3;
    case Letter::kBucket:
    case Letter::kDeleted:
    case Letter::kPart:
    case Letter::kPartList:
      return 2;
    default:
      return 1;
  }
}

// Writes one record: marker, fields, checksum.
class RecordWriter {
 public:
  explicit RecordWriter(Letter letter) : fields(bytes_) {
    bytes_.reserve(256);
    fields.u8(static_cast<std::uint8_t>(letter));
    fields.u8(version_of(letter));
  }
  std::string finish() {
    fields.u32(crypto::crc32c(0, bytes_));
    return std::string(as_text(bytes_));
  }

 private:
  Bytes bytes_;

 public:
  ByteWriter fields;
};

// The fields of a record whose marker and checksum are right.
Result<ByteReader> open_record(Letter letter, ByteView bytes, const char* what) {
  if (bytes.size() < kMarkerBytes + kCrcBytes) return fail(Errc::kCorrupt, std::string(what) + " record: too short");
  if (bytes[0] != static_cast<std::uint8_t>(letter)) {
    return fail(Errc::kCorrupt, std::string(what) + " record: another record's letter");
  }
  if (bytes[1] != version_of(letter)) {
    return fail(Errc::kCorrupt, std::string(what) + " record: version " + std::to_string(bytes[1]) + " is not known");
  }
  const ByteView covered = bytes.first(bytes.size() - kCrcBytes);
  ByteReader crc(bytes.last(kCrcBytes));
  if (crc.u32() != crypto::crc32c(0, covered)) return fail(Errc::kCorrupt, std::string(what) + " record: bad checksum");
  return ByteReader(covered.subspan(kMarkerBytes));
}

tl::unexpected<Error> bad_field(const char* what, const char* field) {
  return fail(Errc::kCorrupt, std::string(what) + " record: bad " + field);
}

template <typename Enum>
bool read_enum(ByteReader& in, Enum last, Enum& out) {
  const std::uint8_t value = in.u8();
  if (value > static_cast<std::uint8_t>(last)) return false;
  out = static_cast<Enum>(value);
  return true;
}

template <std::size_t N>
void read_array(ByteReader& in, std::array<std::uint8_t, N>& out) {
  const ByteView bytes = in.raw(N);
  if (bytes.size() == N) std::copy(bytes.begin(), bytes.end(), out.begin());
}

void write_time(ByteWriter& out, Timestamp time) { out.u64(static_cast<std::uint64_t>(time.ms)); }
Timestamp read_time(ByteReader& in) { return {static_cast<std::int64_t>(in.u64())}; }

void write_bucket(ByteWriter& out, const BucketRecord& record) {
  out.raw(record.id.bytes());
  out.text(record.owner.value());
  write_time(out, record.created);
  out.text(record.policy.value());
}
BucketRecord read_bucket(ByteReader& in) {
  BucketRecord record;
  record.id = BucketId::from_bytes(in.raw(BucketId::kSize));
  record.owner = AccountId(std::string(in.text()));
  record.created = read_time(in);
  record.policy = PolicyId(std::string(in.text()));
  return record;
}

void write_checksum(ByteWriter& out, const StoredChecksum& checksum) {
  out.u8(static_cast<std::uint8_t>(checksum.kind));
  if (checksum.kind == crypto::Checksum::kNone) return;
  out.u8(static_cast<std::uint8_t>(checksum.type));
  out.raw(checksum.value);
  out.varint(checksum.parts);
}

bool read_checksum(ByteReader& in, StoredChecksum& out) {
  if (!read_enum(in, crypto::Checksum::kMd5, out.kind)) return false;
  if (out.kind == crypto::Checksum::kNone) return true;
  if (!read_enum(in, ChecksumType::kComposite, out.type)) return false;
  out.value = to_bytes(in.raw(crypto::checksum_size(out.kind)));
  const std::uint64_t parts = in.varint();
  out.parts = static_cast<std::uint32_t>(parts);
  return parts <= kMaxParts;
}

void write_pieces(ByteWriter& out, const std::vector<Piece>& pieces) {
  out.varint(pieces.size());
  for (const Piece& piece : pieces) {
    out.u8(piece.inlined ? 1 : 0);
    out.raw(piece.blob.bytes());
    out.varint(piece.size_bytes);
    out.raw(piece.key.bytes());
    out.bytes(piece.wrapped_key);
  }
}

bool read_pieces(ByteReader& in, std::vector<Piece>& out) {
  const std::uint64_t count = in.varint();
  constexpr std::size_t kLeastPieceBytes = 1 + BlobId::kSize + 1 + KeyId::kSize + 1;
  if (count > in.remaining() / kLeastPieceBytes) return false;
  out.resize(count);
  for (Piece& piece : out) {
    const std::uint8_t flags = in.u8();
    if (flags > 1) return false;
    piece.inlined = flags == 1;
    piece.blob = BlobId::from_bytes(in.raw(BlobId::kSize));
    piece.size_bytes = in.varint();
    piece.key = KeyId::from_bytes(in.raw(KeyId::kSize));
    piece.wrapped_key = to_bytes(in.bytes());
    if (piece.size_bytes > kMaxPutBytes) return false;
  }
  return in.ok();
}

bool sizes_add_up(const std::vector<Piece>& pieces, std::uint64_t size_bytes) {
  std::uint64_t sum = 0;
  for (const Piece& piece : pieces) {
    if (piece.size_bytes > size_bytes - sum) return false;
    sum += piece.size_bytes;
  }
  return sum == size_bytes && !pieces.empty();
}

void write_part(ByteWriter& out, const PartRecord& part) {
  out.varint(part.number);
  out.varint(part.size_bytes);
  out.raw(part.md5);
  write_time(out, part.modified);
  write_checksum(out, part.checksum);
  write_checksum(out, part.sent);
  write_pieces(out, part.pieces);
}

bool read_part(ByteReader& in, PartRecord& part) {
  const std::uint64_t number = in.varint();
  if (number == 0 || number > kMaxParts) return false;
  part.number = static_cast<std::uint32_t>(number);
  part.size_bytes = in.varint();
  read_array(in, part.md5);
  part.modified = read_time(in);
  return read_checksum(in, part.checksum) && read_checksum(in, part.sent) && read_pieces(in, part.pieces) &&
         sizes_add_up(part.pieces, part.size_bytes);
}

void write_system(ByteWriter& out, const SystemMetadata& system) {
  out.text(system.content_type);
  out.text(system.content_encoding);
  out.text(system.content_language);
  out.text(system.content_disposition);
  out.text(system.cache_control);
  out.text(system.expires);
  out.text(system.website_redirect);
}

void read_system(ByteReader& in, SystemMetadata& system) {
  for (std::string* field :
       {&system.content_type, &system.content_encoding, &system.content_language, &system.content_disposition,
        &system.cache_control, &system.expires, &system.website_redirect}) {
    *field = std::string(in.text());
  }
}

void write_user(ByteWriter& out, const UserMetadata& user) {
  out.varint(user.size());
  for (const auto& [name, value] : user) {
    out.text(name);
    out.text(value);
  }
}

bool read_user(ByteReader& in, UserMetadata& user) {
  const std::uint64_t count = in.varint();
  if (count > in.remaining() / 2) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string name(in.text());
    std::string value(in.text());
    // Names in strictly rising order: one record has one encoding.
    if (!user.empty() && name <= user.rbegin()->first) return false;
    user.emplace_hint(user.end(), std::move(name), std::move(value));
  }
  return in.ok();
}

void write_head(ByteWriter& out, const ObjectHead& head) {
  out.varint(head.size_bytes);
  write_time(out, head.modified);
  out.u8(static_cast<std::uint8_t>(head.storage_class));
  out.u8(static_cast<std::uint8_t>(head.checksum_kind));
  out.u8(static_cast<std::uint8_t>(head.checksum_type));
  out.raw(head.md5);
  out.varint(head.parts);
}

bool read_head(ByteReader& in, ObjectHead& head) {
  head.size_bytes = in.varint();
  head.modified = read_time(in);
  if (!read_enum(in, StorageClass::kGlacierIr, head.storage_class)) return false;
  if (!read_enum(in, crypto::Checksum::kMd5, head.checksum_kind)) return false;
  if (!read_enum(in, ChecksumType::kComposite, head.checksum_type)) return false;
  read_array(in, head.md5);
  const std::uint64_t parts = in.varint();
  head.parts = static_cast<std::uint32_t>(parts);
  return in.ok() && parts <= kMaxParts && head.size_bytes <= kMaxObjectBytes;
}

bool parts_add_up(const std::vector<PartRecord>& parts, std::uint64_t size_bytes) {
  std::uint64_t sum = 0;
  for (const PartRecord& part : parts) {
    if (part.size_bytes > size_bytes - sum) return false;
    sum += part.size_bytes;
  }
  return sum == size_bytes;
}

bool read_parts(ByteReader& in, std::uint64_t count, std::vector<PartRecord>& out) {
  constexpr std::size_t kLeastPartBytes = 30;
  if (count > in.remaining() / kLeastPartBytes) return false;
  out.resize(count);
  std::uint32_t previous = 0;
  for (PartRecord& part : out) {
    if (!read_part(in, part) || part.number <= previous) return false;
    previous = part.number;
  }
  return true;
}

// The heads of the lists that so many parts lie in.
bool read_lists(ByteReader& in, const ObjectHead& head, std::vector<PartListHead>& out) {
  out.resize((head.parts + kPartsPerList - 1) / kPartsPerList);
  std::uint32_t previous = 0;
  std::uint64_t sum = 0;
  for (PartListHead& list : out) {
    const std::uint64_t last_number = in.varint();
    list.size_bytes = in.varint();
    if (last_number <= previous || last_number > kMaxParts || list.size_bytes > head.size_bytes - sum) return false;
    previous = list.last_number = static_cast<std::uint32_t>(last_number);
    sum += list.size_bytes;
  }
  return in.ok() && sum == head.size_bytes;
}

}  // namespace

std::string encode(const BucketRecord& record) {
  RecordWriter out(Letter::kBucket);
  write_bucket(out.fields, record);
  return out.finish();
}

Result<BucketRecord> decode_bucket(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kBucket, bytes, "bucket"));
  BucketRecord record = read_bucket(in);
  CHECK_OK(in.finish("bucket record"));
  return record;
}

std::string encode(const BucketCount& count) {
  RecordWriter out(Letter::kCount);
  out.fields.varint(count.buckets);
  return out.finish();
}

Result<BucketCount> decode_bucket_count(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kCount, bytes, "bucket count"));
  const std::uint64_t buckets = in.varint();
  if (buckets > kMaxBucketsPerAccount) return bad_field("bucket count", "count");
  CHECK_OK(in.finish("bucket count record"));
  return BucketCount{static_cast<std::uint32_t>(buckets)};
}

std::string encode(const DeletedBucket& deleted) {
  RecordWriter out(Letter::kDeleted);
  write_bucket(out.fields, deleted.bucket);
  out.fields.text(deleted.name);
  return out.finish();
}

Result<DeletedBucket> decode_deleted_bucket(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kDeleted, bytes, "deleted bucket"));
  DeletedBucket deleted;
  deleted.bucket = read_bucket(in);
  deleted.name = std::string(in.text());
  CHECK_OK(in.finish("deleted bucket record"));
  return deleted;
}

std::string encode(const BlobRecord& record) {
  RecordWriter out(Letter::kBlob);
  out.fields.raw(record.key.bytes());
  out.fields.bytes(record.wrapped_key);
  out.fields.bytes(as_bytes(blob::encode(record.ref)));
  return out.finish();
}

Result<BlobRecord> decode_blob(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kBlob, bytes, "blob"));
  BlobRecord record;
  record.key = KeyId::from_bytes(in.raw(KeyId::kSize));
  record.wrapped_key = to_bytes(in.bytes());
  const ByteView ref = in.bytes();
  CHECK_OK(in.finish("blob record"));
  TRY(record.ref, blob::decode_blob_ref(ref));
  return record;
}

std::string encode(const PartRecord& record) {
  RecordWriter out(Letter::kPart);
  write_part(out.fields, record);
  return out.finish();
}

Result<PartRecord> decode_part(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kPart, bytes, "part"));
  PartRecord record;
  if (!read_part(in, record)) return bad_field("part", "fields");
  CHECK_OK(in.finish("part record"));
  return record;
}

std::string encode(const std::vector<PartRecord>& parts) {
  RecordWriter out(Letter::kPartList);
  out.fields.varint(parts.size());
  for (const PartRecord& part : parts) write_part(out.fields, part);
  return out.finish();
}

Result<std::vector<PartRecord>> decode_part_list(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kPartList, bytes, "part list"));
  std::vector<PartRecord> parts;
  const std::uint64_t count = in.varint();
  if (count > kPartsPerList || !read_parts(in, count, parts)) return bad_field("part list", "parts");
  CHECK_OK(in.finish("part list record"));
  return parts;
}

std::string encode(const ObjectRecord& record) {
  RecordWriter out(Letter::kObject);
  write_head(out.fields, record.head);
  out.fields.bytes(record.checksum);
  write_system(out.fields, record.system);
  write_user(out.fields, record.user);
  if (record.head.parts == 0) {
    write_pieces(out.fields, record.pieces);
  } else {
    out.fields.raw(record.upload.bytes());
    for (const PartRecord& part : record.parts) write_part(out.fields, part);
    for (const PartListHead& list : record.lists) {
      out.fields.varint(list.last_number);
      out.fields.varint(list.size_bytes);
    }
  }
  return out.finish();
}

Result<ObjectRecord> decode_object(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kObject, bytes, "object"));
  ObjectRecord record;
  if (!read_head(in, record.head)) return bad_field("object", "head");
  record.checksum = to_bytes(in.bytes());
  const bool has_checksum = record.head.checksum_kind != crypto::Checksum::kNone;
  if (record.checksum.size() != (has_checksum ? crypto::checksum_size(record.head.checksum_kind) : 0)) {
    return bad_field("object", "checksum");
  }
  read_system(in, record.system);
  if (!read_user(in, record.user)) return bad_field("object", "user metadata");
  if (record.head.parts == 0) {
    if (!read_pieces(in, record.pieces) || !sizes_add_up(record.pieces, record.head.size_bytes)) {
      return bad_field("object", "pieces");
    }
  } else {
    record.upload = UploadId::from_bytes(in.raw(UploadId::kSize));
    if (record.parts_apart()) {
      if (!read_lists(in, record.head, record.lists)) return bad_field("object", "part lists");
    } else if (!read_parts(in, record.head.parts, record.parts) ||
               !parts_add_up(record.parts, record.head.size_bytes)) {
      return bad_field("object", "parts");
    }
  }
  CHECK_OK(in.finish("object record"));
  return record;
}

Result<ObjectHead> decode_object_head(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kObject, bytes, "object"));
  ObjectHead head;
  if (!read_head(in, head)) return bad_field("object", "head");
  return head;
}

std::string encode(const UploadRecord& record) {
  RecordWriter out(Letter::kUpload);
  write_time(out.fields, record.initiated);
  out.fields.u8(static_cast<std::uint8_t>(record.storage_class));
  out.fields.u8(static_cast<std::uint8_t>(record.checksum));
  out.fields.u8(static_cast<std::uint8_t>(record.checksum_type));
  write_system(out.fields, record.system);
  write_user(out.fields, record.user);
  out.fields.u8(record.held ? 1 : 0);
  if (record.held) out.fields.raw(record.by);
  return out.finish();
}

Result<UploadRecord> decode_upload(ByteView bytes) {
  TRY(ByteReader in, open_record(Letter::kUpload, bytes, "upload"));
  UploadRecord record;
  record.initiated = read_time(in);
  if (!read_enum(in, StorageClass::kGlacierIr, record.storage_class) ||
      !read_enum(in, crypto::Checksum::kMd5, record.checksum) ||
      !read_enum(in, ChecksumType::kComposite, record.checksum_type)) {
    return bad_field("upload", "kind");
  }
  read_system(in, record.system);
  if (!read_user(in, record.user)) return bad_field("upload", "user metadata");
  const std::uint8_t held = in.u8();
  if (held > 1) return bad_field("upload", "mark");
  record.held = held == 1;
  if (record.held) read_array(in, record.by);
  CHECK_OK(in.finish("upload record"));
  return record;
}

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
