// objects::Service: buckets, objects, listings and multipart uploads, with S3's semantics and without its wire format.
//
// The way of a write: check bucket and conditions → data key → body through checksums → segments encrypted → inline in
// the commit (small) or to blob::Store → one atomic commit of record, location, journal event and usage → the old
// blob's space is given back. A failure anywhere leaves nothing visible; what is left behind on drives is reclaimed.
//
// Threads: any event loop. Bodies are streamed, each through kRequestBufferBytes at most; part lists and pages lie in
// memory whole, some megabytes of them, so an account has few under way at once.
// Authorisation: a bucket answers to the account that owns it, and to no other (kAccessDenied).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/stream.h"
#include "base/task.h"
#include "blob/authenticator.h"
#include "blob/catalog.h"
#include "blob/store.h"
#include "crypto/digest.h"
#include "identity/context.h"
#include "identity/directory.h"
#include "keys/key_service.h"
#include "meta/every_root.h"
#include "meta/store.h"
#include "objects/unfinished.h"

namespace andromede::objects {

inline constexpr std::size_t kMaxKeyBytes = 1024;
inline constexpr std::size_t kMaxUserMetadataBytes = 2048;
inline constexpr std::uint64_t kMaxPutBytes = 5ULL << 30;
inline constexpr std::uint64_t kMaxObjectBytes = 5ULL << 40;
inline constexpr std::uint64_t kMinPartBytes = 5ULL << 20;
inline constexpr unsigned kMaxParts = 10'000;
inline constexpr std::size_t kMaxListKeys = 1000;
inline constexpr std::size_t kMaxBucketsPerAccount = 1000;
inline constexpr std::size_t kRequestBufferBytes = 4 << 20;  // of a body

// Everything that a caller can be told; api/s3/errors.cc turns each into S3's code and status.
enum class ObjectErrc {
  kNoSuchBucket = 1,
  kNoSuchKey,
  kNoSuchUpload,
  kNoSuchVersion,
  kBucketAlreadyExists,
  kBucketAlreadyOwnedByYou,
  kBucketNotEmpty,
  kInvalidBucketName,
  kTooManyBuckets,
  kAccessDenied,
  kPreconditionFailed,
  kNotModified,
  kConditionalRequestConflict,
  kInvalidRange,
  kInvalidPart,
  kInvalidPartNumber,
  kInvalidPartOrder,
  kEntityTooSmall,
  kEntityTooLarge,
  kIncompleteBody,
  kBadDigest,
  kInvalidRequest,
  kInvalidArgument,
  kKeyTooLong,
  kMetadataTooLarge,
  kMissingContentLength,
  kRequestTimeout,
  kNoSuchPolicy,
};
const std::error_category& object_category() noexcept;
inline std::error_code make_error_code(ObjectErrc code) noexcept { return {static_cast<int>(code), object_category()}; }

}  // namespace andromede::objects
template <>
struct std::is_error_code_enum<andromede::objects::ObjectErrc> : std::true_type {};
namespace andromede::objects {

// Lower-case names without the "x-amz-meta-" prefix, in the order of their names.
using UserMetadata = std::map<std::string, std::string>;

// Content-Type and its kin, returned as they were sent. Empty: not sent.
struct SystemMetadata {
  std::string content_type;
  std::string content_encoding;  // without "aws-chunked"
  std::string content_language;
  std::string content_disposition;
  std::string cache_control;
  std::string expires;
  std::string website_redirect;
  friend bool operator==(const SystemMetadata&, const SystemMetadata&) = default;
};

enum class StorageClass : std::uint8_t {
  kStandard = 0,
  kReducedRedundancy = 1,
  kStandardIa = 2,
  kOnezoneIa = 3,
  kIntelligentTiering = 4,
  kGlacierIr = 5
};

enum class ChecksumType : std::uint8_t { kFullObject = 0, kComposite = 1 };

// A checksum as stored and returned.
struct StoredChecksum {
  crypto::Checksum kind = crypto::Checksum::kNone;
  ChecksumType type = ChecksumType::kFullObject;
  Bytes value;
  std::uint32_t parts = 0;  // composite: "-N" behind the value
  friend bool operator==(const StoredChecksum&, const StoredChecksum&) = default;
};

// What the client asks to be verified of a body.
struct ChecksumDemand {
  crypto::Checksum kind = crypto::Checksum::kNone;  // kNone: CRC64NVME is computed and stored, as S3 does
  std::optional<Bytes> value;                       // from a header
  bool in_trailer = false;                          // comes with BodySource::trailing_checksum
  std::optional<Bytes> content_md5;                 // 16 bytes
};

// If-Match and its kin. ETags as sent: "\"abc\"", "abc" or "*"; several separated by commas.
struct Conditions {
  std::optional<std::string> if_match;
  std::optional<std::string> if_none_match;
  std::optional<Timestamp> if_modified_since;
  std::optional<Timestamp> if_unmodified_since;
};

struct Owner {
  std::string canonical_id;
  std::string display_name;
};

struct BucketInfo {
  std::string name;
  BucketId id;
  Timestamp created;
  PolicyId policy;
};
struct BucketHead {
  BucketInfo info;
  Owner owner;
};

// One uploaded part inside a finished multipart object: what partNumber reads and GetObjectAttributes lists.
struct PartInfo {
  std::uint32_t number = 0;
  std::uint64_t size_bytes = 0;
  StoredChecksum checksum;
  std::string etag;  // 32 hexadecimal digits
  Timestamp modified;
};

struct ObjectInfo {
  std::string key;
  std::uint64_t size_bytes = 0;
  std::string etag;  // hexadecimal MD5, "-N" behind it for multipart; without quotes
  Timestamp modified;
  StorageClass storage_class = StorageClass::kStandard;
  SystemMetadata system;
  UserMetadata user;
  StoredChecksum checksum;
  std::uint32_t parts = 0;  // 0: not multipart
};

// --- buckets ---------------------------------------------------------------------------------------------------------

struct ListBucketsRequest {
  std::string prefix;
  std::string after;  // continue behind this name
  std::size_t max = 10'000;
};
struct BucketPage {
  std::vector<BucketInfo> buckets;
  std::string next;  // empty: no more
};

// --- objects ---------------------------------------------------------------------------------------------------------

struct PutRequest {
  std::string bucket;
  std::string key;
  SystemMetadata system;
  UserMetadata user;
  StorageClass storage_class = StorageClass::kStandard;
  ChecksumDemand checksum;
  Conditions conditions;  // if_match, if_none_match "*"
};
struct PutAnswer {
  std::string etag;
  StoredChecksum checksum;
  std::uint64_t size_bytes = 0;
};

// bytes=first-last, bytes=first-, bytes=-suffix; one range.
struct ByteRange {
  std::optional<std::uint64_t> first;
  std::optional<std::uint64_t> last;  // with first unset: the suffix length
};

// If-Range (RFC 9110 section 13.1.5): the range counts while the object is still the one that the client has a part of.
// One of the two is set; an ETag as sent, compared strongly.
struct RangeCondition {
  std::string etag;
  std::optional<Timestamp> modified;
};

// Some of an object's parts, as GetObjectAttributes lists them: those behind number `after`, at most `max`.
struct PartsWanted {
  std::uint32_t after = 0;
  std::size_t max = 0;
};

struct GetRequest {
  std::string bucket;
  std::string key;
  Conditions conditions;
  std::optional<ByteRange> range;
  std::optional<RangeCondition> if_range;
  std::optional<std::uint32_t> part_number;
  PartsWanted parts;
  bool head_only = false;
};

// An object opened for reading: the bytes of the range that was asked for stay readable while this lives.
class OpenObject {
 public:
  virtual ~OpenObject() = default;
  // With part_number, `checksum` is that part's.
  [[nodiscard]] virtual const ObjectInfo& info() const = 0;
  // If-None-Match or If-Modified-Since found what the client has: nothing but info() is to be used.
  [[nodiscard]] virtual bool not_modified() const = 0;
  // What GetRequest::parts asked for; empty for objects that are not multipart.
  [[nodiscard]] virtual const std::vector<PartInfo>& parts() const = 0;
  [[nodiscard]] virtual std::uint64_t offset() const = 0;  // of the range in the object
  [[nodiscard]] virtual std::uint64_t length() const = 0;  // of the range
  [[nodiscard]] virtual bool partial() const = 0;          // 206 rather than 200
  // The next plaintext bytes; empty at the end. Valid until the next call. Not to be called after head_only.
  virtual Task<Result<ByteView>> read() = 0;
  // For who cannot pass on what read() gave: its last `count` bytes are given again by the next. Until then the object
  // holds a segment of a blob at most, and what lies inline.
  virtual void unread(std::size_t count) = 0;
};

struct DeleteItem {
  std::string key;
  std::string version_id;  // empty or "null"
  Conditions conditions;   // if_match
  std::optional<std::uint64_t> if_size_bytes;
  std::optional<Timestamp> if_modified;
};
struct DeleteOutcome {
  std::string key;
  std::optional<Error> error;
};

// Told while something goes on that its caller waits for.
class Progress {
 public:
  virtual ~Progress() = default;
  // Between one batch of bytes and the next, once all is checked that can be before the first. An error ends the work
  // and is its answer.
  virtual Task<Status> goes_on() = 0;
};

struct CopyRequest {
  std::string source_bucket;
  std::string source_key;
  Conditions source_conditions;
  std::string bucket;
  std::string key;
  bool replace_metadata = false;  // x-amz-metadata-directive: REPLACE
  SystemMetadata system;          // website_redirect counts in any case: it is never copied
  UserMetadata user;
  std::optional<StorageClass> storage_class;
  crypto::Checksum checksum = crypto::Checksum::kNone;  // kNone: the source's kind
  bool names_encryption = false;                        // one of the things that a copy onto itself may be for
  Conditions conditions;
  Progress* progress = nullptr;  // borrowed; may be null
};
struct CopyAnswer {
  std::string etag;
  Timestamp modified;
  StoredChecksum checksum;
};

// --- listings --------------------------------------------------------------------------------------------------------

struct ListRequest {
  std::string bucket;
  std::string prefix;
  std::string delimiter;
  std::string after;  // keys greater than this (V1 marker, V2 start-after or token); common prefixes too
  std::size_t max = 1000;
};
struct ListEntry {  // the part of ObjectInfo that listings show
  std::string key;
  std::uint64_t size_bytes = 0;
  std::string etag;
  Timestamp modified;
  StorageClass storage_class = StorageClass::kStandard;
  crypto::Checksum checksum_kind = crypto::Checksum::kNone;
  ChecksumType checksum_type = ChecksumType::kFullObject;
};
struct ListPage {
  std::vector<ListEntry> entries;
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next;  // the last key or common prefix of this page: `after` of the next
  Owner owner;       // of every entry: the bucket's account
};

// --- multipart -------------------------------------------------------------------------------------------------------

struct CreateUploadRequest {
  std::string bucket;
  std::string key;
  SystemMetadata system;
  UserMetadata user;
  StorageClass storage_class = StorageClass::kStandard;
  crypto::Checksum checksum = crypto::Checksum::kNone;
  ChecksumType checksum_type = ChecksumType::kFullObject;  // default by kind: api/s3 decides
};
struct UploadInfo {
  UploadId id;
  std::string key;
  Timestamp initiated;
  StorageClass storage_class = StorageClass::kStandard;
  crypto::Checksum checksum = crypto::Checksum::kNone;
  ChecksumType checksum_type = ChecksumType::kFullObject;
};
struct UploadPartRequest {
  std::string bucket;
  std::string key;
  UploadId upload;
  std::uint32_t number = 0;
  ChecksumDemand checksum;
};
struct CopyPartRequest {
  std::string bucket;
  std::string key;
  UploadId upload;
  std::uint32_t number = 0;
  std::string source_bucket;
  std::string source_key;
  std::optional<ByteRange> source_range;  // first and last both set
  Conditions source_conditions;
  Progress* progress = nullptr;  // borrowed; may be null
};
struct CompletedPart {
  std::uint32_t number = 0;
  std::string etag;  // quotes removed
  StoredChecksum checksum;
};
struct CompleteRequest {
  std::string bucket;
  std::string key;
  UploadId upload;
  std::vector<CompletedPart> parts;
  // Of the whole object, to be verified; not looked at where the upload was created without an algorithm. Its type is
  // the upload's: a composite one may be told without its number of parts.
  std::optional<StoredChecksum> checksum;
  std::optional<ChecksumType> checksum_type;       // must be what the upload was created with
  std::optional<std::uint64_t> object_size_bytes;  // x-amz-mp-object-size, to be verified
  Conditions conditions;
};
struct ListPartsRequest {
  std::string bucket;
  std::string key;
  UploadId upload;
  std::uint32_t after = 0;
  std::size_t max = 1000;
};
struct PartPage {
  UploadInfo upload;
  std::vector<PartInfo> parts;
  bool truncated = false;
  std::uint32_t next = 0;
  Owner owner;
};
struct ListUploadsRequest {
  std::string bucket;
  std::string prefix;
  std::string delimiter;
  std::string key_marker;
  std::string upload_id_marker;  // uploads of key_marker with a greater id
  std::size_t max = 1000;
};
struct UploadPage {
  std::vector<UploadInfo> uploads;
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key;
  std::string next_upload_id;
  Owner owner;
};

// ObjectErrc::kNoSuchPolicy; `names`: those that there are.
Error no_such_policy(const std::string& names);

// The policies in force, as far as what is stored anew must obey them. Implemented over sovereignty by apps/.
// Thread-safe; from event loops; does not block.
class StoragePolicies {
 public:
  virtual ~StoragePolicies() = default;
  // The policy of a new bucket that names `wanted` (empty: none). ObjectErrc::kNoSuchPolicy says which there are.
  virtual Result<PolicyId> choose(const PolicyId& wanted) = 0;
  // Objects of the policy up to this size live in the metadata; 0: none.
  virtual std::uint64_t inline_limit_bytes(const PolicyId& policy) = 0;
};

struct Options {
  std::chrono::milliseconds deadline{600'000};
  UnfinishedLimits unfinished;
};

class Service {
 public:
  // All are borrowed and outlive the service. `every_root`: what catalog() and authenticator() read. `metrics` counts
  // bytes and commits retried.
  static std::unique_ptr<Service> make(meta::Store& meta, meta::EveryRoot& every_root, blob::Store& blobs,
                                       keys::KeyService& keys, StoragePolicies& policies,
                                       const identity::Directory& directory, const Clock& clock, Random& random,
                                       Metrics& metrics, Options options);
  virtual ~Service() = default;

  // `context` outlives each call. What still waits for its turn when nobody waits for the answer any more
  // (context.stop) gives up: kCancelled. kAccessDenied: identity::decide() says no.
  //
  // `policy` empty: the default. Of one's own bucket that is there, with that policy or where none is named, a success.
  virtual Task<Status> create_bucket(const identity::Context& context, std::string name, PolicyId policy) = 0;
  Task<Status> create_bucket(const identity::Context& context, std::string name) {
    return create_bucket(context, std::move(name), {});
  }
  virtual Task<Result<BucketHead>> head_bucket(const identity::Context& context, std::string name) = 0;
  virtual Task<Status> delete_bucket(const identity::Context& context, std::string name) = 0;
  virtual Task<Result<BucketPage>> list_buckets(const identity::Context& context, ListBucketsRequest request) = 0;

  // `body` outlives the call.
  virtual Task<Result<PutAnswer>> put(const identity::Context& context, PutRequest request, BodySource& body) = 0;
  virtual Task<Result<std::unique_ptr<OpenObject>>> get(const identity::Context& context, GetRequest request) = 0;
  // Deleting what is not there is a success, as S3 says, unless an ETag was to match (kNoSuchKey).
  virtual Task<Status> remove(const identity::Context& context, std::string bucket, DeleteItem item) = 0;
  // Each deletion is a change of its own: once nobody waits any more, those that have not begun are left, and asking
  // again is safe.
  virtual Task<Result<std::vector<DeleteOutcome>>> remove_many(const identity::Context& context, std::string bucket,
                                                               std::vector<DeleteItem> items) = 0;
  virtual Task<Result<CopyAnswer>> copy(const identity::Context& context, CopyRequest request) = 0;
  virtual Task<Result<ListPage>> list(const identity::Context& context, ListRequest request) = 0;

  virtual Task<Result<UploadInfo>> create_upload(const identity::Context& context, CreateUploadRequest request) = 0;
  virtual Task<Result<PutAnswer>> upload_part(const identity::Context& context, UploadPartRequest request,
                                              BodySource& body) = 0;
  virtual Task<Result<CopyAnswer>> copy_part(const identity::Context& context, CopyPartRequest request) = 0;
  virtual Task<Result<PutAnswer>> complete_upload(const identity::Context& context, CompleteRequest request) = 0;
  virtual Task<Status> abort_upload(const identity::Context& context, std::string bucket, std::string key,
                                    UploadId upload) = 0;
  virtual Task<Result<PartPage>> list_parts(const identity::Context& context, ListPartsRequest request) = 0;
  virtual Task<Result<UploadPage>> list_uploads(const identity::Context& context, ListUploadsRequest request) = 0;

  // What deletions of buckets left is given back behind the requests, from start_cleanup() on: on a thread, a bounded
  // step at a time, beginning with what an earlier run did not end. stop_cleanup() waits for the step under way.
  virtual void start_cleanup() = 0;
  virtual void stop_cleanup() = 0;
  // One such step; true: there may be more. One at a time. A bucket whose records are damaged is passed over, and tried
  // again once a round; the error then comes at the round's end. What keeps every bucket waiting is an error at once.
  virtual Task<Result<bool>> clean_up() = 0;
  // How many buckets the last round passed over. Any thread.
  [[nodiscard]] virtual std::size_t stuck_cleanups() const = 0;
  // What bodies under way are worked on in, about. Any thread.
  [[nodiscard]] virtual std::size_t body_bytes() const = 0;
  // For maintenance threads; lives as long as the service.
  virtual blob::Catalog& catalog() = 0;
  virtual blob::Authenticator& authenticator() = 0;
};

}  // namespace andromede::objects
