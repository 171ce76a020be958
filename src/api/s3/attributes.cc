// GetObjectAttributes.
#include "api/s3/checksums.h"
#include "api/s3/conditions.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/pagination.h"
#include "api/s3/request.h"
#include "api/sigv4/canonical.h"
#include "base/stretch.h"
#include "net/names.h"

namespace andromede::api::s3 {
namespace {

struct Wanted {
  bool etag = false;
  bool checksum = false;
  bool parts = false;
  bool storage_class = false;
  bool size = false;
  std::uint32_t part_marker = 0;
  std::size_t max_parts = objects::kMaxListKeys;
};

// A decimal number in a header, which here stand where other listings have parameters.
Result<std::uint32_t> header_number(Request& request, std::string_view name, std::uint32_t fallback) {
  const auto text = request.header(name);
  if (!text) return fallback;
  std::uint32_t value = 0;
  for (const char c : *text) {
    if (c < '0' || c > '9' || value > 100'000'000) {
      return request.bad_argument(std::string(name), *text, "Argument must be a non-negative integer");
    }
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return value;
}

Result<Wanted> read_wanted(Request& request) {
  Wanted wanted;
  bool any = false;
  for (const net::Header& header : request.head().headers.list()) {
    if (!net::same_name(header.name, "x-amz-object-attributes")) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      std::string_view name = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      while (name.starts_with(' ')) name.remove_prefix(1);
      while (name.ends_with(' ')) name.remove_suffix(1);
      any = true;
      if (name == "ETag") {
        wanted.etag = true;
      } else if (name == "Checksum") {
        wanted.checksum = true;
      } else if (name == "ObjectParts") {
        wanted.parts = true;
      } else if (name == "StorageClass") {
        wanted.storage_class = true;
      } else if (name == "ObjectSize") {
        wanted.size = true;
      } else {
        return request.bad_argument("x-amz-object-attributes", name, "Invalid attribute name specified.");
      }
    }
  }
  if (!any) {
    return request.bad_argument("x-amz-object-attributes", "",
                                "The x-amz-object-attributes header specifying the attributes to be retrieved is "
                                "either missing or empty");
  }
  TRY(wanted.part_marker, header_number(request, "x-amz-part-number-marker", 0));
  TRY(const std::uint32_t max, header_number(request, "x-amz-max-parts", objects::kMaxListKeys));
  wanted.max_parts = std::min<std::size_t>(max, objects::kMaxListKeys);
  return wanted;
}

Task<void> write_parts(codec::XmlWriter& xml, const Wanted& wanted, const objects::ObjectInfo& info,
                       std::vector<objects::PartInfo> parts) {
  const bool truncated = parts.size() > wanted.max_parts;
  if (truncated) parts.resize(wanted.max_parts);
  xml.open("ObjectParts");
  xml.element("PartsCount", std::uint64_t{info.parts});
  xml.element("PartNumberMarker", std::uint64_t{wanted.part_marker});
  xml.element("NextPartNumberMarker", std::uint64_t{parts.empty() ? 0 : parts.back().number});
  xml.element("MaxParts", std::uint64_t{wanted.max_parts});
  xml.element("IsTruncated", truncated);
  Stretch stretch;
  for (const objects::PartInfo& part : parts) {
    co_await stretch.pause();
    xml.open("Part");
    xml.element("PartNumber", std::uint64_t{part.number});
    xml.element("Size", part.size_bytes);
    write_checksum(xml, part.checksum, false);
    xml.close();
  }
  xml.close();
}

}  // namespace

Task<Status> get_object_attributes(Request& request) {
  CO_CHECK_OK(check_version(request));
  CO_TRY(const Wanted wanted, read_wanted(request));
  objects::GetRequest get;
  get.bucket = request.bucket();
  get.key = request.key();
  get.conditions = read_conditions(request.head().headers);
  get.head_only = true;
  // One more than shown, to know whether more follow.
  if (wanted.parts) get.parts = {wanted.part_marker, wanted.max_parts + 1};
  if (wanted.parts) CO_CHECK_OK(co_await request.reserve_answer(wanted.max_parts * kMostPartBytes));
  CO_TRY(std::unique_ptr<objects::OpenObject> object, co_await request.service().get(request.context(), get));
  const objects::ObjectInfo& info = object->info();
  if (object->not_modified()) co_return fail(objects::ObjectErrc::kNotModified, "Not Modified");

  codec::XmlWriter xml;
  xml.open("GetObjectAttributesResponse", kXmlNamespace);
  if (wanted.etag) xml.element("ETag", info.etag);
  if (wanted.checksum && info.checksum.kind != crypto::Checksum::kNone) {
    xml.open("Checksum");
    write_checksum(xml, info.checksum, true);
    xml.close();
  }
  if (wanted.parts && info.parts > 0) co_await write_parts(xml, wanted, info, object->parts());
  if (wanted.storage_class) xml.element("StorageClass", storage_class_name(info.storage_class));
  if (wanted.size) xml.element("ObjectSize", info.size_bytes);
  net::ResponseHead head;
  head.headers.add("Last-Modified", to_http_date(info.modified));
  object.reset();
  co_return co_await request.reply_xml(xml.take(), std::move(head));
}

}  // namespace andromede::api::s3
