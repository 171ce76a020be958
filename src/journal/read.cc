#include <algorithm>

#include "journal/journal.h"

namespace andromede::journal {
namespace {

std::string key_of(std::uint64_t sequence) {
  Bytes key;
  append_be64(key, sequence);
  return std::string(as_text(key));
}

// Items as entries first, first + 1 …, each one's link to the one before checked.
Result<std::vector<Entry>> linked(const std::vector<meta::Item>& items, std::uint64_t first) {
  std::vector<Entry> entries;
  entries.reserve(items.size());
  for (const meta::Item& item : items) {
    const std::uint64_t expected = first + entries.size();
    const std::string place = "journal entry " + std::to_string(expected);
    if (item.key != key_of(expected)) return fail(Errc::kCorrupt, place + " is missing");
    auto entry = decode_entry(as_bytes(item.value));
    if (!entry) return fail(entry.error().in(place));
    if (entry->sequence != expected) return fail(Errc::kCorrupt, place + " has another entry's content");
    const crypto::Sha256Digest before = entries.empty() ? crypto::Sha256Digest{} : entries.back().hash;
    if ((!entries.empty() || expected == 1) && entry->previous != before) {
      return fail(Errc::kCorrupt, place + " does not link to the entry before it");
    }
    entries.push_back(std::move(*entry));
  }
  return entries;
}

}  // namespace

Task<Result<std::vector<Entry>>> read_entries(meta::Store& store, std::uint64_t first, std::size_t limit) {
  first = std::max<std::uint64_t>(first, 1);
  limit = std::min(limit, store.limits().scan_items - 1);
  if (limit == 0) co_return std::vector<Entry>();
  // The entry before is read too: without it the first one's link could not be checked.
  const std::uint64_t begin = first > 1 ? first - 1 : first;
  // Asked before the scan, which then sees at least that much.
  const std::uint64_t last = store.last_sequence();
  meta::Scan scan;
  scan.partition = meta::kCloudPartition;
  scan.space = meta::Space::kJournal;
  scan.begin = key_of(begin);
  scan.limit = limit + (first - begin);
  CO_TRY(const std::vector<meta::Item> items, co_await store.scan(std::move(scan)));
  CO_TRY(std::vector<Entry> entries, linked(items, begin));
  if (begin < first && !entries.empty()) entries.erase(entries.begin());
  if (entries.empty() && first <= last) {
    co_return fail(Errc::kCorrupt, "journal entry " + std::to_string(first) + " is missing");
  }
  co_return entries;
}

Task<Result<Verified>> verify_all(meta::Store& store, std::stop_token stop) {
  constexpr std::size_t kPageEntries = 1000;
  const std::uint64_t last = store.last_sequence();
  Verified verified;
  for (;;) {
    if (stop.stop_requested()) co_return fail(Errc::kCancelled, "the verification of the journal was stopped");
    CO_TRY(const std::vector<Entry> page, co_await read_entries(store, verified.entries + 1, kPageEntries));
    if (page.empty()) break;
    verified.entries += page.size();
    verified.head = page.back().hash;
  }
  if (verified.entries < last) {
    co_return fail(Errc::kCorrupt, "the journal ends at entry " + std::to_string(verified.entries) + ", not at " +
                                       std::to_string(last));
  }
  co_return verified;
}

}  // namespace andromede::journal
