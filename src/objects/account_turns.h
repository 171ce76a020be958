// AccountTurns: so many of an account's listings at once and no more; others of its wait, in the order in which they
// came, and nobody else's wait for them. The readers of the metadata are few, and an account may ask on any number of
// connections.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "base/ids.h"
#include "base/task.h"

namespace andromede::objects {

class AccountTurns {
 public:
  explicit AccountTurns(std::size_t at_once) : at_once_(at_once) {}

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

  Task<Turn> take(AccountId account) {
    OneShot<bool> called;
    bool waits = false;
    {
      const std::lock_guard lock(mutex_);
      Line& line = lines_[account];
      waits = line.under_way == at_once_;
      if (waits) {
        line.waiting.push_back(&called);
      } else {
        ++line.under_way;
      }
    }
    if (waits) co_await called;
    co_return Turn(*this, std::move(account));
  }

 private:
  struct Line {
    std::size_t under_way = 0;
    std::deque<OneShot<bool>*> waiting;
  };

  void give_back(const AccountId& account) {
    OneShot<bool>* next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto line = lines_.find(account);
      if (!line->second.waiting.empty()) {
        // It takes this turn's place.
        next = line->second.waiting.front();
        line->second.waiting.pop_front();
      } else if (--line->second.under_way == 0) {
        lines_.erase(line);
      }
    }
    if (next != nullptr) next->set(true);
  }

  const std::size_t at_once_;
  std::mutex mutex_;
  std::map<AccountId, Line> lines_;
};

}  // namespace andromede::objects
