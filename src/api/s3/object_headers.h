// The headers that describe an object: what a client sends with a new one, and what it gets back with a stored one.
#pragma once

#include <optional>
#include <string_view>

#include "net/http.h"
#include "objects/service.h"

namespace andromede::api::s3 {

class Request;

struct ObjectHeaders {
  objects::SystemMetadata system;
  objects::UserMetadata user;
  std::optional<objects::StorageClass> storage_class;
};

// Content-*, Cache-Control, Expires, x-amz-meta-*, x-amz-storage-class of a write. Refuses what this store does not
// offer rather than ignoring it: tags, locks, KMS and customer keys (kNotImplemented), grants and public ACLs
// (kAclNotSupported). Also kMetadataTooLarge, kInvalidStorageClass, kInvalidRedirect, kInvalidArgument.
Result<ObjectHeaders> read_object_headers(Request& request);

// x-amz-acl and x-amz-grant-*: buckets belong to their owner alone. Also for CreateBucket.
Status check_acl_headers(Request& request);

std::string_view storage_class_name(objects::StorageClass storage_class);
std::optional<objects::StorageClass> parse_storage_class(std::string_view name);

// All of an object's headers for GET and HEAD, but for length, range and checksum.
void add_object_headers(net::Headers& headers, const objects::ObjectInfo& info);

// Every object is encrypted with keys that the store holds, which S3 calls SSE-S3.
void add_encryption_header(net::Headers& headers);

}  // namespace andromede::api::s3
