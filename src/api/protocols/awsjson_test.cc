#include "api/protocols/awsjson.h"

#include <gtest/gtest.h>

#include <cmath>

#include "api/protocols/test_shapes.h"

namespace andromede::api::protocols {
namespace {

template <typename T = Everything>
Result<T> read_body(std::string_view body) {
  auto document = parse_awsjson(body);
  if (!document) return tl::unexpected(document.error());
  return read_awsjson<T>(*document);
}

template <typename T = Everything>
std::string body_refusal(std::string_view body, ShapeErrc code = ShapeErrc::kInvalid) {
  const auto answer = read_body<T>(body);
  if (answer) return "read";
  EXPECT_EQ(answer.error().code(), make_error_code(code)) << body;
  return answer.error().message();
}

TEST(AwsJson, TheTargetNamesTheOperation) {
  const JsonTarget target = parse_awsjson_target("TrentService.CreateKey").value();
  EXPECT_EQ(target.service, "TrentService");
  EXPECT_EQ(target.operation, "CreateKey");
  EXPECT_EQ(parse_awsjson_target("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents")->operation,
            "LookupEvents");
  for (const char* bad : {"", "CreateKey", ".CreateKey", "TrentService.", "Trent Service.CreateKey"}) {
    EXPECT_FALSE(parse_awsjson_target(bad)) << bad;
  }
}

TEST(AwsJson, BodiesAreObjects) {
  EXPECT_EQ(read_body("").value(), Everything());
  EXPECT_EQ(read_body("{}").value(), Everything());
  for (const char* bad : {"[]", "1", "{", "{\"a\":1,\"a\":2}"}) {
    EXPECT_EQ(read_body(bad).error().code(), make_error_code(ShapeErrc::kMalformed)) << bad;
  }
}

TEST(AwsJson, Members) {
  const Everything got =
      read_body(R"({"Text":"a","Truth":true,"Whole":-4,"Small":255,"Number":1.5,"Bytes":"dmFsdWU=","Time":946845296.123,
               "Epoch":1422172800,"Http":"Tue, 29 Apr 2014 18:30:38 GMT","Greeting":{"hi":"hello","more":1},
               "List":["foo","bar"],"Flat":["A"],"Lists":[["a"],[]],"Map":{"a":"A","b":null},
               "Greeted":{"k":{"hi":"v"}},"MapOfLists":{"m":["C"]},"Unknown":[1]})")
          .value();
  Everything want;
  want.text = "a";
  want.truth = true;
  want.whole = -4;
  want.small = 255;
  want.number = 1.5;
  want.bytes = to_bytes(as_bytes("value"));
  want.time = Timestamp{946845296123};
  want.epoch = Timestamp{1422172800000};
  want.http = Timestamp{1398796238000};
  want.greeting = Greeting{"hello"};
  want.list = {"foo", "bar"};
  want.flat = {"A"};
  want.lists = {{"a"}, {}};
  want.map = {{"a", "A"}};
  want.greeted = {{"k", {"v"}}};
  want.map_of_lists = {{"m", {"C"}}};
  EXPECT_EQ(got, want);
  EXPECT_EQ(read_body(render_awsjson(got)).value(), want);
  EXPECT_TRUE(std::isnan(*read_body(R"({"Number":"NaN"})").value().number));
  EXPECT_EQ(read_body(R"({"Text":null})").value(), Everything());
}

TEST(AwsJson, WhatIsWrongIsNamed) {
  EXPECT_EQ(body_refusal(R"({"Text":1})"), "Text is not a text");
  EXPECT_EQ(body_refusal(R"({"Truth":"true"})"), "Truth is not true or false");
  EXPECT_EQ(body_refusal(R"({"Whole":1.0})"), "Whole is not a whole number");
  EXPECT_EQ(body_refusal(R"({"Whole":18446744073709551615})"), "Whole is not a whole number");
  EXPECT_EQ(body_refusal(R"({"Small":-1})"), "Small is out of range");
  EXPECT_EQ(body_refusal(R"({"Number":"one"})"), "Number is not a number");
  EXPECT_EQ(body_refusal(R"({"Time":"2015-01-25T08:00:00Z"})"), "Time is not a number of seconds");
  EXPECT_EQ(body_refusal(R"({"Time":1e300})"), "Time is not a time");
  EXPECT_EQ(body_refusal(R"({"Greeting":"hello"})"), "Greeting is not an object");
  EXPECT_EQ(body_refusal(R"({"List":"a"})"), "List is not a list");
  EXPECT_EQ(body_refusal(R"({"List":[null]})", ShapeErrc::kMissing), "List.1 is missing");
  EXPECT_EQ(body_refusal(R"({"Greetings":[{},{"hi":2}]})"), "Greetings.2.hi is not a text");
  EXPECT_EQ(body_refusal(R"({"Map":[]})"), "Map is not an object");
  EXPECT_EQ(body_refusal<Required>("{}", ShapeErrc::kMissing), "Name is missing");
}

TEST(AwsJson, Answers) {
  Everything out;
  out.text = "\"\xFF";
  out.number = INFINITY;
  out.time = Timestamp{1398796238500};
  out.http = Timestamp{1398796238000};
  out.list = {"a"};
  out.flat_map = {{"a", "A"}};
  EXPECT_EQ(render_awsjson(out),
            "{\"Text\":\"\\\"\xEF\xBF\xBD\",\"Number\":\"Infinity\",\"Time\":1398796238.5,\"Http\":\"Tue, 29 Apr 2014 "
            "18:30:38 GMT\",\"List\":[\"a\"],\"Greetings\":[],\"Flat\":[],\"Renamed\":[],\"Lists\":[],\"Map\":{},"
            "\"Greeted\":{},\"MapOfLists\":{},\"FlatMap\":{\"a\":\"A\"}}");
  EXPECT_EQ(render_awsjson_error("NotFoundException", "no key"),
            "{\"__type\":\"NotFoundException\",\"message\":\"no key\"}");
}

}  // namespace
}  // namespace andromede::api::protocols
