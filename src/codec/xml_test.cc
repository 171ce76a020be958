#include "codec/xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace andromede::codec {
namespace {

using ::testing::HasSubstr;

TEST(Xml, ReadsElementsTextAndNamespaces) {
  const auto root = parse_xml(
      "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->"
      "<s3:Delete xmlns:s3=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
      "<Object><Key>a &amp; b &#233;</Key></Object><Object><Key> <![CDATA[<&]]> "
      "</Key></Object><Object/></s3:Delete>\n");
  ASSERT_TRUE(root.has_value()) << root.error().message();
  EXPECT_EQ(root->name, "Delete");
  EXPECT_EQ(root->child_text("Quiet"), "true");
  ASSERT_EQ(root->children.size(), 4U);
  EXPECT_EQ(root->children[1].child_text("Key"), "a & b é");
  EXPECT_EQ(root->children[2].child_text("Key"), " <& ");
  EXPECT_EQ(root->children[3].child("Key"), nullptr);
  EXPECT_EQ(root->child_text("Absent"), "");
}

TEST(Xml, WhiteSpaceOnlyTextIsKept) {
  EXPECT_EQ(parse_xml("<Key>  </Key>")->text, "  ");
  EXPECT_EQ(parse_xml("<a>&#13;\r\n</a>")->text, "\r\n");
}

TEST(Xml, ControlCharactersMayBeReferencesButNotNull) {
  EXPECT_EQ(parse_xml("<a>&#1;&#x1F;</a>")->text, "\x01\x1f");
  EXPECT_FALSE(parse_xml("<a>&#0;</a>").has_value());
  EXPECT_FALSE(parse_xml("<a>&#x000;</a>").has_value());
}

TEST(Xml, RefusesWhatIsNotWellFormed) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view bad : {""sv,
                                     "   "sv,
                                     "text"sv,
                                     "<a>"sv,
                                     "<a></b>"sv,
                                     "<a/><b/>"sv,
                                     "<a/>x"sv,
                                     "x<a/>"sv,
                                     "<a b></a>"sv,
                                     "<a:b:c/>"sv,
                                     "<:a/>"sv,
                                     "<a:/>"sv,
                                     "<a>&foo;</a>"sv,
                                     "<a>&</a>"sv,
                                     "<a>& </a>"sv,
                                     "<a>&#xD800;</a>"sv,
                                     "<a>&#;</a>"sv,
                                     "<a>&#x110000;</a>"sv,
                                     "<a>&#99999999999999999999;</a>"sv,
                                     "<a>\x01</a>"sv,
                                     "<a>\0</a>"sv,
                                     "<a>\xff</a>"sv,
                                     "<a>\xc0\x80</a>"sv,
                                     "<a>\xed\xa0\x80</a>"sv,
                                     "<a>\xef\xbf\xbf</a>"sv,
                                     "<a>\xc3</a>"sv,
                                     "<!--"sv,
                                     "<a><![CDATA[x</a>"sv,
                                     "<?xml version='1.0' encoding='ISO-8859-1'?><a/>"sv}) {
    const auto parsed = parse_xml(bad);
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_TRUE(parsed.error() == Errc::kInvalidArgument);
  }
}

TEST(Xml, NothingHidesFromTheLimitsBehindAComment) {
  // pugixml looks for the end of "<!-->" further on, so what is between was counted here and not there, or the reverse.
  EXPECT_FALSE(parse_xml("<a><!--></a>").has_value());
  EXPECT_FALSE(parse_xml("<a><!---></a>").has_value());
  EXPECT_FALSE(parse_xml("<a><!--><b/>--></a>").has_value());
  EXPECT_FALSE(parse_xml("<a><?></a>").has_value());
  EXPECT_TRUE(parse_xml("<a><!----><b/></a>").has_value());
  EXPECT_TRUE(parse_xml("<a><!-- > -> <b> & --></a>").has_value());
  EXPECT_FALSE(parse_xml("<a><!----><!DOCTYPE b></a>").has_value());
  EXPECT_FALSE(parse_xml("<a b=\"<!--\"><c/></a><!-- -->").has_value());
  EXPECT_FALSE(parse_xml("<a b='\">' c='<!--'><c/></a><!-- -->").has_value());
  EXPECT_TRUE(parse_xml("<a b='\">' c=\"'>\"><c/></a>").has_value());
}

TEST(Xml, RefusesDocumentTypesAndSoEntityExpansion) {
  EXPECT_FALSE(parse_xml("<!DOCTYPE a><a/>").has_value());
  EXPECT_FALSE(parse_xml("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>").has_value());
  EXPECT_FALSE(parse_xml("<a><!ELEMENT b ANY></a>").has_value());
}

TEST(Xml, LimitsAreExact) {
  const XmlLimits limits{.bytes = 40, .depth = 3, .elements = 4};
  EXPECT_TRUE(parse_xml("<a><b><c/></b></a>", limits).has_value());
  EXPECT_FALSE(parse_xml("<a><b><c><d/></c></b></a>", limits).has_value());
  EXPECT_TRUE(parse_xml("<a><b/><b/><b/></a>", limits).has_value());
  EXPECT_THAT(parse_xml("<a><b/><b/><b/><b/></a>", limits).error().message(), HasSubstr("more than 4 elements"));
  EXPECT_TRUE(parse_xml("<a>" + std::string(33, 'x') + "</a>", limits).has_value());
  EXPECT_FALSE(parse_xml("<a>" + std::string(34, 'x') + "</a>", limits).has_value());
}

TEST(Xml, HugeDepthDoesNotExhaustTheStack) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  for (int i = 0; i < 100'000; ++i) deep += "</a>";
  EXPECT_FALSE(parse_xml(deep).has_value());
}

TEST(XmlWriter, WritesElementsAndEscapesText) {
  XmlWriter writer;
  writer.open("Result", "http://s3.amazonaws.com/doc/2006-03-01/");
  writer.element("Key", "a<b>&\"é\r\n");
  writer.element("Size", std::uint64_t{18446744073709551615U});
  writer.element("Count", 3);
  writer.element("IsTruncated", false);
  writer.element("Prefix", std::string());
  writer.open("Owner");
  writer.element("ID", std::string_view("x"));
  EXPECT_EQ(writer.take(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<Result xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Key>a&lt;b&gt;&amp;&quot;é&#13;\n</Key>"
            "<Size>18446744073709551615</Size><Count>3</Count><IsTruncated>false</IsTruncated><Prefix/>"
            "<Owner><ID>x</ID></Owner></Result>");
}

TEST(XmlWriter, WhatXmlCannotHoldBecomesAReference) {
  XmlWriter writer;
  writer.element("a", std::string_view("x\x01y\xffz\xe2\x82", 7));
  writer.element("b", std::string_view("\x0b\x1f\0\x7f\xef\xbf\xbf", 7));
  const std::string document = "<r>" + writer.take().substr(39) + "</r>";
  EXPECT_THAT(document, HasSubstr("<a>x&#x1;y&#xFFFD;z&#xFFFD;&#xFFFD;</a>"));
  EXPECT_THAT(document, HasSubstr("<b>&#xB;&#x1F;&#xFFFD;\x7f&#xFFFD;&#xFFFD;&#xFFFD;</b>"));
  EXPECT_TRUE(parse_xml(document).has_value());
}

TEST(XmlWriter, ReaderReadsBackAnyText) {
  for (const std::string text : {"", " ", "\x01\x1f", "\r", "\r\n", "a\tb", "]]>", "<![CDATA[", "&amp;", "日本語 𝄞"}) {
    XmlWriter writer;
    writer.element("t", text);
    EXPECT_EQ(parse_xml(writer.take())->text, text);
  }
}

}  // namespace
}  // namespace andromede::codec
