#include "keys/key_service.h"

#include <gmock/gmock.h>

#include <thread>

#include "keys/tenant_key_record.h"
#include "keys/test_keys.h"

namespace andromede::keys {
namespace {

using ::testing::HasSubstr;

using KeyServiceTest = TestKeys;

TEST_F(KeyServiceTest, DataKeysOpenAfterARestart) {
  auto first = service();
  ASSERT_TRUE(sync_wait(first->create_tenant_key(kCulture, kClaire)));
  const DataKey key = made(*first, kCulture);
  EXPECT_EQ(key.wrapped.size(), crypto::kWrappedKeyBytes);
  first.reset();
  cloud_.reopen();
  const unsigned asked = custody_->asked();
  auto second = service();
  EXPECT_EQ(custody_->asked(), asked) << "a start asks for nobody's key";
  const auto again = opened(*second, key, kCulture);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(to_hex(again->bytes()), to_hex(key.key.bytes()));
  EXPECT_EQ(made(*second, kCulture).wrapped_by, key.wrapped_by);
  EXPECT_EQ(custody_->asked(), asked + 1);
}

TEST_F(KeyServiceTest, EveryDataKeyIsNewAndOpensByTheKeyThatItNames) {
  auto keys = service();
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kOrleans, kClaire)));
  const DataKey one = made(*keys, kCulture);
  const DataKey two = made(*keys, kCulture);
  const DataKey other = made(*keys, kOrleans);
  EXPECT_NE(to_hex(one.key.bytes()), to_hex(two.key.bytes()));
  EXPECT_EQ(one.wrapped_by, two.wrapped_by);
  EXPECT_NE(one.wrapped_by, other.wrapped_by);
  const KeyUse use = use_for(kOrleans);
  EXPECT_TRUE(sync_wait(keys->open_data_key(other.wrapped_by, one.wrapped, use)).error() == Errc::kCorrupt);
  EXPECT_TRUE(sync_wait(keys->open_data_key(other.wrapped_by, {}, use)).error() == Errc::kCorrupt);
  EXPECT_TRUE(sync_wait(keys->open_data_key(KeyId{}, one.wrapped, use)).error() == Errc::kNotFound);
}

TEST_F(KeyServiceTest, AnotherAccountsDataAreNotOpenedWhoeverAsks) {
  const DataKey key = stored(kCulture);
  auto keys = service();
  // Neither unwrapped anew nor from the cache.
  for (int look = 0; look < 2; ++look) {
    EXPECT_TRUE(opened(*keys, key, kOrleans).error() == Errc::kCorrupt);
    KeyUse lent = use_for(kCulture);
    lent.caller = kOrleans;
    EXPECT_TRUE(opened(*keys, key, lent)) << "who asks is not who owns";
    EXPECT_TRUE(opened(*keys, key, KeyUse{})) << "the cloud's own maintenance";
  }
}

TEST_F(KeyServiceTest, CreationIsJournaledOnceWithoutTheKey) {
  auto keys = service();
  EXPECT_TRUE(try_make(*keys, kCulture).error() == Errc::kNotFound);
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  const DataKey key = made(*keys, kCulture);
  EXPECT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)).error() == Errc::kAlreadyExists);
  EXPECT_EQ(made(*keys, kCulture).wrapped_by, key.wrapped_by);
  EXPECT_EQ(made(*service(), kCulture).wrapped_by, key.wrapped_by);
  const auto entries = sync_wait(journal::read_entries(cloud_.store(), 1, 10));
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_THAT(entries->front().event, HasSubstr("\"eventName\":\"CreateTenantKey\""));
  EXPECT_THAT(entries->front().event, HasSubstr("\"accountId\":\"000000000001\""));
  EXPECT_THAT(entries->front().event, HasSubstr("\"keyId\":\"" + key.wrapped_by.to_string() + "\""));
  EXPECT_THAT(entries->front().event, HasSubstr("\"userName\":\"claire\""));
}

TEST_F(KeyServiceTest, AForgottenKeyOpensNothingAndErasedDoesNotComeBack) {
  auto keys = service();
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  const DataKey key = made(*keys, kCulture);
  erase(*keys, kCulture);
  EXPECT_TRUE(opened(*keys, key, kCulture).error() == Errc::kNotFound);
  EXPECT_TRUE(try_make(*keys, kCulture).error() == Errc::kNotFound);
  auto again = service();
  EXPECT_TRUE(opened(*again, key, kCulture).error() == Errc::kNotFound);
  EXPECT_TRUE(try_make(*again, kCulture).error() == Errc::kNotFound);
  EXPECT_TRUE(sync_wait(again->erasure_of(kCulture))->key.is_none());
}

TEST_F(KeyServiceTest, AnotherRootKeyOrAMovedRecordIsFoundAtFirstUse) {
  const DataKey key = stored(kCulture);
  const DataKey other = stored(kOrleans);
  const auto at = [](const DataKey& of) { return "tkey/" + std::string(as_text(of.wrapped_by.bytes())); };
  const std::string record = **cloud_.get(at(key));
  // Under another's id; and, with a right checksum, as if it were another's.
  ASSERT_TRUE(cloud_.put(at(other), record, "{}"));
  EXPECT_TRUE(opened(*service(), other, kOrleans).error() == Errc::kCorrupt);
  TenantKeyRecord posing = *meta::decode<TenantKeyKind>(as_bytes(record));
  posing.account = kOrleans;
  ASSERT_TRUE(cloud_.put(at(key), meta::encode<TenantKeyKind>(posing), "{}"));
  EXPECT_TRUE(opened(*service(), key, kOrleans).error() == Errc::kCorrupt) << "custody knows whose it is";
  posing = *meta::decode<TenantKeyKind>(as_bytes(record));
  posing.id = other.wrapped_by;
  ASSERT_TRUE(cloud_.put(at(other), meta::encode<TenantKeyKind>(posing), "{}"));
  EXPECT_TRUE(opened(*service(), other, KeyUse{}).error() == Errc::kCorrupt) << "custody knows which it is";
  ASSERT_TRUE(cloud_.put(at(key), record, "{}"));
  EXPECT_TRUE(opened(*service(), key, kCulture));
  custody_ = std::make_shared<TestCustody>(cloud_.random());
  EXPECT_TRUE(opened(*service(), key, kCulture).error() == Errc::kCorrupt);
}

TEST_F(KeyServiceTest, AnotherAccountsCurrentKeyWrapsNothing) {
  const DataKey other = stored(kOrleans);
  ASSERT_TRUE(cloud_.put("atkey/" + kCulture.value(),
                         meta::encode<CurrentKeyKind>(CurrentKeyRecord{kCulture, other.wrapped_by}), "{}"));
  EXPECT_TRUE(try_make(*service(), kCulture).error() == Errc::kCorrupt);
  ASSERT_TRUE(cloud_.put("atkey/" + kCulture.value(), **cloud_.get("atkey/" + kOrleans.value()), "{}"));
  EXPECT_TRUE(try_make(*service(), kCulture).error() == Errc::kCorrupt);
}

TEST_F(KeyServiceTest, ManyThreadsMakeAndOpenDataKeysAndAskCustodyOnce) {
  const DataKey before = stored(kCulture);
  auto keys = service();
  const unsigned asked = custody_->asked();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const DataKey key = made(*keys, kCulture);
        const auto again = opened(*keys, key, kCulture);
        wrong += again && to_hex(again->bytes()) == to_hex(key.key.bytes()) ? 0 : 1;
        wrong += opened(*keys, before, kCulture) ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(custody_->asked(), asked + 1);
}

// What a request on an event loop sees: no turn of the loop is taken.
TEST_F(KeyServiceTest, AKeyThatIsUnwrappedAnswersWithoutSuspending) {
  const DataKey key = stored(kCulture);
  auto keys = service();
  ASSERT_TRUE(opened(*keys, key, kCulture));
  ASSERT_TRUE(try_make(*keys, kCulture));
  const auto use_both = [](KeyService& service, const DataKey& of, const KeyUse& use, bool& done) -> Task<void> {
    const auto made_now = co_await service.make_data_key(use);
    const auto opened_now = co_await service.open_data_key(of.wrapped_by, of.wrapped, use);
    done = made_now && opened_now;
  };
  const KeyUse use = use_for(kCulture);
  bool done = false;
  TaskGroup group;
  group.start(use_both(*keys, key, use, done));
  EXPECT_TRUE(done);
  group.join();
}

TEST_F(KeyServiceTest, ALeaseEndsAndCustodyIsAskedAgain) {
  const DataKey key = stored(kCulture);
  KeyOptions options;
  options.lease = std::chrono::minutes(10);
  auto keys = service(options);
  const unsigned asked = custody_->asked();
  ASSERT_TRUE(opened(*keys, key, kCulture));
  cloud_.clock().advance(std::chrono::minutes(10) - std::chrono::milliseconds(1));
  ASSERT_TRUE(opened(*keys, key, kCulture));
  ASSERT_TRUE(try_make(*keys, kCulture));
  EXPECT_EQ(custody_->asked(), asked + 1);
  cloud_.clock().advance(std::chrono::milliseconds(1));
  ASSERT_TRUE(try_make(*keys, kCulture));
  EXPECT_EQ(custody_->asked(), asked + 2) << "use does not prolong it";
  cloud_.clock().advance(std::chrono::minutes(10));
  custody_->change = [](auto) { return fail(Errc::kRefused, "the tenant said no"); };
  EXPECT_TRUE(opened(*keys, key, kCulture).error() == Errc::kRefused);
  EXPECT_TRUE(try_make(*keys, kCulture).error() == Errc::kRefused);
}

TEST_F(KeyServiceTest, NoMoreKeysAreKeptThanAreToBe) {
  const DataKey culture = stored(kCulture);
  const DataKey orleans = stored(kOrleans);
  KeyOptions options;
  options.cached_keys = 1;
  auto keys = service(options);
  const unsigned asked = custody_->asked();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(opened(*keys, culture, kCulture));
    ASSERT_TRUE(opened(*keys, culture, kCulture));
    ASSERT_TRUE(opened(*keys, orleans, kOrleans));
  }
  EXPECT_EQ(custody_->asked(), asked + 6);
}

}  // namespace
}  // namespace andromede::keys
