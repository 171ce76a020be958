// CreateBucket, HeadBucket, DeleteBucket, ListBuckets.
//
// A bucket's name lies in the cloud's root, its objects in a root of the bucket's own: made before the name, needed
// open by every change that adds to the bucket, and ended before the name goes. Its end is what deletes the bucket, and
// says what that leaves: the name, which is erased at once, and uploads under way, which go in the background
// (cleanup.cc). So a deletion cut short leaves at most a name whose root has ended; that counts as no bucket, and who
// wants to make or delete a bucket of that name erases it first.
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
  for (Retries::Try a_try = retries_.begin(context.stop); a_try.may_go_on(); co_await a_try.pause()) {
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
  CO_TRY(auto now, co_await meta_.get_many(meta::kCloudPartition, {name_key.bytes, count_key.bytes}, deadline()));
  if (now[0]) {
    CO_TRY(const BucketRecord other, decode_bucket(as_bytes(*now[0])));
    CO_TRY(const auto state, co_await meta_.root_state(layout::root(other.id), deadline()));
    if (state && other.owner == context.principal.account.id) {
      if (wanted.empty() || other.policy == policy) co_return Status{};
      co_return fail(ObjectErrc::kBucketAlreadyOwnedByYou, "it has another policy");
    }
    if (state) co_return fail(ObjectErrc::kBucketAlreadyExists, "the name is taken: bucket names are shared by all");
    CO_CHECK_OK(co_await erase_name(other, name, context.stop));
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
  CO_CHECK_OK(co_await meta_.create_root(layout::root(bucket.id), deadline()));

  const std::uint64_t ticket = buckets_.ticket();
  meta::Commit change;
  change.partition = meta::kCloudPartition;
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
  CO_CHECK_OK(co_await meta_.forget_root(layout::root(bucket.id), deadline()));
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
  scan.partition = meta::kCloudPartition;
  scan.begin = base + std::max(request.prefix, request.after.empty() ? request.after : request.after + '\0');
  scan.end = meta::past_prefix(base + request.prefix);
  Stretch stretch;
  while (true) {
    CO_TRY(const auto items, co_await meta_.scan(scan));
    for (const meta::Item& item : items) {
      co_await stretch.pause();
      CO_TRY(const BucketRecord bucket, decode_bucket(as_bytes(item.value)));
      CO_TRY(const auto state, co_await meta_.root_state(layout::root(bucket.id), deadline()));
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
  for (Retries::Try a_try = retries_.begin(context.stop); a_try.may_go_on(); co_await a_try.pause()) {
    const Status done = co_await try_delete_bucket(context, bucket, name);
    if (done || !(done.error() == Errc::kConflict)) co_return done;
    commits_retried_.add();
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the bucket kept changing while it was deleted");
}

Task<Result<bool>> ServiceImpl::has_objects(const BucketRecord& bucket) {
  const std::string base = layout::objects(bucket.id);
  const auto cursor = walk_of(bucket, base, {}, {deadline(), {}});
  co_return co_await cursor->seek(base);
}

Task<Status> ServiceImpl::try_delete_bucket(const identity::Context& context, const BucketRecord& bucket,
                                            const std::string& name) {
  const meta::RootId root = layout::root(bucket.id);
  CO_TRY(const auto state, co_await meta_.root_state(root, deadline()));
  if (!state) {
    CO_CHECK_OK(co_await erase_name(bucket, name, context.stop));
    co_return fail(ObjectErrc::kNoSuchBucket, "the bucket was deleted");
  }
  const auto not_empty = [] { return fail(ObjectErrc::kBucketNotEmpty, "the bucket still holds objects"); };
  // Before closing, so that a refused deletion does not touch the bucket; and after it, when no write can come between.
  CO_TRY(const bool full, co_await has_objects(bucket));
  if (full) co_return not_empty();

  meta::RootEnd end;
  random_.fill(end.mark);
  const Status closed = co_await meta_.close_root(root, end.mark, deadline());
  // Another deletion was faster, and this one is to take the name.
  if (!closed && closed.error() == Errc::kNotFound) co_return fail(Errc::kConflict, closed.error().message());
  CO_CHECK_OK(closed);

  CO_TRY(const bool filled, co_await has_objects(bucket));
  if (filled) {
    CO_CHECK_OK(co_await ensure_open(bucket));
    co_return not_empty();
  }

  end.left = encode(DeletedBucket{bucket, name});
  end.event = event(context, "DeleteBucket", {{"bucketName", name}});
  const auto done = co_await meta_.end_root(root, std::move(end), deadline());
  // Also where it may have happened.
  cleanup_.wake();
  if (!done) co_return fail(done.error());
  co_return co_await erase_name(bucket, name, context.stop);
}

Task<Status> ServiceImpl::erase_name(const BucketRecord& bucket, const std::string& name, std::stop_token stop) {
  buckets_.forget(bucket.id);
  const meta::Key name_key{meta::Space::kRecords, layout::bucket_name(name)};
  const meta::Key count_key{meta::Space::kRecords, layout::bucket_count(bucket.owner)};
  for (Retries::Try a_try = retries_.begin(stop); a_try.may_go_on(); co_await a_try.pause()) {
    CO_TRY(auto now, co_await meta_.get_many(meta::kCloudPartition, {name_key.bytes, count_key.bytes}, deadline()));
    // Another who met the dead bucket's name was faster.
    if (now[0] != encode(bucket)) co_return Status{};
    CO_TRY(BucketCount count, count_of(now[1]));
    if (count.buckets == 0) co_return fail(Errc::kCorrupt, "an account has a bucket and the count of its buckets is 0");
    --count.buckets;
    meta::Commit change;
    change.partition = meta::kCloudPartition;
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
