#include "net/dates.h"

#include <gtest/gtest.h>

namespace andromede::net {
namespace {

constexpr Timestamp kNovember1994{784111777000};  // of RFC 9110's examples

TEST(DatesTest, Iso8601Basic) {
  EXPECT_EQ(parse_iso8601_basic("20130524T000000Z"), Timestamp{1369353600000});
  EXPECT_EQ(to_iso8601_basic({1369353600123}), "20130524T000000Z");
  for (const std::string_view bad : {"", "20130524", "20130524T000000", "20130524 000000Z", "20131324T000000Z",
                                     "20130230T000000Z", "20130524T240000Z", "2013052xT000000Z"}) {
    EXPECT_FALSE(parse_iso8601_basic(bad)) << bad;
  }
}

TEST(DatesTest, HttpDateInItsThreeForms) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), kNovember1994);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), kNovember1994);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), kNovember1994);
  for (const std::string_view bad : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 31 Feb 1994 08:49:37 GMT",
                                     "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Xxx 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
}

TEST(DatesTest, Iso8601) {
  EXPECT_EQ(parse_iso8601("1994-11-06T08:49:37Z"), kNovember1994);
  EXPECT_EQ(parse_iso8601("1994-11-06T08:49:37.250Z"), Timestamp{kNovember1994.ms + 250});
  EXPECT_EQ(parse_iso8601("1994-11-06T08:49:37.5Z"), Timestamp{kNovember1994.ms + 500});
  for (const std::string_view bad :
       {"", "1994-11-06", "1994-11-06T08:49:37", "1994-11-06T08:49:37.Z+", "1994-11-06T08:49:37x250Z"}) {
    EXPECT_FALSE(parse_iso8601(bad)) << bad;
  }
}

}  // namespace
}  // namespace andromede::net
