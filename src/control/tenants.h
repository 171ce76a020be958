// control::Tenants: opens and closes tenants' accounts, over the directory, the key service and the buckets.
//
// Thread-safe. Both calls block (custody): never from an event loop.
#pragma once

#include <optional>
#include <string>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "identity/directory.h"
#include "keys/key_service.h"
#include "meta/store.h"

namespace andromede::control {

class Tenants {
 public:
  // All are borrowed and outlive this.
  Tenants(CloudId cloud, identity::Directory& directory, keys::KeyService& keys, meta::Store& store, Random& random);

  // Makes an account with a key of its own, and no access keys yet. Without `id` a free one is drawn. After an error of
  // the store it may be there all the same, and can then be used; called again with the same id it is made, or
  // kAlreadyExists. Errors of Directory::create_account.
  Result<identity::Account> open(std::optional<AccountId> id, const std::string& display_name,
                                 const identity::Context& by);
  // Deletes the account's access keys and its key: whatever copy of its data is left anywhere cannot be read any more.
  // kRefused while it has buckets; errors of Directory::close_account.
  Status close(const AccountId& id, const identity::Context& by);

 private:
  // `key` goes with it.
  Status erase(const AccountId& id, keys::KeyService::Erasure key, const identity::Context& by);

  const CloudId cloud_;
  identity::Directory& directory_;
  keys::KeyService& keys_;
  meta::Store& store_;
  Random& random_;
};

}  // namespace andromede::control
