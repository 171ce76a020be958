#include "api/sigv4/canonical.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "api/sigv4/errors.h"
#include "base/bytes.h"
#include "crypto/digest.h"

namespace andromede::api::sigv4 {
namespace {

bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

// Trimmed, inner runs of white space as one space: what SDKs sign.
void append_folded(std::string& out, std::string_view value) {
  bool gap = false;
  bool any = false;
  for (const char c : value) {
    if (is_space(c)) {
      gap = any;
      continue;
    }
    if (gap) out.push_back(' ');
    gap = false;
    any = true;
    out.push_back(c);
  }
}

void append_header(std::string& out, const SortedHeaders& headers, std::string_view name) {
  out.append(name).push_back(':');
  bool first = true;
  for (const net::Header* const line : headers.find(name)) {
    if (!first) out.push_back(',');
    first = false;
    append_folded(out, line->value);
  }
  out.push_back('\n');
}

}  // namespace

bool append_canonical_path(std::string& out, std::string_view raw_path) {
  if (raw_path.empty()) out.push_back('/');
  const Result<std::string> path = net::percent_decode(raw_path, false);
  if (path) net::append_percent_encoded(out, *path, true);
  return path.has_value();
}

void append_canonical_query(std::string& out, const net::Query& query, std::string_view without) {
  if (query.list().empty()) return;
  std::vector<std::pair<std::string, std::string>> encoded;
  encoded.reserve(query.list().size());
  for (const net::Parameter& parameter : query.list()) {
    if (!without.empty() && parameter.name == without) continue;
    auto& [name, value] = encoded.emplace_back();
    net::append_percent_encoded(name, parameter.name, false);
    net::append_percent_encoded(value, parameter.value, false);
  }
  std::sort(encoded.begin(), encoded.end());
  bool first = true;
  for (const auto& [name, value] : encoded) {
    if (!first) out.push_back('&');
    first = false;
    out.append(name).append("=").append(value);
  }
}

Result<std::string> canonical_request(const CanonicalInput& input) {
  std::string out;
  out.reserve(1024);
  out.append(input.method).push_back('\n');
  if (!append_canonical_path(out, input.raw_path)) {
    return fail(SigErrc::kInvalidUri, "the path has a broken percent escape");
  }
  out.push_back('\n');
  append_canonical_query(out, *input.query, input.query_without);
  out.push_back('\n');
  for (const std::string_view name : input.signed_headers->names()) append_header(out, *input.headers, name);
  out.push_back('\n');
  out.append(input.signed_headers->text()).push_back('\n');
  out.append(input.payload_hash);
  return out;
}

std::string string_to_sign(std::string_view amz_date, std::string_view scope, std::string_view canonical_request) {
  std::string out;
  out.reserve(200);
  out.append("AWS4-HMAC-SHA256\n").append(amz_date).push_back('\n');
  out.append(scope).push_back('\n');
  out.append(to_hex(crypto::sha256(as_bytes(canonical_request))));
  return out;
}

}  // namespace andromede::api::sigv4
