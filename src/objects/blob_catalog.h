// blob::Catalog over the blob records (docs/formats/metadata-keys.md, "l/"), for engines on local drives. Blocks:
// maintenance threads only. Thread-safe.
#pragma once

#include "base/clock.h"
#include "blob/catalog.h"
#include "meta/every_root.h"
#include "objects/live_blobs.h"

namespace andromede::objects {

class BlobCatalog final : public blob::Catalog {
 public:
  // All borrowed. Blobs that are in use without a record (LiveBlobs) are found too, so that they are not taken for
  // orphans; they are not listed, for nothing can be replaced in them.
  BlobCatalog(meta::EveryRoot& meta, const LiveBlobs& live, const Clock& clock, std::chrono::milliseconds deadline)
      : meta_(meta), live_(live), clock_(clock), deadline_(deadline) {}

  Result<std::vector<blob::BlobRef>> list(BlobId after, std::size_t limit) override;
  Result<std::optional<blob::BlobRef>> find(BlobId id) override;
  Result<Page> list_everywhere(BlobId after, std::size_t limit) override;
  Result<Everywhere> find_everywhere(BlobId id) override;
  Status replace(const blob::BlobRef& before, const blob::BlobRef& after) override;

 private:
  // Without `next`.
  static Page decode(const std::vector<meta::Item>& items);
  [[nodiscard]] meta::Scan after_of(BlobId after, std::size_t limit) const;
  [[nodiscard]] Deadline deadline() const { return Deadline::after(clock_, deadline_); }

  meta::EveryRoot& meta_;
  const LiveBlobs& live_;
  const Clock& clock_;
  const std::chrono::milliseconds deadline_;
};

}  // namespace andromede::objects
