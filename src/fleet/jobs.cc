#include "fleet/jobs.h"

#include <algorithm>

namespace andromede::fleet {

const char* to_string(JobKind kind) {
  switch (kind) {
    case JobKind::kHeal:
      return "heal";
    case JobKind::kDrain:
      return "drain";
    case JobKind::kScrub:
      return "scrub";
    case JobKind::kRebalance:
      return "rebalance";
  }
  return "unknown";
}

const char* to_string(JobState state) {
  switch (state) {
    case JobState::kRunning:
      return "running";
    case JobState::kDone:
      return "done";
    case JobState::kFailed:
      return "failed";
    case JobState::kAborted:
      return "aborted";
  }
  return "unknown";
}

std::uint64_t JobBoard::open(JobKind kind, std::string subject) {
  const std::lock_guard lock(mutex_);
  Job job;
  job.number = ++last_number_;
  job.kind = kind;
  job.subject = std::move(subject);
  job.started = clock_.now();
  job.moving_since = clock_.steady();
  jobs_.push_back(std::move(job));
  if (jobs_.size() > kMaxRememberedJobs) {
    const auto ended =
        std::find_if(jobs_.begin(), jobs_.end(), [](const Job& old) { return old.state != JobState::kRunning; });
    if (ended != jobs_.end()) jobs_.erase(ended);
  }
  return last_number_;
}

void JobBoard::change(std::uint64_t number, const std::function<void(Job&)>& change) {
  const std::lock_guard lock(mutex_);
  for (Job& job : jobs_) {
    if (job.number == number) change(job);
  }
}

void JobBoard::close(std::uint64_t number, JobState state, std::string message) {
  change(number, [&](Job& job) {
    job.state = state;
    job.ended = clock_.now();
    job.message = std::move(message);
    if (state == JobState::kDone) job.bytes_total = job.bytes_done;
  });
}

Job JobBoard::with_eta(Job job) const {
  if (job.state != JobState::kRunning || job.bytes_done == 0 || job.bytes_total < job.bytes_done) return job;
  const std::chrono::duration<double> elapsed = clock_.steady() - job.moving_since;
  const double left = static_cast<double>(job.bytes_total - job.bytes_done) / static_cast<double>(job.bytes_done);
  job.eta = std::chrono::duration_cast<std::chrono::seconds>(elapsed * left);
  return job;
}

std::vector<Job> JobBoard::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Job> list;
  for (const bool running : {true, false}) {
    for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job) {
      if ((job->state == JobState::kRunning) == running) list.push_back(with_eta(*job));
    }
  }
  return list;
}

std::optional<Job> JobBoard::find(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  for (const Job& job : jobs_) {
    if (job.number == number) return with_eta(job);
  }
  return std::nullopt;
}

}  // namespace andromede::fleet
