// Secret memory: 256-bit keys that are wiped when dropped, kept out of core dumps and never printed.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"

namespace andromede::crypto {

// A 256-bit key. Copies are explicit (clone), so that a reader sees where a secret spreads.
class SecretKey {
 public:
  static constexpr std::size_t kSize = 32;
  static SecretKey random(Random& random);
  static Result<SecretKey> from_bytes(ByteView bytes);  // exactly kSize bytes
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&& other) noexcept;
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  ~SecretKey();
  [[nodiscard]] SecretKey clone() const;
  [[nodiscard]] ByteView bytes() const { return bytes_; }

 private:
  SecretKey() = default;
  std::array<std::uint8_t, kSize> bytes_{};
};

// Overwrites memory in a way that the compiler keeps.
void wipe(MutableByteView memory) noexcept;

inline constexpr std::size_t kWrappedKeyBytes = 40;
// AES-256 key wrap, RFC 3394. unwrap_key answers kCorrupt when `wrapping` is not the key that wrapped it.
Bytes wrap_key(const SecretKey& wrapping, const SecretKey& key);
Result<SecretKey> unwrap_key(const SecretKey& wrapping, ByteView wrapped);

// Small secrets at rest (a credential's secret, a sealed key file): AES-256-GCM, random nonce in front, tag behind, with
// `context` as associated data.
Bytes seal_bytes(const SecretKey& key, ByteView plain, ByteView context, Random& random);
Result<Bytes> open_bytes(const SecretKey& key, ByteView sealed, ByteView context);

}  // namespace andromede::crypto
