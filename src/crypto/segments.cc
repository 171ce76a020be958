#include "crypto/segments.h"

#include "base/check.h"

namespace andromede::crypto {
namespace {

constexpr std::uint64_t kMaxSegments = std::uint64_t{1} << 32;
static_assert(kTagBytes == kGcmTagBytes);

GcmNonce nonce_of(std::uint32_t index, bool last) {
  GcmNonce nonce{};
  for (std::size_t i = 0; i < 4; ++i) nonce[7 + i] = static_cast<std::uint8_t>(index >> (24 - 8 * i));
  nonce[11] = last ? 1 : 0;
  return nonce;
}

}  // namespace

std::uint64_t sealed_size(std::uint64_t plain_size_bytes) {
  const std::uint64_t segments = plain_size_bytes == 0 ? 1 : (plain_size_bytes - 1) / kSegmentBytes + 1;
  return plain_size_bytes + segments * kTagBytes;
}

Result<std::uint64_t> plain_size(std::uint64_t sealed_size_bytes) {
  const std::uint64_t whole = sealed_size_bytes / kSealedSegmentBytes;
  const std::uint64_t rest = sealed_size_bytes % kSealedSegmentBytes;
  // A last segment holds at least one byte, except that of an empty plaintext.
  const bool possible = rest == 0 ? whole > 0 : rest > kTagBytes || (rest == kTagBytes && whole == 0);
  if (!possible) {
    return fail(Errc::kCorrupt, "no plaintext seals to " + std::to_string(sealed_size_bytes) + " bytes");
  }
  return whole * kSegmentBytes + (rest == 0 ? 0 : rest - kTagBytes);
}

SegmentSealer::SegmentSealer(const SecretKey& key, BlobId blob)
    : cipher_(aes_gcm().make(key, GcmUse::kSeal)), blob_(blob) {}

void SegmentSealer::seal(ByteView plain, bool last, std::uint8_t* out) {
  CHECK(!ended_, "nothing follows the last segment");
  CHECK(last ? plain.size() <= kSegmentBytes : plain.size() == kSegmentBytes, "only the last segment may be short");
  CHECK(!plain.empty() || next_ == 0, "only an empty plaintext has an empty segment");
  CHECK(next_ < kMaxSegments, "a nonce is used once: a blob has fewer than 2^32 segments");
  cipher_->seal(nonce_of(static_cast<std::uint32_t>(next_), last), blob_.bytes(), plain, out);
  ++next_;
  ended_ = last;
}

SegmentOpener::SegmentOpener(const SecretKey& key, BlobId blob)
    : cipher_(aes_gcm().make(key, GcmUse::kOpen)), blob_(blob) {}

Status SegmentOpener::open(std::uint32_t index, ByteView sealed, bool last, std::uint8_t* out) {
  if (sealed.size() < kTagBytes || sealed.size() > kSealedSegmentBytes) {
    return fail(Errc::kCorrupt, "segment " + std::to_string(index) + " has " + std::to_string(sealed.size()) +
                                    " bytes, which no sealed segment has");
  }
  if (cipher_->open(nonce_of(index, last), blob_.bytes(), sealed, out)) return {};
  return fail(Errc::kCorrupt, "segment " + std::to_string(index) + " does not match its authentication tag");
}

}  // namespace andromede::crypto
