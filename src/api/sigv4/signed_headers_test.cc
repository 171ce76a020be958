#include "api/sigv4/signed_headers.h"

#include <gtest/gtest.h>

namespace andromede::api::sigv4 {
namespace {

Result<SignedHeaders> parse(std::string_view text) { return SignedHeaders::parse(text, SigErrc::kQueryMalformed); }

TEST(SignedHeadersTest, NamesAreLowerCaseAndRising) {
  for (const std::string_view good : {"host", "host;x-amz-date", "a;a-b;a_b;b", "content-type;host;range;x-amz-date"}) {
    EXPECT_TRUE(parse(good)) << good;
  }
  for (const std::string_view bad : {"", ";", "host;", ";host", "host;;x", "host;host", "x-amz-date;host", "Host",
                                     "host;X-Amz-Date", "Host;host", "a;a;a"}) {
    const auto answer = parse(bad);
    ASSERT_FALSE(answer) << bad;
    EXPECT_EQ(answer.error().code(), make_error_code(SigErrc::kQueryMalformed));
  }
}

TEST(SignedHeadersTest, NamesAreBounded) {
  std::string text = "a000";
  for (std::size_t i = 1; i < kMaxNames; ++i) text += ";a" + std::to_string(1000 + i);
  EXPECT_TRUE(parse(text));
  EXPECT_FALSE(parse(text + ";b"));
}

TEST(SignedHeadersTest, FindsNamesInAnyCase) {
  const SignedHeaders names = parse("host;x-amz-date;x-amz-meta-a").value();
  EXPECT_TRUE(names.has("X-Amz-Date"));
  EXPECT_TRUE(names.has("HOST"));
  EXPECT_FALSE(names.has("x-amz-dat"));
  EXPECT_FALSE(names.has("x-amz-datf"));
}

TEST(SortedHeadersTest, KeepsLinesOfOneNameInOrder) {
  net::Headers headers;
  headers.add("x-amz-meta-b", "1");
  headers.add("Host", "h");
  headers.add("X-Amz-Meta-B", "0");
  headers.add("x-amz-meta", "short");
  headers.add("x-amz-meta-B", "2");
  const SortedHeaders sorted(headers);
  std::string values;
  for (const net::Header* const line : sorted.find("x-amz-meta-b")) values += line->value;
  EXPECT_EQ(values, "102");
  EXPECT_EQ(sorted.find("HOST").size(), 1u);
  EXPECT_TRUE(sorted.find("x-amz-meta-").empty());
  EXPECT_TRUE(sorted.find("z").empty());
  EXPECT_EQ(sorted.list().front()->name, "Host");
}

class CoverageTest : public ::testing::Test {
 protected:
  CoverageTest() { headers_.add("Host", "h"); }

  std::error_code check(std::string_view names, bool presigned = false) {
    fields_.clear();
    const auto answer = check_coverage(SortedHeaders(headers_), parse(names).value(), presigned, fields_);
    return answer ? std::error_code() : answer.error().code();
  }

  net::Headers headers_;
  RefusalFields fields_;
};

TEST_F(CoverageTest, ASignedHeaderIsThere) {
  EXPECT_EQ(check("host"), std::error_code());
  EXPECT_EQ(check("date;host"), SigErrc::kMissingSecurityHeader);
  ASSERT_EQ(fields_.size(), 1u);
  EXPECT_EQ(fields_[0].first, "MissingHeaderName");
  EXPECT_EQ(fields_[0].second, "date");
  EXPECT_EQ(check("date"), SigErrc::kMissingSecurityHeader);
}

TEST_F(CoverageTest, ASignedHeaderIsOneLine) {
  headers_.add("accept", "a");
  headers_.add("Accept", "b");
  EXPECT_EQ(check("host"), std::error_code());  // nobody goes by it
  EXPECT_EQ(check("accept;host"), SigErrc::kSentTwice);
  headers_.add("x-amz-acl", "private");
  EXPECT_EQ(check("host"), SigErrc::kHeadersNotSigned);
  EXPECT_EQ(check("host;x-amz-acl"), std::error_code());
  headers_.add("X-AMZ-ACL", "private");
  EXPECT_EQ(check("host;x-amz-acl"), SigErrc::kSentTwice);
}

TEST_F(CoverageTest, WhatDecidesIsOneLineSignedOrNot) {
  for (const std::string name : {"Authorization", "Date", "Content-Type", "Content-MD5", "Range", "If-None-Match"}) {
    net::Headers headers = headers_;
    headers.add(name, "a");
    std::swap(headers, headers_);
    EXPECT_EQ(check("host"), std::error_code()) << name;
    headers_.add(name, "a");
    EXPECT_EQ(check("host"), SigErrc::kSentTwice) << name;
    std::swap(headers, headers_);
  }
}

TEST_F(CoverageTest, LinesOfUserMetadataAreJoined) {
  headers_.add("x-amz-meta-a", "1");
  headers_.add("x-amz-meta-a", "2");
  EXPECT_EQ(check("host;x-amz-meta-a"), std::error_code());
}

TEST_F(CoverageTest, OnlyAPresignedBodyHashMayBeUnsigned) {
  headers_.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  EXPECT_EQ(check("host", true), std::error_code());
  EXPECT_EQ(check("host", false), SigErrc::kHeadersNotSigned);
}

}  // namespace
}  // namespace andromede::api::sigv4
