// What blob::Maintenance asks of single shards, and reclaim. Every call blocks. Internal to this folder.
#pragma once

#include "blob/shards/maintenance.h"
#include "blob/volumes/store_core.h"

namespace andromede::blob {

// Maintenance::copy_shard, verify_shard, verify_blob and reclaim_orphans. Pace and GoOn may be empty: no limit.
Result<ShardPlace> copy_shard(StoreCore& core, const ShardedBlob& ref, unsigned index, DriveId to, const Pace& pace);
Result<ShardHealth> verify_shard(StoreCore& core, const ShardedBlob& ref, unsigned index, const Pace& pace);
Result<bool> verify_blob(StoreCore& core, const ShardedBlob& ref, Authenticator& authenticator, const Pace& pace);
Result<Maintenance::Reclaimed> reclaim_orphans(StoreCore& core, DriveId drive, ShardCatalog& catalog,
                                               std::chrono::milliseconds grace, Maintenance::Share share,
                                               const GoOn& go_on);

}  // namespace andromede::blob
