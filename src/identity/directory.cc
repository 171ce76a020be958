#include "identity/directory.h"

#include <algorithm>

#include "crypto/digest.h"
#include "identity/directory_state.h"

namespace andromede::identity {
namespace {

Result<std::shared_ptr<const Credential>> open_credential(const crypto::SecretKey& key, std::string access_key_id,
                                                          const CredentialRecord& record, const Account& account) {
  const std::string bound_to = CredentialTable::key(credential_name(account.id, access_key_id)).bytes;
  TRY(Bytes secret, crypto::open_bytes(key, record.sealed_secret, as_bytes(bound_to)));
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

Result<Directory::State> Directory::state_of_rows(const Rows& rows) const {
  State state;
  state.record = rows.account.record;
  const AccountId& account = state.record.account.id;
  if (rows.account.name != account.value()) {
    return fail(Errc::kCorrupt,
                AccountTable::key(rows.account.name).bytes + ": it is the record of the account " + account.value());
  }
  for (const CredentialTable::Row& row : rows.credentials) {
    const std::string id = row.name.substr(credentials_of(account).size());
    auto credential = open_credential(sealing_key_, id, row.record, state.record.account);
    if (!credential) return fail(credential.error().in(CredentialTable::key(row.name).bytes));
    state.keys.emplace(id, State::Key{std::move(*credential), row.record.active, row.record.created});
  }
  return state;
}

Task<Status> Directory::load() {
  const Deadline deadline = Deadline::after(clock_, kCommitTimeout);
  CO_TRY(std::vector<AccountTable::Row> accounts, co_await AccountTable::all(store_, {}, deadline));
  CO_TRY(std::vector<CredentialTable::Row> credentials, co_await CredentialTable::all(store_, {}, deadline));
  std::map<std::string, std::vector<CredentialTable::Row>> keys;  // by credentials_of() their account
  for (CredentialTable::Row& row : credentials) {
    keys[row.name.substr(0, row.name.rfind('/') + 1)].push_back(std::move(row));
  }
  std::vector<StatePointer> states;
  for (AccountTable::Row& row : accounts) {
    auto own = keys.extract(credentials_of(AccountId(row.name)));
    Rows rows{std::move(row), {}};
    if (!own.empty()) rows.credentials = std::move(own.mapped());
    CO_TRY(State state, state_of_rows(rows));
    states.push_back(std::make_shared<const State>(std::move(state)));
  }
  if (!keys.empty()) {
    co_return fail(Errc::kCorrupt,
                   CredentialTable::key(keys.begin()->second.front().name).bytes + ": its account does not exist");
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
  const Deadline deadline = Deadline::after(clock_, kCommitTimeout);
  auto before = co_await AccountTable::get(store_, id.value(), deadline);
  if (!before || !*before) co_return;
  auto credentials = co_await CredentialTable::all(store_, credentials_of(id), deadline);
  const auto after = co_await AccountTable::get(store_, id.value(), deadline);
  // The record's revision moves with every change of a key: the same before and after, all that was read fits together.
  if (!credentials || !after || !*after || (*after)->stored != (*before)->stored) co_return;
  auto state = state_of_rows({**std::move(before), *std::move(credentials)});
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
  return meta::Expectation{AccountTable::key(account.value()).bytes, meta::encode<AccountKind>(state->record)};
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
