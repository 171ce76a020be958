#include "api/sigv4/query_headers.h"

#include <gtest/gtest.h>

#include "api/sigv4/errors.h"

namespace andromede::api::sigv4 {
namespace {

TEST(QueryHeaders, AHeaderInTheQueryHasOneValue) {
  net::Headers sent;
  sent.add("X-Amz-Acl", "private");
  const auto headers = [&sent](std::string_view raw) { return headers_in_query(net::Query::parse(raw).value(), sent); };
  EXPECT_TRUE(headers("x-amz-acl=private").value().empty());
  EXPECT_EQ(headers("x-amz-acl=private&x-amz-meta-a=1").value().size(), 1u);
  for (const std::string_view raw :
       {"x-amz-acl=public-read", "x-amz-meta-a=1&X-Amz-Meta-A=2", "x-amz-meta-a&x-amz-meta-A"}) {
    const auto answer = headers(raw);
    ASSERT_FALSE(answer) << raw;
    EXPECT_EQ(answer.error().code(), make_error_code(SigErrc::kSentTwice)) << raw;
  }
}

}  // namespace
}  // namespace andromede::api::sigv4
