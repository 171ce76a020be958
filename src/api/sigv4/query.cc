#include "api/sigv4/query.h"

#include <algorithm>
#include <array>

#include "api/sigv4/errors.h"

namespace andromede::api::sigv4 {
namespace {

constexpr char kHexDigits[] = "0123456789ABCDEF";

constexpr std::array<bool, 256> make_unreserved() {
  std::array<bool, 256> table{};
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  for (const unsigned char c : {'-', '.', '_', '~'}) table[c] = true;
  return table;
}
constexpr auto kUnreserved = make_unreserved();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_encoded(std::string& out, unsigned char c, bool keep_slash) {
  if (kUnreserved[c] || (keep_slash && c == '/')) {
    out.push_back(static_cast<char>(c));
    return;
  }
  out.push_back('%');
  out.push_back(kHexDigits[c >> 4]);
  out.push_back(kHexDigits[c & 15]);
}

// The byte of the escape that starts at text[at], or -1.
int escaped_byte(std::string_view text, std::size_t at) {
  if (text.size() - at < 3) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Parameters that begin like a header's and stay what they are.
bool stays_in_query(std::string_view name) {
  for (const std::string_view known :
       {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature",
        "x-amz-security-token", "x-amz-content-sha256", "x-amz-sdk-checksum-algorithm", "x-amz-trailer",
        "x-amz-decoded-content-length", "x-amz-user-agent"}) {
    if (same_name(name, known)) return true;
  }
  return has_prefix(name, "x-amz-checksum-");
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";  // RFC 9110 section 5.6.2
  return std::all_of(name.begin(), name.end(), [kMarks](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7F) || byte == '\t';
  });
}

bool decode_into(std::string& out, std::string_view text) {
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int byte = escaped_byte(text, i);
      if (byte < 0) return false;
      out.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return true;
}

Status check_sent_once(const std::vector<Parameter>& list) {
  std::vector<std::string_view> names;
  names.reserve(list.size());
  for (const Parameter& parameter : list) names.push_back(parameter.name);
  std::sort(names.begin(), names.end());
  const auto again = std::adjacent_find(names.begin(), names.end());
  if (again == names.end()) return {};
  return fail(SigErrc::kSentTwice, "The query has the parameter " + std::string(again->substr(0, 100)) +
                                       " more than once; a parameter must be sent once.");
}

tl::unexpected<Error> two_values(std::string_view name) {
  return fail(SigErrc::kSentTwice,
              "The query and the headers, or the query in two spellings, have several values for " +
                  std::string(name.substr(0, 100)));
}

}  // namespace

Result<Query> Query::parse(std::string_view raw) {
  Query query;
  if (raw.empty()) return query;
  const auto pieces = static_cast<std::size_t>(std::count(raw.begin(), raw.end(), '&')) + 1;
  query.list_.reserve(std::min(pieces, kMaxNames));
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find('&'), raw.size());
    const std::string_view piece = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (piece.empty()) continue;
    if (query.list_.size() == kMaxNames) {
      return fail(SigErrc::kTooManyParameters, "The query has more than " + std::to_string(kMaxNames) + " parameters.");
    }
    const std::size_t equals = std::min(piece.find('='), piece.size());
    Parameter parameter;
    if (!decode_into(parameter.name, piece.substr(0, equals)) ||
        !decode_into(parameter.value, piece.substr(std::min(equals + 1, piece.size())))) {
      return fail(SigErrc::kInvalidUri, "the query has a broken percent escape");
    }
    query.list_.push_back(std::move(parameter));
  }
  if (query.list_.size() > 1) CHECK_OK(check_sent_once(query.list_));
  return query;
}

std::optional<std::string_view> Query::find(std::string_view name) const {
  for (const Parameter& parameter : list_) {
    if (parameter.name == name) return parameter.value;
  }
  return std::nullopt;
}

Result<std::vector<net::Header>> headers_in_query(const Query& query, const net::Headers& sent) {
  std::vector<net::Header> headers;
  for (const Parameter& parameter : query.list()) {
    if (!has_prefix(parameter.name, "x-amz-") || stays_in_query(parameter.name)) continue;
    if (const auto value = sent.find(parameter.name)) {
      if (*value != parameter.value) return two_values(parameter.name);
      continue;
    }
    if (!is_header_name(parameter.name) || !is_header_value(parameter.value)) {
      return fail(SigErrc::kQueryMalformed, "A query parameter stands for a header and has characters that none can");
    }
    if (same_name(parameter.name, "x-amz-copy-source")) {
      return fail(SigErrc::kQueryMalformed, "x-amz-copy-source must be sent as a header");
    }
    const bool again = std::any_of(headers.begin(), headers.end(), [&parameter](const net::Header& header) {
      return same_name(header.name, parameter.name);
    });
    if (again) return two_values(parameter.name);
    headers.push_back({parameter.name, parameter.value});
  }
  return headers;
}

void append_uri_encoded(std::string& out, std::string_view text, bool keep_slash) {
  for (const char c : text) append_encoded(out, static_cast<unsigned char>(c), keep_slash);
}

bool append_canonical_path(std::string& out, std::string_view raw_path) {
  if (raw_path.empty()) out.push_back('/');
  for (std::size_t i = 0; i < raw_path.size(); ++i) {
    int byte = static_cast<unsigned char>(raw_path[i]);
    if (byte == '%') {
      byte = escaped_byte(raw_path, i);
      if (byte < 0) return false;
      i += 2;
    }
    append_encoded(out, static_cast<unsigned char>(byte), true);
  }
  return true;
}

void append_canonical_query(std::string& out, const Query& query, std::string_view without) {
  if (query.list().empty()) return;
  std::vector<std::pair<std::string, std::string>> encoded;
  encoded.reserve(query.list().size());
  for (const Parameter& parameter : query.list()) {
    if (!without.empty() && parameter.name == without) continue;
    auto& [name, value] = encoded.emplace_back();
    append_uri_encoded(name, parameter.name, false);
    append_uri_encoded(value, parameter.value, false);
  }
  std::sort(encoded.begin(), encoded.end());
  bool first = true;
  for (const auto& [name, value] : encoded) {
    if (!first) out.push_back('&');
    first = false;
    out.append(name).append("=").append(value);
  }
}

}  // namespace andromede::api::sigv4
