#include "base/left_behind.h"

#include <pthread.h>

#include <list>
#include <mutex>
#include <utility>

namespace andromede {
namespace {

struct Thread {
  std::thread thread;
  bool ended = false;
};

struct Left {
  std::mutex mutex;
  std::list<Thread> threads;
};

// Never destroyed, as what is left behind is not.
Left& left() {
  static auto* const instance = new Left;
  return *instance;
}

}  // namespace

void leave_behind(std::thread thread) {
  const std::lock_guard lock(left().mutex);
  left().threads.push_back({std::move(thread)});
}

std::size_t left_behind() {
  const std::lock_guard lock(left().mutex);
  std::size_t count = 0;
  for (Thread& each : left().threads) {
    // A std::thread that was joined behind its back can go nowhere any more: it stays here.
    if (!each.ended) each.ended = pthread_tryjoin_np(each.thread.native_handle(), nullptr) == 0;
    if (!each.ended) ++count;
  }
  return count;
}

}  // namespace andromede
