// The fleet's one implementation, shared by the files that make it: fleet.cc (life, watching, status), job_thread.cc
// (which job runs, heal, scrub, rebalance), drain.cc (withdrawal), drive_changes.cc (add, replace). For this folder
// only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fleet/jobs.h"
#include "fleet/volumes/drive_events.h"
#include "fleet/volumes/fleet_journal.h"
#include "fleet/volumes/mirror_keeper.h"
#include "fleet/volumes/mover.h"
#include "fleet/volumes/passes.h"
#include "fleet/volumes/room.h"
#include "fleet/volumes/throttle.h"
#include "fleet/volumes/volumes_fleet.h"

namespace andromede::fleet {

inline constexpr std::chrono::milliseconds kBetweenPasses{500};

// Beside the state, which says the rest.
inline constexpr const char* kAbortedBy = "by an operator";

using io::DriveInfo;
using io::DriveMap;
using io::DriveState;
using Parameters = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::uint64_t job = 0;
  JobKind kind = JobKind::kHeal;
  bool asked = false;  // by an operator, or resumed for one
  DrainTerms drain{};  // of JobKind::kDrain
};

// A reclaim that erased nothing, until it goes on.
struct StoppedReclaim {
  std::string why;
  bool journaled = false;
};

// Blobs are being written without all their shards.
struct ShortWrites {
  SteadyTime first;
  SteadyTime last;
};

// What listeners of Drives hold: it outlives the fleet, because Drives does.
struct Signals {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<DriveId, bool>> drive_events;
};

// "orange-1, orange-2"
std::string names_of(const std::vector<DriveInfo>& drives);
std::vector<DriveInfo> drives_in(const DriveMap& map, DriveState state);

class FleetImpl final : public Fleet {
 public:
  FleetImpl(io::Drives& drives, Candidates& candidates, blob::Maintenance& blobs, blob::ShardCatalog& catalog,
            blob::Authenticator& authenticator, meta::Store& store, meta::Mirrors& mirrors, const PolicyBook& policies,
            AdmitDrive admit, const Clock& clock, Random& random, Metrics& metrics, Options options)
      : drives_(drives),
        candidates_(candidates),
        blobs_(blobs),
        catalog_(catalog),
        mirrors_(mirrors),
        policies_(policies),
        admit_(std::move(admit)),
        clock_(clock),
        random_(random),
        metrics_(metrics),
        options_(options),
        journal_(store, clock),
        drive_events_(drives, mirrors, journal_),
        board_(clock),
        room_(clock),
        throttle_(options.bandwidth_bytes_per_s),
        mover_(drives, blobs, catalog, authenticator, mirrors, candidates, policies, random),
        passes_(drives, candidates, policies, catalog, mover_, random),
        mirror_keeper_(
            drives, mirrors, candidates, policies, clock, options.mirror_grace,
            [this](const DriveInfo& drive, MirrorKeeper::Change change) { return journal_mirror(drive, change); }),
        signals_(std::make_shared<Signals>()),
        repaired_counter_(metrics.counter("andromede_shards_repaired_total", "Shards rebuilt or rewritten")),
        damaged_counter_(metrics.counter("andromede_shards_damaged_total", "Shards found damaged by reads or scrubs")),
        moved_counter_(metrics.counter("andromede_fleet_moved_bytes_total", "Bytes moved by heal, drain, rebalance")),
        degraded_gauge_(metrics.gauge("andromede_degraded", "1 while the cloud is degraded")),
        waiting_gauge_(metrics.gauge("andromede_blobs_waiting", "Blobs that wait for heal")),
        refused_gauge_(metrics.gauge("andromede_writes_refused", "1 while writes are refused")) {}

  ~FleetImpl() override { stop({}); }

  Status journal_opening() override;
  Status start() override;
  void stop(const std::function<void()>& hurry) override;
  Result<FleetStatus> status() override;
  [[nodiscard]] std::optional<WritesRefused> writes_refused() const override { return room_.refused(); }
  Status add_drive(NewDrive drive, std::string operator_name) override;
  Status replace_drive(DriveName lost, std::string path, std::string operator_name) override;
  Result<Job> heal(std::string operator_name) override;
  Result<Job> scrub(std::string operator_name) override;
  Status accept_orphans(DriveName drive, std::string operator_name) override;
  Result<Job> drain(DrainRequest request, std::string operator_name) override;
  Status abort_drain(std::string operator_name) override;
  Result<Job> job(std::uint64_t number) override;

 private:
  std::thread run_thread(void (FleetImpl::*run)());

  // --- watching thread: what must be seen within a second, whatever job runs
  void watch();
  void handle_drive_events();
  bool has_just_joined(DriveId drive);
  void not_away(DriveId drive);
  void attach_missing(const Usages& usages);
  void look_at_short_writes();
  // Blobs of some policy can have all their shards.
  [[nodiscard]] bool any_policy_whole() const;
  void look_at_room(const Usages& usages);
  void resume_drain_of(DriveId drive);
  void collect_damaged();
  void update_metrics(const Usages& usages);
  Result<FleetStatus> status_by(const Usages& usages);
  // What each policy demands and has, into status.policies and the reasons.
  void tell_policies(const DriveMap& map, FleetStatus& status) const;

  // --- mirrors' thread: no job makes commits wait for a mirror
  void keep_mirrors();
  Status journal_mirror(const DriveInfo& drive, MirrorKeeper::Change change);

  // --- job thread
  void work();
  std::optional<Request> next_request();  // mutex_ is held
  void run(const Request& request);
  void repair_damaged();
  void reclaim();
  Result<blob::Maintenance::Reclaimed> reclaim_on(const DriveInfo& drive, const blob::GoOn& go_on);
  void note_stopped_reclaim(const DriveInfo& drive, const std::string& why);
  // Why nothing may be erased for want of a name now; empty: it may. Drives of `given_up` are not waited for.
  [[nodiscard]] std::string reclaim_waits_for(const std::vector<DriveInfo>& given_up) const;
  // The part of it that concerns drives which are away.
  [[nodiscard]] std::string mirror_that_knows_more(const std::vector<DriveInfo>& given_up) const;
  [[nodiscard]] SteadyTime next_scrub() const;
  JobState run_heal(std::uint64_t job, std::string& message);
  JobState run_scrub(std::uint64_t job, std::string& message);
  JobState run_rebalance(std::uint64_t job, std::string& message);
  JobState run_drain(const Request& request, std::string& message);
  struct Left {
    std::string what;             // empty: nothing
    bool needs_operator = false;  // nothing that goes on by itself changes it
  };
  Result<Left> left_on(const std::vector<DriveInfo>& leaving, const DrainTerms& terms);
  // Answers which were offline and are not erased, as accepted. kConflict: something keeps them from leaving now.
  Result<std::vector<DriveInfo>> erase_and_mark_drained(const std::vector<DriveInfo>& leaving, const DrainTerms& terms,
                                                        bool& announced);
  Status mark_drained(const std::vector<DriveInfo>& leaving, const std::vector<DriveInfo>& unerased);
  [[nodiscard]] std::vector<DriveInfo> offline_of(const std::vector<DriveInfo>& drives) const;
  // Those that the terms let leave unerased.
  static std::vector<DriveInfo> accepted_of(std::vector<DriveInfo> leaving, const DrainTerms& terms);
  // Those that are offline without being accepted so.
  [[nodiscard]] std::vector<DriveInfo> waited_for_of(const std::vector<DriveInfo>& leaving,
                                                     const DrainTerms& terms) const;
  // An operator's drain of an earlier process, or of a drive that was away. Under mutex_.
  Request resumed_drain(const std::vector<DriveInfo>& draining);
  void keep_terms(const DrainTerms& terms);
  // Before a pass that settles: what there will be to do, for status too.
  Status look_ahead(std::uint64_t job);
  Result<PassResult> settle_all(std::uint64_t job);
  JobState ended_with(const Error& error, std::string& message) const;
  void count(std::uint64_t job, const PassResult& result);
  Progress progress_of(std::uint64_t job);
  [[nodiscard]] bool go_on() const { return !stopping_ && !abort_ && !make_way_; }

  // --- operators
  // kConflict when an operator's job runs. Who holds operators_ can then request one.
  [[nodiscard]] Status check_free() const;
  std::uint64_t request_job(Request request, std::string subject);
  Result<std::vector<DriveInfo>> leaving_drives(const DriveMap& map, const DrainRequest& request) const;
  Result<CandidateList> drain_candidates(const std::vector<DriveInfo>& leaving);
  struct Withdrawal {
    std::optional<unsigned> site_losses;   // that all policies survive that lose drives by it; unset: none does
    std::optional<std::uint8_t> accepted;  // what has to be accepted, where that is less than some policy demands
    std::string said;                      // which one, for people
  };
  // Errors of sovereignty::check_withdrawal.
  Result<Withdrawal> check_withdrawal(const CandidateList& list, const std::vector<DriveId>& leaving,
                                      std::optional<std::uint8_t> accepted);
  // Adds to the terms those that are offline now, where that is accepted; else kRefused. Answers all whom the terms
  // name.
  [[nodiscard]] Result<std::vector<DriveInfo>> accept_unerased(const std::vector<DriveInfo>& leaving,
                                                               const DrainRequest& request, DrainTerms& terms) const;
  Status check_mirror_room(const std::vector<DriveInfo>& leaving, const CandidateList& candidates) const;
  Status restore_site_losses();
  // Joins or replaces a drive; where that fails after it was journaled, the journal says so too.
  Status change_drives(const std::string& event, const std::string& principal, Parameters parameters, DriveId joining,
                       const std::function<Status(DriveMap&)>& change);
  void due(bool heal, bool rebalance);
  // A heal, before which not all that is demanded may hold.
  void owe_heal(bool rebalance);

  io::Drives& drives_;
  Candidates& candidates_;
  blob::Maintenance& blobs_;
  blob::ShardCatalog& catalog_;
  meta::Mirrors& mirrors_;
  const PolicyBook& policies_;
  const AdmitDrive admit_;
  const Clock& clock_;
  Random& random_;
  Metrics& metrics_;
  const Options options_;
  FleetJournal journal_;
  DriveEvents drive_events_;  // start(), then the mirrors' thread
  JobBoard board_;
  RoomWatch room_;
  Throttle throttle_;
  Mover mover_;
  Passes passes_;
  MirrorKeeper mirror_keeper_;
  std::shared_ptr<Signals> signals_;

  std::mutex operators_;  // one change of the map by an operator at a time

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::optional<Request> requested_;
  std::optional<Request> running_;
  DrainTerms drain_terms_;  // as the metadata have them
  bool heal_due_ = false;
  // Something may be missing since a drive went or came back, or was written short, and no heal that began later has
  // ended; the one that runs is to end it.
  bool heal_owed_ = false;
  bool heal_paying_ = false;
  // Volumes may have gone while nothing watched, an earlier process may have known of some: no look ahead since the
  // start has asked every drive that is there.
  bool unlooked_ = false;
  std::map<DriveId, std::uint64_t> gone_;  // shards in volumes that are gone, as of the last look, until all is rebuilt
  std::set<DriveId> joining_;              // added, and not heard of yet: nothing is missing there
  std::set<DriveId> away_;                 // offline, or back and not owed a heal yet
  bool rebalance_due_ = false;
  SteadyTime heal_retry_at_ = SteadyTime::max();
  SteadyTime rebalance_retry_at_ = SteadyTime::max();
  std::set<BlobId> damaged_;
  bool scrub_due_ = false;
  std::uint64_t waiting_ = 0;
  std::uint64_t lost_ = 0;
  bool reclaim_due_ = false;
  std::map<DriveId, StoppedReclaim> reclaim_stopped_;
  std::set<DriveId> reclaim_accepted_;                         // of those: an operator lets it go on
  std::map<DriveId, blob::Maintenance::Reclaimed> reclaimed_;  // by the last reclaim of each

  SteadyTime reclaim_at_{};  // job thread only
  SteadyTime scrub_at_{};
  std::map<DriveId, SteadyTime> attach_again_at_;  // watching thread only, as are the next two
  std::uint64_t short_writes_ = 0;
  std::optional<ShortWrites> short_since_;

  std::atomic<std::uint64_t> damaged_found_{0};
  std::atomic<std::uint64_t> repaired_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> abort_{false};     // of the running job, by an operator
  std::atomic<bool> make_way_{false};  // for a job that an operator asks for
  bool started_ = false;
  std::condition_variable ended_;  // with mutex_
  std::size_t threads_ = 0;        // that have not ended; under mutex_
  std::thread watcher_;
  std::thread keeper_;
  std::thread worker_;

  Counter repaired_counter_;
  Counter damaged_counter_;
  Counter moved_counter_;
  Gauge degraded_gauge_;
  Gauge waiting_gauge_;
  Gauge refused_gauge_;
};

}  // namespace andromede::fleet
