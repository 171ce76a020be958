// ThreadPool: where blocking work goes (drives, RocksDB that may touch disk), so that no event loop ever blocks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace andromede {

// Thread-safe. Destroying it ends the queued work first, then joins, unless leave() came before.
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
  // Takes out what has not begun: it will not run. For jobs that own what they use; run() may be waiting for none.
  [[nodiscard]] std::deque<std::function<void()>> take_queued();
  // The pool's end where a job may never end: what has not begun does not, what has is waited for so long at most and
  // then left to itself, with its thread. For jobs as above, and at most once.
  void leave(std::chrono::milliseconds patience);

 private:
  // Shared with threads that are left to themselves.
  struct State {
    std::mutex mutex;
    std::condition_variable ready;
    std::condition_variable ended;
    std::deque<std::function<void()>> queue;
    bool stopping = false;
    unsigned threads = 0;  // that have not ended
  };
  static void work(State& state);

  const std::string name_;
  const std::size_t max_queued_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::vector<std::thread> threads_;
};

// Names the calling thread for ps, top and gdb.
void name_thread(const std::string& name);

}  // namespace andromede
