#include "fleet/volumes/drive_events.h"

namespace andromede::fleet {
namespace {

const char* event_of(io::DriveEvent::Kind kind) {
  switch (kind) {
    case io::DriveEvent::Kind::kKeptOut:
      return "KeepOutDrive";
    case io::DriveEvent::Kind::kMapHealed:
      return "HealDriveMap";
    case io::DriveEvent::Kind::kMirrorAway:
      return "LoseMetadataMirror";
  }
  return "ChangeDrive";
}

}  // namespace

Status DriveEvents::journal() {
  CHECK_OK(journal_decisions());
  collect();
  while (!waiting_.empty()) {
    CHECK_OK(journal_.record_restoring(waiting_.front().name, kFleetItself, waiting_.front().parameters));
    waiting_.pop_front();
  }
  return {};
}

Status DriveEvents::journal_decisions() {
  const auto map = drives_.map();
  if (map->decisions.empty()) return {};
  for (const io::Decision& decision : map->decisions) {
    if (decision.epoch <= journaled_decision_) continue;
    std::string names;
    for (const DriveId id : decision.without) {
      const io::DriveInfo* const drive = map->find(id);
      names += (names.empty() ? "" : ", ") + (drive == nullptr ? id.to_string() : drive->name.value());
    }
    CHECK_OK(journal_.record_restoring("ProceedWithoutDrives", journal::kKeyHolder,
                                       {{"unixUser", decision.unix_user},
                                        {"drives", names},
                                        {"decided", to_iso8601(decision.at)},
                                        {"epoch", std::to_string(decision.epoch)}}));
    journaled_decision_ = decision.epoch;
  }
  return drives_.update([](io::DriveMap& changed) -> Status {
    changed.decisions.clear();
    return {};
  });
}

void DriveEvents::collect() {
  for (io::DriveEvent& event : drives_.take_events()) {
    Entry entry{event_of(event.kind), {{"drive", event.name.value()}, {"site", event.site.value()}}};
    if (!event.detail.empty()) entry.parameters.emplace_back("reason", std::move(event.detail));
    waiting_.push_back(std::move(entry));
  }
  const auto map = drives_.map();
  for (meta::MirrorEvent& event : mirrors_.take_events()) {
    const io::DriveInfo* const drive = map->find(event.drive);
    if (drive == nullptr) continue;
    waiting_.push_back({event.copied ? "AddMetadataMirror" : "LoseMetadataMirror",
                        {{"drive", drive->name.value()}, {"site", drive->site.value()}, {"reason", event.reason}}});
  }
}

}  // namespace andromede::fleet
