// DriveCalls: calls of drives that may hang, each on a thread of its own and waited for so long at most.
//
// What a drive that neither answers nor fails holds in the kernel nothing can end. Such a call is left to itself, on
// its thread, and so must own all that it uses; until it ends no other call is made at that path, so that the calls of
// one drive stay in order. Internal to this folder.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace andromede::io {

// Thread-safe: one run() at a time, others wait for it.
class DriveCalls {
 public:
  struct Call {
    std::string path;
    std::function<Status()> work;
  };

  explicit DriveCalls(std::chrono::milliseconds limit) : limit_(limit) {}
  DriveCalls(const DriveCalls&) = delete;
  DriveCalls& operator=(const DriveCalls&) = delete;
  // Waits for nothing: a thread that hangs is left behind, and ends by itself should its drive ever answer.
  ~DriveCalls();

  // Makes all calls at the same time. Answers in their order what they answered; nullopt: not within the limit, or an
  // earlier call at that path still hangs. kOverloaded: the process can start no more threads.
  std::vector<std::optional<Status>> run(std::vector<Call> calls);
  // How many calls have not ended.
  [[nodiscard]] std::size_t hanging();
  [[nodiscard]] std::chrono::milliseconds limit() const { return limit_; }

 private:
  // Shared with the threads, some of which outlive this.
  struct Ends {
    std::mutex mutex;
    std::condition_variable changed;
  };
  struct Answer {
    std::optional<Status> status;  // guarded by Ends::mutex
  };
  struct Running {
    std::thread thread;
    std::shared_ptr<Answer> answer;
  };
  Running start(std::function<Status()> work) const;
  void join_ended();

  const std::chrono::milliseconds limit_;
  const std::shared_ptr<Ends> ends_ = std::make_shared<Ends>();
  std::mutex running_;
  std::map<std::string, Running> hanging_;  // by path; under running_
};

// Why a drive that did not answer a call is offline, in words.
std::string no_answer(const DriveCalls& calls);

}  // namespace andromede::io
