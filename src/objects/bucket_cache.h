// The buckets that were asked for lately, by name: most requests name one of few. An entry may be stale, a deletion by
// another process say; whoever finds that the bucket has no state any more calls forget(). A stale entry shows nothing
// that is not so to the account that had the bucket: a deleted one holds no object, and takes no change. To another
// account it says nothing: the name may have changed hands.
//
// Thread-safe; never blocks for long.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "objects/records.h"

namespace andromede::objects {

inline constexpr std::size_t kMaxCachedBuckets = 10'000;

class BucketCache {
 public:
  [[nodiscard]] std::optional<BucketRecord> find(const std::string& name) const {
    const std::shared_lock lock(mutex_);
    const auto it = buckets_.find(name);
    if (it == buckets_.end()) return std::nullopt;
    return it->second;
  }
  // Taken before a record is read, and given back with it.
  [[nodiscard]] std::uint64_t ticket() const {
    const std::shared_lock lock(mutex_);
    return forgotten_;
  }
  // Unless a bucket was forgotten since the ticket was taken: it may be this one, read before it went.
  void put(const std::string& name, const BucketRecord& bucket, std::uint64_t ticket) {
    const std::unique_lock lock(mutex_);
    if (ticket != forgotten_) return;
    // Rare, and dear only for a moment: no bookkeeping of what was used last.
    if (buckets_.size() >= kMaxCachedBuckets) buckets_.clear();
    buckets_.insert_or_assign(name, bucket);
  }
  void forget(BucketId id) {
    const std::unique_lock lock(mutex_);
    ++forgotten_;
    std::erase_if(buckets_, [&](const auto& entry) { return entry.second.id == id; });
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, BucketRecord> buckets_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace andromede::objects
