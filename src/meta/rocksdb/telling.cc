#include "meta/rocksdb/telling.h"

namespace andromede::meta {

bool Telling::tell(std::uint64_t done, std::uint64_t total) {
  std::unique_lock lock(mutex_);
  if (given_up_) return false;
  news_ = {done, total};
  changed_.notify_all();
  changed_.wait(lock, [this] { return !news_ || given_up_; });
  return go_on_ && !given_up_;
}

bool Telling::end() {
  const std::lock_guard lock(mutex_);
  if (given_up_) return false;
  ended_ = true;
  changed_.notify_all();
  return true;
}

bool Telling::given_up() const {
  const std::lock_guard lock(mutex_);
  return given_up_;
}

void Telling::begin() {
  const std::lock_guard lock(mutex_);
  ended_ = false;
}

std::optional<Status> Telling::wait(DriveWork::Job& job, const Told& told, const Patience& patience) {
  std::optional<DriveWork::Time> hopeless_since;
  auto heard = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_for(lock, DriveWork::kLookAgain, [this] { return ended_ || news_; });
    // Ended as a whole, so that the drive is free.
    if (ended_ || job.ended()) {
      lock.unlock();
      for (;;) {
        if (auto answer = job.wait(std::chrono::steady_clock::now() + DriveWork::kLastWait)) return answer;
      }
    }
    if (news_) {
      const auto [done, total] = *news_;
      lock.unlock();
      const bool go_on = !told || told(done, total);
      lock.lock();
      go_on_ = go_on;
      news_.reset();
      changed_.notify_all();
      heard = std::chrono::steady_clock::now();
    }
    const auto now = std::chrono::steady_clock::now();
    if (!hopeless_since && patience.hopeless()) hopeless_since = now;
    const bool may_wait = now < patience.until && now - heard < patience.silence;
    if (may_wait && (!hopeless_since || now - *hopeless_since < DriveWork::kLastWait)) continue;
    given_up_ = true;
    job.give_up();
    changed_.notify_all();
    return std::nullopt;
  }
}

}  // namespace andromede::meta
