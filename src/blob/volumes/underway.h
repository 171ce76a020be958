// Underway: what threads are at on one drive, and whether it holds one of them. A drive may hang at some of what it is
// asked while its probes answer: nobody but who waits for it can find that. What has not begun does not count, however
// long the queue; nor what takes long and gets on, step by step.
//
// Thread-safe; nothing here blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "io/disk.h"

namespace andromede::blob {

class Underway {
  struct Begun;

 public:
  // What the calling thread does from here on, one at a time. The Underway outlives it.
  class Job {
   public:
    // `disk`: the opening that is asked; null: none. It has so many times the patience of another.
    Job(Underway& of, std::shared_ptr<io::Disk> disk, unsigned patiences = 1);
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    ~Job();

   private:
    Underway& of_;
    std::shared_ptr<Begun> begun_;
  };

  // The calling thread's job, if it is at one, gets on.
  void step();
  // To be asked again and again by whoever waits for the drive, once in `look_every` about. A job on `disk` that has
  // neither ended nor got on for so long; it lives until it ends. Null: there is none.
  std::shared_ptr<const void> held(const io::Disk* disk, std::chrono::nanoseconds patience,
                                   std::chrono::nanoseconds look_every);

 private:
  struct Begun {
    std::shared_ptr<io::Disk> disk;
    unsigned patiences = 1;
    std::thread::id thread;
    bool looked = false;  // since it began or got on
    std::chrono::nanoseconds still{};
  };

  std::mutex mutex_;
  std::vector<std::shared_ptr<Begun>> begun_;  // as many as threads at most
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace andromede::blob
