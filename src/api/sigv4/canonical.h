// The canonical request and the strings to sign of SigV4 (AWS, "Signature Calculations for the Authorization Header").
#pragma once

#include <string>
#include <string_view>

#include "api/sigv4/signed_headers.h"
#include "base/result.h"
#include "net/http.h"
#include "net/query.h"

namespace andromede::api::sigv4 {

// Appends the canonical form of a raw request path: decoded once and encoded once. False: a broken escape.
[[nodiscard]] bool append_canonical_path(std::string& out, std::string_view raw_path);

// Appends the parameters encoded and in order, but for the one named `without`.
void append_canonical_query(std::string& out, const net::Query& query, std::string_view without);

struct CanonicalInput {
  std::string_view method;
  std::string_view raw_path;
  const net::Query* query = nullptr;
  std::string_view query_without;  // a parameter left out: X-Amz-Signature of presigned requests
  const SortedHeaders* headers = nullptr;
  const SignedHeaders* signed_headers = nullptr;
  std::string_view payload_hash;
};

// SigErrc::kInvalidUri: the path has a broken escape.
Result<std::string> canonical_request(const CanonicalInput& input);

// "AWS4-HMAC-SHA256\n" date "\n" scope "\n" hex(SHA-256(canonical request))
std::string string_to_sign(std::string_view amz_date, std::string_view scope, std::string_view canonical_request);

}  // namespace andromede::api::sigv4
