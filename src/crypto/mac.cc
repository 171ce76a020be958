#include "crypto/mac.h"

#include <openssl/evp.h>

#include <functional>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/log.h"

namespace andromede::crypto {
namespace {

constexpr std::array<std::uint8_t, 12> kHashIv{};

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

MacContext make_gmac(const SecretKey& key, std::size_t iv_bytes) {
  MacContext context(EVP_CIPHER_CTX_new());
  CHECK(context != nullptr, "a cipher context is a small allocation");
  CHECK(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, nullptr, nullptr) == 1 &&
            EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(iv_bytes), nullptr) == 1 &&
            EVP_EncryptInit_ex(context.get(), nullptr, nullptr, key.bytes().data(), nullptr) == 1,
        "AES-256-GCM takes any 256-bit key");
  return context;
}

MacTag gmac(EVP_CIPHER_CTX* context, const std::uint8_t* iv, std::span<const ByteView> parts) {
  MacTag tag;
  int count = 0;
  bool made = EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, iv) == 1;
  for (const ByteView part : parts) {
    if (part.empty()) continue;
    made = made && EVP_EncryptUpdate(context, nullptr, &count, part.data(), static_cast<int>(part.size())) == 1;
  }
  made = made && EVP_EncryptFinal_ex(context, tag.data(), &count) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kMacBytes, tag.data()) == 1;
  CHECK(made, "GMAC takes any bytes");
  return tag;
}

// A context does one message at a time, and expanding a key for each would cost more than the message: so there are
// some, and a thread waits only for others that share its own.
class OpensslMac final : public Mac {
 public:
  OpensslMac(const SecretKey& hash, const SecretKey& seal) {
    for (Lane& lane : lanes_) {
      lane.hash = make_gmac(hash, kHashIv.size());
      lane.seal = make_gmac(seal, kMacBytes);
    }
  }
  [[nodiscard]] MacTag tag(std::span<const ByteView> parts) const override {
    const Lane& lane = lanes_[std::hash<std::thread::id>()(std::this_thread::get_id()) % lanes_.size()];
    const std::lock_guard lock(lane.mutex);
    MacTag hashed = gmac(lane.hash.get(), kHashIv.data(), parts);
    const MacTag sealed = gmac(lane.seal.get(), hashed.data(), {});
    wipe(hashed);
    return sealed;
  }

 private:
  struct Lane {
    mutable std::mutex mutex;
    MacContext hash;
    MacContext seal;
  };
  std::array<Lane, 8> lanes_;
};

// The same message cut in two.
Status compare_with_openssl(const Mac& mac, const Mac& reference, ByteView message, std::size_t cut) {
  const std::array<ByteView, 2> parts{message.first(cut), message.subspan(cut)};
  const std::array<ByteView, 1> whole{message};
  if (mac.tag(parts) == reference.tag(whole)) return {};
  return fail(Errc::kCorrupt, "another tag than OpenSSL's for a message of " + std::to_string(message.size()) +
                                  " bytes cut at " + std::to_string(cut));
}

const MacEngine& mac_engine() {
  static const MacEngine& chosen = choose_mac(ipsec_mb_mac());
  return chosen;
}

}  // namespace

const MacEngine& openssl_mac() {
  static const MacEngine engine{"openssl",
                                [](const SecretKey& hash, const SecretKey& seal) -> std::unique_ptr<const Mac> {
                                  return std::make_unique<const OpensslMac>(hash, seal);
                                }};
  return engine;
}

Status self_test(const MacEngine& engine) {
  SeededRandom random(1);
  const SecretKey hash = SecretKey::random(random);
  const SecretKey seal = SecretKey::random(random);
  const auto mac = engine.make(hash, seal);
  const auto reference = openssl_mac().make(hash, seal);
  Bytes bytes(40'000);
  random.fill(bytes);
  for (const std::size_t size : {0, 1, 15, 16, 17, 127, 128, 255, 256, 257, 511, 767, 1024, 4096, 40'000}) {
    const ByteView message = ByteView(bytes).first(size);
    for (const std::size_t cut : {0, 1, 3, 16, 67, 130}) {
      if (cut <= size) CHECK_OK(compare_with_openssl(*mac, *reference, message, cut));
    }
  }
  return {};
}

const MacEngine& choose_mac(const MacEngine* candidate) {
  if (candidate == nullptr) return openssl_mac();
  const Status passed = self_test(*candidate);
  if (passed) return *candidate;
  log_error("records are authenticated by OpenSSL: the faster engine failed its self-test",
            {{"engine", candidate->name}, {"error", passed.error().describe()}});
  return openssl_mac();
}

std::unique_ptr<const Mac> make_mac(const SecretKey& key) {
  return mac_engine().make(derive_key(key.bytes(), as_bytes("andromede mac hash")),
                           derive_key(key.bytes(), as_bytes("andromede mac seal")));
}

}  // namespace andromede::crypto
