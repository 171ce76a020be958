// Numbers, truth values and times as XML documents and forms write them (Smithy, "XML bindings").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/protocols/shape.h"
#include "base/clock.h"
#include "base/result.h"

namespace andromede::api::protocols {

// ShapeErrc::kInvalid, naming `path`.
Result<bool> parse_boolean(std::string_view text, std::string_view path);
Result<std::int64_t> parse_integer(std::string_view text, std::string_view path);
Result<double> parse_number(std::string_view text, std::string_view path);  // "NaN", "Infinity" and "-Infinity" too
Result<Timestamp> parse_time(std::string_view text, TimeFormat format, std::string_view path);
// Seconds since 1970, to the millisecond. kInvalid: no time that there is.
Result<Timestamp> time_of_seconds(double seconds, std::string_view path);

// The shortest text that is read back as the same number.
std::string format_number(double number);
// Fractions of a second only where there are any.
std::string format_time(Timestamp time, TimeFormat format);

// What a place of a document (reader.h) reads from its text, where all values are texts.
template <typename Node>
class TextScalars {
 public:
  [[nodiscard]] Result<bool> boolean() const {
    TRY(const std::string text, node().text());
    return parse_boolean(text, node().path());
  }
  [[nodiscard]] Result<std::int64_t> integer() const {
    TRY(const std::string text, node().text());
    return parse_integer(text, node().path());
  }
  [[nodiscard]] Result<double> number() const {
    TRY(const std::string text, node().text());
    return parse_number(text, node().path());
  }
  [[nodiscard]] Result<Timestamp> time(TimeFormat format) const {
    TRY(const std::string text, node().text());
    return parse_time(text, format, node().path());
  }

 private:
  [[nodiscard]] const Node& node() const { return static_cast<const Node&>(*this); }
};

}  // namespace andromede::api::protocols
