// Internal to net/: whose bytes a loop deals with next. When many connections have something to say at once, each flow
// (an account; of who has not said who it is, a peer) gets its turn after each other, however many connections it has:
// fair queueing, one request or piece of a body at a time (J. Nagle, RFC 970, section 7).
//
// On the loop's thread.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <unordered_map>

namespace andromede::net {

using Flow = std::uint64_t;
inline Flow flow_of(std::string_view name) { return std::hash<std::string_view>()(name); }

class Turns {
 public:
  // A coroutine that waits for the turn of its flow. Its owner's; in the queue from push() to pop().
  struct Waiter {
    Flow flow = 0;
    std::coroutine_handle<> coroutine{};
    Waiter* next = nullptr;
  };

  void push(Waiter& waiter) {
    Line& line = lines_[waiter.flow];
    waiter.next = nullptr;
    (line.first == nullptr ? line.first : line.last->next) = &waiter;
    if (line.last == nullptr) order_.push_back(waiter.flow);
    line.last = &waiter;
  }
  // The one whose turn it is; null: nobody waits.
  Waiter* pop() {
    if (order_.empty()) return nullptr;
    const auto line = lines_.find(order_.front());
    order_.pop_front();
    Waiter* const waiter = line->second.first;
    line->second.first = waiter->next;
    if (waiter->next == nullptr) {
      lines_.erase(line);
    } else {
      order_.push_back(line->first);
    }
    return waiter;
  }

 private:
  struct Line {
    Waiter* first = nullptr;
    Waiter* last = nullptr;
  };
  std::unordered_map<Flow, Line> lines_;  // none is empty
  std::deque<Flow> order_;                // each of them once
};

}  // namespace andromede::net
