// SharedCall: an answer that one thread gives and a task awaits, owned by both, so that the task can be told to wait no
// longer. Whoever works on the answer then goes on alone, with what it owns, and what it answers goes nowhere.
//
// Threads: any; one task awaits it.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

#include "base/result.h"
#include "base/task.h"

namespace andromede {

class AnyCall {
 public:
  AnyCall() = default;
  AnyCall(const AnyCall&) = delete;
  AnyCall& operator=(const AnyCall&) = delete;
  virtual ~AnyCall() = default;
  // Answers `error` unless there is an answer already. Whoever waits may run at once: the caller holds no lock.
  virtual void give_up(Error error) = 0;
};

// `Answer` is a Result.
template <typename Answer>
class SharedCall : public AnyCall {
 public:
  // The first answer counts.
  void settle(Answer with) {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(settled_, true)) return;
    }
    answer_.set(std::move(with));
  }
  void give_up(Error error) override { settle(tl::unexpected<Error>(std::move(error))); }
  // Whether nobody waits for the answer of work that has not begun.
  [[nodiscard]] bool settled() const {
    const std::lock_guard lock(mutex_);
    return settled_;
  }
  // Does something short with what belongs to the waiting task, which stays until it is done. False: it waits no more.
  bool while_awaited(const std::function<void()>& use) {
    const std::lock_guard lock(mutex_);
    if (settled_) return false;
    use();
    return true;
  }
  // To be awaited once, by whoever shares the call until then.
  [[nodiscard]] OneShot<Answer>& answer() { return answer_; }

 private:
  mutable std::mutex mutex_;
  bool settled_ = false;  // under mutex_
  OneShot<Answer> answer_;
};

}  // namespace andromede
