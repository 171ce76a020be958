#include "codec/aws_chunked.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace andromede::codec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Event = AwsChunkedParser::Event;

// The events as text, the pieces of one chunk joined, so that every way of cutting the input must give the same.
Result<std::vector<std::string>> events_of(std::string_view body, std::size_t piece_size) {
  AwsChunkedParser parser;
  std::vector<std::string> events;
  std::string chunk;
  for (std::size_t at = 0; at < body.size(); at += piece_size) {
    ByteView input = as_bytes(body.substr(at, piece_size));
    for (;;) {
      TRY(const Event event, parser.next(input));
      if (event == Event::kNeedMore) break;
      switch (event) {
        case Event::kChunkStart:
          events.push_back("start " + std::to_string(parser.chunk_size()) + " " +
                           std::string(parser.chunk_signature()));
          break;
        case Event::kData:
          chunk += as_text(parser.data());
          break;
        case Event::kChunkEnd:
          events.push_back("end " + chunk);
          chunk.clear();
          break;
        case Event::kTrailer:
          events.push_back(std::string(parser.trailer_name()) + "=" + std::string(parser.trailer_value()));
          break;
        case Event::kEnd:
          events.emplace_back("done");
          break;
        case Event::kNeedMore:
          break;
      }
    }
    EXPECT_TRUE(input.empty());
  }
  return events;
}

TEST(AwsChunked, EveryWayOfCuttingTheInputGivesTheSameEvents) {
  const std::string body =
      "5;chunk-signature=aa\r\nhello\r\n6;chunk-signature=bb\r\n world\r\n0;chunk-signature=cc\r\n"
      "X-Amz-Checksum-CRC32C: wdBDMA==\r\nx-amz-trailer-signature:dd\r\n\r\n";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    const auto events = events_of(body, piece);
    ASSERT_TRUE(events.has_value()) << events.error().message();
    EXPECT_THAT(*events, ElementsAre("start 5 aa", "end hello", "start 6 bb", "end  world", "start 0 cc", "end ",
                                     "x-amz-checksum-crc32c=wdBDMA==", "x-amz-trailer-signature=dd", "done"));
  }
}

TEST(AwsChunked, AcceptsUnsignedChunksWithAndWithoutTrailer) {
  EXPECT_THAT(*events_of("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", 4),
              ElementsAre("start 3 ", "end abc", "start 0 ", "end ", "x-amz-checksum-crc32=AAAAAA==", "done"));
  EXPECT_THAT(*events_of("0\r\n\r\n", 100), ElementsAre("start 0 ", "end ", "done"));
}

TEST(AwsChunked, AcceptsTrailersEndedByALineFeedWithTheSignatureBehindAnEmptyLine) {
  for (std::size_t piece = 1; piece < 40; ++piece) {
    EXPECT_THAT(
        *events_of("0;chunk-signature=a\r\nx-amz-checksum-crc32:Z\n\r\nx-amz-trailer-signature:b\r\n\r\n", piece),
        ElementsAre("start 0 a", "end ", "x-amz-checksum-crc32=Z", "x-amz-trailer-signature=b", "done"));
  }
}

TEST(AwsChunked, RefusesBadFraming) {
  for (const std::string bad : {"\r\n",          "g\r\n",       "-1\r\n",         "+1\r\n",
                                " 1\r\n",        "0x1\r\n",     "1 \r\n",         "1\n",
                                "1\r\nab",       "1\r\na\n",    "1\r\na\r\r",     "11111111111111111\r\n",
                                "140000001\r\n", "1;\r\n",      "1;other=1\r\n",  "1;chunk-signature=\r\n",
                                "0\r\nname\r\n", "0\r\n:v\r\n", "0\r\na b:v\r\n", "0\r\na:v\rw\r\n",
                                "0\r\n\n",       "0\r\n\r\nx"}) {
    const auto events = events_of(bad, 3);
    ASSERT_FALSE(events.has_value()) << bad;
    EXPECT_TRUE(events.error() == Errc::kInvalidArgument);
  }
}

TEST(AwsChunked, LimitsAreExact) {
  EXPECT_TRUE(events_of("140000000\r\n", 100).has_value());
  const std::string name = "0\r\nn:";
  EXPECT_TRUE(events_of(name + std::string(AwsChunkedParser::kMaxLineBytes - 2, 'v') + "\r\n", 100).has_value());
  EXPECT_FALSE(events_of(name + std::string(AwsChunkedParser::kMaxLineBytes, 'v') + "\r\n", 100).has_value());
  EXPECT_FALSE(events_of(std::string(100'000, '1'), 1000).has_value());
  std::string trailers = "0\r\n";
  for (unsigned i = 0; i < AwsChunkedParser::kMaxTrailers; ++i) trailers += "n:v\r\n";
  EXPECT_TRUE(events_of(trailers + "\r\n", 100).has_value());
  EXPECT_THAT(events_of(trailers + "n:v\r\n\r\n", 100).error().message(), HasSubstr("more than 32 trailers"));
}

TEST(AwsChunked, EveryTruncationAsksForMoreAndNeverEnds) {
  const std::string body = "2;chunk-signature=aa\r\nhi\r\n0;chunk-signature=cc\r\nx-amz-trailer-signature:dd\r\n\r\n";
  for (std::size_t length = 0; length < body.size(); ++length) {
    const auto events = events_of(body.substr(0, length), 7);
    ASSERT_TRUE(events.has_value());
    EXPECT_TRUE(events->empty() || events->back() != "done") << length;
  }
}

}  // namespace
}  // namespace andromede::codec
