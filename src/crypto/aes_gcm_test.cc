#include "crypto/aes_gcm.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/test_bytes.h"
#include "crypto/secret_memory.h"

namespace andromede::crypto {
namespace {

SecretKey key_of(std::uint64_t seed) {
  SeededRandom random(seed);
  return SecretKey::random(random);
}

constexpr GcmNonce kNonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

Bytes seal(const AesGcmEngine& engine, ByteView context, ByteView plain) {
  Bytes sealed(plain.size() + kGcmTagBytes);
  engine.make(key_of(1), GcmUse::kSeal)->seal(kNonce, context, plain, sealed.data());
  return sealed;
}

class AesGcmTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    engine_ = GetParam() ? ipsec_mb_aes_gcm() : &openssl_aes_gcm();
    if (engine_ == nullptr) GTEST_SKIP() << "this processor has no vector AES";
  }
  const AesGcmEngine* engine_ = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Engines, AesGcmTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "IpsecMb" : "Openssl"; });

TEST_P(AesGcmTest, PassesTheSelfTest) {
  const Status passed = self_test(*engine_);
  EXPECT_TRUE(passed) << passed.error().describe();
}

TEST_P(AesGcmTest, SealsAsOpensslDoesAtEveryLengthAlignmentAndContext) {
  const Bytes source = random_bytes((64 << 10) + 64, 2);
  SeededRandom random(3);
  const auto sealer = engine_->make(key_of(1), GcmUse::kSeal);
  const auto opener = engine_->make(key_of(1), GcmUse::kOpen);
  Bytes sealed(source.size() + 64 + kGcmTagBytes);
  Bytes opened(source.size() + 64);
  const auto compare = [&](std::size_t size, std::size_t context_size) {
    const ByteView plain = ByteView(source).subspan(random.below(64), size);
    const ByteView context = ByteView(source).subspan(random.below(64), context_size);
    std::uint8_t* const out = sealed.data() + random.below(64);
    const Bytes expected = seal(openssl_aes_gcm(), context, plain);
    sealer->seal(kNonce, context, plain, out);
    ASSERT_EQ(to_bytes({out, size + kGcmTagBytes}), expected) << size << " bytes, context " << context_size;
    std::uint8_t* const back = opened.data() + random.below(64);
    ASSERT_TRUE(opener->open(kNonce, context, {out, size + kGcmTagBytes}, back));
    ASSERT_TRUE(std::equal(plain.begin(), plain.end(), back)) << size << " bytes, context " << context_size;
  };
  for (std::size_t size = 0; size < 1200; ++size) ASSERT_NO_FATAL_FAILURE(compare(size, 16));
  for (std::size_t context = 0; context < 400; ++context) ASSERT_NO_FATAL_FAILURE(compare(70, context));
  for (int i = 0; i < 200; ++i) ASSERT_NO_FATAL_FAILURE(compare(random.below((64 << 10) + 1), random.below(64)));
  ASSERT_NO_FATAL_FAILURE(compare(64 << 10, 16));
}

TEST_P(AesGcmTest, WorksInPlace) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{777}, std::size_t{64} << 10}) {
    const Bytes plain = random_bytes(size, 4);
    Bytes memory = plain;
    memory.resize(size + kGcmTagBytes);
    const auto sealer = engine_->make(key_of(1), GcmUse::kSeal);
    sealer->seal(kNonce, {}, ByteView(memory).first(size), memory.data());
    EXPECT_EQ(memory, seal(openssl_aes_gcm(), {}, plain));
    const auto opener = engine_->make(key_of(1), GcmUse::kOpen);
    ASSERT_TRUE(opener->open(kNonce, {}, memory, memory.data()));
    memory.resize(size);
    EXPECT_EQ(memory, plain);
  }
}

// Two pages between two that nobody may touch.
class GuardedPages {
 public:
  GuardedPages() : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    void* const all = ::mmap(nullptr, 4 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(all, MAP_FAILED);
    begin_ = static_cast<std::uint8_t*>(all) + page_;
    EXPECT_EQ(::mprotect(begin_, 2 * page_, PROT_READ | PROT_WRITE), 0);
  }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;
  ~GuardedPages() { ::munmap(begin_ - page_, 4 * page_); }
  std::uint8_t* place(std::size_t size, bool at_end) { return at_end ? begin_ + 2 * page_ - size : begin_; }

 private:
  const std::size_t page_;
  std::uint8_t* begin_ = nullptr;
};

// The sanitizers do not see what assembly touches.
TEST_P(AesGcmTest, TouchesNothingOutsideOfWhatItIsGiven) {
  GuardedPages from;
  GuardedPages to;
  GuardedPages beside;
  const auto sealer = engine_->make(key_of(1), GcmUse::kSeal);
  const auto opener = engine_->make(key_of(1), GcmUse::kOpen);
  for (const bool at_end : {false, true}) {
    for (std::size_t size = 0; size < 1100; size += size < 300 ? 1 : 7) {
      const Bytes plain = random_bytes(size, size);
      const Bytes expected = seal(openssl_aes_gcm(), ByteView(plain).first(std::min<std::size_t>(size, 40)), plain);
      std::uint8_t* const in = from.place(size, at_end);
      std::copy(plain.begin(), plain.end(), in);
      const std::size_t context_size = std::min<std::size_t>(size, 40);
      std::uint8_t* const context = beside.place(context_size, at_end);
      std::copy_n(plain.begin(), context_size, context);
      std::uint8_t* const out = to.place(size + kGcmTagBytes, at_end);
      sealer->seal(kNonce, {context, context_size}, {in, size}, out);
      ASSERT_EQ(to_bytes({out, size + kGcmTagBytes}), expected) << size;
      std::fill_n(in, size, std::uint8_t{0});
      ASSERT_TRUE(opener->open(kNonce, {context, context_size}, {out, size + kGcmTagBytes}, in)) << size;
      ASSERT_TRUE(std::equal(plain.begin(), plain.end(), in)) << size;
    }
  }
}

TEST_P(AesGcmTest, WhatDoesNotMatchIsRefusedAndWiped) {
  const Bytes plain = random_bytes(1000, 5);
  const Bytes context = random_bytes(16, 6);
  const Bytes sealed = seal(*engine_, context, plain);
  const auto opener = engine_->make(key_of(1), GcmUse::kOpen);
  const auto refused = [&](AesGcm& cipher, const GcmNonce& nonce, ByteView with, ByteView bytes) {
    Bytes out(plain.size(), 0x5a);
    const bool opened = cipher.open(nonce, with, bytes, out.data());
    return !opened && out == Bytes(plain.size(), 0);
  };
  for (std::size_t at = 0; at < sealed.size(); at += at < 984 ? 41 : 1) {
    for (const int bit : {0, 7}) {
      Bytes changed = sealed;
      changed[at] ^= static_cast<std::uint8_t>(1 << bit);
      EXPECT_TRUE(refused(*opener, kNonce, context, changed)) << at;
    }
  }
  GcmNonce another_nonce = kNonce;
  another_nonce[11] ^= 1;
  EXPECT_TRUE(refused(*opener, another_nonce, context, sealed));
  EXPECT_TRUE(refused(*opener, kNonce, ByteView(context).first(15), sealed));
  EXPECT_TRUE(refused(*engine_->make(key_of(2), GcmUse::kOpen), kNonce, context, sealed));
  Bytes out(plain.size());
  EXPECT_TRUE(opener->open(kNonce, context, sealed, out.data())) << "a refusal leaves it usable";
  EXPECT_EQ(out, plain);
  Bytes in_place = sealed;
  in_place.back() ^= 1;
  EXPECT_FALSE(opener->open(kNonce, context, in_place, in_place.data()));
  in_place.resize(plain.size());
  EXPECT_EQ(in_place, Bytes(plain.size(), 0));
}

// The block that was given back last is taken next, so that what is left in it can be looked at.
TEST(AesGcmEngines, AnExpandedKeyLiesInSecretMemoryAndIsWiped) {
  const AesGcmEngine* const engine = ipsec_mb_aes_gcm();
  if (engine == nullptr) GTEST_SKIP() << "this processor has no vector AES";
  std::uint8_t* const block = take_secret_block();
  give_back_secret_block(block);
  const SecretKey key = key_of(7);
  auto cipher = engine->make(key, GcmUse::kSeal);
  Bytes memory(300 + kGcmTagBytes);
  cipher->seal(kNonce, {}, ByteView(memory).first(300), memory.data());
  const ByteView held(block, kSecretBlockBytes);
  EXPECT_NE(std::search(held.begin(), held.end(), key.bytes().begin(), key.bytes().end()), held.end());
  cipher.reset();
  EXPECT_EQ(take_secret_block(), block);
  // A free block begins with the address of the next.
  EXPECT_EQ(to_bytes(held.subspan(sizeof(void*))), Bytes(kSecretBlockBytes - sizeof(void*), 0));
  give_back_secret_block(block);
}

// Engines with one mistake each: OpenSSL's with something changed behind it.
class Mistaken final : public AesGcm {
 public:
  enum class Mistake { kNone, kLongMessages, kTag, kContext, kOpensAnything, kOpensNothing, kOpensOtherBytes };
  Mistaken(const SecretKey& key, GcmUse use, Mistake mistake)
      : right_(openssl_aes_gcm().make(key, use)), mistake_(mistake) {}

  void seal(const GcmNonce& nonce, ByteView context, ByteView plain, std::uint8_t* out) override {
    const bool forgets = mistake_ == Mistake::kContext && context.size() > 48;
    right_->seal(nonce, forgets ? context.first(48) : context, plain, out);
    if (mistake_ == Mistake::kLongMessages && plain.size() > 16'384) out[16'384] ^= 1;
    if (mistake_ == Mistake::kTag && !plain.empty()) out[plain.size() + kGcmTagBytes - 1] ^= 0x80;
  }
  bool open(const GcmNonce& nonce, ByteView context, ByteView sealed, std::uint8_t* out) override {
    const bool opened = right_->open(nonce, context, sealed, out);
    if (mistake_ == Mistake::kOpensNothing) return false;
    if (mistake_ == Mistake::kOpensOtherBytes && sealed.size() >= 512 + kGcmTagBytes) out[511] ^= 1;
    return opened || mistake_ == Mistake::kOpensAnything;
  }

  template <Mistake mistake>
  static std::unique_ptr<AesGcm> make(const SecretKey& key, GcmUse use) {
    return std::make_unique<Mistaken>(key, use, mistake);
  }

 private:
  const std::unique_ptr<AesGcm> right_;
  const Mistake mistake_;
};

TEST(AesGcmEngines, OneThatFailsTheSelfTestIsNotChosen) {
  using Mistake = Mistaken::Mistake;
  const AesGcmEngine right{"right", Mistaken::make<Mistake::kNone>};
  EXPECT_EQ(&choose_aes_gcm(&right), &right);
  for (const auto make : {Mistaken::make<Mistake::kLongMessages>, Mistaken::make<Mistake::kTag>,
                          Mistaken::make<Mistake::kContext>, Mistaken::make<Mistake::kOpensAnything>,
                          Mistaken::make<Mistake::kOpensNothing>, Mistaken::make<Mistake::kOpensOtherBytes>}) {
    const AesGcmEngine wrong{"wrong", make};
    EXPECT_EQ(self_test(wrong).error(), Errc::kCorrupt);
    EXPECT_EQ(&choose_aes_gcm(&wrong), &openssl_aes_gcm());
  }
  EXPECT_EQ(&choose_aes_gcm(nullptr), &openssl_aes_gcm());
}

TEST(AesGcmEngines, TheProcessUsesTheFasterOneWhereItMay) {
  EXPECT_EQ(&aes_gcm(), ipsec_mb_aes_gcm() != nullptr ? ipsec_mb_aes_gcm() : &openssl_aes_gcm());
}

}  // namespace
}  // namespace andromede::crypto
