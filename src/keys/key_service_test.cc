#include "keys/key_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "io/temporary_folder.h"
#include "journal/test_store.h"
#include "keys/custody/file_custody.h"

namespace andromede::keys {
namespace {

using ::testing::HasSubstr;

const AccountId kCulture("000000000001");
const AccountId kOrleans("000000000002");
const identity::OperatorCaller kClaire{"claire", {}, {}};

class KeyServiceTest : public ::testing::Test {
 protected:
  KeyServiceTest() { custody_ = make_custody("a"); }
  std::unique_ptr<Custody> make_custody(const std::string& name) {
    const std::string sealed = folder_.path() + "/" + name + ".sealed";
    const std::string seal = folder_.path() + "/" + name + ".seal";
    EXPECT_TRUE(create_file_custody(sealed, seal, cloud_.random()));
    return std::move(*open_file_custody(sealed, seal, cloud_.random()));
  }
  std::unique_ptr<KeyService> service(Custody& custody) {
    return std::make_unique<KeyService>(custody, cloud_.store(), cloud_.clock(), cloud_.random());
  }
  journal::TestStore cloud_;
  io::TemporaryFolder folder_;
  std::unique_ptr<Custody> custody_;
};

TEST_F(KeyServiceTest, DataKeysOpenAfterARestart) {
  auto first = service(*custody_);
  ASSERT_TRUE(sync_wait(first->create_tenant_key(kCulture, kClaire)));
  const auto made = first->make_data_key(kCulture);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->wrapped.size(), crypto::kWrappedKeyBytes);
  first.reset();
  cloud_.reopen();
  auto second = service(*custody_);
  EXPECT_TRUE(second->open_data_key(kCulture, made->wrapped).error() == Errc::kNotFound);
  ASSERT_TRUE(sync_wait(second->load()));
  const auto opened = second->open_data_key(kCulture, made->wrapped);
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(to_hex(opened->bytes()), to_hex(made->key.bytes()));
}

TEST_F(KeyServiceTest, EveryDataKeyIsNewAndATenantsOnly) {
  auto keys = service(*custody_);
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kOrleans, kClaire)));
  const auto one = keys->make_data_key(kCulture);
  const auto two = keys->make_data_key(kCulture);
  EXPECT_NE(to_hex(one->key.bytes()), to_hex(two->key.bytes()));
  EXPECT_TRUE(keys->open_data_key(kOrleans, one->wrapped).error() == Errc::kCorrupt);
  EXPECT_TRUE(keys->open_data_key(kCulture, {}).error() == Errc::kCorrupt);
}

TEST_F(KeyServiceTest, CreationIsJournaledOnceWithoutTheKey) {
  auto keys = service(*custody_);
  EXPECT_TRUE(keys->make_data_key(kCulture).error() == Errc::kNotFound);
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  const auto made = keys->make_data_key(kCulture);
  EXPECT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)).error() == Errc::kAlreadyExists);
  // The refused second creation must not have replaced the key in memory.
  EXPECT_TRUE(keys->open_data_key(kCulture, made->wrapped));
  const auto entries = sync_wait(journal::read_entries(cloud_.store(), 1, 10));
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_THAT(entries->front().event, HasSubstr("\"eventName\":\"CreateTenantKey\""));
  EXPECT_THAT(entries->front().event, HasSubstr("\"accountId\":\"000000000001\""));
  EXPECT_THAT(entries->front().event, HasSubstr("\"userName\":\"claire\""));
}

TEST_F(KeyServiceTest, AForgottenKeyOpensNothingAndErasedDoesNotComeBack) {
  auto keys = service(*custody_);
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  const auto made = keys->make_data_key(kCulture);
  meta::Commit erasure;
  erasure.partition = "cloud";
  erasure.erase.push_back(KeyService::stored_key(kCulture));
  erasure.event = "{}";
  ASSERT_TRUE(sync_wait(cloud_.store().commit(std::move(erasure), Deadline::never())));
  keys->forget(kCulture);
  EXPECT_TRUE(keys->open_data_key(kCulture, made->wrapped).error() == Errc::kNotFound);
  auto again = service(*custody_);
  ASSERT_TRUE(sync_wait(again->load()));
  EXPECT_TRUE(again->make_data_key(kCulture).error() == Errc::kNotFound);
}

TEST_F(KeyServiceTest, AnotherRootKeyOrAMovedRecordIsFoundAtLoad) {
  auto keys = service(*custody_);
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  const auto other = make_custody("b");
  const auto loaded = sync_wait(service(*other)->load());
  EXPECT_TRUE(loaded.error() == Errc::kCorrupt);
  EXPECT_THAT(loaded.error().message(), HasSubstr("tkey/000000000001"));
  ASSERT_TRUE(cloud_.put("tkey/000000000002", **cloud_.get("tkey/000000000001"), "{}"));
  EXPECT_TRUE(sync_wait(service(*custody_)->load()).error() == Errc::kCorrupt);
}

TEST_F(KeyServiceTest, ManyThreadsMakeAndOpenDataKeys) {
  auto keys = service(*custody_);
  ASSERT_TRUE(sync_wait(keys->create_tenant_key(kCulture, kClaire)));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&keys, &wrong] {
      for (int i = 0; i < 200; ++i) {
        const auto made = keys->make_data_key(kCulture);
        const auto opened = keys->open_data_key(kCulture, made->wrapped);
        wrong += opened && to_hex(opened->bytes()) == to_hex(made->key.bytes()) ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace andromede::keys
