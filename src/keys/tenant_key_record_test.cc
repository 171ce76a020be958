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

template <typename Decode>
void expect_no_changed_byte_passes(const std::string& bytes, Decode decode) {
  ASSERT_TRUE(decode(as_bytes(bytes)));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_TRUE(decode(as_bytes(changed)).error() == Errc::kCorrupt) << i;
    EXPECT_TRUE(decode(as_bytes(bytes.substr(0, i))).error() == Errc::kCorrupt) << i;
  }
  EXPECT_FALSE(decode(as_bytes(bytes + "x")));
}

TEST(TenantKeyRecord, GoldenFileDecodesOpensAndEncodesIdentically) {
  const std::string stored = golden("tenant-key-v2.bin");
  const auto record = decode_tenant_key(as_bytes(stored));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->account.value(), "000000000001");
  EXPECT_EQ(record->id.to_string(), "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf");
  EXPECT_EQ(encode(*record), stored);
  Bytes root(32);
  for (std::size_t i = 0; i < root.size(); ++i) root[i] = static_cast<std::uint8_t>(i);
  const Bytes context = custody_context(record->id, record->account);
  const auto opened = crypto::open_bytes(*crypto::SecretKey::from_bytes(root), record->wrapped, context);
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(*opened, Bytes(32, 0x5a));
  EXPECT_EQ(check_value(*crypto::SecretKey::from_bytes(*opened), context), record->check);
}

TEST(TenantKeyRecord, GoldenFileOfTheCurrentKeyDecodesAndEncodesIdentically) {
  const std::string stored = golden("current-key-v1.bin");
  const auto record = decode_current_key(as_bytes(stored));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->account.value(), "000000000001");
  EXPECT_EQ(record->id.to_string(), "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf");
  EXPECT_EQ(encode(*record), stored);
}

TEST(TenantKeyRecord, AnyChangedByteAndAnyOtherLengthIsCorrupt) {
  expect_no_changed_byte_passes(golden("tenant-key-v2.bin"), decode_tenant_key);
  expect_no_changed_byte_passes(golden("current-key-v1.bin"), decode_current_key);
}

TEST(TenantKeyRecord, AWrappedKeyBeyondTheBoundIsCorrupt) {
  TenantKeyRecord record{KeyId{}, AccountId("000000000001"), Bytes(kMaxWrappedTenantKeyBytes), {}, {}};
  EXPECT_TRUE(decode_tenant_key(as_bytes(encode(record))));
  record.wrapped.push_back(0);
  EXPECT_FALSE(decode_tenant_key(as_bytes(encode(record))));
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
