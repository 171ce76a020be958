// The stored form of accounts, credentials and operators: docs/formats/identity.md. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "crypto/digest.h"
#include "identity/directory.h"

namespace andromede::identity {

struct AccountRecord {
  Account account;
  Timestamp created;
  std::optional<Timestamp> closed;
  std::uint64_t revision = 0;  // one higher with every change of the account and of its keys
};
std::string encode(const AccountRecord& record);
Result<AccountRecord> decode_account(ByteView bytes);  // kCorrupt

struct CredentialRecord {
  AccountId account;
  Bytes sealed_secret;
  bool active = true;
  Timestamp created;
};
std::string encode(const CredentialRecord& record);
Result<CredentialRecord> decode_credential(ByteView bytes);  // kCorrupt

inline constexpr std::size_t kMaxOperatorNameBytes = 24;
struct OperatorRecord {
  std::string name;
  crypto::Sha256Digest verifier{};  // what a token is checked against
  Timestamp created;
  std::optional<Timestamp> expires;
};
std::string encode(const OperatorRecord& record);
Result<OperatorRecord> decode_operator(ByteView bytes);  // kCorrupt

// kInvalidArgument says what a name may hold.
Status check_operator_name(std::string_view name);

// kInvalidArgument unless the id, name and canonical id are as the format demands.
Status check_account(const Account& account);

}  // namespace andromede::identity
