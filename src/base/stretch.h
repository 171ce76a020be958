// Stretch: long work of one request in short stretches, so that who shares its event loop waits for one of them and
// not for the whole: to be paused between the items of a list that a client made long.
//
// Belongs to the task, or the tasks of one scheduler, that it is used by.
#pragma once

#include <chrono>
#include <coroutine>

#include "base/task.h"

namespace andromede {

class Stretch {
 public:
  // A turn of the loop costs some microseconds, so this is a few per cent; and it is what a neighbour waits for.
  static constexpr std::chrono::microseconds kLongest{250};
  static constexpr unsigned kMany = 64;

  struct Pause {
    Stretch& stretch;
    bool looks = true;  // at the clock
    [[nodiscard]] bool await_ready() const noexcept {
      return !looks || Scheduler::current() == nullptr || std::chrono::steady_clock::now() - stretch.began_ < kLongest;
    }
    void await_suspend(std::coroutine_handle<> coroutine) const { Scheduler::current()->post(coroutine); }
    void await_resume() const noexcept {
      if (looks && std::chrono::steady_clock::now() - stretch.began_ >= kLongest) {
        stretch.began_ = std::chrono::steady_clock::now();
      }
    }
  };
  // Lets the scheduler go round when this stretch has been long enough.
  [[nodiscard]] Pause pause() { return {*this}; }
  // As pause(), at every kMany-th call: for items that take a microsecond or two, and are few but for who makes them
  // many.
  [[nodiscard]] Pause pause_if_many() { return {*this, ++count_ % kMany == 0}; }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  unsigned count_ = 0;
};

}  // namespace andromede
