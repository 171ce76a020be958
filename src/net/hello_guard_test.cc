#include "net/hello_guard.h"

#include <gtest/gtest.h>

namespace andromede::net {
namespace {

std::string number(std::size_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xFF));
  return out;
}
std::string record(char type, std::string_view payload) {
  return std::string(1, type) + "\x03\x03" + number(payload.size(), 2) + std::string(payload);
}
std::string message(char type, std::size_t announced, std::size_t sent) {
  return std::string(1, type) + number(announced, 3) + std::string(sent, 'm');
}

constexpr char kHandshake = 22;
constexpr char kChangeCipherSpec = 20;
constexpr std::size_t kMost = HelloGuard::kMaxHelloBytes;

bool passes(std::string_view bytes, std::size_t piece, bool tls_1_2 = false) {
  HelloGuard guard;
  while (!bytes.empty()) {
    const std::string_view next = bytes.substr(0, piece);
    if (!guard.pass(as_bytes(next), tls_1_2)) return false;
    bytes.remove_prefix(next.size());
  }
  return true;
}

class HelloGuardTest : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(PieceSizes, HelloGuardTest, ::testing::Values(1, 2, 5, 100'000));

TEST_P(HelloGuardTest, RefusesALongHelloByItsLengthAlone) {
  EXPECT_TRUE(passes(record(kHandshake, message(1, kMost, 1)), GetParam()));
  EXPECT_FALSE(passes(record(kHandshake, message(1, kMost + 1, 0)), GetParam()));
  EXPECT_FALSE(passes(record(kHandshake, message(1, 0x20000, 0)), GetParam()));
}

TEST_P(HelloGuardTest, ALengthMayLieInSeveralRecords) {
  const std::string header = message(1, 0x20000, 0);
  std::string torn;
  for (const char byte : header) torn += record(kHandshake, std::string(1, byte));
  EXPECT_FALSE(passes(torn, GetParam()));
}

TEST_P(HelloGuardTest, ASecondHelloIsLookedAtToo) {
  const std::string first = record(kHandshake, message(1, 300, 200)) + record(kHandshake, std::string(100, 'm'));
  const std::string between = record(kChangeCipherSpec, "\x01");
  EXPECT_TRUE(passes(first + between + record(kHandshake, message(1, 300, 300)), GetParam()));
  EXPECT_FALSE(passes(first + between + record(kHandshake, message(1, 0x20000, 10)), GetParam()));
  EXPECT_FALSE(passes(first + record(kHandshake, message(1, 0x20000, 10)), GetParam()));
}

TEST_P(HelloGuardTest, WhatIsEncryptedIsNot) {
  const std::string first = record(kHandshake, message(1, 300, 300) + message(16, 33, 33));
  const std::string encrypted = record(kHandshake, message(1, 0xFFFFFF, 36));
  EXPECT_TRUE(passes(first + record(kChangeCipherSpec, "\x01") + encrypted, GetParam(), true));
  EXPECT_TRUE(passes(first + record(23, message(1, 0xFFFFFF, 100)), GetParam()));
}

}  // namespace
}  // namespace andromede::net
