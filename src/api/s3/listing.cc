// ListObjects, ListObjectsV2, ListObjectVersions.
#include <charconv>

#include "api/s3/checksums.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/pagination.h"
#include "api/s3/request.h"
#include "base/stretch.h"

namespace andromede::api::s3 {
namespace {

// What the three listings have in common.
struct Listing {
  objects::ListRequest list;
  NameEncoder names;
};

// max-keys takes any 32-bit number; a page holds 1000 all the same.
Result<std::size_t> read_max_keys(Request& request) {
  const auto text = request.parameter("max-keys");
  if (!text || text->empty()) return objects::kMaxListKeys;
  std::int32_t value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size()) {
    return request.bad_argument("max-keys", *text, "Provided max-keys not an integer or within integer range");
  }
  if (value < 0) {
    return request.bad_argument("max-keys", *text, "Argument maxKeys must be an integer between 0 and 2147483647");
  }
  return std::min<std::size_t>(static_cast<std::size_t>(value), objects::kMaxListKeys);
}

Result<Listing> read_listing(Request& request) {
  Listing listing;
  TRY(listing.names, NameEncoder::of(request));
  TRY(listing.list.max, read_max_keys(request));
  listing.list.bucket = request.bucket();
  listing.list.prefix = request.parameter("prefix").value_or("");
  listing.list.delimiter = request.parameter("delimiter").value_or("");
  return listing;
}

Task<Result<objects::ListPage>> read_page(Request& request, objects::ListRequest list) {
  CO_CHECK_OK(co_await request.reserve_answer(most_listing_bytes(request, list.max)));
  if (list.max > 0) co_return co_await request.service().list(request.context(), std::move(list));
  // A page of none still tells whether the bucket is there.
  CO_TRY(const objects::BucketHead bucket, co_await request.service().head_bucket(request.context(), request.bucket()));
  co_return objects::ListPage{};
}

void write_owner(codec::XmlWriter& xml, const objects::Owner& owner) {
  xml.open("Owner");
  xml.element("ID", owner.canonical_id);
  xml.element("DisplayName", owner.display_name);
  xml.close();
}

void write_entry_fields(codec::XmlWriter& xml, const objects::ListEntry& entry) {
  xml.element("LastModified", xml_time(entry.modified));
  xml.element("ETag", quoted_etag(entry.etag));
  if (const ChecksumName* checksum = name_of(entry.checksum_kind)) {
    xml.element("ChecksumAlgorithm", checksum->algorithm);
    xml.element("ChecksumType", type_name(entry.checksum_type));
  }
  xml.element("Size", entry.size_bytes);
}

Task<void> write_contents(codec::XmlWriter& xml, const objects::ListPage& page, const NameEncoder& names,
                          bool with_owner) {
  Stretch stretch;
  for (const objects::ListEntry& entry : page.entries) {
    co_await stretch.pause();
    xml.open("Contents");
    xml.element("Key", names.encode(entry.key));
    write_entry_fields(xml, entry);
    if (with_owner) write_owner(xml, page.owner);
    xml.element("StorageClass", storage_class_name(entry.storage_class));
    xml.close();
  }
}

// Name, Delimiter, MaxKeys, EncodingType, IsTruncated: the same in all three.
void write_frame(codec::XmlWriter& xml, const Listing& listing, std::string_view prefix, bool truncated) {
  const objects::ListRequest& list = listing.list;
  xml.element("Name", list.bucket);
  xml.element("Prefix", prefix);
  if (!list.delimiter.empty()) xml.element("Delimiter", listing.names.encode(list.delimiter));
  xml.element("MaxKeys", std::uint64_t{list.max});
  if (listing.names.url()) xml.element("EncodingType", std::string_view("url"));
  xml.element("IsTruncated", truncated);
}

}  // namespace

Task<Status> list_objects(Request& request) {
  CO_TRY(Listing listing, read_listing(request));
  listing.list.after = request.parameter("marker").value_or("");
  CO_TRY(objects::ListPage page, co_await read_page(request, listing.list));
  codec::XmlWriter xml;
  xml.open("ListBucketResult", kXmlNamespace);
  // Version 1 echoes the prefix as it was given, whatever encoding-type says: botocore decodes all but this.
  write_frame(xml, listing, listing.list.prefix, page.truncated);
  xml.element("Marker", listing.names.encode(listing.list.after));
  // Without a delimiter the last key is the marker, and S3 leaves it at that.
  if (page.truncated && !listing.list.delimiter.empty()) {
    xml.element("NextMarker", listing.names.encode(page.next));
  }
  co_await write_contents(xml, page, listing.names, true);
  co_await write_common_prefixes(xml, page.common_prefixes, listing.names);
  page = {};
  co_return co_await request.reply_xml(xml.take());
}

Task<Status> list_objects_v2(Request& request) {
  CO_TRY(Listing listing, read_listing(request));
  CO_TRY(const std::optional<std::string> token, read_token(request, "continuation-token"));
  const std::string_view start_after = request.parameter("start-after").value_or("");
  listing.list.after = token ? *token : std::string(start_after);
  CO_TRY(objects::ListPage page, co_await read_page(request, listing.list));
  codec::XmlWriter xml;
  xml.open("ListBucketResult", kXmlNamespace);
  write_frame(xml, listing, listing.names.encode(listing.list.prefix), page.truncated);
  xml.element("KeyCount", std::uint64_t{page.entries.size() + page.common_prefixes.size()});
  if (const auto given = request.parameter("continuation-token")) xml.element("ContinuationToken", *given);
  if (!start_after.empty()) xml.element("StartAfter", listing.names.encode(start_after));
  if (page.truncated) xml.element("NextContinuationToken", make_token(page.next));
  co_await write_contents(xml, page, listing.names, request.parameter("fetch-owner") == "true");
  co_await write_common_prefixes(xml, page.common_prefixes, listing.names);
  page = {};
  co_return co_await request.reply_xml(xml.take());
}

Task<Status> list_object_versions(Request& request) {
  CO_TRY(Listing listing, read_listing(request));
  const std::string_view key_marker = request.parameter("key-marker").value_or("");
  const std::string_view version_marker = request.parameter("version-id-marker").value_or("");
  if (!version_marker.empty() && key_marker.empty()) {
    co_return request.bad_argument("version-id-marker", version_marker,
                                   "A version-id marker cannot be specified without a key marker.");
  }
  // A key has one version, "null", so behind it comes the next key.
  listing.list.after = key_marker;
  CO_TRY(objects::ListPage page, co_await read_page(request, listing.list));
  codec::XmlWriter xml;
  xml.open("ListVersionsResult", kXmlNamespace);
  write_frame(xml, listing, listing.names.encode(listing.list.prefix), page.truncated);
  xml.element("KeyMarker", listing.names.encode(key_marker));
  xml.element("VersionIdMarker", version_marker);
  if (page.truncated) {
    xml.element("NextKeyMarker", listing.names.encode(page.next));
    const bool ends_in_key = !page.entries.empty() && page.entries.back().key == page.next;
    if (ends_in_key) xml.element("NextVersionIdMarker", std::string_view("null"));
  }
  Stretch stretch;
  for (const objects::ListEntry& entry : page.entries) {
    co_await stretch.pause();
    xml.open("Version");
    xml.element("Key", listing.names.encode(entry.key));
    xml.element("VersionId", std::string_view("null"));
    xml.element("IsLatest", true);
    write_entry_fields(xml, entry);
    write_owner(xml, page.owner);
    xml.element("StorageClass", storage_class_name(entry.storage_class));
    xml.close();
  }
  co_await write_common_prefixes(xml, page.common_prefixes, listing.names);
  page = {};
  co_return co_await request.reply_xml(xml.take());
}

}  // namespace andromede::api::s3
