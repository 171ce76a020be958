// How much memory bodies on their way in or out take: each a lot where there are few of them, less where there are
// many, and one segment at a time where what all may take together is lent or the peer lets us wait.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "crypto/segments.h"

namespace andromede::objects {

// Plaintext that is worked on at once: what a few transfers take each, and what each takes where there are many.
inline constexpr std::size_t kSegmentsPerBatch = 16;
inline constexpr std::size_t kBatchBytes = kSegmentsPerBatch * crypto::kSegmentBytes;
inline constexpr std::size_t kSmallBatchBytes = kBatchBytes / 4;
inline constexpr unsigned kManyTransfers = 16;
// What the buffers of a transfer come to, about: the batch, sealed and plain, and what a drive reads or writes of it.
inline constexpr std::size_t kBuffersPerTransfer = 4;
// What all transfers of the process take together beyond a segment each.
inline constexpr std::size_t kBodyMemoryBytes = 256U << 20;

// Thread-safe.
class Transfers {
 public:
  explicit Transfers(std::size_t memory_bytes = kBodyMemoryBytes) : memory_bytes_(memory_bytes) {}

  // One transfer, while it lives. `transfers` outlives it.
  class Entry {
   public:
    explicit Entry(Transfers& transfers) : transfers_(transfers) { ++transfers_.count_; }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() {
      rest();
      --transfers_.count_;
    }
    // How many bytes to work on next: whole segments. The buffers are to be cut to it.
    std::size_t next_batch() {
      rest();
      std::size_t batch = std::min(grown_, transfers_.count_ <= kManyTransfers ? kBatchBytes : kSmallBatchBytes);
      while (!transfers_.lend(batch * kBuffersPerTransfer) && batch > crypto::kSegmentBytes) {
        transfers_.held_ -= batch * kBuffersPerTransfer;
        batch = std::max(batch / 4, crypto::kSegmentBytes);
      }
      held_ = batch * kBuffersPerTransfer;
      grown_ = std::min(2 * grown_, kBatchBytes);
      return batch;
    }
    // The peer lets us wait: the next batch is a segment, each after it twice the one before.
    void slow_down() { grown_ = crypto::kSegmentBytes; }
    // The buffers were given back.
    void rest() {
      transfers_.held_ -= held_;
      held_ = 0;
    }

   private:
    Transfers& transfers_;
    std::size_t held_ = 0;
    std::size_t grown_ = kBatchBytes;
  };

  // What is lent, about.
  [[nodiscard]] std::size_t held_bytes() const { return held_; }

 private:
  // Lends it in any case; false: it is more than there is.
  bool lend(std::size_t bytes) { return held_.fetch_add(bytes) + bytes <= memory_bytes_; }

  const std::size_t memory_bytes_;
  std::atomic<unsigned> count_{0};
  std::atomic<std::size_t> held_{0};
};

}  // namespace andromede::objects
