// Fanout: jobs of several mirrors at the same time, each on a thread of its own, so that one that hangs keeps nobody.
// One caller at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace andromede::meta {

class Fanout {
 public:
  // Answers whether it did its part: one that failed at once says nothing of how long the others need. Throws nothing.
  using Job = std::function<bool()>;

  Fanout() = default;
  Fanout(const Fanout&) = delete;
  Fanout& operator=(const Fanout&) = delete;
  // A job that has not ended is left to itself, with its thread.
  ~Fanout();

  // How long after the first one that did its part a job ended; nullopt: it has not.
  using Behind = std::optional<std::chrono::steady_clock::duration>;
  // Answers when all have ended, or `patience` after the first one has done its part. Those that have not ended go on,
  // and own what they use. A job for which the process can start no thread runs on the caller's. `clock` measures what
  // is answered, no more.
  std::vector<Behind> run(std::vector<Job> jobs, std::chrono::milliseconds patience, const Clock& clock);
  // One job. False: it has not ended, and goes on, since `dispensable`, asked each time `patience` is over, said that
  // nobody needs it.
  bool run_alone(Job job, std::chrono::milliseconds patience, const std::function<bool()>& dispensable);

 private:
  struct Round;
  struct Helper;
  // Null: the process can start no more threads.
  std::shared_ptr<Helper> idle_helper();
  std::shared_ptr<Round> begin(std::vector<Job> jobs);
  std::vector<std::shared_ptr<Helper>> helpers_;
};

}  // namespace andromede::meta
