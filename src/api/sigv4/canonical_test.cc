#include "api/sigv4/canonical.h"

#include <gtest/gtest.h>

#include "api/sigv4/errors.h"

namespace andromede::api::sigv4 {
namespace {

std::string canonical(std::string_view raw, std::string_view without = {}) {
  std::string out;
  append_canonical_query(out, net::Query::parse(raw).value(), without);
  return out;
}

SignedHeaders names(std::string_view text) { return SignedHeaders::parse(text, SigErrc::kHeaderMalformed).value(); }

TEST(CanonicalTest, MatchesTheExampleOfAWS) {
  net::Headers headers;
  headers.add("Host", "examplebucket.s3.amazonaws.com");
  headers.add("X-Amz-Date", "20130524T000000Z");
  headers.add("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const net::Query query = net::Query::parse("max-keys=2&prefix=J").value();
  const SortedHeaders sorted(headers);
  const SignedHeaders covered = names("host;x-amz-content-sha256;x-amz-date");
  const std::string text =
      canonical_request({.method = "GET",
                         .raw_path = "/",
                         .query = &query,
                         .query_without = {},
                         .headers = &sorted,
                         .signed_headers = &covered,
                         .payload_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"})
          .value();
  EXPECT_EQ(text,
            "GET\n/\nmax-keys=2&prefix=J\nhost:examplebucket.s3.amazonaws.com\n"
            "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
            "x-amz-date:20130524T000000Z\n\nhost;x-amz-content-sha256;x-amz-date\n"
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(string_to_sign("20130524T000000Z", "20130524/us-east-1/s3/aws4_request", text),
            "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
            "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7");
}

TEST(CanonicalTest, FoldsAndJoinsHeaders) {
  net::Headers headers;
  headers.add("x-amz-meta-a", "  one   two\t three ");
  headers.add("X-Amz-Meta-A", "four");
  const net::Query query;
  const SortedHeaders sorted(headers);
  const SignedHeaders covered = names("content-type;x-amz-meta-a");
  const std::string text = canonical_request({.method = "PUT",
                                              .raw_path = "/k",
                                              .query = &query,
                                              .query_without = {},
                                              .headers = &sorted,
                                              .signed_headers = &covered,
                                              .payload_hash = "h"})
                               .value();
  EXPECT_EQ(text, "PUT\n/k\n\ncontent-type:\nx-amz-meta-a:one two three,four\n\ncontent-type;x-amz-meta-a\nh");
}

TEST(CanonicalTest, RefusesABrokenEscape) {
  const net::Headers headers;
  const net::Query query;
  const SortedHeaders sorted(headers);
  const SignedHeaders covered = names("host");
  const auto answer = canonical_request({.method = "GET",
                                         .raw_path = "/a%2",
                                         .query = &query,
                                         .query_without = {},
                                         .headers = &sorted,
                                         .signed_headers = &covered,
                                         .payload_hash = ""});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), make_error_code(SigErrc::kInvalidUri));
}

TEST(CanonicalTest, CanonicalFormIsSortedEncodedAndComplete) {
  EXPECT_EQ(canonical("b=2&a=1&A=0"), "A=0&a=1&b=2");
  EXPECT_EQ(canonical("uploads"), "uploads=");
  EXPECT_EQ(canonical("x=a%2fb%7e+%c3%a9"), "x=a%2Fb~%20%C3%A9");
  EXPECT_EQ(canonical("a=1&X-Amz-Signature=s", "X-Amz-Signature"), "a=1");
  EXPECT_EQ(canonical(""), "");
  // Order is that of the encoded names: "%2F" before "a".
  EXPECT_EQ(canonical("a=1&/=2"), "%2F=2&a=1");
}

TEST(CanonicalTest, PathsAreEncodedOnce) {
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
