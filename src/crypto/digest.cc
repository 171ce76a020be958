#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace andromede::crypto {

std::unique_ptr<Hasher> make_crc_hasher(Checksum kind);  // crc.cc

namespace {

// Fetched once: an implicit fetch (EVP_sha256()) at every init takes locks and costs more than hashing a small input.
const EVP_MD* fetch(const char* name) {
  const EVP_MD* digest = EVP_MD_fetch(nullptr, name, nullptr);
  CHECK(digest != nullptr, "OpenSSL's default provider has MD5, SHA-1 and SHA-256");
  return digest;
}
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = fetch("SHA256");
  return algorithm;
}
const EVP_MD* sha1_algorithm() {
  static const EVP_MD* const algorithm = fetch("SHA1");
  return algorithm;
}
const EVP_MD* md5_algorithm() {
  static const EVP_MD* const algorithm = fetch("MD5");
  return algorithm;
}

// A digest context, reused: a new one for every small input costs two allocations.
class Context {
 public:
  Context() : context_(EVP_MD_CTX_new()) { CHECK(context_ != nullptr, "a digest context is a small allocation"); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(context_); }

  void start(const EVP_MD* algorithm) {
    CHECK(EVP_DigestInit_ex2(context_, algorithm, nullptr) == 1, "a fetched digest can be started");
  }
  void update(ByteView data) {
    CHECK(EVP_DigestUpdate(context_, data.data(), data.size()) == 1, "a started digest takes data");
  }
  void finish(std::uint8_t* out) {
    CHECK(EVP_DigestFinal_ex(context_, out, nullptr) == 1, "a started digest can be finished, once");
  }

 private:
  EVP_MD_CTX* context_;
};

template <std::size_t kSize>
std::array<std::uint8_t, kSize> digest_with(Context& context, const EVP_MD* algorithm, ByteView data) {
  std::array<std::uint8_t, kSize> out;
  context.start(algorithm);
  context.update(data);
  context.finish(out.data());
  return out;
}

// One context per algorithm and thread: changing a context's algorithm would free and allocate its state.
Context& sha256_context() {
  thread_local Context context;
  return context;
}
Context& md5_context() {
  thread_local Context context;
  return context;
}

class EvpHasher final : public Hasher {
 public:
  EvpHasher(const EVP_MD* algorithm, std::size_t size_bytes) : size_bytes_(size_bytes) { context_.start(algorithm); }
  void update(ByteView data) override { context_.update(data); }
  Bytes finish() override {
    Bytes out(size_bytes_);
    context_.finish(out.data());
    return out;
  }

 private:
  Context context_;
  const std::size_t size_bytes_;
};

constexpr std::size_t kHmacBlockBytes = 64;

}  // namespace

Sha256Digest sha256(ByteView data) { return digest_with<32>(sha256_context(), sha256_algorithm(), data); }

Md5Digest md5(ByteView data) { return digest_with<16>(md5_context(), md5_algorithm(), data); }

// RFC 2104. Written out because OpenSSL 3's EVP_MAC allocates and looks its digest up at every start.
Sha256Digest hmac_sha256(ByteView key, ByteView data) {
  std::array<std::uint8_t, kHmacBlockBytes> block{};
  if (key.size() > block.size()) {
    Sha256Digest hashed = sha256(key);
    std::memcpy(block.data(), hashed.data(), hashed.size());
    OPENSSL_cleanse(hashed.data(), hashed.size());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  Context& context = sha256_context();
  Sha256Digest digest;
  for (std::uint8_t& byte : block) byte ^= 0x36;
  context.start(sha256_algorithm());
  context.update(block);
  context.update(data);
  context.finish(digest.data());
  for (std::uint8_t& byte : block) byte ^= 0x36 ^ 0x5c;
  context.start(sha256_algorithm());
  context.update(block);
  context.update(digest);
  context.finish(digest.data());
  OPENSSL_cleanse(block.data(), block.size());
  return digest;
}

std::size_t checksum_size(Checksum kind) {
  switch (kind) {
    case Checksum::kNone:
      return 0;
    case Checksum::kCrc32:
    case Checksum::kCrc32c:
      return 4;
    case Checksum::kCrc64Nvme:
      return 8;
    case Checksum::kSha1:
      return 20;
    case Checksum::kSha256:
      return 32;
    case Checksum::kMd5:
      return 16;
  }
  CHECK(false, "every checksum has a size");
}

std::unique_ptr<Hasher> make_hasher(Checksum kind) {
  switch (kind) {
    case Checksum::kSha1:
      return std::make_unique<EvpHasher>(sha1_algorithm(), checksum_size(kind));
    case Checksum::kSha256:
      return std::make_unique<EvpHasher>(sha256_algorithm(), checksum_size(kind));
    case Checksum::kMd5:
      return std::make_unique<EvpHasher>(md5_algorithm(), checksum_size(kind));
    default:
      return make_crc_hasher(kind);
  }
}

}  // namespace andromede::crypto
