#include "io/drive_files.h"

#include <algorithm>

#include "io/drive_lineage.h"

namespace andromede::io {
namespace {

const std::string kLabelPath(kLabelFile);
const std::string kMapPath(kMapFile);

// Gone already is as good.
Status removed(Disk& disk, const std::string& path) {
  const Status gone = disk.remove(path);
  return gone || gone.error() == Errc::kNotFound ? Status() : gone;
}

}  // namespace

Result<DriveLabel> read_label(Disk& disk, const DriveSeal& seal) {
  TRY(const Bytes bytes, disk.read_all(kLabelPath, kMaxLabelBytes));
  return decode_drive_label(bytes, seal);
}

Result<CarriedMap> read_map(Disk& disk, const DriveSeal& seal) {
  TRY(const Bytes bytes, disk.read_all(kMapPath, kMaxMapBytes));
  TRY(DriveMap map, decode_drive_map(bytes, seal));
  return CarriedMap{std::move(map), hash_of(bytes)};
}

Status write_label(Disk& disk, const DriveLabel& label, const DriveSeal& seal) {
  return disk.replace(kLabelPath, encode(label, seal));
}

Status write_map(Disk& disk, ByteView map_file) {
  return disk.replace_in_reserve(kMapPath, map_file, std::max<std::uint64_t>(kMapReserveBytes, 2 * map_file.size()));
}

Status keep_map_reserve(Disk& disk) { return disk.keep_reserve(kMapPath, kMapReserveBytes); }

Status unlabel(Disk& disk) {
  // The map first: a label without a map is a drive that never joined.
  const Status map = removed(disk, kMapPath);
  const Status reserve = disk.keep_reserve(kMapPath, 0);
  const Status label = removed(disk, kLabelPath);
  CHECK_OK(map);
  CHECK_OK(reserve);
  CHECK_OK(label);
  return disk.sync_folder("");
}

}  // namespace andromede::io
