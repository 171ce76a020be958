// A drive's label and map, read from its disk and judged. Internal to this folder; every call blocks.
#pragma once

#include <string>

#include "io/disk.h"
#include "io/drive_label.h"
#include "io/drive_map.h"

namespace andromede::io {

// Several times what a map takes, so that it finds room while it grows.
inline constexpr std::uint64_t kMapReserveBytes = 256 << 10;

// A map as a drive carries it.
struct CarriedMap {
  DriveMap map;
  MapHash hash{};
};

// As Disk::read_all, then as DriveSeal::open. A file over its limit is kCorrupt.
Result<DriveLabel> read_label(Disk& disk, const DriveSeal& seal);
Result<CarriedMap> read_map(Disk& disk, const DriveSeal& seal);
Status write_label(Disk& disk, const DriveLabel& label, const DriveSeal& seal);
// In blocks that are held for it, so that a full drive takes it too.
Status write_map(Disk& disk, ByteView map_file);
// Holds those blocks; cheap where they are held. kNoSpace: not now.
Status keep_map_reserve(Disk& disk);
// Takes label and map off a drive that does not join; an error when they may still be there.
Status unlabel(Disk& disk);

}  // namespace andromede::io
