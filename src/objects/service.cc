#include "objects/service.h"

#include <algorithm>
#include <limits>

#include "objects/layout.h"
#include "objects/service_impl.h"

namespace andromede::objects {
namespace {

constexpr std::size_t kKeysPerRead = 100;        // looked up on the loop, where they are in memory
constexpr std::chrono::seconds kCleanupRest{5};  // after an error
// Beyond every object's size: a part list that holds an empty last part is read too.
constexpr std::uint64_t kEverything = std::numeric_limits<std::uint64_t>::max();

identity::Resource resource_of(const std::string& name, const BucketRecord& bucket) {
  return {"bucket", name, &bucket.owner};
}

}  // namespace

std::unique_ptr<Service> Service::make(meta::Store& meta, meta::EveryRoot& every_root, blob::Store& blobs,
                                       keys::KeyService& keys, StoragePolicies& policies,
                                       const identity::Directory& directory, const Clock& clock, Random& random,
                                       Metrics& metrics, Options options) {
  return std::make_unique<ServiceImpl>(meta, every_root, blobs, keys, policies, directory, clock, random, metrics,
                                       options);
}

ServiceImpl::ServiceImpl(meta::Store& meta, meta::EveryRoot& every_root, blob::Store& blobs, keys::KeyService& keys,
                         StoragePolicies& policies, const identity::Directory& directory, const Clock& clock,
                         Random& random, Metrics& metrics, Options options)
    : meta_(meta),
      keys_(keys),
      policies_(policies),
      directory_(directory),
      clock_(clock),
      random_(random),
      options_(options),
      commits_retried_(metrics.counter("andromede_objects_commits_retried_total",
                                       "Commits tried anew because another change came between")),
      retries_(random),
      live_(blobs),
      unfinished_(options.unfinished),
      listings_(kListingsAtOnce, kListingsWaiting, clock),
      removals_(kRemovalsAtOnce, kRemovalsWaiting, clock),
      part_lists_(kPartListsAtOnce, kPartListsWaiting, clock),
      long_objects_(kPartListsAtOnce, kPartListsWaiting, clock),
      catalog_(every_root, live_, clock, options.deadline),
      authenticator_(every_root, blobs, keys, clock, options.deadline),
      seal_{blobs,
            keys,
            policies,
            live_,
            transfers_,
            unfinished_,
            clock,
            random,
            lanes_,
            metrics.counter("andromede_objects_written_bytes_total", "Plaintext bytes sealed and written"),
            options.deadline},
      open_{meta,
            blobs,
            keys,
            live_,
            transfers_,
            clock,
            metrics.counter("andromede_objects_read_bytes_total", "Plaintext bytes read and opened"),
            options.deadline},
      stuck_cleanups_gauge_(metrics.gauge("andromede_objects_stuck_cleanups",
                                          "Deleted buckets whose uploads cannot be given back because of what is "
                                          "wrong with their records")),
      cleanup_([this] { return sync_wait(clean_up()); }, kCleanupRest) {}

Status check_key(const std::string& key) {
  if (key.empty()) return fail(ObjectErrc::kInvalidArgument, "an object's key has at least one byte");
  if (key.size() > kMaxKeyBytes) {
    return fail(ObjectErrc::kKeyTooLong, "an object's key has at most " + std::to_string(kMaxKeyBytes) + " bytes");
  }
  return {};
}

Status check_metadata(const UserMetadata& user) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : user) bytes += name.size() + value.size();
  if (bytes <= kMaxUserMetadataBytes) return {};
  return fail(ObjectErrc::kMetadataTooLarge,
              "user metadata has at most " + std::to_string(kMaxUserMetadataBytes) + " bytes of names and values");
}

crypto::Checksum demanded_kind(const ChecksumDemand& demand) {
  return demand.kind == crypto::Checksum::kNone ? crypto::Checksum::kCrc64Nvme : demand.kind;
}

Status verify_body(const ChecksumDemand& demand, const DigestedBody& digests, const BodySource& body) {
  if (demand.content_md5 && !std::ranges::equal(*demand.content_md5, digests.md5)) {
    return fail(ObjectErrc::kBadDigest, "Content-MD5 is not the MD5 of the body that arrived");
  }
  if (demand.kind == crypto::Checksum::kNone) return {};
  std::optional<Bytes> promised = demand.value;
  if (demand.in_trailer) {
    promised = body.trailing_checksum();
    if (!promised) return fail(ObjectErrc::kInvalidRequest, "the checksum that was promised in a trailer did not come");
  }
  if (promised && *promised != *digests.checksum(demand.kind)) {
    return fail(ObjectErrc::kBadDigest, "the checksum is not that of the body that arrived");
  }
  return {};
}

Status check_allowed(const identity::Context& context, std::string_view action, const identity::Resource& resource) {
  const identity::Decision decision = identity::decide(context.principal, action, resource, {context.listener});
  if (!decision.allowed) return fail(ObjectErrc::kAccessDenied, decision.reason);
  return {};
}

Task<Result<BucketRecord>> ServiceImpl::find_bucket(const identity::Context& context, std::string_view action,
                                                    const std::string& name) {
  std::optional<BucketRecord> cached = buckets_.find(name);
  if (cached && check_allowed(context, action, resource_of(name, *cached))) co_return std::move(*cached);
  // The name may have changed hands since.
  co_return co_await read_bucket(context, action, name);
}

Task<Result<BucketRecord>> ServiceImpl::read_bucket(const identity::Context& context, std::string_view action,
                                                    const std::string& name) {
  if (name.empty() || name.size() > 255) co_return fail(ObjectErrc::kInvalidBucketName, "no bucket can have that name");
  const std::uint64_t ticket = buckets_.ticket();
  CO_TRY(const std::optional<std::string> raw,
         co_await meta_.get(meta::kCloudPartition, {meta::Space::kRecords, layout::bucket_name(name)}, deadline()));
  if (!raw) co_return fail(ObjectErrc::kNoSuchBucket, "there is no bucket of that name");
  CO_TRY(BucketRecord record, decode_bucket(as_bytes(*raw)));
  CO_CHECK_OK(check_allowed(context, action, resource_of(name, record)));
  buckets_.put(name, record, ticket);
  co_return record;
}

Result<Owner> ServiceImpl::owner_of(const BucketRecord& bucket) const {
  TRY(identity::AccountInfo info, directory_.account(bucket.owner));
  return Owner{std::move(info.account.canonical_id), std::move(info.account.display_name)};
}

Task<Result<std::optional<meta::RootState>>> ServiceImpl::read_state(const BucketRecord& bucket) {
  CO_TRY(const auto state, co_await meta_.root_state(layout::root(bucket.id), deadline()));
  if (!state) buckets_.forget(bucket.id);
  co_return state;
}

Task<Result<BucketRecord>> ServiceImpl::find_live_bucket(const identity::Context& context, const std::string& name) {
  // Twice, because the first may be a cached one that was deleted and made again.
  for (int tries = 0; tries < 2; ++tries) {
    CO_TRY(BucketRecord bucket, co_await find_bucket(context, context.action, name));
    CO_TRY(const auto state, co_await read_state(bucket));
    if (state) co_return bucket;
  }
  co_return fail(ObjectErrc::kNoSuchBucket, "the bucket was deleted");
}

Task<Status> ServiceImpl::ensure_open(const BucketRecord& bucket) {
  CO_TRY(const auto state, co_await read_state(bucket));
  if (!state) co_return fail(ObjectErrc::kNoSuchBucket, "the bucket was deleted");
  if (*state == meta::RootState::kOpen) co_return Status{};
  const Status opened = co_await meta_.open_root(layout::root(bucket.id), deadline());
  // Changed or ended meanwhile: the next try finds out.
  if (!opened && !(opened.error() == Errc::kConflict || opened.error() == Errc::kNotFound)) co_return opened;
  co_return Status{};
}

Task<Result<std::optional<ServiceImpl::StoredObject>>> ServiceImpl::find_object(const BucketRecord& bucket,
                                                                                const std::string& key) {
  CO_TRY(std::optional<std::string> raw,
         co_await meta_.get(layout::partition(bucket.id, key), {meta::Space::kRecords, layout::object(bucket.id, key)},
                            deadline()));
  if (!raw) co_return std::optional<StoredObject>{};
  CO_TRY(ObjectRecord record, decode_object(as_bytes(*raw)));
  co_return StoredObject{std::move(*raw), std::move(record), std::nullopt};
}

Task<Result<std::optional<ServiceImpl::StoredObject>>> ServiceImpl::find_object_with_payload(const BucketRecord& bucket,
                                                                                             const std::string& key) {
  std::optional<Result<ObjectRecord>> record;
  const meta::NamedKey payload = [&record](std::string_view raw) -> std::optional<meta::Key> {
    record = decode_object(as_bytes(raw));
    if (!*record || (*record)->pieces.size() != 1 || !(*record)->pieces.front().inlined) return std::nullopt;
    return layout::inline_payload((*record)->pieces.front().blob);
  };
  CO_TRY(meta::Followed found,
         co_await meta_.get_following(layout::partition(bucket.id, key),
                                      {meta::Space::kRecords, layout::object(bucket.id, key)}, payload, deadline()));
  if (!found.value) co_return std::optional<StoredObject>{};
  CO_TRY(ObjectRecord decoded, *std::move(record));
  co_return StoredObject{*std::move(found.value), std::move(decoded), std::move(found.named)};
}

Task<Result<std::vector<PartRecord>>> ServiceImpl::read_part_list(meta::Partition partition, const ObjectRecord& record,
                                                                  std::size_t list) {
  const meta::Key key{meta::Space::kRecords, layout::part_list(record.upload, static_cast<std::uint32_t>(list))};
  CO_TRY(const auto raw, co_await meta_.get(std::move(partition), key, deadline()));
  if (!raw) co_return fail(Errc::kNotFound, "the object was replaced while its parts were read");
  CO_TRY(std::vector<PartRecord> parts, decode_part_list(as_bytes(*raw)));
  std::uint64_t size_bytes = 0;
  for (const PartRecord& part : parts) size_bytes += part.size_bytes;
  const PartListHead& head = record.lists[list];
  if (parts.empty() || parts.back().number != head.last_number || size_bytes != head.size_bytes) {
    co_return fail(Errc::kCorrupt, "a part list is not what its object says");
  }
  co_return parts;
}

Task<Result<ServiceImpl::PieceRun>> ServiceImpl::pieces_of(const meta::Partition& partition, const ObjectRecord& record,
                                                           std::uint64_t offset, std::uint64_t length) {
  PieceRun run;
  Stretch stretch;
  if (!record.parts_apart()) {
    run.pieces = record.pieces;
    for (const PartRecord& part : record.parts) std::ranges::copy(part.pieces, std::back_inserter(run.pieces));
    co_return run;
  }
  std::uint64_t begin = 0;
  for (std::size_t list = 0; list < record.lists.size(); ++list) {
    const std::uint64_t end = begin + record.lists[list].size_bytes;
    if (begin >= offset && begin - offset >= length) break;
    if (end > offset) {
      if (run.pieces.empty()) run.offset = begin;
      CO_TRY(std::vector<PartRecord> parts, co_await read_part_list(partition, record, list));
      for (PartRecord& part : parts) std::ranges::move(part.pieces, std::back_inserter(run.pieces));
      co_await stretch.pause();
    }
    begin = end;
  }
  co_return run;
}

Task<Result<Displaced>> ServiceImpl::displace(BlobId version, const std::vector<Piece>& pieces, meta::Commit& change,
                                              std::optional<AccountTurns::Turn> turn) {
  Stretch stretch;
  std::vector<std::string> keys;
  for (const Piece& piece : pieces) {
    co_await stretch.pause();
    if (piece.inlined) {
      change.erase.push_back(layout::inline_payload(piece.blob));
    } else {
      keys.push_back(layout::blob(piece.blob));
    }
  }
  const std::size_t most_expected = std::min(kMaxBlobsExpected, meta_.limits().expectations - kOtherExpectations);
  std::vector<blob::BlobRef> refs;
  for (std::size_t begin = 0; begin < keys.size(); begin += kKeysPerRead) {
    const std::size_t end = std::min(keys.size(), begin + kKeysPerRead);
    CO_TRY(auto records, co_await meta_.get_many(change.partition,
                                                 {keys.begin() + static_cast<std::ptrdiff_t>(begin),
                                                  keys.begin() + static_cast<std::ptrdiff_t>(end)},
                                                 deadline()));
    for (std::size_t i = begin; i < end; ++i) {
      std::optional<std::string>& record = records[i - begin];
      // A record that is missing is expected to be missing: where that is a race, the commit finds it out.
      if (record) {
        CO_TRY(BlobRecord stored, decode_blob(as_bytes(*record)));
        refs.push_back(std::move(stored.ref));
        change.erase.push_back({meta::Space::kRecords, keys[i]});
      }
      co_await stretch.pause();
      if (change.expect.size() < most_expected) change.expect.push_back({std::move(keys[i]), std::move(record)});
    }
  }
  co_return Displaced(live_, version, std::move(refs), std::move(turn));
}

Task<Result<Displaced>> ServiceImpl::displace_object(const BucketRecord& bucket, const StoredObject* object,
                                                     meta::Commit& change, std::stop_token stop) {
  if (object == nullptr) co_return Displaced(live_, BlobId{}, {});
  const ObjectRecord& record = object->record;
  std::optional<AccountTurns::Turn> turn;
  if (record.parts_apart()) {
    CO_TRY(AccountTurns::Turn taken, co_await long_objects_.take(bucket.owner, turn_patience(std::move(stop))));
    turn.emplace(std::move(taken));
    for (std::uint32_t chunk = 0; chunk * kPartsPerList < record.head.parts; ++chunk) {
      change.erase.push_back({meta::Space::kRecords, layout::part_list(record.upload, chunk)});
    }
  }
  CO_TRY(const PieceRun all, co_await pieces_of(change.partition, record, 0, kEverything));
  co_return co_await displace(record.version(), all.pieces, change, std::move(turn));
}

Task<Result<meta::CommitInfo>> ServiceImpl::commit(meta::Commit change) {
  return meta_.commit(std::move(change), deadline());
}

Task<Status> ServiceImpl::commit_change(meta::Commit change, Displaced& displaced, SealedBody* body) {
  auto done = co_await commit(std::move(change));
  if (done) {
    displaced.left();
    if (body != nullptr) body->committed();
    co_return Status{};
  }
  if (done.error() == Errc::kConflict) {
    commits_retried_.add();
  } else if (body != nullptr && meta::leaves_doubt(done.error())) {
    body->in_doubt();
  }
  co_return fail(std::move(done).error());
}

std::string ServiceImpl::event(const identity::Context& context, const char* name,
                               std::initializer_list<std::pair<const char*, std::string>> parameters) const {
  journal::Event event = identity::event_of(context, "s3.andromede", name);
  event.parameters.assign(parameters.begin(), parameters.end());
  return journal::render(event, clock_.now());
}

keys::KeyUse ServiceImpl::key_use(const identity::Context& context, const BucketRecord& bucket) {
  keys::KeyUse use;
  use.owner = bucket.owner;
  use.caller = context.principal.account.id;
  use.request_id = context.request_id;
  use.patience.stop = context.stop;
  return use;
}

meta::Commit ServiceImpl::change_of(const BucketRecord& bucket, std::string_view key) {
  meta::Commit change;
  change.partition = layout::partition(bucket.id, key);
  return change;
}

std::unique_ptr<meta::Cursor> ServiceImpl::walk_of(const BucketRecord& bucket, std::string base,
                                                   std::string_view prefix, meta::Patience patience) {
  meta::CursorRange range{layout::root(bucket.id), std::move(base), {}, {}, std::move(patience)};
  range.begin = range.base;
  range.begin += prefix;
  range.end = meta::past_prefix(range.begin);
  return meta_.cursor(std::move(range));
}

meta::Usage ServiceImpl::usage_of(const ObjectRecord* before, const ObjectRecord& after) {
  const auto bytes = static_cast<std::int64_t>(after.head.size_bytes);
  if (before == nullptr) return {1, bytes};
  return {0, bytes - static_cast<std::int64_t>(before->head.size_bytes)};
}

}  // namespace andromede::objects
