// identity::Directory: the tenants (accounts) and their credentials. Users, groups, roles, policies and sessions are
// another issue and come here too.
//
// Credentials lie in the metadata, their secrets sealed (crypto::seal_bytes) by the directory's key, and are held in
// memory after load(). Custody wraps that key; apps/ unwraps it. Thread-safe: find() is called from event loops and
// never blocks.
#pragma once

#include <functional>
#include <map>
#include <memory>
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
#include "meta/store.h"

namespace andromede::identity {

struct Account {
  AccountId id;              // twelve digits
  std::string display_name;  // "Ministère de la Culture"
  std::string canonical_id;  // 64 hexadecimal digits: the owner id that S3 shows
};

struct Credential {
  std::string access_key_id;  // AKIA… : 20 upper-case letters and digits
  crypto::SecretText secret;  // 40 letters and digits; never logged
  Account account;
};

class Directory {
 public:
  static constexpr std::size_t kMaxAccounts = 10'000;
  static constexpr std::size_t kMaxCredentialsPerAccount = 100;

  // `store`, `clock` and `random` are borrowed and outlive the directory.
  Directory(crypto::SecretKey sealing_key, meta::Store& store, const Clock& clock, Random& random);

  // Replaces what is in memory by what is stored. kCorrupt names the record.
  Task<Status> load();
  // Journaled as CreateAccount. kAlreadyExists when the id is taken, kInvalidArgument, kRefused (kMaxAccounts).
  Task<Status> create_account(Account account);
  // Makes a key pair for the account and answers it: the only time the secret is shown. Journaled as CreateAccessKey.
  // kNotFound, kRefused (kMaxCredentialsPerAccount).
  Task<Result<Credential>> create_credential(AccountId account);

  // Null: no such access key. The pointer keeps its credential alive.
  [[nodiscard]] std::shared_ptr<const Credential> find(std::string_view access_key_id) const;
  [[nodiscard]] std::vector<Account> accounts() const;

 private:
  Result<Account> account_for_new_credential(const AccountId& id) const;

  crypto::SecretKey sealing_key_;
  meta::Store& store_;
  const Clock& clock_;
  Random& random_;
  mutable std::shared_mutex mutex_;
  std::map<AccountId, Account> accounts_;
  std::map<std::string, std::shared_ptr<const Credential>, std::less<>> credentials_;
};

}  // namespace andromede::identity
