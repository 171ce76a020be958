// meta::EveryRoot: what an engine that keeps all roots in one ordered space of keys, and copies of it on several
// drives, offers beside Store to the maintenance of drives: a key is found whatever its root and route, and each copy
// can be asked. An engine that keeps partitions apart has no such thing, and needs none: what lies on its drives is not
// ours to maintain. Threads and errors: as Store's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "meta/store.h"

namespace andromede::meta {

// What one copy of the metadata says of a key.
struct CopyAnswer {
  std::string copy;  // which, for people
  std::optional<std::string> value;
};

class EveryRoot {
 public:
  virtual ~EveryRoot() = default;
  // As Store's of the same names. The partition of a scan or commit means nothing: all that a commit touches has one.
  virtual Task<Result<std::optional<std::string>>> get_anywhere(Key key, Deadline deadline) = 0;
  virtual Task<Result<std::vector<Item>>> scan_anywhere(Scan scan) = 0;
  virtual Task<Result<CommitInfo>> commit_anywhere(Commit change, Deadline deadline) = 0;
  // What each copy of the metadata says of a key, one answer a copy: for what cannot be taken back, which must not
  // trust a single copy. kUnavailable when one cannot answer. Copies take a commit one after another, so answers may
  // differ for a moment.
  virtual Task<Result<std::vector<CopyAnswer>>> get_everywhere(Key key, Deadline deadline) = 0;
  // A scan of every copy: each item that any of them has, each different value of a key, in order. The limit is each
  // copy's; fewer items than that: the end is reached. kUnavailable when a copy cannot answer.
  virtual Task<Result<std::vector<Item>>> scan_everywhere(Scan scan) = 0;
  [[nodiscard]] virtual std::size_t max_scan_items() const = 0;
};

}  // namespace andromede::meta
