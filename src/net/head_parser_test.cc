#include "net/head_parser.h"

#include <gtest/gtest.h>

#include "net/response_head.h"

namespace andromede::net {
namespace {

constexpr std::size_t kLimit = 16 * 1024;

tl::expected<ParsedHead, ProtocolError> parse(std::string_view text, std::size_t limit_bytes = kLimit) {
  HeadScanner scanner(limit_bytes);
  const auto whole = scanner.scan(text);
  if (!whole) return tl::unexpected<ProtocolError>(whole.error());
  if (!*whole) return tl::unexpected<ProtocolError>(ProtocolError{0, "incomplete"});
  return parse_head(scanner.text(text));
}

unsigned status_of(std::string_view text) {
  const auto parsed = parse(text);
  return parsed ? 200 : parsed.error().status;
}

TEST(HeadParser, ReadsAnOrdinaryHead) {
  const auto parsed = parse(
      "PUT /bucket/a%20key?x-id=PutObject HTTP/1.1\r\nHost: s3.example:9000\r\nContent-Length: 42\r\n"
      "x-amz-meta-caf\x65: caf\xC3\xA9 au lait \r\nEmpty:\r\nEXPECT: 100-Continue\r\n\r\nbody");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->head.method, "PUT");
  EXPECT_EQ(parsed->head.target, "/bucket/a%20key?x-id=PutObject");
  EXPECT_EQ(parsed->head.headers.find("HOST"), "s3.example:9000");
  EXPECT_EQ(parsed->head.headers.find("x-amz-meta-cafe"), "caf\xC3\xA9 au lait");
  EXPECT_EQ(parsed->head.headers.find("empty"), "");
  EXPECT_EQ(parsed->head.headers.find("absent"), std::nullopt);
  EXPECT_EQ(parsed->framing.content_length, 42U);
  EXPECT_TRUE(parsed->framing.expects_continue);
  EXPECT_TRUE(parsed->framing.keep_alive);
  EXPECT_FALSE(parsed->framing.chunked);
}

TEST(HeadParser, KnowsWhenConnectionsStayOpen) {
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n")->framing.keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n")->framing.keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")->framing.keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n")->framing.keep_alive);
}

TEST(HeadParser, ContinuesOnlyWhereABodyIsAnnounced) {
  EXPECT_TRUE(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n")
                  ->framing.expects_continue);
  EXPECT_FALSE(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")->framing.expects_continue);
  EXPECT_FALSE(
      parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n")->framing.expects_continue);
  EXPECT_FALSE(parse("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")->framing.expects_continue);
}

TEST(HeadParser, TakesAbsoluteFormOfTheSameHostOnly) {
  EXPECT_EQ(parse("GET HTTP://a:1/x?y HTTP/1.1\r\nHost: A:1\r\n\r\n")->head.target, "/x?y");
  EXPECT_EQ(parse("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n")->head.target, "/");
  EXPECT_EQ(parse("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n")->head.target, "/?q");
  EXPECT_EQ(status_of("GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n"), 400U);
  EXPECT_EQ(status_of("GET http:///x HTTP/1.1\r\nHost: b\r\n\r\n"), 400U);
  EXPECT_EQ(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")->head.target, "*");
}

struct Refused {
  std::string_view text;
  unsigned status;
};

std::string with_header(std::string_view header) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(header) + "\r\n\r\n";
}

TEST(HeadParser, RefusesRequestLinesThatAreNotExact) {
  const std::string_view host = "\r\nHost: a\r\n\r\n";
  const Refused table[] = {
      {"GET  / HTTP/1.1", 400},
      {"GET / HTTP/1.1 ", 400},
      {"GET /", 400},
      {"GET / HTTP/2.0", 505},
      {"GET / HTTP/1.2", 505},
      {"PRI * HTTP/2.0", 505},
      {"GET / http/1.1", 400},
      {"GET / HTTP/11", 400},
      {"GET / HTTP/1.1\t", 400},
      {"G\x01T / HTTP/1.1", 400},
      {"G(T / HTTP/1.1", 400},
      {"GET /a b HTTP/1.1", 400},
      {"GET /\x7F HTTP/1.1", 400},
      {"GET /\xC3\xA9 HTTP/1.1", 400},
      {"GET /#frag HTTP/1.1", 400},
      {"GET bucket HTTP/1.1", 400},
      {"CONNECT a:443 HTTP/1.1", 400},
      {"GET * HTTP/1.1", 400},
      {"GET\t/ HTTP/1.1", 400},
      {"GET /\t HTTP/1.1", 400},
      {"GET ftp://a/ HTTP/1.1", 400},
      {"GETGETGETGETGETGETGETGETGETGETGETG / HTTP/1.1", 400},
  };
  for (const Refused& row : table) {
    EXPECT_EQ(status_of(std::string(row.text) + std::string(host)), row.status) << row.text;
  }
}

TEST(HeadParser, RefusesWhatCouldSmuggleARequest) {
  const Refused table[] = {
      {"Content-Length: 5\r\nTransfer-Encoding: chunked", 400},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5", 400},
      {"Content-Length: 5\r\nContent-Length: 5", 400},
      {"Content-Length: 5\r\nContent-Length: 6", 400},
      {"Content-Length: 5, 5", 400},
      {"Content-Length: +5", 400},
      {"Content-Length: -5", 400},
      {"Content-Length: 5 5", 400},
      {"Content-Length: 0x5", 400},
      {"Content-Length: 5a", 400},
      {"Content-Length:", 400},
      {"Content-Length: 9223372036854775808", 400},
      {"Content-Length: 99999999999999999999999", 400},
      {"Content-Length : 5", 400},
      {"Content-Length\t: 5", 400},
      {" Content-Length: 5", 400},
      {"X: y\r\n Content-Length: 5", 400},
      {"X: y\r\n\tfolded", 400},
      {"Transfer-Encoding : chunked", 400},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400},
      {"Transfer-Encoding: chunked, identity", 501},
      {"Transfer-Encoding: gzip, chunked", 501},
      {"Transfer-Encoding: xchunked", 501},
      {"Transfer-Encoding: \"chunked\"", 501},
      {"Transfer-Encoding: chunked;q=1", 501},
      {"Transfer-Encoding: \x0B"
       "chunked",
       400},
      {"Transfer-Encoding:", 501},
      {"X: a\rContent-Length: 5", 400},
      {"X: a\nContent-Length: 5", 400},
      {"X: a\x7F", 400},
      {": no name", 400},
      {"no colon", 400},
      {"Na me: x", 400},
      {"N\xC3\xA9: x", 400},
      {"Host: a", 400},
      {"Host: b", 400},
  };
  for (const Refused& row : table) EXPECT_EQ(status_of(with_header(row.text)), row.status) << row.text;
  EXPECT_EQ(status_of(with_header(std::string_view("X: a\0b", 6))), 400U);
  EXPECT_EQ(status_of(with_header(std::string_view("X\0: a", 5))), 400U);
}

TEST(HeadParser, WantsExactlyOneProperHost) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400U);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 200U);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400U);
  for (const std::string bad : {"a b", "a/b", "a,b", "a@b", "a?b", "\xC3\xA9"}) {
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: " + bad + "\r\n\r\n"), 400U) << bad;
  }
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: [::1]:9000\r\n\r\n"), 200U);
}

TEST(HeadParser, Http10HasNoTransferEncoding) {
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400U);
}

TEST(HeadParser, BoundsTheHead) {
  const std::string long_value = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(kLimit, 'x');
  EXPECT_EQ(status_of(long_value), 431U);  // without waiting for its end
  EXPECT_EQ(status_of(long_value + "\r\n\r\n"), 431U);
  std::string exact = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  exact += std::string(kLimit - exact.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_EQ(status_of(exact), 200U);
  exact.back() = 'x';  // not whole, with no byte left for its end
  EXPECT_EQ(status_of(exact), 431U);
  exact.pop_back();
  EXPECT_EQ(status_of(exact), 0U);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 0; i < kMaxHeaders; ++i) many += "a:\r\n";
  EXPECT_EQ(status_of(many + "\r\n"), 431U);
}

TEST(HeadScanner, FindsTheSameEndHoweverTheBytesCome) {
  const std::string text = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string stream = text + "POST / HTTP/1.1\r\n";
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    HeadScanner scanner(kLimit);
    auto whole = scanner.scan(std::string_view(stream).substr(0, first));
    ASSERT_TRUE(whole) << first;
    EXPECT_EQ(*whole, first >= text.size()) << first;
    if (!*whole) whole = scanner.scan(stream);
    ASSERT_TRUE(whole && *whole) << first;
    EXPECT_EQ(scanner.size(), text.size()) << first;
    EXPECT_EQ(scanner.text(stream), std::string_view(text).substr(2)) << first;
  }
}

TEST(HeadScanner, RefusesAtOnceWhatIsNotHttp) {
  HeadScanner tls(kLimit);
  EXPECT_FALSE(tls.scan("\x16\x03\x01"));
  HeadScanner bare(kLimit);
  EXPECT_FALSE(bare.scan("GET / HTTP/1.1\n"));
  HeadScanner two_empty_lines(kLimit);
  EXPECT_FALSE(two_empty_lines.scan("\r\n\r\nGET / HTTP/1.1\r\n"));
  HeadScanner lf(kLimit);
  EXPECT_FALSE(lf.scan("GET / HTTP/1.1\r\nHost: a\r\n\nX"));
}

TEST(ResponseHead, CannotBeSplitByAValue) {
  ResponseHead head;
  head.headers.add("Content-Disposition", "attachment\r\nSet-Cookie: x\n\0y");
  std::string out;
  append_response_head(out, head, {.content_length = 3}, "now");
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nContent-Disposition: attachment  Set-Cookie: x \r\nDate: now\r\n"
            "Content-Length: 3\r\n\r\n");
}

}  // namespace
}  // namespace andromede::net
