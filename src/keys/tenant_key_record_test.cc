#include "keys/tenant_key_record.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "crypto/secret.h"

namespace andromede::keys {
namespace {

std::string golden() {
  std::ifstream in(ANDROMEDE_TESTDATA "/tenant-key-v1.bin", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(TenantKeyRecord, GoldenFileDecodesOpensAndEncodesIdentically) {
  const auto record = decode_tenant_key(as_bytes(golden()));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->account.value(), "000000000001");
  EXPECT_EQ(encode(*record), golden());
  Bytes root(32);
  for (std::size_t i = 0; i < root.size(); ++i) root[i] = static_cast<std::uint8_t>(i);
  const auto key = crypto::open_bytes(*crypto::SecretKey::from_bytes(root), record->wrapped, as_bytes("000000000001"));
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(*key, Bytes(32, 0x5a));
}

TEST(TenantKeyRecord, AnyChangedByteAndAnyOtherLengthIsCorrupt) {
  const std::string bytes = golden();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_TRUE(decode_tenant_key(as_bytes(changed)).error() == Errc::kCorrupt) << i;
    EXPECT_TRUE(decode_tenant_key(as_bytes(bytes.substr(0, i))).error() == Errc::kCorrupt) << i;
  }
  EXPECT_FALSE(decode_tenant_key(as_bytes(bytes + "x")));
}

TEST(TenantKeyRecord, AWrappedKeyBeyondTheBoundIsCorrupt) {
  TenantKeyRecord record{AccountId("000000000001"), Bytes(kMaxWrappedTenantKeyBytes), {}};
  EXPECT_TRUE(decode_tenant_key(as_bytes(encode(record))));
  record.wrapped.push_back(0);
  EXPECT_FALSE(decode_tenant_key(as_bytes(encode(record))));
}

}  // namespace
}  // namespace andromede::keys
