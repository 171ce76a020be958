// What blob::Maintenance asks of single shards, and reclaim. Every call blocks. Internal to this folder.
#pragma once

#include "blob/maintenance.h"
#include "blob/volumes/store_core.h"

namespace andromede::blob {

// Maintenance::copy_shard, verify_shard, verify_blob and reclaim_orphans. Pace and GoOn may be empty: no limit.
Result<ShardPlace> copy_shard(StoreCore& core, const BlobRef& ref, unsigned index, DriveId to, const Pace& pace);
Result<ShardHealth> verify_shard(StoreCore& core, const BlobRef& ref, unsigned index, const Pace& pace);
Result<bool> verify_blob(StoreCore& core, const BlobRef& ref, Authenticator& authenticator, const Pace& pace);
Result<Maintenance::Reclaimed> reclaim_orphans(StoreCore& core, DriveId drive, Catalog& catalog,
                                               std::chrono::milliseconds grace, Maintenance::Share share,
                                               const GoOn& go_on);

}  // namespace andromede::blob
