// keys::KeyService: the hierarchy root (Custody) → tenant key (one per account, wrapped, in the metadata) → data key
// (one per blob, wrapped by the tenant's, beside the blob's record). Tenant keys are unwrapped once and kept in secret
// memory.
//
// Thread-safe after load(); data keys are made on event loops without blocking.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "identity/operator_caller.h"
#include "keys/custody.h"
#include "meta/store.h"

namespace andromede::keys {

struct DataKey {
  crypto::SecretKey key;
  Bytes wrapped;
};

class KeyService {
 public:
  // All are borrowed and outlive the service.
  KeyService(Custody& custody, meta::Store& store, const Clock& clock, Random& random);

  // Unwraps every account's key. Blocks (custody): at start-up, by sync_wait.
  Task<Status> load();
  // Makes and stores an account's key; journaled as CreateTenantKey. kAlreadyExists when it has one, and then that one
  // can be used. After an error that leaves in doubt whether it was stored, whichever is stored can. Blocks.
  Task<Status> create_tenant_key(AccountId account, identity::OperatorCaller by);
  // Where an account's key is stored: erased with the account, in its commit, whoever closes it then calls forget().
  static meta::Key stored_key(const AccountId& account);
  void forget(const AccountId& account);

  // A new random data key, wrapped by the account's. kNotFound: the account has no key.
  Result<DataKey> make_data_key(const AccountId& account);
  // kNotFound, kCorrupt (not wrapped by this account's key).
  Result<crypto::SecretKey> open_data_key(const AccountId& account, ByteView wrapped);

 private:
  Status take(const meta::Item& item);
  // Takes in the key that is stored for an account; whether there is one.
  Task<Result<bool>> take_stored(AccountId account);

  Custody& custody_;
  meta::Store& store_;
  const Clock& clock_;
  Random& random_;
  mutable std::shared_mutex mutex_;
  std::map<AccountId, crypto::SecretKey> tenant_keys_;
};

}  // namespace andromede::keys
