#include "io/drive_lineage.h"

#include <algorithm>

#include "crypto/digest.h"

namespace andromede::io {
namespace {

// A drive that went carries the last map that it took, or the one that it went at: few epochs before it was missed.
constexpr std::uint64_t kEpochsToMiss = 4;

struct Tally {
  std::size_t drives = 0;
  std::size_t mirrors = 0;
  std::set<SiteId> sites;

  void add(const DriveInfo& drive, bool mirror) {
    ++drives;
    if (mirror) ++mirrors;
    sites.insert(drive.site);
  }
};

bool reaches(const Minimum& minimum, const Tally& all, const Tally& some) {
  return some.drives > 0 && some.drives >= std::min<std::size_t>(minimum.drives, all.drives) &&
         some.sites.size() >= std::min<std::size_t>(minimum.sites, all.sites.size()) &&
         (all.mirrors == 0 || some.mirrors > 0);
}

const Forebear* find(const DriveMap& map, const MapHash& hash) {
  const auto found = std::find_if(map.forebears.begin(), map.forebears.end(),
                                  [&](const Forebear& forebear) { return forebear.hash == hash; });
  return found == map.forebears.end() ? nullptr : &*found;
}

// By a drive that is absent.
bool may_be_carried(const DriveMap& map, const Forebear& forebear) {
  return std::any_of(map.drives.begin(), map.drives.end(), [&](const DriveInfo& drive) {
    return in_use(drive) && forebear.epoch <= drive.absent_since &&
           forebear.epoch + kEpochsToMiss >= drive.absent_since;
  });
}

// Whether what our line made of its ancestor was an operator's decision.
bool decided_after(const DriveMap& ours, const Forebear& ancestor) {
  for (const Forebear& forebear : ours.forebears) {
    if (forebear.epoch <= ancestor.epoch || forebear.kind == ForebearKind::kAbandoned) continue;
    return forebear.kind == ForebearKind::kDecided;
  }
  return decided(ours);
}

}  // namespace

MapHash hash_of(ByteView file) { return crypto::sha256(file); }

Minimum minimum_of(const DriveMap& map) {
  return map.accepted_site_losses == 0 ? Minimum{map.minimum.drives, 1} : map.minimum;
}

bool can_go_on(const DriveMap& map, const std::set<DriveId>& drives) {
  Tally all;
  Tally some;
  for (const DriveInfo& drive : map.drives) {
    if (!present(drive)) continue;
    all.add(drive, drive.mirrors_metadata);
    if (drives.contains(drive.id)) some.add(drive, drive.mirrors_metadata);
  }
  return reaches(minimum_of(map), all, some);
}

bool counts_on(const DriveMap& map, const std::set<DriveId>& drives) {
  if (map.forebears.empty() || decided(map)) return true;
  Tally all;
  Tally some;
  for (const DriveInfo& drive : map.drives) {
    if (!drive.was_present) continue;
    all.add(drive, drive.was_mirror);
    if (drives.contains(drive.id)) some.add(drive, drive.was_mirror);
  }
  return reaches(map.minimum_before, all, some);
}

bool decided(const DriveMap& map) { return !map.decisions.empty() && map.decisions.back().epoch == map.epoch; }

const Forebear* parent_of(const DriveMap& map) {
  const auto found = std::find_if(map.forebears.rbegin(), map.forebears.rend(),
                                  [](const Forebear& forebear) { return forebear.kind != ForebearKind::kAbandoned; });
  return found == map.forebears.rend() ? nullptr : &*found;
}

Kinship kinship(const DriveMap& ours, const MapHash& our_hash, const DriveMap& theirs, const MapHash& hash) {
  if (hash == our_hash) return Kinship::kSame;
  if (find(ours, hash) != nullptr) return Kinship::kBehind;
  const Forebear* const parent = parent_of(theirs);
  if (parent == nullptr || decided(theirs)) return Kinship::kApart;
  if (parent->hash == our_hash) return Kinship::kAhead;
  const Forebear* const shared = find(ours, parent->hash);
  if (shared == nullptr || shared->kind == ForebearKind::kAbandoned) return Kinship::kApart;
  return decided_after(ours, *shared) ? Kinship::kApart : Kinship::kAttempt;
}

DriveMap begin_successor(const DriveMap& map, const MapHash& hash) {
  DriveMap next = map;
  next.forebears.push_back({map.epoch, hash, decided(map) ? ForebearKind::kDecided : ForebearKind::kAncestor});
  next.minimum_before = minimum_of(map);
  for (DriveInfo& drive : next.drives) {
    drive.was_present = present(drive);
    drive.was_mirror = drive.was_present && drive.mirrors_metadata;
  }
  return next;
}

bool is_beyond_memory(const DriveMap& map, std::uint64_t epoch) {
  if (map.forebears.size() < kMaxForebears) return false;
  const auto oldest = std::find_if_not(map.forebears.begin(), map.forebears.end(),
                                       [&](const Forebear& forebear) { return may_be_carried(map, forebear); });
  return oldest != map.forebears.end() && epoch < oldest->epoch;
}

void forget_old_forebears(DriveMap& map) {
  while (map.forebears.size() > kMaxForebears) {
    auto oldest = std::find_if_not(map.forebears.begin(), std::prev(map.forebears.end()),
                                   [&](const Forebear& forebear) { return may_be_carried(map, forebear); });
    if (oldest == std::prev(map.forebears.end())) oldest = map.forebears.begin();
    map.forebears.erase(oldest);
  }
}

}  // namespace andromede::io
