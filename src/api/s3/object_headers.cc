#include "api/s3/object_headers.h"

#include <array>

#include "api/s3/errors.h"
#include "api/s3/request.h"
#include "api/sigv4/canonical.h"
#include "net/names.h"

namespace andromede::api::s3 {
namespace {

using net::same_name;

struct ClassName {
  objects::StorageClass value;
  std::string_view name;
};
constexpr std::array<ClassName, 6> kClassNames = {{
    {objects::StorageClass::kStandard, "STANDARD"},
    {objects::StorageClass::kReducedRedundancy, "REDUCED_REDUNDANCY"},
    {objects::StorageClass::kStandardIa, "STANDARD_IA"},
    {objects::StorageClass::kOnezoneIa, "ONEZONE_IA"},
    {objects::StorageClass::kIntelligentTiering, "INTELLIGENT_TIERING"},
    {objects::StorageClass::kGlacierIr, "GLACIER_IR"},
}};

constexpr std::string_view kMetaPrefix = "x-amz-meta-";

struct SystemHeader {
  std::string_view name;
  std::string objects::SystemMetadata::* field;
};
constexpr std::array<SystemHeader, 7> kSystemHeaders = {{
    {"Content-Type", &objects::SystemMetadata::content_type},
    {"Content-Encoding", &objects::SystemMetadata::content_encoding},
    {"Content-Language", &objects::SystemMetadata::content_language},
    {"Content-Disposition", &objects::SystemMetadata::content_disposition},
    {"Cache-Control", &objects::SystemMetadata::cache_control},
    {"Expires", &objects::SystemMetadata::expires},
    {"x-amz-website-redirect-location", &objects::SystemMetadata::website_redirect},
}};

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The encoding of the transfer is not the object's.
std::string without_aws_chunked(std::string_view encodings) {
  if (encodings.find("aws-chunked") == std::string_view::npos) return std::string(encodings);
  std::string out;
  while (!encodings.empty()) {
    const std::size_t end = std::min(encodings.find(','), encodings.size());
    const std::string_view one = trim(encodings.substr(0, end));
    encodings.remove_prefix(std::min(end + 1, encodings.size()));
    if (one.empty() || same_name(one, "aws-chunked")) continue;
    if (!out.empty()) out.append(", ");
    out.append(one);
  }
  return out;
}

bool starts_like(std::string_view name, std::string_view prefix) {
  return name.size() > prefix.size() && same_name(name.substr(0, prefix.size()), prefix);
}

// x-amz-* headers of features that are not offered: ignoring one would break what the client relies on.
Status check_feature_header(std::string_view name, std::string_view value) {
  if (same_name(name, "x-amz-server-side-encryption")) {
    if (value == "AES256") return {};
    if (value == "aws:kms" || value == "aws:kms:dsse") {
      return fail(S3Errc::kNotImplemented, "encryption with KMS keys is not offered");
    }
    return fail(S3Errc::kInvalidEncryptionAlgorithm, "unknown encryption");
  }
  if (starts_like(name, "x-amz-server-side-encryption-") || starts_like(name, "x-amz-object-lock-") ||
      starts_like(name, "x-amz-copy-source-server-side-encryption-") || same_name(name, "x-amz-tagging") ||
      same_name(name, "x-amz-write-offset-bytes")) {
    return fail(S3Errc::kNotImplemented, "a feature that is not offered");
  }
  if (same_name(name, "x-amz-tagging-directive") && value == "REPLACE") {
    return fail(S3Errc::kNotImplemented, "tags are not offered");
  }
  return {};
}

constexpr std::size_t kMaxRedirectBytes = 2048;

Status check_redirect(std::string_view location) {
  if (location.empty()) return {};
  if (!location.starts_with("http://") && !location.starts_with("https://") && !location.starts_with('/')) {
    return fail(S3Errc::kInvalidRedirect,
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.");
  }
  if (location.size() <= kMaxRedirectBytes) return {};
  return fail(S3Errc::kInvalidRedirect, "The length of website redirect location cannot exceed 2,048 characters.");
}

// A response header cannot hold what would end it.
bool fits_header(std::string_view value) {
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return false;
    if (c == 0x7F) return false;
  }
  return true;
}

}  // namespace

std::string_view storage_class_name(objects::StorageClass storage_class) {
  for (const ClassName& one : kClassNames) {
    if (one.value == storage_class) return one.name;
  }
  return "STANDARD";
}

std::optional<objects::StorageClass> parse_storage_class(std::string_view name) {
  for (const ClassName& one : kClassNames) {
    if (one.name == name) return one.value;
  }
  return std::nullopt;
}

Status check_acl_headers(Request& request) {
  for (const net::Header& header : request.head().headers.list()) {
    if (starts_like(header.name, "x-amz-grant-")) return fail(S3Errc::kAclNotSupported, "grants are not offered");
    if (!same_name(header.name, "x-amz-acl")) continue;
    if (header.value == "private" || header.value == "bucket-owner-full-control") continue;
    for (const std::string_view canned : {"public-read", "public-read-write", "authenticated-read", "aws-exec-read",
                                          "bucket-owner-read", "log-delivery-write"}) {
      if (header.value == canned) return fail(S3Errc::kAclNotSupported, "canned ACLs are not offered");
    }
    return request.bad_argument("x-amz-acl", header.value, "Invalid canned ACL");
  }
  return {};
}

Result<ObjectHeaders> read_object_headers(Request& request) {
  ObjectHeaders out;
  CHECK_OK(check_acl_headers(request));
  std::size_t user_bytes = 0;
  for (const net::Header& header : request.head().headers.list()) {
    const std::string_view name = header.name;
    for (const SystemHeader& known : kSystemHeaders) {
      if (same_name(name, known.name)) out.system.*known.field = header.value;
    }
    if (name.size() < 6 || !same_name(name.substr(0, 6), "x-amz-")) continue;
    if (starts_like(name, kMetaPrefix)) {
      auto [entry, added] = out.user.try_emplace(lower_case(name.substr(kMetaPrefix.size())), header.value);
      if (!added) entry->second.append(",").append(header.value);
      user_bytes += (added ? entry->first.size() : 1) + header.value.size();
      continue;
    }
    if (same_name(name, "x-amz-storage-class")) {
      out.storage_class = parse_storage_class(header.value);
      if (!out.storage_class) return fail(S3Errc::kInvalidStorageClass, header.value);
    }
    CHECK_OK(check_feature_header(name, header.value));
  }
  if (user_bytes > objects::kMaxUserMetadataBytes) {
    request.error_fields.emplace_back("Size", std::to_string(user_bytes));
    request.error_fields.emplace_back("MaxSizeAllowed", std::to_string(objects::kMaxUserMetadataBytes));
    return fail(S3Errc::kMetadataTooLarge, "user metadata");
  }
  for (const SystemHeader& known : kSystemHeaders) {
    if (!fits_header(out.system.*known.field)) {
      return request.bad_argument(std::string(known.name), "", "The header holds control characters");
    }
  }
  for (const auto& [name, value] : out.user) {
    if (!fits_header(value)) {
      return request.bad_argument(std::string(kMetaPrefix) + name, "", "The header holds control characters");
    }
  }
  CHECK_OK(check_redirect(out.system.website_redirect));
  out.system.content_encoding = without_aws_chunked(out.system.content_encoding);
  return out;
}

void add_object_headers(net::Headers& headers, const objects::ObjectInfo& info) {
  headers.add("Last-Modified", to_http_date(info.modified));
  headers.add("ETag", quoted_etag(info.etag));
  headers.add("Accept-Ranges", "bytes");
  if (info.system.content_type.empty()) headers.add("Content-Type", "binary/octet-stream");
  for (const SystemHeader& known : kSystemHeaders) {
    const std::string& value = info.system.*known.field;
    if (!value.empty()) headers.add(std::string(known.name), value);
  }
  for (const auto& [name, value] : info.user) headers.add(std::string(kMetaPrefix) + name, value);
  if (info.storage_class != objects::StorageClass::kStandard) {
    headers.add("x-amz-storage-class", std::string(storage_class_name(info.storage_class)));
  }
  add_encryption_header(headers);
}

void add_encryption_header(net::Headers& headers) { headers.add("x-amz-server-side-encryption", "AES256"); }

}  // namespace andromede::api::s3
