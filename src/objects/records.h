// The records that objects/ keeps in the metadata, and their bytes (docs/formats/object-record.md), by the codec of all
// records (meta/record.h). decode_* answer kCorrupt for anything that encode() does not make.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/digest.h"
#include "objects/service.h"

namespace andromede::objects {

struct BucketRecord {
  BucketId id;
  AccountId owner;
  Timestamp created;
  PolicyId policy;  // by which all that it holds is placed
  friend bool operator==(const BucketRecord&, const BucketRecord&) = default;
};
std::string encode(const BucketRecord& record);
Result<BucketRecord> decode_bucket(ByteView bytes);

// How many names of buckets an account has: expected and written anew by every commit that gives or takes one.
struct BucketCount {
  std::uint32_t buckets = 0;
  friend bool operator==(const BucketCount&, const BucketCount&) = default;
};
std::string encode(const BucketCount& count);
Result<BucketCount> decode_bucket_count(ByteView bytes);

// A bucket that was deleted and has left something: its name, or uploads under way.
struct DeletedBucket {
  BucketRecord bucket;
  std::string name;
  friend bool operator==(const DeletedBucket&, const DeletedBucket&) = default;
};
std::string encode(const DeletedBucket& deleted);
Result<DeletedBucket> decode_deleted_bucket(ByteView bytes);

// A run of an object's bytes, sealed under a data key of its own.
struct Piece {
  BlobId blob;
  std::uint64_t size_bytes = 0;  // of plaintext
  bool inlined = false;          // the ciphertext is in meta::Space::kInline, not in the blob store
  KeyId key;                     // the tenant key that wraps the data key
  Bytes wrapped_key;
  friend bool operator==(const Piece&, const Piece&) = default;
};

// A blob of the blob store: where it lies, and what it takes to tell whether it holds what was written.
struct BlobRecord {
  blob::BlobRef ref;
  KeyId key;  // the tenant key that wraps the data key
  Bytes wrapped_key;
  friend bool operator==(const BlobRecord&, const BlobRecord&) = default;
};
std::string encode(const BlobRecord& record);
Result<BlobRecord> decode_blob(ByteView bytes);

// A finished part: of an upload under way, or of a completed object.
struct PartRecord {
  std::uint32_t number = 0;
  std::uint64_t size_bytes = 0;
  crypto::Md5Digest md5{};
  Timestamp modified;
  StoredChecksum checksum;  // of the upload's kind
  StoredChecksum sent;      // what the client sent where that is of another kind; else kNone
  std::vector<Piece> pieces;
  friend bool operator==(const PartRecord&, const PartRecord&) = default;
};
std::string encode(const PartRecord& record);
Result<PartRecord> decode_part(ByteView bytes);

// Parts of a completed object that has more than kMaxEmbeddedParts, kPartsPerList a record.
inline constexpr std::size_t kMaxEmbeddedParts = 16;
inline constexpr std::size_t kPartsPerList = 500;
std::string encode(const std::vector<PartRecord>& parts);
Result<std::vector<PartRecord>> decode_part_list(ByteView bytes);

// What listings show. It opens the object's record, so that a listing decodes no more than this.
struct ObjectHead {
  std::uint64_t size_bytes = 0;
  Timestamp modified;
  StorageClass storage_class = StorageClass::kStandard;
  crypto::Checksum checksum_kind = crypto::Checksum::kNone;
  ChecksumType checksum_type = ChecksumType::kFullObject;
  crypto::Md5Digest md5{};
  std::uint32_t parts = 0;  // 0: not multipart
  friend bool operator==(const ObjectHead&, const ObjectHead&) = default;
};

// What is known of a part list without reading it.
struct PartListHead {
  std::uint32_t last_number = 0;
  std::uint64_t size_bytes = 0;  // of its parts
  friend bool operator==(const PartListHead&, const PartListHead&) = default;
};

struct ObjectRecord {
  ObjectHead head;
  Bytes checksum;  // its value
  SystemMetadata system;
  UserMetadata user;
  std::vector<Piece> pieces;      // not multipart: at least one
  UploadId upload;                // multipart: which
  std::vector<PartRecord> parts;  // multipart, at most kMaxEmbeddedParts of them; else they lie in part lists:
  std::vector<PartListHead> lists;
  [[nodiscard]] bool parts_apart() const { return head.parts > kMaxEmbeddedParts; }
  // Names this version of the object, in LiveBlobs.
  [[nodiscard]] BlobId version() const {
    return head.parts > 0 ? BlobId::from_bytes(upload.bytes()) : pieces.front().blob;
  }
  friend bool operator==(const ObjectRecord&, const ObjectRecord&) = default;
};
std::string encode(const ObjectRecord& record);
Result<ObjectRecord> decode_object(ByteView bytes);
// The head only, whatever is behind it.
Result<ObjectHead> decode_object_head(ByteView bytes);

struct UploadRecord {
  Timestamp initiated;
  StorageClass storage_class = StorageClass::kStandard;
  crypto::Checksum checksum = crypto::Checksum::kNone;
  ChecksumType checksum_type = ChecksumType::kFullObject;
  SystemMetadata system;
  UserMetadata user;
  bool held = false;                  // its parts are being taken all at once
  std::array<std::uint8_t, 16> by{};  // held: a random mark of who takes them
  friend bool operator==(const UploadRecord&, const UploadRecord&) = default;
};
std::string encode(const UploadRecord& record);
Result<UploadRecord> decode_upload(ByteView bytes);

// 32 hexadecimal digits, and "-N" behind them for N parts.
std::string etag_text(const crypto::Md5Digest& md5, std::uint32_t parts);
std::string etag_text(const ObjectHead& head);

StoredChecksum checksum_of(const ObjectRecord& record);
ObjectInfo info_of(std::string key, const ObjectRecord& record);
PartInfo info_of(const PartRecord& record);

}  // namespace andromede::objects
