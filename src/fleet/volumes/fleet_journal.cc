#include "fleet/volumes/fleet_journal.h"

#include "base/deadline.h"
#include "base/task.h"
#include "journal/journal.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::seconds kCommitTimeout{30};
constexpr const char* kScrubKey = "fleet/scrub";
constexpr std::uint8_t kScrubVersion = 1;
constexpr const char* kDrainKey = "fleet/drain";
constexpr std::uint8_t kDrainVersion = 2;

}  // namespace

Status FleetJournal::commit(std::string name, std::string principal,
                            std::vector<std::pair<std::string, std::string>> parameters, meta::Commit change) const {
  journal::Event event;
  event.source = "operator.andromede";
  event.name = std::move(name);
  event.principal = std::move(principal);
  event.parameters = std::move(parameters);
  change.partition = meta::kCloudPartition;
  change.event = journal::render(event, clock_.now());
  const auto committed = sync_wait(store_.commit(std::move(change), Deadline::after(clock_, kCommitTimeout)));
  if (!committed) return fail(committed.error().in("journal"));
  return {};
}

Status FleetJournal::record(std::string name, std::string principal,
                            std::vector<std::pair<std::string, std::string>> parameters) const {
  return commit(std::move(name), std::move(principal), std::move(parameters), {});
}

Status FleetJournal::record_restoring(std::string name, std::string principal,
                                      std::vector<std::pair<std::string, std::string>> parameters) const {
  meta::Commit change;
  change.restores_redundancy = true;
  return commit(std::move(name), std::move(principal), std::move(parameters), std::move(change));
}

Status FleetJournal::record_scrub(Timestamp ended, std::string outcome) const {
  Bytes value;
  ByteWriter writer(value);
  writer.u8(kScrubVersion);
  writer.u64(static_cast<std::uint64_t>(ended.ms));
  meta::Commit change;
  change.put.push_back({{meta::Space::kRecords, kScrubKey}, std::string(as_text(value))});
  return commit("CompleteScrub", kFleetItself, {{"outcome", std::move(outcome)}}, std::move(change));
}

Result<std::optional<Timestamp>> FleetJournal::last_scrub() const {
  TRY(const auto value, sync_wait(store_.get(meta::kCloudPartition, {meta::Space::kRecords, kScrubKey},
                                             Deadline::after(clock_, kCommitTimeout))));
  if (!value) return std::optional<Timestamp>();
  ByteReader reader(as_bytes(*value));
  const std::uint8_t version = reader.u8();
  const std::uint64_t ms = reader.u64();
  CHECK_OK(reader.finish(kScrubKey));
  if (version != kScrubVersion) return fail(Errc::kCorrupt, "fleet/scrub: unknown version");
  return std::optional(Timestamp{static_cast<std::int64_t>(ms)});
}

Status FleetJournal::record_drain(std::string name, std::string principal,
                                  std::vector<std::pair<std::string, std::string>> parameters,
                                  const DrainTerms& terms) const {
  Bytes value;
  ByteWriter writer(value);
  writer.u8(kDrainVersion);
  writer.u64(terms.bandwidth_bytes_per_s);
  writer.u32(static_cast<std::uint32_t>(terms.unerased.size()));
  for (const DriveId drive : terms.unerased) writer.raw(drive.bytes());
  meta::Commit change;
  change.put.push_back({{meta::Space::kRecords, kDrainKey}, std::string(as_text(value))});
  return commit(std::move(name), std::move(principal), std::move(parameters), std::move(change));
}

Result<DrainTerms> FleetJournal::drain_terms() const {
  TRY(const auto value, sync_wait(store_.get(meta::kCloudPartition, {meta::Space::kRecords, kDrainKey},
                                             Deadline::after(clock_, kCommitTimeout))));
  if (!value) return DrainTerms();
  ByteReader reader(as_bytes(*value));
  const std::uint8_t version = reader.u8();
  DrainTerms terms;
  terms.bandwidth_bytes_per_s = reader.u64();
  if (reader.ok() && version != kDrainVersion) return fail(Errc::kCorrupt, "fleet/drain: unknown version");
  const std::uint32_t drives = reader.u32();
  for (std::uint32_t i = 0; i < drives && reader.ok(); ++i) {
    terms.unerased.push_back(DriveId::from_bytes(reader.raw(DriveId::kSize)));
  }
  CHECK_OK(reader.finish(kDrainKey));
  return terms;
}

}  // namespace andromede::fleet
