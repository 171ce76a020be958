// The forms of time in S3 requests.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace andromede::api::sigv4 {

// "20130524T000000Z", ISO 8601 basic, as x-amz-date has it.
std::optional<Timestamp> parse_amz_date(std::string_view text);
std::string to_amz_date(Timestamp time);
// RFC 9110 section 5.6.7: IMF-fixdate, and the two obsolete forms that a recipient must accept; zones GMT and UTC.
std::optional<Timestamp> parse_http_date(std::string_view text);
// "2013-05-24T00:00:00Z", "2013-05-24T00:00:00.000Z".
std::optional<Timestamp> parse_iso8601(std::string_view text);

}  // namespace andromede::api::sigv4
