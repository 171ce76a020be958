#include "api/s3/pagination.h"

#include "base/stretch.h"
#include "net/query.h"

namespace andromede::api::s3 {
namespace {
constexpr char kTokenVersion = '1';
}  // namespace

Result<NameEncoder> NameEncoder::of(Request& request) {
  NameEncoder encoder;
  const auto type = request.parameter("encoding-type");
  if (!type || type->empty()) return encoder;
  if (*type != "url") {
    return request.bad_argument("encoding-type", *type, "Invalid Encoding Method specified in Request");
  }
  encoder.url_ = true;
  return encoder;
}

std::string NameEncoder::encode(std::string_view name) const {
  std::string out;
  if (url_) {
    net::append_percent_encoded(out, name, true);
  } else {
    out = name;
  }
  return out;
}

std::size_t most_listing_bytes(const Request& request, std::size_t names) {
  return names * ((1 + kMostEscapedBytes) * objects::kMaxKeyBytes +
                  2 * kMostEscapedBytes * request.account().display_name.size() + 1024);
}

Task<void> write_common_prefixes(codec::XmlWriter& xml, const std::vector<std::string>& prefixes,
                                 const NameEncoder& names) {
  Stretch stretch;
  for (const std::string& prefix : prefixes) {
    co_await stretch.pause();
    xml.open("CommonPrefixes");
    xml.element("Prefix", names.encode(prefix));
    xml.close();
  }
}

std::string make_token(std::string_view after) {
  std::string plain(1, kTokenVersion);
  plain.append(after);
  std::string token = to_base64(as_bytes(plain));
  for (char& c : token) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  while (token.ends_with('=')) token.pop_back();
  return token;
}

std::optional<std::string> parse_token(std::string_view token) {
  std::string text(token);
  for (char& c : text) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  while (text.size() % 4 != 0) text.push_back('=');
  const Result<Bytes> plain = from_base64(text);
  if (!plain || plain->empty() || plain->front() != kTokenVersion) return std::nullopt;
  return std::string(as_text(*plain).substr(1));
}

Result<std::optional<std::string>> read_token(Request& request, std::string_view name) {
  const auto text = request.parameter(name);
  if (!text || text->empty()) return std::optional<std::string>{};
  std::optional<std::string> after = parse_token(*text);
  if (!after) {
    return request.bad_argument(std::string(name), *text, "The continuation token provided is incorrect");
  }
  return after;
}

}  // namespace andromede::api::s3
