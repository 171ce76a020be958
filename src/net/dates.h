// The forms of time in HTTP requests and in the documents that they carry. to_iso8601() and to_http_date() are in
// base/clock.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace andromede::net {

// "20130524T000000Z", ISO 8601's basic format, as x-amz-date has it.
std::optional<Timestamp> parse_iso8601_basic(std::string_view text);
std::string to_iso8601_basic(Timestamp time);
// RFC 9110 section 5.6.7: IMF-fixdate, and the two obsolete forms that a recipient must accept; zones GMT and UTC.
std::optional<Timestamp> parse_http_date(std::string_view text);
// "2013-05-24T00:00:00Z", "2013-05-24T00:00:00.000Z".
std::optional<Timestamp> parse_iso8601(std::string_view text);

}  // namespace andromede::net
