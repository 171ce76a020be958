// Roots: the life of roots in the embedded engine, each step a commit over the root's record.
//
// Threads: any.
#pragma once

#include <optional>
#include <vector>

#include "meta/rocksdb/committer.h"
#include "meta/rocksdb/reader.h"
#include "meta/rocksdb/root_record.h"
#include "meta/store.h"

namespace andromede::meta {

class Roots {
 public:
  // Both outlive it.
  Roots(Committer& committer, Reader& reader) : committer_(committer), reader_(reader) {}

  // See Store.
  Task<Status> create(RootId root, Deadline deadline);
  Task<Result<std::optional<RootState>>> state(RootId root, Deadline deadline);
  Task<Status> close(RootId root, ClosingMark mark, Deadline deadline);
  Task<Status> open(RootId root, Deadline deadline);
  Task<Result<CommitInfo>> end(RootId root, RootEnd end, Deadline deadline);
  Task<Result<std::vector<EndedRoot>>> ended(RootId from, std::size_t limit, Deadline deadline);
  Task<Status> forget(RootId root, Deadline deadline);
  Task<Result<Usage>> usage(RootId root, Deadline deadline);

  // What a commit that needs its root open expects.
  static Expectation is_open(RootId root);

 private:
  Task<Result<std::optional<std::string>>> read(RootId root, Deadline deadline);
  Task<Status> commit(Commit change, Deadline deadline);

  Committer& committer_;
  Reader& reader_;
};

}  // namespace andromede::meta
