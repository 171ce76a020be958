#include "keys/tenant_key_record.h"

#include "crypto/digest.h"

namespace andromede::keys {
namespace {

constexpr std::string_view kMagic = "ATK1";
constexpr std::size_t kCrcBytes = 4;

}  // namespace

std::string encode(const TenantKeyRecord& record) {
  Bytes bytes = to_bytes(kMagic);
  ByteWriter writer(bytes);
  writer.text(record.account.value());
  writer.bytes(record.wrapped);
  writer.u64(static_cast<std::uint64_t>(record.created.ms));
  const std::uint32_t crc = crypto::crc32c(0, bytes);
  writer.u32(crc);
  return std::string(as_text(bytes));
}

Result<TenantKeyRecord> decode_tenant_key(ByteView bytes) {
  ByteReader reader(bytes);
  if (as_text(reader.raw(kMagic.size())) != kMagic) return fail(Errc::kCorrupt, "tenant key: not of version 1");
  TenantKeyRecord record;
  record.account = AccountId(std::string(reader.text()));
  record.wrapped = to_bytes(reader.bytes());
  record.created.ms = static_cast<std::int64_t>(reader.u64());
  const std::uint32_t crc = reader.u32();
  CHECK_OK(reader.finish("tenant key"));
  if (crc != crypto::crc32c(0, bytes.first(bytes.size() - kCrcBytes))) {
    return fail(Errc::kCorrupt, "tenant key: its checksum is wrong");
  }
  if (record.wrapped.size() > kMaxWrappedTenantKeyBytes) return fail(Errc::kCorrupt, "tenant key: it is too large");
  return record;
}

}  // namespace andromede::keys
