#include "api/sigv4/errors.h"

namespace andromede::api::sigv4 {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "sigv4"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<SigErrc>(value)) {
      case SigErrc::kAnonymous:
        return "no credentials";
      case SigErrc::kUnsupportedMechanism:
        return "unsupported signature version";
      case SigErrc::kUnknownScheme:
        return "unknown authorization scheme";
      case SigErrc::kTwoMechanisms:
        return "signed twice";
      case SigErrc::kHeaderMalformed:
        return "authorization header malformed";
      case SigErrc::kQueryMalformed:
        return "authorization query malformed";
      case SigErrc::kWrongRegion:
        return "wrong region";
      case SigErrc::kExpiryOutOfRange:
        return "expiry out of range";
      case SigErrc::kMissingDate:
        return "missing date";
      case SigErrc::kMissingSecurityHeader:
        return "missing security header";
      case SigErrc::kHeadersNotSigned:
        return "headers not signed";
      case SigErrc::kSentTwice:
        return "sent twice";
      case SigErrc::kUnknownAccessKey:
        return "unknown access key";
      case SigErrc::kInvalidToken:
        return "invalid token";
      case SigErrc::kSignatureMismatch:
        return "signature mismatch";
      case SigErrc::kTimeSkewed:
        return "request time too skewed";
      case SigErrc::kExpired:
        return "expired";
      case SigErrc::kNotYetValid:
        return "not yet valid";
      case SigErrc::kMissingContentHash:
        return "missing content hash";
      case SigErrc::kInvalidContentHash:
        return "invalid content hash";
      case SigErrc::kInvalidUri:
        return "invalid URI";
      case SigErrc::kInvalidDecodedLength:
        return "invalid decoded length";
      case SigErrc::kContentHashMismatch:
        return "content hash mismatch";
      case SigErrc::kChunkSignatureMismatch:
        return "chunk signature mismatch";
      case SigErrc::kMalformedChunk:
        return "malformed chunk";
      case SigErrc::kDecodedLengthMismatch:
        return "decoded length mismatch";
      case SigErrc::kMalformedTrailer:
        return "malformed trailer";
      case SigErrc::kBodyTimeout:
        return "body too slow";
      case SigErrc::kBodyBroken:
        return "body broken";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& sig_category() noexcept {
  static const Category category;
  return category;
}

}  // namespace andromede::api::sigv4
