// RocksCursor: a walk over Space::kRecords in one state of one mirror. The pool of its mirror fetches ahead in batches,
// that grow while the walk goes straight on; moving inside a batch is free (docs/adr/0040-iterators-off-the-loop.md).
// A mirror that fails is given up for the next one, on which the walk goes on behind what it showed, in the state of
// then.
//
// Not thread-safe; while a call is suspended nobody else may use it. It keeps its mirror open.
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
    std::size_t offset = 0;  // in Batches::bytes: the key, then the value
    std::size_t key_bytes = 0;
    std::size_t value_bytes = 0;
  };
  // The walk and its latest batch. Shared with the turn of it that is under way, whose alone it is then, and remains
  // when the cursor leaves it behind.
  struct Batches {
    Batches(std::shared_ptr<Mirror> the_mirror, const std::string& begin, const std::string& end)
        : mirror(std::move(the_mirror)), walk_begin(begin), walk_end(end) {}
    // A turn: true: the batch is filled, or the walk at its end.
    Result<bool> fill(Reading& reading);

    const std::shared_ptr<Mirror> mirror;  // null: there is nothing, and no walk
    const std::string walk_begin;
    const std::string walk_end;
    std::optional<std::string> from;  // where the batch begins; nullopt: where the walk stands
    std::size_t most_items = 0;
    bool moved = false;  // the walk, to `from`
    std::optional<Walk> walk;
    Walk::At at = Walk::At::kEnd;
    bool gave_way = false;  // the last turn ended because of what it stepped over
    std::string bytes;
    std::vector<Entry> batch;
    bool is_last = false;  // the walk ends with the batch
  };

  [[nodiscard]] std::string_view key_of(const Entry& entry) const {
    return std::string_view(batches_->bytes).substr(entry.offset, entry.key_bytes);
  }
  // Moves to an entry of the batch; false at its end.
  bool take();
  // Finds `key` among the entries ahead. True: next_ is where it would be, and it is inside the batch.
  bool jump_inside(std::string_view key);
  // Fills the batch from `key` on, or from where the walk stands.
  Task<Status> fetch(std::optional<std::string> key);

  MirrorSet& mirrors_;
  MirrorPools& pools_;
  const std::string begin_;
  const std::string end_;
  const Patience patience_;

  std::shared_ptr<Batches> batches_;  // never null
  std::string resume_;                // where the latest batch begins: behind what was shown, or where a seek went
  std::size_t next_ = 0;
  std::size_t batch_items_ = 0;  // how many to fetch next
  std::string_view key_;
  std::string_view value_;
};

}  // namespace andromede::meta
