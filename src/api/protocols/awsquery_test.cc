#include "api/protocols/awsquery.h"

#include <gtest/gtest.h>

#include <cmath>

#include "api/protocols/test_shapes.h"

namespace andromede::api::protocols {
namespace {

constexpr std::string_view kHead = "Action=Do&Version=2020-01-08";

template <typename T = Everything>
Result<T> read_form(std::string_view form) {
  auto request = parse_awsquery(std::string(kHead) + "&" + std::string(form));
  if (!request) return tl::unexpected(request.error());
  return read_awsquery<T>(*request);
}

template <typename T = Everything>
std::string form_refusal(std::string_view form, ShapeErrc code) {
  const auto answer = read_form<T>(form);
  if (answer) return "read";
  EXPECT_EQ(answer.error().code(), make_error_code(code)) << form;
  return answer.error().message();
}

TEST(AwsQuery, AFormNamesActionAndVersion) {
  const auto request = parse_awsquery("Version=2010-05-08&UserName=a%20b&Action=GetUser").value();
  EXPECT_EQ(request.action, "GetUser");
  EXPECT_EQ(request.version, "2010-05-08");
  ASSERT_EQ(request.parameters.size(), 1u);
  EXPECT_EQ(request.parameters[0].value, "a b");
  EXPECT_EQ(parse_awsquery("Version=1").error().code(), make_error_code(ShapeErrc::kMissing));
  EXPECT_EQ(parse_awsquery("Action=A").error().code(), make_error_code(ShapeErrc::kMissing));
  for (const char* bad : {"Action=%", "Action=A&Action=B&Version=1"}) {
    EXPECT_EQ(parse_awsquery(bad).error().code(), make_error_code(ShapeErrc::kMalformed)) << bad;
  }
  std::string many(kHead);
  for (std::size_t i = 0; i < kMaxFormParameters; ++i) many += "&p" + std::to_string(i) + "=";
  EXPECT_EQ(parse_awsquery(many).error().code(), make_error_code(ShapeErrc::kMalformed));
}

TEST(AwsQuery, Scalars) {
  const Everything got =
      read_form(
          "Text=val1&Truth=true&Whole=10&Small=255&Number=10.8&Bytes=dmFsdWU%3D&Time=2015-01-25T08%3A00%3A00Z"
          "&Epoch=1422172800&Http=Tue%2C%2029%20Apr%202014%2018%3A30%3A38%20GMT")
          .value();
  EXPECT_EQ(got.text, "val1");
  EXPECT_EQ(got.truth, true);
  EXPECT_EQ(got.whole, 10);
  EXPECT_EQ(got.small, 255);
  EXPECT_EQ(got.number, 10.8);
  EXPECT_EQ(as_text(*got.bytes), "value");
  EXPECT_EQ(got.time, Timestamp{1422172800000});
  EXPECT_EQ(got.epoch, Timestamp{1422172800000});
  EXPECT_EQ(got.http, Timestamp{1398796238000});
  EXPECT_EQ(read_form("Truth=false").value().truth, false);
  EXPECT_TRUE(std::isnan(*read_form("Number=NaN").value().number));
  EXPECT_EQ(read_form("Number=-Infinity").value().number, -INFINITY);
  EXPECT_EQ(read_form("Text=").value().text, "");
  EXPECT_EQ(read_form("Unknown=1").value(), Everything());
}

TEST(AwsQuery, StructuresListsAndMaps) {
  const Everything got =
      read_form(
          "Greeting.hi=hello&List.member.2=bar&List.member.1=foo&List.member.10=baz&Greetings.member.1.hi=hello"
          "&Greetings.member.2.hi=hola&Flat.1=A&Flat.2=B&Renamed.item.1=x&Lists.member.1.member.1=a"
          "&Lists.member.2.member.1=b&Map.entry.1.key=bar&Map.entry.1.value=Bar&Map.entry.2.key=foo"
          "&Map.entry.2.value=Foo&Greeted.entry.1.K=k&Greeted.entry.1.V.hi=v&MapOfLists.entry.1.key=bar"
          "&MapOfLists.entry.1.value.member.1=C&MapOfLists.entry.1.value.member.2=D&FlatMap.1.K=a&FlatMap.1.V=A")
          .value();
  Everything want;
  want.greeting = Greeting{"hello"};
  want.list = {"foo", "bar", "baz"};
  want.greetings = {{"hello"}, {"hola"}};
  want.flat = {"A", "B"};
  want.renamed = {"x"};
  want.lists = {{"a"}, {"b"}};
  want.map = {{"bar", "Bar"}, {"foo", "Foo"}};
  want.greeted = {{"k", {"v"}}};
  want.map_of_lists = {{"bar", {"C", "D"}}};
  want.flat_map = {{"a", "A"}};
  EXPECT_EQ(got, want);
  EXPECT_TRUE(read_form("List=&Flat=&Map=").value().list.empty());
}

TEST(AwsQuery, WhatIsWrongIsNamed) {
  EXPECT_EQ(form_refusal("Truth=yes", ShapeErrc::kInvalid), "Truth is not true or false");
  EXPECT_EQ(form_refusal("Whole=1.5", ShapeErrc::kInvalid), "Whole is not a whole number");
  EXPECT_EQ(form_refusal("Small=256", ShapeErrc::kInvalid), "Small is out of range");
  EXPECT_EQ(form_refusal("Small=-1", ShapeErrc::kInvalid), "Small is out of range");
  EXPECT_EQ(form_refusal("Number=1e999", ShapeErrc::kInvalid), "Number is not a number");
  EXPECT_EQ(form_refusal("Bytes=%21", ShapeErrc::kInvalid), "Bytes is not base64");
  EXPECT_EQ(form_refusal("Time=today", ShapeErrc::kInvalid), "Time is not a time");
  EXPECT_EQ(form_refusal("Epoch=1e300", ShapeErrc::kInvalid), "Epoch is not a time");
  EXPECT_EQ(form_refusal("Text.a=1", ShapeErrc::kInvalid), "Text has no value of its own");
  EXPECT_EQ(form_refusal("Greeting=hello", ShapeErrc::kInvalid),
            "Greeting has a value of its own, where only what is in it can");
  EXPECT_EQ(form_refusal("List=a", ShapeErrc::kInvalid), "List has a value of its own, where only what is in it can");
  EXPECT_EQ(form_refusal("Map.entry.1.key=a", ShapeErrc::kMissing), "Map.entry.1.value is missing");
  EXPECT_EQ(form_refusal("Map.entry.1.value=a", ShapeErrc::kInvalid), "Map.entry.1.key has no value of its own");
  EXPECT_EQ(
      form_refusal("Map.entry.1.key=a&Map.entry.1.value=b&Map.entry.2.key=a&Map.entry.2.value=c", ShapeErrc::kInvalid),
      "Map.entry.2.value is there twice");
  EXPECT_EQ(form_refusal<Required>("Nam=a", ShapeErrc::kMissing), "Name is missing");
  // Nothing of a list is left out in silence.
  for (const char* bad : {"List.item.1=a", "List.1=a", "List.member.0=a", "List.member.01=a", "List.member.x=a",
                          "List.member.=a", "List.member.10001=a", "List.member.99999999999=a", "Flat.member.1=a"}) {
    form_refusal(bad, ShapeErrc::kInvalid);
  }
}

TEST(AwsQuery, NestingIsBounded) {
  std::string in = "In.1";
  for (unsigned depth = 1; depth < kMaxNesting; ++depth) in += ".In.1";
  EXPECT_TRUE(read_form<Deep>(in + "=")) << in;
  form_refusal<Deep>(in + ".In.1=", ShapeErrc::kInvalid);
}

TEST(AwsQuery, Answers) {
  const std::string_view xmlns = "https://example.com/";
  EXPECT_EQ(
      render_awsquery("Do", xmlns, "id", Greeting{"a<b"}),
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DoResponse xmlns=\"https://example.com/\"><DoResult><hi>a&lt;b"
      "</hi></DoResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DoResponse>");
  EXPECT_EQ(render_awsquery("Do", xmlns, "id"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DoResponse xmlns=\"https://example.com/\"><ResponseMetadata>"
            "<RequestId>id</RequestId></ResponseMetadata></DoResponse>");
  EXPECT_EQ(
      render_awsquery_error(xmlns, "id", "NoSuchEntity", "no user \"a\"", false),
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse xmlns=\"https://example.com/\"><Error><Type>Sender"
      "</Type><Code>NoSuchEntity</Code><Message>no user &quot;a&quot;</Message></Error><RequestId>id</RequestId>"
      "</ErrorResponse>");
  EXPECT_NE(render_awsquery_error(xmlns, "id", "InternalFailure", "", true).find("<Type>Receiver</Type>"),
            std::string::npos);
}

}  // namespace
}  // namespace andromede::api::protocols
