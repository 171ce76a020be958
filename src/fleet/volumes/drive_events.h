// DriveEvents: journals what was found or decided of drives and metadata mirrors without anybody asking: at start, and
// when drives come back. One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "fleet/volumes/fleet_journal.h"
#include "io/drives.h"
#include "meta/mirrors.h"

namespace andromede::fleet {

class DriveEvents {
 public:
  // All are borrowed and outlive this.
  DriveEvents(io::Drives& drives, meta::Mirrors& mirrors, const FleetJournal& journal)
      : drives_(drives), mirrors_(mirrors), journal_(journal) {}

  // Writes an entry for each event since the last call, operators' decisions to go on without drives first of all.
  // What could not be written is kept for the next call.
  Status journal();

 private:
  struct Entry {
    std::string name;
    std::vector<std::pair<std::string, std::string>> parameters;
  };
  Status journal_decisions();
  void collect();

  io::Drives& drives_;
  meta::Mirrors& mirrors_;
  const FleetJournal& journal_;
  std::deque<Entry> waiting_;
  std::uint64_t journaled_decision_ = 0;  // the last one's epoch; the map may still carry it
};

}  // namespace andromede::fleet
