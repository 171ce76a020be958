#include "keys/key_service.h"

#include "base/deadline.h"
#include "journal/journal.h"
#include "keys/tenant_key_record.h"

namespace andromede::keys {
namespace {

constexpr const char* kPartition = "cloud";
constexpr std::string_view kPrefix = "tkey/";
constexpr const char* kPrefixEnd = "tkey0";
constexpr std::chrono::milliseconds kCommitTimeout{30'000};
constexpr std::size_t kPageItems = 1000;

tl::unexpected<Error> no_key(const AccountId& account) {
  return fail(Errc::kNotFound, "the account " + account.value() + " has no key");
}

std::string creation_event(const identity::OperatorCaller& by, const AccountId& account, Timestamp now) {
  journal::Event event = identity::event_of(by, "keys.andromede", "CreateTenantKey");
  event.parameters.emplace_back("accountId", account.value());
  return journal::render(event, now);
}

}  // namespace

KeyService::KeyService(Custody& custody, meta::Store& store, const Clock& clock, Random& random)
    : custody_(custody), store_(store), clock_(clock), random_(random) {}

Task<Status> KeyService::load() {
  std::string begin(kPrefix);
  for (;;) {
    meta::Scan scan;
    scan.partition = kPartition;
    scan.begin = begin;
    scan.end = kPrefixEnd;
    scan.limit = kPageItems;
    CO_TRY(const std::vector<meta::Item> page, co_await store_.scan(std::move(scan)));
    if (page.empty()) co_return Status{};
    for (const meta::Item& item : page) {
      if (const auto taken = take(item); !taken) co_return fail(taken.error().in(item.key));
    }
    begin = page.back().key + '\0';
  }
}

Status KeyService::take(const meta::Item& item) {
  TRY(const TenantKeyRecord record, decode_tenant_key(as_bytes(item.value)));
  if (item.key != stored_key(record.account).bytes) {
    return fail(Errc::kCorrupt, "it is the key of the account " + record.account.value());
  }
  TRY(crypto::SecretKey key, custody_.unwrap(record.wrapped, as_bytes(record.account.value())));
  const std::unique_lock lock(mutex_);
  tenant_keys_.insert_or_assign(record.account, std::move(key));
  return {};
}

Task<Result<bool>> KeyService::take_stored(AccountId account) {
  const meta::Key at = stored_key(account);
  CO_TRY(const auto stored, co_await store_.get(kPartition, at));
  if (!stored) co_return false;
  CO_CHECK_OK(take({at.bytes, *stored}));
  co_return true;
}

Task<Status> KeyService::create_tenant_key(AccountId account, identity::OperatorCaller by) {
  crypto::SecretKey key = crypto::SecretKey::random(random_);
  const Timestamp now = clock_.now();
  TenantKeyRecord record;
  record.account = account;
  record.created = now;
  CO_TRY(record.wrapped, custody_.wrap(key, as_bytes(account.value())));
  if (record.wrapped.size() > kMaxWrappedTenantKeyBytes) {
    co_return fail(Errc::kInternal, "custody answered a wrapped key that is too large");
  }
  const meta::Key stored_at = stored_key(account);
  meta::Commit change;
  change.partition = kPartition;
  change.expect.push_back({stored_at.bytes, std::nullopt});
  change.put.push_back({stored_at, encode(record)});
  change.event = creation_event(by, account, now);
  const auto committed = co_await store_.commit(std::move(change), Deadline::after(clock_, kCommitTimeout));
  if (!committed) {
    // Another made one, or this one is stored in spite of the error: what counts is what the next start would load.
    const auto taken = co_await take_stored(account);
    if (committed.error() != Errc::kConflict) co_return fail(committed.error());
    if (!taken) co_return fail(taken.error());
    if (!*taken) co_return fail(Errc::kConflict, "the key of the account " + account.value() + " was just erased");
    co_return fail(Errc::kAlreadyExists, "the account " + account.value() + " has a key already");
  }
  const std::unique_lock lock(mutex_);
  tenant_keys_.insert_or_assign(account, std::move(key));
  co_return Status{};
}

meta::Key KeyService::stored_key(const AccountId& account) {
  return {meta::Space::kRecords, std::string(kPrefix) + account.value()};
}

void KeyService::forget(const AccountId& account) {
  const std::unique_lock lock(mutex_);
  tenant_keys_.erase(account);
}

Result<DataKey> KeyService::make_data_key(const AccountId& account) {
  crypto::SecretKey key = crypto::SecretKey::random(random_);
  const std::shared_lock lock(mutex_);
  const auto tenant = tenant_keys_.find(account);
  if (tenant == tenant_keys_.end()) return no_key(account);
  Bytes wrapped = crypto::wrap_key(tenant->second, key);
  return DataKey{std::move(key), std::move(wrapped)};
}

Result<crypto::SecretKey> KeyService::open_data_key(const AccountId& account, ByteView wrapped) {
  const std::shared_lock lock(mutex_);
  const auto tenant = tenant_keys_.find(account);
  if (tenant == tenant_keys_.end()) return no_key(account);
  return crypto::unwrap_key(tenant->second, wrapped);
}

}  // namespace andromede::keys
