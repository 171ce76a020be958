// The stored form of a tenant's key: docs/formats/tenant-key.md. Pure.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace andromede::keys {

inline constexpr std::size_t kMaxWrappedTenantKeyBytes = 4096;

struct TenantKeyRecord {
  AccountId account;
  Bytes wrapped;
  Timestamp created;
};
std::string encode(const TenantKeyRecord& record);
Result<TenantKeyRecord> decode_tenant_key(ByteView bytes);  // kCorrupt

}  // namespace andromede::keys
