// keys::Custody: who holds the root keys. Wrap and unwrap, never export. Today's engine is a sealed file of the
// operator's (keys/custody/file_custody.h); a quorum of custodians, PKCS#11 and an external key proxy take its place
// behind the same seam.
//
// Thread-safe. Calls may block (an HSM, a network), so they are never made on an event loop: KeyService makes them on a
// bounded pool, and waits for none longer than its deadline. An engine that can give up does so at the deadline. A call
// that never returns keeps its thread, which owns the engine with the service: an engine that may have such calls
// borrows nothing that goes before the process does.
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace andromede::keys {

class Custody {
 public:
  virtual ~Custody() = default;
  // Wraps a key; `context`, associated data that says which key it is, must be given again to unwrap. kUnavailable,
  // kTimeout.
  [[nodiscard]] virtual Result<Bytes> wrap(const crypto::SecretKey& key, ByteView context, Deadline deadline) = 0;
  // Errors: kCorrupt (not wrapped here, or for another context), kRefused (its holder forbids it), kUnavailable,
  // kTimeout.
  [[nodiscard]] virtual Result<crypto::SecretKey> unwrap(ByteView wrapped, ByteView context, Deadline deadline) = 0;
};

}  // namespace andromede::keys
