// The blobs that this process uses while no record names them: written and not committed yet, or displaced by a commit
// and still being read. Their space is neither given back early nor taken for an orphan's.
//
// Life of a displaced version of an object: leaving() before the commit; after it, left(), which removes its blobs at
// once or, where a reader has the version pinned, when the last pin is dropped; or stays(), when the commit did not
// happen. A version is named by ObjectRecord::version().
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "blob/store.h"

namespace andromede::objects {

class LiveBlobs {
 public:
  // `blobs` is borrowed and outlives this.
  explicit LiveBlobs(blob::Store& blobs) : blobs_(blobs) {}

  void written(const blob::BlobRef& ref);
  void committed(const std::vector<blob::BlobRef>& refs);
  // The commit certainly did not happen: removes them.
  void abandoned(const std::vector<blob::BlobRef>& refs);

  void leaving(const std::vector<blob::BlobRef>& refs);
  void stays(const std::vector<blob::BlobRef>& refs);
  void left(BlobId version, const std::vector<blob::BlobRef>& refs);

  void pin(BlobId version);
  void unpin(BlobId version);

  [[nodiscard]] std::optional<blob::BlobRef> find(BlobId id) const;

 private:
  void forget(const std::vector<blob::BlobRef>& refs);

  struct Pins {
    unsigned count = 0;
    std::vector<blob::BlobRef> left;  // to be removed with the last pin
  };
  struct Live {
    blob::BlobRef ref;
    unsigned users = 0;  // several commits may be about to displace the same version; one will
  };
  blob::Store& blobs_;
  mutable std::mutex mutex_;
  std::unordered_map<BlobId, Live> live_;
  std::unordered_map<BlobId, Pins> pins_;
};

// Keeps one version pinned while it lives.
class VersionPin {
 public:
  VersionPin(LiveBlobs& live, BlobId version) : live_(live), version_(version) { live_.pin(version_); }
  VersionPin(const VersionPin&) = delete;
  VersionPin& operator=(const VersionPin&) = delete;
  ~VersionPin() { live_.unpin(version_); }

 private:
  LiveBlobs& live_;
  BlobId version_;
};

}  // namespace andromede::objects
