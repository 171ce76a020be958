// AnswerMemory: what answers that are long documents, listings for one, take from before they are made until they are
// sent: a peer may read its answer slowly or not at all, and ask for others on any number of connections. All take so
// much together and no more. An account takes what is left beside it, so that there is always as much for another; one
// peer half of what is left, beyond its first answer. Who finds too little waits, in the order of his account's and
// peer's requests.
//
// Thread-safe.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"

namespace andromede::api::s3 {

inline constexpr std::size_t kAnswerMemoryBytes = 128U << 20;
// Up to here an answer is not counted: the kernel takes as much of it at once as it is long.
inline constexpr std::size_t kShortAnswerBytes = 64 * 1024;
// What one byte of a text comes to in a document at most: "&#xFFFD;".
inline constexpr std::size_t kMostEscapedBytes = 8;
// Of one account and peer.
inline constexpr std::size_t kAnswersWaiting = 256;

class AnswerMemory {
 public:
  // `clock` outlives this.
  AnswerMemory(std::size_t bytes, const Clock& clock) : bytes_(bytes), clock_(clock) {}

  struct Who {
    AccountId account;
    std::string peer;
    friend auto operator<=>(const Who&, const Who&) = default;
  };

  // What one answer takes, while it lives. The AnswerMemory outlives it.
  class Share {
   public:
    Share(AnswerMemory& all, Who who, std::size_t bytes) : all_(&all), who_(std::move(who)), bytes_(bytes) {}
    Share(Share&& other) noexcept
        : all_(other.all_), who_(std::move(other.who_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&&) = delete;
    ~Share() { shrink(0); }
    // It needs no more than so much from here on.
    void shrink(std::size_t bytes) {
      if (bytes < bytes_) all_->give_back(who_, bytes_ - bytes);
      bytes_ = std::min(bytes, bytes_);
    }

   private:
    AnswerMemory* all_;
    Who who_;
    std::size_t bytes_;
  };

  // `bytes`: at most as much as there is. kOverloaded: too many wait, or this one has waited until its deadline, which
  // is looked at when somebody else asks or gives back. kCancelled: nobody waits for this one any more.
  Task<Result<Share>> take(Who who, std::size_t bytes, Deadline deadline, std::stop_token stop) {
    Waiter waiter{bytes, deadline, {}};
    bool waits = false;
    bool full = false;
    std::vector<Called> called;
    {
      const std::lock_guard lock(mutex_);
      called = call_next();
      Line& line = lines_[who];
      waits = !line.waiting.empty() || !fits(who, line, bytes);
      full = line.waiting.size() == kAnswersWaiting;
      if (!waits) {
        charge(who, line, bytes);
      } else if (!full) {
        line.waiting.push_back(&waiter);
        ++waiting_;
      }
    }
    tell(called);
    if (full) co_return fail(Errc::kOverloaded, "many long answers to this account wait: come again later");
    if (waits) {
      const std::stop_callback left(stop, [&] { leave(who, waiter); });
      CO_CHECK_OK(co_await waiter.called);
    }
    co_return Share(*this, std::move(who), bytes);
  }

  [[nodiscard]] std::size_t held_bytes() const {
    const std::lock_guard lock(mutex_);
    return held_;
  }

 private:
  struct Waiter {
    std::size_t bytes;
    Deadline deadline;
    OneShot<Status> called;
  };
  struct Line {
    std::size_t held = 0;
    std::deque<Waiter*> waiting;
    [[nodiscard]] bool idle() const { return held == 0 && waiting.empty(); }
  };
  // Out of its line, so that nobody else calls it.
  struct Called {
    Waiter* waiter;
    bool late;
  };

  [[nodiscard]] bool fits(const Who& who, const Line& line, std::size_t bytes) const {
    const std::size_t left = bytes_ - held_;
    const auto account = by_account_.find(who.account);
    const std::size_t of_account = account == by_account_.end() ? 0 : account->second;
    return of_account + bytes <= left && (line.held == 0 || 2 * (line.held + bytes) <= left);
  }
  void charge(const Who& who, Line& line, std::size_t bytes) {
    held_ += bytes;
    by_account_[who.account] += bytes;
    line.held += bytes;
  }
  void give_back(const Who& who, std::size_t bytes) {
    std::vector<Called> called;
    {
      const std::lock_guard lock(mutex_);
      held_ -= bytes;
      const auto account = by_account_.find(who.account);
      if ((account->second -= bytes) == 0) by_account_.erase(account);
      const auto line = lines_.find(who);
      line->second.held -= bytes;
      if (line->second.idle()) lines_.erase(line);
      called = call_next();
    }
    tell(called);
  }
  void leave(const Who& who, Waiter& waiter) {
    std::vector<Called> called;
    {
      const std::lock_guard lock(mutex_);
      const auto line = lines_.find(who);
      if (line == lines_.end() || std::erase(line->second.waiting, &waiter) == 0) return;
      --waiting_;
      if (line->second.idle()) lines_.erase(line);
      called = call_next();
    }
    tell(called);
    waiter.called.set(fail(Errc::kCancelled, "nobody waits for the answer any more"));
  }

  // Whoever fits, one of each line after the other, beginning behind the line that was served last; and who is late.
  std::vector<Called> call_next() {
    std::vector<Called> called;
    for (bool any = true; any && waiting_ > 0;) {
      any = false;
      auto at = lines_.upper_bound(served_);
      for (std::size_t left = lines_.size(); left > 0; --left) {
        if (at == lines_.end()) at = lines_.begin();
        Line& line = at->second;
        while (!line.waiting.empty() && line.waiting.front()->deadline.passed(clock_)) call_first(line, true, called);
        if (!line.waiting.empty() && fits(at->first, line, line.waiting.front()->bytes)) {
          charge(at->first, line, line.waiting.front()->bytes);
          call_first(line, false, called);
          served_ = at->first;
          any = true;
        }
        at = line.idle() ? lines_.erase(at) : std::next(at);
      }
    }
    return called;
  }
  void call_first(Line& line, bool late, std::vector<Called>& called) {
    called.push_back({line.waiting.front(), late});
    line.waiting.pop_front();
    --waiting_;
  }
  static void tell(const std::vector<Called>& called) {
    for (const Called& one : called) {
      one.waiter->called.set(
          one.late ? Status(fail(Errc::kOverloaded, "the answers before this one are long in being read")) : Status{});
    }
  }

  const std::size_t bytes_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::size_t held_ = 0;
  std::size_t waiting_ = 0;                      // in all lines
  std::map<AccountId, std::size_t> by_account_;  // none is 0
  std::map<Who, Line> lines_;                    // none is idle
  Who served_{};
};

}  // namespace andromede::api::s3
