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

// From one state to the next, in one commit with its event.
struct Directory::Change {
  StatePointer before;  // null: the account is new
  State after;
  journal::Event event;
  meta::Commit commit;  // what changes beside the account's own record
};

namespace layout {

inline constexpr std::string_view kAccounts = "acct/";
inline constexpr std::string_view kCredentials = "cred/";

inline std::string account(const AccountId& id) { return std::string(kAccounts) + id.value(); }
inline std::string credentials(const AccountId& id) { return std::string(kCredentials) + id.value() + "/"; }
inline std::string credential(const AccountId& id, std::string_view access_key_id) {
  return credentials(id) + std::string(access_key_id);
}

}  // namespace layout

}  // namespace andromede::identity
