// WaitWatch: looks a few times a second at everyone who waits for a drive. A drive may hang, and then neither answers
// nor fails: only somebody else can see that a wait has lost its drive, or that its deadline has passed.
//
// Thread-safe; nothing here blocks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace andromede::blob {

inline constexpr std::chrono::milliseconds kLookAtWaitsEvery{250};

class WaitWatch {
 public:
  class Waiter {
   public:
    virtual ~Waiter() = default;
    // Ends the wait if it must not go on. On the watch's thread; does not block.
    virtual void look() = 0;
  };

  WaitWatch() : thread_([this] { watch(); }) {}
  WaitWatch(const WaitWatch&) = delete;
  WaitWatch& operator=(const WaitWatch&) = delete;
  ~WaitWatch();

  void begin(const std::shared_ptr<Waiter>& waiter);
  // A look at `waiter` may still be under way when this answers.
  void end(const Waiter* waiter);

 private:
  void watch();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<const Waiter*, std::weak_ptr<Waiter>> waiters_;
  bool idle_ = false;  // the thread sleeps until somebody waits: nobody else need wake it
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace andromede::blob
