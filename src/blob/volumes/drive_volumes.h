// DriveVolumes: the volume files of one drive. Reserves regions at the end of the open volume, syncs for all who wait
// at once, releases records by punching holes, walks records, and counts what lives. What was on the drive before is
// counted in the background: nothing that a drive begins with grows with the records on it.
//
// Threads: thread-safe. reserve_in_memory, post, post_sync, cached_file, online, presence and usage never block.
// attach, detach_empty, count, sync, walk and run wait for the drive, no longer than it is there, and are not called
// from its pools; the rest does drive I/O on the calling thread, which a drive that hangs keeps: from the drive's pools
// only, elsewhere by run(). Counting has a thread of its own. Whoever waits for what such a thread does finds out where
// the drive holds it (look()), which makes the drive one that is not there.
// Ownership: borrowed drives, clock and counters outlive it. Files are shared: one stays open while somebody uses it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "blob/shards/maintenance.h"
#include "blob/volumes/record.h"
#include "blob/volumes/underway.h"
#include "blob/volumes/volume_store.h"
#include "blob/volumes/wait_watch.h"
#include "io/drives.h"

namespace andromede::blob {

inline constexpr std::size_t kMaxQueuedJobs = 16384;  // a drive's pool
inline constexpr std::size_t kMaxIdleVolumes = 16;    // of a drive, that large records left room in

// One volume file. Fields below are guarded by the DriveVolumes' mutex, the file excepted.
struct Volume {
  const std::uint32_t number;
  const std::shared_ptr<io::Disk> disk;  // the opening of the drive that it was attached with
  Volume(std::uint32_t n, std::shared_ptr<io::Disk> d) : number(n), disk(std::move(d)) {}

  std::shared_ptr<io::File> file;  // null: not open now
  std::uint64_t last_use = 0;
  std::uint64_t end = 0;        // where the next record goes
  std::uint64_t allocated = 0;  // blocks are reserved up to here
  // Whether the counters are true. Until then shards and pages are 0 and live_bytes is what the file takes.
  bool counted = true;
  std::uint64_t shards = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t unknown_pages = 0;     // see docs/formats/volume.md, Walking
  std::uint64_t unreadable_pages = 0;  // likewise; while there are any, the file stays
  // While it is being counted: what was given back meanwhile, which the count may have passed before or not.
  struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  bool being_counted = false;
  std::vector<Extent> given_back;
  bool closed = false;     // takes no more records
  bool inherited = false;  // was there at attach: no writer of ours is in it
  // A sync failed, or the drive was attached anew: what this Volume's writers wrote since may be gone.
  bool retired = false;

  bool removing = false;  // somebody checks whether the file can go

  std::vector<std::function<void(Status)>> waiting_for_sync;
  bool syncing = false;
};

// A reserved region. The record in it is not there until somebody writes its head.
struct Region {
  std::shared_ptr<Volume> volume;
  std::shared_ptr<io::File> file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool grows = false;  // the volume's last, for itself: blocks are reserved by make_room(), in steps
};

class DriveVolumes {
 public:
  struct Counters {
    Histogram sync_group;  // how many waited for one sync
    Histogram sync_seconds;
  };
  DriveVolumes(DriveId id, io::Drives& drives, const Clock& clock, VolumeOptions options, Counters counters);
  DriveVolumes(const DriveVolumes&) = delete;
  DriveVolumes& operator=(const DriveVolumes&) = delete;
  ~DriveVolumes();

  [[nodiscard]] DriveId id() const { return id_; }
  // Lists the drive's volumes, and begins to count what is in them; again after the drive came back. Nothing to do when
  // that was done since. kUnavailable: offline; kOverloaded: its queue is full; kTimeout: it has not answered since
  // VolumeOptions::answer_limit, and is attached once it does.
  Status attach();
  // Waits until all that was there at attach() is counted, which is hurried. kCancelled: `go_on`, asked now and then,
  // answered false; kUnavailable: the drive is offline, or went there. Else the error of a volume that cannot be
  // counted now.
  Status count(const GoOn& go_on);
  // Whether the drive is attached and the disk that was attached is still the drive's.
  [[nodiscard]] bool online() const;
  // Whether the drive is online as it was when the volume was attached. Never blocks.
  [[nodiscard]] bool serves(const Volume& volume) const { return opening() == volume.disk; }
  // What of the drive is open now; null: it is offline. Another one after it came back. Never blocks.
  [[nodiscard]] std::shared_ptr<io::Disk> opening() const { return waits_ended_ ? nullptr : drives_.disk(id_); }
  // The drive is offline from here on to all who use this.
  void end_waits() { waits_ended_ = true; }
  // kConflict while a record lives there; pages that cannot be read do not hinder it, since by then the catalog names
  // nothing on the drive. kOverloaded, kTimeout: as attach(); it may be detached later then, until it is attached
  // again.
  Status detach_empty();

  // A region at the end of the open volume where that needs no I/O; nullopt: call reserve().
  [[nodiscard]] std::optional<Region> reserve_in_memory(std::uint64_t bytes);
  // kNoSpace, kUnavailable, kOverloaded; anything else is the drive's failure, and is reported. Nothing is taken when
  // it fails. What a large region says is taken as it is written, and is refused now where the drive could not hold it.
  Result<Region> reserve(std::uint64_t bytes);
  // Before the first `bytes` of a region are written: kNoSpace, kUnavailable, or what allocating failed with.
  Status make_room(const Region& region, std::uint64_t bytes);
  // A finished record uses the first `used_bytes` of its region only: the rest is given back. For every region that
  // grows, so that its volume takes other records again.
  void trim(const Region& region, std::uint64_t used_bytes);
  // Gives an unfinished record's region back; one of an earlier attach() is left to reclaim.
  void abandon(const Region& region);
  // Releases the record of that shard at that place, if it is still there. Answers the bytes given back.
  Result<std::uint64_t> release(BlobId blob, unsigned shard, std::uint32_t volume, std::uint64_t offset);

  // Everything written to the volume before is durable when `done` gets OK, on the drive's sync thread. At once, with
  // an error, where the volume is retired.
  void post_sync(const std::shared_ptr<Volume>& volume, std::function<void(Status)> done);
  // The same, waiting. kUnavailable once the drive has gone.
  Status sync(const std::shared_ptr<Volume>& volume);
  // Runs `job` on the drive's pool; false: the queue is full.
  [[nodiscard]] bool post(std::function<void()> job);
  // By whoever waits for the drive, every kLookAtWaitsEvery: reports it as failed where it holds one of the threads
  // here. Does not block; no lock of who waits may be held.
  void look();
  // By a job on the drive's pool: it takes long and gets on.
  void step() { underway_.step(); }
  // The same, waiting for what `work` answers, a Result: for as long as the drive is there, since what hangs in it may
  // never end. So `work` owns all that it uses. kUnavailable: the drive is offline, or went there meanwhile, and `work`
  // is left to it; kOverloaded: the queue is full.
  template <typename Work>
  std::invoke_result_t<Work> run(Work work) {
    TRY(const auto disk, this->disk());
    const auto promise = std::make_shared<std::promise<std::invoke_result_t<Work>>>();
    auto answer = promise->get_future();
    if (!post([promise, work = std::move(work)]() mutable { promise->set_value(work()); })) {
      return fail(Errc::kOverloaded, "drive " + id_.to_string() + ": its queue is full");
    }
    while (answer.wait_for(kLookAtWaitsEvery) != std::future_status::ready) {
      look();
      if (opening() != disk) return fail(Errc::kUnavailable, "drive " + id_.to_string() + " went away");
    }
    return answer.get();
  }

  // kNotFound: no such volume; kUnavailable: the drive is offline. cached_file() answers null where it would block.
  Result<std::shared_ptr<io::File>> file(std::uint32_t volume);
  [[nodiscard]] std::shared_ptr<io::File> cached_file(std::uint32_t volume);

  // kUnknown until all of the drive's volumes are listed.
  [[nodiscard]] Presence presence(std::uint32_t volume, std::uint64_t offset) const;

  // Tells the drives that this one failed, unless it came back since the volume was attached.
  void report(const Volume& volume, const Error& error);

  void count_lie() { ++lies_; }
  [[nodiscard]] Result<DriveUsage> usage();

  // Every record of the drive as it stands now, in order; `visit` answers false to stop. `unknown` gets ranges of
  // unknown pages, of inherited volumes only. Records reserved later are not visited, nor those whose head cannot be
  // read: fails only where the drive is gone or a volume cannot be opened. kCancelled: `go_on`, asked before each
  // volume, answered false.
  using Visit = std::function<bool(const RecordHead&)>;
  using VisitUnknown = std::function<bool(std::uint32_t volume, std::uint64_t offset, std::uint64_t bytes)>;
  Status walk(const Visit& visit, const VisitUnknown& unknown, const GoOn& go_on);
  // Gives unknown pages back, which the caller knows to be named by nobody.
  Status punch_unknown(std::uint32_t volume, std::uint64_t offset, std::uint64_t bytes);

  // Begins to end: counting, and what was reserved ahead is given back. At the end of the store's life.
  void stop();
  // After stop(): whether nothing is left that the drive keeps, once it is so or that moment has come. Until then who
  // destroys this waits for it.
  bool stopped(std::chrono::steady_clock::time_point until);

 private:
  using Volumes = std::map<std::uint32_t, std::shared_ptr<Volume>>;
  static constexpr SteadyTime kNotRefused = SteadyTime::min();

  static std::string path(std::uint32_t number);
  Result<std::shared_ptr<io::Disk>> disk() const;
  // What a walk comes upon, one behind the other. Each answers false to stop it.
  struct Found {
    Visit record;
    std::function<bool(std::uint64_t offset, std::uint64_t bytes)> unknown;
    std::function<bool(std::uint64_t offset, std::uint64_t bytes)> unreadable;
    std::function<bool()> go_on;  // asked before each look at the drive; empty: always
  };
  // A volume as a walk finds it.
  struct Census;
  // Where the threads that have nothing left to do wait for each other.
  struct Rest;
  // One call of the drive that is waited for so long only, and may end later.
  struct Call {
    std::shared_future<Status> answer;
    std::chrono::steady_clock::time_point until{};
  };
  // Runs `work` on the drive's pool, or joins the call that is under way still.
  Status call(Call& call, Status (DriveVolumes::*work)());
  Status attach_now();
  Status detach_empty_now();
  // How a walk asks the drive.
  struct Look {
    std::function<Result<std::size_t>(std::uint64_t offset, MutableByteView out)> read;
    std::function<Result<std::uint64_t>()> size;
    std::function<Status()> probe;
  };
  Look look_here(io::Disk& disk, io::File& file);  // on this thread, which is a pool's
  Look look_by_pool(const std::shared_ptr<io::Disk>& disk, const std::shared_ptr<io::File>& file);
  static Status walk_file(const Look& look, std::uint32_t number, std::uint64_t end, const Found& found);
  Result<std::shared_ptr<Volume>> look_at(const std::shared_ptr<io::Disk>& disk, std::uint32_t number);
  void start_counting();  // mutex_ is held
  void run_counts();
  std::shared_ptr<Volume> next_uncounted(std::uint32_t below) const;  // mutex_ is held
  Status count(const std::shared_ptr<Volume>& volume);
  Result<Census> take_census(const Volume& volume, io::File& file);
  bool settle_census(const std::shared_ptr<Volume>& volume, const Result<Census>& census);
  void cut_behind_end(const Volume& volume, io::File& file);
  // Between two looks of a count: leaves the drive to others for a while. False: the store stops.
  bool leave_drive_to_others(SteadyTime& busy_since);
  Result<Region> reserve_on(const std::shared_ptr<io::Disk>& disk, std::uint64_t bytes);
  std::shared_ptr<Volume> open_volume_with_room(std::uint64_t bytes);
  Result<Region> reserve_in_new_volume(const std::shared_ptr<io::Disk>& disk, std::uint64_t bytes);
  Result<Region> reserve_in_steps(const std::shared_ptr<io::Disk>& disk, std::uint64_t bytes);
  // A new file, which nobody knows yet.
  Result<std::shared_ptr<Volume>> create_volume(const std::shared_ptr<io::Disk>& disk);
  // An idle volume with so much room and its file open, idle no more; null: none.
  std::shared_ptr<Volume> take_idle(std::uint64_t bytes);
  void leave_idle(const std::shared_ptr<Volume>& volume);  // mutex_ is held
  // Of a region that grows: the blocks behind its first `used_bytes`, and whose volume they are.
  std::uint64_t reserved_behind(const Region& region, std::uint64_t used_bytes) const;
  Status extend(io::Disk& disk, Volume& volume, std::uint64_t bytes);
  Result<std::uint64_t> spare_bytes(io::Disk& disk, std::uint64_t need) const;
  Result<std::uint64_t> allocate(io::File& file, std::uint64_t allocated, std::uint64_t need, std::uint64_t spare);
  // What the file system itself said to a wish for blocks or a file, passed on. Once it refused, the drive counts as
  // full, whatever it shows as free (no inodes, a quota), until it grants one or a while has passed.
  Status heard(Status answer);
  [[nodiscard]] bool refused_within(std::chrono::seconds span) const;
  void close_open_volume();
  std::optional<Region> take(std::uint64_t bytes);
  static Region take_from(const std::shared_ptr<Volume>& volume, std::uint64_t bytes);  // mutex_ is held
  bool is_current(const std::shared_ptr<Volume>& volume) const;
  struct GivenBack {
    Volume::Extent extent;
    std::uint64_t shards = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t unknown_pages = 0;
  };
  // Counts what was just punched. releasing_ and mutex_ are held.
  static void uncount(Volume& volume, const GivenBack& given_back);
  void remove_if_dead(const std::shared_ptr<Volume>& volume);
  void run_syncs(std::shared_ptr<Volume> volume);
  // Out of the lock, under which this is called: closing may hang as well.
  [[nodiscard]] std::vector<std::shared_ptr<io::File>> take_unused_files(const Volume* keep);

  const DriveId id_;
  io::Drives& drives_;
  const Clock& clock_;
  const VolumeOptions options_;
  const Counters counters_;

  std::mutex growth_;     // one thread at a time attaches, or extends and creates volumes; taken before mutex_
  std::mutex releasing_;  // one thread at a time punches and counts it, or begins to attach; taken before mutex_
  mutable std::mutex mutex_;
  std::shared_ptr<io::Disk> disk_;  // null: not attached
  Volumes volumes_;
  std::shared_ptr<Volume> open_;               // takes records; null: none yet
  std::vector<std::shared_ptr<Volume>> idle_;  // ours, closed for now, with room
  std::uint32_t next_number_ = 1;
  std::uint64_t uses_ = 0;
  std::size_t open_files_ = 0;

  std::mutex calls_mutex_;  // of the next two
  Call attaching_;
  Call detaching_;

  std::shared_ptr<const void> folder_watch_;  // under growth_
  std::atomic<std::uint64_t> lies_{0};
  std::atomic<SteadyTime> refused_at_{kNotRefused};
  std::condition_variable counts_changed_;  // with mutex_: one ended, or is hurried, or the store stops
  bool counting_ = false;                   // the thread is at it, or about to
  bool stopping_ = false;
  std::shared_ptr<Rest> rest_;        // after stop()
  std::size_t hurried_ = 0;           // how many wait for all counts
  std::optional<Error> uncountable_;  // of the last round: why a volume is left

  Underway underway_;
  std::atomic<bool> waits_ended_{false};

  // Declared last: their jobs end before anything above goes. The pool's jobs post to the sync thread.
  ThreadPool counting_pool_;
  ThreadPool sync_pool_;
  ThreadPool pool_;
};

}  // namespace andromede::blob
