// DeleteObject, DeleteObjects.
#include <charconv>

#include "api/s3/checksums.h"
#include "api/s3/conditions.h"
#include "api/s3/operations.h"
#include "api/sigv4/dates.h"

namespace andromede::api::s3 {
namespace {

constexpr std::size_t kMaxDeleteBytes = 2 << 20;
constexpr std::size_t kMaxDeleteKeys = 1000;

Result<std::uint64_t> parse_size(Request& request, std::string_view name, std::string_view text) {
  std::uint64_t size = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), size);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
    return request.bad_argument(std::string(name), text, "The size must be a number of bytes");
  }
  return size;
}

Result<Timestamp> parse_time(Request& request, std::string_view name, std::string_view text) {
  std::optional<Timestamp> time = sigv4::parse_http_date(text);
  if (!time) time = sigv4::parse_iso8601(text);
  if (!time) return request.bad_argument(std::string(name), text, "The time must be an HTTP date");
  return *time;
}

Result<objects::DeleteItem> read_item(Request& request, const codec::XmlElement& element) {
  objects::DeleteItem item;
  item.key = element.child_text("Key");
  if (item.key.empty()) return fail(S3Errc::kMalformedXml, "an Object without a Key");
  item.version_id = element.child_text("VersionId");
  if (const std::string_view etag = element.child_text("ETag"); !etag.empty()) item.conditions.if_match = etag;
  if (const std::string_view size = element.child_text("Size"); !size.empty()) {
    TRY(item.if_size_bytes, parse_size(request, "Size", size));
  }
  if (const std::string_view time = element.child_text("LastModifiedTime"); !time.empty()) {
    TRY(item.if_modified, parse_time(request, "LastModifiedTime", time));
  }
  return item;
}

struct DeleteDocument {
  std::vector<objects::DeleteItem> items;
  bool quiet = false;
};

Result<DeleteDocument> read_delete(Request& request, std::string_view text) {
  const Result<codec::XmlElement> root = codec::parse_xml(text, {.bytes = kMaxDeleteBytes});
  if (!root || root->name != "Delete") return fail(S3Errc::kMalformedXml, "not a Delete document");
  DeleteDocument document;
  document.quiet = root->child_text("Quiet") == "true";
  for (const codec::XmlElement& child : root->children) {
    if (child.name != "Object") continue;
    if (document.items.size() == kMaxDeleteKeys) return fail(S3Errc::kMalformedXml, "more than 1000 keys");
    TRY(objects::DeleteItem item, read_item(request, child));
    document.items.push_back(std::move(item));
  }
  if (document.items.empty()) return fail(S3Errc::kMalformedXml, "no keys");
  return document;
}

// What of an item can be refused before the service sees it.
std::optional<Error> refusal_of(const objects::DeleteItem& item) {
  if (item.key.size() > objects::kMaxKeyBytes) return Error(S3Errc::kKeyTooLong, "key");
  if (!item.version_id.empty() && item.version_id != "null") {
    return Error(make_error_code(objects::ObjectErrc::kNoSuchVersion), "version");
  }
  return std::nullopt;
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
  if (const auto version = request.parameter("versionId")) {
    if (*version != "null") co_return request.bad_argument("versionId", *version, "Invalid version id specified");
    item.version_id = *version;
  }
  item.conditions.if_match = read_conditions(request.head().headers).if_match;
  if (const auto size = request.header("x-amz-if-match-size")) {
    CO_TRY(item.if_size_bytes, parse_size(request, "x-amz-if-match-size", *size));
  }
  if (const auto time = request.header("x-amz-if-match-last-modified-time")) {
    CO_TRY(item.if_modified, parse_time(request, "x-amz-if-match-last-modified-time", *time));
  }
  CO_CHECK_OK(co_await request.service().remove(request.caller(), request.bucket(), std::move(item)));
  co_return co_await request.reply({.status = 204, .headers = {}});
}

Task<Status> delete_objects(Request& request) {
  CO_TRY(objects::ChecksumDemand demand, read_checksum_demand(request));
  // A key changed on the way would delete another object.
  if (demand.kind == crypto::Checksum::kNone && !demand.content_md5) {
    co_return fail(S3Errc::kInvalidRequest, "Missing required header for this request: Content-MD5");
  }
  CO_TRY(const std::string text, co_await read_document(request, kMaxDeleteBytes, std::move(demand)));
  CO_TRY(DeleteDocument document, read_delete(request, text));
  std::vector<objects::DeleteItem> accepted;
  std::vector<objects::DeleteOutcome> refused;
  for (objects::DeleteItem& item : document.items) {
    if (std::optional<Error> error = refusal_of(item)) {
      refused.push_back({.key = std::move(item.key), .error = std::move(error)});
    } else {
      accepted.push_back(std::move(item));
    }
  }
  std::vector<objects::DeleteOutcome> outcomes;
  if (accepted.empty()) {
    CO_TRY(const objects::BucketInfo bucket,
           co_await request.service().head_bucket(request.caller(), request.bucket()));
  } else {
    CO_TRY(outcomes, co_await request.service().remove_many(request.caller(), request.bucket(), std::move(accepted)));
  }
  codec::XmlWriter xml;
  xml.open("DeleteResult", kXmlNamespace);
  for (const objects::DeleteOutcome& outcome : outcomes) write_outcome(xml, outcome, document.quiet);
  for (const objects::DeleteOutcome& outcome : refused) write_outcome(xml, outcome, document.quiet);
  co_return co_await request.reply_xml(xml.take());
}

}  // namespace andromede::api::s3
