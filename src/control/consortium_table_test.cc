#include "control/consortium_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "control/consortium_file.h"

namespace andromede::control {
namespace {

TEST(ConsortiumTable, GoldenRecordDecodesAndEncodesIdentically) {
  std::ifstream in(ANDROMEDE_TESTDATA "/consortium-v2.bin", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto record = meta::decode<ConsortiumKind>(as_bytes(bytes));
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->version, 7U);
  EXPECT_EQ(record->applied.ms, 1'795'380'000'123);
  EXPECT_EQ(meta::encode<ConsortiumKind>(*record), bytes);
  // The digest in it was computed with Python, from docs/formats/consortium.md.
  const auto consortium = parse_consortium(record->text, "golden");
  ASSERT_TRUE(consortium) << consortium.error().message();
  EXPECT_EQ(sovereignty::digest(consortium->consortium), record->digest);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(meta::decode<ConsortiumKind>(as_bytes(bytes.substr(0, i))).error(), Errc::kCorrupt) << i;
  }
  EXPECT_EQ(meta::decode<ConsortiumKind>(as_bytes(bytes + "x")).error(), Errc::kCorrupt);
}

}  // namespace
}  // namespace andromede::control
