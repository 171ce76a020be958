#include "keys/tenant_key_record.h"

#include <algorithm>

#include "crypto/digest.h"

namespace andromede::keys {
namespace {

constexpr std::string_view kTenantKeyMagic = "ATK2";
constexpr std::string_view kCurrentKeyMagic = "ACK1";
constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kCrcBytes = 4;
constexpr std::string_view kContext = "tenant key ";
constexpr std::string_view kCheckContext = "key check value ";

std::string with_crc(Bytes bytes) {
  const std::uint32_t crc = crypto::crc32c(0, bytes);
  ByteWriter(bytes).u32(crc);
  return std::string(as_text(bytes));
}

// The fields behind the magic, once it and the checksum are right.
Result<ByteReader> open_fields(ByteView bytes, std::string_view magic, const std::string& what) {
  if (bytes.size() < kMagicBytes + kCrcBytes || as_text(bytes.first(kMagicBytes)) != magic) {
    return fail(Errc::kCorrupt, what + ": not of the version that is known");
  }
  const ByteView covered = bytes.first(bytes.size() - kCrcBytes);
  if (ByteReader(bytes.last(kCrcBytes)).u32() != crypto::crc32c(0, covered)) {
    return fail(Errc::kCorrupt, what + ": its checksum is wrong");
  }
  return ByteReader(covered.subspan(kMagicBytes));
}

}  // namespace

std::string encode(const TenantKeyRecord& record) {
  Bytes bytes = to_bytes(kTenantKeyMagic);
  ByteWriter writer(bytes);
  writer.raw(record.id.bytes());
  writer.text(record.account.value());
  writer.bytes(record.wrapped);
  writer.raw(record.check);
  writer.u64(static_cast<std::uint64_t>(record.created.ms));
  return with_crc(std::move(bytes));
}

Result<TenantKeyRecord> decode_tenant_key(ByteView bytes) {
  TRY(ByteReader reader, open_fields(bytes, kTenantKeyMagic, "tenant key"));
  TenantKeyRecord record;
  record.id = KeyId::from_bytes(reader.raw(KeyId::kSize));
  record.account = AccountId(std::string(reader.text()));
  record.wrapped = to_bytes(reader.bytes());
  const ByteView check = reader.raw(record.check.size());
  record.created.ms = static_cast<std::int64_t>(reader.u64());
  CHECK_OK(reader.finish("tenant key"));
  std::copy(check.begin(), check.end(), record.check.begin());
  if (record.wrapped.size() > kMaxWrappedTenantKeyBytes) return fail(Errc::kCorrupt, "tenant key: it is too large");
  return record;
}

std::string encode(const CurrentKeyRecord& record) {
  Bytes bytes = to_bytes(kCurrentKeyMagic);
  ByteWriter writer(bytes);
  writer.text(record.account.value());
  writer.raw(record.id.bytes());
  return with_crc(std::move(bytes));
}

Result<CurrentKeyRecord> decode_current_key(ByteView bytes) {
  TRY(ByteReader reader, open_fields(bytes, kCurrentKeyMagic, "current key"));
  CurrentKeyRecord record;
  record.account = AccountId(std::string(reader.text()));
  record.id = KeyId::from_bytes(reader.raw(KeyId::kSize));
  CHECK_OK(reader.finish("current key"));
  return record;
}

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
