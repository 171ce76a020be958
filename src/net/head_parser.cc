#include "net/head_parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "net/names.h"

namespace andromede::net {
namespace {

using ByteSet = std::array<bool, 256>;

constexpr ByteSet alphanumerics_and(std::string_view more) {
  ByteSet set{};
  for (unsigned byte = '0'; byte <= '9'; ++byte) set[byte] = true;
  for (unsigned byte = 'A'; byte <= 'Z'; ++byte) set[byte] = true;
  for (unsigned byte = 'a'; byte <= 'z'; ++byte) set[byte] = true;
  for (const char c : more) set[static_cast<unsigned char>(c)] = true;
  return set;
}

constexpr ByteSet range_without(unsigned first, unsigned last, std::string_view without) {
  ByteSet set{};
  for (unsigned byte = first; byte <= last; ++byte) set[byte] = true;
  for (const char c : without) set[static_cast<unsigned char>(c)] = false;
  return set;
}

constexpr ByteSet value_bytes() {
  ByteSet set = range_without(0x20, 0xFF, "\x7F");
  set['\t'] = true;
  return set;
}

constexpr ByteSet kTokenBytes = alphanumerics_and("!#$%&'*+-.^_`|~");
// Browsers leave some characters unescaped that RFC 3986 does not allow ('|', '{'); they do no harm to the framing.
constexpr ByteSet kTargetBytes = range_without(0x21, 0x7E, "\"<>#");
constexpr ByteSet kValueBytes = value_bytes();
constexpr ByteSet kHostBytes = alphanumerics_and("-._~%:[]");

bool has(const ByteSet& set, char c) { return set[static_cast<unsigned char>(c)]; }
bool all_in(const ByteSet& set, std::string_view text) {
  return std::all_of(text.begin(), text.end(), [&set](char c) { return has(set, c); });
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

using Parsed = tl::expected<void, ProtocolError>;

tl::unexpected<ProtocolError> refuse(unsigned status, std::string_view message) {
  return tl::unexpected<ProtocolError>(ProtocolError{status, message});
}

// Takes the next line, without its CRLF, off `text`. The scanner has seen a CRLF at the end of every line.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end - 1);
  text.remove_prefix(end + 1);
  return line;
}

Parsed parse_version(std::string_view version, RequestFraming& framing) {
  if (version == "HTTP/1.1") return {};
  if (version == "HTTP/1.0") {
    framing.http_1_0 = true;
    framing.keep_alive = false;
    return {};
  }
  const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") && version[5] >= '0' &&
                           version[5] <= '9' && version[6] == '.' && version[7] >= '0' && version[7] <= '9';
  if (!well_formed) return refuse(400, "The request line is malformed.");
  return refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
}

// Absolute-form ("http://host/path") becomes origin-form; `authority` is what it named, to be compared with Host.
Parsed parse_target(std::string_view target, RequestHead& head, std::string_view& authority) {
  if (target.empty() || !all_in(kTargetBytes, target)) return refuse(400, "The request target has invalid characters.");
  if (target.front() == '/' || (target == "*" && head.method == "OPTIONS")) {
    head.target = target;
    return {};
  }
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (target.size() <= scheme.size() || !same_name(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    authority = target.substr(0, end);
    if (authority.empty()) break;
    target.remove_prefix(end);
    head.target = target.starts_with('/') ? "" : "/";
    head.target += target;
    return {};
  }
  return refuse(400, "The request target must be a path.");
}

Parsed parse_request_line(std::string_view line, ParsedHead& parsed, std::string_view& authority) {
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end <= method_end) {
    return refuse(400, "The request line is malformed.");
  }
  const std::string_view method = line.substr(0, method_end);
  if (method.empty() || method.size() > kMaxMethodBytes || !all_in(kTokenBytes, method)) {
    return refuse(400, "The request method is malformed.");
  }
  parsed.head.method = method;
  if (auto version = parse_version(line.substr(target_end + 1), parsed.framing); !version) return version;
  return parse_target(line.substr(method_end + 1, target_end - method_end - 1), parsed.head, authority);
}

// What the headers that decide about framing say, gathered before it is judged.
struct FramingHeaders {
  unsigned hosts = 0;
  std::string_view host;
  unsigned content_lengths = 0;
  unsigned transfer_encodings = 0;
  std::string_view transfer_encoding;
  bool close = false;
  bool keep_alive = false;
  bool expects_continue = false;
};

Parsed note_framing_header(std::string_view name, std::string_view value, FramingHeaders& seen,
                           RequestFraming& framing) {
  // The length tells nearly every other header apart without comparing it.
  switch (name.size()) {
    case 4:
      if (same_name(name, "host")) {
        ++seen.hosts;
        seen.host = value;
      }
      break;
    case 6:
      if (same_name(name, "expect")) {
        // RFC 9110, 10.1.1 allows 417 for another expectation; S3 ignores it, and clients rely on that.
        if (same_name(value, "100-continue")) seen.expects_continue = true;
      }
      break;
    case 10:
      if (same_name(name, "connection")) {
        seen.close = seen.close || list_has_token(value, "close");
        seen.keep_alive = seen.keep_alive || list_has_token(value, "keep-alive");
      }
      break;
    case 14:
      if (same_name(name, "content-length")) {
        ++seen.content_lengths;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), framing.content_length);
        // from_chars takes no sign for an unsigned number and no blank.
        if (value.empty() || error != std::errc{} || end != value.data() + value.size() ||
            framing.content_length > static_cast<std::uint64_t>(INT64_MAX)) {
          return refuse(400, "The Content-Length is not a number of bytes.");
        }
      }
      break;
    case 17:
      if (same_name(name, "transfer-encoding")) {
        ++seen.transfer_encodings;
        seen.transfer_encoding = value;
      }
      break;
    default:
      break;
  }
  return {};
}

Parsed judge_host(const FramingHeaders& seen, std::string_view authority, bool http_1_0) {
  if (seen.hosts > 1) return refuse(400, "There is more than one Host header.");
  if (seen.hosts == 0 && !http_1_0) return refuse(400, "The Host header is missing.");
  if (!all_in(kHostBytes, seen.host)) return refuse(400, "The Host header has invalid characters.");
  if (!authority.empty() && !same_name(authority, seen.host)) {
    return refuse(400, "The request target and the Host header name different hosts.");
  }
  return {};
}

Parsed judge_framing(const FramingHeaders& seen, RequestFraming& framing) {
  if (seen.content_lengths > 1) return refuse(400, "There is more than one Content-Length header.");
  if (seen.transfer_encodings > 0) {
    if (seen.content_lengths > 0) return refuse(400, "Content-Length and Transfer-Encoding exclude each other.");
    if (framing.http_1_0) return refuse(400, "HTTP/1.0 has no Transfer-Encoding.");
    if (seen.transfer_encodings > 1) return refuse(400, "There is more than one Transfer-Encoding header.");
    if (!same_name(seen.transfer_encoding, "chunked")) {
      return refuse(501, "The only transfer coding understood is chunked.");
    }
    framing.chunked = true;
  }
  framing.has_content_length = seen.content_lengths == 1;
  framing.keep_alive = !seen.close && (!framing.http_1_0 || seen.keep_alive);
  // RFC 9110, 10.1.1 allows no 100 where there is no content, but for an empty file botocore (aws cli, boto3) expects
  // it: it takes a final response that comes first for refusal, and misreads the next one on that connection.
  const bool announces_body = framing.chunked || framing.has_content_length;
  framing.expects_continue = seen.expects_continue && announces_body && !framing.http_1_0;
  return {};
}

}  // namespace

tl::expected<bool, ProtocolError> HeadScanner::scan(std::string_view received) {
  if (begin_ == 0 && received.starts_with("\r\n")) begin_ = line_start_ = scanned_ = 2;
  if (received.size() > begin_) {
    // Something else than HTTP (a TLS handshake, say) is told so at once rather than after a timeout. A CR may be the
    // first half of the empty line that is ignored.
    const bool may_be_empty_line = begin_ == 0 && received == "\r";
    if (!has(kTokenBytes, received[begin_]) && !may_be_empty_line) return refuse(400, "This is not an HTTP request.");
  }
  while (scanned_ < received.size()) {
    const std::size_t end = received.find('\n', scanned_);
    if (end == std::string_view::npos) {
      scanned_ = received.size();
      break;
    }
    if (end == line_start_ || received[end - 1] != '\r') return refuse(400, "A line of the head does not end in CRLF.");
    const bool empty = end - 1 == line_start_;
    scanned_ = line_start_ = end + 1;
    if (scanned_ - begin_ > limit_bytes_) break;
    if (empty) return true;
  }
  // At the limit and not whole: it cannot end within.
  if (scanned_ - begin_ >= limit_bytes_) return refuse(431, "The head of the request is too long.");
  return false;
}

tl::expected<ParsedHead, ProtocolError> parse_head(std::string_view text) {
  ParsedHead parsed;
  FramingHeaders seen;
  std::string_view authority;
  if (auto line = parse_request_line(take_line(text), parsed, authority); !line) {
    return tl::unexpected<ProtocolError>(line.error());
  }
  for (std::size_t count = 0;; ++count) {
    const std::string_view line = take_line(text);
    if (line.empty()) break;
    if (count == kMaxHeaders) return refuse(431, "There are too many headers.");
    if (line.front() == ' ' || line.front() == '\t') return refuse(400, "A header is folded over several lines.");
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || !all_in(kTokenBytes, line.substr(0, colon))) {
      return refuse(400, "The name of a header is malformed.");
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (!all_in(kValueBytes, value)) return refuse(400, "The value of a header has invalid characters.");
    if (auto noted = note_framing_header(name, value, seen, parsed.framing); !noted) {
      return tl::unexpected<ProtocolError>(noted.error());
    }
    parsed.head.headers.add(std::string(name), std::string(value));
  }
  if (auto host = judge_host(seen, authority, parsed.framing.http_1_0); !host) {
    return tl::unexpected<ProtocolError>(host.error());
  }
  if (auto framing = judge_framing(seen, parsed.framing); !framing) {
    return tl::unexpected<ProtocolError>(framing.error());
  }
  return parsed;
}

}  // namespace andromede::net
