#include "base/pool.h"

#include <pthread.h>

#include <utility>

#include "base/left_behind.h"

namespace andromede {

void name_thread(const std::string& name) { pthread_setname_np(pthread_self(), name.substr(0, 15).c_str()); }

ThreadPool::ThreadPool(std::string name, unsigned threads, std::size_t max_queued)
    : name_(std::move(name)), max_queued_(max_queued) {
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([state = state_, name = name_] {
      name_thread(name);
      work(*state);
    });
    const std::lock_guard lock(state_->mutex);
    ++state_->threads;
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->ready.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ThreadPool::leave(std::chrono::milliseconds patience) {
  const auto dropped = take_queued();
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->ready.notify_all();
  const bool ended = state_->ended.wait_for(lock, patience, [this] { return state_->threads == 0; });
  lock.unlock();
  if (ended) return;  // the destructor joins them
  for (auto& thread : threads_) leave_behind(std::move(thread));
  threads_.clear();
}

bool ThreadPool::post(std::function<void()> job) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->queue.size() >= max_queued_) return false;
    state_->queue.push_back(std::move(job));
  }
  state_->ready.notify_one();
  return true;
}

std::size_t ThreadPool::queued() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size();
}

std::deque<std::function<void()>> ThreadPool::take_queued() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->queue, {});
}

void ThreadPool::work(State& state) {
  std::unique_lock lock(state.mutex);
  for (;;) {
    state.ready.wait(lock, [&] { return state.stopping || !state.queue.empty(); });
    if (state.queue.empty()) break;
    std::function<void()> job = std::move(state.queue.front());
    state.queue.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it owns ends before the pool is said to have
    lock.lock();
  }
  --state.threads;
  state.ended.notify_all();
}

}  // namespace andromede
