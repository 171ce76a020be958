// blob::Store: immutable ciphertext blobs. The seam behind which volumes on local drives and Ceph RADOS pools stand. It
// knows nothing of keys, buckets or objects; where a blob lies is its engine's business: a placement class goes in, a
// locator comes out.
//
// Life of a blob: open_writer → write … → finish (durable) → the caller commits the BlobRef's encoding to the metadata
// under the blob's key → read … → the caller commits the erasure of that record → remove. A blob that no record names
// (the process died in between) is an orphan, found and reclaimed by the engine after a grace period.
//
// Threads: called from event loops; I/O runs on the engine's pools; completion resumes the caller on its loop.
// Errors: kNoSpace, kUnavailable (too little is online), kCorrupt (more is bad than redundancy can repair, or the
// locator is none of the engine's), kIo, kNotFound (the blob does not lie where the ref says: it moved; read the record
// again), kTimeout, kCancelled, kOverloaded (a queue is full, or too many files are open: try again later).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"

namespace andromede::blob {

inline constexpr std::uint64_t kMaxBlobBytes = 6ULL << 30;
// Enough for 32 shards on drives, each with its drive, volume and page.
inline constexpr std::size_t kMaxLocatorBytes = 1024;

// What the metadata records of a blob; encode/decode follow docs/formats/blob-ref.md.
struct BlobRef {
  BlobId id;
  std::uint64_t size_bytes = 0;  // of ciphertext
  PolicyId policy{};             // the placement class: where it may lie, for as long as it lives
  Bytes locator;                 // where it lies: the engine's bytes, which nobody else reads
  friend bool operator==(const BlobRef&, const BlobRef&) = default;
};

std::string encode(const BlobRef& ref);
// Errors: kUnsupported (another version), kCorrupt. What the locator says is not looked at.
Result<BlobRef> decode_blob_ref(ByteView bytes);

// Parts of a blob's redundancy that a read can do without, as its engine numbers them.
struct Suspects {
  std::uint64_t parts = 0;  // a bit each
  [[nodiscard]] bool none() const { return parts == 0; }
  friend bool operator==(const Suspects&, const Suspects&) = default;
};

// Streams one blob in. One call at a time. Destroyed before finish() succeeded, it gives its space back.
class Writer {
 public:
  virtual ~Writer() = default;
  // Takes all of `data` (copied or encoded before it answers). Back-pressure: suspends while the drives are behind.
  virtual Task<Status> write(ByteView data) = 0;
  // Durable when this answers, and at least one more loss is survived where something failed under way. Fewer bytes
  // than were announced are fine; more are kInvalidArgument.
  virtual Task<Result<BlobRef>> finish() = 0;
};

// Streams a range of one blob out. One call at a time. While it lives, the blob's bytes stay, even when removed.
class Reader {
 public:
  virtual ~Reader() = default;
  // The next bytes of the range, verified by checksum, rebuilt where needed (and repaired in the background); empty at
  // the range's end. The view is valid until the next call.
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
  // Places the blob by `policy`, the placement class. `size_bytes` is exact or an upper bound: refused with kNoSpace
  // where there is no room for it now. Of large blobs space is reserved as bytes arrive, in steps.
  virtual Task<Result<std::unique_ptr<Writer>>> open_writer(BlobId id, PolicyId policy, std::uint64_t size_bytes,
                                                            Deadline deadline) = 0;
  // offset + length <= ref.size_bytes. `without` is not read, as if it were lost.
  virtual Task<Result<std::unique_ptr<Reader>>> open_reader(BlobRef ref, std::uint64_t offset, std::uint64_t length,
                                                            Deadline deadline, Suspects without) = 0;
  Task<Result<std::unique_ptr<Reader>>> open_reader(BlobRef ref, std::uint64_t offset, std::uint64_t length,
                                                    Deadline deadline) {
    return open_reader(std::move(ref), offset, length, deadline, {});
  }
  // What a read of the blob can do without, fewest parts first: `known` alone, then more with it, as far as the rest
  // can be read; `most` sets at most. For who has the keys, and looks for parts that hold what was not written.
  [[nodiscard]] virtual std::vector<Suspects> suspects(const BlobRef& ref, Suspects known, std::size_t most) const = 0;
  // These hold what was not written, with right checksums: whoever has the keys found it. They are not read any more,
  // and are repaired like damaged ones; where they lie is named.
  virtual void distrust(const BlobRef& ref, Suspects liars) = 0;
  // Gives the space back once no Reader needs it. The metadata no longer names the blob. Never fails for the caller:
  // what cannot be reached stays as an orphan, which is reclaimed later.
  virtual void remove(BlobRef ref) = 0;
};

}  // namespace andromede::blob
