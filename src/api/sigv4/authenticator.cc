#include "api/sigv4/authenticator.h"

#include <charconv>

#include "api/sigv4/canonical.h"
#include "api/sigv4/signed_headers.h"
#include "net/dates.h"

namespace andromede::api::sigv4 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  out.append(text.substr(0, 100)).push_back('"');
  return out;
}

bool is_lower_hex(std::string_view text, std::size_t size) {
  if (text.size() != size) return false;
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

// "AKIA…/20130524/us-east-1/s3/aws4_request"
struct CredentialText {
  std::string_view access_key_id;
  Scope scope;
};

std::optional<CredentialText> parse_credential(std::string_view text) {
  CredentialText out;
  const std::size_t key_end = text.find('/');
  if (key_end == 0 || key_end == std::string_view::npos) return std::nullopt;
  out.access_key_id = text.substr(0, key_end);
  out.scope.text = text.substr(key_end + 1);
  std::string_view rest = out.scope.text;
  for (std::string_view* field : {&out.scope.date, &out.scope.region, &out.scope.service}) {
    const std::size_t end = rest.find('/');
    if (end == std::string_view::npos) return std::nullopt;
    *field = rest.substr(0, end);
    rest.remove_prefix(end + 1);
  }
  if (rest != "aws4_request") return std::nullopt;
  return out;
}

Status parse_payload(std::string_view value, Authentication& out) {
  if (value == kUnsignedPayload) {
    out.payload = PayloadMode::kUnsigned;
  } else if (value == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") {
    out.payload = PayloadMode::kSignedChunks;
  } else if (value == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") {
    out.payload = PayloadMode::kSignedChunksTrailer;
  } else if (value == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") {
    out.payload = PayloadMode::kUnsignedChunksTrailer;
  } else {
    const Result<Bytes> digest = value.size() == 64 ? from_hex(value) : Result<Bytes>(Bytes{});
    if (!digest || digest->size() != out.payload_sha256.size()) {
      return fail(SigErrc::kInvalidContentHash,
                  "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 "
                  "value.");
    }
    out.payload = PayloadMode::kHashed;
    std::copy(digest->begin(), digest->end(), out.payload_sha256.begin());
  }
  return {};
}

}  // namespace

// What a request says of its own signature; views into the request.
struct Authenticator::Claim {
  bool presigned = false;
  std::string_view access_key_id;
  Scope scope;
  SignedHeaders signed_headers;
  std::string_view signature;
  Timestamp time;
  std::string amz_date;
  std::chrono::seconds expires{0};
  std::string_view payload_hash;
};

Authenticator::Authenticator(CredentialLookup lookup, const Clock& clock, Options options)
    : lookup_(std::move(lookup)), clock_(clock), options_(std::move(options)) {}

Result<Authenticator::Claim> Authenticator::claim_of_header(const net::RequestHead& head,
                                                            std::string_view authorization) const {
  if (authorization.starts_with("AWS ") || authorization.starts_with("AWS4-ECDSA-P256-SHA256")) {
    return fail(SigErrc::kUnsupportedMechanism,
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
  }
  if (!authorization.starts_with(kAlgorithm)) return fail(SigErrc::kUnknownScheme, "Unsupported Authorization Type");

  Claim claim;
  std::string_view credential;
  std::string_view signed_headers;
  std::string_view rest = authorization.substr(kAlgorithm.size());
  if (!rest.empty() && rest.front() != ' ') return fail(SigErrc::kUnknownScheme, "Unsupported Authorization Type");
  while (!trim(rest).empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view piece = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos) {
      return fail(SigErrc::kHeaderMalformed, "The authorization header is malformed; the authorization component " +
                                                 quoted(piece) + " is malformed.");
    }
    const std::string_view name = piece.substr(0, equals);
    const std::string_view value = piece.substr(equals + 1);
    std::string_view* const component = name == "Credential"      ? &credential
                                        : name == "SignedHeaders" ? &signed_headers
                                        : name == "Signature"     ? &claim.signature
                                                                  : nullptr;
    if (component == nullptr) continue;
    if (!component->empty()) {
      return fail(SigErrc::kHeaderMalformed, "The authorization header is malformed; the authorization component " +
                                                 quoted(name) + " is there more than once.");
    }
    *component = value;
  }
  if (credential.empty() || signed_headers.empty() || claim.signature.empty()) {
    return fail(SigErrc::kHeaderMalformed,
                "The authorization header is malformed; the authorization header requires three components: "
                "Credential, SignedHeaders, and Signature.");
  }
  const std::optional<CredentialText> parsed = parse_credential(credential);
  if (!parsed) {
    return fail(SigErrc::kHeaderMalformed,
                "The authorization header is malformed; the Credential is mal-formed; expecting "
                "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
  }
  claim.access_key_id = parsed->access_key_id;
  claim.scope = parsed->scope;
  TRY(claim.signed_headers, SignedHeaders::parse(signed_headers, SigErrc::kHeaderMalformed));

  const std::optional<std::string_view> amz_date = head.headers.find("x-amz-date");
  const std::string_view date = trim(amz_date ? *amz_date : head.headers.find("date").value_or(""));
  std::optional<Timestamp> time = net::parse_iso8601_basic(date);
  if (!time) time = net::parse_http_date(date);
  if (!time) {
    return fail(SigErrc::kMissingDate, "AWS authentication requires a valid Date or x-amz-date header");
  }
  claim.time = *time;
  claim.amz_date = net::to_iso8601_basic(*time);
  if (claim.scope.date != std::string_view(claim.amz_date).substr(0, 8)) {
    return fail(SigErrc::kHeaderMalformed, "The authorization header is malformed; Invalid credential date " +
                                               quoted(claim.scope.date) +
                                               ". This date is not the same as X-Amz-Date: " +
                                               quoted(std::string_view(claim.amz_date).substr(0, 8)) + ".");
  }
  const std::optional<std::string_view> hash = head.headers.find("x-amz-content-sha256");
  if (!hash) {
    return fail(SigErrc::kMissingContentHash, "Missing required header for this request: x-amz-content-sha256");
  }
  claim.payload_hash = trim(*hash);
  return claim;
}

Result<Authenticator::Claim> Authenticator::claim_of_query(const net::RequestHead& head,
                                                           const net::Query& query) const {
  const auto algorithm = query.find("X-Amz-Algorithm");
  const auto credential = query.find("X-Amz-Credential");
  const auto signature = query.find("X-Amz-Signature");
  const auto date = query.find("X-Amz-Date");
  const auto signed_headers = query.find("X-Amz-SignedHeaders");
  const auto expires = query.find("X-Amz-Expires");
  if (!algorithm || !credential || !signature || !date || !signed_headers || !expires) {
    return fail(SigErrc::kQueryMalformed,
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
  }
  if (*algorithm != kAlgorithm) {
    return fail(SigErrc::kQueryMalformed, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
  }
  const std::optional<CredentialText> parsed = parse_credential(*credential);
  if (!parsed) {
    return fail(SigErrc::kQueryMalformed,
                "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
                "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
  }
  const std::optional<Timestamp> time = net::parse_iso8601_basic(*date);
  if (!time) {
    return fail(SigErrc::kQueryMalformed, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  if (parsed->scope.date != date->substr(0, 8)) {
    return fail(SigErrc::kQueryMalformed,
                "Invalid credential date " + quoted(parsed->scope.date) +
                    ". This date is not the same as X-Amz-Date: " + quoted(date->substr(0, 8)) + ".");
  }
  std::int64_t seconds = 0;
  const auto number = std::from_chars(expires->data(), expires->data() + expires->size(), seconds);
  if (number.ec == std::errc::invalid_argument || number.ptr != expires->data() + expires->size()) {
    return fail(SigErrc::kQueryMalformed, "X-Amz-Expires should be a number");
  }
  if (number.ec != std::errc{} || seconds > kMaxExpiry.count()) {
    return fail(SigErrc::kExpiryOutOfRange,
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less "
                "than 604800 seconds");
  }
  if (seconds < 0) return fail(SigErrc::kExpiryOutOfRange, "X-Amz-Expires must be non-negative");

  Claim claim;
  claim.presigned = true;
  claim.access_key_id = parsed->access_key_id;
  claim.scope = parsed->scope;
  TRY(claim.signed_headers, SignedHeaders::parse(*signed_headers, SigErrc::kQueryMalformed));
  claim.signature = *signature;
  claim.time = *time;
  claim.amz_date = *date;
  claim.expires = std::chrono::seconds(seconds);
  claim.payload_hash = kUnsignedPayload;
  const auto hash = query.find("X-Amz-Content-Sha256");
  if (hash) claim.payload_hash = *hash;
  if (claim.signed_headers.has("x-amz-content-sha256")) {
    claim.payload_hash = trim(head.headers.find("x-amz-content-sha256").value_or(""));
    if (hash && *hash != claim.payload_hash) {
      return fail(SigErrc::kSentTwice, "X-Amz-Content-Sha256 in the query and the header x-amz-content-sha256 differ");
    }
  }
  return claim;
}

Status Authenticator::check_scope(const Claim& claim, RefusalFields& fields) const {
  const bool right_service = claim.scope.service == options_.service;
  const bool right_region = claim.scope.region == options_.region || claim.scope.region == options_.default_region;
  if (right_service && right_region) return {};
  const std::string context =
      claim.presigned ? "Error parsing the X-Amz-Credential parameter; " : "The authorization header is malformed; ";
  const SigErrc malformed = claim.presigned ? SigErrc::kQueryMalformed : SigErrc::kHeaderMalformed;
  if (!right_service) {
    return fail(malformed, context + "incorrect service " + quoted(claim.scope.service) +
                               ". This endpoint belongs to " + quoted(options_.service) + ".");
  }
  fields.emplace_back("Region", options_.region);
  return fail(claim.presigned ? SigErrc::kQueryMalformed : SigErrc::kWrongRegion,
              context + "the region '" + std::string(claim.scope.region.substr(0, 100)) + "' is wrong; expecting '" +
                  options_.region + "'");
}

Status Authenticator::check_time(const Claim& claim, RefusalFields& fields) const {
  const std::int64_t now_ms = clock_.now().ms;
  const std::int64_t skew_ms = std::chrono::milliseconds(kMaxSkew).count();
  if (claim.presigned) {
    if (claim.time.ms - now_ms > skew_ms) {
      return fail(SigErrc::kNotYetValid, "Request is not yet valid");
    }
    const Timestamp end{claim.time.ms + std::chrono::milliseconds(claim.expires).count()};
    if (now_ms < end.ms) return {};
    fields.emplace_back("X-Amz-Expires", std::to_string(claim.expires.count()));
    fields.emplace_back("Expires", to_iso8601(end));
    fields.emplace_back("ServerTime", to_iso8601({now_ms}));
    return fail(SigErrc::kExpired, "Request has expired");
  }
  if (claim.time.ms - now_ms <= skew_ms && now_ms - claim.time.ms <= skew_ms) return {};
  fields.emplace_back("RequestTime", claim.amz_date);
  fields.emplace_back("ServerTime", to_iso8601({now_ms}));
  fields.emplace_back("MaxAllowedSkewMilliseconds", std::to_string(skew_ms));
  return fail(SigErrc::kTimeSkewed, "The difference between the request time and the current time is too large.");
}

// A presigned request of Signature Version 2: one whose time is over is told that, as it would be if it were
// understood.
tl::unexpected<Error> Authenticator::refuse_version_2(const net::Query& query, RefusalFields& fields) const {
  const std::string_view expires = query.find("Expires").value_or("");
  std::int64_t at_s = 0;
  const auto number = std::from_chars(expires.data(), expires.data() + expires.size(), at_s);
  if (number.ec == std::errc{} && at_s < clock_.now().ms / 1000) {
    fields.emplace_back("ServerTime", to_iso8601(clock_.now()));
    return fail(SigErrc::kExpired, "Request has expired");
  }
  return fail(SigErrc::kUnsupportedMechanism,
              "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
}

Result<Authentication> Authenticator::authenticate(const net::RequestHead& head, std::string_view raw_path,
                                                   const net::Query& query, RefusalFields& fields) {
  const std::string_view authorization = trim(head.headers.find("authorization").value_or(""));
  const bool in_query = query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature") || query.has("X-Amz-Credential");
  const bool in_query_v2 = query.has("AWSAccessKeyId") && query.has("Signature");
  if (!authorization.empty() + in_query + in_query_v2 > 1) {
    return fail(SigErrc::kTwoMechanisms,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified");
  }
  if (in_query_v2) return refuse_version_2(query, fields);
  if (authorization.empty() && !in_query) return fail(SigErrc::kAnonymous, "Access Denied");
  TRY(const Claim claim, in_query ? claim_of_query(head, query) : claim_of_header(head, authorization));
  CHECK_OK(check_scope(claim, fields));
  CHECK_OK(check_time(claim, fields));
  const SortedHeaders headers(head.headers);
  CHECK_OK(check_coverage(headers, claim.signed_headers, claim.presigned, fields));
  Authentication out;
  CHECK_OK(parse_payload(claim.payload_hash, out));

  out.credential = lookup_(claim.access_key_id);
  if (out.credential == nullptr) {
    fields.emplace_back("AWSAccessKeyId", claim.access_key_id.substr(0, 128));
    return fail(SigErrc::kUnknownAccessKey, "The AWS Access Key Id you provided does not exist in our records.");
  }
  if (head.headers.find("x-amz-security-token") || query.has("X-Amz-Security-Token")) {
    return fail(SigErrc::kInvalidToken, "The provided token is malformed or otherwise invalid.");
  }
  TRY(const std::string canonical, canonical_request({.method = head.method,
                                                      .raw_path = raw_path,
                                                      .query = &query,
                                                      .query_without = claim.presigned ? "X-Amz-Signature" : "",
                                                      .headers = &headers,
                                                      .signed_headers = &claim.signed_headers,
                                                      .payload_hash = claim.payload_hash}));
  const std::string to_sign = string_to_sign(claim.amz_date, claim.scope.text, canonical);
  out.signing_key = keys_.get(out.credential, claim.scope);
  std::string expected = to_hex(crypto::hmac_sha256(out.signing_key->bytes(), as_bytes(to_sign)));
  if (!is_lower_hex(claim.signature, expected.size()) ||
      !constant_time_equal(as_bytes(claim.signature), as_bytes(expected))) {
    fields.emplace_back("AWSAccessKeyId", claim.access_key_id);
    fields.emplace_back("StringToSign", to_sign);
    fields.emplace_back("SignatureProvided", claim.signature.substr(0, 128));
    fields.emplace_back("CanonicalRequest", canonical);
    return fail(SigErrc::kSignatureMismatch,
                "The request signature we calculated does not match the signature you provided. Check your key and "
                "signing method.");
  }
  out.presigned = claim.presigned;
  out.amz_date = claim.amz_date;
  out.scope = claim.scope.text;
  out.seed_signature = std::move(expected);
  return out;
}

}  // namespace andromede::api::sigv4
