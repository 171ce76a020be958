// The query of a request target, decoded once and shared by signature check and routing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace andromede::api::sigv4 {

struct Parameter {
  std::string name;   // decoded
  std::string value;  // decoded; empty for "?acl" as for "?acl="
};

class Query {
 public:
  // `raw` is what stands behind '?'. '+' is a space, as HTML forms write it. SigErrc::kInvalidUri: a broken escape.
  static Result<Query> parse(std::string_view raw);

  [[nodiscard]] const std::vector<Parameter>& list() const { return list_; }
  // The value of the first parameter of that name (exact case).
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }

 private:
  std::vector<Parameter> list_;
};

// Appends the percent-encoding of `text`: everything but the unreserved characters of RFC 3986 (and '/', with
// `keep_slash`), upper-case hexadecimal, as SigV4 demands.
void append_uri_encoded(std::string& out, std::string_view text, bool keep_slash);

// Appends the canonical form of a raw request path: decoded once and encoded once. False: a broken escape.
[[nodiscard]] bool append_canonical_path(std::string& out, std::string_view raw_path);

// Appends the parameters encoded and in order, but for the one named `without`.
void append_canonical_query(std::string& out, const Query& query, std::string_view without);

}  // namespace andromede::api::sigv4
