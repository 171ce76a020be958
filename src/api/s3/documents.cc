#include "api/s3/documents.h"

#include <charconv>

#include "api/s3/checksums.h"
#include "api/s3/errors.h"
#include "codec/xml.h"
#include "net/dates.h"

namespace andromede::api::s3 {
namespace {

Result<objects::DeleteItem> read_item(const codec::XmlElement& element) {
  objects::DeleteItem item;
  item.key = element.child_text("Key");
  if (item.key.empty()) return fail(S3Errc::kMalformedXml, "an Object without a Key");
  item.version_id = element.child_text("VersionId");
  if (const std::string_view etag = element.child_text("ETag"); !etag.empty()) item.conditions.if_match = etag;
  if (const std::string_view size = element.child_text("Size"); !size.empty()) {
    TRY(item.if_size_bytes, parse_size(size));
  }
  if (const std::string_view time = element.child_text("LastModifiedTime"); !time.empty()) {
    TRY(item.if_modified, parse_time(time));
  }
  return item;
}

std::string_view without_quotes(std::string_view etag) {
  if (etag.starts_with('"')) etag.remove_prefix(1);
  if (etag.ends_with('"')) etag.remove_suffix(1);
  return etag;
}

Result<objects::CompletedPart> read_part(const codec::XmlElement& element) {
  objects::CompletedPart part;
  const std::string_view number = element.child_text("PartNumber");
  std::int32_t value = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != number.data() + number.size()) {
    return fail(S3Errc::kMalformedXml, "a Part without a PartNumber");
  }
  if (value < 1) return fail(S3Errc::kInvalidArgument, "PartNumber must be >= 1");
  part.number = static_cast<std::uint32_t>(value);
  part.etag = without_quotes(element.child_text("ETag"));
  if (part.etag.empty()) return fail(S3Errc::kMalformedXml, "a Part without an ETag");
  for (const ChecksumName& name : kChecksumNames) {
    const std::string_view text = element.child_text(name.element);
    if (text.empty()) continue;
    Result<objects::StoredChecksum> checksum = parse_checksum(name, text);
    if (!checksum) return fail(objects::ObjectErrc::kInvalidPart, "a part's checksum is malformed");
    part.checksum = std::move(*checksum);
  }
  return part;
}

Result<codec::XmlElement> parse_root(std::string_view text, std::string_view name, std::size_t limit_bytes) {
  Result<codec::XmlElement> root = codec::parse_xml(text, {.bytes = limit_bytes});
  if (!root || root->name != name) return fail(S3Errc::kMalformedXml, "not a " + std::string(name) + " document");
  return root;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t size = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), size);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
    return fail(S3Errc::kInvalidArgument, "The size must be a number of bytes");
  }
  return size;
}

Result<Timestamp> parse_time(std::string_view text) {
  std::optional<Timestamp> time = net::parse_http_date(text);
  if (!time) time = net::parse_iso8601(text);
  if (!time) return fail(S3Errc::kInvalidArgument, "The time must be an HTTP date");
  return *time;
}

Result<DeleteDocument> parse_delete(std::string_view text) {
  TRY(const codec::XmlElement root, parse_root(text, "Delete", kMaxDeleteBytes));
  DeleteDocument document;
  document.quiet = root.child_text("Quiet") == "true";
  for (const codec::XmlElement& child : root.children) {
    if (child.name != "Object") continue;
    if (document.items.size() == kMaxDeleteKeys) return fail(S3Errc::kMalformedXml, "more than 1000 keys");
    TRY(objects::DeleteItem item, read_item(child));
    document.items.push_back(std::move(item));
  }
  if (document.items.empty()) return fail(S3Errc::kMalformedXml, "no keys");
  return document;
}

Result<std::vector<objects::CompletedPart>> parse_complete(std::string_view text) {
  TRY(const codec::XmlElement root, parse_root(text, "CompleteMultipartUpload", kMaxCompleteBytes));
  std::vector<objects::CompletedPart> parts;
  for (const codec::XmlElement& child : root.children) {
    if (child.name != "Part") continue;
    if (parts.size() == objects::kMaxParts) return fail(S3Errc::kMalformedXml, "more than 10,000 parts");
    TRY(objects::CompletedPart part, read_part(child));
    parts.push_back(std::move(part));
  }
  if (parts.empty()) return fail(S3Errc::kMalformedXml, "no parts");
  return parts;
}

Result<bool> is_owner_policy(std::string_view text, std::string_view owner_id) {
  TRY(const codec::XmlElement root, parse_root(text, "AccessControlPolicy", kMaxConfigurationBytes));
  const codec::XmlElement* grants = root.child("AccessControlList");
  if (grants == nullptr) return fail(S3Errc::kMalformedXml, "an AccessControlPolicy without an AccessControlList");
  for (const codec::XmlElement& grant : grants->children) {
    const codec::XmlElement* grantee = grant.child("Grantee");
    if (grant.name != "Grant" || grantee == nullptr) return fail(S3Errc::kMalformedXml, "not a Grant");
    if (grantee->child_text("ID") != owner_id || grant.child_text("Permission") != "FULL_CONTROL") return false;
  }
  return !grants->children.empty();
}

Result<std::string> parse_bucket_configuration(std::string_view text) {
  if (text.empty()) return std::string();
  TRY(const codec::XmlElement root, parse_root(text, "CreateBucketConfiguration", kMaxConfigurationBytes));
  if (root.child("Location") != nullptr || root.child("Bucket") != nullptr || root.child("Tags") != nullptr) {
    return fail(S3Errc::kNotImplemented, "directory buckets and tags are not offered");
  }
  return std::string(root.child_text("LocationConstraint"));
}

}  // namespace andromede::api::s3
