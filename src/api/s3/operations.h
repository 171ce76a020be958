// The operations of S3, one row each: how a request is known for one, what it does, and what answers it. Routing,
// metrics, log lines and docs/s3-operations.md all come from this table.
//
// The functions stand in one file a family. Each answers the request, or returns the Error that the front end renders;
// an Error after the answer has begun is the connection's and is not rendered. The Request outlives the task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "api/edge/operation.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "net/http.h"
#include "net/query.h"

namespace andromede::api::s3 {

class Request;

// What a path names.
enum class Level : std::uint8_t { kService, kBucket, kObject };

// How a request is known for an operation's: all that is told here must hold.
struct Match {
  std::string_view method = {};  // empty: never known by itself
  Level level = Level::kService;
  // The parameter that names another operation than the plain one ("acl"); empty: none is there; kAnySubresource.
  std::string_view subresource = {};
  std::string_view parameter = {};     // is in the query
  std::string_view or_parameter = {};  // may be there in its stead
  std::string_view value = {};         // what the parameter says; empty: anything
  std::string_view header = {};        // was sent
};
inline constexpr std::string_view kAnySubresource = "*";

enum class Support : std::uint8_t {
  kOffered,
  kUnset,       // of a feature that no bucket and no object has: answered as S3 does where it was never set
  kNotOffered,  // 501, once bucket and object are known to be there for who only reads
};

struct Operation {
  edge::Operation is;
  Match match;
  Task<Status> (*run)(Request& request);
  Support support = Support::kOffered;
};

// Rows of one method and level stand together, those with more conditions first; behind them what a request is counted
// as that is known for none.
std::span<const Operation> operations();
// Where it stands among them.
inline std::size_t row_of(const Operation& operation) {
  return static_cast<std::size_t>(&operation - operations().data());
}

// The sub-resource that a query names, one of the table's; empty: none.
std::string_view find_subresource(const net::Query& query);
// The first row that matches; never null.
const Operation* find_operation(const net::RequestHead& head, Level level, std::string_view subresource,
                                const net::Query& query);
// What is counted where no operation could be looked for.
const Operation* no_operation();

// buckets.cc
Task<Status> list_buckets(Request& request);
Task<Status> create_bucket(Request& request);
Task<Status> head_bucket(Request& request);
Task<Status> delete_bucket(Request& request);
Task<Status> get_bucket_location(Request& request);

// objects_read.cc
Task<Status> get_object(Request& request);  // HeadObject too
// The versionId parameter: objects have one version, "null". S3Errc::kInvalidArgument for another.
Status check_version(Request& request);

// objects_write.cc
Task<Status> put_object(Request& request);
// A write must say how long it is, or that it comes in chunks. S3Errc::kMissingContentLength, kEntityTooLarge.
Status check_length(Request& request);

// attributes.cc
Task<Status> get_object_attributes(Request& request);

// copy.cc
Task<Status> copy_object(Request& request);
Task<Status> upload_part_copy(Request& request);

// delete.cc
Task<Status> delete_object(Request& request);
Task<Status> delete_objects(Request& request);

// listing.cc
Task<Status> list_objects(Request& request);
Task<Status> list_objects_v2(Request& request);
Task<Status> list_object_versions(Request& request);

// multipart.cc
Task<Status> create_multipart_upload(Request& request);
Task<Status> upload_part(Request& request);
Task<Status> list_parts(Request& request);
Task<Status> list_multipart_uploads(Request& request);
Task<Status> complete_multipart_upload(Request& request);
Task<Status> abort_multipart_upload(Request& request);
// The uploadId parameter. S3Errc::kNoSuchUpload: not one of ours.
Result<UploadId> read_upload_id(Request& request);
// The partNumber parameter. S3Errc::kInvalidArgument: not in [1, 10000].
Result<std::uint32_t> read_part_number(Request& request);

// probes.cc: of features that are not offered
Task<Status> get_bucket_accelerate(Request& request);
Task<Status> get_bucket_acl(Request& request);
Task<Status> get_bucket_cors(Request& request);
Task<Status> get_bucket_encryption(Request& request);
Task<Status> get_bucket_lifecycle(Request& request);
Task<Status> get_bucket_logging(Request& request);
Task<Status> get_bucket_notification(Request& request);
Task<Status> get_bucket_object_lock(Request& request);
Task<Status> get_bucket_ownership_controls(Request& request);
Task<Status> get_bucket_policy(Request& request);
Task<Status> get_bucket_policy_status(Request& request);
Task<Status> get_bucket_public_access_block(Request& request);
Task<Status> get_bucket_replication(Request& request);
Task<Status> get_bucket_request_payment(Request& request);
Task<Status> get_bucket_tagging(Request& request);
Task<Status> get_bucket_versioning(Request& request);
Task<Status> get_bucket_website(Request& request);
Task<Status> get_object_acl(Request& request);
Task<Status> get_object_lock(Request& request);  // its retention, its legal hold
Task<Status> get_object_tagging(Request& request);
Task<Status> get_object_torrent(Request& request);
// Of a configuration that is not there, which is all that was asked for.
Task<Status> delete_bucket_configuration(Request& request);
Task<Status> delete_object_tagging(Request& request);
// PutBucketAcl and PutObjectAcl, which may say again what holds anyway.
Task<Status> put_acl(Request& request);
Task<Status> preflight(Request& request);
Task<Status> not_implemented(Request& request);
Task<Status> method_not_allowed(Request& request);

}  // namespace andromede::api::s3
