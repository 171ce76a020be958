// UnsupportedStore: a store that answers nothing, for tests that need a few of its calls and write those. For tests
// only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "meta/store.h"

namespace andromede::meta {

class UnsupportedStore : public Store {
 public:
  [[nodiscard]] const Limits& limits() const override { return kLeastLimits; }
  Task<Result<CommitInfo>> commit(Commit, Deadline) override { co_return refused(); }
  Task<Result<std::optional<std::string>>> get(Partition, Key, Deadline) override { co_return refused(); }
  Task<Result<std::vector<std::optional<std::string>>>> get_many(Partition, std::vector<std::string>,
                                                                 Deadline) override {
    co_return refused();
  }
  Task<Result<std::vector<Item>>> scan(Scan) override { co_return refused(); }
  std::unique_ptr<Cursor> cursor(CursorRange) override { return nullptr; }
  Task<Status> create_root(RootId, Deadline) override { co_return refused(); }
  Task<Result<std::optional<RootState>>> root_state(RootId, Deadline) override { co_return refused(); }
  Task<Status> close_root(RootId, ClosingMark, Deadline) override { co_return refused(); }
  Task<Status> open_root(RootId, Deadline) override { co_return refused(); }
  Task<Result<CommitInfo>> end_root(RootId, RootEnd, Deadline) override { co_return refused(); }
  Task<Result<std::vector<EndedRoot>>> ended_roots(RootId, std::size_t, Deadline) override { co_return refused(); }
  Task<Status> forget_root(RootId, Deadline) override { co_return refused(); }
  Task<Result<Usage>> usage(RootId, Deadline) override { co_return refused(); }
  [[nodiscard]] std::uint64_t last_sequence() const override { return 0; }

 private:
  static tl::unexpected<Error> refused() { return fail(Errc::kUnsupported, "a test"); }
};

}  // namespace andromede::meta
