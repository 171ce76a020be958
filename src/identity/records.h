// The stored form of accounts, credentials and operators: docs/formats/identity.md. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "crypto/digest.h"
#include "identity/directory.h"
#include "meta/table.h"

namespace andromede::identity {

struct AccountRecord {
  Account account;
  Timestamp created;
  std::optional<Timestamp> closed;
  std::uint64_t revision = 0;  // one higher with every change of the account and of its keys
};
struct AccountKind {
  using Record = AccountRecord;
  static constexpr meta::RecordMark kMark{'A', 2, "account"};
  static constexpr std::string_view kPrefix = "acct/";  // then its id
  static void fields(auto& fields, auto& record) {
    fields.name(record.account.id);
    fields.text(record.account.display_name);
    fields.text(record.account.canonical_id);
    fields.time(record.created);
    fields.time(record.closed);
    fields.u64(record.revision);
  }
  static Status check(const AccountRecord& record);
};
using AccountTable = meta::Table<AccountKind>;

struct CredentialRecord {
  AccountId account;
  Bytes sealed_secret;
  bool active = true;
  Timestamp created;
};
struct CredentialKind {
  using Record = CredentialRecord;
  static constexpr meta::RecordMark kMark{'C', 2, "credential"};
  static constexpr std::string_view kPrefix = "cred/";  // then credential_name()
  static void fields(auto& fields, auto& record) {
    fields.name(record.account);
    fields.bytes(record.sealed_secret);
    fields.flag(record.active);
    fields.time(record.created);
  }
  static Status check(const CredentialRecord& record);
};
using CredentialTable = meta::Table<CredentialKind>;
inline std::string credentials_of(const AccountId& account) { return account.value() + "/"; }
inline std::string credential_name(const AccountId& account, std::string_view access_key_id) {
  return credentials_of(account) + std::string(access_key_id);
}

inline constexpr std::size_t kMaxOperatorNameBytes = 24;
struct OperatorRecord {
  std::string name;
  crypto::Sha256Digest verifier{};  // what a token is checked against
  Timestamp created;
  std::optional<Timestamp> expires;
};
struct OperatorKind {
  using Record = OperatorRecord;
  static constexpr meta::RecordMark kMark{'T', 2, "operator"};
  static constexpr std::string_view kPrefix = "op/";  // then its name
  static void fields(auto& fields, auto& record) {
    fields.text(record.name, kMaxOperatorNameBytes);
    fields.array(record.verifier);
    fields.time(record.created);
    fields.time(record.expires);
  }
  static Status check(const OperatorRecord& record);
};
using OperatorTable = meta::Table<OperatorKind>;

// kInvalidArgument says what a name may hold.
Status check_operator_name(std::string_view name);

// kInvalidArgument unless the id, name and canonical id are as the format demands.
Status check_account(const Account& account);

}  // namespace andromede::identity
