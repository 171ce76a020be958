#include "net/names.h"

#include <gtest/gtest.h>

namespace andromede::net {
namespace {

TEST(NamesTest, CaseIsIgnored) {
  EXPECT_TRUE(same_name("Content-Type", "content-TYPE"));
  EXPECT_FALSE(same_name("a[", "a{"));  // one bit apart, as letters of two cases are
  EXPECT_TRUE(name_before("A", "b"));
  EXPECT_FALSE(name_before("b", "A"));
  EXPECT_FALSE(name_before("A", "a"));
  EXPECT_TRUE(name_before("a", "AB"));
  EXPECT_TRUE(has_prefix("X-Amz-Acl", "x-amz-"));
  EXPECT_FALSE(has_prefix("x-amz-", "x-amz-"));
}

TEST(NamesTest, TokensAndValues) {
  EXPECT_TRUE(is_token("x-amz_meta.~1"));
  for (const std::string_view bad : {"", "a b", "a:", "a\x7F", "\xC3\xA9"}) EXPECT_FALSE(is_token(bad)) << bad;
  EXPECT_TRUE(is_field_value("a\tb \xC3\xA9"));
  for (const std::string_view bad : {"a\nb", "a\rb", "a\x7F"}) EXPECT_FALSE(is_field_value(bad));
}

TEST(NamesTest, ListsOfTokens) {
  EXPECT_TRUE(list_has_token("a, B ,c", "b"));
  EXPECT_TRUE(list_has_token("close", "Close"));
  EXPECT_FALSE(list_has_token("closed, xclose", "close"));
  EXPECT_FALSE(list_has_token("", "close"));
}

}  // namespace
}  // namespace andromede::net
