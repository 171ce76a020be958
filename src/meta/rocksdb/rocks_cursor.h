// RocksCursor: a walk over Space::kRecords at one snapshot of one mirror. The reader pool fetches ahead in batches,
// that grow while the walk goes straight on; moving inside a batch is free (docs/adr/0040-iterators-off-the-loop.md).
//
// Not thread-safe; while a call is suspended the pool works on it and nobody else may. It keeps its mirror open.
#pragma once

#include <rocksdb/iterator.h>
#include <rocksdb/snapshot.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/pool.h"
#include "meta/rocksdb/mirror_set.h"
#include "meta/store.h"

namespace andromede::meta {

class RocksCursor final : public Cursor {
 public:
  // `mirrors` and `pool` outlive the cursor. An empty `end` is the space's end.
  RocksCursor(MirrorSet& mirrors, ThreadPool& pool, std::string begin, std::string end);
  RocksCursor(const RocksCursor&) = delete;
  RocksCursor& operator=(const RocksCursor&) = delete;
  ~RocksCursor() override;

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
  // On the pool: fills the batch from `key` on, or where the iterator stands (null).
  Status fetch(const std::string* key);
  Status open();

  MirrorSet& mirrors_;
  ThreadPool& pool_;
  const std::string begin_;
  const std::string end_;
  const rocksdb::Slice upper_bound_;

  std::shared_ptr<Mirror> mirror_;  // null until the first seek
  const rocksdb::Snapshot* snapshot_ = nullptr;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  std::string bytes_;
  std::vector<Entry> batch_;
  std::size_t next_ = 0;
  std::size_t batch_items_ = 0;  // how many to fetch next
  bool batch_is_last_ = true;    // the walk ends with the batch
  std::string_view key_;
  std::string_view value_;
};

}  // namespace andromede::meta
