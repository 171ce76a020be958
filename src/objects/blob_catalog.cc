#include "objects/blob_catalog.h"

#include <algorithm>

#include "objects/layout.h"
#include "objects/records.h"

namespace andromede::objects {

Result<std::vector<blob::BlobRef>> BlobCatalog::list(BlobId after, std::size_t limit) {
  meta::Scan scan;
  scan.partition = layout::kCloud;
  // None is the smallest id and nobody's.
  scan.begin = layout::blob(after) + std::string(after.is_none() ? 0 : 1, '\0');
  scan.end = layout::past_prefix(std::string(layout::kBlobs));
  scan.limit = std::min(limit, meta::kMaxScanItems);
  TRY(const std::vector<meta::Item> items, sync_wait(meta_.scan(std::move(scan))));
  std::vector<blob::BlobRef> refs;
  refs.reserve(items.size());
  for (const meta::Item& item : items) {
    TRY(BlobRecord record, decode_blob(as_bytes(item.value)));
    refs.push_back(std::move(record.ref));
  }
  return refs;
}

Result<std::optional<blob::BlobRef>> BlobCatalog::find(BlobId id) {
  // In use first: a blob that is committed between the two looks would be missed the other way round.
  std::optional<blob::BlobRef> live = live_.find(id);
  TRY(const std::optional<std::string> record,
      sync_wait(meta_.get(layout::kCloud, {meta::Space::kRecords, layout::blob(id)})));
  if (!record) return live;
  TRY(BlobRecord stored, decode_blob(as_bytes(*record)));
  return std::move(stored.ref);
}

Status BlobCatalog::replace(const blob::BlobRef& before, const blob::BlobRef& after) {
  TRY(std::optional<std::string> now,
      sync_wait(meta_.get(layout::kCloud, {meta::Space::kRecords, layout::blob(before.id)})));
  if (!now) return fail(Errc::kConflict, "the blob is gone");
  TRY(BlobRecord record, decode_blob(as_bytes(*now)));
  if (record.ref != before) return fail(Errc::kConflict, "the blob's shards lie elsewhere by now");
  record.ref = after;
  meta::Commit change;
  change.partition = layout::kCloud;
  change.unwitnessed = "where a blob's shards lie is nothing that a tenant or operator decided";
  change.restores_redundancy = true;
  change.expect.push_back({layout::blob(before.id), std::move(now)});
  change.put.push_back({{meta::Space::kRecords, layout::blob(before.id)}, encode(record)});
  TRY(const meta::CommitInfo info, sync_wait(meta_.commit(std::move(change), Deadline::after(clock_, deadline_))));
  static_cast<void>(info);
  return {};
}

}  // namespace andromede::objects
