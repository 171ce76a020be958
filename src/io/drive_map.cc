#include "io/drive_map.h"

#include <algorithm>
#include <set>

#include "io/disk.h"

namespace andromede::io {
namespace {

constexpr std::size_t kMaxTextBytes = 64;

// The bits of a drive's standing.
constexpr std::uint8_t kMirrors = 1;
constexpr std::uint8_t kLeftBehind = 2;
constexpr std::uint8_t kWasPresent = 4;
constexpr std::uint8_t kWasMirror = 8;

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

Status check_minimum(const Minimum& minimum) {
  if (minimum.drives > 0 && minimum.sites > 0 && minimum.sites <= minimum.drives) return {};
  return fail(Errc::kInvalidArgument, "a cloud goes on with one drive at least, and no more sites than drives");
}

Status check_forebears(const DriveMap& map) {
  if (map.forebears.size() > kMaxForebears) return fail(Errc::kInvalidArgument, "a drive map has too many forebears");
  std::uint64_t last = 0;
  bool parent = map.forebears.empty();
  for (const Forebear& forebear : map.forebears) {
    if (forebear.epoch <= last || forebear.epoch >= map.epoch || forebear.kind > ForebearKind::kDecided) {
      return fail(Errc::kInvalidArgument, "the forebears of a drive map come in the order of their epochs, before it");
    }
    last = forebear.epoch;
    parent = parent || forebear.kind != ForebearKind::kAbandoned;
  }
  if (!parent) return fail(Errc::kInvalidArgument, "a drive map comes from a map that was not abandoned");
  return {};
}

Status check_decisions(const DriveMap& map) {
  if (map.overruled.size() > kMaxOverruled) {
    return fail(Errc::kInvalidArgument, "a drive map remembers too many histories that were decided against");
  }
  if (map.decisions.size() > kMaxDecisions) {
    return fail(Errc::kInvalidArgument, "a drive map carries too many decisions that are not journaled yet");
  }
  std::uint64_t last = 0;
  for (const Decision& decision : map.decisions) {
    if (decision.epoch <= last || decision.epoch > map.epoch) {
      return fail(Errc::kInvalidArgument, "decisions come in the order of their maps, up to this one");
    }
    last = decision.epoch;
    CHECK_OK(check_text("the user who decided", decision.unix_user, kMaxUnixUserBytes));
    for (const DriveId id : decision.without) {
      if (map.find(id) == nullptr) {
        return fail(Errc::kInvalidArgument, "a decision names a drive that is not in the map");
      }
    }
  }
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
  out.u8(static_cast<std::uint8_t>((drive.mirrors_metadata ? kMirrors : 0) | (drive.left_behind ? kLeftBehind : 0) |
                                   (drive.was_present ? kWasPresent : 0) | (drive.was_mirror ? kWasMirror : 0)));
  out.u64(drive.absent_since);
}

void append(ByteWriter& out, const Minimum& minimum) {
  out.u8(minimum.drives);
  out.u8(minimum.sites);
}

void append(ByteWriter& out, const Decision& decision) {
  out.u64(decision.epoch);
  out.u64(static_cast<std::uint64_t>(decision.at.ms));
  out.text(decision.unix_user);
  out.varint(decision.without.size());
  for (const DriveId id : decision.without) out.raw(id.bytes());
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
  const std::uint8_t standing = in.u8();
  if (standing > (kMirrors | kLeftBehind | kWasPresent | kWasMirror)) {
    return fail(Errc::kCorrupt, "a drive of the drive map stands as none can");
  }
  drive.mirrors_metadata = (standing & kMirrors) != 0;
  drive.left_behind = (standing & kLeftBehind) != 0;
  drive.was_present = (standing & kWasPresent) != 0;
  drive.was_mirror = (standing & kWasMirror) != 0;
  drive.absent_since = in.u64();
  return drive;
}

Minimum read_minimum(ByteReader& in) {
  Minimum minimum;
  minimum.drives = in.u8();
  minimum.sites = in.u8();
  return minimum;
}

// At most `most`; more than that is an error whatever follows.
Result<std::uint64_t> read_count(ByteReader& in, std::size_t most, const char* of_what) {
  const std::uint64_t count = in.varint();
  if (count > most) return fail(Errc::kCorrupt, std::string("the drive map claims too many ") + of_what);
  return count;
}

Result<Decision> read_decision(ByteReader& in) {
  Decision decision;
  decision.epoch = in.u64();
  decision.at.ms = static_cast<std::int64_t>(in.u64());
  decision.unix_user = std::string(in.text());
  TRY(const std::uint64_t count, read_count(in, kMaxDrives, "drives left behind"));
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    decision.without.push_back(DriveId::from_bytes(in.raw(DriveId::kSize)));
  }
  return decision;
}

MapHash read_hash(ByteReader& in) {
  MapHash hash{};
  const ByteView bytes = in.raw(hash.size());
  if (in.ok()) std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

Forebear read_forebear(ByteReader& in) {
  Forebear forebear;
  forebear.epoch = in.u64();
  forebear.kind = static_cast<ForebearKind>(in.u8());
  forebear.hash = read_hash(in);
  return forebear;
}

}  // namespace

bool in_use(const DriveInfo& drive) {
  return drive.state == DriveState::kActive || drive.state == DriveState::kDraining;
}

bool present(const DriveInfo& drive) { return in_use(drive) && drive.absent_since == 0; }

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
  CHECK_OK(check_minimum(map.minimum));
  CHECK_OK(check_minimum(map.minimum_before));
  CHECK_OK(check_forebears(map));
  CHECK_OK(check_decisions(map));
  std::set<DriveId> ids;
  std::set<DriveName> names;
  std::set<std::string> paths;
  for (const DriveInfo& drive : map.drives) {
    CHECK_OK(check_drive(drive));
    if (drive.absent_since > map.epoch || (drive.left_behind && drive.absent_since == 0)) {
      return fail(Errc::kInvalidArgument, "drive " + drive.name.value() + " is absent since a map to come, or never");
    }
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

Bytes encode(const DriveMap& map, const DriveSeal& seal) {
  Bytes body;
  ByteWriter out(body);
  out.raw(map.cloud.bytes());
  out.u64(map.epoch);
  append(out, map.minimum);
  append(out, map.minimum_before);
  out.varint(map.forebears.size());
  for (const Forebear& forebear : map.forebears) {
    out.u64(forebear.epoch);
    out.u8(static_cast<std::uint8_t>(forebear.kind));
    out.raw(forebear.hash);
  }
  out.varint(map.overruled.size());
  for (const MapHash& hash : map.overruled) out.raw(hash);
  out.varint(map.decisions.size());
  for (const Decision& decision : map.decisions) append(out, decision);
  out.u8(map.accepted_site_losses ? 1 : 0);
  out.u8(map.accepted_site_losses.value_or(0));
  out.varint(map.drives.size());
  for (const DriveInfo& drive : map.drives) append(out, drive);
  return seal.close(SealedKind::kMap, body);
}

Result<DriveMap> decode_drive_map(ByteView bytes, const DriveSeal& seal) {
  TRY(const ByteView body, seal.open(SealedKind::kMap, bytes));
  ByteReader in(body);
  DriveMap map;
  map.cloud = CloudId::from_bytes(in.raw(CloudId::kSize));
  map.epoch = in.u64();
  map.minimum = read_minimum(in);
  map.minimum_before = read_minimum(in);
  TRY(const std::uint64_t forebears, read_count(in, kMaxForebears, "forebears"));
  for (std::uint64_t i = 0; i < forebears && in.ok(); ++i) map.forebears.push_back(read_forebear(in));
  TRY(const std::uint64_t overruled, read_count(in, kMaxOverruled, "histories decided against"));
  for (std::uint64_t i = 0; i < overruled && in.ok(); ++i) map.overruled.push_back(read_hash(in));
  TRY(const std::uint64_t decisions, read_count(in, kMaxDecisions, "decisions"));
  for (std::uint64_t i = 0; i < decisions && in.ok(); ++i) {
    TRY(Decision decision, read_decision(in));
    map.decisions.push_back(std::move(decision));
  }
  TRY(const bool accepted, read_flag(in));
  const std::uint8_t losses = in.u8();
  if (accepted) map.accepted_site_losses = losses;
  if (!accepted && losses != 0) return fail(Errc::kCorrupt, "the drive map accepts losses that it says it does not");
  TRY(const std::uint64_t drives, read_count(in, kMaxDrives, "drives"));
  for (std::uint64_t i = 0; i < drives && in.ok(); ++i) {
    TRY(DriveInfo drive, read_drive(in));
    map.drives.push_back(std::move(drive));
  }
  CHECK_OK(in.finish("drive map"));
  if (const Status sound = check_drive_map(map); !sound) return fail(Errc::kCorrupt, sound.error().message());
  // A length can be written with needless zeros; only the shortest form is a map's, so that equal maps are equal bytes.
  if (const Bytes again = encode(map, seal); !std::ranges::equal(again, bytes)) {
    return fail(Errc::kCorrupt, "the drive map is not in its shortest form");
  }
  return map;
}

}  // namespace andromede::io
