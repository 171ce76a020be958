// RocksCursor: a walk over Space::kRecords in one state of one mirror. The pool of its mirror fetches ahead in batches,
// that grow while the walk goes straight on; moving inside a batch is free (docs/adr/0040-iterators-off-the-loop.md).
//
// Not thread-safe; while a call is suspended the pool works on it and nobody else may. It keeps its mirror open.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "meta/rocksdb/mirror_pools.h"
#include "meta/rocksdb/mirror_set.h"
#include "meta/rocksdb/walk.h"
#include "meta/store.h"

namespace andromede::meta {

class RocksCursor final : public Cursor {
 public:
  // `mirrors` and `pools` outlive the cursor. An empty `end` is the space's end.
  RocksCursor(MirrorSet& mirrors, MirrorPools& pools, std::string begin, std::string end, Patience patience);
  RocksCursor(const RocksCursor&) = delete;
  RocksCursor& operator=(const RocksCursor&) = delete;

  Task<Result<bool>> seek(std::string key) override;
  Task<Result<bool>> next() override;
  std::optional<Result<bool>> try_next() override;
  [[nodiscard]] std::string_view key() const override { return key_; }
  [[nodiscard]] std::string_view value() const override { return value_; }

 private:
  struct Entry {
    std::size_t offset = 0;  // in bytes_: the key, then the value
    std::size_t key_bytes = 0;
    std::size_t value_bytes = 0;
  };

  [[nodiscard]] std::string_view key_of(const Entry& entry) const {
    return std::string_view(bytes_).substr(entry.offset, entry.key_bytes);
  }
  // Moves to an entry of the batch; false at its end.
  bool take();
  // Finds `key` among the entries ahead. True: next_ is where it would be, and it is inside the batch.
  bool jump_inside(std::string_view key);
  // Fills the batch from `key` on, or from where the walk stands (null).
  Task<Status> fetch(const std::string* key);
  // On a pool: a turn of that. True: the batch is filled, or the walk at its end.
  Result<bool> turn(const std::string* key);
  Result<bool> fill(const std::string* key);

  MirrorSet& mirrors_;
  MirrorPools& pools_;
  const std::string begin_;
  const std::string end_;
  const Patience patience_;

  std::shared_ptr<Mirror> mirror_;  // from the first seek on
  std::optional<Walk> walk_;
  Walk::At at_ = Walk::At::kEnd;
  bool gave_way_ = false;  // the last turn ended because of what it stepped over
  std::string bytes_;
  std::vector<Entry> batch_;
  std::size_t next_ = 0;
  std::size_t batch_items_ = 0;  // how many to fetch next
  bool batch_is_last_ = true;    // the walk ends with the batch
  std::string_view key_;
  std::string_view value_;
};

}  // namespace andromede::meta
