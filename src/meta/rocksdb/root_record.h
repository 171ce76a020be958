// What the embedded engine keeps of a root, in Space::kRecords of its one key space (docs/formats/metadata-keys.md,
// "Roots"): its state, what was left of it when it ended, and its usage. Pure.
#pragma once

#include <string>
#include <string_view>

#include "meta/store.h"

namespace andromede::meta {

struct RootRecord {
  RootState state = RootState::kOpen;
  ClosingMark mark{};  // of the closing
  friend bool operator==(const RootRecord&, const RootRecord&) = default;
};
std::string encode(const RootRecord& record);
Result<RootRecord> decode_root(ByteView bytes);

std::string root_state_key(RootId root);
inline constexpr std::string_view kEndedRoots = "d/";  // prefix of ended_root_key()
std::string ended_root_key(RootId root);
// Of kCounterSpace: each a signed 64-bit little-endian number; absent: 0.
std::string object_count_key(RootId root);
std::string byte_count_key(RootId root);

}  // namespace andromede::meta
