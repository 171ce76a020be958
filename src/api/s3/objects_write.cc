// PutObject.
#include "api/s3/checksums.h"
#include "api/s3/conditions.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/request.h"

namespace andromede::api::s3 {

Status check_length(Request& request) {
  if (!request.header("content-length") && !request.header("transfer-encoding")) {
    return fail(S3Errc::kMissingContentLength, "neither Content-Length nor Transfer-Encoding");
  }
  TRY(const BodySource* const body, request.body());
  const std::optional<std::uint64_t> size = body->announced_size_bytes();
  const std::uint64_t most = request.operation().most_body_bytes;
  if (size && *size > most) {
    request.error_fields.emplace_back("ProposedSize", std::to_string(*size));
    request.error_fields.emplace_back("MaxSizeAllowed", std::to_string(most));
    return fail(S3Errc::kEntityTooLarge, "a single PUT holds up to 5 GiB");
  }
  return {};
}

Task<Status> put_object(Request& request) {
  CO_CHECK_OK(check_length(request));
  objects::PutRequest put;
  CO_TRY(put.conditions, read_write_conditions(request));
  CO_TRY(ObjectHeaders described, read_object_headers(request));
  CO_TRY(put.checksum, read_checksum_demand(request));
  put.bucket = request.bucket();
  put.key = request.key();
  put.system = std::move(described.system);
  put.user = std::move(described.user);
  put.storage_class = described.storage_class.value_or(objects::StorageClass::kStandard);
  CO_TRY(BodySource* const body, request.body());
  CO_TRY(const objects::PutAnswer answer, co_await request.service().put(request.context(), std::move(put), *body));
  net::ResponseHead head;
  head.headers.add("ETag", quoted_etag(answer.etag));
  add_checksum_headers(head.headers, answer.checksum);
  add_encryption_header(head.headers);
  co_return co_await request.reply(std::move(head));
}

}  // namespace andromede::api::s3
