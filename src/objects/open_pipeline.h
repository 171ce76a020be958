// The way out: the bytes of a range of an object, piece after piece, decrypted segment by segment. Readers are opened
// as the range reaches their piece; only segments that the range touches are read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/stream.h"
#include "base/task.h"
#include "blob/store.h"
#include "crypto/segments.h"
#include "keys/key_service.h"
#include "meta/store.h"
#include "objects/live_blobs.h"
#include "objects/records.h"
#include "objects/transfers.h"

namespace andromede::objects {

// What the pipeline needs of its surroundings: all borrowed.
struct OpenContext {
  meta::Store& meta;
  blob::Store& blobs;
  keys::KeyService& keys;
  LiveBlobs& live;
  Transfers& transfers;
  const Clock& clock;
  Counter bytes_read;
  std::chrono::milliseconds deadline{0};
};

// How often a blob that moved while it was read, or of which a shard was forged, is looked up again.
inline constexpr unsigned kMaxRelocations = 16;

// Reads `length` bytes from `offset` of the concatenated pieces. One call at a time.
class PieceReader {
 public:
  // `payload` is the ciphertext of the inlined piece within the range, if there is one: an inlined piece is at most the
  // last of an object's, so there is at most one.
  // `use` says for whom; each piece says by which key.
  PieceReader(const OpenContext& context, keys::KeyUse use, meta::Partition partition, std::vector<Piece> pieces,
              std::uint64_t offset, std::uint64_t length, std::string payload);

  // The next bytes; empty at the end. Valid until the next call. kCorrupt: what is stored is not what was written.
  Task<Result<ByteView>> read();
  // Opens the reader of the range's first byte now, so that what the first read would find missing is found here.
  // kNotFound: no record names that blob any more.
  Task<Status> open_first();
  // The last `count` bytes of what read() gave last are to be given again. Until then no more than a segment is held.
  void unread(std::size_t count);

 private:
  // Makes opener_, unless it is there.
  Task<Status> open_key(const Piece& piece);
  Task<Status> open_blob(const Piece& piece);
  // Finds who gave the forged segment, and sees to it that the next reader does without.
  Task<Status> distrust_liars(std::uint32_t segment);
  Task<Result<ByteView>> read_inlined(const Piece& piece);
  Task<Result<ByteView>> read_blob(const Piece& piece);
  // The view of plaintext that read() answers.
  ByteView give(ByteView view);
  void advance(std::size_t count);
  [[nodiscard]] std::uint64_t piece_left() const;

  const OpenContext& context_;
  keys::KeyUse use_;
  const meta::Partition partition_;
  const std::vector<Piece> pieces_;
  std::string payload_;
  std::size_t index_ = 0;                     // the piece that is read
  std::uint64_t position_ = 0;                // in that piece
  std::uint64_t left_ = 0;                    // bytes of the range from there on
  std::size_t given_ = 0;                     // of those, by the last read()
  std::optional<Transfers::Entry> transfer_;  // from the first blob on: an inlined payload is no matter
  std::unique_ptr<crypto::SegmentOpener> opener_;
  std::unique_ptr<blob::Reader> reader_;
  blob::BlobRef ref_;                            // that reader_ reads
  std::uint32_t next_segment_ = 0;               // that reader_ gives
  std::optional<std::uint32_t> forged_segment_;  // reader_ gave it, and it is not what was written
  ByteView unread_;                              // of reader_'s last view
  Buffer straddling_;                            // a sealed segment that arrives in several views
  Buffer plain_;
  ByteView again_;                               // of plain_: to be given again
  std::optional<std::uint32_t> opened_segment_;  // of payload_, which is opened in place
};

// An object's bytes as a body, for copies. `progress` (may be null) is told before each batch.
class ObjectBody final : public BodySource {
 public:
  ObjectBody(OpenObject& object, Progress* progress) : object_(object), progress_(progress) {}
  Task<Result<ByteView>> read() override {
    if (progress_ != nullptr) CO_CHECK_OK(co_await progress_->goes_on());
    co_return co_await object_.read();
  }
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override { return object_.length(); }

 private:
  OpenObject& object_;
  Progress* const progress_;
};

}  // namespace andromede::objects
