// The catalog in the terms of an engine on drives: which blob has which shard where.
#pragma once

#include "blob/catalog.h"
#include "blob/shards/sharded_blob.h"

namespace andromede::blob {

using ShardCatalog = CatalogOf<ShardedBlob>;

// Over the records' catalog. A record whose locator is none of ours is one that cannot be read.
class ShardedCatalog final : public ShardCatalog {
 public:
  // Borrowed.
  explicit ShardedCatalog(Catalog& records) : records_(records) {}

  Result<std::vector<ShardedBlob>> list(BlobId after, std::size_t limit) override;
  Result<std::optional<ShardedBlob>> find(BlobId id) override;
  Result<Page> list_everywhere(BlobId after, std::size_t limit) override;
  Result<Everywhere> find_everywhere(BlobId id) override;
  Status replace(const ShardedBlob& before, const ShardedBlob& after) override;

 private:
  Catalog& records_;
};

}  // namespace andromede::blob
