// DeleteObject, DeleteObjects.
#include <algorithm>
#include <iterator>

#include "api/s3/checksums.h"
#include "api/s3/conditions.h"
#include "api/s3/documents.h"
#include "api/s3/operations.h"
#include "api/s3/request.h"
#include "base/stretch.h"

namespace andromede::api::s3 {
namespace {

// What of an item can be refused before the service sees it.
std::optional<Error> refusal_of(const objects::DeleteItem& item) {
  if (item.key.size() > objects::kMaxKeyBytes) return Error(S3Errc::kKeyTooLong, "key");
  if (!item.version_id.empty() && item.version_id != "null") {
    return Error(make_error_code(objects::ObjectErrc::kNoSuchVersion), "version");
  }
  return std::nullopt;
}

// What the outcomes and the document that tells them take at most: keys of which every character is escaped, and some
// hundred bytes for each.
std::size_t most_bytes(const DeleteDocument& document) {
  std::size_t bytes = 0;
  for (const objects::DeleteItem& item : document.items) bytes += (1 + kMostEscapedBytes) * item.key.size() + 512;
  return bytes;
}

void write_outcome(codec::XmlWriter& xml, const objects::DeleteOutcome& outcome, bool quiet) {
  if (!outcome.error) {
    if (quiet) return;
    xml.open("Deleted");
    xml.element("Key", outcome.key);
    xml.close();
    return;
  }
  const WireError error = wire_error(*outcome.error);
  xml.open("Error");
  xml.element("Key", outcome.key);
  xml.element("Code", error.code);
  xml.element("Message", error.message);
  xml.close();
}

}  // namespace

Task<Status> delete_object(Request& request) {
  objects::DeleteItem item;
  item.key = request.key();
  CO_CHECK_OK(check_version(request));
  CO_TRY(item.conditions, read_delete_conditions(request));
  if (const auto size = request.header("x-amz-if-match-size")) {
    CO_TRY(item.if_size_bytes, parse_size(*size));
  }
  if (const auto time = request.header("x-amz-if-match-last-modified-time")) {
    CO_TRY(item.if_modified, parse_time(*time));
  }
  CO_CHECK_OK(co_await request.service().remove(request.context(), request.bucket(), std::move(item)));
  co_return co_await request.reply({.status = 204, .headers = {}});
}

Task<Status> delete_objects(Request& request) {
  CO_TRY(objects::ChecksumDemand demand, read_checksum_demand(request));
  // A key changed on the way would delete another object.
  if (demand.kind == crypto::Checksum::kNone && !demand.content_md5) {
    co_return fail(S3Errc::kInvalidRequest, "Missing required header for this request: Content-MD5");
  }
  CO_TRY(DeleteDocument document, co_await read_document(request, std::move(demand), &parse_delete));
  CO_CHECK_OK(co_await request.reserve_answer(most_bytes(document)));
  std::vector<objects::DeleteItem> accepted;
  std::vector<objects::DeleteOutcome> refused;
  Stretch stretch;
  for (objects::DeleteItem& item : document.items) {
    co_await stretch.pause();
    if (std::optional<Error> error = refusal_of(item)) {
      refused.push_back({.key = std::move(item.key), .error = std::move(error)});
    } else {
      accepted.push_back(std::move(item));
    }
  }
  std::vector<objects::DeleteOutcome> outcomes;
  if (accepted.empty()) {
    CO_TRY(const objects::BucketHead bucket,
           co_await request.service().head_bucket(request.context(), request.bucket()));
  } else {
    CO_TRY(outcomes, co_await request.service().remove_many(request.context(), request.bucket(), std::move(accepted)));
  }
  codec::XmlWriter xml;
  xml.open("DeleteResult", kXmlNamespace);
  std::ranges::move(refused, std::back_inserter(outcomes));
  for (const objects::DeleteOutcome& outcome : outcomes) {
    co_await stretch.pause();
    write_outcome(xml, outcome, document.quiet);
  }
  outcomes = {};
  refused = {};
  document = {};
  co_return co_await request.reply_xml(xml.take());
}

}  // namespace andromede::api::s3
