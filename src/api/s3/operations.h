// The operations, one function each, in one file a family. Each answers the request, or returns the Error that the
// front end renders; an Error after the answer has begun is the connection's and is not rendered. The Request outlives
// the task.
#pragma once

#include "api/s3/request.h"
#include "base/task.h"

namespace andromede::api::s3 {

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

// probes.cc
Task<Status> probe_bucket(Request& request);
Task<Status> probe_object(Request& request);
// PutBucketAcl and PutObjectAcl, which may say again what holds anyway.
Task<Status> put_acl(Request& request);

}  // namespace andromede::api::s3
