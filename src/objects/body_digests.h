// The digests of one body: its MD5, for the ETag, and the checksums that were asked for. The one place where bodies are
// hashed. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "crypto/digest.h"

namespace andromede::objects {

struct Checksummed {
  crypto::Checksum kind = crypto::Checksum::kNone;
  Bytes value;
};

struct DigestedBody {
  crypto::Md5Digest md5{};
  std::vector<Checksummed> checksums;
  // Null: that kind was not computed.
  [[nodiscard]] const Bytes* checksum(crypto::Checksum kind) const;
};

class BodyDigests {
 public:
  // `kinds`: which checksums besides the MD5; kNone is passed over.
  explicit BodyDigests(const std::vector<crypto::Checksum>& kinds);
  void update(ByteView data);
  DigestedBody finish();

  // The same of a body that lies in memory whole, without the cost of the incremental form.
  static DigestedBody of(ByteView body, const std::vector<crypto::Checksum>& kinds);

 private:
  struct Running {
    crypto::Checksum kind;
    std::unique_ptr<crypto::Hasher> hasher;
  };
  std::unique_ptr<crypto::Hasher> md5_;
  std::vector<Running> checksums_;
};

}  // namespace andromede::objects
