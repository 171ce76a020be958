#include "api/protocols/scalars.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "net/dates.h"

namespace andromede::api::protocols {
namespace {

// In the year 9999, the last that ISO 8601 and HTTP can write.
constexpr double kLastSecond = 253'402'300'799;

tl::unexpected<Error> invalid(std::string_view path, std::string_view what) {
  return fail(ShapeErrc::kInvalid, std::string(path) + " is not " + std::string(what));
}

template <typename T>
bool parse_all(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

Result<bool> parse_boolean(std::string_view text, std::string_view path) {
  if (text == "true") return true;
  if (text == "false") return false;
  return invalid(path, "true or false");
}

Result<std::int64_t> parse_integer(std::string_view text, std::string_view path) {
  std::int64_t value = 0;
  if (!parse_all(text, value)) return invalid(path, "a whole number");
  return value;
}

Result<double> parse_number(std::string_view text, std::string_view path) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  double value = 0;
  if (!parse_all(text, value) || !std::isfinite(value)) return invalid(path, "a number");
  return value;
}

Result<Timestamp> time_of_seconds(double seconds, std::string_view path) {
  if (!(std::abs(seconds) <= kLastSecond)) return invalid(path, "a time");
  return Timestamp{std::llround(seconds * 1000)};
}

Result<Timestamp> parse_time(std::string_view text, TimeFormat format, std::string_view path) {
  if (format == TimeFormat::kEpochSeconds) {
    TRY(const double seconds, parse_number(text, path));
    return time_of_seconds(seconds, path);
  }
  const auto time = format == TimeFormat::kHttpDate ? net::parse_http_date(text) : net::parse_iso8601(text);
  if (!time) return invalid(path, "a time");
  return *time;
}

std::string format_number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), end};
}

std::string format_time(Timestamp time, TimeFormat format) {
  if (format == TimeFormat::kHttpDate) return to_http_date(time);
  if (format == TimeFormat::kEpochSeconds) {
    return time.ms % 1000 == 0 ? std::to_string(time.ms / 1000) : format_number(static_cast<double>(time.ms) / 1000);
  }
  std::string text = to_iso8601(time);
  if (time.ms % 1000 == 0) text.erase(19, 4);
  return text;
}

}  // namespace andromede::api::protocols
