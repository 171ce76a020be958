// MirrorSet: the mirrors that take part in every commit, and how one leaves: flagged by whoever saw it fail, marked out
// in the drive map by the committer before the next acknowledgement, so that it can never come back as truth.
//
// Threads: list(), reader(), find() and the failure calls from any thread; the rest from the committer's thread, or
// while it is paused.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/metrics.h"
#include "base/result.h"
#include "io/drives.h"
#include "meta/rocksdb/drive_work.h"
#include "meta/rocksdb/mirror.h"

namespace andromede::meta {

// What a commit must be on before it is acknowledged, so that it survives the next loss.
struct Redundancy {
  std::size_t mirrors = 1;
  std::size_t sites = 1;  // different ones; fewer where the drive map accepts to survive fewer lost sites
};

// The healthy mirrors of the list, as far as the drive map knows their drives.
struct Standing {
  std::shared_ptr<const io::DriveMap> map;  // of the drives
  std::vector<const io::DriveInfo*> drives;
  bool enough = false;  // what all of them have survives the next loss
};

class MirrorSet {
 public:
  using List = std::vector<std::shared_ptr<Mirror>>;

  // `drives` outlives the set.
  MirrorSet(io::Drives& drives, Gauge online, Redundancy least);
  MirrorSet(const MirrorSet&) = delete;
  MirrorSet& operator=(const MirrorSet&) = delete;

  [[nodiscard]] std::shared_ptr<const List> list() const;
  // The mirror to read from; null when none is usable. When the last one can no longer be written, while its drive is
  // there, it still answers reads. None of `besides`.
  [[nodiscard]] std::shared_ptr<Mirror> reader(const List& besides = {}) const;
  // Whether another one than `mirror` can answer.
  [[nodiscard]] bool another_than(const Mirror& mirror) const;
  // The drive's mirror; null unless it is in the list and has not failed.
  [[nodiscard]] std::shared_ptr<Mirror> find(DriveId drive) const;

  // As things stand, were it not for the mirrors on those drives.
  [[nodiscard]] Standing standing(const std::vector<DriveId>& without = {}) const;
  // What is lacking, and what would mend it, in words; nullopt: nothing.
  [[nodiscard]] std::optional<std::string> shortfall() const;

  // A drive went away.
  void drive_lost(DriveId drive, const Error& error);
  // A read failed on `mirror`. True: another mirror can answer, `mirror` is given up. Only kCorrupt and kIo are a
  // mirror's fault, and the last one is never given up for a bad read: what else it holds stays readable.
  bool read_failed(Mirror& mirror, const Error& error);

  // The drive's mirror, if it is the one that answers reads when the list is empty, is let go. Afterwards nothing
  // answers them. False, and nothing is done: it is damaged, and the rest of it would be lost with it.
  bool release_last_resort(DriveId drive);

  // Whether drop_failed() has work.
  [[nodiscard]] bool has_failed() const;
  // Takes failed mirrors out, reports their drives, and marks them out in the map unless none would be left: then the
  // map stays, since nothing can be acknowledged that they do not have. An error: the map could not be changed, and
  // nothing may be acknowledged; kNoSpace: for a reason that another mirror mends.
  Status drop_failed();
  // These left before this process and are not marked out yet: drop_failed() has that to do. Those that are `full` hold
  // all that was acknowledged, and stay current until others are enough without them. Before the first commit.
  void owe_marks(std::set<DriveId> drives, std::set<DriveId> full);
  // Why the drive's mirror takes no part any more, in words; empty: it does, or nobody knows.
  [[nodiscard]] std::string why_lost(DriveId drive) const;
  // Drives whose mirror was taken out because it had no space, and that have held none since.
  [[nodiscard]] std::vector<DriveId> out_for_space() const;
  void join(std::shared_ptr<Mirror> mirror);
  // Takes a healthy mirror out of the list; the map is the caller's.
  void leave(DriveId drive);
  // Waits until nobody uses the former mirrors of the drive, and of any drive whose root was `root` (one that was
  // replaced by another at the same path; RocksDB would find its own lock there), and they are closed. kTimeout when
  // readers hold them for longer than `readers`, or their drive hangs for longer than `patience`. Every other former
  // mirror that nobody uses begins to be closed as well: it holds files and memory. Closing asks the drive, and is done
  // by a thread of its own.
  static constexpr std::chrono::milliseconds kReadersLeaveWithin{30'000};
  Status close_retired(DriveId drive, const std::string& root, std::chrono::milliseconds patience,
                       std::chrono::milliseconds readers = kReadersLeaveWithin);
  // Whether one is being closed there.
  [[nodiscard]] bool closing(DriveId drive, const std::string& root) {
    return closing_.running(drive, root) != nullptr;
  }
  // Former mirrors that are not closed yet.
  [[nodiscard]] std::size_t retired();
  // Takes all out and closes them, for the end; those that are still used end with their last user. One that failed is
  // waited for no longer than `patience`, and none for ever.
  void clear(std::chrono::milliseconds patience);

  [[nodiscard]] io::Drives& drives() const { return drives_; }

 private:
  void publish(List list);
  std::shared_ptr<DriveWork::Job> close(std::shared_ptr<Mirror> mirror);
  Status mark_out();
  // Whether another line about a failed read may be written.
  bool may_tell_now();
  // What the map leaves of the sites that are asked for.
  [[nodiscard]] std::size_t sites_needed(const io::DriveMap& map) const;

  static constexpr std::chrono::seconds kLineEvery{1};

  io::Drives& drives_;
  const Gauge online_;
  const Redundancy least_;
  mutable std::mutex mutex_;  // guards list_ (the pointer), retired_, last_resort_, out_for_space_ and why_lost_
  std::shared_ptr<const List> list_ = std::make_shared<const List>();
  List retired_;
  std::shared_ptr<Mirror> last_resort_;  // answers reads when the list is empty
  std::set<DriveId> out_for_space_;
  std::map<DriveId, std::string> why_lost_;
  std::set<DriveId> unmarked_;  // left, and not yet marked out in the map
  std::set<DriveId> full_;      // likewise, and not to be while the others are too few
  DriveWork closing_;
  std::atomic<std::chrono::steady_clock::rep> next_line_{0};
};

}  // namespace andromede::meta
