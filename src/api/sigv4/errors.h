// Why a signature, or a body under it, is refused. Front ends turn each code into their wire error.
#pragma once

#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace andromede::api::sigv4 {

enum class SigErrc {
  kAnonymous = 1,          // the request carries no credentials
  kUnsupportedMechanism,   // Signature Version 2, SigV4A
  kUnknownScheme,          // an Authorization header of another scheme
  kTwoMechanisms,          // signed both in a header and in the query
  kHeaderMalformed,        // the Authorization header cannot be understood or contradicts the request
  kQueryMalformed,         // the X-Amz-* parameters cannot be understood
  kWrongRegion,            // the credential scope names a region that is not this cloud's
  kExpiryOutOfRange,       // X-Amz-Expires beyond seven days
  kMissingDate,            // neither x-amz-date nor a usable Date
  kMissingSecurityHeader,  // the signature does not cover the Host header, or covers one that is not there
  kHeadersNotSigned,       // x-amz-* headers that the signature does not cover
  kSentTwice,              // a header that must have one value has several
  kUnknownAccessKey,
  kInvalidToken,  // a session token, where credentials are permanent
  kSignatureMismatch,
  kTimeSkewed,            // more than 15 minutes from this clock
  kExpired,               // a presigned request after its time
  kNotYetValid,           // a presigned request before its time
  kMissingContentHash,    // no x-amz-content-sha256
  kInvalidContentHash,    // x-amz-content-sha256 is none of the accepted values
  kInvalidUri,            // a broken percent escape in the path
  kInvalidDecodedLength,  // x-amz-decoded-content-length is not a number
  kContentHashMismatch,   // the body is not the one that was signed
  kChunkSignatureMismatch,
  kMalformedChunk,         // aws-chunked framing is broken
  kDecodedLengthMismatch,  // more or fewer bytes than announced
  kMalformedTrailer,       // a trailer is missing, unexpected or not well-formed
  kBodyTimeout,            // the client sent too slowly
  kBodyBroken,             // the transfer coding is broken
};

const std::error_category& sig_category() noexcept;
inline std::error_code make_error_code(SigErrc code) noexcept { return {static_cast<int>(code), sig_category()}; }

// What a client may be told beyond code and message, in S3's element names ("StringToSign"). Never a secret.
using RefusalFields = std::vector<std::pair<std::string, std::string>>;

}  // namespace andromede::api::sigv4

template <>
struct std::is_error_code_enum<andromede::api::sigv4::SigErrc> : std::true_type {};
