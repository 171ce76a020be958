// Task<T>: a lazy coroutine. It starts when awaited, runs on the awaiting thread, and resumes its awaiter by symmetric
// transfer. No Asio here, so that services compile without it; net/ runs tasks on its event loops.
//
// Rules (docs/adr/0002-tasks.md): parameters by value, or owned by a caller that outlives the task; no capturing lambda
// coroutine; no lock across co_await; nothing detached: TaskGroup owns what is started and joins it.
//
// Threads: a task belongs to the Scheduler it started on. Whoever completes work elsewhere (a pool, the committer)
// posts the waiting coroutine back to that scheduler, so code between two awaits never runs on a foreign thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"

namespace andromede {

// Where coroutines are resumed: an event loop, or the RunLoop of sync_wait. post() is thread-safe and never blocks.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual void post(std::coroutine_handle<> coroutine) = 0;
  // Posts all with one wake-up.
  virtual void post_all(const std::vector<std::coroutine_handle<>>& coroutines) {
    for (const auto coroutine : coroutines) post(coroutine);
  }

  // The scheduler that the calling thread is running, or null.
  static Scheduler* current() noexcept;

  // Makes `scheduler` current on this thread while it lives.
  class Scope {
   public:
    explicit Scope(Scheduler* scheduler) noexcept;
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    Scheduler* previous_;
  };
};

template <typename T>
class Task;

namespace task_detail {

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr exception;

  struct Final {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().continuation;
    }
    void await_resume() const noexcept {}
  };
  static std::suspend_always initial_suspend() noexcept { return {}; }
  static Final final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <typename T>
struct Promise final : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <typename U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Promise<void> final : PromiseBase {
  Task<void> get_return_object() noexcept;
  static void return_void() noexcept {}
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace task_detail

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { destroy(); }

  struct Awaiter {
    Handle handle;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> continuation) const noexcept {
      handle.promise().continuation = continuation;
      return handle;
    }
    T await_resume() const { return handle.promise().take(); }
  };
  Awaiter operator co_await() && noexcept { return Awaiter{handle_}; }

 private:
  void destroy() noexcept {
    if (handle_) handle_.destroy();
  }
  Handle handle_;
};

namespace task_detail {

template <typename T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

// A root: starts at once, destroys itself at its end.
struct Root {
  struct promise_type {
    static Root get_return_object() noexcept { return {}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_never final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    static void unhandled_exception() noexcept { std::terminate(); }
  };
};

}  // namespace task_detail

// One value handed from a completing thread to one waiting task. Set once, awaited once, in either order.
template <typename T>
class OneShot {
 public:
  OneShot() = default;
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;

  // Any thread. Posts the waiter to its scheduler (or resumes it here when it had none). The OneShot may be destroyed
  // by the waiter as soon as this is called: the caller does not touch it again.
  void set(T value) {
    if (const auto waiter = set_quietly(std::move(value))) {
      if (waiter.scheduler != nullptr) {
        waiter.scheduler->post(waiter.coroutine);
      } else {
        waiter.coroutine.resume();
      }
    }
  }

  struct Waiter {
    Scheduler* scheduler = nullptr;
    std::coroutine_handle<> coroutine;
    explicit operator bool() const { return static_cast<bool>(coroutine); }
  };
  // As set(), but leaves resuming the waiter to the caller, who can post many at once.
  [[nodiscard]] Waiter set_quietly(T value) {
    value_.emplace(std::move(value));
    // Copied before the exchange: with the value published the waiter may run and destroy this.
    void* const waiting = state_.exchange(this, std::memory_order_acq_rel);
    if (waiting == nullptr) return {};
    // A waiter is suspended until we resume it, so *this is still alive.
    return {scheduler_, std::coroutine_handle<>::from_address(waiting)};
  }

  struct Awaiter {
    OneShot& shot;
    [[nodiscard]] bool await_ready() const noexcept { return shot.state_.load(std::memory_order_acquire) == &shot; }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      shot.scheduler_ = Scheduler::current();
      void* expected = nullptr;
      return shot.state_.compare_exchange_strong(expected, coroutine.address(), std::memory_order_acq_rel);
    }
    T await_resume() { return std::move(*shot.value_); }
  };
  Awaiter operator co_await() noexcept { return Awaiter{*this}; }

 private:
  std::atomic<void*> state_{nullptr};  // null: nothing yet; this: set; else the waiting coroutine
  Scheduler* scheduler_ = nullptr;
  std::optional<T> value_;
};

// Runs posted coroutines on the thread that calls run_until.
class RunLoop final : public Scheduler {
 public:
  void post(std::coroutine_handle<> coroutine) override;
  // Runs until `done` is true; `done` is only written by coroutines of this loop.
  void run_until(const bool& done);

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::coroutine_handle<>> queue_;
};

namespace task_detail {

template <typename T>
Root run_into(Task<T> task, std::optional<T>& out, std::exception_ptr& exception, bool& done) {
  try {
    out.emplace(co_await std::move(task));
  } catch (...) {
    exception = std::current_exception();
  }
  done = true;
}
inline Root run_into(Task<void> task, std::exception_ptr& exception, bool& done) {
  try {
    co_await std::move(task);
  } catch (...) {
    exception = std::current_exception();
  }
  done = true;
}

}  // namespace task_detail

// Runs a task to its end on this thread: for the CLI, maintenance threads and tests, never on an event loop.
template <typename T>
T sync_wait(Task<T> task) {
  RunLoop loop;
  const Scheduler::Scope scope(&loop);
  bool done = false;
  std::exception_ptr exception;
  if constexpr (std::is_void_v<T>) {
    task_detail::run_into(std::move(task), exception, done);
    loop.run_until(done);
    if (exception) std::rethrow_exception(exception);
  } else {
    std::optional<T> out;
    task_detail::run_into(std::move(task), out, exception, done);
    loop.run_until(done);
    if (exception) std::rethrow_exception(exception);
    return std::move(*out);
  }
}

namespace task_detail {

struct AllState {
  std::atomic<std::size_t> left;
  OneShot<bool> finished;
  explicit AllState(std::size_t count) : left(count) {}
};

template <typename T>
Root run_one(Task<T> task, std::optional<T>& out, std::exception_ptr& exception, AllState& state) {
  try {
    out.emplace(co_await std::move(task));
  } catch (...) {
    exception = std::current_exception();
  }
  if (state.left.fetch_sub(1, std::memory_order_acq_rel) == 1) state.finished.set(true);
}

}  // namespace task_detail

// Starts every task on this scheduler, waits for all, answers in their order. If any threw, the first exception is
// thrown once all have ended.
template <typename T>
Task<std::vector<T>> when_all(std::vector<Task<T>> tasks) {
  std::vector<std::optional<T>> outs(tasks.size());
  std::vector<std::exception_ptr> exceptions(tasks.size());
  if (!tasks.empty()) {
    task_detail::AllState state(tasks.size());
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      task_detail::run_one(std::move(tasks[i]), outs[i], exceptions[i], state);
    }
    co_await state.finished;
  }
  std::vector<T> values;
  values.reserve(outs.size());
  for (std::size_t i = 0; i < outs.size(); ++i) {
    if (exceptions[i]) std::rethrow_exception(exceptions[i]);
    values.push_back(std::move(*outs[i]));
  }
  co_return values;
}

// Owns tasks that nobody awaits. A task that throws stops the process: its work has no one to tell.
class TaskGroup {
 public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();  // join()ed, or the process stops

  // Starts `task` on the calling thread, which runs its scheduler. Thread-safe.
  void start(Task<void> task);
  // Blocks until every task has ended. Not from a scheduler that the tasks need.
  void join();
  [[nodiscard]] std::size_t running() const;

 private:
  task_detail::Root run(Task<void> task);
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;
};

}  // namespace andromede
