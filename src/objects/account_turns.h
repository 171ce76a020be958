// AccountTurns: so many of an account's requests of a costly kind at once and no more; others of its wait, in the order
// in which they came, and nobody else's wait for them. The readers of the metadata are few, memory is shared, and an
// account may ask on any number of connections.
//
// Thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "meta/store.h"

namespace andromede::objects {

class AccountTurns {
 public:
  // Of each account `at_once` and `waiting` more. `clock` outlives this.
  AccountTurns(std::size_t at_once, std::size_t waiting, const Clock& clock)
      : at_once_(at_once), most_waiting_(waiting), clock_(clock) {}

  // A turn, while it lives.
  class Turn {
   public:
    Turn(AccountTurns& turns, AccountId account) : turns_(&turns), account_(std::move(account)) {}
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)), account_(std::move(other.account_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->give_back(account_);
    }

   private:
    AccountTurns* turns_;
    AccountId account_;
  };

  // kOverloaded: too many wait. kCancelled: nobody waits for this one any more, which counts where a turn is free too.
  // kTimeout: its deadline passed, which is looked at when a turn comes free. Whoever has one gives it back: a listing
  // ends by a deadline of its own, and what is read of a metadata mirror whose drive hangs is read of the next one
  // (docs/adr/0010-drives-identity.md).
  Task<Result<Turn>> take(AccountId account, meta::Patience patience) {
    if (patience.stop.stop_requested()) co_return fail(nobody_waits());
    Waiter waiter{patience.deadline, {}};
    bool waits = false;
    {
      const std::lock_guard lock(mutex_);
      Line& line = lines_[account];
      waits = line.under_way == at_once_;
      if (waits && line.waiting.size() >= most_waiting_) {
        co_return fail(Errc::kOverloaded, std::to_string(at_once_) +
                                              " such requests of this account are under way and " +
                                              std::to_string(most_waiting_) + " wait: come again later");
      }
      if (waits) {
        line.waiting.push_back(&waiter);
      } else {
        ++line.under_way;
      }
    }
    if (waits) {
      const std::stop_callback left(patience.stop, [&] { leave(account, waiter); });
      CO_CHECK_OK(co_await waiter.called);
    }
    co_return Turn(*this, std::move(account));
  }

 private:
  struct Waiter {
    Deadline deadline;
    OneShot<Status> called;
  };
  struct Line {
    std::size_t under_way = 0;
    std::deque<Waiter*> waiting;
  };

  static Error nobody_waits() { return {make_error_code(Errc::kCancelled), "nobody waits for the answer any more"}; }

  // Whoever takes a waiter out of its line calls it.
  void leave(const AccountId& account, Waiter& waiter) {
    {
      const std::lock_guard lock(mutex_);
      const auto line = lines_.find(account);
      if (line == lines_.end() || std::erase(line->second.waiting, &waiter) == 0) return;
    }
    waiter.called.set(fail(nobody_waits()));
  }

  void give_back(const AccountId& account) {
    std::vector<Waiter*> late;
    Waiter* next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto line = lines_.find(account);
      std::deque<Waiter*>& waiting = line->second.waiting;
      // Who is called takes this turn's place.
      while (!waiting.empty() && next == nullptr) {
        Waiter* const first = waiting.front();
        waiting.pop_front();
        if (first->deadline.passed(clock_)) {
          late.push_back(first);
        } else {
          next = first;
        }
      }
      if (next == nullptr && --line->second.under_way == 0) lines_.erase(line);
    }
    for (Waiter* waiter : late) waiter->called.set(fail(Errc::kTimeout, "the request waited too long for its turn"));
    if (next != nullptr) next->called.set(Status{});
  }

  const std::size_t at_once_;
  const std::size_t most_waiting_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<AccountId, Line> lines_;
};

}  // namespace andromede::objects
