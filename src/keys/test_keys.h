// For tests of the key service: its metadata, a custody that hangs when it is told to, two accounts. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "journal/test_store.h"
#include "keys/key_service.h"
#include "keys/test_custody.h"

namespace andromede::keys {

inline const AccountId kCulture("000000000001");
inline const AccountId kOrleans("000000000002");
inline const identity::Context kClaire = identity::operator_context("claire");

inline KeyUse use_for(const AccountId& owner, std::stop_token stop = {}) {
  KeyUse use;
  use.owner = use.caller = owner;
  use.request_id = "R-1";
  use.patience.stop = std::move(stop);
  return use;
}

class TestKeys : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<KeyService> service(KeyOptions options = {}) {
    return std::make_unique<KeyService>(custody_, cloud_.store(), cloud_.clock(), cloud_.random(), options);
  }
  static DataKey made(KeyService& keys, const AccountId& owner) {
    const KeyUse use = use_for(owner);
    auto key = sync_wait(keys.make_data_key(use));
    CHECK(key.has_value(), key ? "" : key.error().describe().c_str());
    return std::move(*key);
  }
  static Result<crypto::SecretKey> opened(KeyService& keys, const DataKey& key, const KeyUse& use) {
    return sync_wait(keys.open_data_key(key.wrapped_by, key.wrapped, use));
  }
  static Result<crypto::SecretKey> opened(KeyService& keys, const DataKey& key, const AccountId& owner) {
    const KeyUse use = use_for(owner);
    return opened(keys, key, use);
  }
  static Result<DataKey> try_make(KeyService& keys, const AccountId& owner) {
    const KeyUse use = use_for(owner);
    return sync_wait(keys.make_data_key(use));
  }
  // A key of the account's, with a data key that it wrapped.
  DataKey stored(const AccountId& account) {
    const auto keys = service();
    EXPECT_TRUE(sync_wait(keys->create_tenant_key(account, kClaire)));
    return made(*keys, account);
  }
  // Erases what the closing of an account does.
  void erase(KeyService& keys, const AccountId& account) {
    auto erasure = sync_wait(keys.erasure_of(account));
    ASSERT_TRUE(erasure);
    meta::Commit change;
    change.partition = meta::kCloudPartition;
    change.expect = std::move(erasure->expect);
    change.erase = std::move(erasure->erase);
    change.event = "{}";
    ASSERT_TRUE(sync_wait(cloud_.store().commit(std::move(change), Deadline::never())));
    keys.forget(erasure->key);
  }

  journal::TestStore cloud_;
  std::shared_ptr<TestCustody> custody_ = std::make_shared<TestCustody>(cloud_.random());
};

}  // namespace andromede::keys
