// FleetJournal: puts what operators, and the fleet by itself, do into the journal before it is done. Blocks;
// thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "journal/journal.h"
#include "meta/store.h"

namespace andromede::fleet {

using journal::kFleetItself;

// What an operator asked of a drain beside the drives: it holds until the drain ends, in whichever process that is.
struct DrainTerms {
  std::uint64_t bandwidth_bytes_per_s = 0;  // 0: the configured one
  // What these hold may stay on them: those that were offline as that was accepted, and no others.
  std::vector<DriveId> unerased;
  [[nodiscard]] bool accepts_unerased(DriveId drive) const {
    return std::find(unerased.begin(), unerased.end(), drive) != unerased.end();
  }
  bool operator==(const DrainTerms&) const = default;
};

class FleetJournal {
 public:
  // Both are borrowed and outlive this.
  FleetJournal(meta::Store& store, const Clock& clock) : store_(store), clock_(clock) {}
  // Answers once the entry is durable; on an error the act must not happen.
  Status record(std::string name, std::string principal,
                std::vector<std::pair<std::string, std::string>> parameters) const;
  // The same for an act that makes the cloud redundant again (a mirror or a drive that joins, a mirror that was lost):
  // it must go on where so few metadata mirrors are left that nothing else does.
  Status record_restoring(std::string name, std::string principal,
                          std::vector<std::pair<std::string, std::string>> parameters) const;

  // A scrub of everything ended, journaled with what it found; and when the last one did (nullopt: none yet).
  Status record_scrub(Timestamp ended, std::string outcome) const;
  [[nodiscard]] Result<std::optional<Timestamp>> last_scrub() const;

  // As record(), of a drain that begins or goes on; and on what terms the last one did.
  Status record_drain(std::string name, std::string principal,
                      std::vector<std::pair<std::string, std::string>> parameters, const DrainTerms& terms) const;
  [[nodiscard]] Result<DrainTerms> drain_terms() const;

 private:
  Status commit(std::string name, std::string principal, std::vector<std::pair<std::string, std::string>> parameters,
                meta::Commit change) const;

  meta::Store& store_;
  const Clock& clock_;
};

}  // namespace andromede::fleet
