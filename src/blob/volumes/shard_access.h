// Reads the shards of one blob: opens them, checks their heads, reads blocks and verifies each, and rebuilds what is
// bad or missing from the others. For readers and for maintenance.
//
// A drive may hang, and then keeps whoever asked it for ever. So it is asked on its own pool only, by a ShardJob that
// owns all that it uses; who waits for it goes on without that shard once the drive has gone, and leaves the job to it.
//
// Threads: one call at a time for one shard; different shards may be read at the same time.
#pragma once

#include <atomic>
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

// One shard as it is read. It owns what it uses but the drive, which lives as long as the store. One call at a time.
class ShardSource {
 public:
  ShardSource(const ShardedBlob& ref, unsigned index, DriveVolumes* drive, Access access)
      : access(access),
        drive(drive),
        blob_(ref.id),
        index_(index),
        place_(ref.shards[index]),
        layout_(ref.code, ref.size_bytes) {}

  // Wait::kYes: on this thread, which a drive that hangs keeps.
  Access check(Wait wait);
  // Blocks [first, first + count) into `into`; as ShardAccess::read().
  bool read(StripeSet::Shard& into, std::uint64_t first, unsigned count, Wait wait);

  Access access;
  DriveVolumes* const drive;
  std::optional<RecordHead> head;
  bool head_damaged = false;
  bool overloaded = false;  // the last check could not be made

 private:
  void verify(StripeSet::Shard& blocks, std::uint64_t first, unsigned count, ByteView checksums) const;

  const BlobId blob_;
  const unsigned index_;
  const ShardPlace place_;
  const RecordLayout layout_;
  std::shared_ptr<io::File> file_;
};

// What is asked of a shard's drive: to read blocks, or only to check it. Owned by who waits for it and by the drive's
// pool, which may keep it for ever.
class ShardJob {
 public:
  explicit ShardJob(std::shared_ptr<ShardSource> shard, unsigned index)
      : index(index), shard(std::move(shard)), asked_of_(this->shard->drive->opening()) {}

  // On the drive's pool; blocks.
  void run();
  // Whether nobody works on it any more: then it is the waiting one's again.
  [[nodiscard]] bool ended() const { return state_.load(std::memory_order_acquire) == State::kEnded; }
  // The pool did not take it.
  void refused() { state_.store(State::kEnded, std::memory_order_release); }
  // By who waits: the blocks are not wanted any more, and hold no memory once it has ended.
  void forget();
  // Its drive is not there any more as it was when it was asked.
  [[nodiscard]] bool lost() const { return asked_of_ == nullptr || shard->drive->opening() != asked_of_; }

  const unsigned index;
  const std::shared_ptr<ShardSource> shard;
  std::uint64_t first = 0;
  unsigned count = 0;  // 0: check only
  StripeSet::Shard blocks;

 private:
  enum class State : std::uint8_t { kUnderWay, kForgotten, kEnded };
  const std::shared_ptr<io::Disk> asked_of_;
  std::atomic<State> state_{State::kUnderWay};
};

class ShardAccess {
 public:
  // `ref` has been checked by valid_ref().
  ShardAccess(StoreCore& core, const ShardedBlob& ref);

  [[nodiscard]] const RecordLayout& layout() const { return layout_; }
  // Never reads this shard: it is being released.
  void forbid(unsigned shard) { shards_[shard]->access = Access::kGone; }
  // Never reads this shard, as if its drive were not there.
  void leave_out(unsigned shard) { shards_[shard]->access = Access::kOffline; }

  // Finds out whether shard `shard` can be read. A head that is damaged does not hide its blocks, which are bound to
  // their place by their own checksums. Wait::kYes, here and below: waits for the drive's pool, so not to be called on
  // one; kOffline where the drive goes away meanwhile.
  Access check(unsigned shard, Wait wait);
  [[nodiscard]] DriveVolumes* drive(unsigned shard) const { return shards_[shard]->drive; }
  [[nodiscard]] bool offline(unsigned shard) const { return shards_[shard]->access == Access::kOffline; }
  [[nodiscard]] bool head_damaged(unsigned shard) const { return shards_[shard]->head_damaged; }
  [[nodiscard]] const std::optional<RecordHead>& head(unsigned shard) const { return shards_[shard]->head; }

  // Prepares `set` for stripes [first, first + count).
  void begin(StripeSet& set, std::uint64_t first, unsigned count) const;
  // Reads a shard's blocks of `set` and verifies them. False, with Wait::kNo only: it would have to wait. The shard
  // counts as tried unless check() says kOverloaded.
  bool read(StripeSet& set, unsigned shard, Wait wait);
  // The same in two steps, for who does not block: the job is to be run on the drive's pool, and takes the shard's
  // place in `set` with it; null: only checks. Until it is settled nobody else uses that shard.
  [[nodiscard]] std::shared_ptr<ShardJob> make_job(StripeSet* set, unsigned shard);
  // What a job answered. One that has not ended is left to its drive, and its shard is kOffline from now on.
  void settle(StripeSet* set, ShardJob& job);
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
  void wait_for_job(StripeSet* set, unsigned shard);
  void rebuild(StripeSet& set, unsigned shard);
  [[nodiscard]] bool any_overloaded() const;

  StoreCore& core_;
  const ShardedBlob ref_;
  const RecordLayout layout_;
  const ErasureCode erasure_;
  std::vector<std::shared_ptr<ShardSource>> shards_;
};

// kInvalidArgument when a ref's fields cannot be.
Status valid_ref(const ShardedBlob& ref);

}  // namespace andromede::blob
