#include "objects/retries.h"

#include <gtest/gtest.h>

#include <thread>

namespace andromede::objects {
namespace {

// Of everything that is drawn so many milliseconds.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::uint8_t drawn) : drawn_(drawn) {}
  void fill(std::span<std::uint8_t> out) override {
    std::ranges::fill(out, 0);
    out[0] = drawn_;
  }

 private:
  const std::uint8_t drawn_;
};

Task<unsigned> tried(Retries& retries, std::stop_token stop, unsigned most) {
  unsigned tries = 0;
  for (Retries::Try a_try = retries.begin(std::move(stop)); a_try.may_go_on(); co_await a_try.pause()) {
    EXPECT_EQ(a_try.is_first(), tries == 0);
    if (++tries == most) break;
  }
  co_return tries;
}

TEST(Retries, AreSoManyAndNoMore) {
  FixedRandom random(0);
  Retries retries(random);
  EXPECT_EQ(sync_wait(tried(retries, {}, 1000)), kMaxCommitTries);
}

TEST(Retries, WaitLongerAndLongerUpToABound) {
  SeededRandom random(1);
  Retries retries(random);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(sync_wait(tried(retries, {}, 40)), 40U);
  const auto took = std::chrono::steady_clock::now() - began;
  // 39 waits; drawn evenly, nearly all out of 0 to 16 ms.
  EXPECT_GE(took, std::chrono::milliseconds(100));
}

TEST(Retries, TheFirstIsAtOnce) {
  FixedRandom random(1);
  Retries retries(random);
  auto shortest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 20; ++i) {
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(sync_wait(tried(retries, {}, 2)), 2U);
    shortest = std::min(shortest, std::chrono::steady_clock::now() - began);
  }
  EXPECT_LT(shortest, kLeastRetryWait);
}

TEST(Retries, EndWithWhoeverWaitsForThem) {
  SeededRandom random(1);
  Retries retries(random);
  std::stop_source gone;
  gone.request_stop();
  EXPECT_EQ(sync_wait(tried(retries, gone.get_token(), 1000)), 1U) << "the first is made all the same";
  std::stop_source going;
  std::thread stopper([&] { going.request_stop(); });
  EXPECT_LT(sync_wait(tried(retries, going.get_token(), 1000)), kMaxCommitTries);
  stopper.join();
}

}  // namespace
}  // namespace andromede::objects
