// Secret memory: 256-bit keys that are wiped when dropped and never printed, key wrapping, small sealed secrets.
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

// Keeps this process's memory out of core dumps and from debuggers of the same user (PR_SET_DUMPABLE, RLIMIT_CORE):
// call once, before the first key is read.
[[nodiscard]] Status forbid_core_dumps();

inline constexpr std::size_t kWrappedKeyBytes = 40;
// AES-256 key wrap, RFC 3394. unwrap_key answers kCorrupt when `wrapping` is not the key that wrapped it.
Bytes wrap_key(const SecretKey& wrapping, const SecretKey& key);
Result<SecretKey> unwrap_key(const SecretKey& wrapping, ByteView wrapped);

inline constexpr std::size_t kSealedOverheadBytes = 12 + 16;
inline constexpr std::size_t kMaxSealedPlainBytes = 1 << 20;
// Small secrets at rest (a credential's secret, a sealed key file): AES-256-GCM, random nonce in front, tag behind,
// with `context` as associated data; at most kMaxSealedPlainBytes. open_bytes answers kCorrupt for another key, another
// context or changed bytes.
Bytes seal_bytes(const SecretKey& key, ByteView plain, ByteView context, Random& random);
Result<Bytes> open_bytes(const SecretKey& key, ByteView sealed, ByteView context);

}  // namespace andromede::crypto
