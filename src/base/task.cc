#include "base/task.h"

namespace andromede {
namespace {

thread_local Scheduler* current_scheduler = nullptr;

}  // namespace

Scheduler* Scheduler::current() noexcept { return current_scheduler; }

Scheduler::Scope::Scope(Scheduler* scheduler) noexcept : previous_(std::exchange(current_scheduler, scheduler)) {}
Scheduler::Scope::~Scope() { current_scheduler = previous_; }

void RunLoop::post(std::coroutine_handle<> coroutine) {
  // Notified under the lock: the loop may be destroyed as soon as the coroutine has run.
  const std::lock_guard lock(mutex_);
  queue_.push_back(coroutine);
  ready_.notify_one();
}

void RunLoop::run_until(const bool& done) {
  while (!done) {
    std::coroutine_handle<> coroutine;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return !queue_.empty(); });
      coroutine = queue_.front();
      queue_.pop_front();
    }
    coroutine.resume();
  }
}

TaskGroup::~TaskGroup() { CHECK(running_ == 0, "a TaskGroup is joined before it is destroyed"); }

void TaskGroup::start(Task<void> task) {
  {
    const std::lock_guard lock(mutex_);
    ++running_;
  }
  run(std::move(task));
}

task_detail::Root TaskGroup::run(Task<void> task) {
  co_await std::move(task);
  task = {};  // its frame is gone before join() returns
  const std::lock_guard lock(mutex_);
  if (--running_ == 0) idle_.notify_all();
}

void TaskGroup::join() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return running_ == 0; });
}

std::size_t TaskGroup::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

}  // namespace andromede
