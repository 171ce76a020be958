#include "blob/shards/sharded_catalog.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"

namespace andromede::blob {
namespace {

struct Decoded {
  std::vector<ShardedBlob> blobs;
  std::vector<BlobId> unreadable;
};

Decoded decode(const std::vector<BlobRef>& refs) {
  Decoded decoded;
  decoded.blobs.reserve(refs.size());
  std::optional<Error> first;
  for (const BlobRef& ref : refs) {
    if (auto blob = sharded(ref)) {
      decoded.blobs.push_back(*std::move(blob));
    } else {
      decoded.unreadable.push_back(ref.id);
      if (!first) first = std::move(blob).error();
    }
  }
  if (first) {
    log_error("records of blobs name places that cannot be read",
              {{"records", decoded.unreadable.size()}, {"first", first->describe()}});
  }
  return decoded;
}

}  // namespace

Result<std::vector<ShardedBlob>> ShardedCatalog::list(BlobId after, std::size_t limit) {
  std::vector<ShardedBlob> blobs;
  for (;;) {
    const std::size_t wanted = limit - blobs.size();
    TRY(const std::vector<BlobRef> refs, records_.list(after, wanted));
    std::ranges::move(decode(refs).blobs, std::back_inserter(blobs));
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
  Decoded decoded = decode(records.refs);
  page.refs = std::move(decoded.blobs);
  std::ranges::move(decoded.unreadable, std::back_inserter(page.unreadable));
  return page;
}

Result<ShardCatalog::Everywhere> ShardedCatalog::find_everywhere(BlobId id) {
  TRY(Catalog::Everywhere records, records_.find_everywhere(id));
  Everywhere found;
  found.agree = records.agree;
  found.unreadable_on = std::move(records.unreadable_on);
  Decoded decoded = decode(records.refs);
  found.refs = std::move(decoded.blobs);
  if (!decoded.unreadable.empty()) found.agree = false;
  return found;
}

Status ShardedCatalog::replace(const ShardedBlob& before, const ShardedBlob& after) {
  return records_.replace(ref_of(before), ref_of(after));
}

}  // namespace andromede::blob
