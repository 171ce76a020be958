#include "keys/tenant_key_record.h"

#include <algorithm>

namespace andromede::keys {
namespace {

constexpr std::string_view kContext = "tenant key ";
constexpr std::string_view kCheckContext = "key check value ";

}  // namespace

Bytes custody_context(KeyId id, const AccountId& account) {
  Bytes context = to_bytes(kContext);
  ByteWriter writer(context);
  writer.raw(id.bytes());
  writer.raw(as_bytes(account.value()));
  return context;
}

KeyCheck check_value(const crypto::SecretKey& key, ByteView custody_context) {
  Bytes data = to_bytes(kCheckContext);
  ByteWriter(data).raw(custody_context);
  const crypto::SecretKey derived = crypto::derive_key(key.bytes(), data);
  KeyCheck check;
  std::copy(derived.bytes().begin(), derived.bytes().end(), check.begin());
  return check;
}

}  // namespace andromede::keys
