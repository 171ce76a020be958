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
  Task<Result<CommitInfo>> commit(Commit change, Deadline deadline) override {
    return store_.commit(std::move(change), deadline);
  }
  [[nodiscard]] Status accepts_commits() const override { return store_.accepts_commits(); }
  Task<Result<std::optional<std::string>>> get(Partition partition, Key key) override {
    return store_.get(std::move(partition), std::move(key));
  }
  Task<Result<std::vector<std::optional<std::string>>>> get_many(Partition partition,
                                                                 std::vector<std::string> keys) override {
    return store_.get_many(std::move(partition), std::move(keys));
  }
  Task<Result<Followed>> get_following(Partition partition, Key key, const NamedKey& named) override {
    return store_.get_following(std::move(partition), std::move(key), named);
  }
  Task<Result<std::vector<Item>>> scan(Scan scan) override { return store_.scan(std::move(scan)); }
  Task<Result<std::vector<CopyAnswer>>> get_everywhere(Partition partition, Key key) override {
    return store_.get_everywhere(std::move(partition), std::move(key));
  }
  Task<Result<std::vector<Item>>> scan_everywhere(Scan scan) override {
    return store_.scan_everywhere(std::move(scan));
  }
  std::unique_ptr<Cursor> cursor(Partition partition, std::string begin, std::string end, Patience patience) override {
    return store_.cursor(std::move(partition), std::move(begin), std::move(end), std::move(patience));
  }
  [[nodiscard]] std::uint64_t last_sequence() const override { return store_.last_sequence(); }

 private:
  Store& store_;
};

}  // namespace andromede::meta
