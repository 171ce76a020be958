// What listings share: encoding-type, and continuation tokens that tell a client nothing to rely on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/s3/request.h"

namespace andromede::api::s3 {

// Writes names as they are, or percent-encoded where the client asked for encoding-type=url (XML cannot hold them all).
class NameEncoder {
 public:
  // S3Errc::kInvalidArgument: another encoding than "url".
  static Result<NameEncoder> of(Request& request);
  [[nodiscard]] std::string encode(std::string_view name) const;
  [[nodiscard]] bool url() const { return url_; }

 private:
  bool url_ = false;
};

// What a listing of so many names takes at most: the page, its names and some hundred bytes for each, and the document,
// names of which every character is escaped and some hundred bytes of other fields.
std::size_t most_listing_bytes(const Request& request, std::size_t names);

// And of a part, as it is listed and in the document.
inline constexpr std::size_t kMostPartBytes = 640;

// The CommonPrefixes of a listing. All are borrowed.
Task<void> write_common_prefixes(codec::XmlWriter& xml, const std::vector<std::string>& prefixes,
                                 const NameEncoder& names);

// "1" and the name to continue behind, in base64 fit for a URL.
std::string make_token(std::string_view after);
// Nullopt: not one of ours.
std::optional<std::string> parse_token(std::string_view token);
// The token of parameter `name`, or nullopt when it is absent or empty. S3Errc::kInvalidArgument: not one of ours.
Result<std::optional<std::string>> read_token(Request& request, std::string_view name);

}  // namespace andromede::api::s3
