#include "size.h"

#include <gtest/gtest.h>

namespace andromede::app {
namespace {

TEST(Size, ThousandsAreNotPowersOfTwo) {
  EXPECT_EQ(parse_size("10GB"), 10'000'000'000U);
  EXPECT_EQ(parse_size("10GiB"), 10ULL << 30);
  EXPECT_EQ(parse_size("50k"), 50'000U);
  EXPECT_EQ(parse_size("4 TiB"), 4ULL << 40);
  EXPECT_EQ(parse_size("512mi"), 512U << 20);
}

TEST(Size, SpeaksFrench) {
  EXPECT_EQ(parse_size("10Go"), 10'000'000'000U);
  EXPECT_EQ(parse_size("3 Kio"), 3072U);
  EXPECT_EQ(parse_size("1Mo"), 1'000'000U);
  EXPECT_EQ(parse_size("1Mio"), 1U << 20);
  EXPECT_EQ(parse_size("2 To"), 2'000'000'000'000U);
  EXPECT_EQ(parse_size("2Tio"), 2ULL << 40);
}

TEST(Size, WithoutAUnitIsBytes) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("65536"), 65536U);
  EXPECT_EQ(parse_size("7 o"), 7U);
  EXPECT_EQ(parse_size("18446744073709551615"), 18446744073709551615U);
}

TEST(Size, AnythingElseIsNone) {
  for (const char* wrong : {"", " ", "much", "GB", "-1", "+1", "1.5TB", "1,5To", "10 GBs", "10XB", "10iB", "10bb",
                            "18446744073709551616", "18446744073709552kB"}) {
    EXPECT_FALSE(parse_size(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace andromede::app
