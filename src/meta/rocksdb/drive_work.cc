#include "meta/rocksdb/drive_work.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/left_behind.h"
#include "base/pool.h"

namespace andromede::meta {

std::optional<Status> DriveWork::Job::wait(Time until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return answer_.has_value(); });
  return answer_;
}

DriveWork::~DriveWork() {
  const std::lock_guard lock(mutex_);
  join_ended();
  for (Running& each : running_) leave_behind(std::move(each.thread));
}

void DriveWork::join_ended() {
  std::erase_if(running_, [](Running& each) {
    if (!each.job->ended()) return false;
    if (each.thread.joinable()) each.thread.join();
    return true;
  });
}

std::shared_ptr<DriveWork::Job> DriveWork::start(DriveId drive, std::string root, std::function<Status()> work) {
  auto job = std::make_shared<Job>();
  const std::lock_guard lock(mutex_);
  join_ended();
  try {
    std::thread thread([job, work = std::move(work)]() mutable {
      name_thread("mirror-work");
      Status done = work();
      work = nullptr;  // what it owns ends before anybody goes on
      const std::lock_guard ending(job->mutex_);
      job->answer_ = std::move(done);
      job->changed_.notify_all();
    });
    running_.push_back({drive, std::move(root), job, std::move(thread)});
  } catch (const std::system_error& error) {
    job->answer_ = fail(Errc::kOverloaded, std::string("no thread for a mirror's drive: ") + error.what());
  }
  return job;
}

std::shared_ptr<DriveWork::Job> DriveWork::running(DriveId drive, const std::string& root) {
  const std::lock_guard lock(mutex_);
  join_ended();
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [&](const Running& each) { return each.drive == drive || each.root == root; });
  return found == running_.end() ? nullptr : found->job;
}

std::size_t DriveWork::running() {
  const std::lock_guard lock(mutex_);
  join_ended();
  return running_.size();
}

void DriveWork::wait_all(Time until) {
  std::vector<std::shared_ptr<Job>> jobs;
  {
    const std::lock_guard lock(mutex_);
    for (const Running& each : running_) jobs.push_back(each.job);
  }
  for (const auto& job : jobs) job->wait(until);
  const std::lock_guard lock(mutex_);
  join_ended();
}

}  // namespace andromede::meta
