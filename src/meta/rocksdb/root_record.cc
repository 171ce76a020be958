#include "meta/rocksdb/root_record.h"

#include "crypto/digest.h"

namespace andromede::meta {
namespace {

constexpr std::uint8_t kLetter = 'S';
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kOpen = 1;
constexpr std::uint8_t kClosing = 2;
constexpr std::size_t kCrcBytes = 4;

std::string key_of(std::string_view prefix, RootId root, std::string_view behind = {}) {
  std::string key;
  key.reserve(prefix.size() + RootId::kSize + behind.size());
  key += prefix;
  key += as_text(root.bytes());
  key += behind;
  return key;
}

}  // namespace

std::string encode(const RootRecord& record) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(kLetter);
  out.u8(kVersion);
  out.u8(record.state == RootState::kOpen ? kOpen : kClosing);
  if (record.state == RootState::kClosing) out.raw(record.mark);
  out.u32(crypto::crc32c(0, bytes));
  return std::string(as_text(bytes));
}

Result<RootRecord> decode_root(ByteView bytes) {
  const auto corrupt = [](const char* why) { return fail(Errc::kCorrupt, std::string("root state: ") + why); };
  if (bytes.size() <= kCrcBytes) return corrupt("too short");
  const ByteView covered = bytes.first(bytes.size() - kCrcBytes);
  if (ByteReader(bytes.last(kCrcBytes)).u32() != crypto::crc32c(0, covered)) return corrupt("bad checksum");
  ByteReader in(covered);
  if (in.u8() != kLetter) return corrupt("another record's letter");
  if (const std::uint8_t version = in.u8(); version != kVersion) {
    return fail(Errc::kCorrupt, "root state: version " + std::to_string(version) + " is not known");
  }
  RootRecord record;
  const std::uint8_t state = in.u8();
  if (state != kOpen && state != kClosing) return corrupt("bad state");
  if (state == kClosing) {
    record.state = RootState::kClosing;
    const ByteView mark = in.raw(record.mark.size());
    if (in.ok()) std::copy(mark.begin(), mark.end(), record.mark.begin());
  }
  CHECK_OK(in.finish("root state"));
  return record;
}

std::string root_state_key(RootId root) { return key_of("s/", root); }
std::string ended_root_key(RootId root) { return key_of(kEndedRoots, root); }
std::string object_count_key(RootId root) { return key_of("n/", root, "/objects"); }
std::string byte_count_key(RootId root) { return key_of("n/", root, "/bytes"); }

}  // namespace andromede::meta
