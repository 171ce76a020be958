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
// After so many batches without a wait a slow peer is given more at once.
inline constexpr unsigned kCalmBatches = 8;

// Thread-safe.
class Transfers {
 public:
  explicit Transfers(std::size_t memory_bytes = kBodyMemoryBytes) : memory_bytes_(memory_bytes) {}

  // One transfer, while it lives. `transfers` outlives it.
  class Entry {
   public:
    explicit Entry(Transfers& transfers) : transfers_(transfers) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { rest(); }
    // How many bytes to work on next: whole segments. The buffers are to be cut to it.
    std::size_t next_batch() {
      rest();
      const bool many = ++transfers_.working_ > kManyTransfers;
      std::size_t batch = std::min(grown_, many ? kSmallBatchBytes : kBatchBytes);
      while (!transfers_.lend(batch * kBuffersPerTransfer) && batch > crypto::kSegmentBytes) {
        transfers_.held_ -= batch * kBuffersPerTransfer;
        batch = std::max(batch / 4, crypto::kSegmentBytes);
      }
      held_ = batch * kBuffersPerTransfer;
      if (++calm_ >= kCalmBatches) grown_ = std::min(2 * grown_, kBatchBytes);
      return batch;
    }
    // The peer lets us wait: the next batches are a segment each, and grow again once some went through without a wait.
    void slow_down() {
      grown_ = crypto::kSegmentBytes;
      calm_ = 0;
    }
    // The buffers were given back.
    void rest() {
      if (held_ == 0) return;
      transfers_.held_ -= held_;
      --transfers_.working_;
      held_ = 0;
    }

   private:
    Transfers& transfers_;
    std::size_t held_ = 0;
    std::size_t grown_ = kBatchBytes;
    unsigned calm_ = 0;  // batches since the peer let us wait
  };

  // What is lent, about.
  [[nodiscard]] std::size_t held_bytes() const { return held_; }

 private:
  // Lends it in any case; false: it is more than there is.
  bool lend(std::size_t bytes) { return held_.fetch_add(bytes) + bytes <= memory_bytes_; }

  const std::size_t memory_bytes_;
  std::atomic<unsigned> working_{0};  // that hold buffers
  std::atomic<std::size_t> held_{0};
};

}  // namespace andromede::objects
