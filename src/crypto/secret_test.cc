#include "crypto/secret.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <fstream>

#include "crypto/secret_memory.h"

namespace andromede::crypto {
namespace {

SecretKey key_of(std::string_view hex) { return std::move(*SecretKey::from_bytes(*from_hex(hex))); }

TEST(KeyWrap, MatchesRfc3394Section46) {
  const SecretKey wrapping = key_of("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F");
  const SecretKey key = key_of("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
  const Bytes wrapped = wrap_key(wrapping, key);
  EXPECT_EQ(to_hex(wrapped), "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");
  const auto unwrapped = unwrap_key(wrapping, wrapped);
  ASSERT_TRUE(unwrapped.has_value());
  EXPECT_EQ(to_hex(unwrapped->bytes()), to_hex(key.bytes()));
}

TEST(KeyWrap, AnotherKeyAnyChangedByteAndAnyLengthAreCorrupt) {
  SeededRandom random(1);
  const SecretKey wrapping = SecretKey::random(random);
  const SecretKey key = SecretKey::random(random);
  const Bytes wrapped = wrap_key(wrapping, key);
  EXPECT_TRUE(unwrap_key(key, wrapped).error() == Errc::kCorrupt);
  for (std::size_t i = 0; i < wrapped.size(); ++i) {
    Bytes changed = wrapped;
    changed[i] ^= 1;
    EXPECT_TRUE(unwrap_key(wrapping, changed).error() == Errc::kCorrupt) << i;
  }
  for (const std::size_t size : {0, 8, 24, 39}) {
    EXPECT_TRUE(unwrap_key(wrapping, ByteView(wrapped).first(size)).error() == Errc::kCorrupt) << size;
  }
  EXPECT_TRUE(unwrap_key(wrapping, wrapped).has_value());
}

TEST(SecretKey, MovingWipesTheSource) {
  SeededRandom random(1);
  SecretKey key = SecretKey::random(random);
  const SecretKey copy = key.clone();
  const SecretKey moved = std::move(key);
  EXPECT_EQ(to_hex(moved.bytes()), to_hex(copy.bytes()));
  EXPECT_TRUE(key.bytes().empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_FALSE(SecretKey::from_bytes(Bytes(31)).has_value());
}

// RFC 4231, test cases 1 and 6.
TEST(DerivedKey, IsTheHmac) {
  EXPECT_EQ(to_hex(derive_key(Bytes(20, 0x0b), as_bytes("Hi There")).bytes()),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(
      to_hex(derive_key(Bytes(131, 0xaa), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")).bytes()),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(SealedBytes, RoundTripAndDifferEveryTime) {
  SeededRandom random(1);
  const SecretKey key = SecretKey::random(random);
  for (const std::string_view plain :
       {std::string_view(""), std::string_view("s"), std::string_view("a longer secret")}) {
    const Bytes sealed = seal_bytes(key, as_bytes(plain), as_bytes("context"), random);
    EXPECT_EQ(sealed.size(), plain.size() + kSealedOverheadBytes);
    const auto opened = open_bytes(key, sealed, as_bytes("context"));
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(as_text(*opened), plain);
    EXPECT_NE(seal_bytes(key, as_bytes(plain), as_bytes("context"), random), sealed);
  }
  EXPECT_TRUE(open_bytes(key, seal_bytes(key, as_bytes("x"), {}, random), {}).has_value());
}

TEST(SealedBytes, AnotherKeyContextOrByteIsCorrupt) {
  SeededRandom random(1);
  const SecretKey key = SecretKey::random(random);
  const Bytes sealed = seal_bytes(key, as_bytes("secret"), as_bytes("context"), random);
  EXPECT_TRUE(open_bytes(SecretKey::random(random), sealed, as_bytes("context")).error() == Errc::kCorrupt);
  EXPECT_TRUE(open_bytes(key, sealed, as_bytes("contexu")).error() == Errc::kCorrupt);
  EXPECT_TRUE(open_bytes(key, sealed, {}).error() == Errc::kCorrupt);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 0x80;
    EXPECT_TRUE(open_bytes(key, changed, as_bytes("context")).error() == Errc::kCorrupt) << i;
    EXPECT_TRUE(open_bytes(key, ByteView(sealed).first(i), as_bytes("context")).error() == Errc::kCorrupt) << i;
  }
}

TEST(SecretText, IsCopiedMovedAndCompared) {
  SeededRandom random(1);
  SecretText text("s3cret");
  const SecretText copy = text;
  const SecretText moved = std::move(text);
  EXPECT_EQ(moved.view(), "s3cret");
  EXPECT_NE(copy.view().data(), moved.view().data());
  EXPECT_TRUE(copy == moved);
  EXPECT_FALSE(copy == SecretText("s3creT"));
  EXPECT_TRUE(text.view().empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  text = copy;
  EXPECT_TRUE(text == copy);
  EXPECT_TRUE(SecretText() == SecretText(""));
  const SecretText drawn = SecretText::random(random, "ab", SecretText::kMaxBytes);
  EXPECT_EQ(drawn.view().size(), SecretText::kMaxBytes);
  EXPECT_EQ(drawn.view().find_first_not_of("ab"), std::string_view::npos);
}

// The slot that was given back last is taken next, so that what is left in it can be looked at.
TEST(SecretMemory, IsWipedWhenGivenBack) {
  const auto taken_next = [] {
    std::uint8_t* const slot = take_secret_slot();
    const Bytes content(slot, slot + kSecretSlotBytes);
    give_back_secret_slot(slot);
    return content;
  };
  const std::uint8_t* where = nullptr;
  {
    const SecretText text(std::string(SecretText::kMaxBytes, 'x'));
    where = reinterpret_cast<const std::uint8_t*>(text.view().data());
  }
  std::uint8_t* const slot = take_secret_slot();
  EXPECT_EQ(slot, where);
  give_back_secret_slot(slot);
  EXPECT_EQ(taken_next(), Bytes(kSecretSlotBytes, 0));
  {
    const SecretKey key = std::move(*SecretKey::from_bytes(Bytes(SecretKey::kSize, 0x5a)));
  }
  EXPECT_EQ(taken_next(), Bytes(kSecretSlotBytes, 0));
}

// As the kernel tells it: "dd" is MADV_DONTDUMP, "lo" locked.
TEST(SecretMemory, IsLeftOutOfCoresAndLocked) {
  const SecretText text("s3cret");
  const auto address = reinterpret_cast<std::uintptr_t>(text.view().data());
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  std::string flags;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) inside = begin <= address && address < end;
    if (inside && line.starts_with("VmFlags:")) flags = line + " ";
  }
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
  // The sanitizers' mlock() does nothing.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  rlimit lockable{};
  ::getrlimit(RLIMIT_MEMLOCK, &lockable);
  if (lockable.rlim_cur >= 1 << 20) EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
#endif
}

TEST(Wipe, OverwritesWithZeros) {
  Bytes memory(100, 0x5a);
  wipe(memory);
  EXPECT_EQ(memory, Bytes(100, 0));
}

}  // namespace
}  // namespace andromede::crypto
