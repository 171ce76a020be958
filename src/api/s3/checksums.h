// x-amz-checksum-*, Content-MD5 and x-amz-trailer ("Checking object integrity", Amazon S3 user guide).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "codec/xml.h"
#include "net/http.h"
#include "objects/service.h"

namespace andromede::api::s3 {

class Request;

struct ChecksumName {
  crypto::Checksum kind;
  std::string_view algorithm;  // "CRC32C"
  std::string_view header;     // "x-amz-checksum-crc32c"
  std::string_view element;    // "ChecksumCRC32C"
};
inline constexpr std::array<ChecksumName, 5> kChecksumNames = {{
    {crypto::Checksum::kCrc32, "CRC32", "x-amz-checksum-crc32", "ChecksumCRC32"},
    {crypto::Checksum::kCrc32c, "CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C"},
    {crypto::Checksum::kCrc64Nvme, "CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME"},
    {crypto::Checksum::kSha1, "SHA1", "x-amz-checksum-sha1", "ChecksumSHA1"},
    {crypto::Checksum::kSha256, "SHA256", "x-amz-checksum-sha256", "ChecksumSHA256"},
}};
// Null for kNone and kMd5.
const ChecksumName* name_of(crypto::Checksum kind);
// ASCII case ignored; S3Errc::kInvalidRequest for an algorithm that S3 does not have.
Result<crypto::Checksum> parse_algorithm(std::string_view algorithm);
Result<objects::ChecksumType> parse_checksum_type(std::string_view type);
std::string_view type_name(objects::ChecksumType type);

// Base64, with "-N" behind a composite one.
std::string checksum_text(const objects::StoredChecksum& checksum);
// "…" or "…-N". S3Errc::kBadDigest when it cannot be a checksum of that kind.
Result<objects::StoredChecksum> parse_checksum(const ChecksumName& name, std::string_view text);

// What the client wants checked of the body. S3Errc::kInvalidRequest (several checksums), kInvalidDigest, kBadDigest.
Result<objects::ChecksumDemand> read_checksum_demand(const Request& request);
// Content-MD5 alone, for requests whose x-amz-checksum-* speaks of something else than their body. kInvalidDigest.
Result<std::optional<Bytes>> read_content_md5(const Request& request);
// The value of the one x-amz-checksum-* header, if there is one (CompleteMultipartUpload).
Result<std::optional<objects::StoredChecksum>> read_object_checksum(const Request& request);
// Checks a whole body. S3Errc::kBadDigest.
Status check_digests(const objects::ChecksumDemand& demand, ByteView body, const std::optional<Bytes>& trailer);

// x-amz-checksum-<kind> and x-amz-checksum-type, or nothing for kNone.
void add_checksum_headers(net::Headers& headers, const objects::StoredChecksum& checksum);
// <ChecksumX> and, with `with_type`, <ChecksumType>, or nothing for kNone.
void write_checksum(codec::XmlWriter& xml, const objects::StoredChecksum& checksum, bool with_type);

}  // namespace andromede::api::s3
