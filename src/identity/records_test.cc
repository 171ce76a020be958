#include "identity/records.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace andromede::identity {
namespace {

std::string golden(const std::string& name) {
  std::ifstream in(ANDROMEDE_TESTDATA "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(IdentityRecords, GoldenAccountDecodesAndEncodesIdentically) {
  const std::string bytes = golden("account-v2.bin");
  const auto record = meta::decode<AccountKind>(as_bytes(bytes));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->account.id.value(), "000000000001");
  EXPECT_EQ(record->account.display_name, "Ministère de la Culture");
  EXPECT_EQ(record->created.ms, 1'795'380'000'123);
  EXPECT_EQ(record->closed->ms, 1'795'380'000'456);
  EXPECT_EQ(record->revision, 7U);
  EXPECT_EQ(meta::encode<AccountKind>(*record), bytes);
}

TEST(IdentityRecords, GoldenCredentialDecodesOpensAndEncodesIdentically) {
  const std::string bytes = golden("credential-v2.bin");
  const auto record = meta::decode<CredentialKind>(as_bytes(bytes));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(meta::encode<CredentialKind>(*record), bytes);
  Bytes key(32);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  const auto secret = crypto::open_bytes(*crypto::SecretKey::from_bytes(key), record->sealed_secret,
                                         as_bytes("cred/000000000001/AKIAABCDEFGHIJKLMNOP"));
  EXPECT_TRUE(record->active);
  ASSERT_TRUE(secret) << secret.error().message();
  EXPECT_EQ(as_text(*secret), "0123456789abcdefghijABCDEFGHIJ0123456789");
}

TEST(IdentityRecords, GoldenOperatorDecodesAndEncodesIdentically) {
  const std::string bytes = golden("operator-v2.bin");
  const auto record = meta::decode<OperatorKind>(as_bytes(bytes));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->name, "claire");
  EXPECT_EQ(record->created.ms, 1'795'380'000'123);
  EXPECT_EQ(record->expires->ms, 1'795'380'000'456);
  EXPECT_EQ(meta::encode<OperatorKind>(*record), bytes);
}

TEST(IdentityRecords, AnyOtherLengthKindOrVersionIsCorrupt) {
  for (const std::string name : {"account-v2.bin", "credential-v2.bin", "operator-v2.bin"}) {
    const std::string bytes = golden(name);
    const auto corrupt = [&name](std::string_view text) {
      if (name.starts_with("account")) return meta::decode<AccountKind>(as_bytes(text)).error() == Errc::kCorrupt;
      if (name.starts_with("operator")) return meta::decode<OperatorKind>(as_bytes(text)).error() == Errc::kCorrupt;
      return meta::decode<CredentialKind>(as_bytes(text)).error() == Errc::kCorrupt;
    };
    for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_TRUE(corrupt(bytes.substr(0, i))) << name << i;
    for (const std::size_t i : {0, 1}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      EXPECT_TRUE(corrupt(changed)) << name << i;
    }
    EXPECT_TRUE(corrupt(bytes + "x"));
  }
}

TEST(IdentityRecords, ChecksAccounts) {
  const Account good{AccountId("123456789012"), "A", std::string(64, 'f')};
  EXPECT_TRUE(check_account(good));
  for (const char* id : {"", "12345678901", "1234567890123", "12345678901a", "123456789 12"}) {
    Account bad = good;
    bad.id = AccountId(id);
    EXPECT_TRUE(check_account(bad).error() == Errc::kInvalidArgument) << id;
  }
  Account bad = good;
  bad.display_name.clear();
  EXPECT_FALSE(check_account(bad));
  bad.display_name = std::string(257, 'x');
  EXPECT_FALSE(check_account(bad));
  bad = good;
  bad.canonical_id = std::string(64, 'F');
  EXPECT_FALSE(check_account(bad));
  bad.canonical_id = std::string(63, 'f');
  EXPECT_FALSE(check_account(bad));
}

}  // namespace
}  // namespace andromede::identity
