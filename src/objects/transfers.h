// How many bodies are on their way in or out, so that each takes less memory where there are many of them.
#pragma once

#include <atomic>
#include <cstddef>

#include "crypto/segments.h"

namespace andromede::objects {

// Plaintext that is worked on at once: what a few transfers take each, and what each takes where there are many.
inline constexpr std::size_t kSegmentsPerBatch = 16;
inline constexpr std::size_t kBatchBytes = kSegmentsPerBatch * crypto::kSegmentBytes;
inline constexpr std::size_t kSmallBatchBytes = kBatchBytes / 4;
inline constexpr unsigned kManyTransfers = 16;

// Thread-safe.
class Transfers {
 public:
  // One transfer, while it lives. `transfers` outlives it.
  class Entry {
   public:
    explicit Entry(Transfers& transfers)
        : transfers_(transfers),
          batch_bytes_(transfers.count_.fetch_add(1) < kManyTransfers ? kBatchBytes : kSmallBatchBytes) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { --transfers_.count_; }
    [[nodiscard]] std::size_t batch_bytes() const { return batch_bytes_; }

   private:
    Transfers& transfers_;
    const std::size_t batch_bytes_;
  };

 private:
  std::atomic<unsigned> count_{0};
};

}  // namespace andromede::objects
