// Telling: how far work on a thread of its own (DriveWork) has come, told on the thread of whoever waits for it, which
// may say that it is to stop, and which waits no longer once that is hopeless. Owned by both.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "meta/rocksdb/drive_work.h"

namespace andromede::meta {

class Telling {
 public:
  // False: to stop. May take its time.
  using Told = std::function<bool(std::uint64_t, std::uint64_t)>;
  struct Patience {
    std::function<bool()> hopeless;       // what is waited for ends soon after this became true
    std::chrono::milliseconds silence{};  // as long as nothing is told at most
    DriveWork::Time until = DriveWork::Time::max();
  };

  Telling() = default;
  Telling(const Telling&) = delete;
  Telling& operator=(const Telling&) = delete;

  // The work's thread. Waits until it was told; false: to stop, or nobody waits any more.
  bool tell(std::uint64_t done, std::uint64_t total);
  // It has ended; false: nobody waits any more.
  bool end();
  [[nodiscard]] bool given_up() const;

  // The waiting thread. Before the job starts, once for each that follows another.
  void begin();
  // Waits until `job`, which calls end(), has ended, as a whole. nullopt: it was given up.
  std::optional<Status> wait(DriveWork::Job& job, const Told& told, const Patience& patience);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All under mutex_.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> news_;  // not told yet
  bool go_on_ = true;
  bool ended_ = false;
  bool given_up_ = false;
};

}  // namespace andromede::meta
