#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/ids.h"

namespace andromede {
namespace {

TEST(Bytes, HexRoundTripsAndRefusesBadDigits) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0xab, 0xff}), "00abff");
  EXPECT_EQ(*from_hex("00abFF"), (Bytes{0x00, 0xab, 0xff}));
  EXPECT_TRUE(from_hex("0").error() == Errc::kInvalidArgument);
  EXPECT_TRUE(from_hex("0g").error() == Errc::kInvalidArgument);
}

TEST(Bytes, Base64MatchesRfc4648Vectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                                                         {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), coded);
    EXPECT_EQ(as_text(*from_base64(coded)), plain);
  }
  for (const char* bad : {"Z", "Zg=", "Zh==", "Z===", "====", "Zm9=Zm9v", "Zm 9", "Zm9v\n"}) {
    EXPECT_FALSE(from_base64(bad).has_value()) << bad;
  }
}

TEST(Bytes, ReaderReadsWhatWriterWroteAndStopsAtTheEnd) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(7);
  writer.u16(0x1234);
  writer.u32(0xdeadbeef);
  writer.u64(UINT64_MAX);
  writer.varint(300);
  writer.varint(UINT64_MAX);
  writer.text("clé");
  ByteReader reader(out);
  EXPECT_EQ(reader.u8(), 7);
  EXPECT_EQ(reader.u16(), 0x1234);
  EXPECT_EQ(reader.u32(), 0xdeadbeef);
  EXPECT_EQ(reader.u64(), UINT64_MAX);
  EXPECT_EQ(reader.varint(), 300U);
  EXPECT_EQ(reader.varint(), UINT64_MAX);
  EXPECT_EQ(reader.text(), "clé");
  EXPECT_TRUE(reader.finish("record").has_value());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_TRUE(reader.finish("record").error() == Errc::kCorrupt);
}

TEST(Bytes, EveryTruncationIsRefused) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(1);
  writer.text("0123456789");
  for (std::size_t length = 0; length < out.size(); ++length) {
    ByteReader reader(ByteView(out).first(length));
    reader.u32();
    reader.text();
    EXPECT_FALSE(reader.finish("record").has_value()) << length;
  }
}

TEST(Bytes, VarintLongerThanSixtyFourBitsIsRefused) {
  const Bytes eleven(11, 0xff);
  ByteReader reader(eleven);
  reader.varint();
  EXPECT_FALSE(reader.ok());
}

TEST(Buffer, AppendsUpToItsCapacity) {
  Buffer buffer(4);
  buffer.append(as_bytes("abc"));
  EXPECT_EQ(as_text(buffer.view()), "abc");
  EXPECT_EQ(buffer.room(), 1U);
  EXPECT_DEATH(buffer.append(as_bytes("de")), "never grows");
}

TEST(Ids, ParseIsTheInverseOfText) {
  SeededRandom random(1);
  const auto id = BlobId::random(random);
  EXPECT_EQ(*BlobId::parse(id.to_string()), id);
  EXPECT_FALSE(BlobId::parse("12").has_value());
  EXPECT_TRUE(BlobId{}.is_none());
  EXPECT_FALSE(id.is_none());
}

TEST(Bytes, ConstantTimeEqualComparesLengthAndContent) {
  EXPECT_TRUE(constant_time_equal(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(constant_time_equal(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(constant_time_equal(as_bytes("abc"), as_bytes("ab")));
}

}  // namespace
}  // namespace andromede
