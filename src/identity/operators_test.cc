#include "identity/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "journal/test_store.h"

namespace andromede::identity {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

const Context kInit = operator_context("claire");

class OperatorsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Operators> operators(std::uint8_t key_byte = 7) {
    const auto key = crypto::SecretKey::from_bytes(Bytes(32, key_byte));
    return std::make_unique<Operators>(*key, cloud_.store(), cloud_.clock(), cloud_.random());
  }
  std::string last_event() {
    const auto entries = sync_wait(journal::read_entries(cloud_.store(), cloud_.store().last_sequence(), 1));
    return entries && !entries->empty() ? entries->front().event : "";
  }
  journal::TestStore cloud_;
};

TEST_F(OperatorsTest, ATokenNamesItsOperatorAlsoAfterARestartAndIsStoredNowhere) {
  auto first = operators();
  const auto token = first->create("claire", std::nullopt, kInit);
  ASSERT_TRUE(token) << token.error().message();
  EXPECT_THAT(std::string(token->view()), MatchesRegex("aop.claire.[A-Za-z0-9]{32}"));
  EXPECT_EQ(first->authenticate(token->view()), "claire");
  EXPECT_THAT(last_event(), HasSubstr("\"eventName\":\"CreateOperator\""));
  const std::string secret(token->view().substr(11));
  EXPECT_THAT(last_event(), Not(HasSubstr(secret)));
  EXPECT_THAT(**cloud_.get("op/claire"), Not(HasSubstr(secret)));
  first.reset();
  cloud_.reopen();
  auto second = operators();
  EXPECT_EQ(second->authenticate(token->view()), std::nullopt);
  ASSERT_TRUE(sync_wait(second->load()));
  EXPECT_EQ(second->authenticate(token->view()), "claire");
  // Another cloud's key makes other verifiers.
  auto other = operators(8);
  ASSERT_TRUE(sync_wait(other->load()));
  EXPECT_EQ(other->authenticate(token->view()), std::nullopt);
}

// Made with Python: what a record holds is what docs/formats/identity.md says.
TEST_F(OperatorsTest, TheGoldenRecordsTokenCounts) {
  std::ifstream in(ANDROMEDE_TESTDATA "/operator-v2.bin", std::ios::binary);
  ASSERT_TRUE(cloud_.put("op/claire", {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}, "{}"));
  auto operators = this->operators();
  ASSERT_TRUE(sync_wait(operators->load()));
  EXPECT_EQ(operators->authenticate("aop.claire.0123456789abcdefghijABCDEFGHIJ01"), "claire");
}

TEST_F(OperatorsTest, NoOtherTokenCounts) {
  auto operators = this->operators();
  const std::string token(operators->create("claire", std::nullopt, kInit)->view());
  const std::string other(operators->create("paul", std::nullopt, kInit)->view());
  ASSERT_EQ(operators->authenticate(other), "paul");
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_EQ(operators->authenticate(changed), std::nullopt) << changed;
    EXPECT_EQ(operators->authenticate(token.substr(0, i)), std::nullopt) << i;
  }
  const std::vector<std::string> others{
      token + "a", "aop..", "aop.", ".", "", "aop.paul." + token.substr(11), std::string(100'000, 'a')};
  for (const std::string& wrong : others) {
    EXPECT_EQ(operators->authenticate(wrong), std::nullopt) << wrong.substr(0, 80);
  }
}

TEST_F(OperatorsTest, ARevokedTokenIsWorthNothingAtOnce) {
  auto operators = this->operators();
  const auto claire = operators->create("claire", std::nullopt, kInit);
  const auto paul = operators->create("paul", std::nullopt, kInit);
  ASSERT_TRUE(operators->revoke("paul", kInit));
  EXPECT_EQ(operators->authenticate(paul->view()), std::nullopt);
  EXPECT_EQ(operators->authenticate(claire->view()), "claire");
  const auto event = nlohmann::json::parse(last_event());
  EXPECT_EQ(event["eventName"], "RevokeOperator");
  EXPECT_EQ(event["userIdentity"]["userName"], "claire");
  EXPECT_EQ(event["requestParameters"]["operatorName"], "paul");
  EXPECT_TRUE(operators->revoke("paul", kInit).error() == Errc::kNotFound);
  // The same name again is another token.
  const auto again = operators->create("paul", std::nullopt, kInit);
  ASSERT_TRUE(again);
  EXPECT_EQ(operators->authenticate(paul->view()), std::nullopt);
  EXPECT_EQ(operators->authenticate(again->view()), "paul");
}

TEST_F(OperatorsTest, ATokenEndsWithItsExpiryWhichNobodyCanMove) {
  auto operators = this->operators();
  const Timestamp expires{cloud_.clock().now().ms + 1000};
  const auto token = operators->create("claire", expires, kInit);
  ASSERT_TRUE(token);
  EXPECT_EQ(operators->authenticate(token->view()), "claire");
  OperatorRecord record = operators->list().front();
  record.expires = Timestamp{expires.ms + 1'000'000};
  ASSERT_TRUE(cloud_.put("op/claire", meta::encode<OperatorKind>(record), "{}"));
  ASSERT_TRUE(sync_wait(operators->load()));
  EXPECT_EQ(operators->authenticate(token->view()), std::nullopt) << "the expiry was moved in the metadata";
  record.expires = expires;
  ASSERT_TRUE(cloud_.put("op/claire", meta::encode<OperatorKind>(record), "{}"));
  ASSERT_TRUE(sync_wait(operators->load()));
  EXPECT_EQ(operators->authenticate(token->view()), "claire");
  cloud_.clock().advance(std::chrono::seconds(1));
  EXPECT_EQ(operators->authenticate(token->view()), std::nullopt);
  EXPECT_TRUE(operators->create("late", expires, kInit).error() == Errc::kInvalidArgument);
}

TEST_F(OperatorsTest, TheLastOneWithoutExpiryStays) {
  auto operators = this->operators();
  ASSERT_TRUE(operators->create("claire", std::nullopt, kInit));
  EXPECT_TRUE(operators->revoke("claire", kInit).error() == Errc::kRefused);
  ASSERT_TRUE(operators->create("guest", Timestamp{cloud_.clock().now().ms + 1000}, kInit));
  EXPECT_TRUE(operators->revoke("claire", kInit).error() == Errc::kRefused);
  ASSERT_TRUE(operators->create("paul", std::nullopt, kInit));
  EXPECT_TRUE(operators->revoke("claire", kInit));
  EXPECT_TRUE(operators->revoke("guest", kInit));
}

TEST_F(OperatorsTest, NamesAndNumberAreChecked) {
  auto operators = this->operators();
  for (const char* name :
       {"", "Claire", "a b", "-a", ".a", "é", "abcdefghijklmnopqrstuvwxy", "a/b", "fleet", "key-holder"}) {
    EXPECT_TRUE(operators->create(name, std::nullopt, kInit).error() == Errc::kInvalidArgument) << name;
  }
  ASSERT_TRUE(operators->create("a", std::nullopt, kInit));
  EXPECT_TRUE(operators->create("a", std::nullopt, kInit).error() == Errc::kAlreadyExists);
  for (std::size_t i = 1; i < Operators::kMaxOperators; ++i) {
    ASSERT_TRUE(operators->create("o" + std::to_string(i), std::nullopt, kInit)) << i;
  }
  EXPECT_TRUE(operators->create("more", std::nullopt, kInit).error() == Errc::kRefused);
  ASSERT_TRUE(sync_wait(operators->load()));
  EXPECT_EQ(operators->list().size(), Operators::kMaxOperators);
}

TEST_F(OperatorsTest, AMovedOrBrokenRecordIsFoundAtLoad) {
  auto operators = this->operators();
  ASSERT_TRUE(operators->create("claire", std::nullopt, kInit));
  ASSERT_TRUE(cloud_.put("op/paul", **cloud_.get("op/claire"), "{}"));
  const auto loaded = sync_wait(operators->load());
  EXPECT_TRUE(loaded.error() == Errc::kCorrupt);
  EXPECT_THAT(loaded.error().message(), HasSubstr("op/paul"));
}

}  // namespace
}  // namespace andromede::identity
