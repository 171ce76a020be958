#include "fleet/volumes/fleet_journal.h"

#include "base/deadline.h"
#include "base/task.h"
#include "io/drive_map.h"
#include "journal/journal.h"
#include "meta/table.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::seconds kCommitTimeout{30};

// Each one row, without a name: docs/formats/fleet-records.md.
struct ScrubKind {
  using Record = Timestamp;  // when the last one ended
  static constexpr meta::RecordMark kMark{'R', 2, "last scrub"};
  static constexpr std::string_view kPrefix = "fleet/scrub";
  static void fields(auto& fields, auto& ended) { fields.time(ended); }
};
using ScrubTable = meta::Table<ScrubKind>;

struct DrainKind {
  using Record = DrainTerms;
  static constexpr meta::RecordMark kMark{'X', 3, "drain terms"};
  static constexpr std::string_view kPrefix = "fleet/drain";
  static void fields(auto& fields, auto& terms) {
    fields.u64(terms.bandwidth_bytes_per_s);
    fields.list(terms.unerased, io::kMaxDrives, [&](auto& drive) { fields.id(drive); });
  }
};
using DrainTable = meta::Table<DrainKind>;

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
  meta::Commit change;
  ScrubTable::put(change, {}, ended);
  return commit("CompleteScrub", kFleetItself, {{"outcome", std::move(outcome)}}, std::move(change));
}

Result<std::optional<Timestamp>> FleetJournal::last_scrub() const {
  TRY(const auto row, sync_wait(ScrubTable::get(store_, {}, Deadline::after(clock_, kCommitTimeout))));
  return row ? std::optional(row->record) : std::nullopt;
}

Status FleetJournal::record_drain(std::string name, std::string principal,
                                  std::vector<std::pair<std::string, std::string>> parameters,
                                  const DrainTerms& terms) const {
  meta::Commit change;
  DrainTable::put(change, {}, terms);
  return commit(std::move(name), std::move(principal), std::move(parameters), std::move(change));
}

Result<DrainTerms> FleetJournal::drain_terms() const {
  TRY(auto row, sync_wait(DrainTable::get(store_, {}, Deadline::after(clock_, kCommitTimeout))));
  return row ? std::move(row->record) : DrainTerms();
}

}  // namespace andromede::fleet
