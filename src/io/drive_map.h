// The map of all drives of a cloud, as a value: where each lies, in which state, who took part when it was written, and
// from which maps it comes. Bytes: docs/formats/drive-label.md. Why it is so: docs/adr/0011-one-history.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "io/drive_seal.h"

namespace andromede::io {

inline constexpr std::string_view kMapFile = "map";
inline constexpr std::size_t kMaxMapBytes = 4 << 20;
inline constexpr std::size_t kMaxDrives = 1024;
// Older ones are forgotten, except those that an absent drive may still carry.
inline constexpr std::size_t kMaxForebears = 1024;
inline constexpr std::size_t kMaxOverruled = 64;
inline constexpr std::size_t kMaxDecisions = 64;

enum class DriveState : std::uint8_t {
  kActive = 1,    // takes new data
  kDraining = 2,  // gives its data away, takes none
  kDrained = 3,   // proven empty; kept in the map as history
  kReplaced = 4,  // lost and succeeded by another; kept in the map as history
};

struct DriveInfo {
  DriveId id;
  DriveName name;
  SiteId site;
  AssociateId associate;
  std::string path;                  // the root's folder on this host
  std::uint64_t capacity_bytes = 0;  // 0: all of the file system
  DriveState state = DriveState::kActive;
  bool mirrors_metadata = false;  // holds a current mirror of the metadata
  // 0: present, it took part when this map was written. Else the epoch of the first map that went on without it.
  std::uint64_t absent_since = 0;
  bool left_behind = false;  // absent because an operator decided so
  // As it stood in the map before: what this one needed to count.
  bool was_present = false;
  bool was_mirror = false;
  bool operator==(const DriveInfo&) const = default;
};

// The fewest drives, on the fewest sites, that may change the map and acknowledge anything without the others.
struct Minimum {
  std::uint8_t drives = 1;
  std::uint8_t sites = 1;
  bool operator==(const Minimum&) const = default;
};

// SHA-256 of a map's bytes.
using MapHash = std::array<std::uint8_t, 32>;

enum class ForebearKind : std::uint8_t {
  kAncestor = 0,
  kAbandoned = 1,  // a change that failed, of a process that went on with the map before it
  kDecided = 2,    // an ancestor that an operator's decision made
};

struct Forebear {
  std::uint64_t epoch = 0;
  MapHash hash{};
  ForebearKind kind = ForebearKind::kAncestor;
  bool operator==(const Forebear&) const = default;
};

// Longer names of Unix accounts are cut.
inline constexpr std::size_t kMaxUnixUserBytes = 64;
// The word of a person that the cloud goes on without drives that may have gone on without it. Carried until journaled.
struct Decision {
  std::uint64_t epoch = 0;  // of the map that it made
  Timestamp at;
  std::string unix_user;  // who ran the command; nobody checked it
  std::vector<DriveId> without;
  bool operator==(const Decision&) const = default;
};

struct DriveMap {
  CloudId cloud;
  std::uint64_t epoch = 0;
  Minimum minimum;
  Minimum minimum_before;           // what this map itself needed to count
  std::vector<Forebear> forebears;  // by epoch; the last that is not abandoned is the parent
  // The last maps of other histories that operators decided against: what comes from those is left behind.
  std::vector<MapHash> overruled;
  std::vector<Decision> decisions;  // those that are not journaled yet, in their order
  // Site losses that the operators have explicitly accepted to tolerate, below the policy's (a withdrawal without a
  // successor yet); unset: the policy's.
  std::optional<std::uint8_t> accepted_site_losses;
  std::vector<DriveInfo> drives;
  [[nodiscard]] const DriveInfo* find(DriveId id) const;
  [[nodiscard]] const DriveInfo* find(const DriveName& name) const;
  bool operator==(const DriveMap&) const = default;
};

// Active or draining: opened, probed, and given the map.
bool in_use(const DriveInfo& drive);
// In use, and took part when the map was written.
bool present(const DriveInfo& drive);

// kInvalidArgument unless the map can be written: ids, names and paths unique, texts and counts within their limits.
Status check_drive_map(const DriveMap& map);

Bytes encode(const DriveMap& map, const DriveSeal& seal);
Result<DriveMap> decode_drive_map(ByteView bytes, const DriveSeal& seal);  // as DriveSeal::open

}  // namespace andromede::io
