// RoomWatch: how much can still be written to each drive, how fast that shrinks, and since when writes are refused for
// want of it. Thread-safe; note() is called from one thread, every second or so.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "fleet/fleet.h"
#include "sovereignty/policy.h"

namespace andromede::fleet {

// A drive with less room than this takes no shard of an object of a few tens of megabytes: it counts as full.
inline constexpr std::uint64_t kLeastShardRoomBytes = 16ULL << 20;
// How far back the rate looks, and how often it remembers. Before so much has been seen it says nothing: the first
// upload after a start would fill any drive within the hour if it never ended.
inline constexpr std::chrono::minutes kFillWindow{60};
inline constexpr std::chrono::seconds kFillSampleEvery{30};
// A drive that will be full sooner is told ahead.
inline constexpr std::chrono::hours kWarnAhead{24 * 7};

// One drive as it is now.
struct RoomLook {
  DriveId drive;
  std::string name;
  SiteId site;
  // Shards can be written to it. Above what is kept free; and what is missing until that much is free.
  bool takes_shards = false;
  std::uint64_t free_bytes = 0;
  std::uint64_t short_bytes = 0;
  // It holds a current metadata mirror: free, and below what every commit that puts data is refused.
  bool mirrors = false;
  std::uint64_t mirror_free_bytes = 0;
  std::uint64_t mirror_least_bytes = 0;
};

// What is missing for writing, if anything: of a mirror's drive that is full, and where fewer drives that a policy
// allows have room than it has shards, or fewer take them at all than anything is written to. Without `since`. Pure.
std::optional<WritesRefused> find_refusal(const std::vector<RoomLook>& looks, const sovereignty::Policies& policies);

class RoomWatch {
 public:
  explicit RoomWatch(const Clock& clock) : clock_(clock) {}
  // `shortfall`: why commits are refused for want of mirrors, if they are.
  void note(const std::vector<RoomLook>& looks, const sovereignty::Policies& policies,
            const std::optional<std::string>& shortfall);
  [[nodiscard]] std::optional<WritesRefused> refused() const;
  [[nodiscard]] DriveFill fill_of(DriveId drive) const;

 private:
  struct Sample {
    SteadyTime at;
    std::uint64_t room_bytes = 0;
  };
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<DriveId, std::deque<Sample>> samples_;  // oldest first; the last is of now
  std::optional<WritesRefused> refused_;
};

// "2.5 days", "3.0 hours", "40 minutes", "50 seconds"
std::string in_words(std::chrono::seconds left);
// "64.0 MiB"
std::string in_words(std::uint64_t bytes);

}  // namespace andromede::fleet
