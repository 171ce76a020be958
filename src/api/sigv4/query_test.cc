#include "api/sigv4/query.h"

#include <gtest/gtest.h>

#include "api/sigv4/errors.h"

namespace andromede::api::sigv4 {
namespace {

std::string canonical(std::string_view raw, std::string_view without = {}) {
  std::string out;
  append_canonical_query(out, Query::parse(raw).value(), without);
  return out;
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
    EXPECT_EQ(answer.error().code(), make_error_code(SigErrc::kSentTwice)) << raw;
  }
  EXPECT_TRUE(Query::parse("a=1&A=2&=3"));
}

TEST(QueryTest, ParametersAreBounded) {
  std::string raw = "p0";
  for (std::size_t i = 1; i < kMaxNames; ++i) raw += "&p" + std::to_string(i);
  EXPECT_EQ(Query::parse(raw + "&&").value().list().size(), kMaxNames);
  const auto answer = Query::parse(raw + "&q");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), make_error_code(SigErrc::kTooManyParameters));
}

TEST(QueryTest, AHeaderInTheQueryHasOneValue) {
  net::Headers sent;
  sent.add("X-Amz-Acl", "private");
  const auto headers = [&sent](std::string_view raw) { return headers_in_query(Query::parse(raw).value(), sent); };
  EXPECT_TRUE(headers("x-amz-acl=private").value().empty());
  EXPECT_EQ(headers("x-amz-acl=private&x-amz-meta-a=1").value().size(), 1u);
  for (const std::string_view raw :
       {"x-amz-acl=public-read", "x-amz-meta-a=1&X-Amz-Meta-A=2", "x-amz-meta-a&x-amz-meta-A"}) {
    const auto answer = headers(raw);
    ASSERT_FALSE(answer) << raw;
    EXPECT_EQ(answer.error().code(), make_error_code(SigErrc::kSentTwice)) << raw;
  }
}

TEST(QueryTest, CanonicalFormIsSortedEncodedAndComplete) {
  EXPECT_EQ(canonical("b=2&a=1&A=0"), "A=0&a=1&b=2");
  EXPECT_EQ(canonical("uploads"), "uploads=");
  EXPECT_EQ(canonical("x=a%2fb%7e+%c3%a9"), "x=a%2Fb~%20%C3%A9");
  EXPECT_EQ(canonical("a=1&X-Amz-Signature=s", "X-Amz-Signature"), "a=1");
  EXPECT_EQ(canonical(""), "");
  // Order is that of the encoded names: "%2F" before "a".
  EXPECT_EQ(canonical("a=1&/=2"), "%2F=2&a=1");
}

TEST(QueryTest, PathsAreEncodedOnce) {
  std::string out;
  EXPECT_TRUE(append_canonical_path(out, "/a%20b/c$d/%7Ee/%25"));
  EXPECT_EQ(out, "/a%20b/c%24d/~e/%25");
  EXPECT_FALSE(append_canonical_path(out, "/%4"));
  std::string root;
  EXPECT_TRUE(append_canonical_path(root, ""));
  EXPECT_EQ(root, "/");
}

}  // namespace
}  // namespace andromede::api::sigv4
