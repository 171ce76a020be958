#include "base/clock.h"

#include <chrono>

namespace andromede {
namespace {

// Written out, because snprintf, strftime and gmtime_r (which takes a lock) are a visible part of a small request.
struct Utc {
  explicit Utc(Timestamp time) {
    const std::chrono::sys_time<std::chrono::milliseconds> point{std::chrono::milliseconds(time.ms)};
    const auto midnight = std::chrono::floor<std::chrono::days>(point);
    date = std::chrono::year_month_day(midnight);
    weekday = std::chrono::weekday(midnight).c_encoding();
    of_day = std::chrono::hh_mm_ss(point - midnight);
  }
  std::chrono::year_month_day date;
  unsigned weekday = 0;
  std::chrono::hh_mm_ss<std::chrono::milliseconds> of_day;
};

void append_digits(std::string& text, std::int64_t value, int width) {
  text.append(static_cast<std::size_t>(width), '0');
  for (char* digit = text.data() + text.size() - 1; width > 0; --width, --digit, value /= 10) {
    *digit = static_cast<char>('0' + value % 10);
  }
}

void append_time(std::string& text, const Utc& utc) {
  append_digits(text, utc.of_day.hours().count(), 2);
  text.push_back(':');
  append_digits(text, utc.of_day.minutes().count(), 2);
  text.push_back(':');
  append_digits(text, utc.of_day.seconds().count(), 2);
}

}  // namespace

std::string to_iso8601(Timestamp time) {
  const Utc utc(time);
  std::string text;
  text.reserve(24);
  append_digits(text, static_cast<int>(utc.date.year()), 4);
  text.push_back('-');
  append_digits(text, static_cast<unsigned>(utc.date.month()), 2);
  text.push_back('-');
  append_digits(text, static_cast<unsigned>(utc.date.day()), 2);
  text.push_back('T');
  append_time(text, utc);
  text.push_back('.');
  append_digits(text, utc.of_day.subseconds().count(), 3);
  text.push_back('Z');
  return text;
}

std::string to_http_date(Timestamp time) {
  static constexpr const char* kDays[] = {"Sun, ", "Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, "};
  static constexpr const char* kMonths[] = {" Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ",
                                            " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec "};
  const Utc utc(time);
  std::string text;
  text.reserve(29);
  text.append(kDays[utc.weekday]);
  append_digits(text, static_cast<unsigned>(utc.date.day()), 2);
  text.append(kMonths[static_cast<unsigned>(utc.date.month()) - 1]);
  append_digits(text, static_cast<int>(utc.date.year()), 4);
  text.push_back(' ');
  append_time(text, utc);
  text.append(" GMT");
  return text;
}

Timestamp SystemClock::now() const {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

}  // namespace andromede
