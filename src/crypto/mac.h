// A message authentication code that costs a tenth of a microsecond for a message of a few hundred bytes: of a record
// on its way to a drive and back (docs/adr/0012-authenticated-records.md). Two GMACs (NIST SP 800-38D), each under a
// key of its own: the first hashes the message under a fixed initialisation vector and is told to nobody, the second
// has that hash, 128 bits, as its initialisation vector and no message. So no nonce has to be kept unique, unlike with
// GMAC alone: it is the "hash, then encrypt" of Carter and Wegman, as RFC 8452 has it too. Forging one takes about as
// many messages under one key as 2^64 divided by the root of their length in blocks.
//
// Two engines compute the same bytes, as of aes_gcm.h: which one is chosen once in a process, after a self-test.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace andromede::crypto {

inline constexpr std::size_t kMacBytes = 16;
using MacTag = std::array<std::uint8_t, kMacBytes>;

// One key, expanded; wiped when dropped. Thread-safe.
class Mac {
 public:
  Mac() = default;
  Mac(const Mac&) = delete;
  Mac& operator=(const Mac&) = delete;
  virtual ~Mac() = default;
  // Of the parts one after the other, at most 1 GiB together. Where one ends is the caller's to make plain.
  [[nodiscard]] virtual MacTag tag(std::span<const ByteView> parts) const = 0;
};

struct MacEngine {
  std::string_view name;  // as logs show it
  // `hash` and `seal` are different keys.
  std::unique_ptr<const Mac> (*make)(const SecretKey& hash, const SecretKey& seal) = nullptr;
};

const MacEngine& openssl_mac();
// Null where this processor has no vector AES, or the library's own self-test failed.
const MacEngine* ipsec_mb_mac();

// The same tags as OpenSSL for lengths and parts around everything that a kernel treats apart. kCorrupt says which not.
Status self_test(const MacEngine& engine);
// `candidate` if there is one and it passes, else OpenSSL; logs a failure.
const MacEngine& choose_mac(const MacEngine* candidate);

// Under both keys that are derived from `key`, by the engine of this process.
std::unique_ptr<const Mac> make_mac(const SecretKey& key);

}  // namespace andromede::crypto
