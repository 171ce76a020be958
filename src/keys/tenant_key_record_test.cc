#include "keys/tenant_key_record.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace andromede::keys {
namespace {

std::string golden(const std::string& name) {
  std::ifstream in(ANDROMEDE_TESTDATA "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

template <typename Kind>
void expect_no_other_length_kind_or_version_passes(const std::string& bytes) {
  const auto passes = [](std::string_view text) { return meta::decode<Kind>(as_bytes(text)).has_value(); };
  ASSERT_TRUE(passes(bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(passes(bytes.substr(0, i))) << i;
  EXPECT_FALSE(passes(bytes + "x"));
  for (const std::size_t i : {0, 1}) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(passes(changed)) << i;
  }
}

TEST(TenantKeyRecord, GoldenFileDecodesOpensAndEncodesIdentically) {
  const std::string stored = golden("tenant-key-v3.bin");
  const auto record = meta::decode<TenantKeyKind>(as_bytes(stored));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->account.value(), "000000000001");
  EXPECT_EQ(record->id.to_string(), "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf");
  EXPECT_EQ(meta::encode<TenantKeyKind>(*record), stored);
  Bytes root(32);
  for (std::size_t i = 0; i < root.size(); ++i) root[i] = static_cast<std::uint8_t>(i);
  const Bytes context = custody_context(record->id, record->account);
  const auto opened = crypto::open_bytes(*crypto::SecretKey::from_bytes(root), record->wrapped, context);
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(*opened, Bytes(32, 0x5a));
  EXPECT_EQ(check_value(*crypto::SecretKey::from_bytes(*opened), context), record->check);
}

TEST(TenantKeyRecord, GoldenFileOfTheCurrentKeyDecodesAndEncodesIdentically) {
  const std::string stored = golden("current-key-v2.bin");
  const auto record = meta::decode<CurrentKeyKind>(as_bytes(stored));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->account.value(), "000000000001");
  EXPECT_EQ(record->id.to_string(), "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf");
  EXPECT_EQ(meta::encode<CurrentKeyKind>(*record), stored);
}

TEST(TenantKeyRecord, AnyOtherLengthKindOrVersionIsCorrupt) {
  expect_no_other_length_kind_or_version_passes<TenantKeyKind>(golden("tenant-key-v3.bin"));
  expect_no_other_length_kind_or_version_passes<CurrentKeyKind>(golden("current-key-v2.bin"));
}

TEST(TenantKeyRecord, AWrappedKeyBeyondTheBoundIsCorrupt) {
  TenantKeyRecord record{KeyId{}, AccountId("000000000001"), Bytes(kMaxWrappedTenantKeyBytes), {}, {}};
  EXPECT_TRUE(meta::decode<TenantKeyKind>(as_bytes(meta::encode<TenantKeyKind>(record))));
  record.wrapped.push_back(0);
  EXPECT_FALSE(meta::decode<TenantKeyKind>(as_bytes(meta::encode<TenantKeyKind>(record))));
}

TEST(TenantKeyRecord, TheCheckValueIsTheKeysInItsContext) {
  SeededRandom random(1);
  const crypto::SecretKey key = crypto::SecretKey::random(random);
  const AccountId account("000000000001");
  const KeyId id = KeyId::random(random);
  const KeyCheck check = check_value(key, custody_context(id, account));
  EXPECT_NE(check, check_value(crypto::SecretKey::random(random), custody_context(id, account)));
  EXPECT_NE(check, check_value(key, custody_context(KeyId::random(random), account)));
  EXPECT_NE(check, check_value(key, custody_context(id, AccountId("000000000002"))));
}

}  // namespace
}  // namespace andromede::keys
