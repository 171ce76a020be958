#include "objects/service.h"

namespace andromede::objects {
namespace {

class ObjectCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "objects"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<ObjectErrc>(code)) {
      case ObjectErrc::kNoSuchBucket:
        return "no such bucket";
      case ObjectErrc::kNoSuchKey:
        return "no such key";
      case ObjectErrc::kNoSuchUpload:
        return "no such upload";
      case ObjectErrc::kNoSuchVersion:
        return "no such version";
      case ObjectErrc::kBucketAlreadyExists:
        return "the bucket name is taken";
      case ObjectErrc::kBucketAlreadyOwnedByYou:
        return "you own this bucket already";
      case ObjectErrc::kBucketNotEmpty:
        return "the bucket is not empty";
      case ObjectErrc::kInvalidBucketName:
        return "invalid bucket name";
      case ObjectErrc::kTooManyBuckets:
        return "too many buckets";
      case ObjectErrc::kAccessDenied:
        return "access denied";
      case ObjectErrc::kPreconditionFailed:
        return "precondition failed";
      case ObjectErrc::kNotModified:
        return "not modified";
      case ObjectErrc::kConditionalRequestConflict:
        return "conflicting operation in progress";
      case ObjectErrc::kInvalidRange:
        return "range not satisfiable";
      case ObjectErrc::kInvalidPart:
        return "invalid part";
      case ObjectErrc::kInvalidPartNumber:
        return "invalid part number";
      case ObjectErrc::kInvalidPartOrder:
        return "invalid part order";
      case ObjectErrc::kEntityTooSmall:
        return "entity too small";
      case ObjectErrc::kEntityTooLarge:
        return "entity too large";
      case ObjectErrc::kIncompleteBody:
        return "incomplete body";
      case ObjectErrc::kBadDigest:
        return "bad digest";
      case ObjectErrc::kInvalidRequest:
        return "invalid request";
      case ObjectErrc::kInvalidArgument:
        return "invalid argument";
      case ObjectErrc::kKeyTooLong:
        return "key too long";
      case ObjectErrc::kMetadataTooLarge:
        return "metadata too large";
      case ObjectErrc::kMissingContentLength:
        return "missing content length";
      case ObjectErrc::kRequestTimeout:
        return "the body arrives too slowly";
      case ObjectErrc::kNoSuchPolicy:
        return "no such policy";
    }
    return "unknown";
  }
};

}  // namespace

const std::error_category& object_category() noexcept {
  static const ObjectCategory category;
  return category;
}

Error no_such_policy(const std::string& names) {
  return {make_error_code(ObjectErrc::kNoSuchPolicy),
          "The specified location-constraint is not valid: it is no policy of this cloud's, which are: " + names};
}

}  // namespace andromede::objects
