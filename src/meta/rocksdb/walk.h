// Walk: an iterator over a space that never works long at a time. RocksDB steps over deleted keys as if they were
// nothing, and where many were deleted one step takes as long as all of them; a Walk gives up its turn instead and goes
// on where it was when it is asked to.
//
// Not thread-safe. Keeps its mirror, whose drive it may touch.
#pragma once

#include <rocksdb/iterator.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "meta/rocksdb/mirror.h"
#include "meta/store.h"

namespace andromede::meta {

// How many keys that are not there any more a walk steps over before its turn ends: some hundred microseconds' worth.
inline constexpr std::uint64_t kMaxSkippedKeys = 2000;
// After so many of them the walk asks for what was deleted to be cleared away.
inline constexpr std::uint64_t kSkippedToClear = 5 * kMaxSkippedKeys;

class Walk {
 public:
  enum class At {
    kKey,
    kEnd,
    kTurn,  // gave up its turn: go_on() is next
  };

  // [begin, end) of `space` as it is now; an empty `end` is the space's end.
  // May touch the drive, as every move.
  Walk(std::shared_ptr<Mirror> mirror, Space space, std::string begin, std::string end);
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  // A turn of the walk, on one thread: every move is made within one. While it lives there is no other.
  class Turn {
   public:
    explicit Turn(Walk& walk);
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();
    // Whether so many keys that are not there any more were stepped over that others are to have their turn.
    [[nodiscard]] bool spent() const { return skipped() >= kMaxSkippedKeys; }

   private:
    [[nodiscard]] std::uint64_t skipped() const;

    Walk& walk_;
    const std::uint64_t before_;
    const std::uint64_t found_before_;
  };

  // To the range's first key.
  Result<At> start();
  // To the first key >= `key`.
  Result<At> seek(const std::string& key);
  Result<At> next();
  Result<At> go_on();

  // Valid until the next move, after one that answered kKey.
  [[nodiscard]] std::string_view key() const { return iterator_->key().ToStringView(); }
  [[nodiscard]] std::string_view value() const { return value_; }

 private:
  Result<At> look();

  const std::shared_ptr<Mirror> mirror_;
  const Space space_;
  const std::string begin_;
  const std::string end_;
  const rocksdb::Slice lower_bound_;
  const rocksdb::Slice upper_bound_;
  std::unique_ptr<rocksdb::Iterator> iterator_;  // sees one state, however often it is moved
  std::string_view value_;                       // opened, where it lies
  std::string resume_at_;
  std::uint64_t skipped_ = 0;
  std::uint64_t found_ = 0;  // keys that are there
};

}  // namespace andromede::meta
