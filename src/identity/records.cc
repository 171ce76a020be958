#include "identity/records.h"

#include <algorithm>

#include "crypto/digest.h"

namespace andromede::identity {
namespace {

constexpr std::string_view kAccountMagic = "AAC1";
constexpr std::string_view kCredentialMagic = "ACR1";
constexpr std::string_view kOperatorMagic = "AOP1";
constexpr std::size_t kMaxDisplayNameBytes = 256;
constexpr std::size_t kAccountIdDigits = 12;
constexpr std::size_t kCanonicalIdDigits = 64;
constexpr std::size_t kCrcBytes = 4;

std::string with_crc(Bytes bytes) {
  const std::uint32_t crc = crypto::crc32c(0, bytes);
  ByteWriter(bytes).u32(crc);
  return std::string(as_text(bytes));
}

// The record's fields, once its magic and checksum are right.
Result<ByteReader> open_record(ByteView bytes, std::string_view magic, const char* what) {
  if (bytes.size() < magic.size() + kCrcBytes || as_text(bytes.first(magic.size())) != magic) {
    return fail(Errc::kCorrupt, std::string(what) + ": not of version 1");
  }
  const ByteView body = bytes.first(bytes.size() - kCrcBytes);
  ByteReader crc(bytes.subspan(body.size()));
  if (crc.u32() != crypto::crc32c(0, body)) return fail(Errc::kCorrupt, std::string(what) + ": its checksum is wrong");
  return ByteReader(body.subspan(magic.size()));
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_account_id(std::string_view id) { return id.size() == kAccountIdDigits && all_digits(id); }

}  // namespace

std::string encode(const AccountRecord& record) {
  Bytes bytes = to_bytes(kAccountMagic);
  ByteWriter writer(bytes);
  writer.text(record.account.id.value());
  writer.text(record.account.display_name);
  writer.text(record.account.canonical_id);
  writer.u64(static_cast<std::uint64_t>(record.created.ms));
  writer.u64(static_cast<std::uint64_t>(record.closed.value_or(Timestamp{}).ms));
  writer.u64(record.revision);
  return with_crc(std::move(bytes));
}

Result<AccountRecord> decode_account(ByteView bytes) {
  TRY(ByteReader reader, open_record(bytes, kAccountMagic, "account"));
  AccountRecord record;
  record.account.id = AccountId(std::string(reader.text()));
  record.account.display_name = reader.text();
  record.account.canonical_id = reader.text();
  record.created.ms = static_cast<std::int64_t>(reader.u64());
  if (const auto closed_ms = static_cast<std::int64_t>(reader.u64()); closed_ms != 0)
    record.closed = Timestamp{closed_ms};
  record.revision = reader.u64();
  CHECK_OK(reader.finish("account"));
  if (const auto checked = check_account(record.account); !checked) {
    return fail(Errc::kCorrupt, "account: " + checked.error().message());
  }
  return record;
}

std::string encode(const CredentialRecord& record) {
  Bytes bytes = to_bytes(kCredentialMagic);
  ByteWriter writer(bytes);
  writer.text(record.account.value());
  writer.bytes(record.sealed_secret);
  writer.u8(record.active ? 1 : 0);
  writer.u64(static_cast<std::uint64_t>(record.created.ms));
  return with_crc(std::move(bytes));
}

Result<CredentialRecord> decode_credential(ByteView bytes) {
  TRY(ByteReader reader, open_record(bytes, kCredentialMagic, "credential"));
  CredentialRecord record;
  record.account = AccountId(std::string(reader.text()));
  record.sealed_secret = to_bytes(reader.bytes());
  const std::uint8_t active = reader.u8();
  record.active = active == 1;
  record.created.ms = static_cast<std::int64_t>(reader.u64());
  CHECK_OK(reader.finish("credential"));
  if (active > 1) return fail(Errc::kCorrupt, "credential: it is neither active nor not");
  if (!is_account_id(record.account.value())) return fail(Errc::kCorrupt, "credential: its account id is malformed");
  return record;
}

std::string encode(const OperatorRecord& record) {
  Bytes bytes = to_bytes(kOperatorMagic);
  ByteWriter writer(bytes);
  writer.text(record.name);
  writer.raw(record.verifier);
  writer.u64(static_cast<std::uint64_t>(record.created.ms));
  writer.u64(static_cast<std::uint64_t>(record.expires.value_or(Timestamp{}).ms));
  return with_crc(std::move(bytes));
}

Result<OperatorRecord> decode_operator(ByteView bytes) {
  TRY(ByteReader reader, open_record(bytes, kOperatorMagic, "operator"));
  OperatorRecord record;
  record.name = reader.text();
  const ByteView verifier = reader.raw(record.verifier.size());
  record.created.ms = static_cast<std::int64_t>(reader.u64());
  if (const auto expires_ms = static_cast<std::int64_t>(reader.u64()); expires_ms != 0) {
    record.expires = Timestamp{expires_ms};
  }
  CHECK_OK(reader.finish("operator"));
  std::copy(verifier.begin(), verifier.end(), record.verifier.begin());
  if (const auto checked = check_operator_name(record.name); !checked) {
    return fail(Errc::kCorrupt, "operator: " + checked.error().message());
  }
  return record;
}

Status check_operator_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto allowed = [&letter](char c) { return letter(c) || c == '-' || c == '_' || c == '.'; };
  if (name.empty() || name.size() > kMaxOperatorNameBytes || !letter(name.front()) ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return fail(Errc::kInvalidArgument,
                "an operator's name has 1 to 24 lower-case letters, digits, '-', '_' and '.', and begins with a letter "
                "or digit");
  }
  return {};
}

Status check_account(const Account& account) {
  if (!is_account_id(account.id.value())) {
    return fail(Errc::kInvalidArgument, "an account id has twelve digits");
  }
  if (account.display_name.empty() || account.display_name.size() > kMaxDisplayNameBytes) {
    return fail(Errc::kInvalidArgument,
                "an account's display name has 1 to " + std::to_string(kMaxDisplayNameBytes) + " bytes");
  }
  const bool is_hex = std::all_of(account.canonical_id.begin(), account.canonical_id.end(),
                                  [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (account.canonical_id.size() != kCanonicalIdDigits || !is_hex) {
    return fail(Errc::kInvalidArgument, "a canonical id has 64 lower-case hexadecimal digits");
  }
  return {};
}

}  // namespace andromede::identity
