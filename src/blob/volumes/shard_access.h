// Reads the shards of one blob: opens them, checks their heads, reads blocks and verifies each, and rebuilds what is
// bad or missing from the others. For readers and for maintenance.
//
// Threads: one call at a time for one shard; different shards may be read at the same time.
#pragma once

#include <memory>
#include <vector>

#include "blob/volumes/erasure.h"
#include "blob/volumes/record.h"
#include "blob/volumes/store_core.h"

namespace andromede::blob {

enum class Access : std::uint8_t {
  kUnchecked,
  kReady,
  kGone,        // the drive is there, the record is not
  kUnreadable,  // the drive is there, the file cannot be opened, or what is in it is distrusted
  kOffline,     // the drive is not there, or the shard is lost
  kBlocks,      // checking would have to wait for the drive; ask again where blocking is allowed
  kOverloaded,  // this process has too many files open, which says nothing about the shard; ask again later
};

enum class Wait : bool { kNo, kYes };

// The blocks of stripes [first, first + count), all in one group, of some shards.
struct StripeSet {
  std::uint64_t first = 0;
  unsigned count = 0;
  struct Shard {
    Buffer blocks;           // count blocks one behind the other; empty: not read
    std::uint32_t good = 0;  // bit i: block first + i is there and right
    bool tried = false;
  };
  std::vector<Shard> shards;

  [[nodiscard]] std::uint32_t all() const { return count == 32 ? ~0U : (1U << count) - 1; }
  // Where block first + i lies in a shard's buffer: all blocks but a blob's last are whole.
  [[nodiscard]] static std::size_t at(unsigned i) { return i * kBlockBytes; }
};

class ShardAccess {
 public:
  // `ref` has been checked by valid_ref().
  ShardAccess(StoreCore& core, const BlobRef& ref);

  [[nodiscard]] const Layout& layout() const { return layout_; }
  // Never reads this shard: it is being released.
  void forbid(unsigned shard) { shards_[shard].access = Access::kGone; }
  // Never reads this shard, as if its drive were not there.
  void leave_out(unsigned shard) { shards_[shard].access = Access::kOffline; }

  // Finds out whether shard `shard` can be read. A head that is damaged does not hide its blocks, which are bound to
  // their place by their own checksums.
  Access check(unsigned shard, Wait wait);
  [[nodiscard]] DriveVolumes* drive(unsigned shard) const { return shards_[shard].drive; }
  [[nodiscard]] bool head_damaged(unsigned shard) const { return shards_[shard].head_damaged; }
  [[nodiscard]] const std::optional<RecordHead>& head(unsigned shard) const { return shards_[shard].head; }

  // Prepares `set` for stripes [first, first + count).
  void begin(StripeSet& set, std::uint64_t first, unsigned count) const;
  // Reads a shard's blocks of `set` and verifies them. False, with Wait::kNo only: it would have to wait. The shard
  // counts as tried unless check() says kOverloaded.
  bool read(StripeSet& set, unsigned shard, Wait wait);
  // Of the blocks of a shard that `set` holds, as they stand behind them in its record.
  [[nodiscard]] Bytes checksums(const StripeSet& set, unsigned shard) const;
  // Makes all blocks of the shards `want` good, reading others and rebuilding where needed. Blocks. kCorrupt,
  // kUnavailable, kNotFound, kOverloaded as Store says. Damage is noted in the core.
  Status load(StripeSet& set, const std::vector<unsigned>& want);

  // What the shards that were checked amount to when too few can be read.
  [[nodiscard]] Error too_few() const;
  // Checks further shards until k are ready; blocks. The error is too_few()'s.
  Status check_enough();

 private:
  struct Shard {
    Access access = Access::kUnchecked;
    DriveVolumes* drive = nullptr;
    std::shared_ptr<io::File> file;
    std::optional<RecordHead> head;
    bool head_damaged = false;
    bool overloaded = false;  // the last check could not be made
  };
  [[nodiscard]] std::size_t bytes_of(const StripeSet& set) const;
  void verify(StripeSet& set, unsigned shard, ByteView checksums) const;
  void rebuild(StripeSet& set, unsigned shard);
  [[nodiscard]] bool any_overloaded() const;

  StoreCore& core_;
  const BlobRef ref_;
  const Layout layout_;
  const ErasureCode erasure_;
  std::vector<Shard> shards_;
};

// kInvalidArgument when a ref's fields cannot be.
Status valid_ref(const BlobRef& ref);

}  // namespace andromede::blob
