#include "net/chunked_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace andromede::net {
namespace {

struct Decoded {
  bool ok = false;
  bool ended = false;
  std::string body;
  std::string rest;
};

// Feeds `text` in pieces of `piece_bytes`.
Decoded decode(std::string_view text, std::size_t piece_bytes) {
  ChunkedDecoder decoder;
  Decoded out;
  while (!text.empty()) {
    ByteView input = as_bytes(text.substr(0, piece_bytes));
    const std::size_t given = input.size();
    for (;;) {
      const auto event = decoder.next(input);
      if (!event) return out;
      if (*event == ChunkedDecoder::Event::kNeedMore) break;
      if (*event == ChunkedDecoder::Event::kEnd) {
        out.ended = true;
        text.remove_prefix(given - input.size());
        out.rest = text;
        out.ok = true;
        return out;
      }
      out.body += as_text(decoder.data());
    }
    text.remove_prefix(given);
  }
  out.ok = true;
  return out;
}

TEST(ChunkedDecoder, GivesTheBodyHoweverTheBytesCome) {
  const std::string text = "5\r\nhello\r\n00A;ext=\"v\"\r\n, world!!!\r\n0;last\r\nX-Trailer: 1\r\nY: 2\r\n\r\nGET /";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Decoded decoded = decode(text, piece);
    EXPECT_TRUE(decoded.ended) << piece;
    EXPECT_EQ(decoded.body, "hello, world!!!") << piece;
    EXPECT_EQ(decoded.rest, "GET /") << piece;
  }
}

TEST(ChunkedDecoder, TakesAnEmptyBody) {
  EXPECT_TRUE(decode("0\r\n\r\n", 1).ended);
  EXPECT_TRUE(decode("000\r\n\r\n", 100).ended);
}

TEST(ChunkedDecoder, RefusesFramingThatIsNotExact) {
  for (const std::string_view bad : {
           "\r\n",
           ";x\r\n",
           "g\r\n",
           "0x5\r\n",
           "-5\r\n",
           "+5\r\n",
           " 5\r\n",
           "5 \r\n",
           "5\t;x\r\n",
           "5\nhello",
           "5\rhello",
           "5\r\nhello\n",
           "5\r\nhello!\r\n",
           "5\r\nhello\rX",
           "5\r\nhell\r\n0\r\n\r\n",
           "5;\x01\r\n",
           "5;a\nb\r\n",
           "5;a\rb\r\n",
           "0\r\nA: b\n\r\n",
           "0\r\nA: \x7F\r\n\r\n",
           "0\r\n\rX",
           "0\r\nA: b\rc\r\n\r\n",
           "1000000000000000\r\n",
           "ffffffffffffffff\r\n",
           "10000000000000005\r\n",
       }) {
    for (const std::size_t piece : {std::size_t{1}, bad.size()}) EXPECT_FALSE(decode(bad, piece).ok) << bad;
  }
}

TEST(ChunkedDecoder, BoundsExtensionsAndTrailers) {
  EXPECT_FALSE(decode("5;" + std::string(ChunkedDecoder::kMaxLineBytes, 'x') + "\r\nhello\r\n0\r\n\r\n", 4096).ok);
  EXPECT_TRUE(decode("5;" + std::string(200, 'x') + "\r\nhello\r\n0\r\n\r\n", 4096).ended);
  EXPECT_FALSE(decode("0\r\nX: " + std::string(ChunkedDecoder::kMaxTrailerBytes, 'x') + "\r\n\r\n", 4096).ok);
}

TEST(ChunkedDecoder, BoundsFramingThatCarriesNoData) {
  std::string wasteful;
  for (int i = 0; i < 1000; ++i) wasteful += "1;" + std::string(100, 'x') + "\r\na\r\n";
  EXPECT_FALSE(decode(wasteful + "0\r\n\r\n", 4096).ok);
  std::string small;
  for (int i = 0; i < 100'000; ++i) small += "1\r\na\r\n";
  EXPECT_TRUE(decode(small + "0\r\n\r\n", 4096).ended);
}

}  // namespace
}  // namespace andromede::net
