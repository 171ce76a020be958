#include "identity/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "identity/caller.h"
#include "identity/records.h"
#include "journal/test_store.h"

namespace andromede::identity {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

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
  ASSERT_TRUE(sync_wait(first->create_account(culture())));
  EXPECT_THAT(last_event(), HasSubstr("\"eventName\":\"CreateAccount\""));
  const auto made = sync_wait(first->create_credential(culture().id));
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_THAT(made->access_key_id, MatchesRegex("AKIA[A-Z2-7]{16}"));
  EXPECT_THAT(std::string(made->secret.view()), MatchesRegex("[A-Za-z0-9]{40}"));
  EXPECT_THAT(last_event(), HasSubstr("\"eventName\":\"CreateAccessKey\""));
  EXPECT_THAT(last_event(), HasSubstr(made->access_key_id));
  EXPECT_THAT(last_event(), Not(HasSubstr(std::string(made->secret.view()))));
  EXPECT_EQ(first->find(made->access_key_id)->secret, made->secret);
  EXPECT_THAT(**cloud_.get("cred/" + made->access_key_id), Not(HasSubstr(std::string(made->secret.view()))));

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
  EXPECT_EQ(second->accounts().size(), 1U);
}

TEST_F(DirectoryTest, RefusesTakenUnknownAndMalformed) {
  auto directory = this->directory();
  ASSERT_TRUE(sync_wait(directory->create_account(culture())));
  EXPECT_TRUE(sync_wait(directory->create_account(culture())).error() == Errc::kAlreadyExists);
  Account malformed = orleans();
  malformed.id = AccountId("2");
  EXPECT_TRUE(sync_wait(directory->create_account(malformed)).error() == Errc::kInvalidArgument);
  EXPECT_TRUE(sync_wait(directory->create_credential(orleans().id)).error() == Errc::kNotFound);
  EXPECT_EQ(directory->find("AKIAABCDEFGHIJKLMNOP"), nullptr);
  EXPECT_EQ(directory->accounts().size(), 1U);
}

TEST_F(DirectoryTest, AccountsHaveABoundedNumberOfKeys) {
  auto directory = this->directory();
  ASSERT_TRUE(sync_wait(directory->create_account(culture())));
  for (std::size_t i = 0; i < Directory::kMaxCredentialsPerAccount; ++i) {
    ASSERT_TRUE(sync_wait(directory->create_credential(culture().id)));
  }
  EXPECT_TRUE(sync_wait(directory->create_credential(culture().id)).error() == Errc::kRefused);
  ASSERT_TRUE(sync_wait(directory->create_account(orleans())));
  EXPECT_TRUE(sync_wait(directory->create_credential(orleans().id)));
}

TEST_F(DirectoryTest, AnotherSealingKeyOrAMovedSecretIsFoundAtLoad) {
  auto first = directory();
  ASSERT_TRUE(sync_wait(first->create_account(culture())));
  ASSERT_TRUE(sync_wait(first->create_account(orleans())));
  const auto made = sync_wait(first->create_credential(culture().id));
  const std::string key = "cred/" + made->access_key_id;
  EXPECT_TRUE(sync_wait(directory(8)->load()).error() == Errc::kCorrupt);
  EXPECT_TRUE(sync_wait(directory(7)->load()));
  // The same sealed secret, under another account.
  CredentialRecord record = *decode_credential(as_bytes(**cloud_.get(key)));
  record.account = orleans().id;
  ASSERT_TRUE(cloud_.put(key, encode(record), "{}"));
  const auto loaded = sync_wait(directory(7)->load());
  EXPECT_TRUE(loaded.error() == Errc::kCorrupt);
  EXPECT_THAT(loaded.error().message(), HasSubstr(key));
}

TEST_F(DirectoryTest, ACredentialOutlivesTheDirectorysHoldOnIt) {
  auto directory = this->directory();
  ASSERT_TRUE(sync_wait(directory->create_account(culture())));
  const auto made = sync_wait(directory->create_credential(culture().id));
  const auto held = directory->find(made->access_key_id);
  directory.reset();
  EXPECT_EQ(held->secret, made->secret);
}

TEST(Caller, NamesItselfInTheEvent) {
  Caller caller;
  caller.account = culture();
  caller.access_key_id = "AKIAABCDEFGHIJKLMNOP";
  caller.request_id = "r";
  caller.source_address = "192.0.2.1";
  caller.user_agent = "u";
  const journal::Event event = event_of(caller, "s3.andromede", "PutObject");
  EXPECT_EQ(event.source, "s3.andromede");
  EXPECT_EQ(event.name, "PutObject");
  EXPECT_EQ(event.account, "000000000001");
  EXPECT_EQ(event.principal, caller.access_key_id);
  EXPECT_EQ(event.request_id, "r");
  EXPECT_EQ(event.source_address, "192.0.2.1");
  EXPECT_EQ(event.user_agent, "u");
}

}  // namespace
}  // namespace andromede::identity
