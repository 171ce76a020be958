// The one implementation of Service. Its operations stand in a file per family (buckets.cc, put.cc, get.cc, remove.cc,
// copy.cc, list.cc, multipart.cc); here is what they share.
//
// Every change is one conditional commit: read what is there, decide, commit with what was read as expectation; on
// kConflict again from the start. Shared rules: a change that adds to a bucket needs the bucket's root to be open, so
// that nothing is ever added to a bucket that is gone; a change that displaces blobs expects their records, so that
// what is given back is where the blob lies at that moment.
#pragma once

#include <atomic>
#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/stretch.h"
#include "identity/decision.h"
#include "objects/account_turns.h"
#include "objects/blob_authenticator.h"
#include "objects/blob_catalog.h"
#include "objects/bucket_cache.h"
#include "objects/cleanup.h"
#include "objects/live_blobs.h"
#include "objects/open_pipeline.h"
#include "objects/records.h"
#include "objects/retries.h"
#include "objects/seal_pipeline.h"
#include "objects/service.h"

namespace andromede::objects {

// Where each try reads the parts of an upload anew, the last is the one that reads so many in all: ten times as many as
// there can be.
inline constexpr std::size_t kMaxPartsOverTries = 100'000;
// How many blob records one commit expects, beside the few that say what is changed. Blobs beyond are not expected: one
// that moves in that very moment leaves an orphan.
inline constexpr std::size_t kMaxBlobsExpected = 8000;
// Those few.
inline constexpr std::size_t kOtherExpectations = 16;
static_assert(kOtherExpectations < meta::kLeastLimits.expectations);
// How many deletions of one multi-delete are under way at once, and how many parts their objects have at most where
// that is more than one object: each part is some hundred bytes of records while its deletion goes on.
inline constexpr std::size_t kMaxDeletesAtOnce = 128;
inline constexpr std::size_t kMaxPartsAtOnce = 2000;
// How many multi-deletes of one account are under way at once, and how many more may wait: with kMaxDeletesAtOnce each,
// a quarter of the commits that may wait in line.
inline constexpr std::size_t kRemovalsAtOnce = 8;
inline constexpr std::size_t kRemovalsWaiting = 1024;
// How many listings of one account are under way at once.
inline constexpr std::size_t kListingsAtOnce = 4;
// How many more of its may wait for those.
inline constexpr std::size_t kListingsWaiting = 256;
// How long a request waits for its turn, and how long a listing takes in all: no client waits for longer.
inline constexpr std::chrono::milliseconds kTurnTime{60'000};
// How many completions and aborts of uploads of one account are under way at once, each of which has all parts of its
// upload in memory, ten thousand at most: some megabytes; and how many changes that take away objects with as many
// parts.
inline constexpr std::size_t kPartListsAtOnce = 8;
inline constexpr std::size_t kPartListsWaiting = 1024;
// How many records of uploads and parts one step of the cleanup erases, beside those of their blobs.
inline constexpr std::size_t kMaxErasedPerStep = 500;

// Blobs that a commit takes their records from, announced to LiveBlobs while it is under way.
class Displaced {
 public:
  // `turn`: kept for as long as this.
  Displaced(LiveBlobs& live, BlobId version, std::vector<blob::BlobRef> refs,
            std::optional<AccountTurns::Turn> turn = {})
      : live_(&live), version_(version), refs_(std::move(refs)), turn_(std::move(turn)) {
    live_->leaving(refs_);
  }
  Displaced(Displaced&& other) noexcept
      : live_(other.live_),
        version_(other.version_),
        refs_(std::exchange(other.refs_, {})),
        turn_(std::move(other.turn_)) {}
  Displaced& operator=(Displaced&&) = delete;
  ~Displaced() { live_->stays(refs_); }
  // The commit happened.
  void left() { live_->left(version_, std::exchange(refs_, {})); }

 private:
  LiveBlobs* live_;
  BlobId version_;
  std::vector<blob::BlobRef> refs_;
  std::optional<AccountTurns::Turn> turn_;
};

class ServiceImpl final : public Service {
 public:
  ServiceImpl(meta::Store& meta, meta::EveryRoot& every_root, blob::Store& blobs, keys::KeyService& keys,
              StoragePolicies& policies, const identity::Directory& directory, const Clock& clock, Random& random,
              Metrics& metrics, Options options);

  using Service::create_bucket;
  Task<Status> create_bucket(const identity::Context& context, std::string name, PolicyId policy) override;
  Task<Result<BucketHead>> head_bucket(const identity::Context& context, std::string name) override;
  Task<Status> delete_bucket(const identity::Context& context, std::string name) override;
  Task<Result<BucketPage>> list_buckets(const identity::Context& context, ListBucketsRequest request) override;

  Task<Result<PutAnswer>> put(const identity::Context& context, PutRequest request, BodySource& body) override;
  Task<Result<std::unique_ptr<OpenObject>>> get(const identity::Context& context, GetRequest request) override;
  Task<Status> remove(const identity::Context& context, std::string bucket, DeleteItem item) override;
  Task<Result<std::vector<DeleteOutcome>>> remove_many(const identity::Context& context, std::string bucket,
                                                       std::vector<DeleteItem> items) override;
  Task<Result<CopyAnswer>> copy(const identity::Context& context, CopyRequest request) override;
  Task<Result<ListPage>> list(const identity::Context& context, ListRequest request) override;

  Task<Result<UploadInfo>> create_upload(const identity::Context& context, CreateUploadRequest request) override;
  Task<Result<PutAnswer>> upload_part(const identity::Context& context, UploadPartRequest request,
                                      BodySource& body) override;
  Task<Result<CopyAnswer>> copy_part(const identity::Context& context, CopyPartRequest request) override;
  Task<Result<PutAnswer>> complete_upload(const identity::Context& context, CompleteRequest request) override;
  Task<Status> abort_upload(const identity::Context& context, std::string bucket, std::string key,
                            UploadId upload) override;
  Task<Result<PartPage>> list_parts(const identity::Context& context, ListPartsRequest request) override;
  Task<Result<UploadPage>> list_uploads(const identity::Context& context, ListUploadsRequest request) override;

  void start_cleanup() override { cleanup_.start(); }
  void stop_cleanup() override { cleanup_.stop(); }
  Task<Result<bool>> clean_up() override;
  [[nodiscard]] std::size_t body_bytes() const override { return transfers_.held_bytes(); }
  [[nodiscard]] std::size_t stuck_cleanups() const override { return stuck_cleanups_; }
  blob::Catalog& catalog() override { return catalog_; }
  blob::Authenticator& authenticator() override { return authenticator_; }

 private:
  struct StoredObject {
    std::string raw;  // the record's bytes, to be expected
    ObjectRecord record;
    std::optional<std::string> payload{};  // of an object that is one inlined piece, where it was asked for
  };
  struct StoredUpload {
    std::string raw;
    UploadRecord record;
  };
  struct Names {  // of one change in a bucket
    const identity::Context& context;
    const BucketRecord& bucket;
    const std::string& bucket_name;
    const std::string& key;
  };

  // --- service.cc: what several families need
  // A bucket to do `action` with. kNoSuchBucket, kAccessDenied, kInvalidBucketName.
  Task<Result<BucketRecord>> find_bucket(const identity::Context& context, std::string_view action,
                                         const std::string& name);
  // As find_bucket, from the metadata.
  Task<Result<BucketRecord>> read_bucket(const identity::Context& context, std::string_view action,
                                         const std::string& name);
  // As find_bucket, and looks whether a deletion that was cut short had already ended the bucket.
  Task<Result<BucketRecord>> find_live_bucket(const identity::Context& context, const std::string& name);
  // As it is shown.
  [[nodiscard]] Result<Owner> owner_of(const BucketRecord& bucket) const;
  // The state of its root, without which a bucket is no more; unset: gone, and forgotten.
  Task<Result<std::optional<meta::RootState>>> read_state(const BucketRecord& bucket);
  // For a change that adds to a bucket, and met a conflict. Was the bucket closed by a deletion that has not ended, it
  // is opened again, so that a deletion never holds up a write. kNoSuchBucket: it is gone.
  Task<Status> ensure_open(const BucketRecord& bucket);
  Task<Result<std::optional<StoredObject>>> find_object(const BucketRecord& bucket, const std::string& key);
  // Who goes on to read the object wants the payload with it.
  Task<Result<std::optional<StoredObject>>> find_object_with_payload(const BucketRecord& bucket,
                                                                     const std::string& key);
  // One of the part lists of an object whose parts lie apart. kNotFound: the object was replaced meanwhile.
  Task<Result<std::vector<PartRecord>>> read_part_list(meta::Partition partition, const ObjectRecord& record,
                                                       std::size_t list);
  // The pieces that hold a run of an object's bytes, in order, and perhaps some before and behind.
  struct PieceRun {
    std::vector<Piece> pieces;
    std::uint64_t offset = 0;  // of the first in the object
  };
  // For `length` bytes from `offset`; reads no part list that they do not touch. kNotFound as read_part_list.
  Task<Result<PieceRun>> pieces_of(const meta::Partition& partition, const ObjectRecord& record, std::uint64_t offset,
                                   std::uint64_t length);

  // Adds to `change` what erases the pieces, all of its partition, and what it must expect for that.
  Task<Result<Displaced>> displace(BlobId version, const std::vector<Piece>& pieces, meta::Commit& change,
                                   std::optional<AccountTurns::Turn> turn = {});
  // The same for a whole object (nothing for null), its part lists included, which takes a turn. kNotFound as
  // read_part_list; AccountTurns'. `stop`: nobody waits for the change any more; nothing is changed yet.
  Task<Result<Displaced>> displace_object(const BucketRecord& bucket, const StoredObject* object, meta::Commit& change,
                                          std::stop_token stop);

  Task<Result<meta::CommitInfo>> commit(meta::Commit change);
  // Commits, and tells `displaced` and `body` (may be null) how it went.
  Task<Status> commit_change(meta::Commit change, Displaced& displaced, SealedBody* body);
  // Of a request that asks for its turn now.
  [[nodiscard]] meta::Patience turn_patience(std::stop_token stop) const {
    return {Deadline::after(clock_, kTurnTime), std::move(stop)};
  }
  [[nodiscard]] std::string event(const identity::Context& context, const char* name,
                                  std::initializer_list<std::pair<const char*, std::string>> parameters) const;
  // Of what belongs to the object of that key.
  [[nodiscard]] static meta::Commit change_of(const BucketRecord& bucket, std::string_view key);
  // Over the records of the bucket whose keys begin with `base` and, behind it, `prefix`.
  std::unique_ptr<meta::Cursor> walk_of(const BucketRecord& bucket, std::string base, std::string_view prefix,
                                        meta::Patience patience);
  // How a record, and what it replaces (may be null), change what the bucket holds.
  [[nodiscard]] static meta::Usage usage_of(const ObjectRecord* before, const ObjectRecord& after);
  // Of one wait for the metadata that begins now.
  [[nodiscard]] Deadline deadline() const { return Deadline::after(clock_, options_.deadline); }
  // What lies in a bucket is its owner's, whoever asks.
  [[nodiscard]] static keys::KeyUse key_use(const identity::Context& context, const BucketRecord& bucket);

  // --- put.cc
  // seal_body() for the bucket's owner; kNotBegun, and nothing of the body was asked for: the commit to come would be
  // refused.
  Task<Result<SealedBody>> store_body(const identity::Context& context, const BucketRecord& bucket, BodySource& body,
                                      std::vector<crypto::Checksum> kinds);
  // Makes `record` the object of that key, if the conditions hold then. Sets head.modified.
  Task<Status> commit_object(Names names, const char* event_name, ObjectRecord& record, SealedBody& body,
                             const Conditions& conditions);

  // --- remove.cc
  Task<Status> remove_in(const identity::Context& context, const BucketRecord& bucket, const std::string& bucket_name,
                         const DeleteItem& item);
  Task<DeleteOutcome> remove_one(const identity::Context& context, const BucketRecord& bucket,
                                 const std::string& bucket_name, DeleteItem item, Stretch& stretch);

  // --- get.cc
  struct OpenRequest {
    const identity::Context& context;
    const BucketRecord& bucket;
    const std::string& key;
    const Conditions& conditions;
    const std::optional<ByteRange>& range;
    const RangeCondition* if_range = nullptr;
    std::optional<std::uint32_t> part_number = {};
    PartsWanted parts = {};
    bool head_only = false;
    bool copy_source = false;
  };
  Task<Result<std::unique_ptr<OpenObject>>> open_object(OpenRequest request);
  Task<Result<std::unique_ptr<OpenObject>>> try_open(const OpenRequest& request);
  // kInvalidPartNumber: there is none of that number. kNotFound as read_part_list.
  struct PlacedPart {
    PartRecord part;
    std::uint64_t offset = 0;  // in the object
  };
  Task<Result<PlacedPart>> find_part(const meta::Partition& partition, const ObjectRecord& record,
                                     std::uint32_t number);
  Task<Result<std::vector<PartInfo>>> list_object_parts(const meta::Partition& partition, const ObjectRecord& record,
                                                        PartsWanted wanted);

  // --- multipart.cc
  // What the tries of one change that takes all parts of an upload have in common.
  struct ListWork {
    Stretch stretch;
    std::size_t parts_read = 0;
  };
  // kNoSuchUpload; kNoSuchBucket: the bucket was deleted, and what is left of it is nobody's.
  Task<Result<StoredUpload>> find_upload(const BucketRecord& bucket, const std::string& key, UploadId id);
  Task<Result<std::vector<PartRecord>>> stored_parts(const meta::Partition& partition, UploadId id, ListWork& work);
  // All parts of an upload, to be taken by `change`: holds the upload, adds what erases them and it, and expects it as
  // it is held now, which it is not once a part was added or replaced. kConflict.
  Task<Result<std::vector<PartRecord>>> take_parts(const std::string& upload_key, UploadId id, StoredUpload upload,
                                                   meta::Commit& change, ListWork& work);
  // Sets or takes away an upload's mark. kConflict.
  Task<Result<std::string>> mark_upload(meta::Partition partition, const std::string& upload_key, StoredUpload upload,
                                        bool held);
  Task<Result<PartRecord>> commit_part(Names names, const char* event_name, UploadId upload, std::uint32_t number,
                                       const UploadRecord& expected, const ChecksumDemand& demand, SealedBody& body);
  // kNoSuchUpload, kConflict.
  Task<Status> try_abort(const BucketRecord& bucket, const std::string& key, UploadId upload, std::string event,
                         ListWork& work);
  Task<Result<PutAnswer>> try_complete(Names names, const CompleteRequest& request, ListWork& work);

  // --- buckets.cc
  Task<Status> try_create_bucket(const identity::Context& context, const std::string& name, const PolicyId& wanted);
  Task<Status> try_delete_bucket(const identity::Context& context, const BucketRecord& bucket, const std::string& name);
  // Takes the name of a bucket that has no state any more.
  Task<Status> erase_name(const BucketRecord& bucket, const std::string& name, std::stop_token stop);
  Task<Result<bool>> has_objects(const BucketRecord& bucket);

  // --- cleanup.cc
  // The walk over deleted buckets that steps make, and what it met.
  struct CleanupRound {
    meta::RootId from;  // goes on with the first whose id is at least this
    std::size_t failed = 0;
    std::optional<Error> first_error;
  };
  void note_stuck_cleanups(std::size_t buckets);
  // A step for one of them. `deleted` outlives it.
  Task<Status> clean_up_bucket(const meta::EndedRoot& deleted);
  // Erases the first upload of a bucket that is no more, or the first kMaxErasedPerStep of its parts. False: there is
  // none.
  Task<Result<bool>> clean_up_upload(const BucketRecord& bucket);

  meta::Store& meta_;
  keys::KeyService& keys_;
  StoragePolicies& policies_;
  const identity::Directory& directory_;
  const Clock& clock_;
  Random& random_;
  const Options options_;
  const Counter commits_retried_;
  Retries retries_;
  crypto::Md5Lanes lanes_;
  BucketCache buckets_;
  LiveBlobs live_;
  Transfers transfers_;
  Unfinished unfinished_;
  AccountTurns listings_;
  AccountTurns removals_;    // DeleteObjects
  AccountTurns part_lists_;  // completions and aborts
  // Changes that take away objects whose parts lie apart. Taken while one of the others may be held, never the other
  // way round.
  AccountTurns long_objects_;
  BlobCatalog catalog_;
  BlobAuthenticator authenticator_;
  const SealContext seal_;
  const OpenContext open_;
  const Gauge stuck_cleanups_gauge_;
  std::atomic<std::size_t> stuck_cleanups_{0};
  CleanupRound cleanup_round_;  // of whoever calls clean_up()
  Cleanup cleanup_;             // last: its thread uses the rest
};

// kAccessDenied.
Status check_allowed(const identity::Context& context, std::string_view action, const identity::Resource& resource);
// What whoever copies does with the source.
inline constexpr std::string_view kReadSource = "s3:GetObject";

// Names of the journal's events come from S3's operations. Limits on what a client names.
Status check_key(const std::string& key);
Status check_metadata(const UserMetadata& user);
// What must be computed to verify `demand`, beside MD5: the checksum that it names, or CRC64NVME.
crypto::Checksum demanded_kind(const ChecksumDemand& demand);
// kBadDigest; kInvalidRequest: a promised trailer did not come.
Status verify_body(const ChecksumDemand& demand, const DigestedBody& digests, const BodySource& body);
// How many of the objects with these records (unset: there is none) may be deleted at once, from the first on; at least
// one of any.
std::size_t deletions_at_once(std::span<const std::optional<std::string>> records);

}  // namespace andromede::objects
