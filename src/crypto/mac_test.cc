#include "crypto/mac.h"

#include <gtest/gtest.h>

#include <set>

#include "base/test_bytes.h"

namespace andromede::crypto {
namespace {

class MacTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    engine_ = GetParam() ? ipsec_mb_mac() : &openssl_mac();
    if (engine_ == nullptr) GTEST_SKIP() << "this processor has no vector AES";
    mac_ = make(1, 2);
  }
  [[nodiscard]] std::unique_ptr<const Mac> make(std::uint64_t hash, std::uint64_t seal) const {
    SeededRandom first(hash);
    SeededRandom second(seal);
    return engine_->make(SecretKey::random(first), SecretKey::random(second));
  }
  [[nodiscard]] static MacTag tag(const Mac& mac, ByteView message) {
    const std::array<ByteView, 1> parts{message};
    return mac.tag(parts);
  }
  const MacEngine* engine_ = nullptr;
  std::unique_ptr<const Mac> mac_;
};
INSTANTIATE_TEST_SUITE_P(Engines, MacTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "IpsecMb" : "Openssl"; });

TEST_P(MacTest, PassesTheSelfTest) {
  const Status passed = self_test(*engine_);
  EXPECT_TRUE(passed) << passed.error().describe();
}

// Computed by a program of its own, which shares the block cipher alone.
TEST_P(MacTest, KnownAnswers) {
  Bytes bytes(100);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  const SecretKey key = std::move(*SecretKey::from_bytes(ByteView(bytes).first(SecretKey::kSize)));
  const auto mac = engine_->make(derive_key(key.bytes(), as_bytes("andromede mac hash")),
                                 derive_key(key.bytes(), as_bytes("andromede mac seal")));
  EXPECT_EQ(to_hex(tag(*mac, {})), "518ae09022725eeec72ad5c258717ad5");
  EXPECT_EQ(to_hex(tag(*mac, as_bytes("abc"))), "ef15b187f450abfd40e1cf50b3bef44e");
  EXPECT_EQ(to_hex(tag(*mac, bytes)), "8cd7188939fa7c6ebf3d46ed94ad775f");
  EXPECT_EQ(tag(*make_mac(key), bytes), tag(*mac, bytes));
}

TEST_P(MacTest, AnyBitOfTheMessageItsLengthAndEitherKeyChangeTheTag) {
  Bytes message = random_bytes(300, 4);
  std::set<MacTag> tags{tag(*mac_, message), tag(*make(3, 2), message), tag(*make(1, 3), message),
                        tag(*make(2, 1), message)};
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    message[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    tags.insert(tag(*mac_, message));
    message[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  }
  // Zeros behind it are not its padding.
  for (std::size_t more = 1; more <= 16; ++more) {
    message.push_back(0);
    tags.insert(tag(*mac_, message));
  }
  EXPECT_EQ(tags.size(), 4 + 300 * 8 + 16U);
}

TEST_P(MacTest, PartsAreOneMessageWhereverTheyAreCut) {
  const Bytes message = random_bytes(700, 5);
  const MacTag whole = tag(*mac_, message);
  SeededRandom random(6);
  for (int i = 0; i < 2000; ++i) {
    std::size_t first = random.below(701);
    std::size_t second = random.below(701);
    if (second < first) std::swap(first, second);
    const std::array<ByteView, 3> parts{ByteView(message).first(first),
                                        ByteView(message).subspan(first, second - first),
                                        ByteView(message).subspan(second)};
    ASSERT_EQ(mac_->tag(parts), whole) << "cut at " << first << " and " << second;
  }
}

TEST_P(MacTest, ThreadsShareOne) {
  const Bytes message = random_bytes(500, 7);
  const MacTag expected = tag(*mac_, message);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 2000; ++j) wrong += tag(*mac_, message) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// An engine whose tags are wrong from a length on.
class WrongMac final : public Mac {
 public:
  WrongMac(const SecretKey& hash, const SecretKey& seal) : right_(openssl_mac().make(hash, seal)) {}
  [[nodiscard]] MacTag tag(std::span<const ByteView> parts) const override {
    std::size_t bytes = 0;
    for (const ByteView part : parts) bytes += part.size();
    MacTag made = right_->tag(parts);
    if (bytes > 30'000) made[0] ^= 1;
    return made;
  }

 private:
  const std::unique_ptr<const Mac> right_;
};

TEST(MacEngines, OneWithWrongTagsIsNotChosen) {
  const MacEngine wrong{"wrong", [](const SecretKey& hash, const SecretKey& seal) -> std::unique_ptr<const Mac> {
                          return std::make_unique<const WrongMac>(hash, seal);
                        }};
  EXPECT_EQ(&choose_mac(&wrong), &openssl_mac());
  EXPECT_EQ(&choose_mac(nullptr), &openssl_mac());
  EXPECT_EQ(&choose_mac(&openssl_mac()), &openssl_mac());
}

}  // namespace
}  // namespace andromede::crypto
