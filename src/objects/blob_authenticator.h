// blob::Authenticator: opens what the shards of a blob give with the blob's own key, which its record names wrapped.
// Blocks: maintenance threads only. Thread-safe.
#pragma once

#include "base/clock.h"
#include "blob/authenticator.h"
#include "keys/key_service.h"
#include "meta/every_root.h"

namespace andromede::objects {

class BlobAuthenticator final : public blob::Authenticator {
 public:
  // All borrowed.
  BlobAuthenticator(meta::EveryRoot& meta, blob::Store& blobs, keys::KeyService& keys, const Clock& clock,
                    std::chrono::milliseconds deadline)
      : meta_(meta), blobs_(blobs), keys_(keys), clock_(clock), deadline_(deadline) {}

  Result<blob::Suspects> liars(const blob::BlobRef& ref, std::uint64_t begin, std::uint64_t end) override;

 private:
  meta::EveryRoot& meta_;
  blob::Store& blobs_;
  keys::KeyService& keys_;
  const Clock& clock_;
  const std::chrono::milliseconds deadline_;
};

}  // namespace andromede::objects
