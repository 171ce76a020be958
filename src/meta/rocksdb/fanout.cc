#include "meta/rocksdb/fanout.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/left_behind.h"
#include "base/log.h"
#include "base/pool.h"
#include "meta/rocksdb/drive_work.h"

namespace andromede::meta {

// Shared with the jobs that go on after it.
struct Fanout::Round {
  explicit Round(std::size_t jobs) : ended(jobs) {}

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<bool> ended;
  std::size_t count = 0;  // of those
  bool any_done = false;  // one of them did its part

  [[nodiscard]] bool all_ended() const { return count == ended.size(); }
  void end(std::size_t job, bool done) {
    const std::lock_guard lock(mutex);
    ended[job] = true;
    ++count;
    any_done = any_done || done;
    changed.notify_one();
  }
};

struct Fanout::Helper {
  std::mutex mutex;
  std::condition_variable changed;
  bool busy = false;
  bool leaves = false;
  Job job;  // empty: none, or it was begun
  std::shared_ptr<Round> round;
  std::size_t index = 0;

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return job || leaves; });
      if (!job) return;
      Job own = std::exchange(job, nullptr);
      const std::shared_ptr<Round> in = std::exchange(round, nullptr);
      const std::size_t at = index;
      lock.unlock();
      const bool done = own();
      own = nullptr;  // what it owns ends before anybody goes on
      lock.lock();
      busy = false;
      changed.notify_all();
      lock.unlock();
      // Idle first: the caller's next round finds this thread, and needs no other one.
      in->end(at, done);
      lock.lock();
    }
  }
  std::thread thread;
};

Fanout::~Fanout() {
  for (const auto& helper : helpers_) {
    std::unique_lock lock(helper->mutex);
    helper->leaves = true;
    helper->changed.notify_all();
    const bool idle = helper->changed.wait_for(lock, DriveWork::kLastWait, [&] { return !helper->busy; });
    lock.unlock();
    if (idle) {
      helper->thread.join();
    } else {
      leave_behind(std::move(helper->thread));
    }
  }
}

std::shared_ptr<Fanout::Helper> Fanout::idle_helper() {
  for (const auto& helper : helpers_) {
    const std::lock_guard lock(helper->mutex);
    if (!helper->busy) return helper;
  }
  const auto made = std::make_shared<Helper>();
  try {
    made->thread = std::thread([helper = made, name = "mirror-" + std::to_string(helpers_.size() + 1)] {
      name_thread(name);
      helper->work();
    });
  } catch (const std::system_error& error) {
    log_warning("metadata: no thread for a mirror", {{"error", error.what()}});
    return nullptr;
  }
  helpers_.push_back(made);
  return made;
}

std::shared_ptr<Fanout::Round> Fanout::begin(std::vector<Job> jobs) {
  const auto round = std::make_shared<Round>(jobs.size());
  std::vector<std::size_t> without_thread;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto helper = idle_helper();
    if (helper == nullptr) {
      without_thread.push_back(i);
      continue;
    }
    const std::lock_guard lock(helper->mutex);
    helper->busy = true;
    helper->job = std::move(jobs[i]);
    helper->round = round;
    helper->index = i;
    helper->changed.notify_all();
  }
  for (const std::size_t i : without_thread) {
    const bool done = jobs[i]();
    jobs[i] = nullptr;
    round->end(i, done);
  }
  return round;
}

std::vector<Fanout::Behind> Fanout::run(std::vector<Job> jobs, std::chrono::milliseconds patience, const Clock& clock) {
  const auto round = begin(std::move(jobs));
  std::vector<Behind> behind(round->ended.size());
  std::size_t seen = 0;
  SteadyTime first = SteadyTime::max();
  const auto look = [&] {
    if (round->count == seen) return;
    seen = round->count;
    const SteadyTime now = clock.steady();
    if (round->any_done) first = std::min(first, now);
    for (std::size_t i = 0; i < behind.size(); ++i) {
      if (round->ended[i] && !behind[i]) behind[i] = now - std::min(first, now);
    }
  };
  std::unique_lock lock(round->mutex);
  round->changed.wait(lock, [&] {
    look();
    return round->any_done || round->all_ended();
  });
  round->changed.wait_for(lock, patience, [&] {
    look();
    return round->all_ended();
  });
  return behind;
}

bool Fanout::run_alone(Job job, std::chrono::milliseconds patience, const std::function<bool()>& dispensable) {
  std::vector<Job> jobs;
  jobs.push_back(std::move(job));
  const auto round = begin(std::move(jobs));
  for (;;) {
    std::unique_lock lock(round->mutex);
    if (round->changed.wait_for(lock, patience, [&] { return round->all_ended(); })) return true;
    lock.unlock();
    if (dispensable()) return false;
  }
}

}  // namespace andromede::meta
