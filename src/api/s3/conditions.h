// Conditional headers and byte ranges (RFC 9110 sections 13 and 14.2; "Conditional requests", Amazon S3 user guide).
#pragma once

#include <optional>
#include <string_view>

#include "api/s3/request.h"
#include "net/http.h"
#include "objects/service.h"

namespace andromede::api::s3 {

// If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since; a date that is none is ignored, as RFC 9110 says.
objects::Conditions read_conditions(const net::Headers& headers);
// What of them counts for a write ("Conditional writes", S3 user guide; PutObject, CopyObject, CompleteMultipartUpload,
// API reference): If-Match with an ETag, or If-None-Match with "*". S3Errc::kNotImplemented for all else, both at once
// and dates too, because a write that ignored its condition would destroy what the condition protects.
Result<objects::Conditions> read_write_conditions(Request& request);
// The same for a deletion: If-Match with an ETag or "*" ("Conditional deletes").
Result<objects::Conditions> read_delete_conditions(Request& request);
// For an operation that takes none (CreateMultipartUpload, UploadPart, UploadPartCopy). S3Errc::kNotImplemented.
Status refuse_conditions(Request& request);
// As read_conditions(), behind "x-amz-copy-source-".
objects::Conditions read_copy_source_conditions(const net::Headers& headers);

// If-Range; nullopt: absent.
std::optional<objects::RangeCondition> read_if_range(const net::Headers& headers);

// The Range header. Nullopt: absent, malformed or several ranges, which all mean the whole object.
std::optional<objects::ByteRange> parse_range(std::string_view text);
// x-amz-copy-source-range: only "bytes=first-last". Nullopt: malformed.
std::optional<objects::ByteRange> parse_copy_range(std::string_view text);

}  // namespace andromede::api::s3
