// AES-256-GCM under one key: NIST SP 800-38D with 96-bit nonces and 128-bit tags. Two engines compute the same bytes:
// libipsec-mb where the processor has vector AES (VAES, VPCLMULQDQ and AVX-512: docs/adr/0022-aes-engines.md), OpenSSL
// anywhere. Which one is chosen once in a process, at first use, after a self-test.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace andromede::crypto {

inline constexpr std::size_t kGcmNonceBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;
using GcmNonce = std::array<std::uint8_t, kGcmNonceBytes>;

// What a key is expanded for: one object does one of the two.
enum class GcmUse : std::uint8_t { kSeal, kOpen };

// One key, expanded; wiped when dropped. Not thread-safe. No message is longer than 1 GiB.
class AesGcm {
 public:
  AesGcm() = default;
  AesGcm(const AesGcm&) = delete;
  AesGcm& operator=(const AesGcm&) = delete;
  virtual ~AesGcm() = default;
  // kSeal. Writes plain.size() bytes of ciphertext and the tag to `out`, which may begin where `plain` does. A nonce is
  // used once under a key.
  virtual void seal(const GcmNonce& nonce, ByteView context, ByteView plain, std::uint8_t* out) = 0;
  // kOpen. `sealed` is a ciphertext with its tag behind it; writes sealed.size() - kGcmTagBytes bytes to `out`, which
  // may begin where `sealed` does. False when key, nonce, context or bytes are not those that were sealed: `out` is
  // then wiped, for what GCM decrypts before it knows the tag is not the plaintext of anything.
  [[nodiscard]] virtual bool open(const GcmNonce& nonce, ByteView context, ByteView sealed, std::uint8_t* out) = 0;
};

struct AesGcmEngine {
  std::string_view name;  // as metrics and logs show it
  std::unique_ptr<AesGcm> (*make)(const SecretKey& key, GcmUse use) = nullptr;
};

const AesGcmEngine& openssl_aes_gcm();
// Null where this processor has no vector AES, or the library's own self-test failed.
const AesGcmEngine* ipsec_mb_aes_gcm();

// Known answers (test cases 13, 15 and 16 of the GCM specification that NIST published), then the same bytes as OpenSSL
// for lengths around everything that a kernel treats apart. Some 0.3 ms. kCorrupt says what was wrong.
Status self_test(const AesGcmEngine& engine);
// `candidate` if there is one and it passes, else OpenSSL; logs a failure.
const AesGcmEngine& choose_aes_gcm(const AesGcmEngine* candidate);
// The engine of this process. Thread-safe.
const AesGcmEngine& aes_gcm();

}  // namespace andromede::crypto
