#include "control/consortium_keeper.h"

#include <algorithm>

#include "base/deadline.h"
#include "base/log.h"
#include "base/task.h"
#include "control/consortium_file.h"
#include "control/consortium_table.h"

namespace andromede::control {
namespace {

constexpr const char* kSource = "operator.andromede";
constexpr const char* kRecordName = "the recorded consortium";
constexpr std::chrono::milliseconds kCommitTimeout{30'000};
constexpr std::size_t kMaxDifferencesTold = 10;

using sovereignty::Consortium;
using sovereignty::ConsortiumRecord;

Result<Consortium> parse(const std::string& text, const char* name) {
  if (text.size() > sovereignty::kMaxConsortiumBytes) {
    return fail(Errc::kInvalidArgument, std::string(name) + " is over 256 KiB");
  }
  TRY(ConsortiumFile parsed, parse_consortium(text, name));
  return std::move(parsed.consortium);
}

}  // namespace

std::string told(const std::vector<std::string>& differences) {
  std::string text;
  for (std::size_t i = 0; i < std::min(differences.size(), kMaxDifferencesTold); ++i) {
    text += (text.empty() ? "" : "; ") + differences[i];
  }
  if (differences.size() > kMaxDifferencesTold) {
    text += "; and " + std::to_string(differences.size() - kMaxDifferencesTold) + " more";
  }
  return text;
}

ConsortiumKeeper::ConsortiumKeeper(meta::Store& store, const Clock& clock, InUse in_use, WriteFile write_file,
                                   Enforce enforce)
    : store_(store),
      clock_(clock),
      in_use_(std::move(in_use)),
      write_file_(std::move(write_file)),
      enforce_(std::move(enforce)) {}

Status ConsortiumKeeper::commit(meta::Commit change) const {
  change.partition = meta::kCloudPartition;
  const auto committed = sync_wait(store_.commit(std::move(change), Deadline::after(clock_, kCommitTimeout)));
  if (!committed) return fail(committed.error());
  return {};
}

Status ConsortiumKeeper::create(const std::string& text, const identity::Context& by) {
  TRY(const Consortium consortium, parse(text, "the consortium"));
  ConsortiumRecord record;
  record.version = 1;
  record.applied = clock_.now();
  record.digest = sovereignty::digest(consortium);
  record.text = text;
  journal::Event event = identity::event_of(by, kSource, "CreateConsortium");
  event.parameters.emplace_back("version", "1");
  event.parameters.emplace_back("digest", to_hex(record.digest));
  meta::Commit change;
  ConsortiumTable::create(change, {}, record);
  change.event = journal::render(event, record.applied);
  const Status done = commit(std::move(change));
  if (!done && done.error() == Errc::kConflict) return fail(Errc::kAlreadyExists, "a consortium is recorded already");
  return done;
}

Result<ConsortiumRecord> ConsortiumKeeper::current() const {
  TRY(ConsortiumTable::Row row, stored());
  return std::move(row.record);
}

Result<ConsortiumTable::Row> ConsortiumKeeper::stored() const {
  TRY(auto row, sync_wait(ConsortiumTable::get(store_, {}, Deadline::after(clock_, kCommitTimeout))));
  if (!row) return fail(Errc::kNotFound, "no consortium is recorded in the metadata");
  return *std::move(row);
}

Status ConsortiumKeeper::agree(const Consortium& file) {
  TRY(const ConsortiumRecord record, current());
  const crypto::Sha256Digest given = sovereignty::digest(file);
  if (given == record.digest) {
    enforce_(sovereignty::policies_of(file));
    return {};
  }
  TRY(const Consortium recorded, parse(record.text, kRecordName));
  if (record.version > 1 && given == record.previous) {
    log_warning("the consortium file was a version behind: written anew",
                {{"version", static_cast<std::int64_t>(record.version)}});
    enforce_(sovereignty::policies_of(recorded));
    return write_file_(record.text);
  }
  return fail(Errc::kInvalidArgument,
              "the consortium file is not the one that is recorded as version " + std::to_string(record.version) +
                  ": " + told(sovereignty::differences(recorded, file)) +
                  ". Changes go through a running server: put the recorded file back, start, and "
                  "`andromede consortium apply FILE`");
}

Result<ConsortiumKeeper::Prepared> ConsortiumKeeper::prepare(const std::string& text) const {
  TRY(const Consortium wanted, parse(text, "the consortium"));
  Prepared prepared;
  TRY(prepared.stored, stored());
  const ConsortiumRecord& record = prepared.stored.record;
  TRY(const Consortium recorded, parse(record.text, kRecordName));
  prepared.next = record;
  prepared.differences = sovereignty::differences(recorded, wanted);
  if (prepared.differences.empty()) return prepared;
  CHECK_OK(sovereignty::check_change(recorded, wanted, in_use_()));
  prepared.next.version = record.version + 1;
  prepared.next.applied = clock_.now();
  prepared.next.previous = record.digest;
  prepared.next.digest = sovereignty::digest(wanted);
  prepared.next.text = text;
  prepared.policies = sovereignty::policies_of(wanted);
  return prepared;
}

Result<ConsortiumKeeper::Change> ConsortiumKeeper::check(const std::string& text) const {
  TRY(Prepared prepared, prepare(text));
  return Change{prepared.next.version, prepared.next.digest, std::move(prepared.differences), {}};
}

Result<ConsortiumKeeper::Change> ConsortiumKeeper::apply(const std::string& text, const identity::Context& by) {
  const std::lock_guard applying(applying_);
  if (unwritten_) {
    // A start takes a file that is one version behind, and no older one.
    if (const Status written = write_file_(*unwritten_); !written) {
      return fail(Errc::kRefused, "the consortium file of the version before could not be written yet (" +
                                      written.error().message() + "): mend that first; nothing is changed");
    }
    unwritten_.reset();
  }
  TRY(Prepared prepared, prepare(text));
  Change change{prepared.next.version, prepared.next.digest, std::move(prepared.differences), {}};
  if (change.differences.empty()) return change;
  journal::Event event = identity::event_of(by, kSource, "ApplyConsortium");
  event.parameters.emplace_back("version", std::to_string(change.version));
  event.parameters.emplace_back("digest", to_hex(change.digest));
  event.parameters.emplace_back("previousDigest", to_hex(prepared.next.previous));
  event.parameters.emplace_back("differences", told(change.differences));
  meta::Commit commit_of;
  ConsortiumTable::replace(commit_of, prepared.stored, prepared.next);
  commit_of.event = journal::render(event, prepared.next.applied);
  const Status done = commit(std::move(commit_of));
  if (!done && done.error() == Errc::kConflict) {
    return fail(Errc::kConflict, "another consortium was applied at the same moment: look at it, and try again");
  }
  CHECK_OK(done);
  enforce_(std::move(prepared.policies));
  if (const Status written = write_file_(text); !written) {
    log_error("the consortium file is a version behind until the next start", {{"error", written.error().describe()}});
    change.file_error = written.error().message();
    unwritten_ = text;
  }
  return change;
}

Status ConsortiumKeeper::admit(const SiteId& site, const AssociateId& associate, const std::function<Status()>& join) {
  const std::lock_guard applying(applying_);
  TRY(const ConsortiumRecord record, current());
  TRY(const Consortium recorded, parse(record.text, kRecordName));
  const auto known = std::find_if(recorded.sites.begin(), recorded.sites.end(),
                                  [&](const sovereignty::Site& each) { return each.id == site; });
  const std::string first = "; apply one that says so first: andromede consortium apply FILE";
  if (known == recorded.sites.end()) {
    return fail(Errc::kRefused, "site " + site.value() + " is not in the recorded consortium (version " +
                                    std::to_string(record.version) + ")" + first);
  }
  if (known->associate != associate) {
    return fail(Errc::kRefused, "site " + site.value() + " is " + known->associate.value() +
                                    "'s in the recorded consortium (version " + std::to_string(record.version) +
                                    "), not " + associate.value() + "'s" + first);
  }
  return join();
}

}  // namespace andromede::control
