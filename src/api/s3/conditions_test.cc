#include "api/s3/conditions.h"

#include <gtest/gtest.h>

namespace andromede::api::s3 {
namespace {

TEST(ConditionsTest, ReadsTheFourHeaders) {
  net::Headers headers;
  headers.add("If-Match", "\"a\"");
  headers.add("If-None-Match", "*");
  headers.add("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT");
  headers.add("If-Unmodified-Since", "not a date");
  headers.add("x-amz-copy-source-if-match", "b");
  const objects::Conditions plain = read_conditions(headers);
  EXPECT_EQ(plain.if_match, "\"a\"");
  EXPECT_EQ(plain.if_none_match, "*");
  EXPECT_EQ(plain.if_modified_since, Timestamp{784111777000});
  EXPECT_FALSE(plain.if_unmodified_since);
  const objects::Conditions source = read_copy_source_conditions(headers);
  EXPECT_EQ(source.if_match, "b");
  EXPECT_FALSE(source.if_none_match);
}

TEST(ConditionsTest, ReadsOneRange) {
  const auto both = parse_range("bytes=0-9");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->first, 0u);
  EXPECT_EQ(both->last, 9u);
  const auto open = parse_range("bytes=5-");
  ASSERT_TRUE(open);
  EXPECT_EQ(open->first, 5u);
  EXPECT_FALSE(open->last);
  EXPECT_EQ(parse_range("bytes=5-99999999999999999999")->last, std::numeric_limits<std::uint64_t>::max());
  const auto suffix = parse_range("bytes=-7");
  ASSERT_TRUE(suffix);
  EXPECT_FALSE(suffix->first);
  EXPECT_EQ(suffix->last, 7u);
}

TEST(ConditionsTest, WhatIsNotOneRangeMeansTheWhole) {
  for (const std::string_view text : {"", "bytes", "bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "bytes=0-2,3-5",
                                      "lines=0-9", "bytes=0", "bytes= 0-9"}) {
    EXPECT_FALSE(parse_range(text)) << text;
  }
}

TEST(ConditionsTest, ACopyRangeHasBothEnds) {
  EXPECT_TRUE(parse_copy_range("bytes=0-9"));
  for (const std::string_view text : {"0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=hello-",
                                      "bytes=0-2,3-5", "bytes=5-", "bytes=-5"}) {
    EXPECT_FALSE(parse_copy_range(text)) << text;
  }
}

}  // namespace
}  // namespace andromede::api::s3
