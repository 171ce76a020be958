#include "identity/directory.h"

#include <algorithm>

#include "base/deadline.h"
#include "identity/records.h"
#include "journal/journal.h"

namespace andromede::identity {
namespace {

constexpr const char* kPartition = "cloud";
constexpr const char* kSource = "identity.andromede";
constexpr std::string_view kAccountPrefix = "acct/";
constexpr std::string_view kCredentialPrefix = "cred/";
constexpr std::chrono::milliseconds kCommitTimeout{30'000};
constexpr std::size_t kPageItems = 1000;
constexpr std::size_t kAccessKeyRandomChars = 16;
constexpr std::size_t kSecretChars = 40;
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kAlphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::string random_text(Random& random, std::string_view alphabet, std::size_t count) {
  std::string text(count, '\0');
  for (char& c : text) c = alphabet[random.below(alphabet.size())];
  return text;
}

// The last key of a prefix's range is its first one with the last byte one higher: '/' + 1 is '0'.
std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  ++end.back();
  return end;
}

Task<Result<std::vector<meta::Item>>> scan_prefix(meta::Store& store, std::string_view prefix) {
  std::vector<meta::Item> all;
  std::string begin(prefix);
  for (;;) {
    meta::Scan scan;
    scan.partition = kPartition;
    scan.begin = begin;
    scan.end = prefix_end(prefix);
    scan.limit = kPageItems;
    CO_TRY(std::vector<meta::Item> page, co_await store.scan(std::move(scan)));
    if (page.empty()) co_return all;
    begin = page.back().key + '\0';
    std::move(page.begin(), page.end(), std::back_inserter(all));
  }
}

journal::Event operator_event(std::string name, const AccountId& account) {
  journal::Event event;
  event.source = kSource;
  event.name = std::move(name);
  event.principal = "operator";
  event.parameters.emplace_back("accountId", account.value());
  return event;
}

Result<Credential> open_credential(const crypto::SecretKey& key, std::string_view access_key_id, ByteView value,
                                   const std::map<AccountId, Account>& accounts) {
  TRY(const CredentialRecord record, decode_credential(value));
  const auto account = accounts.find(record.account);
  if (account == accounts.end()) return fail(Errc::kCorrupt, "its account does not exist");
  TRY(Bytes secret,
      crypto::open_bytes(key, record.sealed_secret, as_bytes(secret_context(access_key_id, record.account))));
  const bool fits = secret.size() <= crypto::SecretText::kMaxBytes;
  Credential credential{std::string(access_key_id), crypto::SecretText(fits ? as_text(secret) : ""), account->second};
  crypto::wipe(secret);
  if (!fits) return fail(Errc::kCorrupt, "its secret is too long");
  return credential;
}

}  // namespace

Directory::Directory(crypto::SecretKey sealing_key, meta::Store& store, const Clock& clock, Random& random)
    : sealing_key_(std::move(sealing_key)), store_(store), clock_(clock), random_(random) {}

Task<Status> Directory::load() {
  CO_TRY(const std::vector<meta::Item> account_items, co_await scan_prefix(store_, kAccountPrefix));
  CO_TRY(const std::vector<meta::Item> credential_items, co_await scan_prefix(store_, kCredentialPrefix));
  std::map<AccountId, Account> accounts;
  for (const meta::Item& item : account_items) {
    auto record = decode_account(as_bytes(item.value));
    if (!record) co_return fail(record.error().in(item.key));
    accounts.emplace(record->account.id, record->account);
  }
  std::map<std::string, std::shared_ptr<const Credential>, std::less<>> credentials;
  for (const meta::Item& item : credential_items) {
    const std::string id = item.key.substr(kCredentialPrefix.size());
    auto credential = open_credential(sealing_key_, id, as_bytes(item.value), accounts);
    if (!credential) co_return fail(credential.error().in(item.key));
    credentials.emplace(id, std::make_shared<const Credential>(std::move(*credential)));
  }
  const std::unique_lock lock(mutex_);
  accounts_ = std::move(accounts);
  credentials_ = std::move(credentials);
  co_return Status{};
}

Task<Status> Directory::create_account(Account account) {
  CO_CHECK_OK(check_account(account));
  if (this->accounts().size() >= kMaxAccounts) {
    co_return fail(Errc::kRefused, "a cloud has at most " + std::to_string(kMaxAccounts) + " accounts");
  }
  const std::string key = std::string(kAccountPrefix) + account.id.value();
  const Timestamp now = clock_.now();
  journal::Event event = operator_event("CreateAccount", account.id);
  event.parameters.emplace_back("displayName", account.display_name);
  meta::Commit change;
  change.partition = kPartition;
  change.expect.push_back({key, std::nullopt});
  change.put.push_back({{meta::Space::kRecords, key}, encode(AccountRecord{account, now})});
  change.event = journal::render(event, now);
  const auto committed = co_await store_.commit(std::move(change), Deadline::after(clock_, kCommitTimeout));
  if (!committed && committed.error() == Errc::kConflict) {
    co_return fail(Errc::kAlreadyExists, "the account " + account.id.value() + " exists already");
  }
  if (!committed) co_return fail(committed.error());
  const std::unique_lock lock(mutex_);
  accounts_.emplace(account.id, account);
  co_return Status{};
}

Result<Account> Directory::account_for_new_credential(const AccountId& id) const {
  const std::shared_lock lock(mutex_);
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return fail(Errc::kNotFound, "no account has the id " + id.value());
  const auto has = std::count_if(credentials_.begin(), credentials_.end(),
                                 [&id](const auto& entry) { return entry.second->account.id == id; });
  if (static_cast<std::size_t>(has) >= kMaxCredentialsPerAccount) {
    return fail(Errc::kRefused, "an account has at most " + std::to_string(kMaxCredentialsPerAccount) + " access keys");
  }
  return found->second;
}

Task<Result<Credential>> Directory::create_credential(AccountId account) {
  CO_TRY(Account owner, account_for_new_credential(account));
  Credential credential;
  credential.account = std::move(owner);
  credential.access_key_id = "AKIA" + random_text(random_, kBase32, kAccessKeyRandomChars);
  credential.secret = crypto::SecretText::random(random_, kAlphanumeric, kSecretChars);
  const std::string key = std::string(kCredentialPrefix) + credential.access_key_id;
  const Timestamp now = clock_.now();
  CredentialRecord record;
  record.account = account;
  record.created = now;
  record.sealed_secret = crypto::seal_bytes(sealing_key_, as_bytes(credential.secret.view()),
                                            as_bytes(secret_context(credential.access_key_id, account)), random_);
  journal::Event event = operator_event("CreateAccessKey", account);
  event.parameters.emplace_back("accessKeyId", credential.access_key_id);
  meta::Commit change;
  change.partition = kPartition;
  change.expect.push_back({key, std::nullopt});
  change.put.push_back({{meta::Space::kRecords, key}, encode(record)});
  change.event = journal::render(event, now);
  CO_TRY(const auto committed, co_await store_.commit(std::move(change), Deadline::after(clock_, kCommitTimeout)));
  (void)committed;
  const std::unique_lock lock(mutex_);
  credentials_.emplace(credential.access_key_id, std::make_shared<const Credential>(credential));
  co_return credential;
}

std::shared_ptr<const Credential> Directory::find(std::string_view access_key_id) const {
  const std::shared_lock lock(mutex_);
  const auto found = credentials_.find(access_key_id);
  return found == credentials_.end() ? nullptr : found->second;
}

std::vector<Account> Directory::accounts() const {
  const std::shared_lock lock(mutex_);
  std::vector<Account> all;
  all.reserve(accounts_.size());
  for (const auto& [id, account] : accounts_) all.push_back(account);
  return all;
}

}  // namespace andromede::identity
