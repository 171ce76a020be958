#include "control/tenants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "identity/records.h"
#include "io/temporary_folder.h"
#include "journal/test_store.h"
#include "keys/custody/file_custody.h"
#include "meta/test_forwarding_store.h"
#include "objects/layout.h"

namespace andromede::control {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

const AccountId kLyon("100000000003");
const identity::Context kClaire = identity::operator_context("claire");

// A store in which something happens after each scan, and whose answers may leave in doubt what was done.
class RacingStore final : public meta::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::function<void()> after_scan = [] {};
  bool next_commit_in_doubt = false;

  Task<Result<meta::CommitInfo>> commit(meta::Commit change, Deadline deadline) override {
    auto done = co_await ForwardingStore::commit(std::move(change), deadline);
    if (std::exchange(next_commit_in_doubt, false)) co_return fail(Errc::kUnavailable, "too few mirrors answered");
    co_return done;
  }
  Task<Result<std::vector<meta::Item>>> scan(meta::Scan scan) override {
    auto found = co_await ForwardingStore::scan(std::move(scan));
    after_scan();
    co_return found;
  }
};

class TenantsTest : public ::testing::Test {
 protected:
  TenantsTest() {
    EXPECT_TRUE(keys::create_file_custody(folder_.path() + "/sealed", folder_.path() + "/seal", cloud_.random()));
    custody_ =
        std::move(*keys::open_file_custody(folder_.path() + "/sealed", folder_.path() + "/seal", cloud_.random()));
    start();
  }
  void start() {
    keys_ = std::make_unique<keys::KeyService>(custody_, store_, cloud_.clock(), cloud_.random());
    directory_ = std::make_unique<identity::Directory>(std::move(*crypto::SecretKey::from_bytes(Bytes(32, 7))), store_,
                                                       cloud_.clock(), cloud_.random());
    EXPECT_TRUE(sync_wait(directory_->load()));
    tenants_ = std::make_unique<Tenants>(id_, *directory_, *keys_, store_, cloud_.random());
  }
  Result<keys::DataKey> made() {
    keys::KeyUse use;
    use.owner = kLyon;
    return sync_wait(keys_->make_data_key(use));
  }
  Result<crypto::SecretKey> opened(const keys::DataKey& key) {
    keys::KeyUse use;
    use.owner = kLyon;
    return sync_wait(keys_->open_data_key(key.wrapped_by, key.wrapped, use));
  }
  journal::TestStore cloud_;
  RacingStore store_{cloud_.store()};
  io::TemporaryFolder folder_;
  const CloudId id_ = CloudId::random(cloud_.random());
  std::shared_ptr<keys::Custody> custody_;
  std::unique_ptr<keys::KeyService> keys_;
  std::unique_ptr<identity::Directory> directory_;
  std::unique_ptr<Tenants> tenants_;
};

TEST_F(TenantsTest, AnOpenAccountCanStoreAndAClosedOneReadsNothing) {
  const auto account = tenants_->open(kLyon, "Lyon", kClaire);
  ASSERT_TRUE(account) << account.error().message();
  EXPECT_EQ(account->canonical_id, identity::canonical_id(id_, kLyon));
  const auto data_key = made();
  ASSERT_TRUE(data_key);
  ASSERT_TRUE(tenants_->close(kLyon, kClaire));
  EXPECT_TRUE(opened(*data_key).error() == Errc::kNotFound);
  start();
  EXPECT_TRUE(opened(*data_key).error() == Errc::kNotFound) << "destroyed, not forgotten";
  EXPECT_TRUE(tenants_->close(kLyon, kClaire).error() == Errc::kRefused);
  EXPECT_TRUE(tenants_->open(kLyon, "Lyon", kClaire).error() == Errc::kAlreadyExists);
  EXPECT_TRUE(tenants_->close(AccountId("9"), kClaire).error() == Errc::kNotFound);
}

TEST_F(TenantsTest, AnAccountWithABucketIsNotClosed) {
  ASSERT_TRUE(tenants_->open(kLyon, "Lyon", kClaire));
  const std::string bucket = objects::layout::account_bucket(kLyon, "archives");
  ASSERT_TRUE(cloud_.put(bucket, "x", "{}"));
  const Status refused = tenants_->close(kLyon, kClaire);
  EXPECT_TRUE(refused.error() == Errc::kRefused);
  EXPECT_THAT(refused.error().message(), HasSubstr("archives"));
  EXPECT_TRUE(made());
}

TEST_F(TenantsTest, ABucketThatIsMadeMeanwhileKeepsTheAccountOpen) {
  ASSERT_TRUE(tenants_->open(kLyon, "Lyon", kClaire));
  store_.after_scan = [this] { EXPECT_TRUE(cloud_.put(objects::layout::bucket_count(kLyon), "one", "{}")); };
  EXPECT_TRUE(tenants_->close(kLyon, kClaire).error() == Errc::kConflict);
  EXPECT_TRUE(directory_->expect_open(kLyon));
  EXPECT_TRUE(made());
}

TEST_F(TenantsTest, AFreeIdIsDrawnAndNothingIsMadeOfABadOne) {
  const auto made = tenants_->open(std::nullopt, "Lyon", kClaire);
  ASSERT_TRUE(made);
  EXPECT_THAT(made->id.value(), MatchesRegex("[0-9]{12}"));
  const std::uint64_t before = cloud_.store().last_sequence();
  EXPECT_TRUE(tenants_->open(AccountId("12"), "Lyon", kClaire).error() == Errc::kInvalidArgument);
  EXPECT_TRUE(tenants_->open(std::nullopt, "", kClaire).error() == Errc::kInvalidArgument);
  EXPECT_EQ(cloud_.store().last_sequence(), before);
}

TEST_F(TenantsTest, AnAccountWhoseOpeningWasCutOffIsOpenedAgain) {
  ASSERT_TRUE(sync_wait(keys_->create_tenant_key(kLyon, kClaire)));
  start();
  ASSERT_TRUE(tenants_->open(kLyon, "Lyon", kClaire));
  EXPECT_TRUE(made());
}

TEST_F(TenantsTest, AnAccountWhoseKeyWasStoredInDoubtCanBeUsedWithoutARestart) {
  store_.next_commit_in_doubt = true;
  EXPECT_TRUE(tenants_->open(kLyon, "Lyon", kClaire).error() == Errc::kUnavailable);
  const auto first = made();
  ASSERT_TRUE(first) << "it is stored: it is used after the next start too";
  ASSERT_TRUE(tenants_->open(kLyon, "Lyon", kClaire));
  EXPECT_TRUE(opened(*first)) << "one key, not two";
  start();
  EXPECT_TRUE(opened(*first));
}

TEST_F(TenantsTest, AKeyThatAnotherProcessStoredIsTakenIn) {
  keys::KeyService another(custody_, cloud_.store(), cloud_.clock(), cloud_.random());
  ASSERT_TRUE(sync_wait(another.create_tenant_key(kLyon, kClaire)));
  ASSERT_TRUE(tenants_->open(kLyon, "Lyon", kClaire));
  keys::KeyUse use;
  use.owner = kLyon;
  const auto key = sync_wait(another.make_data_key(use));
  ASSERT_TRUE(key);
  EXPECT_TRUE(opened(*key));
}

TEST_F(TenantsTest, AnAccountThatWasClosedInDoubtReadsNothing) {
  ASSERT_TRUE(tenants_->open(kLyon, "Lyon", kClaire));
  const auto data_key = made();
  ASSERT_TRUE(data_key);
  store_.next_commit_in_doubt = true;
  EXPECT_TRUE(tenants_->close(kLyon, kClaire).error() == Errc::kUnavailable);
  EXPECT_TRUE(opened(*data_key).error() == Errc::kNotFound);
  EXPECT_TRUE(tenants_->close(kLyon, kClaire).error() == Errc::kRefused);
}

TEST_F(TenantsTest, WhereThereIsNoRoomForAnAccountNoKeyIsMade) {
  constexpr std::size_t kAtOnce = 250;
  for (std::size_t first = 0; first < identity::Directory::kMaxAccounts; first += kAtOnce) {
    meta::Commit some;
    some.partition = meta::kCloudPartition;
    some.event = "{}";
    for (std::size_t i = first; i < first + kAtOnce; ++i) {
      const AccountId id(std::to_string(200'000'000'000 + i));
      identity::AccountRecord record;
      record.account = {id, "a", identity::canonical_id(id_, id)};
      record.revision = 1;
      some.put.push_back({{meta::Space::kRecords, "acct/" + id.value()}, meta::encode<identity::AccountKind>(record)});
    }
    ASSERT_TRUE(sync_wait(cloud_.store().commit(std::move(some), Deadline::never())));
  }
  start();
  const std::uint64_t before = cloud_.store().last_sequence();
  EXPECT_TRUE(tenants_->open(std::nullopt, "Lyon", kClaire).error() == Errc::kRefused);
  EXPECT_EQ(cloud_.store().last_sequence(), before);
}

}  // namespace
}  // namespace andromede::control
