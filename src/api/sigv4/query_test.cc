#include "api/sigv4/query.h"

#include <gtest/gtest.h>

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

TEST(QueryTest, CanonicalFormIsSortedEncodedAndComplete) {
  EXPECT_EQ(canonical("b=2&a=1&a=0"), "a=0&a=1&b=2");
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
