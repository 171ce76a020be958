// The way in: a body, through its digests, into sealed pieces, either a payload for the metadata or blobs on drives.
// Memory of a request: two batches of plaintext and a sealed one, filled from the body's views.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/slow_peer.h"
#include "base/stream.h"
#include "base/task.h"
#include "blob/store.h"
#include "crypto/segments.h"
#include "keys/key_service.h"
#include "objects/body_digests.h"
#include "objects/live_blobs.h"
#include "objects/records.h"
#include "objects/transfers.h"
#include "objects/unfinished.h"

namespace andromede::objects {

static_assert(2 * kBatchBytes + kSegmentsPerBatch * crypto::kSealedSegmentBytes <= kRequestBufferBytes);

// A body of unknown size becomes blobs of these sizes: the first, then twice the one before, up to the last.
inline constexpr std::uint64_t kFirstBlobBytes = 64ULL << 20;
inline constexpr std::uint64_t kLargestBlobBytes = 1ULL << 30;

// A transfer that is slower than kFairBytesPerSecond ends with kTimeout: what a stream of `bytes` may take is `base`
// and so much more.
inline std::chrono::milliseconds transfer_time(std::chrono::milliseconds base, std::uint64_t bytes) {
  return base + std::chrono::seconds(bytes / kFairBytesPerSecond);
}

// A peer that keeps us waiting for a body of a blob may do so for kSlowestGrace, and a second more for each
// kFairBytesPerSecond that it sent: space on the drives is held meanwhile.
inline constexpr std::chrono::seconds kSlowestGrace{120};

// What the pipeline needs of its surroundings: all borrowed.
struct SealContext {
  blob::Store& blobs;
  keys::KeyService& keys;
  StoragePolicies& policies;
  LiveBlobs& live;
  Transfers& transfers;
  Unfinished& unfinished;
  const Clock& clock;
  Random& random;
  crypto::Md5Lanes& lanes;
  Counter bytes_written;
  std::chrono::milliseconds deadline{0};
};

// A body that is stored and not yet committed. Dropped before committed() or in_doubt(), its blobs are removed.
class SealedBody {
 public:
  explicit SealedBody(LiveBlobs& live) : live_(&live) {}
  SealedBody(SealedBody&& other) noexcept
      : size_bytes(other.size_bytes),
        digests(std::move(other.digests)),
        pieces(std::move(other.pieces)),
        inline_payload(std::move(other.inline_payload)),
        live_(other.live_),
        refs_(std::exchange(other.refs_, {})) {}
  SealedBody& operator=(SealedBody&&) = delete;
  ~SealedBody() { live_->abandoned(refs_); }

  void add(blob::BlobRef ref) {
    live_->written(ref);
    refs_.push_back(std::move(ref));
  }
  // What the commit that names the blobs records of them.
  [[nodiscard]] std::vector<BlobRecord> blobs() const;
  void committed() { live_->committed(std::exchange(refs_, {})); }
  // Nobody can say whether the commit happened: the blobs stay, and the reclaim of orphans finds out.
  void in_doubt() { committed(); }

  std::uint64_t size_bytes = 0;
  DigestedBody digests;
  std::vector<Piece> pieces;   // at least one
  std::string inline_payload;  // of pieces[0], when that is inlined

 private:
  LiveBlobs* live_;
  std::vector<blob::BlobRef> refs_;
};

// Reads `body` to its end and stores it sealed, where `policy` lets it lie, with the digests that `kinds` names besides
// MD5. `use` says whose current key wraps those of the pieces. `context` and `body` outlive the task. Errors:
// kEntityTooLarge (more than `limit_bytes`), kIncompleteBody (fewer bytes than announced), kInvalidRequest (more),
// kRequestTimeout (it trickles), kOverloaded (too much of `sender` is unfinished), the body's own, keys::KeyService's,
// blob::Store's, the policies'. After an error nothing is left behind.
Task<Result<SealedBody>> seal_body(const SealContext& context, Sender sender, PolicyId policy, keys::KeyUse use,
                                   BodySource& body, std::vector<crypto::Checksum> kinds, std::uint64_t limit_bytes);

}  // namespace andromede::objects
