#include "identity/decision.h"

#include <gtest/gtest.h>

namespace andromede::identity {
namespace {

const AccountId kLyon("000000000001");
const AccountId kNice("000000000002");

Principal account(const AccountId& id) { return {PrincipalKind::kAccountRoot, {id, "name", "canonical"}, "AKIATEST"}; }
Principal claire() { return operator_context("claire").principal; }

bool allows(const Principal& principal, std::string_view action, const AccountId* owner, Listener listener) {
  const Decision decision = decide(principal, action, {"bucket", "b", owner}, {listener});
  EXPECT_FALSE(std::string_view(decision.reason).empty());
  return decision.allowed;
}

TEST(DecisionTest, ABucketAnswersToItsAccount) {
  EXPECT_TRUE(allows(account(kLyon), "s3:GetObject", &kLyon, Listener::kTenants));
  EXPECT_FALSE(allows(account(kNice), "s3:GetObject", &kLyon, Listener::kTenants));
}

TEST(DecisionTest, WhatIsTheCloudsIsTheOperators) {
  EXPECT_TRUE(allows(claire(), "andromede:Drain", nullptr, Listener::kOperators));
  EXPECT_FALSE(allows(account(kLyon), "andromede:Drain", nullptr, Listener::kTenants));
}

// No right of one kind helps on the other's listener, or with the other's things.
TEST(DecisionTest, TenantsAndOperatorsAreNothingToEachOther) {
  for (const Listener listener : {Listener::kTenants, Listener::kOperators}) {
    EXPECT_FALSE(allows(claire(), "s3:GetObject", &kLyon, listener));
    EXPECT_FALSE(allows(claire(), "andromede:Drain", &kLyon, listener));
    EXPECT_FALSE(allows(account(kLyon), "s3:GetObject", nullptr, listener));
    EXPECT_FALSE(allows(account(kLyon), "andromede:Drain", &kLyon, listener));
  }
  EXPECT_FALSE(allows(account(kLyon), "s3:GetObject", &kLyon, Listener::kOperators));
  EXPECT_FALSE(allows(claire(), "andromede:Drain", nullptr, Listener::kTenants));
}

TEST(DecisionTest, NobodyMayDoAnything) {
  const AccountId none;
  for (const Listener listener : {Listener::kTenants, Listener::kOperators}) {
    for (const AccountId* owner : {static_cast<const AccountId*>(nullptr), &kLyon, &none}) {
      EXPECT_FALSE(allows(Principal{}, "s3:GetObject", owner, listener));
      EXPECT_FALSE(allows(Principal{}, "andromede:Drain", owner, listener));
      EXPECT_FALSE(allows(Principal{}, "", owner, listener));
    }
  }
}

}  // namespace
}  // namespace andromede::identity
