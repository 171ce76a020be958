// DriveWork: what may hang with its drive, each on a thread of its own. What a drive that neither answers nor fails
// holds in the kernel nothing can end: such a thread is left to itself, and left behind when the process stops.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace andromede::meta {

// Thread-safe.
class DriveWork {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Who waits for a job looks so often whether it is worth while.
  static constexpr std::chrono::milliseconds kLookAgain{20};
  // A drive that is found offline mostly fails what it was asked, and says why.
  static constexpr std::chrono::seconds kLastWait{1};

  class Job {
   public:
    // What the work answered; nullopt: it has not ended until then.
    std::optional<Status> wait(Time until);
    [[nodiscard]] bool ended() { return wait(Time{}).has_value(); }
    // By who waited, and waits no more.
    void give_up() { given_up_ = true; }
    [[nodiscard]] bool given_up() const { return given_up_; }

   private:
    friend class DriveWork;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Status> answer_;  // under mutex_
    std::atomic<bool> given_up_{false};
  };

  DriveWork() = default;
  DriveWork(const DriveWork&) = delete;
  DriveWork& operator=(const DriveWork&) = delete;
  // Waits for nothing.
  ~DriveWork();

  // `work` owns all that it uses, and does not throw. kOverloaded: the process can start no more threads.
  std::shared_ptr<Job> start(DriveId drive, std::string root, std::function<Status()> work);
  // What has not ended on the drive, or on one with the same root; null: nothing.
  std::shared_ptr<Job> running(DriveId drive, const std::string& root);
  // How many have not ended.
  std::size_t running();
  // Until all have ended, or that moment: a thread that still works when the process ends may meet what is gone.
  void wait_all(Time until);

 private:
  struct Running {
    DriveId drive;
    std::string root;
    std::shared_ptr<Job> job;
    std::thread thread;
  };
  void join_ended();

  std::mutex mutex_;
  std::vector<Running> running_;  // under mutex_
};

}  // namespace andromede::meta
