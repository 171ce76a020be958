// CopyObject, UploadPartCopy.
#include "api/s3/checksums.h"
#include "api/s3/conditions.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/request.h"

namespace andromede::api::s3 {
namespace {

struct Source {
  std::string bucket;
  std::string key;
};

tl::unexpected<Error> bad_source(Request& request, std::string_view value) {
  return request.bad_argument("x-amz-copy-source", value,
                              "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
}

// "/bucket/key?versionId=null", percent-encoded but for the '?'.
Result<Source> read_source(Request& request) {
  const std::string_view whole = request.header("x-amz-copy-source").value_or("");
  std::string_view path = whole;
  constexpr std::string_view kVersion = "?versionId=";
  if (const std::size_t at = whole.find(kVersion); at != std::string_view::npos) {
    const std::string_view version = whole.substr(at + kVersion.size());
    if (version != "null") {
      return request.bad_argument("x-amz-copy-source", whole, "Invalid version id specified");
    }
    path = whole.substr(0, at);
  }
  Result<std::string> decoded = net::percent_decode(path, false);
  if (!decoded) return bad_source(request, whole);
  std::string_view text = *decoded;
  if (text.starts_with('/')) text.remove_prefix(1);
  const std::size_t slash = text.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == text.size()) return bad_source(request, whole);
  Source source{.bucket = std::string(text.substr(0, slash)), .key = std::string(text.substr(slash + 1))};
  if (source.key.size() > objects::kMaxKeyBytes) return fail(S3Errc::kKeyTooLong, "the source's key");
  return source;
}

// COPY (the default) or REPLACE.
Result<bool> replaces_metadata(Request& request) {
  const auto directive = request.header("x-amz-metadata-directive");
  if (!directive || *directive == "COPY") return false;
  if (*directive == "REPLACE") return true;
  return request.bad_argument("x-amz-metadata-directive", *directive, "Unknown metadata directive.");
}

Status check_tagging_directive(Request& request) {
  const auto directive = request.header("x-amz-tagging-directive");
  if (!directive || *directive == "COPY" || *directive == "REPLACE") return {};
  return request.bad_argument("x-amz-tagging-directive", *directive, "Unknown tagging directive.");
}

std::string render_copy(std::string_view root, const objects::CopyAnswer& answer) {
  codec::XmlWriter xml;
  xml.open(root, kXmlNamespace);
  xml.element("LastModified", xml_time(answer.modified));
  xml.element("ETag", quoted_etag(answer.etag));
  write_checksum(xml, answer.checksum, true);
  return xml.take();
}

// Lets the client know that its copy goes on, and ends it when there is no client any more.
class Waiting final : public objects::Progress {
 public:
  explicit Waiting(Request& request) : request_(request), told_(request.clock().steady()) {}
  Task<Status> goes_on() override {
    if (request_.context().stop.stop_requested())
      co_return fail(Errc::kCancelled, "nobody waits for the copy any more");
    const SteadyTime now = request_.clock().steady();
    if (now - told_ < request_.options().silence) co_return Status{};
    told_ = now;
    net::ResponseHead head;
    add_encryption_header(head.headers);
    co_return co_await request_.keep_waiting(std::move(head));
  }

 private:
  Request& request_;
  SteadyTime told_;
};

Status check_source_owner(Request& request) {
  const auto expected = request.header("x-amz-source-expected-bucket-owner");
  if (!expected || *expected == request.account().id.value()) return {};
  return fail(S3Errc::kAccessDenied, "the source belongs to another account");
}

}  // namespace

Task<Status> copy_object(Request& request) {
  CO_CHECK_OK(check_source_owner(request));
  CO_TRY(Source source, read_source(request));
  CO_TRY(ObjectHeaders described, read_object_headers(request));
  objects::CopyRequest copy;
  CO_TRY(copy.conditions, read_write_conditions(request));
  CO_TRY(copy.replace_metadata, replaces_metadata(request));
  CO_CHECK_OK(check_tagging_directive(request));
  if (const auto algorithm = request.header("x-amz-checksum-algorithm")) {
    CO_TRY(copy.checksum, parse_algorithm(*algorithm));
  }
  copy.names_encryption = request.header("x-amz-server-side-encryption").has_value();
  copy.source_bucket = std::move(source.bucket);
  copy.source_key = std::move(source.key);
  copy.source_conditions = read_copy_source_conditions(request.head().headers);
  copy.bucket = request.bucket();
  copy.key = request.key();
  copy.system = std::move(described.system);
  copy.user = std::move(described.user);
  copy.storage_class = described.storage_class;
  Waiting waiting(request);
  copy.progress = &waiting;
  CO_TRY(const objects::CopyAnswer answer, co_await request.service().copy(request.context(), std::move(copy)));
  net::ResponseHead head;
  add_encryption_header(head.headers);
  co_return co_await request.reply_xml(render_copy("CopyObjectResult", answer), std::move(head));
}

Task<Status> upload_part_copy(Request& request) {
  CO_CHECK_OK(check_source_owner(request));
  CO_CHECK_OK(refuse_conditions(request));
  objects::CopyPartRequest copy;
  CO_TRY(copy.number, read_part_number(request));
  CO_TRY(Source source, read_source(request));
  if (const auto range = request.header("x-amz-copy-source-range")) {
    copy.source_range = parse_copy_range(*range);
    if (!copy.source_range) {
      co_return request.bad_argument("x-amz-copy-source-range", *range,
                                     "The x-amz-copy-source-range value must be of the form bytes=first-last where "
                                     "first and last are the zero-based offsets of the first and last bytes to copy");
    }
  }
  CO_TRY(copy.upload, read_upload_id(request));
  copy.bucket = request.bucket();
  copy.key = request.key();
  copy.source_bucket = std::move(source.bucket);
  copy.source_key = std::move(source.key);
  copy.source_conditions = read_copy_source_conditions(request.head().headers);
  Waiting waiting(request);
  copy.progress = &waiting;
  CO_TRY(const objects::CopyAnswer answer, co_await request.service().copy_part(request.context(), std::move(copy)));
  net::ResponseHead head;
  add_encryption_header(head.headers);
  co_return co_await request.reply_xml(render_copy("CopyPartResult", answer), std::move(head));
}

}  // namespace andromede::api::s3
