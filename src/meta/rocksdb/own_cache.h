// A mirror's own part of a cache that all share: what one drive gave is never taken for what another one would. RocksDB
// names a block by what its table says of itself, and a mirror made by copying has its source's tables.
//
// Thread-safe.
#pragma once

#include <rocksdb/cache.h>

#include <memory>

namespace andromede::meta {

// A view of `shared` with names of its own, and the room of all. Each call makes another one. Null for null.
std::shared_ptr<rocksdb::Cache> make_own_cache(std::shared_ptr<rocksdb::Cache> shared);

}  // namespace andromede::meta
