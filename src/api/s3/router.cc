#include "api/s3/router.h"

#include "api/s3/errors.h"
#include "api/sigv4/signed_headers.h"
#include "net/names.h"

namespace andromede::api::s3 {
namespace {

// "b" for "b.s3.example:8333" under the suffix "s3.example".
std::string_view bucket_of_host(std::string_view host, const std::vector<std::string>& suffixes) {
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  for (const std::string& suffix : suffixes) {
    if (host.size() <= suffix.size() + 1) continue;
    const std::size_t dot = host.size() - suffix.size() - 1;
    if (host[dot] == '.' && net::same_name(host.substr(dot + 1), suffix)) return host.substr(0, dot);
  }
  return {};
}

// A key goes into XML and onto other systems, so it is text: valid UTF-8 without NUL.
bool is_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead == 0) return false;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - i < length) return false;
    std::uint32_t point = lead & (0x7Fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0u) != 0x80u) return false;
      point = (point << 6) | (next & 0x3Fu);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || (point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return false;
    i += length;
  }
  return true;
}

}  // namespace

Result<Target> route(const net::RequestHead& head, const std::vector<std::string>& host_suffixes) {
  Target target;
  const std::string_view whole = head.target;
  const std::size_t question = std::min(whole.find('?'), whole.size());
  target.raw_path = whole.substr(0, question);
  if (!target.raw_path.starts_with('/')) return fail(S3Errc::kInvalidUri, "the target is not a path");
  if (question < whole.size()) {
    TRY(target.query, net::Query::parse(whole.substr(question + 1)));
  }
  Result<std::string> path = net::percent_decode(target.raw_path.substr(1), false);
  if (!path || !is_text(*path)) return fail(S3Errc::kInvalidUri, "the path is not percent-encoded UTF-8");

  if (!host_suffixes.empty()) target.bucket = bucket_of_host(head.headers.find("host").value_or(""), host_suffixes);
  if (!target.bucket.empty()) {
    target.key = std::move(*path);
  } else {
    const std::size_t slash = std::min(path->find('/'), path->size());
    target.bucket = path->substr(0, slash);
    // "//key" names a key of no bucket, not the service.
    if (target.bucket.empty() && !path->empty()) return fail(S3Errc::kInvalidUri, "a path without a bucket");
    target.key = path->substr(std::min(slash + 1, path->size()));
  }
  const Level level = target.bucket.empty() ? Level::kService : target.key.empty() ? Level::kBucket : Level::kObject;
  target.operation = find_operation(head, level, find_subresource(target.query), target.query);
  return target;
}

}  // namespace andromede::api::s3
