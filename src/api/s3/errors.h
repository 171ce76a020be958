// What a client is told when a request fails: S3's code, HTTP status and message for the error codes of every module,
// and their XML ("Error responses", Amazon S3 API reference).
#pragma once

#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.h"

namespace andromede::api::s3 {

// Errors that this front end finds by itself.
enum class S3Errc {
  kAccessDenied = 1,
  kAclNotSupported,
  kBadDigest,
  kCorsForbidden,
  kCorsIncomplete,
  kEntityTooLarge,
  kInvalidArgument,
  kInvalidDigest,
  kInvalidEncryptionAlgorithm,
  kInvalidRedirect,
  kInvalidRequest,
  kInvalidStorageClass,
  kInvalidUri,
  kKeyTooLong,
  kMalformedXml,
  kMetadataTooLarge,
  kMethodNotAllowed,
  kMissingContentLength,
  kMissingRequestBody,
  kNoSuchBucketPolicy,
  kNoSuchCors,
  kNoSuchLifecycle,
  kNoSuchObjectLock,
  kNoSuchPublicAccessBlock,
  kNoSuchReplication,
  kNoSuchTagSet,
  kNoSuchUpload,
  kNoSuchWebsite,
  kNotImplemented,
};

const std::error_category& s3_category() noexcept;
inline std::error_code make_error_code(S3Errc code) noexcept { return {static_cast<int>(code), s3_category()}; }

struct WireError {
  std::string_view code;  // "NoSuchKey"
  unsigned status = 500;
  std::string message;
};

// Never fails: what the table does not know is an InternalError. Details of faults of ours stay out of the message.
WireError wire_error(const Error& error);

// Elements besides the common ones, in order: {"BucketName", "b"}, {"Key", "k"} …
using ErrorFields = std::vector<std::pair<std::string, std::string>>;

// What an error repeats of its request is cut to so much an element and a document: whoever is refused, and may be
// nobody we know, gets no large answer. The longest key, and the canonical request of most clients, fit.
inline constexpr std::size_t kMaxEchoBytes = 2048;
inline constexpr std::size_t kMaxEchoesBytes = 4096;

// `message`, `resource` and `fields` may hold what the client sent.
std::string render_error(const WireError& error, std::string_view resource, std::string_view request_id,
                         std::string_view host_id, const ErrorFields& fields);

// S3's code for an HTTP status that the server itself answers, before any operation is known.
std::string_view code_of_status(unsigned status);

}  // namespace andromede::api::s3

template <>
struct std::is_error_code_enum<andromede::api::s3::S3Errc> : std::true_type {};
