// What is stored of tenants' keys: docs/formats/tenant-key.md. Pure.
#pragma once

#include <array>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/secret.h"

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
std::string encode(const TenantKeyRecord& record);
Result<TenantKeyRecord> decode_tenant_key(ByteView bytes);  // kCorrupt

// Which of an account's keys wraps what is written for it from now on.
struct CurrentKeyRecord {
  AccountId account;
  KeyId id;
};
std::string encode(const CurrentKeyRecord& record);
Result<CurrentKeyRecord> decode_current_key(ByteView bytes);  // kCorrupt

// Which key it is, and whose: what custody wraps one as, it unwraps as no other.
Bytes custody_context(KeyId id, const AccountId& account);
// Tells the key that was wrapped from any other that custody may answer, and nothing about it.
KeyCheck check_value(const crypto::SecretKey& key, ByteView custody_context);

}  // namespace andromede::keys
