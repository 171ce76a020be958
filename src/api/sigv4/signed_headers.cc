#include "api/sigv4/signed_headers.h"

#include <algorithm>
#include <array>

#include "net/names.h"

namespace andromede::api::sigv4 {
namespace {

constexpr std::string_view kAmzPrefix = "x-amz-";
constexpr std::string_view kMetaPrefix = "x-amz-meta-";
// Headers outside x-amz-* that an operation goes by, signed or not.
constexpr std::array<std::string_view, 15> kDeciding = {"authorization",
                                                        "cache-control",
                                                        "content-disposition",
                                                        "content-encoding",
                                                        "content-language",
                                                        "content-md5",
                                                        "content-type",
                                                        "date",
                                                        "expires",
                                                        "if-match",
                                                        "if-none-match",
                                                        "if-range",
                                                        "if-modified-since",
                                                        "if-unmodified-since",
                                                        "range"};

// Headers of which all lines count, joined: what is signed is what is used.
bool is_list(std::string_view name) {
  return net::has_prefix(name, kMetaPrefix) || net::same_name(name, "x-amz-object-attributes");
}

bool decides(std::string_view name, const SignedHeaders& names) {
  return names.has(name) || std::any_of(kDeciding.begin(), kDeciding.end(),
                                        [name](std::string_view known) { return net::same_name(name, known); });
}

Status check_sent_once(const SortedHeaders& headers, const SignedHeaders& names) {
  const auto lines = headers.list();
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string_view name = lines[i]->name;
    if (!net::same_name(lines[i - 1]->name, name) || is_list(name) || !decides(name, names)) continue;
    return fail(SigErrc::kSentTwice, "The header " + std::string(name.substr(0, 100)) +
                                         " was sent more than once; a header that is signed, or decides something, "
                                         "must be sent once.");
  }
  return {};
}

}  // namespace

SortedHeaders::SortedHeaders(const net::Headers& headers) {
  lines_.reserve(headers.list().size());
  for (const net::Header& header : headers.list()) lines_.push_back(&header);
  // Lines of one name stay in the order sent: that of their addresses.
  std::sort(lines_.begin(), lines_.end(), [](const net::Header* a, const net::Header* b) {
    if (net::name_before(a->name, b->name)) return true;
    return !net::name_before(b->name, a->name) && a < b;
  });
}

std::span<const net::Header* const> SortedHeaders::find(std::string_view name) const {
  const auto first = std::lower_bound(lines_.begin(), lines_.end(), name, [](const net::Header* a, std::string_view b) {
    return net::name_before(a->name, b);
  });
  auto last = first;
  while (last != lines_.end() && net::same_name((*last)->name, name)) ++last;
  return {first, last};
}

Result<SignedHeaders> SignedHeaders::parse(std::string_view text, SigErrc malformed) {
  SignedHeaders out;
  out.text_ = text;
  const auto names = static_cast<std::size_t>(std::count(text.begin(), text.end(), ';')) + 1;
  if (names > kMaxNames) {
    return fail(malformed, "SignedHeaders has more than " + std::to_string(kMaxNames) + " names");
  }
  out.names_.reserve(names);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    const std::string_view name = text.substr(begin, end - begin);
    const bool lower_case = std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (name.empty() || !lower_case || (!out.names_.empty() && !(out.names_.back() < name))) {
      return fail(malformed,
                  "SignedHeaders must be names of headers in lower case, each once, in ascending order and separated "
                  "by ';'");
    }
    out.names_.push_back(name);
    begin = end + 1;
  }
  return out;
}

bool SignedHeaders::has(std::string_view name) const {
  return std::binary_search(names_.begin(), names_.end(), name, net::name_before);
}

Status check_coverage(const SortedHeaders& headers, const SignedHeaders& names, bool presigned, RefusalFields& fields) {
  if (!names.has("host")) {
    return fail(SigErrc::kMissingSecurityHeader, "Your request is missing a required header: host must be signed.");
  }
  CHECK_OK(check_sent_once(headers, names));
  for (const std::string_view name : names.names()) {
    if (!headers.find(name).empty()) continue;
    fields.emplace_back("MissingHeaderName", name);
    return fail(SigErrc::kMissingSecurityHeader,
                "Your request is missing a required header: SignedHeaders names one that was not sent.");
  }
  std::string unsigned_names;
  for (const net::Header* const header : headers.list()) {
    if (!net::has_prefix(header->name, kAmzPrefix) || names.has(header->name)) continue;
    // A presigned URL whose body is not signed stays usable by clients that always add the hash of what they send.
    if (presigned && net::same_name(header->name, "x-amz-content-sha256")) continue;
    if (!unsigned_names.empty()) unsigned_names.append(", ");
    unsigned_names.append(header->name);
  }
  if (unsigned_names.empty()) return {};
  fields.emplace_back("HeadersNotSigned", unsigned_names);
  return fail(SigErrc::kHeadersNotSigned, "There were headers present in the request which were not signed");
}

}  // namespace andromede::api::sigv4
