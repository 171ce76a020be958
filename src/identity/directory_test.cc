#include "identity/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "identity/records.h"
#include "journal/test_store.h"

namespace andromede::identity {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

const Context kClaire{.principal = operator_context("claire").principal,
                      .listener = Listener::kOperators,
                      .request_id = "request",
                      .source_address = "192.0.2.7"};

std::vector<AccountInfo> all(const Directory& directory) { return directory.accounts(AccountId(""), 100); }

Account culture() { return {AccountId("000000000001"), "Culture", std::string(64, 'a')}; }
Account orleans() { return {AccountId("000000000002"), "Orléans", std::string(64, 'b')}; }

class DirectoryTest : public ::testing::Test {
 protected:
  std::unique_ptr<Directory> directory(std::uint8_t key_byte = 7) {
    return std::make_unique<Directory>(std::move(*crypto::SecretKey::from_bytes(Bytes(32, key_byte))), cloud_.store(),
                                       cloud_.clock(), cloud_.random());
  }
  std::string last_event() {
    const auto entries = sync_wait(journal::read_entries(cloud_.store(), cloud_.store().last_sequence(), 1));
    return entries && !entries->empty() ? entries->front().event : "";
  }
  journal::TestStore cloud_;
};

TEST_F(DirectoryTest, CredentialsSurviveARestartAndAreJournaledWithoutTheirSecret) {
  auto first = directory();
  ASSERT_TRUE(sync_wait(first->create_account(culture(), kClaire)));
  EXPECT_THAT(last_event(), HasSubstr("\"eventName\":\"CreateAccount\""));
  const auto made = sync_wait(first->create_credential(culture().id, kClaire));
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_THAT(made->access_key_id, MatchesRegex("AKIA[A-Z2-7]{16}"));
  EXPECT_THAT(std::string(made->secret.view()), MatchesRegex("[A-Za-z0-9]{40}"));
  EXPECT_THAT(last_event(), HasSubstr("\"eventName\":\"CreateAccessKey\""));
  EXPECT_THAT(last_event(), HasSubstr(made->access_key_id));
  EXPECT_THAT(last_event(), Not(HasSubstr(std::string(made->secret.view()))));
  EXPECT_EQ(first->find(made->access_key_id)->secret, made->secret);
  EXPECT_THAT(**cloud_.get("cred/" + culture().id.value() + "/" + made->access_key_id),
              Not(HasSubstr(std::string(made->secret.view()))));

  first.reset();
  cloud_.reopen();
  auto second = directory();
  EXPECT_EQ(second->find(made->access_key_id), nullptr);
  ASSERT_TRUE(sync_wait(second->load()));
  const auto found = second->find(made->access_key_id);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->secret, made->secret);
  EXPECT_EQ(found->account.id, culture().id);
  EXPECT_EQ(found->account.canonical_id, culture().canonical_id);
  EXPECT_EQ(all(*second).size(), 1U);
}

TEST_F(DirectoryTest, RefusesTakenUnknownAndMalformed) {
  auto directory = this->directory();
  ASSERT_TRUE(sync_wait(directory->create_account(culture(), kClaire)));
  EXPECT_TRUE(sync_wait(directory->create_account(culture(), kClaire)).error() == Errc::kAlreadyExists);
  Account malformed = orleans();
  malformed.id = AccountId("2");
  EXPECT_TRUE(sync_wait(directory->create_account(malformed, kClaire)).error() == Errc::kInvalidArgument);
  EXPECT_TRUE(sync_wait(directory->create_credential(orleans().id, kClaire)).error() == Errc::kNotFound);
  EXPECT_EQ(directory->find("AKIAABCDEFGHIJKLMNOP"), nullptr);
  EXPECT_EQ(all(*directory).size(), 1U);
}

TEST_F(DirectoryTest, AccountsHaveABoundedNumberOfKeys) {
  auto directory = this->directory();
  ASSERT_TRUE(sync_wait(directory->create_account(culture(), kClaire)));
  for (std::size_t i = 0; i < Directory::kMaxCredentialsPerAccount; ++i) {
    ASSERT_TRUE(sync_wait(directory->create_credential(culture().id, kClaire)));
  }
  EXPECT_TRUE(sync_wait(directory->create_credential(culture().id, kClaire)).error() == Errc::kRefused);
  ASSERT_TRUE(sync_wait(directory->create_account(orleans(), kClaire)));
  EXPECT_TRUE(sync_wait(directory->create_credential(orleans().id, kClaire)));
}

TEST_F(DirectoryTest, AnotherSealingKeyOrAMovedSecretIsFoundAtLoad) {
  auto first = directory();
  ASSERT_TRUE(sync_wait(first->create_account(culture(), kClaire)));
  ASSERT_TRUE(sync_wait(first->create_account(orleans(), kClaire)));
  const auto made = sync_wait(first->create_credential(culture().id, kClaire));
  const std::string key = "cred/" + culture().id.value() + "/" + made->access_key_id;
  EXPECT_TRUE(sync_wait(directory(8)->load()).error() == Errc::kCorrupt);
  EXPECT_TRUE(sync_wait(directory(7)->load()));
  // The same sealed secret, under another account.
  const std::string moved = "cred/" + orleans().id.value() + "/" + made->access_key_id;
  ASSERT_TRUE(cloud_.put(moved, **cloud_.get(key), "{}"));
  const auto loaded = sync_wait(directory(7)->load());
  EXPECT_TRUE(loaded.error() == Errc::kCorrupt);
  EXPECT_THAT(loaded.error().message(), HasSubstr(moved));
}

TEST_F(DirectoryTest, AKeyOfNoAccountIsFoundAtLoad) {
  auto first = directory();
  ASSERT_TRUE(sync_wait(first->create_account(culture(), kClaire)));
  const auto made = sync_wait(first->create_credential(culture().id, kClaire));
  const std::string key = "cred/" + culture().id.value() + "/" + made->access_key_id;
  ASSERT_TRUE(cloud_.put("cred/000000000009/" + made->access_key_id, **cloud_.get(key), "{}"));
  EXPECT_TRUE(sync_wait(directory()->load()).error() == Errc::kCorrupt);
}

TEST_F(DirectoryTest, KeysAreDisabledEnabledAndDeletedAtOnceAndJournaled) {
  auto first = directory();
  ASSERT_TRUE(sync_wait(first->create_account(culture(), kClaire)));
  const std::string id = sync_wait(first->create_credential(culture().id, kClaire))->access_key_id;
  const auto journaled = [this](const char* name, const std::string& key) {
    const auto event = nlohmann::json::parse(last_event());
    EXPECT_EQ(event["eventName"], name);
    EXPECT_EQ(event["userIdentity"]["userName"], "claire");
    EXPECT_EQ(event["requestID"], "request");
    EXPECT_EQ(event["sourceIPAddress"], "192.0.2.7");
    EXPECT_EQ(event["requestParameters"]["accessKeyId"], key);
    EXPECT_EQ(event["requestParameters"]["accountId"], culture().id.value());
  };
  journaled("CreateAccessKey", id);
  ASSERT_TRUE(sync_wait(first->set_active(id, false, kClaire)));
  journaled("DisableAccessKey", id);
  EXPECT_EQ(first->find(id), nullptr);
  EXPECT_FALSE(first->account(culture().id)->keys.front().active);
  const std::uint64_t before = cloud_.store().last_sequence();
  ASSERT_TRUE(sync_wait(first->set_active(id, false, kClaire)));
  EXPECT_EQ(cloud_.store().last_sequence(), before) << "nothing changed";

  first.reset();
  cloud_.reopen();
  auto second = directory();
  ASSERT_TRUE(sync_wait(second->load()));
  EXPECT_EQ(second->find(id), nullptr);
  ASSERT_TRUE(sync_wait(second->set_active(id, true, kClaire)));
  journaled("EnableAccessKey", id);
  EXPECT_NE(second->find(id), nullptr);
  ASSERT_TRUE(sync_wait(second->delete_credential(id, kClaire)));
  journaled("DeleteAccessKey", id);
  EXPECT_EQ(second->find(id), nullptr);
  EXPECT_TRUE(sync_wait(second->delete_credential(id, kClaire)).error() == Errc::kNotFound);
  EXPECT_TRUE(sync_wait(second->set_active(id, true, kClaire)).error() == Errc::kNotFound);
  auto third = directory();
  ASSERT_TRUE(sync_wait(third->load()));
  EXPECT_EQ(third->find(id), nullptr);
  EXPECT_TRUE(third->account(culture().id)->keys.empty());
}

TEST_F(DirectoryTest, AClosedAccountHasNoKeysMakesNoneAndKeepsItsId) {
  auto first = directory();
  ASSERT_TRUE(sync_wait(first->create_account(culture(), kClaire)));
  const std::string id = sync_wait(first->create_credential(culture().id, kClaire))->access_key_id;
  const auto expected = first->expect_open(culture().id);
  ASSERT_TRUE(expected);
  EXPECT_EQ(**cloud_.get(expected->key), *expected->value);
  ASSERT_TRUE(cloud_.put("beside", "x", "{}"));
  Beside beside;
  beside.expect.push_back({"beside", "y"});
  EXPECT_TRUE(sync_wait(first->close_account(culture().id, kClaire, beside)).error() == Errc::kConflict);
  EXPECT_NE(first->find(id), nullptr) << "nothing was done";
  beside.expect.back().value = "x";
  beside.erase.push_back({meta::Space::kRecords, "beside"});
  ASSERT_TRUE(sync_wait(first->close_account(culture().id, kClaire, beside)));
  EXPECT_FALSE(cloud_.get("beside")->has_value());
  EXPECT_THAT(last_event(), HasSubstr("\"eventName\":\"CloseAccount\""));
  for (const bool again : {false, true}) {
    if (again) ASSERT_TRUE(sync_wait(first->load()));
    EXPECT_EQ(first->find(id), nullptr);
    EXPECT_TRUE(first->account(culture().id)->closed);
    EXPECT_TRUE(first->account(culture().id)->keys.empty());
    EXPECT_TRUE(first->expect_open(culture().id).error() == Errc::kRefused);
    EXPECT_TRUE(sync_wait(first->create_credential(culture().id, kClaire)).error() == Errc::kRefused);
    EXPECT_TRUE(sync_wait(first->close_account(culture().id, kClaire, {})).error() == Errc::kRefused);
    EXPECT_TRUE(sync_wait(first->create_account(culture(), kClaire)).error() == Errc::kAlreadyExists);
  }
  EXPECT_FALSE(cloud_.get("cred/" + culture().id.value() + "/" + id)->has_value());
}

// Two gateways, or two threads: whoever decided on what is no longer so gets a conflict, and knows better then.
TEST_F(DirectoryTest, AChangeOnStaleGroundIsRefusedAndMendsMemory) {
  auto first = directory();
  ASSERT_TRUE(sync_wait(first->create_account(culture(), kClaire)));
  auto second = directory();
  ASSERT_TRUE(sync_wait(second->load()));
  const std::string id = sync_wait(first->create_credential(culture().id, kClaire))->access_key_id;
  EXPECT_TRUE(sync_wait(second->close_account(culture().id, kClaire, {})).error() == Errc::kConflict);
  EXPECT_NE(second->find(id), nullptr) << "it has read what is stored";
  ASSERT_TRUE(sync_wait(second->close_account(culture().id, kClaire, {})));
  EXPECT_TRUE(sync_wait(first->set_active(id, false, kClaire)).error() == Errc::kConflict);
  EXPECT_EQ(first->find(id), nullptr);
}

TEST_F(DirectoryTest, ListsPageByPage) {
  auto directory = this->directory();
  ASSERT_TRUE(sync_wait(directory->create_account(culture(), kClaire)));
  ASSERT_TRUE(sync_wait(directory->create_account(orleans(), kClaire)));
  const auto page = directory->accounts(AccountId(""), 1);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page.front().account.id, culture().id);
  const auto rest = directory->accounts(culture().id, 5);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest.front().account.display_name, "Orléans");
  EXPECT_TRUE(directory->accounts(orleans().id, 5).empty());
  EXPECT_TRUE(directory->account(AccountId("999999999999")).error() == Errc::kNotFound);
}

TEST_F(DirectoryTest, ACredentialOutlivesTheDirectorysHoldOnIt) {
  auto directory = this->directory();
  ASSERT_TRUE(sync_wait(directory->create_account(culture(), kClaire)));
  const auto made = sync_wait(directory->create_credential(culture().id, kClaire));
  const auto held = directory->find(made->access_key_id);
  directory.reset();
  EXPECT_EQ(held->secret, made->secret);
}

}  // namespace
}  // namespace andromede::identity
