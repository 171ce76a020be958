#include "crypto/secret.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "crypto/aes_gcm.h"
#include "crypto/digest.h"
#include "crypto/secret_memory.h"

namespace andromede::crypto {
namespace {

static_assert(kSealedOverheadBytes == kGcmNonceBytes + kGcmTagBytes);

// Private keys of TLS, what a handshake makes for itself, generators' states: a few hundred bytes a connection at most.
constexpr std::size_t kSecureHeapBytes = 2 << 20;
constexpr std::size_t kSecureHeapUnitBytes = 32;

thread_local bool reading_private_key = false;

void* allocate(std::size_t size, const char* /*file*/, int /*line*/) { return std::malloc(size); }

void release(void* memory, const char* /*file*/, int /*line*/) {
  if (reading_private_key && memory != nullptr) OPENSSL_cleanse(memory, ::malloc_usable_size(memory));
  std::free(memory);
}

void* reallocate(void* memory, std::size_t size, const char* file, int line) {
  if (!reading_private_key || memory == nullptr) return std::realloc(memory, size);
  // Moving leaves nothing behind either.
  void* const moved = size == 0 ? nullptr : std::malloc(size);
  if (moved == nullptr && size > 0) return nullptr;
  if (moved != nullptr) std::memcpy(moved, memory, std::min(size, ::malloc_usable_size(memory)));
  release(memory, file, line);
  return moved;
}

const EVP_CIPHER* aes_256_ecb() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr);
  CHECK(cipher != nullptr, "OpenSSL's default provider has AES-256-ECB");
  return cipher;
}

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

// Freed after each use, not kept: OpenSSL then wipes the key schedule.
CipherContext make_context(const SecretKey& key, bool encrypt) {
  CipherContext context(EVP_CIPHER_CTX_new());
  CHECK(context != nullptr, "a cipher context is a small allocation");
  CHECK(EVP_CipherInit_ex2(context.get(), aes_256_ecb(), key.bytes().data(), nullptr, encrypt ? 1 : 0, nullptr) == 1,
        "AES-256 takes any 256-bit key");
  // Nothing here is padded: block by block.
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  return context;
}

constexpr std::size_t kHalfBytes = 8;
constexpr std::size_t kHalves = SecretKey::kSize / kHalfBytes;
constexpr std::size_t kWrapSteps = 6 * kHalves;
static_assert(kWrappedKeyBytes == SecretKey::kSize + kHalfBytes);
constexpr std::array<std::uint8_t, kHalfBytes> kWrapInitialValue{0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6};

// The registers of a key wrap, wiped when dropped: they hold the key in clear.
struct WrapState {
  std::array<std::uint8_t, 2 * kHalfBytes> block{};  // A, and the R at work
  std::array<std::uint8_t, SecretKey::kSize> halves{};

  WrapState() = default;
  WrapState(const WrapState&) = delete;
  WrapState& operator=(const WrapState&) = delete;
  ~WrapState() {
    wipe(block);
    wipe(halves);
  }
  void cipher(EVP_CIPHER_CTX* context) {
    int count = 0;
    const int size = static_cast<int>(block.size());
    CHECK(EVP_CipherUpdate(context, block.data(), &count, block.data(), size) == 1 && count == size,
          "one AES block in, one out");
  }
};

}  // namespace

SecretKey::SecretKey() : bytes_(take_secret_slot()) {}

SecretKey SecretKey::random(Random& random) {
  SecretKey key;
  random.fill({key.bytes_, kSize});
  return key;
}

Result<SecretKey> SecretKey::from_bytes(ByteView bytes) {
  if (bytes.size() != kSize) {
    return fail(Errc::kInvalidArgument,
                "a key has " + std::to_string(kSize) + " bytes, not " + std::to_string(bytes.size()));
  }
  SecretKey key;
  std::memcpy(key.bytes_, bytes.data(), kSize);
  return key;
}

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  if (this != &other) give_back_secret_slot(std::exchange(bytes_, std::exchange(other.bytes_, nullptr)));
  return *this;
}

SecretKey::~SecretKey() { give_back_secret_slot(bytes_); }

SecretKey SecretKey::clone() const {
  CHECK(bytes_ != nullptr, "a key that was moved away is not copied");
  SecretKey copy;
  std::memcpy(copy.bytes_, bytes_, kSize);
  return copy;
}

SecretText::SecretText(std::string_view text) : size_(text.size()) {
  static_assert(kMaxBytes <= kSecretSlotBytes && SecretKey::kSize <= kSecretSlotBytes);
  CHECK(text.size() <= kMaxBytes, "a secret text fits its slot");
  if (text.empty()) return;
  bytes_ = take_secret_slot();
  std::memcpy(bytes_, text.data(), text.size());
}

SecretText SecretText::random(Random& random, std::string_view alphabet, std::size_t count) {
  CHECK(count <= kMaxBytes, "a secret text fits its slot");
  SecretText text;
  text.bytes_ = take_secret_slot();
  text.size_ = count;
  for (std::size_t i = 0; i < count; ++i) {
    text.bytes_[i] = static_cast<std::uint8_t>(alphabet[random.below(alphabet.size())]);
  }
  return text;
}

SecretText::SecretText(SecretText&& other) noexcept
    : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretText& SecretText::operator=(SecretText other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

SecretText::~SecretText() { give_back_secret_slot(bytes_); }

void wipe(MutableByteView memory) noexcept { OPENSSL_cleanse(memory.data(), memory.size()); }

void wipe(std::string& text) noexcept {
  // Up to the capacity: a text that was moved away can leave its characters in the string itself.
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

Status forbid_core_dumps() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return fail(Errc::kIo, std::string("core dumps cannot be forbidden: ") + std::strerror(errno));
  }
  if (CRYPTO_secure_malloc_initialized() == 0 && CRYPTO_set_mem_functions(allocate, reallocate, release) == 0) {
    return fail(Errc::kInternal, "OpenSSL was used before core dumps were forbidden");
  }
  // Answers 2 where memory cannot be locked: out of cores still.
  if (CRYPTO_secure_malloc_initialized() == 0 &&
      CRYPTO_secure_malloc_init(kSecureHeapBytes, kSecureHeapUnitBytes) == 0) {
    return fail(Errc::kIo, "there is no memory for private keys that no core dump holds");
  }
  return {};
}

PrivateKeyReading::PrivateKeyReading() noexcept { reading_private_key = true; }

PrivateKeyReading::~PrivateKeyReading() { reading_private_key = false; }

SecretKey derive_key(ByteView key, ByteView data) {
  Sha256Digest digest = hmac_sha256(key, data);
  static_assert(sizeof digest == SecretKey::kSize);
  SecretKey derived = std::move(*SecretKey::from_bytes(digest));
  wipe(digest);
  // The thread's digest context ends with its result as its state: it goes on to something that is no secret.
  (void)sha256({});
  return derived;
}

// RFC 3394 section 2.2. Written out over AES-256-ECB because OpenSSL's own AES-256-WRAP does not use the processor's
// AES instructions and costs four times as much, on the way of every request.
Bytes wrap_key(const SecretKey& wrapping, const SecretKey& key) {
  const CipherContext context = make_context(wrapping, true);
  WrapState state;
  std::memcpy(state.block.data(), kWrapInitialValue.data(), kHalfBytes);
  std::memcpy(state.halves.data(), key.bytes().data(), SecretKey::kSize);
  for (std::size_t step = 0; step < kWrapSteps; ++step) {
    std::uint8_t* const half = state.halves.data() + step % kHalves * kHalfBytes;
    std::memcpy(state.block.data() + kHalfBytes, half, kHalfBytes);
    state.cipher(context.get());
    // The step's number, t of the specification, is below 256: it touches the last byte only.
    state.block[kHalfBytes - 1] ^= static_cast<std::uint8_t>(step + 1);
    std::memcpy(half, state.block.data() + kHalfBytes, kHalfBytes);
  }
  Bytes wrapped(kWrappedKeyBytes);
  std::memcpy(wrapped.data(), state.block.data(), kHalfBytes);
  std::memcpy(wrapped.data() + kHalfBytes, state.halves.data(), SecretKey::kSize);
  return wrapped;
}

Result<SecretKey> unwrap_key(const SecretKey& wrapping, ByteView wrapped) {
  if (wrapped.size() != kWrappedKeyBytes) {
    return fail(Errc::kCorrupt, "a wrapped key has " + std::to_string(kWrappedKeyBytes) + " bytes, not " +
                                    std::to_string(wrapped.size()));
  }
  const CipherContext context = make_context(wrapping, false);
  WrapState state;
  std::memcpy(state.block.data(), wrapped.data(), kHalfBytes);
  std::memcpy(state.halves.data(), wrapped.data() + kHalfBytes, SecretKey::kSize);
  for (std::size_t step = kWrapSteps; step-- > 0;) {
    std::uint8_t* const half = state.halves.data() + step % kHalves * kHalfBytes;
    state.block[kHalfBytes - 1] ^= static_cast<std::uint8_t>(step + 1);
    std::memcpy(state.block.data() + kHalfBytes, half, kHalfBytes);
    state.cipher(context.get());
    std::memcpy(half, state.block.data() + kHalfBytes, kHalfBytes);
  }
  if (!constant_time_equal(ByteView(state.block).first(kHalfBytes), kWrapInitialValue)) {
    return fail(Errc::kCorrupt, "a wrapped key was not wrapped by this key, or was changed");
  }
  return SecretKey::from_bytes(state.halves);
}

Bytes seal_bytes(const SecretKey& key, ByteView plain, ByteView context, Random& random) {
  CHECK(plain.size() <= kMaxSealedPlainBytes, "seal_bytes is for small secrets; blobs have segments");
  GcmNonce nonce;
  random.fill(nonce);
  Bytes sealed(kSealedOverheadBytes + plain.size());
  std::copy(nonce.begin(), nonce.end(), sealed.begin());
  aes_gcm().make(key, GcmUse::kSeal)->seal(nonce, context, plain, sealed.data() + kGcmNonceBytes);
  return sealed;
}

Result<Bytes> open_bytes(const SecretKey& key, ByteView sealed, ByteView context) {
  if (sealed.size() < kSealedOverheadBytes || sealed.size() > kSealedOverheadBytes + kMaxSealedPlainBytes) {
    return fail(Errc::kCorrupt, "sealed bytes have an impossible length of " + std::to_string(sealed.size()));
  }
  GcmNonce nonce;
  std::copy_n(sealed.begin(), kGcmNonceBytes, nonce.begin());
  Bytes plain(sealed.size() - kSealedOverheadBytes);
  const ByteView body = sealed.subspan(kGcmNonceBytes);
  if (!aes_gcm().make(key, GcmUse::kOpen)->open(nonce, context, body, plain.data())) {
    return fail(Errc::kCorrupt, "sealed bytes were sealed by another key or for another context, or were changed");
  }
  return plain;
}

}  // namespace andromede::crypto
