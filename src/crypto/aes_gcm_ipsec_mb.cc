// AES-256-GCM and GMAC by libipsec-mb's direct calls. Its manager is only a table of functions here: these keep nothing
// of their own, so any thread may call them.
#include <intel-ipsec-mb.h>

#include "base/check.h"
#include "base/log.h"
#include "crypto/aes_gcm.h"
#include "crypto/mac.h"
#include "crypto/secret_memory.h"

namespace andromede::crypto {
namespace {

constexpr std::size_t kAlignment = 64;  // that the library wants of a key

struct Functions {
  aes_gcm_pre_t expand = nullptr;
  aes_gcm_enc_dec_t seal = nullptr;
  aes_gcm_enc_dec_t open = nullptr;
  aes_gmac_init_t gmac_begin = nullptr;
  aes_gmac_update_t gmac_take = nullptr;
  aes_gmac_finalize_t gmac_end = nullptr;
};

// The processor's features and the system's (that it keeps the registers of AVX-512).
bool has_vector_aes() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vaes") &&
         __builtin_cpu_supports("vpclmulqdq");
}

struct FreeManager {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

// All null where the library cannot be used.
Functions load() {
  if (!has_vector_aes()) return {};
  const std::unique_ptr<IMB_MGR, FreeManager> manager(alloc_mb_mgr(0));
  if (manager == nullptr) return {};
  init_mb_mgr_avx512(manager.get());
  // SAFE_DATA: built to clear what it leaves of keys in registers and on the stack.
  constexpr std::uint64_t kNeeded =
      IMB_FEATURE_SELF_TEST_PASS | IMB_FEATURE_SAFE_DATA | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
  const int error = imb_get_errno(manager.get());
  if (error != 0 || (manager->features & kNeeded) != kNeeded) {
    log_error("AES-256-GCM is computed by OpenSSL: libipsec-mb does not start",
              {{"error", error != 0 ? imb_get_strerror(error) : "its self-test or a feature is missing"}});
    return {};
  }
  return {manager->gcm256_pre,   manager->gcm256_enc,     manager->gcm256_dec,
          manager->gmac256_init, manager->gmac256_update, manager->gmac256_finalize};
}

const Functions& functions() {
  static const Functions loaded = load();
  return loaded;
}

class IpsecMbAesGcm final : public AesGcm {
 public:
  explicit IpsecMbAesGcm(const SecretKey& key) { functions().expand(key.bytes().data(), &key_); }

  // In secret memory as a whole: key and scratch are wiped when they are given back.
  static void* operator new(std::size_t) { return take_secret_block(); }
  static void operator delete(void* memory) noexcept { give_back_secret_block(static_cast<std::uint8_t*>(memory)); }

  void seal(const GcmNonce& nonce, ByteView context, ByteView plain, std::uint8_t* out) override {
    functions().seal(&key_, &state_, out, plain.data(), plain.size(), nonce.data(), context.data(), context.size(),
                     out + plain.size(), kGcmTagBytes);
  }

  bool open(const GcmNonce& nonce, ByteView context, ByteView sealed, std::uint8_t* out) override {
    CHECK(sealed.size() >= kGcmTagBytes, "the caller knows where the tag begins");
    const ByteView body = sealed.first(sealed.size() - kGcmTagBytes);
    std::array<std::uint8_t, kGcmTagBytes> tag;
    functions().open(&key_, &state_, out, body.data(), body.size(), nonce.data(), context.data(), context.size(),
                     tag.data(), kGcmTagBytes);
    // In place the plaintext ends where the tag begins, so that this is still what was given.
    const bool right = constant_time_equal(tag, sealed.subspan(body.size()));
    if (!right) wipe({out, body.size()});
    // The right tag of changed bytes is what a forger would want to read.
    wipe(tag);
    return right;
  }

 private:
  gcm_context_data state_{};  // holds key stream
  alignas(kAlignment) gcm_key_data key_{};
};
static_assert(sizeof(IpsecMbAesGcm) <= kSecretBlockBytes);

class GmacKey {
 public:
  explicit GmacKey(const SecretKey& key) { functions().expand(key.bytes().data(), &key_); }
  static void* operator new(std::size_t) { return take_secret_block(); }
  static void operator delete(void* memory) noexcept { give_back_secret_block(static_cast<std::uint8_t*>(memory)); }
  [[nodiscard]] MacTag tag(std::span<const std::uint8_t> iv, std::span<const ByteView> parts) const {
    gcm_context_data state;
    MacTag tag;
    functions().gmac_begin(&key_, &state, iv.data(), iv.size());
    for (const ByteView part : parts) {
      if (!part.empty()) functions().gmac_take(&key_, &state, part.data(), part.size());
    }
    functions().gmac_end(&key_, &state, tag.data(), tag.size());
    wipe({reinterpret_cast<std::uint8_t*>(&state), sizeof state});
    return tag;
  }

 private:
  alignas(kAlignment) gcm_key_data key_{};
};
static_assert(sizeof(GmacKey) <= kSecretBlockBytes);

class IpsecMbMac final : public Mac {
 public:
  IpsecMbMac(const SecretKey& hash, const SecretKey& seal)
      : hash_(std::make_unique<const GmacKey>(hash)), seal_(std::make_unique<const GmacKey>(seal)) {}
  [[nodiscard]] MacTag tag(std::span<const ByteView> parts) const override {
    constexpr std::array<std::uint8_t, kGcmNonceBytes> kHashIv{};
    MacTag hashed = hash_->tag(kHashIv, parts);
    const MacTag sealed = seal_->tag(hashed, {});
    wipe(hashed);
    return sealed;
  }

 private:
  const std::unique_ptr<const GmacKey> hash_;
  const std::unique_ptr<const GmacKey> seal_;
};

}  // namespace

const AesGcmEngine* ipsec_mb_aes_gcm() {
  static const AesGcmEngine engine{"ipsec-mb", [](const SecretKey& key, GcmUse) -> std::unique_ptr<AesGcm> {
                                     return std::make_unique<IpsecMbAesGcm>(key);
                                   }};
  return functions().expand == nullptr ? nullptr : &engine;
}

const MacEngine* ipsec_mb_mac() {
  static const MacEngine engine{"ipsec-mb",
                                [](const SecretKey& hash, const SecretKey& seal) -> std::unique_ptr<const Mac> {
                                  return std::make_unique<const IpsecMbMac>(hash, seal);
                                }};
  return functions().expand == nullptr ? nullptr : &engine;
}

}  // namespace andromede::crypto
