#include "api/operator/timed_pool.h"

#include <vector>

namespace andromede::api {

TimedPool::TimedPool(std::string name, unsigned threads, std::size_t max_queued)
    : pool_(std::move(name), threads, max_queued), watcher_([this] { watch_deadlines(); }) {}

TimedPool::~TimedPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  watcher_.join();
}

TimedPool::Watch::Watch(TimedPool& pool, std::shared_ptr<AnyCall> call, std::chrono::milliseconds timeout)
    : pool_(pool) {
  const std::lock_guard lock(pool_.mutex_);
  key_ = {std::chrono::steady_clock::now() + timeout, pool_.next_++};
  pool_.watched_.emplace(key_, std::move(call));
  pool_.changed_.notify_one();
}

TimedPool::Watch::~Watch() {
  const std::lock_guard lock(pool_.mutex_);
  pool_.watched_.erase(key_);
}

void TimedPool::watch_deadlines() {
  name_thread("op-deadlines");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const SteadyTime now = std::chrono::steady_clock::now();
    std::vector<std::shared_ptr<AnyCall>> due;
    while (!watched_.empty() && watched_.begin()->first.first <= now) {
      due.push_back(std::move(watched_.begin()->second));
      watched_.erase(watched_.begin());
    }
    if (!due.empty()) {
      // Not under the lock: whoever waited may run at once, and takes it.
      lock.unlock();
      for (const auto& call : due) {
        call->give_up(Error(make_error_code(Errc::kTimeout),
                            "there is no answer in time; what was asked for may still be going on"));
      }
      lock.lock();
      continue;
    }
    if (watched_.empty()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, SteadyTime(watched_.begin()->first.first));
    }
  }
}

}  // namespace andromede::api
