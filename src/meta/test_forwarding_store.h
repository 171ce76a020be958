// ForwardingStore: a store that asks another one, for tests that come between. For tests only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "meta/store.h"

namespace andromede::meta {

class ForwardingStore : public Store {
 public:
  // `store` outlives this.
  explicit ForwardingStore(Store& store) : store_(store) {}
  [[nodiscard]] const Limits& limits() const override { return store_.limits(); }
  Task<Result<CommitInfo>> commit(Commit change, Deadline deadline) override {
    return store_.commit(std::move(change), deadline);
  }
  [[nodiscard]] Status accepts_commits() const override { return store_.accepts_commits(); }
  Task<Result<std::optional<std::string>>> get(Partition partition, Key key, Deadline deadline) override {
    return store_.get(std::move(partition), std::move(key), deadline);
  }
  Task<Result<std::vector<std::optional<std::string>>>> get_many(Partition partition, std::vector<std::string> keys,
                                                                 Deadline deadline) override {
    return store_.get_many(std::move(partition), std::move(keys), deadline);
  }
  Task<Result<Followed>> get_following(Partition partition, Key key, const NamedKey& named,
                                       Deadline deadline) override {
    return store_.get_following(std::move(partition), std::move(key), named, deadline);
  }
  Task<Result<std::vector<Item>>> scan(Scan scan) override { return store_.scan(std::move(scan)); }
  std::unique_ptr<Cursor> cursor(CursorRange range) override { return store_.cursor(std::move(range)); }
  Task<Status> create_root(RootId root, Deadline deadline) override { return store_.create_root(root, deadline); }
  Task<Result<std::optional<RootState>>> root_state(RootId root, Deadline deadline) override {
    return store_.root_state(root, deadline);
  }
  Task<Status> close_root(RootId root, ClosingMark mark, Deadline deadline) override {
    return store_.close_root(root, mark, deadline);
  }
  Task<Status> open_root(RootId root, Deadline deadline) override { return store_.open_root(root, deadline); }
  Task<Result<CommitInfo>> end_root(RootId root, RootEnd end, Deadline deadline) override {
    return store_.end_root(root, std::move(end), deadline);
  }
  Task<Result<std::vector<EndedRoot>>> ended_roots(RootId from, std::size_t limit, Deadline deadline) override {
    return store_.ended_roots(from, limit, deadline);
  }
  Task<Status> forget_root(RootId root, Deadline deadline) override { return store_.forget_root(root, deadline); }
  Task<Result<Usage>> usage(RootId root, Deadline deadline) override { return store_.usage(root, deadline); }
  [[nodiscard]] std::uint64_t last_sequence() const override { return store_.last_sequence(); }

 private:
  Store& store_;
};

}  // namespace andromede::meta
