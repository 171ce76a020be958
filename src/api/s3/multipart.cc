// CreateMultipartUpload, UploadPart, ListParts, ListMultipartUploads, CompleteMultipartUpload, AbortMultipartUpload.
#include <charconv>

#include "api/s3/checksums.h"
#include "api/s3/conditions.h"
#include "api/s3/documents.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/pagination.h"
#include "api/s3/request.h"
#include "base/stretch.h"

namespace andromede::api::s3 {
namespace {

// The type that S3 gives an upload's checksum when the client names none, and the ones it allows.
Result<objects::ChecksumType> checksum_type_of(crypto::Checksum kind, std::optional<std::string_view> asked) {
  using objects::ChecksumType;
  const bool is_sha = kind == crypto::Checksum::kSha1 || kind == crypto::Checksum::kSha256;
  if (!asked) {
    const bool full = kind == crypto::Checksum::kCrc64Nvme || kind == crypto::Checksum::kNone;
    return full ? ChecksumType::kFullObject : ChecksumType::kComposite;
  }
  if (kind == crypto::Checksum::kNone) {
    return fail(S3Errc::kInvalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
  }
  TRY(const ChecksumType type, parse_checksum_type(*asked));
  if ((type == ChecksumType::kFullObject && is_sha) ||
      (type == ChecksumType::kComposite && kind == crypto::Checksum::kCrc64Nvme)) {
    return fail(S3Errc::kInvalidRequest, "The " + std::string(type_name(type)) +
                                             " checksum type cannot be used with the " +
                                             std::string(name_of(kind)->algorithm) + " checksum algorithm.");
  }
  return type;
}

void add_upload_checksum_headers(net::Headers& headers, const objects::UploadInfo& upload) {
  const ChecksumName* name = name_of(upload.checksum);
  if (name == nullptr) return;
  headers.add("x-amz-checksum-algorithm", std::string(name->algorithm));
  headers.add("x-amz-checksum-type", std::string(type_name(upload.checksum_type)));
}

void write_upload_checksum(codec::XmlWriter& xml, const objects::UploadInfo& upload) {
  const ChecksumName* name = name_of(upload.checksum);
  if (name == nullptr) return;
  xml.element("ChecksumAlgorithm", name->algorithm);
  xml.element("ChecksumType", type_name(upload.checksum_type));
}

void write_person(codec::XmlWriter& xml, std::string_view element, const objects::Owner& owner) {
  xml.open(element);
  xml.element("ID", owner.canonical_id);
  xml.element("DisplayName", owner.display_name);
  xml.close();
}

// Where the client found the object's place, be the bucket in the path or in the host's name.
std::string location_of(const Request& request) {
  std::string location = request.head().tls ? "https://" : "http://";
  location.append(request.header("host").value_or("")).append(request.target.raw_path);
  return location;
}

}  // namespace

Result<UploadId> read_upload_id(Request& request) {
  const std::string_view text = request.parameter("uploadId").value_or("");
  Result<UploadId> id = UploadId::parse(text);
  if (!id) return fail(objects::ObjectErrc::kNoSuchUpload, "no upload has such an id");
  return id;
}

Result<std::uint32_t> read_part_number(Request& request) {
  const std::string_view text = request.parameter("partNumber").value_or("");
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number < 1 ||
      number > objects::kMaxParts) {
    return request.bad_argument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive");
  }
  return number;
}

Task<Status> create_multipart_upload(Request& request) {
  CO_CHECK_OK(refuse_conditions(request));
  CO_TRY(ObjectHeaders described, read_object_headers(request));
  objects::CreateUploadRequest create;
  if (const auto algorithm = request.header("x-amz-checksum-algorithm")) {
    CO_TRY(create.checksum, parse_algorithm(*algorithm));
  }
  CO_TRY(create.checksum_type, checksum_type_of(create.checksum, request.header("x-amz-checksum-type")));
  create.bucket = request.bucket();
  create.key = request.key();
  create.system = std::move(described.system);
  create.user = std::move(described.user);
  create.storage_class = described.storage_class.value_or(objects::StorageClass::kStandard);
  CO_TRY(const objects::UploadInfo upload,
         co_await request.service().create_upload(request.context(), std::move(create)));
  codec::XmlWriter xml;
  xml.open("InitiateMultipartUploadResult", kXmlNamespace);
  xml.element("Bucket", request.bucket());
  xml.element("Key", request.key());
  xml.element("UploadId", upload.id.to_string());
  net::ResponseHead head;
  add_upload_checksum_headers(head.headers, upload);
  add_encryption_header(head.headers);
  co_return co_await request.reply_xml(xml.take(), std::move(head));
}

Task<Status> upload_part(Request& request) {
  CO_CHECK_OK(refuse_conditions(request));
  objects::UploadPartRequest part;
  CO_TRY(part.number, read_part_number(request));
  CO_CHECK_OK(check_length(request));
  CO_TRY(part.checksum, read_checksum_demand(request));
  CO_TRY(part.upload, read_upload_id(request));
  part.bucket = request.bucket();
  part.key = request.key();
  CO_TRY(BodySource* const body, request.body());
  CO_TRY(const objects::PutAnswer answer,
         co_await request.service().upload_part(request.context(), std::move(part), *body));
  net::ResponseHead head;
  head.headers.add("ETag", quoted_etag(answer.etag));
  if (const ChecksumName* name = name_of(answer.checksum.kind)) {
    head.headers.add(std::string(name->header), checksum_text(answer.checksum));
  }
  add_encryption_header(head.headers);
  co_return co_await request.reply(std::move(head));
}

Task<Status> list_parts(Request& request) {
  objects::ListPartsRequest list;
  CO_TRY(const NameEncoder names, NameEncoder::of(request));
  CO_TRY(const auto max, request.number("max-parts", 0, std::numeric_limits<std::int32_t>::max()));
  CO_TRY(const auto after, request.number("part-number-marker", 0, std::numeric_limits<std::int32_t>::max()));
  CO_TRY(list.upload, read_upload_id(request));
  list.bucket = request.bucket();
  list.key = request.key();
  list.max = std::min<std::size_t>(max.value_or(objects::kMaxListKeys), objects::kMaxListKeys);
  list.after = static_cast<std::uint32_t>(after.value_or(0));
  const std::size_t shown_max = list.max;
  const std::uint32_t shown_after = list.after;
  CO_CHECK_OK(co_await request.reserve_answer(list.max * kMostPartBytes));
  CO_TRY(objects::PartPage page, co_await request.service().list_parts(request.context(), std::move(list)));
  codec::XmlWriter xml;
  xml.open("ListPartsResult", kXmlNamespace);
  xml.element("Bucket", request.bucket());
  xml.element("Key", names.encode(request.key()));
  xml.element("UploadId", page.upload.id.to_string());
  write_person(xml, "Initiator", page.owner);
  write_person(xml, "Owner", page.owner);
  xml.element("StorageClass", storage_class_name(page.upload.storage_class));
  xml.element("PartNumberMarker", std::uint64_t{shown_after});
  xml.element("NextPartNumberMarker", std::uint64_t{page.next});
  xml.element("MaxParts", std::uint64_t{shown_max});
  if (names.url()) xml.element("EncodingType", std::string_view("url"));
  xml.element("IsTruncated", page.truncated);
  write_upload_checksum(xml, page.upload);
  Stretch stretch;
  for (const objects::PartInfo& part : page.parts) {
    co_await stretch.pause();
    xml.open("Part");
    xml.element("PartNumber", std::uint64_t{part.number});
    xml.element("LastModified", xml_time(part.modified));
    xml.element("ETag", quoted_etag(part.etag));
    xml.element("Size", part.size_bytes);
    write_checksum(xml, part.checksum, false);
    xml.close();
  }
  page = {};
  co_return co_await request.reply_xml(xml.take());
}

Task<Status> list_multipart_uploads(Request& request) {
  objects::ListUploadsRequest list;
  CO_TRY(const NameEncoder names, NameEncoder::of(request));
  CO_TRY(const auto max, request.number("max-uploads", 1, std::numeric_limits<std::int32_t>::max()));
  list.bucket = request.bucket();
  list.prefix = request.parameter("prefix").value_or("");
  list.delimiter = request.parameter("delimiter").value_or("");
  list.key_marker = request.parameter("key-marker").value_or("");
  // Without a key to belong to, an upload id marks nothing.
  if (!list.key_marker.empty()) list.upload_id_marker = request.parameter("upload-id-marker").value_or("");
  list.max = std::min<std::size_t>(max.value_or(objects::kMaxListKeys), objects::kMaxListKeys);
  CO_CHECK_OK(co_await request.reserve_answer(most_listing_bytes(request, list.max)));
  CO_TRY(objects::UploadPage page, co_await request.service().list_uploads(request.context(), list));
  codec::XmlWriter xml;
  xml.open("ListMultipartUploadsResult", kXmlNamespace);
  xml.element("Bucket", request.bucket());
  xml.element("KeyMarker", names.encode(list.key_marker));
  xml.element("UploadIdMarker", list.upload_id_marker);
  xml.element("Prefix", names.encode(list.prefix));
  if (!list.delimiter.empty()) xml.element("Delimiter", names.encode(list.delimiter));
  if (page.truncated) {
    xml.element("NextKeyMarker", names.encode(page.next_key));
    xml.element("NextUploadIdMarker", page.next_upload_id);
  }
  xml.element("MaxUploads", std::uint64_t{list.max});
  if (names.url()) xml.element("EncodingType", std::string_view("url"));
  xml.element("IsTruncated", page.truncated);
  Stretch stretch;
  for (const objects::UploadInfo& upload : page.uploads) {
    co_await stretch.pause();
    xml.open("Upload");
    xml.element("Key", names.encode(upload.key));
    xml.element("UploadId", upload.id.to_string());
    write_person(xml, "Initiator", page.owner);
    write_person(xml, "Owner", page.owner);
    xml.element("StorageClass", storage_class_name(upload.storage_class));
    xml.element("Initiated", xml_time(upload.initiated));
    write_upload_checksum(xml, upload);
    xml.close();
  }
  co_await write_common_prefixes(xml, page.common_prefixes, names);
  page = {};
  co_return co_await request.reply_xml(xml.take());
}

Task<Status> complete_multipart_upload(Request& request) {
  objects::CompleteRequest complete;
  CO_TRY(complete.conditions, read_write_conditions(request));
  CO_TRY(complete.checksum, read_object_checksum(request));
  objects::ChecksumDemand demand;
  CO_TRY(demand.content_md5, read_content_md5(request));
  CO_TRY(complete.parts, co_await read_document(request, std::move(demand), &parse_complete));
  CO_TRY(complete.upload, read_upload_id(request));
  if (const auto size = request.header("x-amz-mp-object-size")) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(size->data(), size->data() + size->size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != size->data() + size->size()) {
      co_return request.bad_argument("x-amz-mp-object-size", *size, "The size must be a number of bytes");
    }
    complete.object_size_bytes = value;
  }
  if (const auto type = request.header("x-amz-checksum-type")) {
    CO_TRY(complete.checksum_type, parse_checksum_type(*type));
  }
  complete.bucket = request.bucket();
  complete.key = request.key();
  CO_TRY(const objects::PutAnswer answer,
         co_await request.service().complete_upload(request.context(), std::move(complete)));
  codec::XmlWriter xml;
  xml.open("CompleteMultipartUploadResult", kXmlNamespace);
  xml.element("Location", location_of(request));
  xml.element("Bucket", request.bucket());
  xml.element("Key", request.key());
  xml.element("ETag", quoted_etag(answer.etag));
  write_checksum(xml, answer.checksum, true);
  net::ResponseHead head;
  add_encryption_header(head.headers);
  co_return co_await request.reply_xml(xml.take(), std::move(head));
}

Task<Status> abort_multipart_upload(Request& request) {
  CO_TRY(const UploadId upload, read_upload_id(request));
  CO_CHECK_OK(co_await request.service().abort_upload(request.context(), request.bucket(), request.key(), upload));
  co_return co_await request.reply({.status = 204, .headers = {}});
}

}  // namespace andromede::api::s3
