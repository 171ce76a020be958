// Retries: how often a change is tried anew after another one came between, and how long it waits before it is: not at
// all the first time, then for a random while out of one that doubles, so that those who met once do not meet again.
//
// Thread-safe; a Try belongs to its task.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <stop_token>
#include <utility>

#include "base/deadline_watch.h"
#include "base/random.h"
#include "base/shared_call.h"
#include "base/task.h"

namespace andromede::objects {

// How often a change is tried in all.
inline constexpr unsigned kMaxCommitTries = 100;
// What the second wait is drawn from, and all that are long enough.
inline constexpr std::chrono::milliseconds kLeastRetryWait{1};
inline constexpr std::chrono::milliseconds kMostRetryWait{16};

class Retries {
 public:
  // `random` outlives this, and this the tries.
  explicit Retries(Random& random) : random_(random) {}

  // for (Retries::Try a_try = retries.begin(stop); a_try.may_go_on(); co_await a_try.pause()) …
  class Try {
   public:
    Try(Retries& retries, std::stop_token stop) : retries_(retries), stop_(std::move(stop)) {}
    // False: it was tried often enough, or nobody waits for it any more.
    [[nodiscard]] bool may_go_on() const {
      return tries_ < kMaxCommitTries && (tries_ == 0 || !stop_.stop_requested());
    }
    [[nodiscard]] bool is_first() const { return tries_ == 0; }
    // Before the next one.
    Task<void> pause() {
      if (++tries_ == 1 || tries_ == kMaxCommitTries) co_return;
      const auto wait = std::make_shared<SharedCall<Status>>();
      const DeadlineWatch::Watched watched(retries_.watch_, wait, retries_.draw(tries_));
      const std::stop_callback on_stop(
          stop_, [wait] { wait->give_up(Error(make_error_code(Errc::kCancelled), "nobody waits any more")); });
      // It is never answered: its time passes.
      static_cast<void>(co_await wait->answer());
    }

   private:
    Retries& retries_;
    const std::stop_token stop_;
    unsigned tries_ = 0;
  };
  Try begin(std::stop_token stop) { return Try(*this, std::move(stop)); }

 private:
  // Before the try of that number, the first of which is 0.
  std::chrono::milliseconds draw(unsigned number) {
    const unsigned doubled = std::min(number - 2, 16U);
    const auto most = std::min(kMostRetryWait, kLeastRetryWait * (1U << doubled));
    return std::chrono::milliseconds(random_.below(static_cast<std::uint64_t>(most.count()) + 1));
  }

  Random& random_;
  DeadlineWatch watch_{"objects-retries"};
};

}  // namespace andromede::objects
