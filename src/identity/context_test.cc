#include "identity/context.h"

#include <gtest/gtest.h>

namespace andromede::identity {
namespace {

const Principal kRoot{PrincipalKind::kAccountRoot, {AccountId("000000000001"), "name", "canonical"}, "AKIATEST"};

TEST(ContextTest, APrincipalHasItsName) {
  EXPECT_EQ(arn_of(kRoot), "arn:aws:iam::000000000001:root");
  EXPECT_EQ(arn_of(operator_context("claire").principal), "arn:andromede:iam:::operator/claire");
  EXPECT_EQ(arn_of({}), "*");
}

TEST(ContextTest, AnEventNamesWhoAsked) {
  Context context;
  context.principal = kRoot;
  context.request_id = "r";
  context.source_address = "192.0.2.1";
  context.user_agent = "a client";
  const journal::Event event = event_of(context, "s3.andromede", "PutObject");
  EXPECT_EQ(event.source, "s3.andromede");
  EXPECT_EQ(event.name, "PutObject");
  EXPECT_EQ(event.account, "000000000001");
  EXPECT_EQ(event.principal, "AKIATEST");
  EXPECT_EQ(event.request_id, "r");
  EXPECT_EQ(event.source_address, "192.0.2.1");
  EXPECT_EQ(event.user_agent, "a client");
  EXPECT_EQ(event_of(operator_context("claire"), "s", "n").account, "");
}

}  // namespace
}  // namespace andromede::identity
