#include "meta/rocksdb/fanout.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/pool.h"

namespace andromede::meta {
namespace {

// For a job that is about to end.
constexpr std::chrono::seconds kLastWait{1};

}  // namespace

// Shared with the jobs that go on after it.
struct Fanout::Round {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<bool> ended;
  std::size_t count = 0;  // of those

  void end(std::size_t job) {
    const std::lock_guard lock(mutex);
    ended[job] = true;
    ++count;
    changed.notify_one();
  }
};

struct Fanout::Helper {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> job;  // empty: none
  bool leaves = false;

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return job || leaves; });
      if (!job) return;
      lock.unlock();
      job();
      lock.lock();
      job = nullptr;
      changed.notify_all();
    }
  }
  std::thread thread;
};

Fanout::~Fanout() {
  for (const auto& helper : helpers_) {
    std::unique_lock lock(helper->mutex);
    helper->leaves = true;
    helper->changed.notify_all();
    const bool idle = helper->changed.wait_for(lock, kLastWait, [&] { return !helper->job; });
    lock.unlock();
    if (idle) {
      helper->thread.join();
    } else {
      helper->thread.detach();
    }
  }
}

std::shared_ptr<Fanout::Helper> Fanout::idle_helper() {
  for (const auto& helper : helpers_) {
    const std::lock_guard lock(helper->mutex);
    if (!helper->job) return helper;
  }
  helpers_.push_back(std::make_shared<Helper>());
  const auto& made = helpers_.back();
  made->thread = std::thread([helper = made, name = "mirror-" + std::to_string(helpers_.size())] {
    name_thread(name);
    helper->work();
  });
  return made;
}

std::vector<bool> Fanout::run(std::vector<std::function<void()>> jobs, std::chrono::milliseconds patience) {
  if (jobs.empty()) return {};
  const auto round = std::make_shared<Round>();
  round->ended.resize(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto helper = idle_helper();
    const std::lock_guard lock(helper->mutex);
    helper->job = [work = std::move(jobs[i]), round, i]() mutable {
      work();
      work = nullptr;  // what it owns ends before anybody goes on
      round->end(i);
    };
    helper->changed.notify_all();
  }
  std::unique_lock lock(round->mutex);
  round->changed.wait(lock, [&] { return round->count > 0; });
  round->changed.wait_for(lock, patience, [&] { return round->count == round->ended.size(); });
  return round->ended;
}

}  // namespace andromede::meta
