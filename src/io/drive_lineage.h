// What one map of the drives says of another, and what it takes for a map to count. Pure. Why these rules keep history
// in one line: docs/adr/0011-one-history.md.
#pragma once

#include <optional>
#include <set>

#include "io/drive_map.h"

namespace andromede::io {

// Of a map's file.
MapHash hash_of(ByteView file);

// What map.minimum comes to where the operators accepted to tolerate no lost site.
Minimum minimum_of(const DriveMap& map);

// Whether `drives` may change this map, and acknowledge anything, without the others: as many as the minimum asks for
// of those that are present in it (all, where there are no more), and a metadata mirror among them, where it names any.
bool can_go_on(const DriveMap& map, const std::set<DriveId>& drives);
// Whether `map` counts once these have taken it: the same of the map before it. The first map, and one that an operator
// decided, always does.
bool counts_on(const DriveMap& map, const std::set<DriveId>& drives);

// The map that an operator's decision made, itself.
bool decided(const DriveMap& map);
// Null of a cloud's first map.
const Forebear* parent_of(const DriveMap& map);

enum class Kinship : std::uint8_t {
  kSame,
  kBehind,   // an ancestor of ours, or an attempt that ours abandoned
  kAttempt,  // a change of an ancestor of ours, not carried further: it did not count, because what ours made of it did
  kAhead,    // a change of ours itself, not carried further: whether it counts depends on who took it
  kApart,    // another history, or nothing that can be told from one
};
// Of a map that carries `hash` to ours.
Kinship kinship(const DriveMap& ours, const MapHash& our_hash, const DriveMap& theirs, const MapHash& hash);

// A copy of `map`, to be changed, that knows where it comes from. Its epoch is still that of `map`.
DriveMap begin_successor(const DriveMap& map, const MapHash& hash);
// Whether `map` has forgotten its forebears of that time: it cannot tell one of them from another history's map.
bool is_beyond_memory(const DriveMap& map, std::uint64_t epoch);
// Drops the oldest forebears over the limit; those that an absent drive may carry go last.
void forget_old_forebears(DriveMap& map);

}  // namespace andromede::io
