// The XML documents that clients send: parsed with limits, and refused whole when anything in them is not understood.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "objects/service.h"

namespace andromede::api::s3 {

// Beyond these, S3Errc::kMalformedXml.
inline constexpr std::size_t kMaxConfigurationBytes = 64 * 1024;
inline constexpr std::size_t kMaxDeleteBytes = 2 << 20;
inline constexpr std::size_t kMaxDeleteKeys = 1000;
// 10,000 parts with ETag and SHA-256, written with indentation.
inline constexpr std::size_t kMaxCompleteBytes = 4 << 20;

struct DeleteDocument {
  std::vector<objects::DeleteItem> items;  // 1 to kMaxDeleteKeys
  bool quiet = false;
};
// <Delete>. S3Errc::kMalformedXml, S3Errc::kInvalidArgument (a size or time that is none).
Result<DeleteDocument> parse_delete(std::string_view text);

// <CompleteMultipartUpload>: 1 to kMaxParts parts in the order of the document. S3Errc::kMalformedXml,
// kInvalidArgument (a number below 1); ObjectErrc::kInvalidPart: a checksum that cannot be one.
Result<std::vector<objects::CompletedPart>> parse_complete(std::string_view text);

// The LocationConstraint of a <CreateBucketConfiguration>; empty when there is none. S3Errc::kMalformedXml;
// S3Errc::kNotImplemented: directory buckets, tags.
Result<std::string> parse_bucket_configuration(std::string_view text);

// <AccessControlPolicy>: true when it grants everything to `owner_id` and nothing to anybody else, which is how every
// bucket and object stands here. S3Errc::kMalformedXml.
Result<bool> is_owner_policy(std::string_view text, std::string_view owner_id);

// The values of x-amz-if-match-size and x-amz-if-match-last-modified-time, too. S3Errc::kInvalidArgument.
Result<std::uint64_t> parse_size(std::string_view text);
Result<Timestamp> parse_time(std::string_view text);

}  // namespace andromede::api::s3
