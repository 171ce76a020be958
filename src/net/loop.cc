#include "net/loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/pool.h"

namespace andromede::net {
namespace {

// What other threads have done for coroutines here is gone on with for so long before the loop looks at its sockets
// again: a group of commits must not keep a request that has just arrived waiting for all its answers.
constexpr std::chrono::microseconds kDrainSlice{200};

std::int64_t to_ms(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

struct Loop::Drain {
  using allocator_type = HandlerAllocator<void>;
  Loop* loop;
  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(loop->drain_memory_); }
  void operator()() const { loop->drain(); }
};

struct Loop::NextTurn {
  using allocator_type = HandlerAllocator<void>;
  Loop* loop;
  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(loop->turn_memory_); }
  void operator()() const { loop->next_turn(); }
};

Loop::Loop(const Clock& clock)
    : clock_(clock), context_(1), timer_(context_), now_(clock.steady()), heartbeat_ms_(to_ms(now_)) {
  http_date_ = to_http_date(clock.now());
}

void Loop::post(std::coroutine_handle<> coroutine) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(coroutine);
    if (std::exchange(armed_, true)) return;
  }
  send_drain();
}

void Loop::post_all(const std::vector<std::coroutine_handle<>>& coroutines) {
  if (coroutines.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    posted_.insert(posted_.end(), coroutines.begin(), coroutines.end());
    if (std::exchange(armed_, true)) return;
  }
  send_drain();
}

void Loop::send_drain() {
  // Not under the mutex: the loop that this wakes takes it first of all, and would go back to sleep for it. Whoever
  // armed is alone here until drain() disarms or goes on, and by then the one block of drain_memory_ is free again.
  // From the loop's own thread this is a push to a list; else it wakes the loop only if it sleeps.
  boost::asio::post(context_, Drain{this});
}

void Loop::drain() {
  const auto began = std::chrono::steady_clock::now();
  do {
    if (draining_.empty()) {
      const std::lock_guard lock(mutex_);
      draining_.insert(draining_.end(), posted_.begin(), posted_.end());
      posted_.clear();
      if (draining_.empty()) {
        armed_ = false;
        return;
      }
    }
    const auto coroutine = draining_.front();
    draining_.pop_front();
    coroutine.resume();
  } while (std::chrono::steady_clock::now() - began < kDrainSlice);
  // Still armed: what is left, and what comes meanwhile, goes on when the loop has looked at its sockets.
  send_drain();
}

void Loop::take_turn(Turns::Waiter& waiter) {
  if (turning_) {
    turns_.push(waiter);
    return;
  }
  // The first after a look at the sockets. What was seen there as well comes while this one's successor is on its way.
  turning_ = true;
  boost::asio::post(context_, NextTurn{this});
  waiter.coroutine.resume();
}

void Loop::wait_for_turn(Turns::Waiter& waiter) {
  turns_.push(waiter);
  if (!std::exchange(turning_, true)) boost::asio::post(context_, NextTurn{this});
}

void Loop::next_turn() {
  Turns::Waiter* const waiter = turns_.pop();
  if (waiter == nullptr) {
    turning_ = false;
    return;
  }
  // Between two turns the loop looks at the sockets, so that who is new need not wait for all who came before.
  boost::asio::post(context_, NextTurn{this});
  waiter->coroutine.resume();
}

void Loop::run() {
  const Scope scope(this);
  schedule_tick();
  context_.run();
}

void Loop::schedule_tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    tick();
    schedule_tick();
  });
}

void Loop::tick() {
  const SteadyTime before = std::exchange(now_, clock_.steady());
  heartbeat_ms_.store(to_ms(now_), std::memory_order_relaxed);
  const Timestamp wall = clock_.now();
  if (std::exchange(date_s_, wall.ms / 1000) != wall.ms / 1000) http_date_ = to_http_date(wall);
  // After a hold-up of ours, peers get one more tick for what they sent meanwhile to be read.
  forgave_ = !forgave_ && now_ - before > 4 * kTick;
  if (forgave_) return;
  for (std::size_t i = 0; i < ticking_.size(); ++i) ticking_[i]->tick(now_);
}

void Loop::remove(Ticking* ticking) { std::erase(ticking_, ticking); }

Buffer Loop::take_body_buffer() {
  ++lent_;
  if (spare_.empty()) return Buffer(kBodyBufferBytes);
  Buffer buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

void Loop::give_back(Buffer buffer) {
  --lent_;
  if (spare_.size() >= kSpareBodyBuffers) return;
  buffer.clear();
  spare_.push_back(std::move(buffer));
}

Loops::Loops(unsigned count, const Clock& clock) : impl_(std::make_unique<Impl>(clock)) {
  if (count == 0) count = std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) impl_->loops.push_back(std::make_unique<Loop>(clock));
  for (unsigned i = 0; i < count; ++i) {
    Loop* const loop = impl_->loops[i].get();
    impl_->threads.emplace_back([loop, i] {
      name_thread("loop-" + std::to_string(i));
      loop->run();
    });
  }
}

Loops::~Loops() {
  for (const auto& loop : impl_->loops) loop->stop();
  for (auto& thread : impl_->threads) thread.join();
}

std::size_t Loops::size() const { return impl_->loops.size(); }

Scheduler& Loops::scheduler(std::size_t index) { return *impl_->loops.at(index); }

std::chrono::milliseconds Loops::slowest_heartbeat() const {
  std::int64_t oldest = INT64_MAX;
  for (const auto& loop : impl_->loops) oldest = std::min(oldest, loop->heartbeat_ms());
  return std::chrono::milliseconds(std::max<std::int64_t>(0, to_ms(impl_->clock.steady()) - oldest));
}

}  // namespace andromede::net
