// Committer: the one thread that commits. It takes all waiting commits as a group, checks what they expect, makes one
// log record of those that hold, syncs it on every mirror at once, applies it, and resumes the waiters. While so few
// mirrors take part that a commit would not survive the next loss, those wait that need not restore the others
// (docs/adr/0083-acknowledged-survives-the-next-loss.md).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/task.h"
#include "meta/rocksdb/fanout.h"
#include "meta/rocksdb/lags.h"
#include "meta/rocksdb/limits.h"
#include "meta/rocksdb/log_record.h"
#include "meta/rocksdb/mirror_set.h"
#include "meta/store.h"

namespace andromede::meta {

class Committer {
 public:
  struct Options {
    std::size_t max_queued_commits = 4096;
    std::uint64_t reserve_bytes = 0;  // free space below which commits that put data are refused
    std::size_t max_commit_bytes = kEngineLimits.commit_bytes;
    // So long after redundancy was lost commits wait for its return; then they are kNotBegun at once.
    std::chrono::milliseconds redundancy_wait{0};
    // So long after the first mirror has done its part the others are waited for; then they have failed.
    std::chrono::milliseconds mirror_patience = io::kDriveAnswerLimit;
  };
  // Where the log goes on.
  struct Start {
    std::uint64_t salt = 0;
    std::uint64_t last_index = 0;
    std::uint64_t last_sequence = 0;
    std::string last_entry;
  };

  // Everything passed by reference outlives the committer.
  Committer(MirrorSet& mirrors, LogSealer& sealer, std::shared_ptr<const RecordSeal> seal, const Clock& clock,
            Metrics& metrics, Options options);
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;
  ~Committer();  // abandon()s

  // Hands the sealer the last entry and starts the thread.
  Status start(Start start);
  // While paused, with no mirror left: the one that came back goes on from there. The last entry is read from it.
  void go_on_from(const Start& start);
  // The last commit that was written. While paused.
  [[nodiscard]] std::uint64_t last_index() const { return last_index_; }
  // Whether every state shows it: not while a mirror that lacks it is not marked out. While paused.
  [[nodiscard]] bool all_applied() const { return !unapplied_; }
  Task<Result<CommitInfo>> commit(Commit change, Deadline deadline);
  // See Store. Any thread.
  [[nodiscard]] Status accepts_commits() const;
  // Why commits are not acknowledged: the mirrors are too few, or a lost one is not marked out. Any thread.
  [[nodiscard]] std::optional<std::string> shortfall() const;
  [[nodiscard]] std::uint64_t last_sequence() const { return last_sequence_.load(std::memory_order_acquire); }

  // How long commits waited within the last minute for the mirror there alone; 0: not worth telling. Any thread.
  [[nodiscard]] std::chrono::milliseconds waited_for(DriveId drive) const;

  // Something is to be done besides commits: a mirror failed. Any thread.
  void wake();
  // Commits what is queued, then ends the thread. New commits are kNotBegun.
  void stop();
  // Ends the thread after the group at hand; what is queued is kNotBegun.
  void abandon();

  // While it lives no group is being committed. Not from the committer's thread.
  class Pause {
   public:
    explicit Pause(Committer& committer);
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    ~Pause();

   private:
    Committer& committer_;
  };

 private:
  struct Add {
    std::string key;  // of a counter
    std::int64_t by = 0;
  };
  struct Pending {
    Commit change;
    Deadline deadline;
    std::size_t bytes = 0;
    std::vector<Add> adds;  // the change's usage
    std::uint64_t sequence = 0;
    OneShot<Result<CommitInfo>> answer;
    Pending(Commit c, Deadline d, std::size_t b) : change(std::move(c)), deadline(d), bytes(b) {}
  };
  using Group = std::vector<Pending*>;
  struct Answer {
    Pending* pending;
    Result<CommitInfo> result;
  };
  // Keys of kRecords that earlier commits of the group changed; nullopt: erased. Views into the group's commits.
  using Overlay = std::unordered_map<std::string_view, std::optional<std::string_view>>;

  static constexpr SteadyTime kNotShort = SteadyTime::max();

  Status enqueue(Pending& pending);
  void run();
  bool take_group(Group& group);
  // What the mirrors lack is looked at once a group, before it: `shortfall`.
  // Goes on with commits that wait for redundancy, or answers those that have waited for long enough.
  void look_at_held(const std::optional<std::string>& shortfall);
  void hold(Group& where, Pending* pending);
  // Answers those of `held` that may wait no longer with `why`.
  void give_up(Group& held, const Error& why);
  void forget_held(std::size_t commits, std::size_t bytes);
  [[nodiscard]] bool may_wait() const;
  [[nodiscard]] std::chrono::milliseconds held_for_now() const;
  void process(Group& group, const std::optional<std::string>& shortfall);
  // Answers the commits that cannot be done; stages the others and answers them.
  Group stage(const Group& group, const std::optional<std::string>& shortfall);
  Status check(const Commit& change);
  Result<bool> holds(const Expectation& expectation);
  // One value. Memory answers at once; a drive is given up that does not answer, when another mirror can: kTimeout.
  Result<Found> read(const std::shared_ptr<Mirror>& mirror, Space space, std::string_view key, std::string& value);
  // After such a read failed.
  bool another_can_read(Mirror& mirror, const Error& error);
  void stage_changes(Pending& pending);
  void flush_adds(std::string_view key);
  Status store_group(std::uint32_t commits);
  Status write_and_apply(const MirrorSet::List& mirrors, ByteView record, std::uint64_t last_index);
  void apply_what_is_left();
  // Of MirrorSet; notes that mirrors went, and whether they are marked out.
  Status drop_failed();
  // Runs `work`, which owns all it uses beside the record that is built, on every mirror that has not failed. A mirror
  // fails for which it fails, or which is late.
  void on_each(const MirrorSet::List& mirrors, const std::function<Status(Mirror&)>& work);
  // The same, but whether a mirror fails is the work's: it answers whether it did its part.
  void run_parts(const MirrorSet::List& mirrors, const std::function<bool(Mirror&)>& work);
  void note_lags(const MirrorSet::List& mirrors, const std::vector<Fanout::Behind>& behind);
  // Fails a mirror that is late again and again, where the others are enough without it.
  void give_up_late();
  Status make_room(std::size_t record_bytes);
  Status check_space(const MirrorSet::List& mirrors);
  // Takes out those without space where the others are enough; else every commit waits for space.
  Status do_without(const MirrorSet::List& full);
  Status reseal();
  Status restore_from(const std::shared_ptr<Mirror>& mirror, std::uint64_t sequence);
  void answer(Pending* pending, Result<CommitInfo> result) { answers_.push_back({pending, std::move(result)}); }
  void resume_waiters();

  MirrorSet& mirrors_;
  LogSealer& sealer_;
  const std::shared_ptr<const RecordSeal> seal_;
  const Clock& clock_;
  const Options options_;
  const Histogram group_size_;
  const Gauge queue_depth_;
  const Gauge held_;
  const Histogram sync_seconds_;
  const Counter commits_;
  const Counter conflicts_;
  const Counter expectations_read_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<Pending*> queue_;
  std::size_t held_commits_ = 0;  // in the two lists below
  std::size_t queued_bytes_ = 0;  // of the queue and of those lists
  bool woken_ = false;
  bool busy_ = false;
  unsigned pauses_ = 0;
  enum class Mode { kRunning, kStopping, kAbandoned } mode_ = Mode::kAbandoned;
  std::thread thread_;

  // Of the committer's thread alone.
  Group parked_;       // not begun: wait for redundancy
  Group unconfirmed_;  // stored on too few mirrors: wait for another one that has them
  Fanout fanout_;
  Lags lags_;  // itself of any thread
  std::shared_ptr<RecordBuilder> builder_ = std::make_shared<RecordBuilder>(seal_);
  bool builder_is_read_ = false;  // by a mirror that is late: the next group needs one of its own
  Overlay overlay_;
  std::unordered_map<std::string_view, std::string>
      read_;  // of what the group expects, some small values that are there
  std::unordered_map<std::string_view, std::int64_t> adds_;
  std::vector<Answer> answers_;
  std::uint64_t salt_ = 0;
  std::uint64_t last_index_ = 0;
  std::optional<Error> not_marked_out_;  // while marks are owed: what commits are refused with
  std::string marks_failure_;            // and why the last try failed: told once
  // A group that lies in the logs, and that no state may show yet: a mirror that lacks it, and is not marked out, would
  // be the truth after a start without the others.
  struct Unapplied {
    std::shared_ptr<RecordBuilder> record;
    std::uint64_t last_index = 0;
    std::uint64_t last_sequence = 0;
  };
  std::optional<Unapplied> unapplied_;
  std::uint64_t next_sequence_ = 1;  // of the group being staged
  bool must_reseal_ = false;
  bool lost_mirrors_ = false;  // under the group at hand
  SteadyTime space_checked_{};
  bool low_space_ = false;
  std::atomic<std::uint64_t> last_sequence_{0};
  std::atomic<SteadyTime> short_since_{kNotShort};
  // A mirror is lost that the map still counts. Nothing is written until it is marked out: that mirror, started without
  // these, must not come to make another group of the same index, and one that starts now may be it.
  std::atomic<bool> marks_owed_{false};
};

}  // namespace andromede::meta
