// The drive map as a value and as bytes (docs/formats/drive-label.md).
#include <algorithm>
#include <set>

#include "crypto/digest.h"
#include "io/drive_label.h"
#include "io/drives.h"

namespace andromede::io {
namespace {

constexpr std::string_view kMagic = "ANDRVMAP";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kMaxDrives = 1024;
constexpr std::size_t kMaxTextBytes = 64;

bool known(DriveState state) { return state >= DriveState::kActive && state <= DriveState::kReplaced; }

Status check_text(std::string_view what, std::string_view text, std::size_t most_bytes) {
  if (!text.empty() && text.size() <= most_bytes && text.find('\0') == std::string_view::npos) return {};
  return fail(Errc::kInvalidArgument,
              std::string(what) + " of a drive has 1 to " + std::to_string(most_bytes) + " bytes, none of them zero");
}

Status check_drive(const DriveInfo& drive) {
  if (drive.id.is_none()) return fail(Errc::kInvalidArgument, "drive " + drive.name.value() + " has no id");
  CHECK_OK(check_text("the name", drive.name.value(), kMaxTextBytes));
  CHECK_OK(check_text("the site", drive.site.value(), kMaxTextBytes));
  CHECK_OK(check_text("the associate", drive.associate.value(), kMaxTextBytes));
  CHECK_OK(check_text("the path", drive.path, kMaxPathBytes));
  if (!known(drive.state)) return fail(Errc::kInvalidArgument, "drive " + drive.name.value() + " is in no known state");
  return {};
}

void append(ByteWriter& out, const DriveInfo& drive) {
  out.raw(drive.id.bytes());
  out.text(drive.name.value());
  out.text(drive.site.value());
  out.text(drive.associate.value());
  out.text(drive.path);
  out.u64(drive.capacity_bytes);
  out.u8(static_cast<std::uint8_t>(drive.state));
  out.u8(drive.mirrors_metadata ? 1 : 0);
}

Result<bool> read_flag(ByteReader& in) {
  const std::uint8_t flag = in.u8();
  if (flag > 1) return fail(Errc::kCorrupt, "a flag of the drive map is neither 0 nor 1");
  return flag == 1;
}

Result<DriveInfo> read_drive(ByteReader& in) {
  DriveInfo drive;
  drive.id = DriveId::from_bytes(in.raw(DriveId::kSize));
  drive.name = DriveName(std::string(in.text()));
  drive.site = SiteId(std::string(in.text()));
  drive.associate = AssociateId(std::string(in.text()));
  drive.path = std::string(in.text());
  drive.capacity_bytes = in.u64();
  drive.state = static_cast<DriveState>(in.u8());
  TRY(drive.mirrors_metadata, read_flag(in));
  return drive;
}

}  // namespace

bool in_use(const DriveInfo& drive) {
  return drive.state == DriveState::kActive || drive.state == DriveState::kDraining;
}

const DriveInfo* DriveMap::find(DriveId id) const {
  const auto found = std::find_if(drives.begin(), drives.end(), [&](const DriveInfo& drive) { return drive.id == id; });
  return found == drives.end() ? nullptr : &*found;
}

const DriveInfo* DriveMap::find(const DriveName& name) const {
  // A name may be used again once its drive is history: the drive in use is meant, else the latest.
  const DriveInfo* latest = nullptr;
  for (const DriveInfo& drive : drives) {
    if (drive.name != name) continue;
    if (in_use(drive)) return &drive;
    latest = &drive;
  }
  return latest;
}

Status check_drive_map(const DriveMap& map) {
  if (map.cloud.is_none()) return fail(Errc::kInvalidArgument, "a drive map belongs to a cloud");
  if (map.epoch == 0) return fail(Errc::kInvalidArgument, "the epochs of a drive map begin at 1");
  if (map.drives.size() > kMaxDrives) {
    return fail(Errc::kInvalidArgument,
                "a cloud has at most " + std::to_string(kMaxDrives) + " drives, past ones included");
  }
  std::set<DriveId> ids;
  std::set<DriveName> names;
  std::set<std::string> paths;
  for (const DriveInfo& drive : map.drives) {
    CHECK_OK(check_drive(drive));
    if (!ids.insert(drive.id).second)
      return fail(Errc::kInvalidArgument, "two drives have the id " + drive.id.to_string());
    if (!in_use(drive)) continue;
    if (!names.insert(drive.name).second) {
      return fail(Errc::kInvalidArgument, "two drives are named " + drive.name.value());
    }
    if (!paths.insert(drive.path).second) {
      return fail(Errc::kInvalidArgument, "two drives lie at " + drive.path);
    }
  }
  return {};
}

Bytes encode(const DriveMap& map) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.raw(as_bytes(kMagic));
  out.u16(kVersion);
  out.raw(map.cloud.bytes());
  out.u64(map.epoch);
  out.u8(map.accepted_site_losses ? 1 : 0);
  out.u8(map.accepted_site_losses.value_or(0));
  out.varint(map.drives.size());
  for (const DriveInfo& drive : map.drives) append(out, drive);
  out.u32(crypto::crc32c(0, bytes));
  return bytes;
}

Result<DriveMap> decode_drive_map(ByteView bytes) {
  TRY(const ByteView body, open_envelope(bytes, kMagic, kVersion, "drive map"));
  ByteReader in(body);
  DriveMap map;
  map.cloud = CloudId::from_bytes(in.raw(CloudId::kSize));
  map.epoch = in.u64();
  TRY(const bool accepted, read_flag(in));
  const std::uint8_t losses = in.u8();
  if (accepted) map.accepted_site_losses = losses;
  if (!accepted && losses != 0) return fail(Errc::kCorrupt, "the drive map accepts losses that it says it does not");
  const std::uint64_t count = in.varint();
  if (count > kMaxDrives) return fail(Errc::kCorrupt, "the drive map claims too many drives");
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    TRY(DriveInfo drive, read_drive(in));
    map.drives.push_back(std::move(drive));
  }
  CHECK_OK(in.finish("drive map"));
  if (const Status sound = check_drive_map(map); !sound) return fail(Errc::kCorrupt, sound.error().message());
  // A length can be written with needless zeros; only the shortest form is a map's, so that equal maps are equal bytes.
  if (const Bytes again = encode(map); !std::ranges::equal(again, bytes)) {
    return fail(Errc::kCorrupt, "the drive map is not in its shortest form");
  }
  return map;
}

}  // namespace andromede::io
