// Internal to net/: one event loop, its thread's work and its Scheduler. One of the few headers that include Asio.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/task.h"
#include "net/http.h"
#include "net/turns.h"

namespace andromede::net {

// Memory for the handler of one operation at a time, so that starting one allocates nothing.
class HandlerMemory {
 public:
  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  void* take(std::size_t size) {
    if (used_ || size > sizeof bytes_) return ::operator new(size);
    used_ = true;
    return bytes_;
  }
  void give_back(void* memory) noexcept {
    if (memory == bytes_) {
      used_ = false;
    } else {
      ::operator delete(memory);
    }
  }

 private:
  alignas(std::max_align_t) std::byte bytes_[192];
  bool used_ = false;
};

template <typename T>
struct HandlerAllocator {
  using value_type = T;
  HandlerMemory* memory;

  explicit HandlerAllocator(HandlerMemory& m) : memory(&m) {}
  template <typename U>
  HandlerAllocator(const HandlerAllocator<U>& other) : memory(other.memory) {}
  T* allocate(std::size_t count) { return static_cast<T*>(memory->take(count * sizeof(T))); }
  void deallocate(T* at, std::size_t) noexcept { memory->give_back(at); }
  template <typename U>
  bool operator==(const HandlerAllocator<U>& other) const {
    return memory == other.memory;
  }
};

// post() and post_all() from any thread; everything else on the loop's own thread.
class Loop final : public Scheduler {
 public:
  using Executor = boost::asio::io_context::executor_type;

  // Told every kTick, on the loop's thread: deadlines are checked this often, in one sweep instead of a timer each.
  class Ticking {
   public:
    virtual ~Ticking() = default;
    virtual void tick(SteadyTime now) = 0;
  };

  static constexpr std::chrono::milliseconds kTick{50};
  static constexpr std::size_t kBodyBufferBytes = 256 * 1024;
  static constexpr std::size_t kSpareBodyBuffers = 16;
  static constexpr std::size_t kMostBodyBuffers = 256;  // 64 MiB; further bodies make do with small buffers

  // `clock` outlives it. Ticks come at their real pace, whatever it says.
  explicit Loop(const Clock& clock);

  void post(std::coroutine_handle<> coroutine) override;
  void post_all(const std::vector<std::coroutine_handle<>>& coroutines) override;

  // What `waiter` waits for has arrived: resumes it, at once or when the turn of its flow comes.
  void take_turn(Turns::Waiter& waiter);
  // The same, when the turn of its flow comes and not before: `waiter` has just had one.
  void wait_for_turn(Turns::Waiter& waiter);

  // Runs until stop(), which any thread may call.
  void run();
  void stop() { context_.stop(); }

  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  // The time of the last tick: at most kTick old while the loop is not held up, and free.
  [[nodiscard]] SteadyTime now() const { return now_; }
  // The value of a Date header, made once a second.
  [[nodiscard]] std::string_view http_date() const { return http_date_; }
  // When the loop last ticked, in milliseconds of the clock's steady time. Any thread.
  [[nodiscard]] std::int64_t heartbeat_ms() const { return heartbeat_ms_.load(std::memory_order_relaxed); }

  void add(Ticking* ticking) { ticking_.push_back(ticking); }
  void remove(Ticking* ticking);

  // A buffer of kBodyBufferBytes. A few are kept, warm in the cache, for the next body.
  Buffer take_body_buffer();
  [[nodiscard]] bool body_buffers_left() const { return lent_ < kMostBodyBuffers; }
  void give_back(Buffer buffer);

 private:
  struct Drain;
  void send_drain();
  void drain();
  struct NextTurn;
  void next_turn();
  void schedule_tick();
  void tick();

  const Clock& clock_;
  boost::asio::io_context context_;
  boost::asio::steady_timer timer_;
  HandlerMemory drain_memory_;

  std::mutex mutex_;
  std::vector<std::coroutine_handle<>> posted_;
  bool armed_ = false;  // a drain() is on its way
  std::deque<std::coroutine_handle<>> draining_;

  Turns turns_;
  HandlerMemory turn_memory_;
  bool turning_ = false;  // a next_turn() is on its way

  SteadyTime now_;
  std::int64_t date_s_ = 0;
  std::string http_date_;
  std::atomic<std::int64_t> heartbeat_ms_;
  bool forgave_ = false;  // the last tick passed no deadline on
  std::vector<Ticking*> ticking_;
  std::vector<Buffer> spare_;
  std::size_t lent_ = 0;
};

struct Loops::Impl {
  const Clock& clock;
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<std::thread> threads;
};

}  // namespace andromede::net
