// blob::Store: immutable ciphertext blobs, spread over drives. The seam behind which volumes on local drives and Ceph
// RADOS pools stand. It knows nothing of keys, buckets or objects.
//
// Life of a blob: open_writer → write … → finish (every shard synced) → the caller commits the BlobRef's encoding to
// the metadata under the blob's key → read … → the caller commits the erasure of that record → remove. A blob that no
// record names (the process died in between) is an orphan, found and reclaimed by the engine after a grace period.
//
// Threads: called from event loops; drive I/O runs on the engine's pools; completion resumes the caller on its loop.
// Errors: kNoSpace, kUnavailable (too few drives online), kCorrupt (more shards bad than parity can repair), kIo,
// kNotFound (the record does not lie where the ref says: it moved; read the record again), kTimeout, kCancelled,
// kOverloaded (a queue is full, or too many files are open: try again later).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"

namespace andromede::blob {

inline constexpr std::uint64_t kMaxBlobBytes = 6ULL << 30;
inline constexpr unsigned kMaxShards = 32;

// k data and m parity shards; {1, 0} is one whole copy, {1, m} is m+1 copies.
struct Code {
  std::uint8_t data = 1;
  std::uint8_t parity = 0;
  [[nodiscard]] unsigned total() const { return unsigned{data} + parity; }
  friend bool operator==(const Code&, const Code&) = default;
};

// Where one shard lies.
struct ShardPlace {
  DriveId drive;
  std::uint32_t volume = 0;
  std::uint64_t offset = 0;  // of the record's header in the volume
  friend bool operator==(const ShardPlace&, const ShardPlace&) = default;
};

// Shards of a blob: bit i for shard i.
using ShardSet = std::uint32_t;
static_assert(kMaxShards <= 32);

// What the metadata records of a blob; encode/decode follow docs/formats/blob-ref.md.
struct BlobRef {
  BlobId id;
  std::uint64_t size_bytes = 0;  // of ciphertext
  PolicyId policy{};             // by which the shards are placed, for as long as the blob lives
  Code code;
  std::vector<ShardPlace> shards;  // index i is shard i; a none drive: that shard is lost and waits for heal
  friend bool operator==(const BlobRef&, const BlobRef&) = default;
};

std::string encode(const BlobRef& ref);
Result<BlobRef> decode_blob_ref(ByteView bytes);

// Chooses other drives for shards that a Writer lost under way, or found no room for, by the placement that chose the
// first.
class Replacer {
 public:
  virtual ~Replacer() = default;
  // By `policy`. `kept` has an entry per shard: where it is, or nullopt for one that is lost. Answers a drive per
  // shard, those of `kept` unchanged, and none of `without`, which have refused or failed; none ids where no drive is
  // left. `shard_bytes`: a record's size. May block; from any thread. Errors: kUnavailable (too few drives online),
  // kNoSpace.
  virtual Result<std::vector<DriveId>> replace(const PolicyId& policy, const std::vector<std::optional<DriveId>>& kept,
                                               const std::vector<DriveId>& without, std::uint64_t shard_bytes) = 0;
};

// The drives for one blob's shards, in shard order, chosen by the placement (sovereignty/placement.h).
struct Target {
  Code code;
  std::vector<DriveId> drives;
  PolicyId policy{};
  // Asked when a drive has no room at the beginning, and when so many fail under way that what is left would not
  // survive the next loss. Borrowed, outlives the Writer; null: such a write fails.
  Replacer* replacer = nullptr;
};

// Streams one blob in. One call at a time. Destroyed before finish() succeeded, it gives its space back.
class Writer {
 public:
  virtual ~Writer() = default;
  // Takes all of `data` (copied or encoded before it answers). Back-pressure: suspends while the drives are behind.
  virtual Task<Status> write(ByteView data) = 0;
  // Durable when this answers: every shard, or at least one more than data shards where drives failed under way; lost
  // ones are rebuilt on other drives first where fewer would be left. Fewer bytes than were announced are fine; more
  // are kInvalidArgument.
  virtual Task<Result<BlobRef>> finish() = 0;
};

// Streams a range of one blob out. One call at a time. While it lives, the blob's bytes stay, even when removed.
class Reader {
 public:
  virtual ~Reader() = default;
  // The next bytes of the range, verified by block checksum, rebuilt from other shards where needed (and repaired in
  // the background); empty at the range's end. The view is valid until the next call.
  virtual Task<Result<ByteView>> read() = 0;
  // How much read() gives and holds at once from now on, about; below a few blocks it reads nothing ahead.
  virtual void read_at_most(std::uint64_t bytes) = 0;
  // Gives all memory back. The next read() begins at `offset` of the blob, which lies in the range or at its end, and
  // at most at the end of what was read.
  virtual void rest_at(std::uint64_t offset) = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // `size_bytes` is exact or an upper bound: refused with kNoSpace where a target drive could not hold it now. Of large
  // blobs space is reserved as bytes arrive, in steps.
  virtual Task<Result<std::unique_ptr<Writer>>> open_writer(BlobId id, Target target, std::uint64_t size_bytes,
                                                            Deadline deadline) = 0;
  // offset + length <= ref.size_bytes. Shards of `without` are not read, as if they were lost.
  virtual Task<Result<std::unique_ptr<Reader>>> open_reader(BlobRef ref, std::uint64_t offset, std::uint64_t length,
                                                            Deadline deadline, ShardSet without) = 0;
  Task<Result<std::unique_ptr<Reader>>> open_reader(BlobRef ref, std::uint64_t offset, std::uint64_t length,
                                                    Deadline deadline) {
    return open_reader(std::move(ref), offset, length, deadline, 0);
  }
  // These shards hold what was not written, with right checksums: whoever has the keys found it. They are not read any
  // more, and are repaired like damaged ones; their drives are named.
  virtual void distrust(const BlobRef& ref, ShardSet shards) = 0;
  // Gives the space back once no Reader needs it. The metadata no longer names the blob. Never fails for the caller: a
  // drive that cannot be reached keeps an orphan, which is reclaimed later.
  virtual void remove(BlobRef ref) = 0;
};

}  // namespace andromede::blob
