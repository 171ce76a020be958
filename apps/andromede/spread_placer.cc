#include "spread_placer.h"

#include <algorithm>
#include <iterator>

#include "fleet/layout.h"

namespace andromede::app {
Result<blob::Target> SpreadPlacer::place(BlobId /*id*/, std::uint64_t size_bytes) {
  const blob::Code code{rule_.data_shards, rule_.parity_shards};
  const std::vector<std::optional<DriveId>> none_kept(code.total());
  TRY(auto drives, choose(none_kept, {}, fleet::shard_bytes(code, size_bytes)));
  return blob::Target{code, std::move(drives), this};
}

Result<std::vector<DriveId>> SpreadPlacer::replace(const std::vector<std::optional<DriveId>>& kept,
                                                   const std::vector<DriveId>& without, std::uint64_t shard_bytes) {
  candidates_.refresh();
  return choose(kept, without, shard_bytes);
}

Result<std::vector<DriveId>> SpreadPlacer::choose(const std::vector<std::optional<DriveId>>& kept,
                                                  const std::vector<DriveId>& without, std::uint64_t shard_bytes) {
  auto candidates = candidates_.snapshot();
  if (!without.empty()) {
    // They count as drives that have no room: the blob is not to get fewer shards for that.
    auto list = std::make_shared<fleet::CandidateList>(*candidates);
    for (sovereignty::Candidate& candidate : *list) {
      const bool left_out = std::find(without.begin(), without.end(), candidate.drive) != without.end();
      if (left_out) candidate.free_bytes = 0;
    }
    candidates = std::move(list);
  }
  const sovereignty::Rule rule = sovereignty::written_with(rule_, candidates->size());
  // Which shard a drive gets is all the same to the spread: the kept ones come first.
  std::vector<std::optional<DriveId>> keep;
  std::copy_if(kept.begin(), kept.end(), std::back_inserter(keep), [](const auto& drive) { return drive.has_value(); });
  TRY(const auto chosen, sovereignty::place(rule, *candidates, keep, shard_bytes, random_));
  std::vector<DriveId> drives(kept.size());
  std::size_t next = keep.size();
  for (std::size_t shard = 0; shard < kept.size(); ++shard) {
    if (kept[shard]) {
      drives[shard] = *kept[shard];
    } else if (next < chosen.size()) {
      drives[shard] = chosen[next++];
    }
  }
  return drives;
}

}  // namespace andromede::app
