// Digests and checksums, incremental and one-shot. OpenSSL underneath; CRCs from ISA-L; CRC-64/NVME by carry-less
// multiplication. Not thread-safe per object.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace andromede::crypto {

using Sha256Digest = std::array<std::uint8_t, 32>;
using Sha1Digest = std::array<std::uint8_t, 20>;
using Md5Digest = std::array<std::uint8_t, 16>;

Sha256Digest sha256(ByteView data);
Sha256Digest hmac_sha256(ByteView key, ByteView data);
Md5Digest md5(ByteView data);

// What a client can ask for as `x-amz-checksum-*`, plus MD5.
enum class Checksum : std::uint8_t {
  kNone = 0,
  kCrc32 = 1,
  kCrc32c = 2,
  kCrc64Nvme = 3,
  kSha1 = 4,
  kSha256 = 5,
  kMd5 = 6
};

// Bytes of the checksum's value: 4, 4, 8, 20, 32, 16.
std::size_t checksum_size(Checksum kind);

// Incremental. finish() may be called once; CRC values come big-endian, as S3 encodes them.
class Hasher {
 public:
  virtual ~Hasher() = default;
  virtual void update(ByteView data) = 0;
  virtual Bytes finish() = 0;
};
// Null for kNone.
std::unique_ptr<Hasher> make_hasher(Checksum kind);

// CRCs chain: crc(crc(0, a), b) is the CRC of a||b.
std::uint32_t crc32c(std::uint32_t seed, ByteView data);     // RFC 3720 appendix B.4; seed 0 starts
std::uint32_t crc32(std::uint32_t seed, ByteView data);      // ISO 3309, zlib's
std::uint64_t crc64nvme(std::uint64_t seed, ByteView data);  // NVM Express NVM Command Set 1.0, section 5.2.1.3.4

// The CRC of a||b from the CRCs of a and of b (big-endian values) and b's length: how S3 makes a FULL_OBJECT checksum
// of a multipart upload from its parts'. `kind` is one of the three CRCs.
Bytes combine_crc(Checksum kind, ByteView a, ByteView b, std::uint64_t b_size_bytes);

}  // namespace andromede::crypto
