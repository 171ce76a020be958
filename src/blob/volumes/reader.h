// Streams a range of one blob out. Internal to this folder; see blob::Reader.
#pragma once

#include <memory>

#include "blob/volumes/store_core.h"

namespace andromede::blob {

// Store::open_reader; `core` outlives the reader and the jobs that it leaves behind.
Task<Result<std::unique_ptr<Reader>>> open_volume_reader(StoreCore& core, ShardedBlob ref, std::uint64_t offset,
                                                         std::uint64_t length, Deadline deadline, ShardSet without);

}  // namespace andromede::blob
