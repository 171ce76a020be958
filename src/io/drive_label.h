// The label that says which drive of which cloud a folder is. Bytes: docs/formats/drive-label.md.
#pragma once

#include <string_view>

#include "base/ids.h"
#include "io/drive_seal.h"

namespace andromede::io {

inline constexpr std::string_view kLabelFile = "label";
inline constexpr std::size_t kMaxLabelBytes = 128;

struct DriveLabel {
  CloudId cloud;
  DriveId drive;
  bool operator==(const DriveLabel&) const = default;
};

Bytes encode(const DriveLabel& label, const DriveSeal& seal);
Result<DriveLabel> decode_drive_label(ByteView bytes, const DriveSeal& seal);  // as DriveSeal::open

}  // namespace andromede::io
