// The label that says which drive of which cloud a folder is, and the frame that it shares with the drive map. Bytes:
// docs/formats/drive-label.md.
#pragma once

#include "base/ids.h"
#include "io/drives.h"

namespace andromede::io {

inline constexpr std::string_view kLabelFile = "label";
inline constexpr std::string_view kMapFile = "map";
inline constexpr std::size_t kMaxLabelBytes = 64;
inline constexpr std::size_t kMaxMapBytes = 1 << 20;

struct DriveLabel {
  CloudId cloud;
  DriveId drive;
  bool operator==(const DriveLabel&) const = default;
};

Bytes encode(const DriveLabel& label);
Result<DriveLabel> decode_drive_label(ByteView bytes);  // kCorrupt

// Active or draining: opened, probed, and given the map.
bool in_use(const DriveInfo& drive);

// kInvalidArgument unless the map can be written: ids, names and paths unique, texts and counts within their limits.
Status check_drive_map(const DriveMap& map);

// What lies between the version and the checksum; kCorrupt when magic, version or checksum are not right.
Result<ByteView> open_envelope(ByteView bytes, std::string_view magic, std::uint16_t version, std::string_view what);

}  // namespace andromede::io
