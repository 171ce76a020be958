// Structured logs: one JSON object a line on standard error (journald takes it from there).
//
//   log_info("drive failed", {{"drive", name.value()}, {"error", error.describe()}});
//
// Never pass a secret: no key, no signature, no Authorization header, no body. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <variant>

namespace andromede {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogField {
  std::string_view name;
  std::variant<std::string, std::int64_t, double, bool> value;

  LogField(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  LogField(std::string_view n, std::string_view v) : name(n), value(std::string(v)) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  template <typename Int>
    requires std::is_integral_v<Int>
  LogField(std::string_view n, Int v) : name(n), value(static_cast<std::int64_t>(v)) {}
};

using LogFields = std::initializer_list<LogField>;

// Lines below `level` are dropped. The default is kInfo.
void set_log_level(LogLevel level);
[[nodiscard]] bool log_enabled(LogLevel level);

void log(LogLevel level, std::string_view message, std::span<const LogField> fields);
inline void log(LogLevel level, std::string_view message, LogFields fields = {}) {
  log(level, message, std::span(fields.begin(), fields.size()));
}
inline void log_debug(std::string_view message, LogFields fields = {}) { log(LogLevel::kDebug, message, fields); }
inline void log_info(std::string_view message, LogFields fields = {}) { log(LogLevel::kInfo, message, fields); }
inline void log_warning(std::string_view message, LogFields fields = {}) { log(LogLevel::kWarning, message, fields); }
inline void log_error(std::string_view message, LogFields fields = {}) { log(LogLevel::kError, message, fields); }

class LineQueue;

// While it lives lines are written by a thread of its own, in their order, so that nobody who logs waits for whoever
// reads them: a stopped journald would stop every event loop. Beyond 4 MiB lines are dropped (below kWarning beyond
// half of that), and their number is told once the reader goes on. Without it whoever logs writes. One at a time.
class LogThread {
 public:
  // `descriptor`: where to; standard error unless a test says otherwise.
  explicit LogThread(int descriptor = 2);
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;
  // Waits kPatience at most until what is queued is written; a thread that its reader still keeps is left behind.
  ~LogThread();

  static constexpr std::chrono::milliseconds kPatience{2000};

 private:
  std::shared_ptr<LineQueue> queue_;
  std::thread thread_;
};

// Appends `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace andromede
