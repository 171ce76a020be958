#include "io/drive_calls.h"

#include <algorithm>
#include <system_error>

#include "base/left_behind.h"
#include "base/pool.h"

namespace andromede::io {

DriveCalls::~DriveCalls() {
  const std::lock_guard running(running_);
  join_ended();
  for (auto& [path, call] : hanging_) leave_behind(std::move(call.thread));
}

std::vector<std::optional<Status>> DriveCalls::run(std::vector<Call> calls) {
  const std::lock_guard running(running_);
  join_ended();
  const auto until = std::chrono::steady_clock::now() + limit_;
  std::vector<Running> started(calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!hanging_.contains(calls[i].path)) started[i] = start(std::move(calls[i].work));
  }
  {
    std::unique_lock lock(ends_->mutex);
    ends_->changed.wait_until(lock, until, [&] {
      return std::all_of(started.begin(), started.end(),
                         [](const Running& call) { return call.answer == nullptr || call.answer->status.has_value(); });
    });
  }
  std::vector<std::optional<Status>> answers(calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (started[i].answer == nullptr) continue;
    {
      const std::lock_guard lock(ends_->mutex);
      answers[i] = started[i].answer->status;
    }
    if (!answers[i]) {
      hanging_[calls[i].path] = std::move(started[i]);
    } else if (started[i].thread.joinable()) {
      started[i].thread.join();
    }
  }
  return answers;
}

std::size_t DriveCalls::hanging() {
  const std::lock_guard running(running_);
  join_ended();
  return hanging_.size();
}

DriveCalls::Running DriveCalls::start(std::function<Status()> work) const {
  Running call;
  call.answer = std::make_shared<Answer>();
  try {
    call.thread = std::thread([ends = ends_, answer = call.answer, work = std::move(work)]() mutable {
      name_thread("drive-call");
      Status status = work();
      // What it owned is given back before anybody goes on, a disk above all.
      work = nullptr;
      const std::lock_guard lock(ends->mutex);
      answer->status = std::move(status);
      ends->changed.notify_all();
    });
  } catch (const std::system_error& error) {
    call.answer->status = fail(Errc::kOverloaded, std::string("no thread for a drive: ") + error.what());
  }
  return call;
}

void DriveCalls::join_ended() {
  for (auto it = hanging_.begin(); it != hanging_.end();) {
    bool ended = false;
    {
      const std::lock_guard lock(ends_->mutex);
      ended = it->second.answer->status.has_value();
    }
    if (ended) it->second.thread.join();
    it = ended ? hanging_.erase(it) : std::next(it);
  }
}

std::string no_answer(const DriveCalls& calls) {
  const auto limit = std::chrono::duration_cast<std::chrono::seconds>(calls.limit());
  return "it does not answer within " + std::to_string(limit.count()) + " s, and does not fail either";
}

}  // namespace andromede::io
