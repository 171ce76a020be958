// Fanout: jobs of several mirrors at the same time, each on a thread of its own, so that one that hangs keeps nobody.
// One caller at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace andromede::meta {

class Fanout {
 public:
  Fanout() = default;
  Fanout(const Fanout&) = delete;
  Fanout& operator=(const Fanout&) = delete;
  // A job that has not ended is left to itself, with its thread.
  ~Fanout();

  // Runs the jobs, which do not throw. Answers when all have ended, or `patience` after the first one has: which have.
  // The others go on, and own what they use.
  std::vector<bool> run(std::vector<std::function<void()>> jobs, std::chrono::milliseconds patience);

 private:
  struct Round;
  struct Helper;
  std::shared_ptr<Helper> idle_helper();
  std::vector<std::shared_ptr<Helper>> helpers_;
};

}  // namespace andromede::meta
