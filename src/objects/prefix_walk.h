// A walk over records in key order that can jump over all keys of a common prefix: what listings of objects and of
// uploads share. Not thread-safe; lives as long as a page of a listing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/task.h"
#include "meta/store.h"
#include "objects/layout.h"

namespace andromede::objects {

class PrefixWalk {
 public:
  // `base` is the part of the records' keys in front of the name that is listed; the cursor ranges over base + prefix.
  // Names that hold `delimiter` (empty: none) behind the prefix share a common prefix.
  PrefixWalk(std::unique_ptr<meta::Cursor> cursor, std::string base, std::string prefix, std::string delimiter)
      : cursor_(std::move(cursor)),
        base_(std::move(base)),
        prefix_(std::move(prefix)),
        delimiter_(std::move(delimiter)) {}

  // Each answers whether the walk stands on a record.
  // The first whose name, or common prefix, is greater than `after`; empty: the first of all.
  Task<Result<bool>> start_behind(std::string after) {
    if (after.empty()) return start_at({});
    // With the base in front there is always something past the prefix, be it of 0xFF bytes alone.
    if (const auto prefix = common_prefix_of(after)) return skip(*prefix);
    after.push_back('\0');
    return start_at(std::move(after));
  }
  // The first whose name is at least `name`.
  Task<Result<bool>> start_at(std::string name) { return cursor_->seek(base_ + std::max(name, prefix_)); }
  Task<Result<bool>> next() { return cursor_->next(); }
  std::optional<Result<bool>> try_next() { return cursor_->try_next(); }
  // To the first record behind all whose names begin with `prefix`.
  Task<Result<bool>> skip(std::string_view prefix) {
    return cursor_->seek(meta::past_prefix(base_ + std::string(prefix)));
  }

  [[nodiscard]] std::string_view key() const { return cursor_->key().substr(base_.size()); }
  [[nodiscard]] std::string_view value() const { return cursor_->value(); }
  // `name` up to and with the delimiter, where it holds one behind the prefix.
  [[nodiscard]] std::optional<std::string_view> common_prefix_of(std::string_view name) const {
    if (delimiter_.empty() || !name.starts_with(prefix_)) return std::nullopt;
    const std::size_t at = name.find(delimiter_, prefix_.size());
    if (at == std::string_view::npos) return std::nullopt;
    return name.substr(0, at + delimiter_.size());
  }

 private:
  std::unique_ptr<meta::Cursor> cursor_;
  const std::string base_;
  const std::string prefix_;
  const std::string delimiter_;
};

}  // namespace andromede::objects
