// Typed tables over meta::Store. A kind of record (record.h) that also says where its rows lie,
//
//     static constexpr std::string_view kPrefix = "op/";       // docs/formats/metadata-keys.md
//
// is a table: rows are read one by one, or by pages, and changed on the condition that nobody changed them since they
// were read, in one commit with the journal's event.
//
// Thread-safe as the store.
#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "base/task.h"
#include "meta/record.h"
#include "meta/store.h"

namespace andromede::meta {

// A name as people read it: an id's bytes in hexadecimal.
inline std::string readable(std::string_view name) {
  const auto printable = [](char c) { return c > ' ' && c <= '~'; };
  return std::all_of(name.begin(), name.end(), printable) ? std::string(name) : to_hex(as_bytes(name));
}

template <typename Kind>
class Table {
 public:
  using Record = typename Kind::Record;
  // A row as it was read: what it says, and what a change of it expects.
  struct Row {
    std::string name;  // its key behind the prefix
    Record record;
    std::string stored;
  };
  static constexpr std::size_t kPageRows = 1000;

  // The row that such a record must be.
  static Row row(std::string name, Record record) {
    std::string stored = encode<Kind>(record);
    return {std::move(name), std::move(record), std::move(stored)};
  }
  // Where the row of that name lies.
  static Key key(std::string_view name) { return {Space::kRecords, std::string(Kind::kPrefix) + std::string(name)}; }

  // nullopt: no such row. kCorrupt, beside the store's errors: it is not a record of this kind.
  static Task<Result<std::optional<Row>>> get(Store& store, std::string name, Deadline deadline) {
    const Key at = key(name);
    CO_TRY(auto stored, co_await store.get(kCloudPartition, at, deadline));
    if (!stored) co_return std::optional<Row>();
    CO_TRY(Row row, open({at.bytes, *std::move(stored)}));
    co_return std::optional<Row>(std::move(row));
  }

  // At most `limit` rows (no more than a scan's) whose names begin with `begin`, in order, behind the row `after`;
  // empty: from the first.
  static Task<Result<std::vector<Row>>> page(Store& store, std::string begin, std::string after, std::size_t limit,
                                             Deadline deadline) {
    const std::string prefix = key(begin).bytes;
    Scan scan;
    scan.partition = kCloudPartition;
    scan.begin = after.empty() ? prefix : key(after).bytes + '\0';
    scan.end = past_prefix(prefix);
    scan.limit = limit;
    scan.patience.deadline = deadline;
    CO_TRY(std::vector<Item> items, co_await store.scan(std::move(scan)));
    std::vector<Row> rows;
    for (Item& item : items) {
      CO_TRY(Row row, open(std::move(item)));
      rows.push_back(std::move(row));
    }
    co_return rows;
  }

  // All whose names begin with `begin`, by pages: not of one state.
  static Task<Result<std::vector<Row>>> all(Store& store, std::string begin, Deadline deadline) {
    std::vector<Row> rows;
    for (;;) {
      CO_TRY(std::vector<Row> next,
             co_await page(store, begin, rows.empty() ? std::string() : rows.back().name, kPageRows, deadline));
      const bool last = next.size() < kPageRows;
      std::move(next.begin(), next.end(), std::back_inserter(rows));
      if (last) co_return rows;
    }
  }

  // Parts of a commit in the cloud's partition, which fails with kConflict where a row is not as said.
  // A new row: there is none of that name.
  static void create(Commit& change, std::string_view name, const Record& record) {
    Key at = key(name);
    change.expect.push_back({at.bytes, std::nullopt});
    change.put.push_back({std::move(at), encode<Kind>(record)});
  }
  // Another record in the place of `row`, as it was read.
  static void replace(Commit& change, const Row& row, const Record& record) {
    expect(change, row.name, row.stored);
    change.put.push_back({key(row.name), encode<Kind>(record)});
  }
  // No row any more, if it is as it was read.
  static void remove(Commit& change, const Row& row) {
    expect(change, row.name, row.stored);
    change.erase.push_back(key(row.name));
  }
  // Whatever was there.
  static void put(Commit& change, std::string_view name, const Record& record) {
    change.put.push_back({key(name), encode<Kind>(record)});
  }
  // The row says exactly that; nullopt: there is none.
  static void expect(Commit& change, std::string_view name, std::optional<std::string> stored) {
    change.expect.push_back({key(name).bytes, std::move(stored)});
  }

 private:
  static Result<Row> open(Item item) {
    auto record = decode<Kind>(as_bytes(item.value));
    std::string name = item.key.substr(Kind::kPrefix.size());
    if (!record) return fail(record.error().in(std::string(Kind::kPrefix) + readable(name)));
    return Row{std::move(name), *std::move(record), std::move(item.value)};
  }
};

}  // namespace andromede::meta
