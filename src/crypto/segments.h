// Segment encryption, the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, 2015) over AES-256-GCM: plaintext
// in 64 KiB segments, nonce = 7 zero bytes, segment number (4 bytes, big-endian), last-segment flag (1 byte); blob id
// as associated data; the 16-byte tag behind each segment. Truncation, reordering and splicing are detected, and a
// range is decrypted by itself. A key encrypts one blob only. Bytes: docs/formats/segments.md.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/aes_gcm.h"
#include "crypto/secret.h"

namespace andromede::crypto {

inline constexpr std::size_t kSegmentBytes = 64 * 1024;
inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kSealedSegmentBytes = kSegmentBytes + kTagBytes;

// An empty plaintext is one empty last segment: 16 bytes.
std::uint64_t sealed_size(std::uint64_t plain_size_bytes);
// The plaintext's size of a sealed blob, kCorrupt when no plaintext seals to that size.
Result<std::uint64_t> plain_size(std::uint64_t sealed_size_bytes);

// Seals segments in order. Not thread-safe.
class SegmentSealer {
 public:
  SegmentSealer(const SecretKey& key, BlobId blob);
  // Seals one segment of at most kSegmentBytes (exactly that many unless last) into `out`, which has room for
  // plain.size() + kTagBytes and may begin where `plain` does (in place).
  void seal(ByteView plain, bool last, std::uint8_t* out);

 private:
  const std::unique_ptr<AesGcm> cipher_;
  const BlobId blob_;
  std::uint64_t next_ = 0;
  bool ended_ = false;
};

// Opens segments in any order. Not thread-safe.
class SegmentOpener {
 public:
  SegmentOpener(const SecretKey& key, BlobId blob);
  // Opens segment `index`, of sealed.size() - kTagBytes plaintext bytes, into `out` (in place allowed). kCorrupt when
  // the tag does not match: `out` is then wiped.
  [[nodiscard]] Status open(std::uint32_t index, ByteView sealed, bool last, std::uint8_t* out);

 private:
  const std::unique_ptr<AesGcm> cipher_;
  const BlobId blob_;
};

}  // namespace andromede::crypto
