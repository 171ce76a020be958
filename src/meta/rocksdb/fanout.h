// Fanout: one job on every mirror at the same time. The first runs on the calling thread, so that a single mirror costs
// no hop. One caller at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <latch>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace andromede::meta {

class Fanout {
 public:
  Fanout() = default;
  Fanout(const Fanout&) = delete;
  Fanout& operator=(const Fanout&) = delete;
  ~Fanout();

  // Runs work(0) … work(count - 1), each on a thread of its own; answers when all have ended. `work` does not throw.
  void run(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  struct Helper {
    std::binary_semaphore start{0};
    const std::function<void(std::size_t)>* work = nullptr;  // null: end
    std::latch* done = nullptr;
    std::thread thread;
  };
  std::vector<std::unique_ptr<Helper>> helpers_;
};

}  // namespace andromede::meta
