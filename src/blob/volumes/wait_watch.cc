#include "blob/volumes/wait_watch.h"

#include <vector>

#include "base/pool.h"

namespace andromede::blob {

WaitWatch::~WaitWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WaitWatch::begin(const std::shared_ptr<Waiter>& waiter) {
  const std::lock_guard lock(mutex_);
  waiters_[waiter.get()] = waiter;
  if (idle_) changed_.notify_all();
}

void WaitWatch::end(const Waiter* waiter) {
  const std::lock_guard lock(mutex_);
  waiters_.erase(waiter);
}

void WaitWatch::watch() {
  name_thread("blob-waits");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    idle_ = true;
    changed_.wait(lock, [this] { return stopping_ || !waiters_.empty(); });
    idle_ = false;
    changed_.wait_for(lock, kLookAtWaitsEvery, [this] { return stopping_; });
    std::vector<std::shared_ptr<Waiter>> now;
    for (const auto& [key, waiter] : waiters_) {
      if (auto alive = waiter.lock()) now.push_back(std::move(alive));
    }
    // Their own locks come first for those who begin and end waits.
    lock.unlock();
    for (const auto& waiter : now) waiter->look();
    now.clear();
    lock.lock();
  }
}

}  // namespace andromede::blob
