#include "identity/records.h"

#include <algorithm>

namespace andromede::identity {
namespace {

constexpr std::size_t kMaxDisplayNameBytes = 256;
constexpr std::size_t kAccountIdDigits = 12;
constexpr std::size_t kCanonicalIdDigits = 64;

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_account_id(std::string_view id) { return id.size() == kAccountIdDigits && all_digits(id); }

}  // namespace

Status AccountKind::check(const AccountRecord& record) { return check_account(record.account); }

Status CredentialKind::check(const CredentialRecord& record) {
  if (is_account_id(record.account.value())) return {};
  return fail(Errc::kCorrupt, "its account id is malformed");
}

Status OperatorKind::check(const OperatorRecord& record) { return check_operator_name(record.name); }

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
