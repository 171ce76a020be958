// TimedPool: blocking calls on threads of their own, each with a deadline. Whoever waits gets kTimeout when it passes,
// even if the call is stuck in the kernel; the call is asked to stop, and whatever it answers later goes nowhere.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "base/deadline_watch.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/result.h"
#include "base/shared_call.h"
#include "base/task.h"

namespace andromede::api {

// Thread-safe. Nobody waits for an answer when it is destroyed; it waits for what still runs, which was given up.
class TimedPool {
 public:
  // As ThreadPool's.
  TimedPool(std::string name, unsigned threads, std::size_t max_queued)
      : pool_(std::move(name), threads, max_queued), deadlines_("op-deadlines") {}

  // Runs `work` on a thread of the pool; `Answer` is a Result. `work` owns what it uses or borrows what outlives the
  // pool, since it may outlive the caller. One that still waits for a thread when it is given up never runs. Errors:
  // kOverloaded (the queue is full), kTimeout (`timeout` passed), kCancelled (`cut` asked to stop), kInternal
  // (`work` threw); what `work` answers.
  template <typename Answer>
  Task<Answer> run(std::function<Answer(std::stop_token)> work, std::chrono::milliseconds timeout,
                   std::stop_token cut) {
    const auto call = std::make_shared<Call<Answer>>(std::move(work));
    if (!pool_.post([call] { call->perform(); })) co_return fail(Errc::kOverloaded, "too many calls are waiting");
    const DeadlineWatch::Watched watched(deadlines_, call, timeout);
    const std::stop_callback on_cut(
        cut, [call] { call->give_up(Error(make_error_code(Errc::kCancelled), "the server is stopping")); });
    co_return co_await call->answer();
  }

  // Calls that wait for a thread.
  [[nodiscard]] std::size_t queued() const { return pool_.queued(); }

 private:
  template <typename Answer>
  struct Call final : SharedCall<Answer> {
    explicit Call(std::function<Answer(std::stop_token)> the_work) : work(std::move(the_work)) {}
    void perform() {
      if (this->settled()) return;
      try {
        this->settle(work(stop.get_token()));
      } catch (const std::exception& exception) {
        log_error("a call threw", {{"what", exception.what()}});
        this->settle(fail(Errc::kInternal, "the call failed for a fault of the program: its log says more"));
      }
    }
    void give_up(Error error) override {
      stop.request_stop();
      SharedCall<Answer>::give_up(std::move(error));
    }
    const std::function<Answer(std::stop_token)> work;
    std::stop_source stop;
  };
  ThreadPool pool_;
  DeadlineWatch deadlines_;
};

}  // namespace andromede::api
