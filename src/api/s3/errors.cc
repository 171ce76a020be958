#include "api/s3/errors.h"

#include "api/edge/call.h"
#include "api/sigv4/errors.h"
#include "codec/xml.h"
#include "net/query.h"
#include "objects/service.h"

namespace andromede::api::s3 {
namespace {

using objects::ObjectErrc;
using sigv4::SigErrc;

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "s3"; }
  [[nodiscard]] std::string message(int value) const override;
};

struct Row {
  template <typename Enum>
  Row(Enum value, std::string_view s3_code, unsigned http_status, std::string_view text)
      : error(make_error_code(value)), code(s3_code), status(http_status), message(text) {}
  std::error_code error;
  std::string_view code;
  unsigned status;
  std::string_view message;  // empty: the error's own, which is written for the client
};

constexpr std::string_view kInternal = "We encountered an internal error. Please try again.";
constexpr std::string_view kDenied = "Access Denied";
constexpr std::string_view kTooLarge = "Your proposed upload exceeds the maximum allowed size";
constexpr std::string_view kIncomplete =
    "You did not provide the number of bytes specified by the Content-Length HTTP header";

const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      // objects
      {ObjectErrc::kNoSuchBucket, "NoSuchBucket", 404, "The specified bucket does not exist"},
      {ObjectErrc::kNoSuchKey, "NoSuchKey", 404, "The specified key does not exist."},
      {ObjectErrc::kNoSuchUpload, "NoSuchUpload", 404,
       "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
       "completed."},
      {ObjectErrc::kNoSuchVersion, "NoSuchVersion", 404, "The specified version does not exist."},
      {ObjectErrc::kBucketAlreadyExists, "BucketAlreadyExists", 409,
       "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please "
       "select a different name and try again."},
      {ObjectErrc::kBucketAlreadyOwnedByYou, "BucketAlreadyOwnedByYou", 409,
       "Your previous request to create the named bucket succeeded and you already own it."},
      {ObjectErrc::kBucketNotEmpty, "BucketNotEmpty", 409, "The bucket you tried to delete is not empty"},
      {ObjectErrc::kInvalidBucketName, "InvalidBucketName", 400, "The specified bucket is not valid."},
      {ObjectErrc::kTooManyBuckets, "TooManyBuckets", 400, "You have attempted to create more buckets than allowed"},
      {ObjectErrc::kAccessDenied, "AccessDenied", 403, kDenied},
      {ObjectErrc::kPreconditionFailed, "PreconditionFailed", 412,
       "At least one of the pre-conditions you specified did not hold"},
      {ObjectErrc::kNotModified, "NotModified", 304, "Not Modified"},
      {ObjectErrc::kConditionalRequestConflict, "ConditionalRequestConflict", 409,
       "The conditional request cannot succeed due to a conflicting operation against this resource."},
      {ObjectErrc::kInvalidRange, "InvalidRange", 416, "The requested range is not satisfiable"},
      {ObjectErrc::kInvalidPart, "InvalidPart", 400,
       "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified "
       "entity tag may not match the part's entity tag."},
      {ObjectErrc::kInvalidPartNumber, "InvalidPartNumber", 416, ""},
      {ObjectErrc::kInvalidPartOrder, "InvalidPartOrder", 400,
       "The list of parts was not in ascending order. Parts must be ordered by part number, each listed once; where "
       "the "
       "upload has a checksum algorithm, they are numbered from 1 on without a gap."},
      {ObjectErrc::kEntityTooSmall, "EntityTooSmall", 400,
       "Your proposed upload is smaller than the minimum allowed size"},
      {ObjectErrc::kEntityTooLarge, "EntityTooLarge", 400, kTooLarge},
      {ObjectErrc::kIncompleteBody, "IncompleteBody", 400, kIncomplete},
      {ObjectErrc::kBadDigest, "BadDigest", 400, ""},
      {ObjectErrc::kInvalidRequest, "InvalidRequest", 400, ""},
      {ObjectErrc::kInvalidArgument, "InvalidArgument", 400, ""},
      {ObjectErrc::kKeyTooLong, "KeyTooLongError", 400, "Your key is too long"},
      {ObjectErrc::kMetadataTooLarge, "MetadataTooLarge", 400,
       "Your metadata headers exceed the maximum allowed metadata size"},
      {ObjectErrc::kMissingContentLength, "MissingContentLength", 411,
       "You must provide the Content-Length HTTP header."},
      {ObjectErrc::kRequestTimeout, "RequestTimeout", 400, ""},
      {ObjectErrc::kNoSuchPolicy, "InvalidLocationConstraint", 400, ""},
      // net: the query
      {net::QueryErrc::kBrokenEscape, "InvalidURI", 400, "Couldn't parse the specified URI."},
      {net::QueryErrc::kTooManyParameters, "InvalidRequest", 400, ""},
      {net::QueryErrc::kSentTwice, "InvalidRequest", 400, ""},
      // api/sigv4: who signed
      {SigErrc::kAnonymous, "AccessDenied", 403, kDenied},
      {SigErrc::kUnsupportedMechanism, "InvalidRequest", 400, ""},
      {SigErrc::kUnknownScheme, "InvalidArgument", 400, ""},
      {SigErrc::kTwoMechanisms, "InvalidArgument", 400, ""},
      {SigErrc::kHeaderMalformed, "AuthorizationHeaderMalformed", 400, ""},
      {SigErrc::kQueryMalformed, "AuthorizationQueryParametersError", 400, ""},
      {SigErrc::kWrongRegion, "AuthorizationHeaderMalformed", 400, ""},
      {SigErrc::kExpiryOutOfRange, "AuthorizationQueryParametersError", 403, ""},
      {SigErrc::kMissingDate, "AccessDenied", 403, ""},
      {SigErrc::kMissingSecurityHeader, "MissingSecurityHeader", 400, ""},
      {SigErrc::kHeadersNotSigned, "AccessDenied", 403, ""},
      {SigErrc::kSentTwice, "InvalidRequest", 400, ""},
      {SigErrc::kUnknownAccessKey, "InvalidAccessKeyId", 403, ""},
      {SigErrc::kInvalidToken, "InvalidToken", 400, ""},
      {SigErrc::kSignatureMismatch, "SignatureDoesNotMatch", 403, ""},
      {SigErrc::kTimeSkewed, "RequestTimeTooSkewed", 403, ""},
      {SigErrc::kExpired, "AccessDenied", 403, ""},
      {SigErrc::kNotYetValid, "AccessDenied", 403, ""},
      {SigErrc::kMissingContentHash, "InvalidRequest", 400, ""},
      {SigErrc::kInvalidContentHash, "InvalidArgument", 400, ""},
      {SigErrc::kInvalidUri, "InvalidURI", 400, "Couldn't parse the specified URI."},
      {SigErrc::kInvalidDecodedLength, "InvalidArgument", 400, ""},
      // api/sigv4: the body
      {SigErrc::kContentHashMismatch, "XAmzContentSHA256Mismatch", 400, ""},
      {SigErrc::kChunkSignatureMismatch, "SignatureDoesNotMatch", 403, ""},
      {SigErrc::kMalformedChunk, "InvalidRequest", 400, "The body is not well-formed aws-chunked content"},
      {SigErrc::kDecodedLengthMismatch, "IncompleteBody", 400, ""},
      {SigErrc::kMalformedTrailer, "MalformedTrailerError", 400, ""},
      {SigErrc::kBodyTimeout, "RequestTimeout", 400, ""},
      {SigErrc::kBodyBroken, "IncompleteBody", 400, "The request body terminated unexpectedly"},
      // this front end
      {S3Errc::kAccessDenied, "AccessDenied", 403, kDenied},
      {S3Errc::kAclNotSupported, "AccessControlListNotSupported", 400, "The bucket does not allow ACLs"},
      {S3Errc::kBadDigest, "BadDigest", 400, ""},
      {S3Errc::kCorsForbidden, "AccessForbidden", 403, "CORSResponse: CORS is not enabled for this bucket."},
      {S3Errc::kCorsIncomplete, "BadRequest", 400, "Insufficient information. Origin request header needed."},
      {S3Errc::kEntityTooLarge, "EntityTooLarge", 400, kTooLarge},
      {S3Errc::kInvalidArgument, "InvalidArgument", 400, ""},
      {S3Errc::kInvalidDigest, "InvalidDigest", 400, "The Content-MD5 you specified was invalid."},
      {S3Errc::kInvalidEncryptionAlgorithm, "InvalidEncryptionAlgorithmError", 400,
       "The encryption request you specified is not valid. Supported value: AES256."},
      {S3Errc::kInvalidRedirect, "InvalidRedirectLocation", 400, ""},
      {S3Errc::kInvalidRequest, "InvalidRequest", 400, ""},
      {S3Errc::kInvalidStorageClass, "InvalidStorageClass", 400, "The storage class you specified is not valid"},
      {S3Errc::kInvalidUri, "InvalidURI", 400, "Couldn't parse the specified URI."},
      {S3Errc::kKeyTooLong, "KeyTooLongError", 400, "Your key is too long"},
      {S3Errc::kMalformedXml, "MalformedXML", 400,
       "The XML you provided was not well-formed or did not validate against our published schema"},
      {S3Errc::kMetadataTooLarge, "MetadataTooLarge", 400,
       "Your metadata headers exceed the maximum allowed metadata size"},
      {S3Errc::kMethodNotAllowed, "MethodNotAllowed", 405,
       "The specified method is not allowed against this resource."},
      {S3Errc::kMissingContentLength, "MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
      {S3Errc::kMissingRequestBody, "MissingRequestBodyError", 400, "Request Body is empty"},
      {S3Errc::kNoSuchBucketPolicy, "NoSuchBucketPolicy", 404, "The bucket policy does not exist"},
      {S3Errc::kNoSuchCors, "NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"},
      {S3Errc::kNoSuchLifecycle, "NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist"},
      {S3Errc::kNoSuchObjectLock, "ObjectLockConfigurationNotFoundError", 404,
       "Object Lock configuration does not exist for this bucket"},
      {S3Errc::kNoSuchPublicAccessBlock, "NoSuchPublicAccessBlockConfiguration", 404,
       "The public access block configuration was not found"},
      {S3Errc::kNoSuchReplication, "ReplicationConfigurationNotFoundError", 404,
       "The replication configuration was not found"},
      {S3Errc::kNoSuchTagSet, "NoSuchTagSet", 404, "The TagSet does not exist"},
      {S3Errc::kNoSuchUpload, "NoSuchUpload", 404,
       "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
       "completed."},
      {S3Errc::kNoSuchWebsite, "NoSuchWebsiteConfiguration", 404,
       "The specified bucket does not have a website configuration"},
      {S3Errc::kNotImplemented, "NotImplemented", 501,
       "A header or query you provided implies functionality that is not implemented"},
      // every module
      {Errc::kInternal, "InternalError", 500, kInternal},
      {Errc::kInvalidArgument, "InvalidArgument", 400, "Invalid Argument"},
      {Errc::kNotFound, "InternalError", 500, kInternal},
      {Errc::kAlreadyExists, "InternalError", 500, kInternal},
      {Errc::kConflict, "OperationAborted", 409,
       "A conflicting conditional operation is currently in progress against this resource. Please try again."},
      {Errc::kCorrupt, "InternalError", 500, kInternal},
      {Errc::kIo, "ServiceUnavailable", 503,
       "Service is unable to handle request: a drive of its could not be read or written. Please try again later."},
      {Errc::kNoSpace, "InsufficientStorage", 507,
       "There is not enough free space to store this. Nothing was written; what is stored stays readable."},
      {Errc::kTimeout, "ServiceUnavailable", 503, "Please reduce your request rate."},
      {Errc::kCancelled, "ServiceUnavailable", 503, "Service is unable to handle request."},
      {Errc::kOverloaded, "SlowDown", 503, "Please reduce your request rate."},
      {Errc::kUnavailable, "ServiceUnavailable", 503,
       "Service is unable to handle request: too many of its drives or sites are away. Please try again later."},
      {Errc::kNotBegun, "ServiceUnavailable", 503,
       "Service is unable to handle request, and nothing was changed: too many of its drives or sites are away. Please "
       "try again later."},
      {Errc::kRefused, "AccessDenied", 403, ""},
      {Errc::kUnsupported, "NotImplemented", 501, ""},
  };
  return rows;
}

const Row* find_row(const std::error_code& error) {
  for (const Row& row : table()) {
    if (row.error == error) return &row;
  }
  return nullptr;
}

std::string Category::message(int value) const {
  const Row* row = find_row({value, *this});
  return row == nullptr ? "unknown error" : std::string(row->code);
}

}  // namespace

const std::error_category& s3_category() noexcept {
  static const Category category;
  return category;
}

WireError wire_error(const Error& error) {
  const Row* row = find_row(error.code());
  if (row == nullptr) return {"InternalError", 500, std::string(kInternal)};
  return {row->code, row->status, row->message.empty() ? error.message() : std::string(row->message)};
}

std::string render_error(const WireError& error, std::string_view resource, std::string_view request_id,
                         std::string_view host_id, const ErrorFields& fields) {
  codec::XmlWriter xml;
  std::size_t left = kMaxEchoesBytes;
  const auto echo = [&xml, &left](std::string_view name, std::string_view value) {
    const std::string_view shown = edge::cut(value, std::min(left, kMaxEchoBytes));
    left -= shown.size();
    xml.element(name, shown);
  };
  xml.open("Error");
  xml.element("Code", error.code);
  echo("Message", error.message);
  for (const auto& [name, value] : fields) echo(name, value);
  if (!resource.empty()) echo("Resource", resource);
  xml.element("RequestId", request_id);
  xml.element("HostId", host_id);
  return xml.take();
}

std::string_view code_of_status(unsigned status) {
  switch (status) {
    case 400:
      return "BadRequest";
    case 405:
      return "MethodNotAllowed";
    case 408:
      return "RequestTimeout";
    case 411:
      return "MissingContentLength";
    case 413:
      return "EntityTooLarge";
    case 414:
      return "InvalidURI";
    case 431:
      return "RequestHeaderSectionTooLarge";
    case 501:
      return "NotImplemented";
    case 503:
      return "SlowDown";
    case 505:
      return "HttpVersionNotSupported";
    default:
      return status < 500 ? "BadRequest" : "InternalError";
  }
}

}  // namespace andromede::api::s3
