// Verifying a mirror at rest: its files read from the drive again and held against the checksums that were recorded
// when they were written, and its records against their tags. Finds what decayed, or was forged, before the last good
// copy does too; reads find only what is read.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "meta/rocksdb/state.h"

namespace andromede::meta {

// Told the bytes of each piece that was read, at most 1 MiB; may sleep; false stops.
using Pace = std::function<bool(std::uint64_t)>;

// Reads tables, blob files and the manifest of an open state, then all its records, beside its readers and writer.
// Files that a compaction removes meanwhile are passed over. The commit log is not read: it is checked at every
// opening, and what it holds moves into the state within its few segments. A file from before checksums were recorded
// is counted in a warning. Errors: kCorrupt names the file; kIo; kOverloaded (too many open files); kCancelled.
Status verify_state(const State& state, const Pace& pace);

// The records alone: kCorrupt when one was not sealed for its place, or cannot be read. kIo; kOverloaded; kCancelled.
Status verify_records(const State& state, const Pace& pace);

}  // namespace andromede::meta
