#include "crypto/segments.h"

#include <openssl/evp.h>

#include <array>

#include "base/check.h"

namespace andromede::crypto {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::uint64_t kMaxSegments = std::uint64_t{1} << 32;

const EVP_CIPHER* aes_256_gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  CHECK(cipher != nullptr, "OpenSSL's default provider has AES-256-GCM");
  return cipher;
}

std::array<std::uint8_t, kNonceBytes> nonce_of(std::uint32_t index, bool last) {
  std::array<std::uint8_t, kNonceBytes> nonce{};
  for (std::size_t i = 0; i < 4; ++i) nonce[7 + i] = static_cast<std::uint8_t>(index >> (24 - 8 * i));
  nonce[11] = last ? 1 : 0;
  return nonce;
}

// The key schedule is computed once, here; each segment then only sets its nonce.
EVP_CIPHER_CTX* keyed_context(const SecretKey& key, bool encrypt) {
  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  CHECK(context != nullptr, "a cipher context is a small allocation");
  CHECK(EVP_CipherInit_ex2(context, aes_256_gcm(), key.bytes().data(), nullptr, encrypt ? 1 : 0, nullptr) == 1,
        "AES-256-GCM takes any 256-bit key");
  return context;
}

}  // namespace

struct SegmentSealer::Impl {
  Impl(const SecretKey& key, BlobId id) : context(keyed_context(key, true)), blob(id) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { EVP_CIPHER_CTX_free(context); }
  EVP_CIPHER_CTX* context;
  BlobId blob;
  std::uint64_t next = 0;
  bool ended = false;
};

struct SegmentOpener::Impl {
  Impl(const SecretKey& key, BlobId id) : context(keyed_context(key, false)), blob(id) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { EVP_CIPHER_CTX_free(context); }
  EVP_CIPHER_CTX* context;
  BlobId blob;
};

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

SegmentSealer::SegmentSealer(const SecretKey& key, BlobId blob) : impl_(std::make_unique<Impl>(key, blob)) {}
SegmentSealer::~SegmentSealer() = default;

void SegmentSealer::seal(ByteView plain, bool last, std::uint8_t* out) {
  CHECK(!impl_->ended, "nothing follows the last segment");
  CHECK(last ? plain.size() <= kSegmentBytes : plain.size() == kSegmentBytes, "only the last segment may be short");
  CHECK(!plain.empty() || impl_->next == 0, "only an empty plaintext has an empty segment");
  CHECK(impl_->next < kMaxSegments, "a nonce is used once: a blob has fewer than 2^32 segments");
  const auto nonce = nonce_of(static_cast<std::uint32_t>(impl_->next), last);
  EVP_CIPHER_CTX* const context = impl_->context;
  int count = 0;
  const ByteView blob = impl_->blob.bytes();
  const bool sealed = EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
                      EVP_EncryptUpdate(context, nullptr, &count, blob.data(), static_cast<int>(blob.size())) == 1 &&
                      EVP_EncryptUpdate(context, out, &count, plain.data(), static_cast<int>(plain.size())) == 1 &&
                      EVP_EncryptFinal_ex(context, out + plain.size(), &count) == 1 &&
                      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, out + plain.size()) == 1;
  CHECK(sealed, "AES-256-GCM encrypts any segment");
  ++impl_->next;
  impl_->ended = last;
}

SegmentOpener::SegmentOpener(const SecretKey& key, BlobId blob) : impl_(std::make_unique<Impl>(key, blob)) {}
SegmentOpener::~SegmentOpener() = default;

Status SegmentOpener::open(std::uint32_t index, ByteView sealed, bool last, std::uint8_t* out) {
  if (sealed.size() < kTagBytes || sealed.size() > kSealedSegmentBytes) {
    return fail(Errc::kCorrupt, "segment " + std::to_string(index) + " has " + std::to_string(sealed.size()) +
                                    " bytes, which no sealed segment has");
  }
  const ByteView cipher = sealed.first(sealed.size() - kTagBytes);
  // OpenSSL wants the tag as mutable memory, and in place the plaintext must not run into it.
  std::array<std::uint8_t, kTagBytes> tag;
  std::memcpy(tag.data(), sealed.data() + cipher.size(), kTagBytes);
  const auto nonce = nonce_of(index, last);
  EVP_CIPHER_CTX* const context = impl_->context;
  int count = 0;
  const ByteView blob = impl_->blob.bytes();
  const bool opened = EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
                      EVP_DecryptUpdate(context, nullptr, &count, blob.data(), static_cast<int>(blob.size())) == 1 &&
                      EVP_DecryptUpdate(context, out, &count, cipher.data(), static_cast<int>(cipher.size())) == 1 &&
                      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
                      EVP_DecryptFinal_ex(context, out + cipher.size(), &count) == 1;
  if (!opened) {
    // What GCM decrypted before the tag failed is not the plaintext of anything: no one may see it.
    wipe({out, cipher.size()});
    return fail(Errc::kCorrupt, "segment " + std::to_string(index) + " does not match its authentication tag");
  }
  return {};
}

}  // namespace andromede::crypto
