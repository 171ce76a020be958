#include "objects/live_blobs.h"

#include "base/check.h"

namespace andromede::objects {

void LiveBlobs::written(const blob::BlobRef& ref) { leaving({ref}); }

void LiveBlobs::committed(const std::vector<blob::BlobRef>& refs) { stays(refs); }

void LiveBlobs::abandoned(const std::vector<blob::BlobRef>& refs) {
  stays(refs);
  for (const blob::BlobRef& ref : refs) blobs_.remove(ref);
}

void LiveBlobs::leaving(const std::vector<blob::BlobRef>& refs) {
  if (refs.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const blob::BlobRef& ref : refs) {
    Live& live = live_[ref.id];
    live.ref = ref;
    ++live.users;
  }
}

void LiveBlobs::forget(const std::vector<blob::BlobRef>& refs) {
  for (const blob::BlobRef& ref : refs) {
    const auto it = live_.find(ref.id);
    CHECK(it != live_.end(), "a blob is forgotten as often as it was announced");
    if (--it->second.users == 0) live_.erase(it);
  }
}

void LiveBlobs::stays(const std::vector<blob::BlobRef>& refs) {
  if (refs.empty()) return;
  const std::lock_guard lock(mutex_);
  forget(refs);
}

void LiveBlobs::left(BlobId version, const std::vector<blob::BlobRef>& refs) {
  if (refs.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (const auto pins = pins_.find(version); pins != pins_.end()) {
      pins->second.left = refs;
      return;
    }
    forget(refs);
  }
  for (const blob::BlobRef& ref : refs) blobs_.remove(ref);
}

void LiveBlobs::pin(BlobId version) {
  const std::lock_guard lock(mutex_);
  ++pins_[version].count;
}

void LiveBlobs::unpin(BlobId version) {
  std::vector<blob::BlobRef> refs;
  {
    const std::lock_guard lock(mutex_);
    const auto pins = pins_.find(version);
    CHECK(pins != pins_.end(), "a version is unpinned as often as it was pinned");
    if (--pins->second.count > 0) return;
    refs = std::move(pins->second.left);
    pins_.erase(pins);
    forget(refs);
  }
  for (const blob::BlobRef& ref : refs) blobs_.remove(ref);
}

std::optional<blob::BlobRef> LiveBlobs::find(BlobId id) const {
  const std::lock_guard lock(mutex_);
  const auto it = live_.find(id);
  if (it == live_.end()) return std::nullopt;
  return it->second.ref;
}

}  // namespace andromede::objects
