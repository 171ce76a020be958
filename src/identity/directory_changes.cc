// What operators change in the directory.
#include "base/deadline.h"
#include "identity/directory_state.h"

namespace andromede::identity {
namespace {

constexpr std::size_t kAccessKeyRandomChars = 16;
constexpr std::size_t kSecretKeyChars = 40;
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

std::string random_text(Random& random, std::string_view alphabet, std::size_t count) {
  std::string text(count, '\0');
  for (char& c : text) c = alphabet[random.below(alphabet.size())];
  return text;
}

journal::Event key_event(const Context& by, std::string name, const AccountId& account,
                         std::string_view access_key_id) {
  journal::Event event = event_of(by, kSource, std::move(name));
  event.parameters.emplace_back("accountId", account.value());
  event.parameters.emplace_back("accessKeyId", std::string(access_key_id));
  return event;
}

}  // namespace

Task<Status> Directory::commit(Change change) {
  const AccountId id = change.after.record.account.id;
  change.after.record.revision = change.before ? change.before->record.revision + 1 : 1;
  meta::Commit& commit = change.commit;
  commit.partition = meta::kCloudPartition;
  if (change.before) {
    AccountTable::replace(commit, AccountTable::row(id.value(), change.before->record), change.after.record);
  } else {
    AccountTable::create(commit, id.value(), change.after.record);
  }
  commit.event = journal::render(change.event, clock_.now());
  const auto committed = co_await store_.commit(std::move(commit), Deadline::after(clock_, kCommitTimeout));
  if (committed) {
    take(std::make_shared<const State>(std::move(change.after)));
    co_return Status{};
  }
  co_await reread(id);
  if (committed.error() == Errc::kConflict) {
    co_return fail(Errc::kConflict,
                   "the account " + id.value() + " was changed at the same moment: look at it, and try again");
  }
  co_return fail(committed.error());
}

Task<Status> Directory::create_account(Account account, const Context& by) {
  CO_CHECK_OK(check_account(account));
  const auto taken = [&account] {
    return fail(Errc::kAlreadyExists, "the account " + account.id.value() + " exists already, or did");
  };
  if (state_of(account.id)) co_return taken();
  CO_CHECK_OK(check_room());
  Change change;
  change.after.record.account = account;
  change.after.record.created = clock_.now();
  change.event = event_of(by, kSource, "CreateAccount");
  change.event.parameters.emplace_back("accountId", account.id.value());
  change.event.parameters.emplace_back("displayName", account.display_name);
  const Status done = co_await commit(std::move(change));
  if (!done && done.error() == Errc::kConflict) co_return taken();
  co_return done;
}

Task<Status> Directory::close_account(AccountId account, const Context& by, Beside beside) {
  CO_TRY(const StatePointer before, open_state_of(account));
  Change change;
  change.before = before;
  change.after.record = before->record;
  change.after.record.closed = clock_.now();
  change.commit.expect = std::move(beside.expect);
  change.commit.erase = std::move(beside.erase);
  for (const auto& [id, key] : before->keys)
    change.commit.erase.push_back(CredentialTable::key(credential_name(account, id)));
  change.event = event_of(by, kSource, "CloseAccount");
  change.event.parameters.emplace_back("accountId", account.value());
  change.event.parameters.emplace_back("accessKeysDeleted", std::to_string(before->keys.size()));
  co_return co_await commit(std::move(change));
}

Task<Result<Credential>> Directory::create_credential(AccountId account, const Context& by) {
  CO_TRY(const StatePointer before, open_state_of(account));
  if (before->keys.size() >= kMaxCredentialsPerAccount) {
    co_return fail(Errc::kRefused, "an account has at most " + std::to_string(kMaxCredentialsPerAccount) +
                                       " access keys: delete one that is no longer used");
  }
  auto credential = std::make_shared<Credential>();
  credential->account = before->record.account;
  credential->access_key_id = "AKIA" + random_text(random_, kBase32, kAccessKeyRandomChars);
  credential->secret = crypto::SecretText::random(random_, kAlphanumeric, kSecretKeyChars);
  const std::string& id = credential->access_key_id;
  const std::string name = credential_name(account, id);
  CredentialRecord record;
  record.account = account;
  record.created = clock_.now();
  record.sealed_secret = crypto::seal_bytes(sealing_key_, as_bytes(credential->secret.view()),
                                            as_bytes(CredentialTable::key(name).bytes), random_);
  Change change;
  change.before = before;
  change.after = *before;
  change.after.keys.emplace(id, State::Key{credential, true, record.created});
  CredentialTable::create(change.commit, name, record);
  change.event = key_event(by, "CreateAccessKey", account, id);
  CO_CHECK_OK(co_await commit(std::move(change)));
  co_return *credential;
}

Task<Status> Directory::set_active(std::string access_key_id, bool active, const Context& by) {
  CO_TRY(const StatePointer before, state_of_key(access_key_id));
  if (before->keys.find(access_key_id)->second.active == active) co_return Status{};
  const AccountId account = before->record.account.id;
  CO_TRY(const auto row, co_await CredentialTable::get(store_, credential_name(account, access_key_id),
                                                       Deadline::after(clock_, kCommitTimeout)));
  if (!row) {
    co_await reread(account);
    co_return fail(Errc::kConflict, "the access key was deleted at the same moment");
  }
  CredentialRecord record = row->record;
  record.active = active;
  Change change;
  change.before = before;
  change.after = *before;
  change.after.keys.find(access_key_id)->second.active = active;
  CredentialTable::replace(change.commit, *row, record);
  change.event = key_event(by, active ? "EnableAccessKey" : "DisableAccessKey", account, access_key_id);
  co_return co_await commit(std::move(change));
}

Task<Status> Directory::delete_credential(std::string access_key_id, const Context& by) {
  CO_TRY(const StatePointer before, state_of_key(access_key_id));
  const AccountId account = before->record.account.id;
  Change change;
  change.before = before;
  change.after = *before;
  change.after.keys.erase(access_key_id);
  change.commit.erase.push_back(CredentialTable::key(credential_name(account, access_key_id)));
  change.event = key_event(by, "DeleteAccessKey", account, access_key_id);
  co_return co_await commit(std::move(change));
}

}  // namespace andromede::identity
