#include "meta/record_seal.h"

namespace andromede::meta {
namespace {

const char* name_of(Space space) {
  switch (space) {
    case Space::kRecords:
      return "records";
    case Space::kInline:
      return "inline payloads";
    case Space::kJournal:
      return "journal";
  }
  return "engine's numbers";
}

}  // namespace

RecordSeal::RecordSeal(const crypto::SecretKey& cloud_key)
    : values_(crypto::make_mac(crypto::derive_key(cloud_key.bytes(), as_bytes("andromede metadata record")))),
      log_(crypto::make_mac(crypto::derive_key(cloud_key.bytes(), as_bytes("andromede commit log record")))) {}

crypto::MacTag RecordSeal::tag(Space space, std::string_view key, std::string_view value) const {
  // The key's length says where it ends and the value begins.
  const auto length = static_cast<std::uint16_t>(key.size());
  const std::array<std::uint8_t, 3> head{static_cast<std::uint8_t>(space), static_cast<std::uint8_t>(length),
                                         static_cast<std::uint8_t>(length >> 8)};
  const std::array<ByteView, 3> parts{ByteView(head), as_bytes(key), as_bytes(value)};
  return values_->tag(parts);
}

Result<std::string_view> RecordSeal::open(Space space, std::string_view key, std::string_view stored) const {
  if (stored.size() >= kTagBytes && stored.size() <= kMostStoredBytes && key.size() <= UINT16_MAX) {
    const std::string_view value = stored.substr(0, stored.size() - kTagBytes);
    if (constant_time_equal(tag(space, key, value), as_bytes(stored.substr(value.size())))) return value;
  }
  return fail(Errc::kCorrupt, std::string("forged or swapped record among the ") + name_of(space));
}

crypto::MacTag RecordSeal::log_tag(ByteView header, ByteView changes) const {
  const std::array<ByteView, 2> parts{header, changes};
  return log_->tag(parts);
}

}  // namespace andromede::meta
