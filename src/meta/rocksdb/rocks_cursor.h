// RocksCursor: a walk over Space::kRecords at one snapshot of one mirror. Runs on an iterator that only sees memory;
// when that one meets a block that is not cached, the walk goes on in batches that the reader pool fetches, until the
// next jump.
//
// Not thread-safe; while a call is suspended the pool works on it and nobody else may.
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
  // Opens the snapshot on the first use.
  Status open();
  void close();
  [[nodiscard]] std::unique_ptr<rocksdb::Iterator> make_iterator(Tier tier) const;
  // Takes the memory iterator's place over: true or false as Cursor answers; nullopt: not in memory.
  std::optional<Result<bool>> take_memory();
  std::optional<Result<bool>> take_batch();
  // On the pool: fetches items from `from` on (behind it, when `exclusive`).
  Status fetch(const std::string& from, bool exclusive);
  Task<Result<bool>> fetch_and_take(std::string from, bool exclusive);
  Result<bool> failed(const Error& error);

  MirrorSet& mirrors_;
  ThreadPool& pool_;
  const std::string begin_;
  const std::string end_;
  rocksdb::Slice upper_bound_;

  std::shared_ptr<Mirror> mirror_;
  const rocksdb::Snapshot* snapshot_ = nullptr;
  std::unique_ptr<rocksdb::Iterator> memory_;  // what an event loop may move
  std::unique_ptr<rocksdb::Iterator> drive_;   // only touched on the pool
  bool in_memory_ = true;
  bool batch_is_last_ = false;  // the walk ends with the batch
  bool valid_ = false;
  std::vector<Item> batch_;
  std::size_t batch_next_ = 0;
  std::string key_;
  std::string_view value_;  // into memory_'s or batch_'s item
};

}  // namespace andromede::meta
