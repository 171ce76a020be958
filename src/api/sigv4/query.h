// The query of a request target, decoded once and shared by signature check and routing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/sigv4/signed_headers.h"
#include "base/result.h"
#include "net/http.h"

namespace andromede::api::sigv4 {

struct Parameter {
  std::string name;   // decoded
  std::string value;  // decoded; empty for "?acl" as for "?acl="
};

class Query {
 public:
  // `raw` is what stands behind '?'. '+' is a space, as HTML forms write it. Errors: kInvalidUri (a broken escape),
  // kTooManyParameters (over kMaxNames), kSentTwice (a name again, however it is escaped: the signature sorts what it
  // covers, so whoever carries the request could choose which value counts).
  static Result<Query> parse(std::string_view raw);

  [[nodiscard]] const std::vector<Parameter>& list() const { return list_; }
  // The value of the parameter of that name (exact case).
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }

 private:
  std::vector<Parameter> list_;
};

// The x-amz-* parameters of a presigned query that S3 takes for headers, since presigners move headers there: those
// that `sent` does not have itself, with the same value (docs/adr/0070-s3-dialect.md). Those of the signature are none,
// nor are checksums and what else speaks of a body that the presigner did not know. SigErrc::kQueryMalformed: a name or
// value that no header can have, or a header that must be sent as one (x-amz-copy-source decides which operation it
// is). kSentTwice: another value than the header's, or a name in two spellings.
Result<std::vector<net::Header>> headers_in_query(const Query& query, const net::Headers& sent);

// Appends the percent-encoding of `text`: everything but the unreserved characters of RFC 3986 (and '/', with
// `keep_slash`), upper-case hexadecimal, as SigV4 demands.
void append_uri_encoded(std::string& out, std::string_view text, bool keep_slash);

// Appends the canonical form of a raw request path: decoded once and encoded once. False: a broken escape.
[[nodiscard]] bool append_canonical_path(std::string& out, std::string_view raw_path);

// Appends the parameters encoded and in order, but for the one named `without`.
void append_canonical_query(std::string& out, const Query& query, std::string_view without);

}  // namespace andromede::api::sigv4
