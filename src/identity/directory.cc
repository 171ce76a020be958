#include "identity/directory.h"

#include <algorithm>

#include "crypto/digest.h"
#include "identity/directory_state.h"

namespace andromede::identity {
namespace {

constexpr std::size_t kPageItems = 1000;

// The last key of a prefix's range is its first one with the last byte one higher: '/' + 1 is '0'.
std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  ++end.back();
  return end;
}

Task<Result<std::vector<meta::Item>>> scan_prefix(meta::Store& store, const Clock& clock, std::string prefix) {
  std::vector<meta::Item> all;
  std::string begin = prefix;
  for (;;) {
    meta::Scan scan;
    scan.partition = meta::kCloudPartition;
    scan.begin = begin;
    scan.end = prefix_end(prefix);
    scan.limit = kPageItems;
    scan.patience.deadline = Deadline::after(clock, kCommitTimeout);
    CO_TRY(std::vector<meta::Item> page, co_await store.scan(std::move(scan)));
    if (page.empty()) co_return all;
    begin = page.back().key + '\0';
    std::move(page.begin(), page.end(), std::back_inserter(all));
  }
}

Result<std::shared_ptr<const Credential>> open_credential(const crypto::SecretKey& key, std::string access_key_id,
                                                          const CredentialRecord& record, const Account& account) {
  TRY(Bytes secret,
      crypto::open_bytes(key, record.sealed_secret, as_bytes(layout::credential(account.id, access_key_id))));
  const bool fits = secret.size() <= crypto::SecretText::kMaxBytes;
  auto credential = std::make_shared<Credential>();
  credential->access_key_id = std::move(access_key_id);
  if (fits) credential->secret = crypto::SecretText(as_text(secret));
  credential->account = account;
  crypto::wipe(secret);
  if (!fits) return fail(Errc::kCorrupt, "its secret is too long");
  return credential;
}

tl::unexpected<Error> no_account(const AccountId& id) {
  return fail(Errc::kNotFound, "no account has the id " + id.value());
}

}  // namespace

std::string canonical_id(CloudId cloud, const AccountId& account) {
  return to_hex(crypto::sha256(as_bytes("andromede canonical id\n" + cloud.to_string() + "\n" + account.value())));
}

Directory::Directory(crypto::SecretKey sealing_key, meta::Store& store, const Clock& clock, Random& random)
    : sealing_key_(std::move(sealing_key)), store_(store), clock_(clock), random_(random) {}

Result<Directory::State> Directory::decode_state(const meta::Item& account,
                                                 const std::vector<meta::Item>& credentials) const {
  auto record = decode_account(as_bytes(account.value));
  if (!record) return fail(record.error().in(account.key));
  if (account.key != layout::account(record->account.id)) {
    return fail(Errc::kCorrupt, account.key + ": it is the record of the account " + record->account.id.value());
  }
  State state;
  state.record = std::move(*record);
  const std::string prefix = layout::credentials(state.record.account.id);
  for (const meta::Item& item : credentials) {
    const std::string id = item.key.substr(prefix.size());
    const auto decoded = decode_credential(as_bytes(item.value));
    if (!decoded) return fail(decoded.error().in(item.key));
    auto credential = open_credential(sealing_key_, id, *decoded, state.record.account);
    if (!credential) return fail(credential.error().in(item.key));
    state.keys.emplace(id, State::Key{std::move(*credential), decoded->active, decoded->created});
  }
  return state;
}

Task<Status> Directory::load() {
  CO_TRY(const std::vector<meta::Item> account_items,
         co_await scan_prefix(store_, clock_, std::string(layout::kAccounts)));
  CO_TRY(const std::vector<meta::Item> key_items,
         co_await scan_prefix(store_, clock_, std::string(layout::kCredentials)));
  std::map<std::string, std::vector<meta::Item>> keys;  // by the prefix of their account
  for (const meta::Item& item : key_items) keys[item.key.substr(0, item.key.rfind('/') + 1)].push_back(item);
  std::vector<StatePointer> states;
  for (const meta::Item& item : account_items) {
    const AccountId id(item.key.substr(layout::kAccounts.size()));
    auto own = keys.extract(layout::credentials(id));
    CO_TRY(State state, decode_state(item, own.empty() ? std::vector<meta::Item>() : own.mapped()));
    states.push_back(std::make_shared<const State>(std::move(state)));
  }
  if (!keys.empty()) {
    co_return fail(Errc::kCorrupt, keys.begin()->second.front().key + ": its account does not exist");
  }
  {
    const std::unique_lock lock(mutex_);
    accounts_.clear();
    credentials_.clear();
    open_accounts_ = 0;
  }
  for (StatePointer& state : states) take(std::move(state));
  co_return Status{};
}

Task<void> Directory::reread(AccountId id) {
  const meta::Key key{meta::Space::kRecords, layout::account(id)};
  const Deadline deadline = Deadline::after(clock_, kCommitTimeout);
  const auto before = co_await store_.get(meta::kCloudPartition, key, deadline);
  if (!before || !*before) co_return;
  const auto credentials = co_await scan_prefix(store_, clock_, layout::credentials(id));
  const auto after = co_await store_.get(meta::kCloudPartition, key, deadline);
  // The record's revision moves with every change of a key: the same before and after, all that was read fits together.
  if (!credentials || !after || *after != *before) co_return;
  auto state = decode_state({key.bytes, **before}, *credentials);
  if (state) take(std::make_shared<const State>(std::move(*state)));
}

void Directory::take(StatePointer state) {
  const std::unique_lock lock(mutex_);
  StatePointer& held = accounts_[state->record.account.id];
  // Of two changes, the one that was committed first may come here second.
  if (held && held->record.revision >= state->record.revision) return;
  if (held) {
    for (const auto& [id, key] : held->keys) credentials_.erase(id);
    if (!held->record.closed) --open_accounts_;
  }
  for (const auto& [id, key] : state->keys) credentials_.insert_or_assign(id, Held{key.credential, key.active});
  if (!state->record.closed) ++open_accounts_;
  held = std::move(state);
}

std::shared_ptr<const Credential> Directory::find(std::string_view access_key_id) const {
  const std::shared_lock lock(mutex_);
  const auto found = credentials_.find(access_key_id);
  return found == credentials_.end() || !found->second.active ? nullptr : found->second.credential;
}

Directory::StatePointer Directory::state_of(const AccountId& id) const {
  const std::shared_lock lock(mutex_);
  const auto found = accounts_.find(id);
  return found == accounts_.end() ? nullptr : found->second;
}

Result<Directory::StatePointer> Directory::open_state_of(const AccountId& id) const {
  StatePointer state = state_of(id);
  if (!state) return no_account(id);
  if (state->record.closed) return fail(Errc::kRefused, "the account " + id.value() + " is closed");
  return state;
}

Result<Directory::StatePointer> Directory::state_of_key(std::string_view access_key_id) const {
  std::optional<AccountId> owner;
  {
    const std::shared_lock lock(mutex_);
    const auto found = credentials_.find(access_key_id);
    if (found != credentials_.end()) owner = found->second.credential->account.id;
  }
  StatePointer state = owner ? state_of(*owner) : nullptr;
  if (!state || !state->keys.contains(access_key_id)) {
    return fail(Errc::kNotFound, "there is no access key " + std::string(access_key_id));
  }
  return state;
}

Result<meta::Expectation> Directory::expect_open(const AccountId& account) const {
  TRY(const StatePointer state, open_state_of(account));
  return meta::Expectation{layout::account(account), encode(state->record)};
}

Status Directory::check_room() const {
  const std::shared_lock lock(mutex_);
  if (open_accounts_ < kMaxAccounts && accounts_.size() < kMaxAccountRecords) return {};
  return fail(Errc::kRefused, "a cloud has at most " + std::to_string(kMaxAccounts) + " accounts, and " +
                                  std::to_string(kMaxAccountRecords) + " with those that were closed");
}

Result<AccountInfo> Directory::account(const AccountId& id) const {
  const StatePointer state = state_of(id);
  if (!state) return no_account(id);
  AccountInfo info{state->record.account, state->record.created, state->record.closed, {}};
  for (const auto& [key_id, key] : state->keys) info.keys.push_back({key_id, key.active, key.created});
  return info;
}

std::vector<AccountInfo> Directory::accounts(const AccountId& after, std::size_t limit) const {
  std::vector<AccountId> ids;
  {
    const std::shared_lock lock(mutex_);
    for (auto at = accounts_.upper_bound(after); at != accounts_.end() && ids.size() < limit; ++at) {
      ids.push_back(at->first);
    }
  }
  std::vector<AccountInfo> all;
  for (const AccountId& id : ids) {
    if (auto info = account(id)) all.push_back(std::move(*info));
  }
  return all;
}

}  // namespace andromede::identity
