#include "base/deadline_watch.h"

#include <vector>

#include "base/pool.h"

namespace andromede {

DeadlineWatch::DeadlineWatch(std::string name)
    : thread_([this, name = std::move(name)] {
        name_thread(name);
        run();
      }) {}

DeadlineWatch::~DeadlineWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

DeadlineWatch::Watched::Watched(DeadlineWatch& watch, std::shared_ptr<AnyCall> call, std::chrono::milliseconds timeout)
    : watch_(watch) {
  const std::lock_guard lock(watch_.mutex_);
  key_ = {std::chrono::steady_clock::now() + timeout, watch_.next_++};
  watch_.watched_.emplace(key_, std::move(call));
  watch_.changed_.notify_one();
}

DeadlineWatch::Watched::~Watched() {
  const std::lock_guard lock(watch_.mutex_);
  watch_.watched_.erase(key_);
}

void DeadlineWatch::run() {
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

}  // namespace andromede
