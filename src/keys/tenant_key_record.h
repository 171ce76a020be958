// What is stored of tenants' keys: docs/formats/tenant-key.md. Pure.
#pragma once

#include <array>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/secret.h"
#include "meta/table.h"

namespace andromede::keys {

inline constexpr std::size_t kMaxWrappedTenantKeyBytes = 4096;

using KeyCheck = std::array<std::uint8_t, 32>;

struct TenantKeyRecord {
  KeyId id;
  AccountId account;
  Bytes wrapped;     // by custody, with custody_context() as its context
  KeyCheck check{};  // check_value() of the key
  Timestamp created;
};
struct TenantKeyKind {
  using Record = TenantKeyRecord;
  static constexpr meta::RecordMark kMark{'K', 3, "tenant key"};
  static constexpr std::string_view kPrefix = "tkey/";  // then tenant_key_name()
  static void fields(auto& fields, auto& record) {
    fields.id(record.id);
    fields.name(record.account);
    fields.bytes(record.wrapped, kMaxWrappedTenantKeyBytes);
    fields.array(record.check);
    fields.time(record.created);
  }
};
using TenantKeyTable = meta::Table<TenantKeyKind>;
inline std::string tenant_key_name(KeyId id) { return std::string(as_text(id.bytes())); }

// Which of an account's keys wraps what is written for it from now on.
struct CurrentKeyRecord {
  AccountId account;
  KeyId id;
};
struct CurrentKeyKind {
  using Record = CurrentKeyRecord;
  static constexpr meta::RecordMark kMark{'W', 2, "current key"};
  static constexpr std::string_view kPrefix = "atkey/";  // then the account's id
  static void fields(auto& fields, auto& record) {
    fields.name(record.account);
    fields.id(record.id);
  }
};
using CurrentKeyTable = meta::Table<CurrentKeyKind>;

// Which key it is, and whose: what custody wraps one as, it unwraps as no other.
Bytes custody_context(KeyId id, const AccountId& account);
// Tells the key that was wrapped from any other that custody may answer, and nothing about it.
KeyCheck check_value(const crypto::SecretKey& key, ByteView custody_context);

}  // namespace andromede::keys
