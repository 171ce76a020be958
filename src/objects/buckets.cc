// CreateBucket, HeadBucket, DeleteBucket, ListBuckets.
//
// A bucket's name lies in the cloud's partition, its objects in the bucket's own. What ties them is the bucket's state,
// in the latter: written before the name, expected by every change in the bucket, and erased before the name. Erasing
// it is what deletes the bucket; in the same commit a record says what that leaves: the name, which is erased at once,
// and uploads under way, which go in the background (cleanup.cc). So a deletion cut short leaves at most a name whose
// bucket has no state; that counts as no bucket, and who wants to make or delete a bucket of that name erases it first.
#include <algorithm>

#include "objects/layout.h"
#include "objects/service_impl.h"

namespace andromede::objects {
namespace {

constexpr const char* kNameOfTheDead = "the name of a bucket whose deletion is in the journal already";

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool looks_like_ipv4(std::string_view name) {
  int dots = 0;
  for (const char c : name) {
    if (c == '.') {
      ++dots;
    } else if (c < '0' || c > '9') {
      return false;
    }
  }
  return dots == 3;
}

// "Bucket naming rules" in the S3 user guide.
Status check_bucket_name(std::string_view name) {
  const auto bad = [](const char* why) { return fail(ObjectErrc::kInvalidBucketName, why); };
  if (name.size() < 3 || name.size() > 63) return bad("a bucket's name has 3 to 63 characters");
  if (!is_lower_or_digit(name.front()) || !is_lower_or_digit(name.back())) {
    return bad("a bucket's name begins and ends with a lower-case letter or a digit");
  }
  char previous = 'a';
  for (const char c : name) {
    if (!is_lower_or_digit(c) && c != '.' && c != '-') {
      return bad("a bucket's name holds lower-case letters, digits, dots and hyphens only");
    }
    if (c == '.' && (previous == '.' || previous == '-')) return bad("a dot follows a letter or a digit");
    if (c == '-' && previous == '.') return bad("a hyphen does not follow a dot");
    previous = c;
  }
  if (looks_like_ipv4(name)) return bad("a bucket's name is not formed as an IP address");
  for (const char* prefix : {"xn--", "sthree-", "amzn-s3-demo-"}) {
    if (name.starts_with(prefix)) return bad("the name has a prefix that is reserved");
  }
  for (const char* suffix : {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}) {
    if (name.ends_with(suffix)) return bad("the name has a suffix that is reserved");
  }
  return {};
}

// An account without a count has none.
Result<BucketCount> count_of(const std::optional<std::string>& raw) {
  if (!raw) return BucketCount{};
  return decode_bucket_count(as_bytes(*raw));
}

}  // namespace

Task<Status> ServiceImpl::create_bucket(const identity::Context& context, std::string name, PolicyId policy) {
  CO_CHECK_OK(check_bucket_name(name));
  CO_CHECK_OK(check_allowed(context, context.action, {"bucket", name, &context.principal.account.id}));
  for (unsigned tries = 0; tries < kMaxCommitTries; ++tries) {
    const Status done = co_await try_create_bucket(context, name, policy);
    if (done || !(done.error() == Errc::kConflict)) co_return done;
    commits_retried_.add();
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the name kept being taken and given back");
}

Task<Status> ServiceImpl::try_create_bucket(const identity::Context& context, const std::string& name,
                                            const PolicyId& wanted) {
  CO_TRY(const PolicyId policy, policies_.choose(wanted));
  const meta::Key name_key{meta::Space::kRecords, layout::bucket_name(name)};
  const meta::Key count_key{meta::Space::kRecords, layout::bucket_count(context.principal.account.id)};
  CO_TRY(auto now, co_await meta_.get_many(layout::kCloud, {name_key.bytes, count_key.bytes}));
  if (now[0]) {
    CO_TRY(const BucketRecord other, decode_bucket(as_bytes(*now[0])));
    CO_TRY(const auto state, co_await meta_.get(layout::bucket_partition(other.id),
                                                {meta::Space::kRecords, layout::bucket_state(other.id)}));
    if (state && other.owner == context.principal.account.id) {
      if (wanted.empty() || other.policy == policy) co_return Status{};
      co_return fail(ObjectErrc::kBucketAlreadyOwnedByYou, "it has another policy");
    }
    if (state) co_return fail(ObjectErrc::kBucketAlreadyExists, "the name is taken: bucket names are shared by all");
    CO_CHECK_OK(co_await erase_name(other, name));
    co_return fail(Errc::kConflict, "the name was that of a deleted bucket");
  }
  CO_TRY(BucketCount count, count_of(now[1]));
  if (count.buckets >= kMaxBucketsPerAccount) {
    co_return fail(ObjectErrc::kTooManyBuckets,
                   "an account has at most " + std::to_string(kMaxBucketsPerAccount) + " buckets");
  }
  ++count.buckets;
  // Closed meanwhile, an account makes no bucket.
  CO_TRY(const meta::Expectation open_account, directory_.expect_open(context.principal.account.id));

  const BucketRecord bucket{BucketId::random(random_), context.principal.account.id, clock_.now(), policy};
  const meta::Key state_key{meta::Space::kRecords, layout::bucket_state(bucket.id)};
  meta::Commit begin = change_in(bucket);
  begin.expect.push_back({state_key.bytes, std::nullopt});
  begin.put.push_back({state_key, encode(BucketState{})});
  begin.unwitnessed = "a bucket's state is nothing before its name is there, which is journaled";
  CO_TRY(const auto begun, co_await commit(std::move(begin)));
  static_cast<void>(begun);

  const std::uint64_t ticket = buckets_.ticket();
  meta::Commit change;
  change.partition = layout::kCloud;
  change.expect = {{name_key.bytes, std::nullopt}, {count_key.bytes, std::move(now[1])}, open_account};
  change.put = {{name_key, encode(bucket)},
                {{meta::Space::kRecords, layout::account_bucket(context.principal.account.id, name)}, encode(bucket)},
                {count_key, encode(count)}};
  change.event = event(context, "CreateBucket", {{"bucketName", name}, {"policy", policy.value()}});
  const auto done = co_await commit(std::move(change));
  if (done) {
    buckets_.put(name, bucket, ticket);
    co_return Status{};
  }
  if (meta::leaves_doubt(done.error())) co_return fail(done.error());
  meta::Commit undo = change_in(bucket);
  undo.erase.push_back(state_key);
  undo.unwitnessed = "the state of a bucket that never got its name";
  CO_TRY(const auto undone, co_await commit(std::move(undo)));
  static_cast<void>(undone);
  co_return fail(done.error());
}

Task<Result<BucketHead>> ServiceImpl::head_bucket(const identity::Context& context, std::string name) {
  CO_TRY(const BucketRecord bucket, co_await find_live_bucket(context, name));
  CO_TRY(Owner owner, owner_of(bucket));
  co_return BucketHead{{std::move(name), bucket.id, bucket.created, bucket.policy}, std::move(owner)};
}

Task<Result<BucketPage>> ServiceImpl::list_buckets(const identity::Context& context, ListBucketsRequest request) {
  const std::string base = layout::account_buckets(context.principal.account.id);
  CO_CHECK_OK(check_allowed(context, context.action, {"account", {}, &context.principal.account.id}));
  BucketPage page;
  if (request.max == 0) co_return page;
  meta::Scan scan;
  scan.partition = layout::kCloud;
  scan.begin = base + std::max(request.prefix, request.after.empty() ? request.after : request.after + '\0');
  scan.end = layout::past_prefix(base + request.prefix);
  Stretch stretch;
  while (true) {
    CO_TRY(const auto items, co_await meta_.scan(scan));
    for (const meta::Item& item : items) {
      co_await stretch.pause();
      CO_TRY(const BucketRecord bucket, decode_bucket(as_bytes(item.value)));
      CO_TRY(const auto state, co_await meta_.get(layout::bucket_partition(bucket.id),
                                                  {meta::Space::kRecords, layout::bucket_state(bucket.id)}));
      if (!state) continue;
      if (page.buckets.size() == request.max) {
        page.next = page.buckets.back().name;
        co_return page;
      }
      page.buckets.push_back({item.key.substr(base.size()), bucket.id, bucket.created, bucket.policy});
    }
    if (items.size() < scan.limit) co_return page;
    scan.begin = items.back().key + '\0';
  }
}

Task<Status> ServiceImpl::delete_bucket(const identity::Context& context, std::string name) {
  CO_TRY(const BucketRecord bucket, co_await read_bucket(context, context.action, name));
  for (unsigned tries = 0; tries < kMaxCommitTries; ++tries) {
    const Status done = co_await try_delete_bucket(context, bucket, name);
    if (done || !(done.error() == Errc::kConflict)) co_return done;
    commits_retried_.add();
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the bucket kept changing while it was deleted");
}

Task<Result<bool>> ServiceImpl::has_objects(const BucketRecord& bucket) {
  meta::Scan scan;
  scan.partition = layout::bucket_partition(bucket.id);
  scan.begin = layout::objects(bucket.id);
  scan.end = layout::past_prefix(scan.begin);
  scan.limit = 1;
  scan.keys_only = true;
  CO_TRY(const auto items, co_await meta_.scan(std::move(scan)));
  co_return !items.empty();
}

Task<Status> ServiceImpl::try_delete_bucket(const identity::Context& context, const BucketRecord& bucket,
                                            const std::string& name) {
  const meta::Key state_key{meta::Space::kRecords, layout::bucket_state(bucket.id)};
  CO_TRY(const auto state, co_await meta_.get(layout::bucket_partition(bucket.id), state_key));
  if (!state) {
    CO_CHECK_OK(co_await erase_name(bucket, name));
    co_return fail(ObjectErrc::kNoSuchBucket, "the bucket was deleted");
  }
  const auto not_empty = [] { return fail(ObjectErrc::kBucketNotEmpty, "the bucket still holds objects"); };
  // Before closing, so that a refused deletion does not touch the bucket; and after it, when no write can come between.
  CO_TRY(const bool full, co_await has_objects(bucket));
  if (full) co_return not_empty();

  BucketState closing;
  closing.closing = true;
  random_.fill(closing.by);
  const meta::Expectation closed{state_key.bytes, encode(closing)};
  meta::Commit close = change_in(bucket);
  close.expect.push_back({state_key.bytes, state});
  close.put.push_back({state_key, *closed.value});
  close.gives_back = true;
  close.unwitnessed = "a bucket is closed to writes before its deletion, which is journaled";
  CO_TRY(const auto closed_info, co_await commit(std::move(close)));
  static_cast<void>(closed_info);

  CO_TRY(const bool filled, co_await has_objects(bucket));
  if (filled) {
    CO_TRY(const bool open, co_await ensure_open(bucket, closed.value));
    static_cast<void>(open);
    co_return not_empty();
  }

  meta::Commit change = change_in(bucket);
  change.expect.push_back(closed);
  change.erase = {state_key,
                  {meta::Space::kRecords, layout::object_count(bucket.id)},
                  {meta::Space::kRecords, layout::byte_count(bucket.id)}};
  change.put.push_back(
      {{meta::Space::kRecords, layout::deleted_bucket(bucket.id)}, encode(DeletedBucket{bucket, name})});
  change.gives_back = true;
  change.event = event(context, "DeleteBucket", {{"bucketName", name}});
  const auto done = co_await commit(std::move(change));
  // Also where it may have happened.
  cleanup_.wake();
  if (!done) co_return fail(done.error());
  co_return co_await erase_name(bucket, name);
}

Task<Status> ServiceImpl::erase_name(const BucketRecord& bucket, const std::string& name) {
  buckets_.forget(bucket.id);
  const meta::Key name_key{meta::Space::kRecords, layout::bucket_name(name)};
  const meta::Key count_key{meta::Space::kRecords, layout::bucket_count(bucket.owner)};
  for (unsigned tries = 0; tries < kMaxCommitTries; ++tries) {
    CO_TRY(auto now, co_await meta_.get_many(layout::kCloud, {name_key.bytes, count_key.bytes}));
    // Another who met the dead bucket's name was faster.
    if (now[0] != encode(bucket)) co_return Status{};
    CO_TRY(BucketCount count, count_of(now[1]));
    if (count.buckets == 0) co_return fail(Errc::kCorrupt, "an account has a bucket and the count of its buckets is 0");
    --count.buckets;
    meta::Commit change;
    change.partition = layout::kCloud;
    change.expect = {{name_key.bytes, std::move(now[0])}, {count_key.bytes, std::move(now[1])}};
    change.erase = {name_key, {meta::Space::kRecords, layout::account_bucket(bucket.owner, name)}};
    change.put.push_back({count_key, encode(count)});
    change.gives_back = true;
    change.unwitnessed = kNameOfTheDead;
    const auto done = co_await commit(std::move(change));
    // Again: until then the name led here, and whoever asked for it remembers the bucket.
    buckets_.forget(bucket.id);
    if (done) co_return Status{};
    if (!(done.error() == Errc::kConflict)) co_return fail(done.error());
    commits_retried_.add();
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the account's buckets kept changing");
}

}  // namespace andromede::objects
