#include "api/s3/pagination.h"

#include <gtest/gtest.h>

namespace andromede::api::s3 {
namespace {

TEST(PaginationTest, ATokenHidesAndGivesBackItsName) {
  for (const std::string name : {"", "a", "ab", "abc", "é/\n+?>~", "long name with spaces"}) {
    const std::string token = make_token(name);
    EXPECT_EQ(parse_token(token), name);
    EXPECT_EQ(token.find_first_of("+/= "), std::string::npos);
  }
}

TEST(PaginationTest, RefusesForeignTokens) {
  for (const std::string_view token : {"", "a", "!!!!", "MmE" /* a version 2 */, "AAAA"}) {
    EXPECT_FALSE(parse_token(token)) << token;
  }
}

}  // namespace
}  // namespace andromede::api::s3
