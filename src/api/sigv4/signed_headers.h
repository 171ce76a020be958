// Which header lines a signature covers. Looking the names up, and finding what is sent twice or not signed at all,
// costs n log n in what the client sent, whatever it sent. Not thread-safe; borrow the request.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "api/sigv4/errors.h"
#include "base/result.h"
#include "net/http.h"

namespace andromede::api::sigv4 {

// As many as a head may have lines (net).
inline constexpr std::size_t kMaxNames = 128;

// The lines of a head in the order of their names, ASCII case ignored.
class SortedHeaders {
 public:
  explicit SortedHeaders(const net::Headers& headers);

  [[nodiscard]] std::span<const net::Header* const> list() const { return lines_; }
  // Those of that name, in the order in which they were sent.
  [[nodiscard]] std::span<const net::Header* const> find(std::string_view name) const;

 private:
  std::vector<const net::Header*> lines_;
};

// "host;x-amz-date": the SignedHeaders of a signature.
class SignedHeaders {
 public:
  // At most kMaxNames names in lower case, each once and in order, as SigV4 has them ("Create a canonical request",
  // AWS). Otherwise an error of the code `malformed`.
  static Result<SignedHeaders> parse(std::string_view text, SigErrc malformed);

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] const std::vector<std::string_view>& names() const { return names_; }
  // ASCII case ignored.
  [[nodiscard]] bool has(std::string_view name) const;

 private:
  std::string_view text_;
  std::vector<std::string_view> names_;
};

// What is signed and what is used must be one value. kSentTwice: a header that is signed, or that decides something, in
// several lines; but for x-amz-meta-* and x-amz-object-attributes, whose lines are joined when signed and when used.
// kMissingSecurityHeader: host is not signed, or a name is that of no header.
// kHeadersNotSigned: an x-amz-* header that is not signed, so that anybody on the way could have added it.
// `presigned`: the signature is in the query. `fields`: which headers they are.
Status check_coverage(const SortedHeaders& headers, const SignedHeaders& names, bool presigned, RefusalFields& fields);

}  // namespace andromede::api::sigv4
