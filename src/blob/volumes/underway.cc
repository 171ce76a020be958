#include "blob/volumes/underway.h"

#include <algorithm>
#include <utility>

namespace andromede::blob {

Underway::Job::Job(Underway& of, std::shared_ptr<io::Disk> disk, unsigned patiences)
    : of_(of),
      begun_(std::make_shared<Begun>(
          Begun{.disk = std::move(disk), .patiences = patiences, .thread = std::this_thread::get_id()})) {
  const std::lock_guard lock(of_.mutex_);
  of_.begun_.push_back(begun_);
}

Underway::Job::~Job() {
  const std::lock_guard lock(of_.mutex_);
  std::erase(of_.begun_, begun_);
}

void Underway::step() {
  const std::lock_guard lock(mutex_);
  for (const auto& each : begun_) {
    if (each->thread == std::this_thread::get_id()) each->looked = false;
  }
}

std::shared_ptr<const void> Underway::held(const io::Disk* disk, std::chrono::nanoseconds patience,
                                           std::chrono::nanoseconds look_every) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  // Where nobody looked, or who looks did not run, the others may not have run either.
  const auto elapsed = std::min<std::chrono::nanoseconds>(now - std::exchange(looked_, now), 2 * look_every);
  std::shared_ptr<const void> held;
  for (const auto& each : begun_) {
    each->still = each->looked ? each->still + elapsed : std::chrono::nanoseconds{};
    each->looked = true;
    if (each->disk.get() == disk && each->still >= each->patiences * patience) held = each;
  }
  return held;
}

}  // namespace andromede::blob
