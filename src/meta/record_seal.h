// RecordSeal: how a cloud knows the metadata on its drives from any other bytes. Every value carries a tag over its
// space, its key and itself, under a key of the cloud's that no drive has: a drive can neither forge a record nor put
// one in another's place. It can leave one out, or give an older one of the same key:
// docs/adr/0012-authenticated-records.md.
//
// Immutable and thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/mac.h"
#include "crypto/secret.h"
#include "meta/store.h"

namespace andromede::meta {

inline constexpr std::size_t kTagBytes = crypto::kMacBytes;
// No engine stores longer values: not worth an authentication.
inline constexpr std::size_t kMostStoredBytes = (16U << 20) + kTagBytes;

// What an engine keeps for itself beside the spaces: counters, and its own numbers.
inline constexpr Space kCounterSpace{3};
inline constexpr Space kEngineSpace{255};

// Whether its values carry tags. Counters, which are sums, do not.
constexpr bool is_sealed(Space space) { return space != kCounterSpace; }

class RecordSeal {
 public:
  // `cloud_key` is the key that custody keeps for the drives of this cloud; what is used is derived from it.
  explicit RecordSeal(const crypto::SecretKey& cloud_key);

  // What is stored behind the value. The key is shorter than 64 KiB.
  [[nodiscard]] crypto::MacTag tag(Space space, std::string_view key, std::string_view value) const;
  // The value in front of its tag, a view into `stored`. kCorrupt: these bytes were not stored for this key of this
  // space; the message names the space, and nothing of a tenant's.
  [[nodiscard]] Result<std::string_view> open(Space space, std::string_view key, std::string_view stored) const;

  // The same for a group of commits on its way through an engine's log, of its header and its changes.
  [[nodiscard]] crypto::MacTag log_tag(ByteView header, ByteView changes) const;

 private:
  const std::unique_ptr<const crypto::Mac> values_;
  const std::unique_ptr<const crypto::Mac> log_;
};

}  // namespace andromede::meta
