#include "meta/rocksdb/log_record.h"

#include "base/check.h"
#include "crypto/digest.h"

namespace andromede::meta {
namespace {

constexpr std::uint32_t kMagic = 0x474f4c41;  // "ALOG"
constexpr std::size_t kCrcOffset = 32;
constexpr std::size_t kCrcEnd = 36;
constexpr std::size_t kTagOffset = 40;

constexpr std::uint8_t kPut = 1;
constexpr std::uint8_t kErase = 2;
constexpr std::uint8_t kAdd = 3;

template <typename T>
void store(Bytes& out, std::size_t offset, T value) {
  std::memcpy(out.data() + offset, &value, sizeof value);
}

// Of all but itself and the padding.
std::uint32_t checksum(ByteView record, std::size_t payload_bytes) {
  return crypto::crc32c(crypto::crc32c(0, record.first(kCrcOffset)),
                        record.subspan(kCrcEnd, kRecordHeaderBytes - kCrcEnd + payload_bytes));
}

crypto::MacTag record_tag(const RecordSeal& seal, ByteView record, std::size_t payload_bytes) {
  return seal.log_tag(record.first(kCrcOffset), record.subspan(kRecordHeaderBytes, payload_bytes));
}

}  // namespace

void RecordBuilder::reset() {
  bytes_.assign(kRecordHeaderBytes, 0);
  payload_bytes_ = 0;
}

void RecordBuilder::begin(std::uint8_t tag, Space space, std::string_view key) {
  ByteWriter out(bytes_);
  out.u8(tag);
  out.u8(static_cast<std::uint8_t>(space));
  out.text(key);
}

void RecordBuilder::put(Space space, std::string_view key, std::string_view value) {
  begin(kPut, space, key);
  ByteWriter out(bytes_);
  out.varint(value.size() + kTagBytes);
  out.raw(as_bytes(value));
  out.raw(seal_->tag(space, key, value));
}

void RecordBuilder::erase(Space space, std::string_view key) { begin(kErase, space, key); }

void RecordBuilder::add(std::string_view key, std::int64_t by) {
  begin(kAdd, kCounterSpace, key);
  ByteWriter(bytes_).u64(static_cast<std::uint64_t>(by));
}

ByteView RecordBuilder::finish(std::uint64_t salt, std::uint64_t first_index, std::uint32_t commits) {
  CHECK(payload_bytes() <= UINT32_MAX, "a group of commits is bounded far below 4 GiB");
  payload_bytes_ = payload_bytes();
  store(bytes_, 0, kMagic);
  store(bytes_, 4, kRecordVersion);
  store(bytes_, 8, salt);
  store(bytes_, 16, first_index);
  store(bytes_, 24, commits);
  store(bytes_, 28, static_cast<std::uint32_t>(payload_bytes_));
  const crypto::MacTag tag = record_tag(*seal_, bytes_, payload_bytes_);
  std::memcpy(bytes_.data() + kTagOffset, tag.data(), tag.size());
  store(bytes_, kCrcOffset, checksum(bytes_, payload_bytes_));
  bytes_.resize(round_up_to_block(bytes_.size()), 0);
  return bytes_;
}

std::optional<RecordHeader> decode_header(ByteView block) {
  ByteReader in(block.first(kRecordHeaderBytes));
  if (in.u32() != kMagic) return std::nullopt;
  RecordHeader header;
  header.version = in.u16();
  in.u16();
  header.salt = in.u64();
  header.first_index = in.u64();
  header.commits = in.u32();
  header.payload_bytes = in.u32();
  header.crc = in.u32();
  return header;
}

bool record_is_intact(const RecordHeader& header, ByteView record) {
  if (header.commits == 0 || header.first_index == 0) return false;
  if (record.size() < kRecordHeaderBytes + header.payload_bytes) return false;
  return checksum(record, header.payload_bytes) == header.crc;
}

bool record_is_ours(const RecordSeal& seal, const RecordHeader& header, ByteView record) {
  return constant_time_equal(record_tag(seal, record, header.payload_bytes), record.subspan(kTagOffset, kTagBytes));
}

Status visit_changes(ByteView payload, ChangeVisitor& visitor) {
  ByteReader in(payload);
  while (in.remaining() > 0) {
    const std::uint8_t tag = in.u8();
    const auto space = static_cast<Space>(in.u8());
    const std::string_view key = in.text();
    const std::string_view value = tag == kPut ? in.text() : std::string_view();
    const auto by = static_cast<std::int64_t>(tag == kAdd ? in.u64() : 0);
    const bool data = space == Space::kRecords || space == Space::kInline;
    const bool known = (tag == kPut && (data || space == Space::kJournal)) ||
                       (tag == kErase && (data || space == kCounterSpace)) || (tag == kAdd && space == kCounterSpace);
    if (!in.ok() || !known) return fail(Errc::kCorrupt, "commit log record: a change is malformed");
    if (tag == kPut) {
      CHECK_OK(visitor.put(space, key, value));
    } else if (tag == kErase) {
      CHECK_OK(visitor.erase(space, key));
    } else {
      CHECK_OK(visitor.add(key, by));
    }
  }
  return {};
}

}  // namespace andromede::meta
