// Percent-encoding (RFC 3986 section 2.1) and what is written with it: the query of a request target, and the bodies of
// HTML forms, which look alike. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/result.h"

namespace andromede::net {

enum class QueryErrc {
  kBrokenEscape = 1,   // a '%' without two hexadecimal digits behind it
  kTooManyParameters,  // more than the caller takes
  kSentTwice,          // one name, several values
};

const std::error_category& query_category() noexcept;
inline std::error_code make_error_code(QueryErrc code) noexcept { return {static_cast<int>(code), query_category()}; }

struct Parameter {
  std::string name;   // decoded
  std::string value;  // decoded; empty for "?acl" as for "?acl="
};

class Query {
 public:
  static constexpr std::size_t kMaxParameters = 128;  // of a request target

  // `raw` is what stands behind '?', or the body of a form. '+' is a space, as HTML forms write it. QueryErrc: a broken
  // escape; more than `most` parameters; a name again, however it is escaped: a signature sorts what it covers, so
  // whoever carries the request could choose which value counts.
  static Result<Query> parse(std::string_view raw, std::size_t most = kMaxParameters);

  // In the order sent.
  [[nodiscard]] const std::vector<Parameter>& list() const { return list_; }
  // The value of the parameter of that name (exact case).
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }

 private:
  std::vector<Parameter> list_;
};

// Appends the encoding of `text`: everything but the unreserved characters (and '/', with `keep_slash`), upper-case
// hexadecimal, as SigV4 demands.
void append_percent_encoded(std::string& out, std::string_view text, bool keep_slash);
std::string percent_encode(std::string_view text, bool keep_slash);
// QueryErrc::kBrokenEscape.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace andromede::net

template <>
struct std::is_error_code_enum<andromede::net::QueryErrc> : std::true_type {};
