#include "net/dates.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <vector>

namespace andromede::net {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// All of `text` as a decimal number.
std::optional<int> number(std::string_view text) {
  if (text.empty() || text.size() > 6) return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

struct Fields {
  std::optional<int> year, month, day, hour, minute, second;
};

std::optional<Timestamp> to_timestamp(const Fields& fields) {
  if (!fields.year || !fields.month || !fields.day || !fields.hour || !fields.minute || !fields.second) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{*fields.year},
                                         std::chrono::month{static_cast<unsigned>(*fields.month)},
                                         std::chrono::day{static_cast<unsigned>(*fields.day)}};
  // 60 is a leap second, which the calendar of Unix time folds into the next minute.
  if (!date.ok() || *fields.hour > 23 || *fields.minute > 59 || *fields.second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = days * 86400 + *fields.hour * 3600 + *fields.minute * 60 + *fields.second;
  return Timestamp{seconds * 1000};
}

std::optional<int> month_of(std::string_view name) {
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (kMonths[i] == name) return static_cast<int>(i) + 1;
  }
  return std::nullopt;
}

void set_time(Fields& fields, std::string_view text) {
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return;
  fields.hour = number(text.substr(0, 2));
  fields.minute = number(text.substr(3, 2));
  fields.second = number(text.substr(6, 2));
}

// At most seven words separated by spaces.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty() && words.size() < 7) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

bool is_utc(std::string_view zone) { return zone == "GMT" || zone == "UTC" || zone == "+0000" || zone == "-0000"; }

}  // namespace

std::optional<Timestamp> parse_iso8601_basic(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  Fields fields;
  fields.year = number(text.substr(0, 4));
  fields.month = number(text.substr(4, 2));
  fields.day = number(text.substr(6, 2));
  fields.hour = number(text.substr(9, 2));
  fields.minute = number(text.substr(11, 2));
  fields.second = number(text.substr(13, 2));
  return to_timestamp(fields);
}

std::string to_iso8601_basic(Timestamp time) {
  const std::string iso = to_iso8601(time);  // 2013-05-24T00:00:00.000Z
  std::string out;
  for (const char c : std::string_view(iso).substr(0, 19)) {
    if (c != '-' && c != ':') out.push_back(c);
  }
  out.push_back('Z');
  return out;
}

std::optional<Timestamp> parse_http_date(std::string_view text) {
  const std::vector<std::string_view> words = words_of(text);
  Fields fields;
  if (words.size() == 6 && words[0].size() == 4 && words[0][3] == ',' && is_utc(words[5])) {
    // Sun, 06 Nov 1994 08:49:37 GMT
    fields.day = number(words[1]);
    fields.month = month_of(words[2]);
    fields.year = number(words[3]);
    set_time(fields, words[4]);
  } else if (words.size() == 4 && words[1].size() == 9 && is_utc(words[3])) {
    // Sunday, 06-Nov-94 08:49:37 GMT
    fields.day = number(words[1].substr(0, 2));
    fields.month = month_of(words[1].substr(3, 3));
    const std::optional<int> year = number(words[1].substr(7, 2));
    if (year) fields.year = *year < 70 ? 2000 + *year : 1900 + *year;
    set_time(fields, words[2]);
  } else if (words.size() == 5) {
    // Sun Nov  6 08:49:37 1994
    fields.month = month_of(words[1]);
    fields.day = number(words[2]);
    set_time(fields, words[3]);
    fields.year = number(words[4]);
  }
  return to_timestamp(fields);
}

std::optional<Timestamp> parse_iso8601(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text.back() != 'Z') {
    return std::nullopt;
  }
  Fields fields;
  fields.year = number(text.substr(0, 4));
  fields.month = number(text.substr(5, 2));
  fields.day = number(text.substr(8, 2));
  set_time(fields, text.substr(11, 8));
  std::optional<Timestamp> time = to_timestamp(fields);
  if (!time || text.size() == 20) return time;
  const std::string_view fraction = text.substr(20, text.size() - 21);
  if (text[19] != '.' || fraction.size() > 9) return std::nullopt;
  std::string milliseconds(fraction.substr(0, 3));
  milliseconds.resize(3, '0');
  const std::optional<int> ms = number(milliseconds);
  if (!ms) return std::nullopt;
  time->ms += *ms;
  return time;
}

}  // namespace andromede::net
