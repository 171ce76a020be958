// Internal to identity/: what the directory knows of one account. Never changed: a change makes another.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "identity/commits.h"
#include "identity/directory.h"
#include "identity/records.h"

namespace andromede::identity {

struct Directory::State {
  struct Key {
    std::shared_ptr<const Credential> credential;
    bool active = true;
    Timestamp created;
  };
  AccountRecord record;
  std::map<std::string, Key, std::less<>> keys;  // by access key id
};

// The same as it is stored.
struct Directory::Rows {
  AccountTable::Row account;
  std::vector<CredentialTable::Row> credentials;
};

// From one state to the next, in one commit with its event.
struct Directory::Change {
  StatePointer before;  // null: the account is new
  State after;
  journal::Event event;
  meta::Commit commit;  // what changes beside the account's own record
};

}  // namespace andromede::identity
