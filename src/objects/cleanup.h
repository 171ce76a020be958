// Cleanup: the thread that gives back, one bounded step at a time, what deleted buckets left (ServiceImpl::clean_up).
// What is to be done is in the metadata, so it goes on after a crash where it was; a step that fails is tried again.
//
// Threads: wake() from any; start() and stop() from one at a time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/result.h"

namespace andromede::objects {

class Cleanup {
 public:
  // Does a step, on the thread: true when there may be more. `retry_after`: how long to rest after an error.
  using Step = std::function<Result<bool>()>;
  Cleanup(Step step, std::chrono::milliseconds retry_after) : step_(std::move(step)), retry_after_(retry_after) {}
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  ~Cleanup() { stop(); }

  // Begins with what is there already. Once, or after stop().
  void start();
  // There is something to do.
  void wake();
  // Answers after the step under way; what is left is for the next start.
  void stop();

 private:
  void work();

  const Step step_;
  const std::chrono::milliseconds retry_after_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool due_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace andromede::objects
