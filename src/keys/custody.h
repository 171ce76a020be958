// keys::Custody: who holds the root keys. Wrap and unwrap, never export. This engine is a sealed file of the
// operator's (keys/custody/file_custody.h); a quorum of custodians, PKCS#11 and an external key proxy take its place
// behind the same seam.
//
// Thread-safe. Calls may block (an HSM, a network): never from an event loop.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace andromede::keys {

class Custody {
 public:
  virtual ~Custody() = default;
  // Wraps a tenant's key; `context` (the account's id) must be given again to unwrap.
  [[nodiscard]] virtual Result<Bytes> wrap(const crypto::SecretKey& key, ByteView context) = 0;
  // Errors: kCorrupt (not wrapped here, or another context), kUnavailable.
  [[nodiscard]] virtual Result<crypto::SecretKey> unwrap(ByteView wrapped, ByteView context) = 0;
};

}  // namespace andromede::keys
