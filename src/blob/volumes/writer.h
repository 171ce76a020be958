// Streams one blob into k + m records. Internal to this folder; see blob::Writer.
#pragma once

#include <memory>

#include "blob/shards/placer.h"
#include "blob/volumes/store_core.h"

namespace andromede::blob {

// Store::open_writer; `core` outlives the writer and whatever it leaves behind (StoreCore::stop waits for that).
Task<Result<std::unique_ptr<Writer>>> open_volume_writer(StoreCore& core, BlobId id, Target target,
                                                         std::uint64_t size_bytes, Deadline deadline);

}  // namespace andromede::blob
