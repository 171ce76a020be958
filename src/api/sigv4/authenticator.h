// Authenticator: who signed a request. Signature Version 4 in a header or in the query
// (AWS, "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API reference).
//
// No byte of the body is read here: a request that is refused never gets its `100 Continue`. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/sigv4/errors.h"
#include "api/sigv4/signing_key.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/digest.h"
#include "identity/directory.h"
#include "net/http.h"
#include "net/query.h"

namespace andromede::api::sigv4 {

// Null: no such access key.
using CredentialLookup = std::function<std::shared_ptr<const identity::Credential>(std::string_view access_key_id)>;

// What x-amz-content-sha256 says of the body.
enum class PayloadMode : std::uint8_t {
  kHashed,                 // 64 hexadecimal digits
  kUnsigned,               // UNSIGNED-PAYLOAD
  kSignedChunks,           // STREAMING-AWS4-HMAC-SHA256-PAYLOAD
  kSignedChunksTrailer,    // STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
  kUnsignedChunksTrailer,  // STREAMING-UNSIGNED-PAYLOAD-TRAILER
};

struct Authentication {
  std::shared_ptr<const identity::Credential> credential;
  bool presigned = false;
  PayloadMode payload = PayloadMode::kUnsigned;
  crypto::Sha256Digest payload_sha256{};  // kHashed
  // What chunk and trailer signatures are chained from.
  std::shared_ptr<const crypto::SecretKey> signing_key;
  std::string amz_date;
  std::string scope;
  std::string seed_signature;
};

struct Options {
  std::string region = "fr-andromede-1";
  // Accepted besides `region`: what clients sign with when nobody told them a region.
  std::string default_region = "us-east-1";
  std::string service = "s3";
};

class Authenticator {
 public:
  static constexpr std::chrono::minutes kMaxSkew{15};
  static constexpr std::chrono::seconds kMaxExpiry{7 * 24 * 3600};

  // `clock` outlives the authenticator.
  Authenticator(CredentialLookup lookup, const Clock& clock, Options options);

  // `raw_path` is the target's path as received, `query` its parsed query. On a refusal, an error of SigErrc and, in
  // `fields`, what the client may be told to find its mistake.
  Result<Authentication> authenticate(const net::RequestHead& head, std::string_view raw_path, const net::Query& query,
                                      RefusalFields& fields);

 private:
  struct Claim;
  Result<Claim> claim_of_header(const net::RequestHead& head, std::string_view authorization) const;
  Result<Claim> claim_of_query(const net::RequestHead& head, const net::Query& query) const;
  Status check_scope(const Claim& claim, RefusalFields& fields) const;
  tl::unexpected<Error> refuse_version_2(const net::Query& query, RefusalFields& fields) const;
  Status check_time(const Claim& claim, RefusalFields& fields) const;

  CredentialLookup lookup_;
  const Clock& clock_;
  const Options options_;
  SigningKeys keys_;
};

}  // namespace andromede::api::sigv4
