#include "blob/shards/sharded_catalog.h"

#include "base/log.h"

namespace andromede::blob {
namespace {

// What cannot be read is told in the log, and nullopt.
std::optional<ShardedBlob> read(const BlobRef& ref) {
  auto blob = sharded(ref);
  if (blob) return *std::move(blob);
  log_error("a blob's record cannot be read", {{"blob", ref.id.to_string()}, {"error", blob.error().describe()}});
  return std::nullopt;
}

}  // namespace

Result<std::vector<ShardedBlob>> ShardedCatalog::list(BlobId after, std::size_t limit) {
  std::vector<ShardedBlob> blobs;
  for (;;) {
    const std::size_t wanted = limit - blobs.size();
    TRY(const std::vector<BlobRef> refs, records_.list(after, wanted));
    for (const BlobRef& ref : refs) {
      if (auto blob = read(ref)) blobs.push_back(*std::move(blob));
    }
    // What cannot be read does not end the list.
    if (refs.size() < wanted || blobs.size() == limit) return blobs;
    after = refs.back().id;
  }
}

Result<std::optional<ShardedBlob>> ShardedCatalog::find(BlobId id) {
  TRY(const std::optional<BlobRef> ref, records_.find(id));
  if (!ref) return std::nullopt;
  auto blob = sharded(*ref);
  if (!blob) return fail(Errc::kCorrupt, blob.error().message());
  return *std::move(blob);
}

Result<ShardCatalog::Page> ShardedCatalog::list_everywhere(BlobId after, std::size_t limit) {
  TRY(Catalog::Page records, records_.list_everywhere(after, limit));
  Page page;
  page.unreadable = std::move(records.unreadable);
  page.next = records.next;
  for (const BlobRef& ref : records.refs) {
    if (auto blob = read(ref)) {
      page.refs.push_back(*std::move(blob));
    } else {
      page.unreadable.push_back(ref.id);
    }
  }
  return page;
}

Result<ShardCatalog::Everywhere> ShardedCatalog::find_everywhere(BlobId id) {
  TRY(Catalog::Everywhere records, records_.find_everywhere(id));
  Everywhere found;
  found.agree = records.agree;
  found.unreadable_on = std::move(records.unreadable_on);
  for (const BlobRef& ref : records.refs) {
    if (auto blob = read(ref)) {
      found.refs.push_back(*std::move(blob));
    } else {
      found.agree = false;
    }
  }
  return found;
}

Status ShardedCatalog::replace(const ShardedBlob& before, const ShardedBlob& after) {
  return records_.replace(ref_of(before), ref_of(after));
}

}  // namespace andromede::blob
