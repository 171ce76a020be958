// GetObject, HeadObject.
#include <array>

#include "api/s3/checksums.h"
#include "api/s3/conditions.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/request.h"

namespace andromede::api::s3 {
namespace {

// Up to here a body is answered in one piece with its head: one copy is cheaper than a second write to the socket.
constexpr std::uint64_t kWholeAnswerBytes = 64 * 1024;

struct Override {
  std::string_view parameter;
  std::string objects::SystemMetadata::* field;
};
constexpr std::array<Override, 6> kOverrides = {{
    {"response-content-type", &objects::SystemMetadata::content_type},
    {"response-content-encoding", &objects::SystemMetadata::content_encoding},
    {"response-content-language", &objects::SystemMetadata::content_language},
    {"response-content-disposition", &objects::SystemMetadata::content_disposition},
    {"response-cache-control", &objects::SystemMetadata::cache_control},
    {"response-expires", &objects::SystemMetadata::expires},
}};

Status apply_overrides(Request& request, objects::SystemMetadata& system) {
  if (request.target.query.list().empty()) return {};
  for (const Override& one : kOverrides) {
    const auto value = request.parameter(one.parameter);
    if (!value) continue;
    for (const char c : *value) {
      // It would end the response header and begin another.
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
        return request.bad_argument(std::string(one.parameter), "", "Header value cannot hold control characters");
      }
    }
    system.*one.field = *value;
  }
  return {};
}

// A key of the customer's opens nothing here: who sends one takes the object for another.
Status check_keys(Request& request) {
  if (!request.header("x-amz-server-side-encryption-customer-algorithm")) return {};
  return fail(S3Errc::kInvalidRequest, "The encryption parameters are not applicable to this object.");
}

Result<objects::GetRequest> read_get(Request& request) {
  CHECK_OK(check_version(request));
  CHECK_OK(check_keys(request));
  objects::GetRequest get;
  get.bucket = request.bucket();
  get.key = request.key();
  get.conditions = read_conditions(request.head().headers);
  if (const auto range = request.header("range")) get.range = parse_range(*range);
  get.if_range = read_if_range(request.head().headers);
  if (request.target.query.has("partNumber")) {
    TRY(const std::uint32_t number, read_part_number(request));
    get.part_number = number;
    if (get.range) {
      return fail(S3Errc::kInvalidRequest, "Cannot specify both Range header and partNumber query parameter");
    }
  }
  get.head_only = request.is_head();
  return get;
}

// The checksum that belongs to the bytes that are sent: the object's, or of a part's when a part was asked for.
objects::StoredChecksum checksum_to_show(const Request& request, const objects::GetRequest& get,
                                         const objects::OpenObject& object) {
  if (request.header("x-amz-checksum-mode").value_or("") != "ENABLED") return {};
  const bool whole = object.length() == object.info().size_bytes;
  return whole || get.part_number ? object.info().checksum : objects::StoredChecksum{};
}

// What a 200 would say of caching (RFC 9110 section 15.4.5), and what the object is known by.
Task<Status> reply_not_modified(Request& request, const objects::ObjectInfo& info) {
  net::ResponseHead head;
  head.status = 304;
  head.headers.add("Last-Modified", to_http_date(info.modified));
  head.headers.add("ETag", quoted_etag(info.etag));
  if (!info.system.cache_control.empty()) head.headers.add("Cache-Control", info.system.cache_control);
  if (!info.system.expires.empty()) head.headers.add("Expires", info.system.expires);
  return request.reply(std::move(head));
}

Task<Status> send_whole(Request& request, objects::OpenObject& object, net::ResponseHead head) {
  std::string body;
  body.reserve(object.length());
  for (;;) {
    CO_TRY(const ByteView piece, co_await object.read());
    if (piece.empty()) break;
    body.append(as_text(piece));
    if (body.size() >= object.length()) break;
  }
  if (body.size() != object.length()) co_return fail(Errc::kCorrupt, "an object ended before its length");
  // The peer may take it slowly.
  object.unread(0);
  co_return co_await request.reply(std::move(head), std::move(body));
}

Task<Status> send_stream(Request& request, objects::OpenObject& object, net::ResponseHead head) {
  // Read before the head is sent, while an error can still be told.
  CO_TRY(ByteView piece, co_await object.read());
  CO_CHECK_OK(co_await request.start_stream(std::move(head), object.length()));
  std::uint64_t left = object.length();
  while (!piece.empty()) {
    if (piece.size() > left) co_return fail(Errc::kInternal, "an object is longer than its length");
    CO_TRY(const std::size_t taken, co_await request.write_some(piece));
    left -= taken;
    if (left == 0) {
      // What is on its way yet may take the peer long.
      object.unread(0);
      break;
    }
    if (taken < piece.size()) {
      // Who lets us wait waits without our memory.
      object.unread(piece.size() - taken);
      CO_CHECK_OK(co_await request.ready());
    }
    CO_TRY(piece, co_await object.read());
  }
  if (left != 0) co_return fail(Errc::kCorrupt, "an object ended before its length");
  co_return co_await request.finish_stream();
}

}  // namespace

Status check_version(Request& request) {
  const auto version = request.parameter("versionId");
  if (!version || *version == "null") return {};
  return request.bad_argument(
      "versionId", *version,
      version->empty() ? "Version id cannot be the empty string" : "Invalid version id specified");
}

Task<Status> get_object(Request& request) {
  CO_TRY(const objects::GetRequest get, read_get(request));
  CO_TRY(const std::unique_ptr<objects::OpenObject> opened, co_await request.service().get(request.context(), get));
  objects::OpenObject& object = *opened;
  objects::ObjectInfo info = object.info();
  CO_CHECK_OK(apply_overrides(request, info.system));
  if (object.not_modified()) co_return co_await reply_not_modified(request, info);

  net::ResponseHead head;
  head.status = object.partial() ? 206 : 200;
  add_object_headers(head.headers, info);
  add_checksum_headers(head.headers, checksum_to_show(request, get, object));
  if (get.part_number && info.parts > 0) head.headers.add("x-amz-mp-parts-count", std::to_string(info.parts));
  if (object.partial() && object.length() > 0) {
    head.headers.add("Content-Range", "bytes " + std::to_string(object.offset()) + "-" +
                                          std::to_string(object.offset() + object.length() - 1) + "/" +
                                          std::to_string(info.size_bytes));
  }
  if (request.is_head()) {
    CO_CHECK_OK(co_await request.start_stream(std::move(head), object.length()));
    co_return co_await request.finish_stream();
  }
  if (object.length() <= kWholeAnswerBytes) co_return co_await send_whole(request, object, std::move(head));
  co_return co_await send_stream(request, object, std::move(head));
}

}  // namespace andromede::api::s3
