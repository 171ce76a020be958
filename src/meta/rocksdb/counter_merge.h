// The merge operator of counters: adds signed 64-bit little-endian numbers; and the one of families that have none.
// Thread-safe (no state).
#pragma once

#include <rocksdb/merge_operator.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace andromede::meta {

std::string encode_counter(std::int64_t value);
// A value of another length counts as 0: a merge that failed would stop flushes, and with them every commit.
std::int64_t decode_counter(std::string_view value);

std::shared_ptr<rocksdb::MergeOperator> make_counter_merge();
// Merges nothing: kCorrupt. Where nobody merges, only a drive can have made such an entry, and RocksDB ends the process
// at one for which it has no operator.
std::shared_ptr<rocksdb::MergeOperator> make_no_merge();

}  // namespace andromede::meta
