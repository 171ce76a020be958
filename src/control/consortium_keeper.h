// control::ConsortiumKeeper: the consortium as a versioned, journaled record in the metadata. The file beside the
// configuration is a copy of it: another one is refused, and changes go through apply().
//
// Thread-safe. Every call blocks: never from an event loop.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/consortium_table.h"
#include "identity/context.h"
#include "meta/store.h"
#include "sovereignty/consortium_record.h"

namespace andromede::control {

// In one line for people; of many the first ten.
std::string told(const std::vector<std::string>& differences);

class ConsortiumKeeper {
 public:
  // What the drive map has in use now.
  using InUse = std::function<std::vector<sovereignty::DriveInUse>()>;
  // Puts a text in the place of the file.
  using WriteFile = std::function<Status(const std::string& text)>;
  // Puts the policies of a recorded consortium in force, which others may have been in before.
  using Enforce = std::function<void(sovereignty::Policies policies)>;

  // `store` and `clock` are borrowed and outlive this.
  ConsortiumKeeper(meta::Store& store, const Clock& clock, InUse in_use, WriteFile write_file, Enforce enforce);

  // Version 1, for init; journaled as CreateConsortium. kAlreadyExists.
  Status create(const std::string& text, const identity::Context& by);
  // Whether the file means what is recorded, which is enforced then. One that is a version behind, since a crash came
  // between the record and the file, is written anew. kInvalidArgument says what differs; kNotFound: nothing is
  // recorded; kCorrupt.
  Status agree(const sovereignty::Consortium& file);

  [[nodiscard]] Result<sovereignty::ConsortiumRecord> current() const;

  struct Change {
    std::uint64_t version = 0;
    crypto::Sha256Digest digest{};
    std::vector<std::string> differences;
    std::string file_error;  // why the file is not written yet; empty: it is
  };
  // What apply() would do. kInvalidArgument: no consortium; kRefused: not allowed.
  Result<Change> check(const std::string& text) const;
  // Records the next version, journaled as ApplyConsortium with both digests, enforces it and writes the file. A text
  // that means the same changes nothing. As check(); kConflict: another was applied at the same moment; kRefused as
  // well while the file of the version before cannot be written.
  Result<Change> apply(const std::string& text, const identity::Context& by);

  // Runs `join`, which takes a drive of that site and associate into use, while no other version is applied. kRefused,
  // and `join` is not run: the recorded one does not know them so.
  Status admit(const SiteId& site, const AssociateId& associate, const std::function<Status()>& join);

 private:
  struct Prepared {
    ConsortiumTable::Row stored;  // what the commit expects
    sovereignty::ConsortiumRecord next;
    sovereignty::Policies policies;  // of the next
    std::vector<std::string> differences;
  };
  Result<ConsortiumTable::Row> stored() const;
  Result<Prepared> prepare(const std::string& text) const;
  Status commit(meta::Commit change) const;

  meta::Store& store_;
  const Clock& clock_;
  const InUse in_use_;
  const WriteFile write_file_;
  const Enforce enforce_;
  std::mutex applying_;                   // so that the file is that of the last version, and no drive joins what goes
  std::optional<std::string> unwritten_;  // under applying_: what the file is to be
};

}  // namespace andromede::control
