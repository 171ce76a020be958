#include "api/s3/router.h"

#include <array>

#include "api/s3/errors.h"
#include "api/sigv4/signed_headers.h"

namespace andromede::api::s3 {
namespace {

// Sub-resources that name another operation than the plain one. Other parameters only modify an operation.
constexpr std::array<std::string_view, 32> kSubresources = {"accelerate",
                                                            "acl",
                                                            "analytics",
                                                            "attributes",
                                                            "cors",
                                                            "delete",
                                                            "encryption",
                                                            "inventory",
                                                            "lifecycle",
                                                            "location",
                                                            "legal-hold",
                                                            "logging",
                                                            "metrics",
                                                            "notification",
                                                            "object-lock",
                                                            "ownershipControls",
                                                            "policy",
                                                            "policyStatus",
                                                            "replication",
                                                            "renameObject",
                                                            "restore",
                                                            "retention",
                                                            "requestPayment",
                                                            "select",
                                                            "session",
                                                            "tagging",
                                                            "torrent",
                                                            "uploads",
                                                            "publicAccessBlock",
                                                            "versioning",
                                                            "versions",
                                                            "website"};
// Sub-resources with a hyphen in S3's newer style, all out of scope.
constexpr std::array<std::string_view, 4> kNewerSubresources = {"intelligent-tiering", "metadataTable",
                                                                "metadataConfiguration", "abac"};

std::string_view find_subresource(const sigv4::Query& query) {
  for (const sigv4::Parameter& parameter : query.list()) {
    for (const std::string_view name : kSubresources) {
      if (parameter.name == name) return name;
    }
    for (const std::string_view name : kNewerSubresources) {
      if (parameter.name == name) return name;
    }
  }
  return {};
}

Operation service_operation(std::string_view method) {
  return method == "GET" ? Operation::kListBuckets : Operation::kMethodNotAllowed;
}

// What no bucket has and every bucket may be told to have no more.
bool is_absent_configuration(std::string_view subresource) {
  for (const char* const absent :
       {"policy", "tagging", "lifecycle", "cors", "website", "replication", "publicAccessBlock"}) {
    if (subresource == absent) return true;
  }
  return false;
}

Operation bucket_operation(std::string_view method, std::string_view subresource, const sigv4::Query& query) {
  if (method == "GET") {
    if (subresource == "location") return Operation::kGetBucketLocation;
    if (subresource == "versions") return Operation::kListObjectVersions;
    if (subresource == "uploads") return Operation::kListMultipartUploads;
    if (!subresource.empty()) return Operation::kProbeBucket;
    return query.find("list-type") == "2" ? Operation::kListObjectsV2 : Operation::kListObjects;
  }
  if (method == "HEAD") return Operation::kHeadBucket;
  if (method == "PUT") {
    if (subresource == "acl") return Operation::kPutAcl;
    return subresource.empty() ? Operation::kCreateBucket : Operation::kNotImplemented;
  }
  if (method == "DELETE") {
    if (subresource.empty()) return Operation::kDeleteBucket;
    return is_absent_configuration(subresource) ? Operation::kProbeBucket : Operation::kNotImplemented;
  }
  if (method == "POST") return subresource == "delete" ? Operation::kDeleteObjects : Operation::kNotImplemented;
  return Operation::kMethodNotAllowed;
}

Operation object_operation(const net::RequestHead& head, std::string_view subresource, const sigv4::Query& query) {
  const std::string_view method = head.method;
  if (method == "GET") {
    if (subresource == "attributes") return Operation::kGetObjectAttributes;
    if (!subresource.empty()) return Operation::kProbeObject;
    return query.has("uploadId") ? Operation::kListParts : Operation::kGetObject;
  }
  if (method == "HEAD") return Operation::kHeadObject;
  if (method == "PUT") {
    if (subresource == "acl") return Operation::kPutAcl;
    if (!subresource.empty()) return Operation::kNotImplemented;
    const bool copy = head.headers.find("x-amz-copy-source").has_value();
    if (query.has("uploadId") || query.has("partNumber")) {
      return copy ? Operation::kUploadPartCopy : Operation::kUploadPart;
    }
    return copy ? Operation::kCopyObject : Operation::kPutObject;
  }
  if (method == "POST") {
    if (subresource == "uploads") return Operation::kCreateMultipartUpload;
    if (!subresource.empty()) return Operation::kNotImplemented;
    return query.has("uploadId") ? Operation::kCompleteMultipartUpload : Operation::kMethodNotAllowed;
  }
  if (method == "DELETE") {
    if (subresource == "tagging") return Operation::kProbeObject;
    if (!subresource.empty()) return Operation::kNotImplemented;
    return query.has("uploadId") ? Operation::kAbortMultipartUpload : Operation::kDeleteObject;
  }
  return Operation::kMethodNotAllowed;
}

// "b" for "b.s3.example:8333" under the suffix "s3.example".
std::string_view bucket_of_host(std::string_view host, const std::vector<std::string>& suffixes) {
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  for (const std::string& suffix : suffixes) {
    if (host.size() <= suffix.size() + 1) continue;
    const std::size_t dot = host.size() - suffix.size() - 1;
    if (host[dot] == '.' && sigv4::same_name(host.substr(dot + 1), suffix)) return host.substr(0, dot);
  }
  return {};
}

// A key goes into XML and onto other systems, so it is text: valid UTF-8 without NUL.
bool is_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead == 0) return false;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - i < length) return false;
    std::uint32_t point = lead & (0x7Fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0u) != 0x80u) return false;
      point = (point << 6) | (next & 0x3Fu);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || (point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return false;
    i += length;
  }
  return true;
}

}  // namespace

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::kListBuckets:
      return "ListBuckets";
    case Operation::kCreateBucket:
      return "CreateBucket";
    case Operation::kHeadBucket:
      return "HeadBucket";
    case Operation::kDeleteBucket:
      return "DeleteBucket";
    case Operation::kGetBucketLocation:
      return "GetBucketLocation";
    case Operation::kListObjects:
      return "ListObjects";
    case Operation::kListObjectsV2:
      return "ListObjectsV2";
    case Operation::kListObjectVersions:
      return "ListObjectVersions";
    case Operation::kListMultipartUploads:
      return "ListMultipartUploads";
    case Operation::kDeleteObjects:
      return "DeleteObjects";
    case Operation::kProbeBucket:
      return "ProbeBucket";
    case Operation::kPutObject:
      return "PutObject";
    case Operation::kGetObject:
      return "GetObject";
    case Operation::kHeadObject:
      return "HeadObject";
    case Operation::kDeleteObject:
      return "DeleteObject";
    case Operation::kCopyObject:
      return "CopyObject";
    case Operation::kGetObjectAttributes:
      return "GetObjectAttributes";
    case Operation::kProbeObject:
      return "ProbeObject";
    case Operation::kPutAcl:
      return "PutAcl";
    case Operation::kCreateMultipartUpload:
      return "CreateMultipartUpload";
    case Operation::kUploadPart:
      return "UploadPart";
    case Operation::kUploadPartCopy:
      return "UploadPartCopy";
    case Operation::kListParts:
      return "ListParts";
    case Operation::kCompleteMultipartUpload:
      return "CompleteMultipartUpload";
    case Operation::kAbortMultipartUpload:
      return "AbortMultipartUpload";
    case Operation::kPreflight:
      return "Preflight";
    case Operation::kNotImplemented:
      return "NotImplemented";
    case Operation::kMethodNotAllowed:
      return "MethodNotAllowed";
  }
  return "Unknown";
}

Result<Target> route(const net::RequestHead& head, const std::vector<std::string>& host_suffixes) {
  Target target;
  const std::string_view whole = head.target;
  const std::size_t question = std::min(whole.find('?'), whole.size());
  target.raw_path = whole.substr(0, question);
  if (!target.raw_path.starts_with('/')) return fail(S3Errc::kInvalidUri, "the target is not a path");
  if (question < whole.size()) {
    TRY(target.query, sigv4::Query::parse(whole.substr(question + 1)));
  }
  Result<std::string> path = net::percent_decode(target.raw_path.substr(1), false);
  if (!path || !is_text(*path)) return fail(S3Errc::kInvalidUri, "the path is not percent-encoded UTF-8");

  if (!host_suffixes.empty()) target.bucket = bucket_of_host(head.headers.find("host").value_or(""), host_suffixes);
  if (!target.bucket.empty()) {
    target.key = std::move(*path);
  } else {
    const std::size_t slash = std::min(path->find('/'), path->size());
    target.bucket = path->substr(0, slash);
    // "//key" names a key of no bucket, not the service.
    if (target.bucket.empty() && !path->empty()) return fail(S3Errc::kInvalidUri, "a path without a bucket");
    target.key = path->substr(std::min(slash + 1, path->size()));
  }
  target.subresource = find_subresource(target.query);
  if (head.method == "OPTIONS") {
    target.operation = Operation::kPreflight;
  } else if (target.bucket.empty()) {
    target.operation = service_operation(head.method);
  } else if (target.key.empty()) {
    target.operation = bucket_operation(head.method, target.subresource, target.query);
  } else {
    target.operation = object_operation(head, target.subresource, target.query);
  }
  return target;
}

}  // namespace andromede::api::s3
