// AWS Signature Version 4 for S3, client side ("Signature Calculations for the Authorization Header: Transferring
// Payload in a Single Chunk", Amazon S3 API Reference). Written apart from src/api/sigv4, so that each checks the
// other.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "crypto/digest.h"

namespace andromede::load {

struct Credentials {
  std::string access_key_id;  // empty: requests are not signed
  std::string secret;
  std::string region = "us-east-1";
};

struct Request {
  std::string method;
  std::string path;                                          // "/bucket/key", already percent-encoded
  std::vector<std::pair<std::string, std::string>> query;    // percent-encoded, sorted by name
  std::vector<std::pair<std::string, std::string>> headers;  // x-amz-meta-… only, sorted
  std::string content_type;
};

// One a thread: keeps the day's signing key.
class Signer {
 public:
  Signer(Credentials credentials, std::string host) : credentials_(std::move(credentials)), host_(std::move(host)) {}
  // The whole head of `request`, signed, ending in an empty line. `hash_body`: sign the body's SHA-256, else
  // UNSIGNED-PAYLOAD.
  std::string head(const Request& request, ByteView body, bool hash_body);

 private:
  void refresh_key(const std::string& day);
  const Credentials credentials_;
  const std::string host_;
  std::string day_;
  crypto::Sha256Digest signing_key_{};
};

}  // namespace andromede::load
