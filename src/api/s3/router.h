// Which operation a request asks for: method, path or virtual host, and sub-resource ("Virtual hosting of buckets" and
// "Operations", Amazon S3 user guide and API reference).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/sigv4/query.h"
#include "base/result.h"
#include "net/http.h"

namespace andromede::api::s3 {

enum class Operation : std::uint8_t {
  kListBuckets,
  kCreateBucket,
  kHeadBucket,
  kDeleteBucket,
  kGetBucketLocation,
  kListObjects,
  kListObjectsV2,
  kListObjectVersions,
  kListMultipartUploads,
  kDeleteObjects,
  kProbeBucket,  // reads or deletes a sub-resource of a feature that is not offered
  kPutObject,
  kGetObject,
  kHeadObject,
  kDeleteObject,
  kCopyObject,
  kGetObjectAttributes,
  kProbeObject,
  kPutAcl,  // of a bucket or an object
  kCreateMultipartUpload,
  kUploadPart,
  kUploadPartCopy,
  kListParts,
  kCompleteMultipartUpload,
  kAbortMultipartUpload,
  kPreflight,  // OPTIONS
  kNotImplemented,
  kMethodNotAllowed,
};
inline constexpr std::size_t kOperations = static_cast<std::size_t>(Operation::kMethodNotAllowed) + 1;

// As S3 names it: "PutObject". Also the value of a metrics label.
std::string_view operation_name(Operation operation);

struct Target {
  Operation operation = Operation::kMethodNotAllowed;
  std::string_view raw_path;  // of the head's target
  std::string bucket;         // empty: the service itself
  std::string key;            // decoded; empty: the bucket itself
  sigv4::Query query;
  std::string_view subresource;  // "acl", "tagging" …; empty: none
};

// `host_suffixes`: names under which the service is reached; "b.s3.example" is bucket b when "s3.example" is one.
// The Target looks into `head`. Errors: SigErrc::kInvalidUri, S3Errc::kInvalidUri.
Result<Target> route(const net::RequestHead& head, const std::vector<std::string>& host_suffixes);

}  // namespace andromede::api::s3
