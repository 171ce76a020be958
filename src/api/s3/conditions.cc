#include "api/s3/conditions.h"

#include <charconv>
#include <limits>

#include "net/dates.h"

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
  return header ? net::parse_http_date(*header) : std::nullopt;
}

constexpr std::string_view kIfMatch = "If-Match";
constexpr std::string_view kIfNoneMatch = "If-None-Match";

tl::unexpected<Error> not_offered(Request& request, std::string header, std::string why) {
  request.error_fields.emplace_back("Header", std::move(header));
  request.error_fields.emplace_back("additionalMessage", std::move(why));
  return fail(S3Errc::kNotImplemented, "a condition that this operation does not take");
}

Status refuse(Request& request, std::initializer_list<std::string_view> headers) {
  for (const std::string_view name : headers) {
    if (request.header(name)) return not_offered(request, std::string(name), "This operation takes no such condition");
  }
  return {};
}

tl::unexpected<Error> bad_value(Request& request, std::string_view header) {
  return not_offered(request, std::string(header),
                     "We don't accept the provided value of " + std::string(header) + " header for this API");
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

Result<objects::Conditions> read_write_conditions(Request& request) {
  CHECK_OK(refuse(request, {"If-Modified-Since", "If-Unmodified-Since"}));
  const auto match = request.header(kIfMatch);
  const auto none_match = request.header(kIfNoneMatch);
  if (match && none_match) {
    return not_offered(request, "If-Match,If-None-Match",
                       "Multiple conditional request headers present in the request");
  }
  if (match && (match->empty() || *match == "*")) return bad_value(request, kIfMatch);
  if (none_match && *none_match != "*") return bad_value(request, kIfNoneMatch);
  return objects::Conditions{.if_match = text_of(match),
                             .if_none_match = text_of(none_match),
                             .if_modified_since = {},
                             .if_unmodified_since = {}};
}

Result<objects::Conditions> read_delete_conditions(Request& request) {
  CHECK_OK(refuse(request, {kIfNoneMatch, "If-Modified-Since", "If-Unmodified-Since"}));
  const auto match = request.header(kIfMatch);
  if (match && match->empty()) return bad_value(request, kIfMatch);
  return objects::Conditions{
      .if_match = text_of(match), .if_none_match = {}, .if_modified_since = {}, .if_unmodified_since = {}};
}

Status refuse_conditions(Request& request) {
  return refuse(request, {kIfMatch, kIfNoneMatch, "If-Modified-Since", "If-Unmodified-Since"});
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
