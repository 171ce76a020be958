#include "net/query.h"

#include <gtest/gtest.h>

namespace andromede::net {
namespace {

TEST(QueryTest, EncodesAndDecodes) {
  EXPECT_EQ(percent_encode("a/b c~\xC3\xA9+", true), "a/b%20c~%C3%A9%2B");
  EXPECT_EQ(percent_encode("a/b", false), "a%2Fb");
  EXPECT_EQ(*percent_decode("a%2fb+c%00", false), std::string("a/b+c\0", 6));
  EXPECT_EQ(*percent_decode("a+b", true), "a b");
  for (const char* bad : {"%", "%4", "%zz", "x%4", "%4g"}) {
    EXPECT_TRUE(percent_decode(bad, false).error().code() == make_error_code(QueryErrc::kBrokenEscape)) << bad;
  }
}

TEST(QueryTest, DecodesNamesAndValues) {
  const Query query = Query::parse("acl&prefix=a%2Fb+c&&=x&k=").value();
  EXPECT_EQ(query.find("acl"), "");
  EXPECT_EQ(query.find("prefix"), "a/b c");
  EXPECT_EQ(query.find("k"), "");
  EXPECT_FALSE(query.has("Prefix"));
  EXPECT_EQ(query.list().size(), 4u);
}

TEST(QueryTest, RefusesBrokenEscapes) {
  for (const std::string_view raw : {"a=%", "a=%1", "a=%zz", "%=1", "a=%%41"}) EXPECT_FALSE(Query::parse(raw)) << raw;
}

TEST(QueryTest, AParameterIsSentOnce) {
  for (const std::string_view raw : {"a=1&a=2", "a&b&a", "a=1&%61=1", "=1&=2", "prefix=a&x=1&prefi%78=b",
                                     "X-Amz-Signature=0&X-Amz-%53ignature=1", "a+b&a%20b"}) {
    const auto answer = Query::parse(raw);
    ASSERT_FALSE(answer) << raw;
    EXPECT_EQ(answer.error().code(), make_error_code(QueryErrc::kSentTwice)) << raw;
  }
  EXPECT_TRUE(Query::parse("a=1&A=2&=3"));
}

TEST(QueryTest, ParametersAreBounded) {
  std::string raw = "p0";
  for (std::size_t i = 1; i < Query::kMaxParameters; ++i) raw += "&p" + std::to_string(i);
  EXPECT_EQ(Query::parse(raw + "&&").value().list().size(), Query::kMaxParameters);
  const auto answer = Query::parse(raw + "&q");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), make_error_code(QueryErrc::kTooManyParameters));
}

}  // namespace
}  // namespace andromede::net
