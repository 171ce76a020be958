// DriveSeal: how a cloud knows the labels and maps on its drives from any other bytes. Each file ends in an
// HMAC-SHA-256 under a key of the cloud's, derived for its kind, and a checksum. Bytes: docs/formats/drive-label.md.
//
// Immutable, so it may be used by several threads at once. Wiped when dropped.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace andromede::io {

enum class SealedKind : std::uint8_t { kLabel, kMap };

// HMAC-SHA-256 and CRC-32C.
inline constexpr std::size_t kSealBytes = 32 + 4;

class DriveSeal {
 public:
  // `cloud_key` is the key that custody keeps for the drives of this cloud; what is used is derived from it.
  explicit DriveSeal(const crypto::SecretKey& cloud_key);

  // The file of that kind whose fields are `body`: magic, version, body, authentication, checksum.
  [[nodiscard]] Bytes close(SealedKind kind, ByteView body) const;
  // The body of a file that this key closed. Nothing of it was looked at before that was certain. Errors: kCorrupt (cut
  // off or changed by chance: the checksum is wrong), kUnsupported (another version, whole), kRefused (whole, and not
  // closed by this key: forged, or another cloud's).
  [[nodiscard]] Result<ByteView> open(SealedKind kind, ByteView file) const;

 private:
  [[nodiscard]] const crypto::SecretKey& key_of(SealedKind kind) const;

  crypto::SecretKey label_key_;
  crypto::SecretKey map_key_;
};

}  // namespace andromede::io
