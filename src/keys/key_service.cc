#include "keys/key_service.h"

#include <algorithm>
#include <stop_token>
#include <utility>

#include "journal/journal.h"
#include "keys/tenant_key_record.h"

namespace andromede::keys {
namespace {

constexpr std::chrono::milliseconds kCommitTimeout{30'000};
// For threads that custody keeps, at the end.
constexpr std::chrono::seconds kLastWait{1};

std::string creation_event(const identity::Context& by, const TenantKeyRecord& record) {
  journal::Event event = identity::event_of(by, "keys.andromede", "CreateTenantKey");
  event.parameters.emplace_back("accountId", record.account.value());
  event.parameters.emplace_back("keyId", record.id.to_string());
  return journal::render(event, record.created);
}

// Which data key was wanted, and for whom.
Error told(const Error& error, const KeyUse& use) {
  std::string what = "the data key of the blob " + use.blob.to_string();
  if (!use.request_id.empty()) what += ", for the request " + use.request_id + " of " + use.caller.value();
  return error.in(what);
}

// Records on a drive may be forged: what one account's records name is opened with its own keys only.
Status check_owner(const TenantKey& key, const KeyUse& use) {
  if (use.owner.empty() || key.account == use.owner) return {};
  return fail(
      told(Error(make_error_code(Errc::kCorrupt), "the key " + key.id.to_string() + " is another account's"), use));
}

Task<Result<KeyId>> read_current(meta::Store& store, AccountId account, Deadline deadline) {
  CO_TRY(const auto row, co_await CurrentKeyTable::get(store, account.value(), deadline));
  if (!row) co_return fail(Errc::kNotFound, "the account " + account.value() + " has no key");
  if (row->record.account != account) co_return fail(Errc::kCorrupt, "the current key is another account's");
  co_return row->record.id;
}

Task<Result<TenantKeyRecord>> read_key(meta::Store& store, KeyId id, Deadline deadline) {
  CO_TRY(auto row, co_await TenantKeyTable::get(store, tenant_key_name(id), deadline));
  if (!row) co_return fail(Errc::kNotFound, "there is no key " + id.to_string());
  if (row->record.id != id) co_return fail(Errc::kCorrupt, "it is the key " + row->record.id.to_string());
  co_return std::move(row->record);
}

// Blocks.
Result<TenantKeyPointer> unwrap(Custody& custody, const TenantKeyRecord& record, Deadline deadline) {
  const Bytes context = custody_context(record.id, record.account);
  TRY(crypto::SecretKey key, custody.unwrap(record.wrapped, context, deadline));
  // Whatever were wrapped by another key could never be opened again.
  if (!constant_time_equal(check_value(key, context), record.check)) {
    return fail(Errc::kCorrupt, "custody answered another key than was wrapped");
  }
  return std::make_shared<const TenantKey>(TenantKey{record.id, record.account, std::move(key)});
}

// Blocks.
Result<Bytes> wrap_and_look(Custody& custody, const crypto::SecretKey& key, ByteView context, Deadline deadline) {
  TRY(Bytes wrapped, custody.wrap(key, context, deadline));
  if (wrapped.size() > kMaxWrappedTenantKeyBytes) {
    return fail(Errc::kCorrupt, "custody answered a wrapped key that is too large");
  }
  TRY(const crypto::SecretKey again, custody.unwrap(wrapped, context, deadline));
  if (!constant_time_equal(again.bytes(), key.bytes())) {
    return fail(Errc::kCorrupt, "custody does not unwrap what it wrapped");
  }
  return wrapped;
}

}  // namespace

KeyService::KeyService(std::shared_ptr<Custody> custody, meta::Store& store, const Clock& clock, Random& random,
                       KeyOptions options)
    : custody_(std::move(custody)),
      store_(store),
      clock_(clock),
      random_(random),
      options_(options),
      cache_(std::make_shared<TenantKeyCache>(options.cached_keys)),
      pool_("custody", options.threads, options.queued_calls),
      deadlines_("key-deadlines") {}

KeyService::~KeyService() { pool_.leave(kLastWait); }

template <typename Answer>
Task<Answer> KeyService::wait(std::shared_ptr<SharedCall<Answer>> call, meta::Patience patience) {
  const DeadlineWatch::Watched watched(deadlines_, call, std::min(options_.patience, patience.deadline.left(clock_)));
  const std::stop_callback on_stop(patience.stop, [call] {
    call->give_up(Error(make_error_code(Errc::kCancelled), "nobody waits for the key any more"));
  });
  co_return co_await call->answer();
}

Task<Result<Bytes>> KeyService::wrap(std::shared_ptr<const crypto::SecretKey> key, Bytes context) {
  const auto call = std::make_shared<SharedCall<Result<Bytes>>>();
  const Deadline deadline = Deadline::after(clock_, options_.patience);
  const bool posted =
      pool_.post([call, custody = custody_, key = std::move(key), context = std::move(context), deadline] {
        if (!call->settled()) call->settle(wrap_and_look(*custody, *key, context, deadline));
      });
  if (!posted) co_return fail(Errc::kOverloaded, "too many wait for custody");
  co_return co_await wait(call, {});
}

Task<Status> KeyService::create_tenant_key(AccountId account, const identity::Context& by) {
  const auto key = std::make_shared<const crypto::SecretKey>(crypto::SecretKey::random(random_));
  TenantKeyRecord record;
  record.id = KeyId::random(random_);
  record.account = account;
  record.created = clock_.now();
  const Bytes context = custody_context(record.id, account);
  record.check = check_value(*key, context);
  CO_TRY(record.wrapped, co_await wrap(key, context));
  meta::Commit change;
  change.partition = meta::kCloudPartition;
  TenantKeyTable::put(change, tenant_key_name(record.id), record);
  CurrentKeyTable::create(change, account.value(), {account, record.id});
  change.event = creation_event(by, record);
  const auto committed = co_await store_.commit(std::move(change), Deadline::after(clock_, kCommitTimeout));
  if (committed) co_return Status{};
  if (committed.error() != Errc::kConflict) co_return fail(committed.error());
  CO_TRY(const auto other,
         co_await CurrentKeyTable::get(store_, account.value(), Deadline::after(clock_, kCommitTimeout)));
  if (!other) co_return fail(Errc::kConflict, "the key of the account " + account.value() + " was just erased");
  co_return fail(Errc::kAlreadyExists, "the account " + account.value() + " has a key already");
}

Task<Result<KeyService::Erasure>> KeyService::erasure_of(AccountId account) {
  CO_TRY(auto row, co_await CurrentKeyTable::get(store_, account.value(), Deadline::after(clock_, kCommitTimeout)));
  const meta::Key current = CurrentKeyTable::key(account.value());
  Erasure erasure;
  if (!row) {
    erasure.expect.push_back({current.bytes, std::nullopt});
    co_return erasure;
  }
  erasure.key = row->record.id;
  erasure.erase = {current, TenantKeyTable::key(tenant_key_name(row->record.id))};
  erasure.expect.push_back({current.bytes, std::move(row->stored)});
  co_return erasure;
}

Task<Result<DataKey>> KeyService::make_data_key(const KeyUse& use) {
  TenantKeyPointer tenant = cache_->find_current(use.owner, clock_.steady());
  if (tenant == nullptr) {
    CO_TRY(tenant, co_await current_key(use));
  }
  DataKey made{tenant->id, crypto::SecretKey::random(random_), {}};
  made.wrapped = crypto::wrap_key(tenant->key, made.key);
  co_return made;
}

Task<Result<TenantKeyPointer>> KeyService::current_key(const KeyUse& use) {
  const auto id = co_await read_current(store_, use.owner, Deadline::after(clock_, kCommitTimeout));
  if (!id) co_return fail(told(id.error(), use));
  TenantKeyPointer key = cache_->find(*id, clock_.steady());
  if (key == nullptr) {
    CO_TRY(key, co_await unwrapped(*id, use));
  }
  CO_CHECK_OK(check_owner(*key, use));
  cache_->set_current(key);
  co_return key;
}

Task<Result<crypto::SecretKey>> KeyService::open_data_key(KeyId key, ByteView wrapped, const KeyUse& use) {
  TenantKeyPointer tenant = cache_->find(key, clock_.steady());
  if (tenant == nullptr) {
    CO_TRY(tenant, co_await unwrapped(key, use));
  }
  CO_CHECK_OK(check_owner(*tenant, use));
  co_return crypto::unwrap_key(tenant->key, wrapped);
}

Task<Result<TenantKeyPointer>> KeyService::unwrapped(KeyId id, const KeyUse& use) {
  const auto call = std::make_shared<TenantKeyCache::Call>();
  if (auto unwrapping = cache_->wait_for(id, call)) co_await begin(std::move(unwrapping));
  auto answer = co_await wait(call, use.patience);
  if (!answer) co_return fail(told(answer.error(), use));
  co_return answer;
}

Task<void> KeyService::begin(TenantKeyCache::UnwrappingPointer unwrapping) {
  auto record = co_await read_key(store_, unwrapping->id(), Deadline::after(clock_, kCommitTimeout));
  // From before custody is asked: when it decides, nobody knows.
  const SteadyTime until = clock_.steady() + options_.lease;
  if (!record) {
    cache_->settle(unwrapping, fail(record.error()), until);
    co_return;
  }
  const Deadline deadline = Deadline::after(clock_, options_.patience);
  const bool posted =
      pool_.post([cache = cache_, custody = custody_, unwrapping, record = *std::move(record), until, deadline] {
        if (cache->wanted(unwrapping)) cache->settle(unwrapping, unwrap(*custody, record, deadline), until);
      });
  if (!posted) cache_->settle(unwrapping, fail(Errc::kOverloaded, "too many wait for custody"), until);
}

}  // namespace andromede::keys
