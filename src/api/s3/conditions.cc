#include "api/s3/conditions.h"

#include <charconv>
#include <limits>

#include "api/sigv4/dates.h"

namespace andromede::api::s3 {
namespace {

// A number beyond 64 bits is beyond every object, and as good as the largest.
std::optional<std::uint64_t> parse_digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc::result_out_of_range) value = std::numeric_limits<std::uint64_t>::max();
  if (parsed.ec == std::errc::invalid_argument || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> text_of(std::optional<std::string_view> header) {
  if (!header || header->empty()) return std::nullopt;
  return std::string(*header);
}

std::optional<Timestamp> time_of(std::optional<std::string_view> header) {
  return header ? sigv4::parse_http_date(*header) : std::nullopt;
}

}  // namespace

objects::Conditions read_conditions(const net::Headers& headers) {
  return {.if_match = text_of(headers.find("if-match")),
          .if_none_match = text_of(headers.find("if-none-match")),
          .if_modified_since = time_of(headers.find("if-modified-since")),
          .if_unmodified_since = time_of(headers.find("if-unmodified-since"))};
}

std::optional<objects::RangeCondition> read_if_range(const net::Headers& headers) {
  const std::optional<std::string> text = text_of(headers.find("if-range"));
  if (!text) return std::nullopt;
  // An ETag is quoted, a date is not; what is neither matches nothing, so that the range is ignored.
  return objects::RangeCondition{.etag = *text, .modified = time_of(text)};
}

objects::Conditions read_copy_source_conditions(const net::Headers& headers) {
  return {.if_match = text_of(headers.find("x-amz-copy-source-if-match")),
          .if_none_match = text_of(headers.find("x-amz-copy-source-if-none-match")),
          .if_modified_since = time_of(headers.find("x-amz-copy-source-if-modified-since")),
          .if_unmodified_since = time_of(headers.find("x-amz-copy-source-if-unmodified-since"))};
}

std::optional<objects::ByteRange> parse_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  objects::ByteRange range;
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = text.substr(dash + 1);
  if (!first.empty()) {
    range.first = parse_digits(first);
    if (!range.first) return std::nullopt;
  }
  if (!last.empty()) {
    range.last = parse_digits(last);
    if (!range.last) return std::nullopt;
  }
  if (!range.first && !range.last) return std::nullopt;
  if (range.first && range.last && *range.first > *range.last) return std::nullopt;
  return range;
}

std::optional<objects::ByteRange> parse_copy_range(std::string_view text) {
  std::optional<objects::ByteRange> range = parse_range(text);
  if (!range || !range->first || !range->last) return std::nullopt;
  return range;
}

}  // namespace andromede::api::s3
