#include "api/protocols/xml_shapes.h"

#include <gtest/gtest.h>

#include "api/protocols/test_shapes.h"

namespace andromede::api::protocols {
namespace {

constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

std::string refusal(std::string_view inside, ShapeErrc code = ShapeErrc::kInvalid) {
  const auto answer = read_xml<Everything>("<E>" + std::string(inside) + "</E>", "E");
  if (answer) return "read";
  EXPECT_EQ(answer.error().code(), make_error_code(code)) << inside;
  return answer.error().message();
}

Everything sample() {
  Everything out;
  out.text = "a & b";
  out.truth = false;
  out.whole = -4;
  out.number = 5.5;
  out.bytes = to_bytes(as_bytes("value"));
  out.time = Timestamp{1398796238000};
  out.epoch = Timestamp{1398796238000};
  out.http = Timestamp{1398796238000};
  out.greeting = Greeting{"hello"};
  out.list = {"foo", "bar"};
  out.greetings = {{"1"}, {"3"}};
  out.flat = {"hi", "bye"};
  out.renamed = {"x"};
  out.lists = {{"foo", "bar"}, {"baz"}};
  out.map = {{"foo", "Foo"}};
  out.greeted = {{"foo", {"there"}}};
  out.map_of_lists = {{"foo", {"A", "B"}}};
  out.flat_map = {{"a", "A"}, {"b", "B"}};
  return out;
}

TEST(XmlShapes, AreWrittenAsSmithySays) {
  EXPECT_EQ(
      render_xml("E", "https://example.com/", sample()),
      std::string(kDeclaration) +
          "<E xmlns=\"https://example.com/\"><Text>a &amp; b</Text><Truth>false</Truth><Whole>-4</Whole>"
          "<Number>5.5</Number><Bytes>dmFsdWU=</Bytes><Time>2014-04-29T18:30:38Z</Time><Epoch>1398796238</Epoch>"
          "<Http>Tue, 29 Apr 2014 18:30:38 GMT</Http><Greeting><hi>hello</hi></Greeting>"
          "<List><member>foo</member><member>bar</member></List>"
          "<Greetings><member><hi>1</hi></member><member><hi>3</hi></member></Greetings>"
          "<Flat>hi</Flat><Flat>bye</Flat><Renamed><item>x</item></Renamed>"
          "<Lists><member><member>foo</member><member>bar</member></member><member><member>baz</member></member></"
          "Lists>"
          "<Map><entry><key>foo</key><value>Foo</value></entry></Map>"
          "<Greeted><entry><K>foo</K><V><hi>there</hi></V></entry></Greeted>"
          "<MapOfLists><entry><key>foo</key><value><member>A</member><member>B</member></value></entry></MapOfLists>"
          "<FlatMap><K>a</K><V>A</V></FlatMap><FlatMap><K>b</K><V>B</V></FlatMap></E>");
}

TEST(XmlShapes, AreReadAsWritten) {
  const auto again = read_xml<Everything>(render_xml("E", "", sample()), "E");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, sample());
}

TEST(XmlShapes, FractionsOfSecondsAreWrittenWhereThereAreAny) {
  Everything out;
  out.time = Timestamp{946845296123};
  out.epoch = Timestamp{946845296123};
  const std::string text = render_xml("E", "", out);
  EXPECT_NE(text.find("<Time>2000-01-02T20:34:56.123Z</Time><Epoch>946845296.123</Epoch>"), std::string::npos) << text;
  EXPECT_EQ(read_xml<Everything>(text, "E").value(), out);
}

TEST(XmlShapes, EmptyListsAreThere) {
  const Everything got = read_xml<Everything>("<E><List/><Map> </Map><Text/></E>", "E").value();
  EXPECT_TRUE(got.list.empty());
  EXPECT_EQ(got.text, "");
  EXPECT_FALSE(got.truth);
}

TEST(XmlShapes, WhatIsWrongIsNamed) {
  EXPECT_EQ(read_xml<Everything>("<X/>", "E").error().code(), make_error_code(ShapeErrc::kMalformed));
  EXPECT_EQ(read_xml<Everything>("<E>", "E").error().code(), make_error_code(ShapeErrc::kMalformed));
  EXPECT_EQ(refusal("<Whole>x</Whole>"), "Whole is not a whole number");
  EXPECT_EQ(refusal("<Text>a</Text><Text>b</Text>"), "Text is there twice");
  EXPECT_EQ(refusal("<Text><b/></Text>"), "Text holds elements, where only text can be");
  EXPECT_EQ(refusal("<Greeting>hello</Greeting>"), "Greeting holds text, where only elements can be");
  EXPECT_EQ(refusal("<List><item>a</item></List>"), "List holds item, where only member can be");
  EXPECT_EQ(refusal("<List>a</List>"), "List holds text, where only elements can be");
  EXPECT_EQ(refusal("<FlatMap><K>a</K></FlatMap>", ShapeErrc::kMissing), "FlatMap.1.V is missing");
  EXPECT_EQ(refusal("<FlatMap><V>a</V></FlatMap>", ShapeErrc::kMissing), "FlatMap.1.K is missing");
}

}  // namespace
}  // namespace andromede::api::protocols
