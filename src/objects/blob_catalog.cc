#include "objects/blob_catalog.h"

#include <algorithm>
#include <iterator>
#include <thread>

#include "base/log.h"
#include "objects/layout.h"
#include "objects/records.h"

namespace andromede::objects {
namespace {

// A mirror that has failed is taken out within moments; only then can the others answer for all.
constexpr int kLooksUntilUnavailable = 50;
constexpr int kLooksUntilTheyDiffer = 4;
constexpr std::chrono::milliseconds kBetweenLooks{20};

// Whose record lies there. A key of another length is nobody's; it is cut or filled up, so that a walk gets past it.
BlobId id_of(std::string_view key) {
  std::string id(key.substr(layout::kBlobs.size(), BlobId::kSize));
  id.resize(BlobId::kSize);
  return BlobId::from_bytes(as_bytes(id));
}

// Asks `ask`, a callable that answers a Result, until every mirror that takes part answers. Sleeps.
template <typename Ask>
auto until_all_answer(const Ask& ask) {
  auto answer = ask();
  for (int look = 1; look < kLooksUntilUnavailable && !answer && answer.error() == Errc::kUnavailable; ++look) {
    std::this_thread::sleep_for(kBetweenLooks);
    answer = ask();
  }
  return answer;
}

}  // namespace

meta::Scan BlobCatalog::after_of(BlobId after, std::size_t limit) const {
  meta::Scan scan;
  // None is the smallest id and nobody's.
  scan.begin = meta::past_prefix(layout::blob(after));
  scan.end = meta::past_prefix(std::string(layout::kBlobs));
  scan.limit = std::min(limit, meta_.max_scan_items());
  scan.patience.deadline = deadline();
  return scan;
}

blob::Catalog::Page BlobCatalog::decode(const std::vector<meta::Item>& items) {
  Page page;
  for (const meta::Item& item : items) {
    const BlobId id = id_of(item.key);
    auto record = decode_blob(as_bytes(item.value));
    if (record && record->ref.id == id && item.key == layout::blob(id)) {
      page.refs.push_back(std::move(record->ref));
    } else if (page.unreadable.empty() || page.unreadable.back() != id) {
      page.unreadable.push_back(id);
    }
  }
  if (!page.unreadable.empty()) {
    log_error("records of blobs cannot be read on a metadata mirror",
              {{"records", page.unreadable.size()}, {"first", page.unreadable.front().to_string()}});
  }
  return page;
}

Result<std::vector<blob::BlobRef>> BlobCatalog::list(BlobId after, std::size_t limit) {
  std::vector<blob::BlobRef> refs;
  for (;;) {
    const meta::Scan scan = after_of(after, limit - refs.size());
    TRY(const std::vector<meta::Item> items, sync_wait(meta_.scan_anywhere(scan)));
    Page page = decode(items);
    std::ranges::move(page.refs, std::back_inserter(refs));
    // What cannot be read does not end the list.
    if (items.size() < scan.limit || refs.size() == limit) return refs;
    after = id_of(items.back().key);
  }
}

Result<blob::Catalog::Page> BlobCatalog::list_everywhere(BlobId after, std::size_t limit) {
  const meta::Scan scan = after_of(after, limit);
  TRY(const std::vector<meta::Item> items, until_all_answer([&] { return sync_wait(meta_.scan_everywhere(scan)); }));
  Page page = decode(items);
  if (items.size() >= scan.limit) page.next = id_of(items.back().key);
  return page;
}

Result<blob::Catalog::Everywhere> BlobCatalog::find_everywhere(BlobId id) {
  // In use first, as in find().
  const std::optional<blob::BlobRef> live = live_.find(id);
  Everywhere found;
  for (int look = 0; look < kLooksUntilTheyDiffer; ++look) {
    // Mirrors take a commit one after another.
    if (look > 0) std::this_thread::sleep_for(kBetweenLooks);
    found = {};
    TRY(const auto answers, until_all_answer([&] {
          return sync_wait(meta_.get_everywhere({meta::Space::kRecords, layout::blob(id)}, deadline()));
        }));
    for (const meta::CopyAnswer& answer : answers) {
      if (answer.value != answers.front().value) found.agree = false;
      if (!answer.value) continue;
      if (auto record = decode_blob(as_bytes(*answer.value)); record && record->ref.id == id) {
        found.refs.push_back(std::move(record->ref));
      } else {
        found.agree = false;
        found.unreadable_on.push_back(answer.copy);
      }
    }
    if (found.agree) break;
  }
  for (const std::string& copy : found.unreadable_on) {
    log_error("a blob's record cannot be read", {{"blob", id.to_string()}, {"on", copy}});
  }
  if (!found.agree) log_error("the metadata mirrors differ about a blob", {{"blob", id.to_string()}});
  if (live) found.refs.push_back(*live);
  return found;
}

Result<std::optional<blob::BlobRef>> BlobCatalog::find(BlobId id) {
  // In use first: a blob that is committed between the two looks would be missed the other way round.
  std::optional<blob::BlobRef> live = live_.find(id);
  TRY(const std::optional<std::string> record,
      sync_wait(meta_.get_anywhere({meta::Space::kRecords, layout::blob(id)}, deadline())));
  if (!record) return live;
  TRY(BlobRecord stored, decode_blob(as_bytes(*record)));
  return std::move(stored.ref);
}

Status BlobCatalog::replace(const blob::BlobRef& before, const blob::BlobRef& after) {
  TRY(std::optional<std::string> now,
      sync_wait(meta_.get_anywhere({meta::Space::kRecords, layout::blob(before.id)}, deadline())));
  if (!now) return fail(Errc::kConflict, "the blob is gone");
  TRY(BlobRecord record, decode_blob(as_bytes(*now)));
  if (record.ref != before) return fail(Errc::kConflict, "the blob's shards lie elsewhere by now");
  record.ref = after;
  meta::Commit change;
  change.unwitnessed = "where a blob's shards lie is nothing that a tenant or operator decided";
  change.restores_redundancy = true;
  change.expect.push_back({layout::blob(before.id), std::move(now)});
  change.put.push_back({{meta::Space::kRecords, layout::blob(before.id)}, encode(record)});
  TRY(const meta::CommitInfo info, sync_wait(meta_.commit_anywhere(std::move(change), deadline())));
  static_cast<void>(info);
  return {};
}

}  // namespace andromede::objects
