#include "base/clock.h"

#include <cstdio>
#include <ctime>

namespace andromede {
namespace {

std::tm to_utc(Timestamp time, int& milliseconds) {
  std::int64_t seconds = time.ms / 1000;
  milliseconds = static_cast<int>(time.ms % 1000);
  if (milliseconds < 0) {
    milliseconds += 1000;
    --seconds;
  }
  const std::time_t value = seconds;
  std::tm utc{};
  gmtime_r(&value, &utc);
  return utc;
}

}  // namespace

std::string to_iso8601(Timestamp time) {
  int milliseconds = 0;
  const std::tm utc = to_utc(time, milliseconds);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, milliseconds);
  return text;
}

std::string to_http_date(Timestamp time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int milliseconds = 0;
  const std::tm utc = to_utc(time, milliseconds);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[utc.tm_wday], utc.tm_mday,
                kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return text;
}

Timestamp SystemClock::now() const {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

}  // namespace andromede
