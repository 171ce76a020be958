// Secrets: 256-bit keys and short texts that live in memory of their own (secret_memory.h), are wiped when dropped and
// never printed; key wrapping, small sealed secrets.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"

namespace andromede::crypto {

// A 256-bit key. Copies are explicit (clone), so that a reader sees where a secret spreads. One that was moved away has
// no bytes: nothing can be done with it.
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
  [[nodiscard]] ByteView bytes() const { return {bytes_, bytes_ == nullptr ? 0 : kSize}; }

 private:
  SecretKey();
  std::uint8_t* bytes_;  // a slot of secret memory
};

// A short text: a secret access key, a token. Each copy has memory of its own.
class SecretText {
 public:
  static constexpr std::size_t kMaxBytes = 64;
  SecretText() = default;
  explicit SecretText(std::string_view text);  // at most kMaxBytes
  // `count` characters drawn from `alphabet`.
  static SecretText random(Random& random, std::string_view alphabet, std::size_t count);
  SecretText(const SecretText& other) : SecretText(other.view()) {}
  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText other) noexcept;
  ~SecretText();
  [[nodiscard]] std::string_view view() const { return {reinterpret_cast<const char*>(bytes_), size_}; }
  // In a time that depends on the lengths alone.
  friend bool operator==(const SecretText& a, const SecretText& b) noexcept {
    return constant_time_equal(as_bytes(a.view()), as_bytes(b.view()));
  }

 private:
  std::uint8_t* bytes_ = nullptr;  // a slot of secret memory
  std::size_t size_ = 0;
};

// Overwrites memory in a way that the compiler keeps. A text is wiped with all that it may ever have held.
void wipe(MutableByteView memory) noexcept;
void wipe(std::string& text) noexcept;

// Keeps this process's memory out of core dumps and from debuggers of the same user (PR_SET_DUMPABLE, RLIMIT_CORE):
// call once, before the first secret is read and before OpenSSL is used. Opens OpenSSL's secure heap as well, where
// private keys lie out of cores and swap, and makes PrivateKeyReading work. kIo.
[[nodiscard]] Status forbid_core_dumps();

// While one lives, what OpenSSL frees in this thread is wiped: decoding a private key leaves it in several buffers.
class PrivateKeyReading {
 public:
  PrivateKeyReading() noexcept;
  PrivateKeyReading(const PrivateKeyReading&) = delete;
  PrivateKeyReading& operator=(const PrivateKeyReading&) = delete;
  ~PrivateKeyReading();
};

// HMAC-SHA-256 (RFC 2104) of `data` under `key`, where the result is a secret too: a key derived from another.
SecretKey derive_key(ByteView key, ByteView data);

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
