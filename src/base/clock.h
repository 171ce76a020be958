// Time, injected so that a test can choose it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace andromede {

// Wall-clock milliseconds since 1970-01-01T00:00:00Z.
struct Timestamp {
  std::int64_t ms = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// "2026-11-23T20:40:00.123Z"
std::string to_iso8601(Timestamp time);
// "Mon, 23 Nov 2026 20:40:00 GMT" (RFC 9110 section 5.6.7, IMF-fixdate)
std::string to_http_date(Timestamp time);

using SteadyTime = std::chrono::steady_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Timestamp now() const = 0;
  [[nodiscard]] virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override;
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

// Stands still until a test advances it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : start_(start) {}
  [[nodiscard]] Timestamp now() const override { return {start_.ms + elapsed_ms_.load()}; }
  [[nodiscard]] SteadyTime steady() const override {
    return SteadyTime{} + std::chrono::milliseconds(elapsed_ms_.load());
  }
  void advance(std::chrono::milliseconds by) { elapsed_ms_ += by.count(); }

 private:
  Timestamp start_;
  std::atomic<std::int64_t> elapsed_ms_{0};
};

}  // namespace andromede
