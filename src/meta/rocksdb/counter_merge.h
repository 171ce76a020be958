// The merge operator of counters: adds signed 64-bit little-endian numbers. Thread-safe (no state).
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

}  // namespace andromede::meta
