// JobBoard: the jobs of this process: the one that runs and the latest that ended. Thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "fleet/fleet.h"

namespace andromede::fleet {

inline constexpr std::size_t kMaxRememberedJobs = 32;

// "heal", "drain", "scrub", "rebalance"
const char* to_string(JobKind kind);
// "running", "done", "failed", "aborted"
const char* to_string(JobState state);

class JobBoard {
 public:
  explicit JobBoard(const Clock& clock) : clock_(clock) {}
  std::uint64_t open(JobKind kind, std::string subject);
  // Changes a job that is remembered.
  void change(std::uint64_t number, const std::function<void(Job&)>& change);
  void close(std::uint64_t number, JobState state, std::string message);
  // With eta; running first, then the latest.
  [[nodiscard]] std::vector<Job> list() const;
  [[nodiscard]] std::optional<Job> find(std::uint64_t number) const;

 private:
  [[nodiscard]] Job with_eta(Job job) const;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::uint64_t last_number_ = 0;
  std::deque<Job> jobs_;  // oldest first
};

}  // namespace andromede::fleet
