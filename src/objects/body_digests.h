// The digests of one body: its MD5, for the ETag, and the checksums that were asked for. The one place where bodies are
// hashed. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/digest.h"
#include "crypto/md5_lanes.h"

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
  // `kinds`: which checksums besides the MD5; kNone is passed over. `lanes` hash the MD5 of several bodies at once, on
  // a thread of their own; null: it is hashed in start(). Borrowed.
  BodyDigests(crypto::Md5Lanes* lanes, const std::vector<crypto::Checksum>& kinds);
  // Takes the body's next bytes, which stay valid and unchanged until done() has answered. One piece at a time.
  void start(ByteView data);
  // kCancelled: the lanes have stopped.
  Task<Status> done();
  // After the last done().
  Task<DigestedBody> finish();

  // The same of a body that lies in memory whole, without the cost of the incremental form.
  static DigestedBody of(ByteView body, const std::vector<crypto::Checksum>& kinds);

 private:
  struct Running {
    crypto::Checksum kind;
    std::unique_ptr<crypto::Hasher> hasher;
  };
  std::unique_ptr<crypto::Md5Stream> md5_lane_;  // or:
  std::unique_ptr<crypto::Hasher> md5_;
  std::vector<Running> checksums_;
};

}  // namespace andromede::objects
