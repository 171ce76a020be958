// One record of the commit log: a group of commits. Pure bytes, no I/O. Format: docs/formats/commit-log.md.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "meta/record_seal.h"
#include "meta/store.h"

namespace andromede::meta {

inline constexpr std::size_t kLogBlockBytes = 4096;
inline constexpr std::size_t kRecordHeaderBytes = 56;

inline constexpr std::size_t round_up_to_block(std::size_t size_bytes) {
  return (size_bytes + kLogBlockBytes - 1) / kLogBlockBytes * kLogBlockBytes;
}

inline constexpr std::uint16_t kRecordVersion = 2;

struct RecordHeader {
  std::uint16_t version = kRecordVersion;
  std::uint64_t salt = 0;
  std::uint64_t first_index = 0;
  std::uint32_t commits = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t crc = 0;
  [[nodiscard]] std::uint64_t last_index() const { return first_index + commits - 1; }
  [[nodiscard]] std::size_t record_bytes() const { return round_up_to_block(kRecordHeaderBytes + payload_bytes); }
};

// Builds records, one after another, in memory that it keeps. Values are sealed on their way in, once for all mirrors.
class RecordBuilder {
 public:
  explicit RecordBuilder(std::shared_ptr<const RecordSeal> seal) : seal_(std::move(seal)) { reset(); }
  void reset();
  void put(Space space, std::string_view key, std::string_view value);
  void erase(Space space, std::string_view key);
  void add(std::string_view key, std::int64_t by);
  [[nodiscard]] ByteView payload() const { return ByteView(bytes_).subspan(kRecordHeaderBytes, payload_bytes_); }
  [[nodiscard]] std::size_t payload_bytes() const { return bytes_.size() - kRecordHeaderBytes; }
  // Fills in the header and pads to whole blocks. Valid until the next call of anything but payload().
  ByteView finish(std::uint64_t salt, std::uint64_t first_index, std::uint32_t commits);

 private:
  void begin(std::uint8_t tag, Space space, std::string_view key);
  const std::shared_ptr<const RecordSeal> seal_;
  Bytes bytes_;
  std::size_t payload_bytes_ = 0;  // set by finish()
};

// The header at the start of `block` (at least kRecordHeaderBytes), unchecked but for the magic: nullopt without it.
std::optional<RecordHeader> decode_header(ByteView block);
// Whether header and payload are what the checksum was made of. `record` begins with the header and holds the payload.
bool record_is_intact(const RecordHeader& header, ByteView record);
// Whether this cloud wrote an intact record: chance makes no right checksum, but anybody can.
bool record_is_ours(const RecordSeal& seal, const RecordHeader& header, ByteView record);

// Told of each change of a payload, in order.
class ChangeVisitor {
 public:
  virtual ~ChangeVisitor() = default;
  // `value` is sealed, as it is stored.
  virtual Status put(Space space, std::string_view key, std::string_view value) = 0;
  virtual Status erase(Space space, std::string_view key) = 0;
  virtual Status add(std::string_view key, std::int64_t by) = 0;
};
// kCorrupt when the payload is not a sequence of changes; the first error of `visitor` otherwise.
Status visit_changes(ByteView payload, ChangeVisitor& visitor);

}  // namespace andromede::meta
