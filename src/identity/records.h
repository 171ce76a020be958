// The stored form of accounts and credentials: docs/formats/identity.md. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "identity/directory.h"

namespace andromede::identity {

struct AccountRecord {
  Account account;
  Timestamp created;
};
std::string encode(const AccountRecord& record);
Result<AccountRecord> decode_account(ByteView bytes);  // kCorrupt

struct CredentialRecord {
  AccountId account;
  Bytes sealed_secret;
  Timestamp created;
};
std::string encode(const CredentialRecord& record);
Result<CredentialRecord> decode_credential(ByteView bytes);  // kCorrupt

// What a secret is sealed with beside the key.
std::string secret_context(std::string_view access_key_id, const AccountId& account);

// kInvalidArgument unless the id, name and canonical id are as the format demands.
Status check_account(const Account& account);

}  // namespace andromede::identity
