#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/left_behind.h"
#include "base/pool.h"

namespace andromede {
namespace {

std::atomic<LogLevel> minimum_level{LogLevel::kInfo};

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string begin_line(LogLevel level, std::string_view message) {
  std::string line =
      R"({"time":")" + to_iso8601(SystemClock().now()) + R"(","level":")" + level_name(level) + R"(","message":)";
  append_json_string(line, message);
  return line;
}

// A line that cannot be written is nobody's to tell of.
void write_line(int descriptor, std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = ::write(descriptor, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

// What waits for a LogThread. Its thread's as well, which may outlive it.
class LineQueue {
 public:
  void push(LogLevel level, std::string line) {
    {
      const std::lock_guard lock(mutex_);
      // What ordinary requests say must not displace what an operator is to hear of.
      const std::size_t limit = level < LogLevel::kWarning ? kMaxQueuedBytes / 2 : kMaxQueuedBytes;
      if (bytes_ + line.size() > limit) {
        ++dropped_;
        return;
      }
      bytes_ += line.size();
      lines_.push_back(std::move(line));
    }
    changed_.notify_all();
  }

  void write_until_ended(int descriptor) {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || !lines_.empty(); });
      if (lines_.empty()) break;
      const std::string line = std::move(lines_.front());
      lines_.pop_front();
      lock.unlock();
      write_line(descriptor, line);
      lock.lock();
      bytes_ -= line.size();
      if (dropped_ > 0 && bytes_ < kMaxQueuedBytes / 2) tell_dropped();
    }
    ended_ = true;
    changed_.notify_all();
  }

  // Whether all was written within `patience`.
  bool end(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    return changed_.wait_for(lock, patience, [this] { return ended_; });
  }

 private:
  static constexpr std::size_t kMaxQueuedBytes = 4 << 20;

  void tell_dropped() {
    std::string line = begin_line(LogLevel::kWarning, "lines of this log were dropped: who reads it did not keep up");
    line += ",\"lines\":" + std::to_string(std::exchange(dropped_, 0)) + "}\n";
    bytes_ += line.size();
    lines_.push_back(std::move(line));
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  std::size_t bytes_ = 0;  // of those lines, and of the one that is being written
  std::uint64_t dropped_ = 0;
  bool ending_ = false;
  bool ended_ = false;
};

namespace {

struct Writing {
  std::mutex mutex;
  std::shared_ptr<LineQueue> queue;  // null: whoever logs writes
};

// Never destroyed: a thread that a hanging drive keeps may still log when the process ends.
Writing& writing() {
  static auto* const instance = new Writing;
  return *instance;
}

std::shared_ptr<LineQueue> current_queue() {
  const std::lock_guard lock(writing().mutex);
  return writing().queue;
}

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0 (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

void set_log_level(LogLevel level) { minimum_level = level; }
bool log_enabled(LogLevel level) { return level >= minimum_level.load(std::memory_order_relaxed); }

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xef\xbf\xbd";
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  out.push_back('"');
}

void log(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  if (!log_enabled(level)) return;
  std::string line = begin_line(level, message);
  for (const auto& field : fields) {
    line.push_back(',');
    append_json_string(line, field.name);
    line.push_back(':');
    if (const auto* text = std::get_if<std::string>(&field.value)) {
      append_json_string(line, *text);
    } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
      line += std::to_string(*number);
    } else if (const auto* real = std::get_if<double>(&field.value)) {
      line += std::to_string(*real);
    } else {
      line += std::get<bool>(field.value) ? "true" : "false";
    }
  }
  line += "}\n";
  if (const auto queue = current_queue()) {
    queue->push(level, std::move(line));
  } else {
    write_line(STDERR_FILENO, line);
  }
}

LogThread::LogThread(int descriptor) : queue_(std::make_shared<LineQueue>()) {
  thread_ = std::thread([queue = queue_, descriptor] {
    name_thread("log");
    queue->write_until_ended(descriptor);
  });
  const std::lock_guard lock(writing().mutex);
  CHECK(writing().queue == nullptr, "one thread writes the log");
  writing().queue = queue_;
}

LogThread::~LogThread() {
  {
    const std::lock_guard lock(writing().mutex);
    writing().queue.reset();
  }
  if (queue_->end(kPatience)) {
    thread_.join();
  } else {
    leave_behind(std::move(thread_));
  }
}

}  // namespace andromede
