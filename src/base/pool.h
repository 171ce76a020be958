// ThreadPool: where blocking work goes (drives, RocksDB that may touch disk), so that no event loop ever blocks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace andromede {

// Thread-safe. Destroying it ends the queued work first, then joins.
class ThreadPool {
 public:
  // `name` is shown by ps and top (15 characters); at most `max_queued` jobs wait.
  ThreadPool(std::string name, unsigned threads, std::size_t max_queued);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  // Queues `job`; false when the queue is full, and then it will not run.
  [[nodiscard]] bool post(std::function<void()> job);

  // Runs `work`, a callable that answers a Result, on a thread of the pool and resumes the caller on its own scheduler.
  // Errors: kOverloaded when the queue is full; what `work` answers.
  template <typename Work>
  Task<std::invoke_result_t<Work>> run(Work work) {
    using Answer = std::invoke_result_t<Work>;
    OneShot<Answer> answer;
    // std::function wants a copyable callable; the frame outlives the job, so a reference is enough.
    Work& job = work;
    if (!post([&answer, &job] { answer.set(job()); })) {
      co_return fail(Errc::kOverloaded, name_ + " pool: the queue is full");
    }
    co_return co_await answer;
  }

  [[nodiscard]] std::size_t queued() const;

 private:
  void work();

  const std::string name_;
  const std::size_t max_queued_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Names the calling thread for ps, top and gdb.
void name_thread(const std::string& name);

}  // namespace andromede
