#include "keys/tenant_key_cache.h"

#include <gtest/gtest.h>

namespace andromede::keys {
namespace {

using std::chrono::minutes;

class TenantKeyCacheTest : public ::testing::Test {
 protected:
  using Call = TenantKeyCache::Call;

  TenantKeyPointer key_of(const char* account) {
    return std::make_shared<const TenantKey>(
        TenantKey{KeyId::random(random_), AccountId(account), crypto::SecretKey::random(random_)});
  }
  // As an unwrapping would.
  void keep(TenantKeyCache& cache, const TenantKeyPointer& key, SteadyTime until) {
    const auto unwrapping = cache.wait_for(key->id, std::make_shared<Call>());
    ASSERT_NE(unwrapping, nullptr);
    cache.settle(unwrapping, key, until);
  }
  static Errc code_of_waiting(const std::shared_ptr<Call>& call) {
    if (!call->settled()) return Errc{};
    const auto answer = sync_wait(answer_of(call));
    return answer ? Errc{} : static_cast<Errc>(answer.error().code().value());
  }
  static Task<Result<TenantKeyPointer>> answer_of(std::shared_ptr<Call> call) { co_return co_await call->answer(); }

  SeededRandom random_{1};
  const SteadyTime now_ = SteadyTime{} + minutes(1);
  const SteadyTime later_ = SteadyTime{} + minutes(2);
};

TEST_F(TenantKeyCacheTest, TheKeyThatWasUsedLongestAgoMakesRoom) {
  TenantKeyCache cache(2);
  const auto one = key_of("1");
  const auto two = key_of("2");
  const auto three = key_of("3");
  keep(cache, one, later_);
  keep(cache, two, later_);
  EXPECT_EQ(cache.find(one->id, now_), one);
  keep(cache, three, later_);
  EXPECT_EQ(cache.find(two->id, now_), nullptr);
  EXPECT_EQ(cache.find(one->id, now_), one);
  EXPECT_EQ(cache.find(three->id, now_), three);
}

TEST_F(TenantKeyCacheTest, AKeyIsCurrentForAsLongAsItIsThere) {
  TenantKeyCache cache(1);
  const auto one = key_of("1");
  cache.set_current(one);
  EXPECT_EQ(cache.find_current(one->account, now_), nullptr) << "it is not there";
  keep(cache, one, later_);
  EXPECT_EQ(cache.find_current(one->account, now_), nullptr);
  cache.set_current(one);
  EXPECT_EQ(cache.find_current(one->account, now_), one);
  keep(cache, key_of("2"), later_);
  EXPECT_EQ(cache.find_current(one->account, now_), nullptr) << "it made room";
  keep(cache, one, later_);
  cache.set_current(one);
  cache.forget(one->id);
  EXPECT_EQ(cache.find_current(one->account, now_), nullptr);
  cache.set_current(one);
  EXPECT_EQ(cache.find_current(one->account, now_), nullptr) << "it was forgotten meanwhile";
  keep(cache, one, later_);
  cache.set_current(one);
  EXPECT_EQ(cache.find_current(one->account, later_), nullptr) << "its lease has ended";
  EXPECT_EQ(cache.find(one->id, now_), nullptr) << "and it is gone";
}

TEST_F(TenantKeyCacheTest, NotEverybodyWaitsForOneKey) {
  TenantKeyCache cache(1);
  const auto key = key_of("1");
  std::vector<std::shared_ptr<Call>> calls;
  TenantKeyCache::UnwrappingPointer unwrapping;
  for (std::size_t i = 0; i < TenantKeyCache::kMaxWaiting; ++i) {
    calls.push_back(std::make_shared<Call>());
    auto begun = cache.wait_for(key->id, calls.back());
    EXPECT_EQ(begun != nullptr, i == 0);
    if (begun) unwrapping = std::move(begun);
  }
  const auto too_many = std::make_shared<Call>();
  EXPECT_EQ(cache.wait_for(key->id, too_many), nullptr);
  EXPECT_EQ(code_of_waiting(too_many), Errc::kOverloaded);
  // One who waits no longer leaves his place.
  calls[7]->give_up(Error(make_error_code(Errc::kTimeout), "a test"));
  const auto next = std::make_shared<Call>();
  EXPECT_EQ(cache.wait_for(key->id, next), nullptr);
  EXPECT_FALSE(next->settled());
  EXPECT_TRUE(cache.wanted(unwrapping));
  cache.settle(unwrapping, key, later_);
  EXPECT_EQ(*sync_wait(answer_of(next)), key);
  EXPECT_EQ(*sync_wait(answer_of(calls[0])), key);
}

TEST_F(TenantKeyCacheTest, AnUnwrappingThatNobodyWaitsForEnds) {
  TenantKeyCache cache(1);
  const auto key = key_of("1");
  const auto call = std::make_shared<Call>();
  const auto unwrapping = cache.wait_for(key->id, call);
  EXPECT_TRUE(cache.wanted(unwrapping));
  call->give_up(Error(make_error_code(Errc::kCancelled), "a test"));
  EXPECT_FALSE(cache.wanted(unwrapping));
  const auto next = cache.wait_for(key->id, std::make_shared<Call>());
  ASSERT_NE(next, nullptr) << "the next begins another";
  cache.settle(unwrapping, key, later_);
  EXPECT_EQ(cache.find(key->id, now_), nullptr) << "and of the first nothing is kept";
}

TEST_F(TenantKeyCacheTest, AnUnwrappingThatWasForgottenAnswersNobodyOfTheNext) {
  TenantKeyCache cache(1);
  const auto key = key_of("1");
  const auto call = std::make_shared<Call>();
  const auto unwrapping = cache.wait_for(key->id, call);
  cache.forget(key->id);
  EXPECT_EQ(code_of_waiting(call), Errc::kNotFound);
  EXPECT_FALSE(cache.wanted(unwrapping));
  const auto waiting = std::make_shared<Call>();
  const auto next = cache.wait_for(key->id, waiting);
  ASSERT_NE(next, nullptr);
  cache.settle(unwrapping, key, later_);
  EXPECT_FALSE(waiting->settled());
  EXPECT_EQ(cache.find(key->id, now_), nullptr);
  cache.settle(next, fail(Errc::kNotFound, "erased"), later_);
  EXPECT_EQ(code_of_waiting(waiting), Errc::kNotFound);
}

}  // namespace
}  // namespace andromede::keys
