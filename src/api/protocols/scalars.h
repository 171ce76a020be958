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

}  // namespace andromede::api::protocols
