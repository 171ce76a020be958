// A custody that hangs, fails, answers late or wrong, and one that is asked for what was revoked meanwhile.
#include <gmock/gmock.h>

#include <thread>

#include "base/left_behind.h"
#include "base/test_eventually.h"
#include "keys/test_keys.h"

namespace andromede::keys {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using ::testing::HasSubstr;

class CustodyFailuresTest : public TestKeys {
 protected:
  // A test that failed leaves no thread behind for the others.
  ~CustodyFailuresTest() override { custody_->release(); }

  static KeyOptions waiting(milliseconds patience) {
    KeyOptions options;
    options.patience = patience;
    return options;
  }
  static AccountId account(unsigned number) { return AccountId(std::to_string(100'000'000'000 + number)); }
};

// Opens a data key on a thread of its own, which ends before its answer is looked at.
class Opening {
 public:
  Opening(KeyService& keys, const DataKey& key, KeyUse use)
      : thread_([this, &keys, &key, use = std::move(use)] {
          answer_.emplace(sync_wait(keys.open_data_key(key.wrapped_by, key.wrapped, use)));
        }) {}
  const Result<crypto::SecretKey>& answer() {
    if (thread_.joinable()) thread_.join();
    return *answer_;
  }
  ~Opening() { answer(); }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

 private:
  std::optional<Result<crypto::SecretKey>> answer_;
  std::thread thread_;
};

TEST_F(CustodyFailuresTest, WhoMissesOneKeyAtOnceAsksOnce) {
  const DataKey key = stored(kCulture);
  auto keys = service(waiting(minutes(2)));
  const unsigned asked = custody_->asked();
  custody_->hold();
  std::vector<std::unique_ptr<Opening>> openings;
  for (int i = 0; i < 8; ++i) openings.push_back(std::make_unique<Opening>(*keys, key, use_for(kCulture)));
  ASSERT_TRUE(eventually([&] { return custody_->asked() > asked; }));
  custody_->release();
  for (const auto& opening : openings) EXPECT_TRUE(opening->answer());
  EXPECT_EQ(custody_->asked(), asked + 1);
}

TEST_F(CustodyFailuresTest, AHangingCustodyCostsItsUsersTheirPatienceAndItsLateAnswerCounts) {
  const DataKey culture = stored(kCulture);
  const DataKey orleans = stored(kOrleans);
  auto keys = service(waiting(milliseconds(50)));
  ASSERT_TRUE(opened(*keys, orleans, kOrleans));
  const unsigned asked = custody_->asked();
  custody_->hold();
  for (int again = 0; again < 3; ++again) {
    EXPECT_TRUE(opened(*keys, culture, kCulture).error() == Errc::kTimeout);
    EXPECT_TRUE(try_make(*keys, kCulture).error() == Errc::kTimeout);
    EXPECT_TRUE(opened(*keys, orleans, kOrleans)) << "nobody else waits";
    EXPECT_TRUE(try_make(*keys, kOrleans));
  }
  EXPECT_EQ(custody_->asked(), asked + 1) << "one thread for one key, however often it is asked for";
  custody_->release();
  EXPECT_TRUE(eventually([&] { return opened(*keys, culture, kCulture).has_value(); }));
  EXPECT_EQ(custody_->asked(), asked + 1);
}

TEST_F(CustodyFailuresTest, AUsersOwnDeadlineCounts) {
  const DataKey key = stored(kCulture);
  auto keys = service(waiting(minutes(10)));
  custody_->hold();
  KeyUse use = use_for(kCulture);
  use.patience.deadline = Deadline::after(cloud_.clock(), milliseconds(50));
  EXPECT_TRUE(opened(*keys, key, use).error() == Errc::kTimeout);
  EXPECT_EQ(custody_->deadline(), Deadline::after(cloud_.clock(), minutes(10)).at()) << "others may wait for longer";
  custody_->release();
}

TEST_F(CustodyFailuresTest, SoManyWaitForAHangingCustodyAndTheOthersAreRefusedAtOnce) {
  constexpr unsigned kThreads = 2;
  constexpr unsigned kQueued = 3;
  constexpr unsigned kKeys = 8;
  std::vector<DataKey> all;
  for (unsigned i = 0; i < kKeys; ++i) all.push_back(stored(account(i)));
  KeyOptions options = waiting(minutes(10));
  options.threads = kThreads;
  options.queued_calls = kQueued;
  auto keys = service(options);
  const unsigned asked = custody_->asked();
  custody_->hold();
  std::stop_source stop;
  std::vector<std::unique_ptr<Opening>> openings;
  for (unsigned i = 0; i < kThreads; ++i) {
    openings.push_back(std::make_unique<Opening>(*keys, all[i], use_for(account(i), stop.get_token())));
    ASSERT_TRUE(eventually([&] { return custody_->asked() == asked + i + 1; }));
  }
  // In one scheduler's order, and none of these is begun.
  std::vector<KeyUse> uses;
  for (unsigned i = kThreads; i < kKeys; ++i) {
    uses.push_back(use_for(account(i)));
    uses.back().patience.deadline = Deadline::after(cloud_.clock(), milliseconds(50));
  }
  std::vector<Task<Result<crypto::SecretKey>>> tasks;
  for (unsigned i = kThreads; i < kKeys; ++i) {
    tasks.push_back(keys->open_data_key(all[i].wrapped_by, all[i].wrapped, uses[i - kThreads]));
  }
  unsigned timed_out = 0;
  unsigned refused = 0;
  for (const auto& answer : sync_wait(when_all(std::move(tasks)))) {
    timed_out += !answer && answer.error() == Errc::kTimeout ? 1 : 0;
    refused += !answer && answer.error() == Errc::kOverloaded ? 1 : 0;
  }
  EXPECT_EQ(timed_out, kQueued);
  EXPECT_EQ(refused, kKeys - kThreads - kQueued);
  EXPECT_EQ(custody_->asked(), asked + kThreads);
  stop.request_stop();
  for (const auto& opening : openings) EXPECT_TRUE(opening->answer().error() == Errc::kCancelled);
  custody_->release();
  // Behind those that nobody waits for any more: they are never asked for.
  ASSERT_TRUE(eventually([&] { return opened(*keys, all[kKeys - 1], account(kKeys - 1)).has_value(); }));
  EXPECT_EQ(custody_->asked(), asked + kThreads + 1);
}

TEST_F(CustodyFailuresTest, AStopDoesNotWaitForAHangingCustody) {
  const DataKey key = stored(kCulture);
  custody_->hold();
  {
    auto keys = service(waiting(milliseconds(50)));
    EXPECT_TRUE(opened(*keys, key, kCulture).error() == Errc::kTimeout);
  }
  EXPECT_TRUE(eventually([] { return left_behind() == 1; })) << "the thread that custody keeps, and no other";
  custody_->release();
  EXPECT_TRUE(eventually([] { return left_behind() == 0; }));
}

TEST_F(CustodyFailuresTest, WhatIsRevokedWhileItIsUnwrappedIsNeitherUsedNorKept) {
  const DataKey key = stored(kCulture);
  auto keys = service(waiting(minutes(10)));
  const unsigned asked = custody_->asked();
  custody_->hold();
  Opening opening(*keys, key, use_for(kCulture));
  ASSERT_TRUE(eventually([&] { return custody_->asked() == asked + 1; }));
  keys->forget(key.wrapped_by);
  EXPECT_TRUE(opening.answer().error() == Errc::kNotFound) << "told at once";
  custody_->release();
  // It is stored still, so that it can be seen that custody is asked anew.
  EXPECT_TRUE(opened(*keys, key, kCulture));
  EXPECT_EQ(custody_->asked(), asked + 2);
}

TEST_F(CustodyFailuresTest, AnErasedKeyThatIsUnwrappedMeanwhileOpensNothingEverAfter) {
  const DataKey key = stored(kCulture);
  const DataKey behind = stored(kOrleans);
  KeyOptions options = waiting(minutes(10));
  options.threads = 1;
  auto keys = service(options);
  const unsigned asked = custody_->asked();
  custody_->hold();
  Opening opening(*keys, key, use_for(kCulture));
  ASSERT_TRUE(eventually([&] { return custody_->asked() == asked + 1; }));
  erase(*keys, kCulture);
  EXPECT_TRUE(opening.answer().error() == Errc::kNotFound);
  custody_->release();
  ASSERT_TRUE(opened(*keys, behind, kOrleans)) << "by then custody has answered for the other too";
  EXPECT_TRUE(opened(*keys, key, kCulture).error() == Errc::kNotFound);
  EXPECT_TRUE(try_make(*keys, kCulture).error() == Errc::kNotFound);
  EXPECT_EQ(custody_->asked(), asked + 2);
}

TEST_F(CustodyFailuresTest, WhoIsCutOffWaitsNoLonger) {
  const DataKey key = stored(kCulture);
  auto keys = service(waiting(minutes(10)));
  const unsigned asked = custody_->asked();
  custody_->hold();
  std::stop_source stop;
  Opening cut(*keys, key, use_for(kCulture, stop.get_token()));
  ASSERT_TRUE(eventually([&] { return custody_->asked() == asked + 1; }));
  Opening other(*keys, key, use_for(kCulture));
  stop.request_stop();
  EXPECT_TRUE(cut.answer().error() == Errc::kCancelled);
  custody_->release();
  EXPECT_TRUE(other.answer()) << "who began it is not who keeps it";
}

TEST_F(CustodyFailuresTest, AFailureIsTheUsersToKnowAndIsNotKept) {
  const DataKey key = stored(kCulture);
  auto keys = service();
  custody_->change = [](auto) { return fail(Errc::kUnavailable, "the proxy is away"); };
  KeyUse use = use_for(kCulture);
  use.blob = BlobId::random(cloud_.random());
  const auto failed = opened(*keys, key, use);
  ASSERT_TRUE(failed.error() == Errc::kUnavailable);
  EXPECT_THAT(failed.error().message(), HasSubstr("the proxy is away"));
  EXPECT_THAT(failed.error().message(), HasSubstr(use.blob.to_string()));
  EXPECT_THAT(failed.error().message(), HasSubstr("R-1 of 000000000001"));
  EXPECT_TRUE(try_make(*keys, kCulture).error() == Errc::kUnavailable);
  custody_->change = nullptr;
  EXPECT_TRUE(opened(*keys, key, kCulture));
  EXPECT_TRUE(try_make(*keys, kCulture));
}

// What it wrapped could never be opened by the right one.
TEST_F(CustodyFailuresTest, AnotherKeyThanWasWrappedWrapsAndOpensNothing) {
  const DataKey key = stored(kCulture);
  auto keys = service();
  custody_->change = [this](auto) -> Result<crypto::SecretKey> { return crypto::SecretKey::random(cloud_.random()); };
  EXPECT_TRUE(opened(*keys, key, kCulture).error() == Errc::kCorrupt);
  EXPECT_TRUE(try_make(*keys, kCulture).error() == Errc::kCorrupt);
  const std::uint64_t before = cloud_.store().last_sequence();
  EXPECT_TRUE(sync_wait(keys->create_tenant_key(kOrleans, kClaire)).error() == Errc::kCorrupt);
  EXPECT_EQ(cloud_.store().last_sequence(), before);
  EXPECT_TRUE(try_make(*keys, kOrleans).error() == Errc::kNotFound);
  custody_->change = nullptr;
  EXPECT_TRUE(opened(*keys, key, kCulture));
}

TEST_F(CustodyFailuresTest, NoKeyIsMadeByACustodyThatHangs) {
  auto keys = service(waiting(milliseconds(50)));
  custody_->hold();
  const std::uint64_t before = cloud_.store().last_sequence();
  EXPECT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)).error() == Errc::kTimeout);
  EXPECT_EQ(cloud_.store().last_sequence(), before);
  custody_->release();
  EXPECT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  EXPECT_TRUE(try_make(*keys, kCulture));
}

}  // namespace
}  // namespace andromede::keys
