#include "spread_placer.h"

namespace andromede::app {
namespace {

// Header and block checksums of a shard's record, generously (docs/formats/volume.md).
constexpr std::uint64_t kRecordOverheadBytes = 8192;
constexpr std::uint64_t kChecksumShare = 64;

}  // namespace

Result<blob::Target> SpreadPlacer::place(BlobId /*id*/, std::uint64_t size_bytes) {
  const auto candidates = candidates_.snapshot();
  sovereignty::Rule rule = rule_;
  const std::size_t online = candidates->size();
  if (online < rule.shards() && rule.parity_shards > 0 && online > rule.data_shards) {
    rule.parity_shards = static_cast<std::uint8_t>(online - rule.data_shards);
  }
  const std::uint64_t payload = (size_bytes + rule.data_shards - 1) / rule.data_shards;
  const std::uint64_t shard_bytes = payload + payload / kChecksumShare + kRecordOverheadBytes;
  TRY(auto drives, sovereignty::place(rule, *candidates, {}, shard_bytes, random_));
  drives.resize(rule_.shards());
  return blob::Target{{rule_.data_shards, rule_.parity_shards}, std::move(drives)};
}

}  // namespace andromede::app
