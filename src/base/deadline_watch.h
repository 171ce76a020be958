// DeadlineWatch: calls that are given up when their time is over, whatever keeps their answers: a thread in the kernel,
// a peer, another's call.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/shared_call.h"

namespace andromede {

class DeadlineWatch {
 public:
  // `name` of its thread is shown by ps and top (15 characters).
  explicit DeadlineWatch(std::string name);
  DeadlineWatch(const DeadlineWatch&) = delete;
  DeadlineWatch& operator=(const DeadlineWatch&) = delete;
  // Nothing is watched any more.
  ~DeadlineWatch();

  // A call that is given up (kTimeout) once `timeout` passed, unless this was destroyed before.
  class Watched {
   public:
    Watched(DeadlineWatch& watch, std::shared_ptr<AnyCall> call, std::chrono::milliseconds timeout);
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched();

   private:
    DeadlineWatch& watch_;
    std::pair<SteadyTime, std::uint64_t> key_;
  };

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<SteadyTime, std::uint64_t>, std::shared_ptr<AnyCall>> watched_;
  std::uint64_t next_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace andromede
