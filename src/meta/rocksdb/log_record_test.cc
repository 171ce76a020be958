#include "meta/rocksdb/log_record.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "meta/rocksdb/mirror.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

constexpr std::uint64_t kSalt = 0x0123456789abcdef;

Bytes testdata(const std::string& name) {
  std::ifstream in(std::string(ANDROMEDE_TESTDATA) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The golden files' key: bytes 0 to 31.
std::shared_ptr<const RecordSeal> golden_seal() {
  Bytes key(crypto::SecretKey::kSize);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  return std::make_shared<const RecordSeal>(*crypto::SecretKey::from_bytes(key));
}

// Writes down what it is told, as one line each.
class Recorder final : public ChangeVisitor {
 public:
  Status put(Space space, std::string_view key, std::string_view value) override {
    const auto opened = golden_seal()->open(space, key, value);
    lines.push_back("put " + std::to_string(static_cast<int>(space)) + " " + std::string(key) + " " +
                    (opened ? std::string(*opened) : "forged"));
    return {};
  }
  Status erase(Space space, std::string_view key) override {
    lines.push_back("erase " + std::to_string(static_cast<int>(space)) + " " + std::string(key));
    return {};
  }
  Status add(std::string_view key, std::int64_t by) override {
    lines.push_back("add " + std::string(key) + " " + std::to_string(by));
    return {};
  }
  std::vector<std::string> lines;
};

Bytes sequence_key(std::uint64_t sequence) {
  Bytes key;
  append_be64(key, sequence);
  return key;
}

RecordBuilder golden_builder() {
  RecordBuilder builder(golden_seal());
  builder.put(Space::kRecords, "b/photos", "made");
  builder.put(Space::kInline, std::string(16, '\xa5'), "payload");
  builder.erase(Space::kRecords, "b/old");
  builder.add("n/objects", -3);
  builder.put(Space::kJournal, as_text(sequence_key(7)), "entry seven");
  return builder;
}

TEST(LogRecord, GoldenFileDecodes) {
  const Bytes golden = testdata("record.v2.bin");
  ASSERT_EQ(golden.size(), kLogBlockBytes);
  const auto header = decode_header(golden);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->version, 2);
  EXPECT_EQ(header->salt, kSalt);
  EXPECT_EQ(header->first_index, 42U);
  EXPECT_EQ(header->last_index(), 43U);
  ASSERT_TRUE(record_is_intact(*header, golden));
  EXPECT_TRUE(record_is_ours(*golden_seal(), *header, golden));
  Recorder recorder;
  ASSERT_TRUE(visit_changes(ByteView(golden).subspan(kRecordHeaderBytes, header->payload_bytes), recorder));
  const std::string seven(as_text(sequence_key(7)));
  EXPECT_EQ(recorder.lines,
            (std::vector<std::string>{"put 0 b/photos made", "put 1 " + std::string(16, '\xa5') + " payload",
                                      "erase 0 b/old", "add n/objects -3", "put 2 " + seven + " entry seven"}));
}

TEST(LogRecord, GoldenFileIsWhatTheEncoderMakes) {
  RecordBuilder builder = golden_builder();
  EXPECT_EQ(to_bytes(builder.finish(kSalt, 42, 2)), testdata("record.v2.bin"));
}

TEST(LogRecord, GoldenMarker) {
  const Bytes golden = testdata("marker.v2.bin");
  const auto segment_bytes = decode_marker(golden);
  ASSERT_TRUE(segment_bytes);
  EXPECT_EQ(*segment_bytes, 64U << 20);
  EXPECT_EQ(encode_marker(*segment_bytes), golden);
}

TEST(LogRecord, MarkerRefusesEveryFlippedBit) {
  const Bytes good = encode_marker(1 << 20);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(decode_marker(bad)) << "bit " << bit;
  }
  EXPECT_FALSE(decode_marker(ByteView(good).first(good.size() - 1)));
}

TEST(LogRecord, EveryFlippedBitOfHeaderAndPayloadIsFound) {
  RecordBuilder builder = golden_builder();
  const Bytes good = to_bytes(builder.finish(kSalt, 42, 2));
  const std::size_t used = kRecordHeaderBytes + builder.payload().size();
  for (std::size_t bit = 0; bit < used * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto header = decode_header(bad);
    EXPECT_FALSE(header && record_is_intact(*header, bad)) << "bit " << bit;
  }
}

// What a drive that knows the salt can do: a right checksum.
void mend_checksum(Bytes& record) {
  const ByteView bytes = record;
  const std::size_t payload_bytes = decode_header(record)->payload_bytes;
  const std::uint32_t crc = crypto::crc32c(crypto::crc32c(0, bytes.first(32)), bytes.subspan(36, 20 + payload_bytes));
  std::memcpy(record.data() + 32, &crc, sizeof crc);
}

TEST(LogRecord, WithARightChecksumAnyOtherBitIsFoundByItsTag) {
  RecordBuilder builder = golden_builder();
  const Bytes good = to_bytes(builder.finish(kSalt, 42, 2));
  const auto seal = golden_seal();
  const std::size_t used = kRecordHeaderBytes + builder.payload().size();
  for (std::size_t bit = 0; bit < used * 8; ++bit) {
    const std::size_t byte = bit / 8;
    // The magic and the version are looked at before; the checksum, and zero, say nothing of their own.
    if (byte < 8 || (byte >= 28 && byte < 40)) continue;
    if (bit == 24 * 8 + 1) continue;  // no commits at all
    Bytes forged = good;
    forged[byte] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    mend_checksum(forged);
    const auto header = decode_header(forged);
    ASSERT_TRUE(header && record_is_intact(*header, forged)) << "bit " << bit;
    EXPECT_FALSE(record_is_ours(*seal, *header, forged)) << "bit " << bit;
  }
  const auto header = decode_header(good);
  EXPECT_TRUE(record_is_ours(*seal, *header, good));
  EXPECT_FALSE(record_is_ours(*test_record_seal(2), *header, good));
}

TEST(LogRecord, MalformedPayloadsAreCorruptAndNeverReadPastTheEnd) {
  RecordBuilder builder = golden_builder();
  builder.finish(kSalt, 1, 1);
  const Bytes payload = to_bytes(builder.payload());
  std::size_t accepted = 0;
  for (std::size_t length = 0; length < payload.size(); ++length) {
    Recorder recorder;
    const Status status = visit_changes(ByteView(payload).first(length), recorder);
    if (status) {
      ++accepted;
    } else {
      EXPECT_EQ(status.error(), Errc::kCorrupt);
    }
  }
  EXPECT_EQ(accepted, 5U);  // nothing, and behind each of the first four changes
  for (const Bytes& bad : {Bytes{0, 0, 0}, Bytes{9, 0, 0}, Bytes{1, 4, 0, 0}, Bytes{2, 2, 0}, Bytes{3, 1, 0},
                           Bytes{1, 3, 0, 0}, Bytes{3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}) {
    Recorder recorder;
    EXPECT_FALSE(visit_changes(bad, recorder));
  }
}

TEST(LogRecord, AnotherSaltOrVersionIsSeen) {
  RecordBuilder builder = golden_builder();
  Bytes bytes = to_bytes(builder.finish(kSalt + 1, 1, 1));
  EXPECT_EQ(decode_header(bytes)->salt, kSalt + 1);
  bytes[4] = 3;
  EXPECT_EQ(decode_header(bytes)->version, 3);
  bytes[0] = 'B';
  EXPECT_FALSE(decode_header(bytes));
}

}  // namespace
}  // namespace andromede::meta
