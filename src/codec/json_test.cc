#include "codec/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace andromede::codec {
namespace {

using ::testing::HasSubstr;

TEST(Json, ReadsWhatIsWellFormed) {
  const auto parsed = parse_json(R"({"a": [1, -2, 3.5, true, null, "é"], "b": {"c": {}}})");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->dump(), R"({"a":[1,-2,3.5,true,null,"é"],"b":{"c":{}}})");
  EXPECT_EQ(parse_json("7")->get<int>(), 7);
}

TEST(Json, RefusesMalformedText) {
  for (const char* bad :
       {"", "{", "[1,]", "{\"a\":1,}", "nul", "1 2", "{'a':1}", "\"\xff\"", "[1]x", "// c\n1", "NaN"}) {
    EXPECT_TRUE(parse_json(bad).error() == Errc::kInvalidArgument) << bad;
  }
}

TEST(Json, RefusesAKeyTwiceInOneObjectOnly) {
  EXPECT_THAT(parse_json(R"({"a":{"x":1,"x":2}})").error().message(), HasSubstr("\"x\" is there twice"));
  EXPECT_TRUE(parse_json(R"({"a":{"x":1},"b":{"x":2}})").has_value());
}

TEST(Json, LimitsAreExact) {
  const JsonLimits limits{.bytes = 12, .depth = 2, .values = 4};
  EXPECT_TRUE(parse_json("[[1,2]]", limits).has_value());
  EXPECT_FALSE(parse_json("[[[]]]", limits).has_value());
  EXPECT_TRUE(parse_json("[1,2,3]", limits).has_value());
  EXPECT_FALSE(parse_json("[1,2,3,4]", limits).has_value());
  EXPECT_TRUE(parse_json("[          ]", limits).has_value());
  EXPECT_FALSE(parse_json("[           ]", limits).has_value());
}

TEST(Json, DeepNestingIsRefusedWithoutExhaustingTheStack) {
  EXPECT_FALSE(parse_json(std::string(1 << 20, '[')).has_value());
}

}  // namespace
}  // namespace andromede::codec
