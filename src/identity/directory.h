// identity::Directory: the tenants (accounts) and their credentials. Users, groups, roles, policies and sessions
// come here too.
//
// Credentials lie in the metadata, their secrets sealed (crypto::seal_bytes) by the directory's key, and are held in
// memory after load(). Custody wraps that key; apps/ unwraps it. Thread-safe: find() is called from event loops and
// never blocks. A change counts for every find() after its answer.
//
// Changes of one account are put in order by its record's revision: whoever is overtaken by another gets kConflict.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "identity/account.h"
#include "identity/context.h"
#include "meta/store.h"

namespace andromede::identity {

// The owner id that S3 shows: derived, so that the same account has the same one everywhere in this cloud.
std::string canonical_id(CloudId cloud, const AccountId& account);

struct Credential {
  std::string access_key_id;  // AKIA… : 20 upper-case letters and digits
  crypto::SecretText secret;  // 40 letters and digits; never logged
  Account account;
};

struct KeyInfo {
  std::string access_key_id;
  bool active = true;
  Timestamp created;
};

struct AccountInfo {
  Account account;
  Timestamp created;
  std::optional<Timestamp> closed;
  std::vector<KeyInfo> keys;  // in the order of their ids
};

// What another module adds to a commit of the directory's, in partition `cloud`.
struct Beside {
  std::vector<meta::Expectation> expect;
  std::vector<meta::Key> erase;
};

class Directory {
 public:
  static constexpr std::size_t kMaxAccounts = 10'000;         // open ones
  static constexpr std::size_t kMaxAccountRecords = 100'000;  // with those that were closed
  static constexpr std::size_t kMaxCredentialsPerAccount = 20;

  // `store`, `clock` and `random` are borrowed and outlive the directory.
  Directory(crypto::SecretKey sealing_key, meta::Store& store, const Clock& clock, Random& random);

  // Replaces what is in memory by what is stored. kCorrupt names the record.
  Task<Status> load();

  // Every change is journaled with who made it. kConflict: the account was changed at the same moment, or what is
  // `beside` did not hold.
  //
  // CreateAccount. kAlreadyExists when the id is taken, by a closed account too; kInvalidArgument, kRefused
  // (kMaxAccounts, kMaxAccountRecords).
  Task<Status> create_account(Account account, const Context& by);
  // CloseAccount: its keys are deleted, and its id is not given again. kNotFound; kRefused when it is closed.
  Task<Status> close_account(AccountId account, const Context& by, Beside beside);
  // CreateAccessKey: makes a key pair for the account and answers it: the only time the secret is shown.
  // kNotFound, kRefused (closed, kMaxCredentialsPerAccount).
  Task<Result<Credential>> create_credential(AccountId account, const Context& by);
  // EnableAccessKey, DisableAccessKey. kNotFound; nothing is done and journaled when it is so already.
  Task<Status> set_active(std::string access_key_id, bool active, const Context& by);
  // DeleteAccessKey. kNotFound.
  Task<Status> delete_credential(std::string access_key_id, const Context& by);

  // Null: no such access key, or one that is not active. The pointer keeps its credential alive.
  [[nodiscard]] std::shared_ptr<const Credential> find(std::string_view access_key_id) const;
  // What a commit expects that only an open account may make. kNotFound; kRefused: it is closed.
  [[nodiscard]] Result<meta::Expectation> expect_open(const AccountId& account) const;
  // kRefused: no account can be made (kMaxAccounts, kMaxAccountRecords).
  [[nodiscard]] Status check_room() const;
  // kNotFound.
  [[nodiscard]] Result<AccountInfo> account(const AccountId& id) const;
  // At most `limit` accounts whose id is greater than `after`, in order, closed ones too.
  [[nodiscard]] std::vector<AccountInfo> accounts(const AccountId& after, std::size_t limit) const;

 private:
  struct State;
  using StatePointer = std::shared_ptr<const State>;
  struct Change;

  [[nodiscard]] StatePointer state_of(const AccountId& id) const;
  // Of an account that may be changed: kNotFound, kRefused.
  [[nodiscard]] Result<StatePointer> open_state_of(const AccountId& id) const;
  [[nodiscard]] Result<StatePointer> state_of_key(std::string_view access_key_id) const;
  struct Rows;
  [[nodiscard]] Result<State> state_of_rows(const Rows& rows) const;
  Task<Status> commit(Change change);
  // Takes in what is stored of an account, after a commit whose outcome is not what memory says.
  Task<void> reread(AccountId id);
  void take(StatePointer state);

  crypto::SecretKey sealing_key_;
  meta::Store& store_;
  const Clock& clock_;
  Random& random_;
  mutable std::shared_mutex mutex_;
  std::map<AccountId, StatePointer> accounts_;
  std::size_t open_accounts_ = 0;
  struct Held {
    std::shared_ptr<const Credential> credential;
    bool active = true;
  };
  std::map<std::string, Held, std::less<>> credentials_;
};

}  // namespace andromede::identity
