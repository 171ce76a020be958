#include "io/drives.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>

#include "base/check.h"
#include "base/log.h"
#include "io/drive_calls.h"
#include "io/drive_files.h"
#include "io/drive_lineage.h"
#include "io/drive_survey.h"

namespace andromede::io {
namespace {

constexpr std::chrono::seconds kFirstQuarantine{2};
constexpr std::chrono::seconds kLongestQuarantine{300};
constexpr std::chrono::minutes kForgiveAfter{10};
// Who is present is written down when it has been so for a moment, and then no sooner than after a wait that doubles.
constexpr std::chrono::seconds kPresenceSettles{2};
constexpr std::chrono::seconds kFirstPresenceWait{2};
constexpr std::chrono::seconds kLongestPresenceWait{64};
constexpr std::size_t kMaxEvents = 1024;
// Costs the drive a sync.
constexpr std::chrono::seconds kProbeWritingEvery{5};
// What a file system puts into its root by itself.
constexpr std::string_view kLostAndFound = "lost+found";

using SharedDisk = std::shared_ptr<Disk>;
using SharedSeal = std::shared_ptr<const DriveSeal>;

Result<SharedDisk> open_shared(const OpenDisk& open_disk, const DriveInfo& drive) {
  TRY(std::unique_ptr<Disk> disk, open_disk(drive));
  return SharedDisk(std::move(disk));
}

// An error unless the disk is there and is `drive` of the map's cloud.
Status check_identity(Disk& disk, const DriveSeal& seal, const DriveMap& map, const DriveInfo& drive) {
  CHECK_OK(disk.probe());
  const auto label = read_label(disk, seal);
  if (!label && label.error() == Errc::kNotFound) {
    return fail(Errc::kNotFound, "no label at " + drive.path + ": an empty folder, or an unmounted drive");
  }
  if (!label) return fail(label.error().in(drive.path));
  if (label->cloud != map.cloud) {
    return fail(Errc::kCorrupt, drive.path + " is a drive of another cloud, " + label->cloud.to_string());
  }
  if (label->drive != drive.id) {
    const DriveInfo* const other = map.find(label->drive);
    const std::string name = other == nullptr ? label->drive.to_string() : other->name.value();
    return fail(Errc::kRefused, drive.path + " holds another drive of this cloud, " + name + ", instead of " +
                                    drive.name.value() + ": exchange the mounts");
  }
  return {};
}

// Whether a drive may be labelled here: an empty folder, or one where an earlier joining was cut off before the map
// knew of it (docs/formats/drive-label.md, "Which map is true").
Status check_joinable(Disk& disk, const DriveSeal& seal, const DriveMap& map, const std::string& path) {
  CHECK_OK(disk.probe());
  TRY(const std::vector<std::string> names, disk.list(""));
  bool labelled = false;
  bool mapped = false;
  for (const std::string& name : names) {
    if (name == kLabelFile) {
      labelled = true;
    } else if (name == kMapFile) {
      mapped = true;
    } else if (name != kLostAndFound) {
      return fail(Errc::kAlreadyExists, path + " is not empty (it holds \"" + name + "\"): give an empty folder");
    }
  }
  if (!mapped) return {};
  const auto label = read_label(disk, seal);
  const bool unknown = label && label->cloud == map.cloud && map.find(label->drive) == nullptr;
  if (map.epoch > 0 && labelled && unknown) return {};
  return fail(Errc::kAlreadyExists, path + " is a drive of a cloud already: give an empty folder");
}

// The current map, with what drives are given of it.
struct Truth {
  std::shared_ptr<const DriveMap> map;
  std::shared_ptr<const Bytes> file;
  MapHash hash{};
};

Truth make_truth(DriveMap map, const DriveSeal& seal) {
  Truth truth;
  truth.file = std::make_shared<const Bytes>(encode(map, seal));
  truth.hash = hash_of(*truth.file);
  truth.map = std::make_shared<const DriveMap>(std::move(map));
  return truth;
}

// What bringing a drive back needs, owned by its thread.
struct Return {
  OpenDisk open_disk;
  SharedSeal seal;
  Truth truth;
  DriveInfo drive;
  // Those that are away are enough to change the map without us: what they made of it may count.
  bool others_may_go_on = false;
};

struct Returned {
  SharedDisk disk;
  std::string healed;     // what was wrong with its map, which was then written anew
  bool has_truth = true;  // else there was no room for the current map
};

struct History {
  std::string damage;               // what is wrong with a map that is only damaged
  Kinship kin = Kinship::kAttempt;  // of one that is not
};

// What the drive failed for says nothing against it: it is full, or this process has too few descriptors or threads.
bool is_want_of_room(const Error& error) { return error == Errc::kNoSpace || error == Errc::kOverloaded; }

// Whether the drive may be given the current map. kRefused, kUnsupported: what it carries is not ours to overwrite.
Result<History> check_history(Disk& disk, const Return& back) {
  const auto carried = read_map(disk, *back.seal);
  if (!carried) {
    const Error& error = carried.error();
    if (error == Errc::kRefused || error == Errc::kUnsupported) return fail(error.in(back.drive.path));
    if (back.drive.left_behind) {
      return fail(Errc::kRefused,
                  "it was left behind, and its map, which would say whether it went on alone, is damaged");
    }
    return History{error.message(), {}};
  }
  const Kinship kin = kinship(*back.truth.map, back.truth.hash, carried->map, carried->hash);
  const bool apart = kin == Kinship::kApart || (kin == Kinship::kAhead && back.others_may_go_on);
  if (!apart) return History{"", kin};
  return fail(Errc::kRefused, "it carries a history of its own (map " + std::to_string(carried->map.epoch) +
                                  "): the cloud went on without it, or it without the cloud; replace it, or stop and "
                                  "decide which to leave behind: andromede drive proceed");
}

// Opens the drive, checks who it is and where it comes from, and gives it the map.
Result<Returned> try_open(const Return& back) {
  Returned returned;
  TRY(returned.disk, open_shared(back.open_disk, back.drive));
  CHECK_OK(check_identity(*returned.disk, *back.seal, *back.truth.map, back.drive));
  TRY(History history, check_history(*returned.disk, back));
  returned.healed = std::move(history.damage);
  const Status written = write_map(*returned.disk, *back.truth.file);
  if (written) return returned;
  // One of our past is as good as any that is online and waits for room.
  const bool ours = history.kin == Kinship::kSame || history.kin == Kinship::kBehind;
  if (!ours || !is_want_of_room(written.error())) return fail(written.error());
  returned.has_truth = history.kin == Kinship::kSame;
  return returned;
}

// What says that the drive lies or is not ours, and not that it is merely away.
bool keeps_out(const Error& error) {
  return error == Errc::kRefused || error == Errc::kCorrupt || error == Errc::kUnsupported;
}

// Who takes part from this map on, and whose mirrors are current.
void mark_presence(DriveMap& next, const std::set<DriveId>& online) {
  for (DriveInfo& drive : next.drives) {
    if (!in_use(drive)) continue;
    if (online.contains(drive.id)) {
      drive.absent_since = 0;
      drive.left_behind = false;
    } else if (drive.absent_since == 0) {
      drive.absent_since = next.epoch;
    }
  }
  const auto current = [](const DriveInfo& drive) { return present(drive) && drive.mirrors_metadata; };
  if (std::none_of(next.drives.begin(), next.drives.end(), current)) return;
  for (DriveInfo& drive : next.drives) drive.mirrors_metadata = current(drive);
}

}  // namespace

struct Drives::Impl {
  Impl(DriveMap first, SharedSeal drive_seal, OpenDisk opener, std::unique_ptr<DriveCalls> drive_calls)
      : seal(std::move(drive_seal)),
        open_disk(std::move(opener)),
        calls(std::move(drive_calls)),
        last_epoch(first.epoch),
        truth(make_truth(std::move(first), *seal)),
        map(truth.map) {}

  struct Offline {
    std::string reason;
    unsigned failures = 0;  // reported in a row
    SteadyTime failed{};
    SteadyTime not_before{};         // watch() does not try it sooner
    std::weak_ptr<const void> held;  // a call that hangs: nobody tries it sooner
  };

  struct Event {
    DriveId drive;
    bool online;
  };

  const SharedSeal seal;
  const OpenDisk open_disk;
  const std::unique_ptr<DriveCalls> calls;  // which own all that they use: nothing of this

  // Held while drives are written to or brought back, so that what they get is the current map. Taken before `mutex`.
  std::mutex changing;
  std::uint64_t last_epoch;                                      // used up, even if the change failed; under `changing`
  Truth truth;                                                   // what drives get; under `changing`
  bool counts = false;                                           // enough drives have taken it; under `changing`
  std::set<DriveId> lacking;                                     // online, and no room for the truth; under `changing`
  std::function<Status(const std::set<std::string>&)> remember;  // under `changing`
  std::set<std::string> remembered;                              // under `changing`

  mutable std::mutex mutex;  // never held during I/O
  std::shared_ptr<const DriveMap> map;
  std::map<DriveId, SharedDisk> disks;  // the online ones
  std::map<DriveId, Offline> offline;   // those that should be online, or failed before
  std::deque<Event> events;             // not told yet
  std::deque<DriveEvent> findings;      // not taken yet
  std::set<std::pair<DriveId, DriveEvent::Kind>> noted;
  std::vector<std::function<void(DriveId, bool)>> listeners;
  bool telling = false;
  bool stopped = false;
  std::condition_variable changed;  // of telling and stopped
  std::thread watcher;

  std::atomic<SteadyTime> probed_writing{SteadyTime{}};

  // Of the watching thread.
  std::optional<SteadyTime> presence_differs_since;
  SteadyTime presence_written{};
  std::chrono::seconds presence_wait = kFirstPresenceWait;

  [[nodiscard]] std::shared_ptr<const DriveMap> current() const {
    const std::lock_guard lock(mutex);
    return map;
  }

  [[nodiscard]] SharedDisk disk(DriveId id) const {
    const std::lock_guard lock(mutex);
    const auto found = disks.find(id);
    return found == disks.end() ? nullptr : found->second;
  }

  [[nodiscard]] std::vector<std::pair<DriveId, SharedDisk>> online() const {
    const std::lock_guard lock(mutex);
    return {disks.begin(), disks.end()};
  }

  [[nodiscard]] std::set<DriveId> online_ids() const {
    const std::lock_guard lock(mutex);
    std::set<DriveId> ids;
    for (const auto& [id, disk] : disks) ids.insert(id);
    return ids;
  }

  // Those that can help a map to count. Under `changing`.
  [[nodiscard]] std::set<DriveId> carriers() const {
    std::set<DriveId> ids = online_ids();
    for (const DriveId id : lacking) ids.erase(id);
    return ids;
  }

  void note(const DriveInfo& drive, DriveEvent::Kind kind, const std::string& detail) {
    const std::lock_guard lock(mutex);
    if (!noted.emplace(drive.id, kind).second || findings.size() >= kMaxEvents) return;
    findings.push_back({kind, drive.id, drive.name, drive.site, detail});
  }

  void bring_online(const DriveInfo& drive, SharedDisk disk) {
    const std::lock_guard lock(mutex);
    disks[drive.id] = std::move(disk);
    offline[drive.id].reason.clear();
    events.push_back({drive.id, true});
    log_info("drive online", {{"drive", drive.name.value()}, {"path", drive.path}});
  }

  // Only if `disk` is still the one that is online: a failure of an earlier opening says nothing about this one. Null:
  // whichever it is.
  void take_offline(DriveId id, const Disk* disk, const std::string& reason, bool reported,
                    const std::shared_ptr<const void>& held = nullptr) {
    const std::lock_guard lock(mutex);
    const auto found = disks.find(id);
    if (found == disks.end() || (disk != nullptr && found->second.get() != disk)) return;
    disks.erase(found);
    Offline& state = offline[id];
    state.reason = reason;
    state.held = held;
    if (reported) quarantine(state);
    events.push_back({id, false});
    const DriveInfo* const drive = map->find(id);
    log_error("drive offline", {{"drive", drive == nullptr ? id.to_string() : drive->name.value()}, {"error", reason}});
  }

  static void quarantine(Offline& state) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now - state.failed > kForgiveAfter) state.failures = 0;
    state.failed = now;
    const auto wait = kFirstQuarantine * (1U << std::min(state.failures, 8U));
    state.not_before = now + std::min<std::chrono::seconds>(wait, kLongestQuarantine);
    ++state.failures;
  }

  // Of a drive that stays offline: told once for each reason.
  void explain(const DriveInfo& drive, const std::string& reason) {
    const std::lock_guard lock(mutex);
    Offline& state = offline[drive.id];
    if (state.reason == reason) return;
    state.reason = reason;
    log_warning("drive stays offline", {{"drive", drive.name.value()}, {"path", drive.path}, {"error", reason}});
  }

  // Tells the listeners what happened. One thread tells at a time; what happens meanwhile it tells as well.
  void tell() {
    std::unique_lock lock(mutex);
    if (telling) return;
    telling = true;
    while (!events.empty() && !stopped) {
      const Event event = events.front();
      events.pop_front();
      // By index and copy: a listener may subscribe another.
      for (std::size_t i = 0; i < listeners.size(); ++i) {
        const auto listener = listeners[i];
        lock.unlock();
        listener(event.drive, event.online);
        lock.lock();
        if (stopped) break;
      }
    }
    telling = false;
    changed.notify_all();
  }

  // The first error that is no drive's: another process has one, or this one has too little left to open it.
  Status open_missing(bool also_quarantined) {
    const std::lock_guard lock(changing);
    const auto now = current();
    const auto others_may_go_on = [&] {
      const auto here = online_ids();
      std::set<DriveId> away;
      for (const DriveInfo& drive : now->drives) {
        if (!here.contains(drive.id)) away.insert(drive.id);
      }
      return can_go_on(*now, away);
    }();
    std::vector<std::pair<DriveInfo, std::shared_ptr<Returned>>> missing;
    std::vector<DriveCalls::Call> opening;
    for (const DriveInfo& drive : now->drives) {
      if (!in_use(drive) || disk(drive.id) != nullptr) continue;
      if (holds_a_call(drive.id) || (!also_quarantined && quarantined(drive.id))) continue;
      const auto into = std::make_shared<Returned>();
      missing.emplace_back(drive, into);
      opening.push_back(
          {drive.path, [back = Return{open_disk, seal, truth, drive, others_may_go_on}, into]() -> Status {
             TRY(*into, try_open(back));
             return {};
           }});
    }
    const auto answers = calls->run(std::move(opening));
    Status ours;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& [drive, returned] = missing[i];
      if (answers[i] && *answers[i]) {
        if (!returned->healed.empty()) note(drive, DriveEvent::Kind::kMapHealed, returned->healed);
        lacking.erase(drive.id);
        if (!returned->has_truth) lacking.insert(drive.id);
        bring_online(drive, std::move(returned->disk));
        continue;
      }
      explain(drive, answers[i] ? answers[i]->error().describe() : no_answer(*calls));
      if (answers[i] && keeps_out(answers[i]->error())) {
        note(drive, DriveEvent::Kind::kKeptOut, answers[i]->error().message());
      }
      const bool not_its =
          answers[i] && (answers[i]->error() == Errc::kConflict || answers[i]->error() == Errc::kOverloaded);
      if (ours && not_its) ours = *answers[i];
    }
    return ours;
  }

  [[nodiscard]] bool holds_a_call(DriveId id) const {
    const std::lock_guard lock(mutex);
    const auto found = offline.find(id);
    return found != offline.end() && !found->second.held.expired();
  }

  [[nodiscard]] bool quarantined(DriveId id) const {
    const std::lock_guard lock(mutex);
    const auto found = offline.find(id);
    return found != offline.end() && std::chrono::steady_clock::now() < found->second.not_before;
  }

  void check_online() {
    const auto now = current();
    const bool writes = std::chrono::steady_clock::now() - probed_writing.load() >= kProbeWritingEvery;
    if (writes) probed_writing = std::chrono::steady_clock::now();
    std::vector<std::pair<DriveId, SharedDisk>> asked;
    std::vector<DriveCalls::Call> checks;
    for (const auto& [id, disk] : online()) {
      const DriveInfo* const drive = now->find(id);
      if (drive == nullptr) continue;
      asked.emplace_back(id, disk);
      checks.push_back({drive->path, [checked = disk, by = seal, map = now, who = *drive, writes]() -> Status {
                          CHECK_OK(check_identity(*checked, *by, *map, who));
                          // Without it the drive serves as well, until it is full.
                          static_cast<void>(keep_map_reserve(*checked));
                          if (!writes) return {};
                          const Status written = checked->probe_writing();
                          return written || is_want_of_room(written.error()) ? Status() : written;
                        }});
    }
    const auto answers = calls->run(std::move(checks));
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& [id, disk] = asked[i];
      if (!answers[i]) {
        take_offline(id, disk.get(), no_answer(*calls), true);
        continue;
      }
      const Status& sound = *answers[i];
      // Too few descriptors or threads left in this process say nothing about the drive.
      if (sound || sound.error() == Errc::kOverloaded) continue;
      take_offline(id, disk.get(), sound.error().describe(), false);
    }
  }

  void probe(bool also_quarantined) {
    check_online();
    write_to_lacking();
    static_cast<void>(open_missing(also_quarantined));
    tell();
  }

  [[nodiscard]] bool presence_differs() const {
    const auto now = current();
    const auto here = online_ids();
    return std::any_of(now->drives.begin(), now->drives.end(), [&](const DriveInfo& drive) {
      return in_use(drive) && present(drive) != here.contains(drive.id);
    });
  }

  // Has the map say who is present, so that those that stayed know that they went on without the others.
  void write_presence() {
    if (!presence_differs()) {
      presence_differs_since.reset();
      return;
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    if (!presence_differs_since) presence_differs_since = now;
    if (now - *presence_differs_since < kPresenceSettles || now - presence_written < presence_wait) return;
    Status written;
    {
      const std::lock_guard lock(changing);
      // Those that are left must wait for others: nothing is acknowledged meanwhile.
      if (!may_change(*truth.map)) return;
      DriveMap next = successor();
      next.epoch = last_epoch + 1;
      written = make_truth_of(std::move(next));
    }
    tell();
    if (!written) log_warning("who is present is not written down", {{"error", written.error().describe()}});
    presence_wait =
        now - presence_written > kForgiveAfter ? kFirstPresenceWait : std::min(2 * presence_wait, kLongestPresenceWait);
    presence_written = now;
    presence_differs_since.reset();
  }

  void watch_until_stopped(std::chrono::milliseconds every) {
    std::unique_lock lock(mutex);
    while (!stopped) {
      lock.unlock();
      probe(false);
      write_presence();
      lock.lock();
      changed.wait_for(lock, every, [&] { return stopped; });
    }
  }

  // New drives of a change, opened and labelled; they lose their label again unless the change succeeds.
  struct Joining {
    DriveCalls& calls;
    std::vector<std::pair<DriveInfo, SharedDisk>> drives;
    bool ended = false;
    explicit Joining(DriveCalls& drive_calls) : calls(drive_calls) {}
    Joining(const Joining&) = delete;
    Joining& operator=(const Joining&) = delete;
    ~Joining() {
      if (!ended) static_cast<void>(leave());
    }
    // False: one of them may still carry what it was given.
    bool leave() {
      ended = true;
      std::vector<DriveCalls::Call> leaving;
      for (const auto& [drive, disk] : drives) {
        leaving.push_back({drive.path, [from = disk] { return unlabel(*from); }});
      }
      const auto answers = calls.run(std::move(leaving));
      return std::all_of(answers.begin(), answers.end(), [](const auto& answer) { return answer && *answer; });
    }
  };

  Result<Space> space(DriveId id) {
    const auto now = current();
    const DriveInfo* const drive = now->find(id);
    const SharedDisk asked = disk(id);
    if (drive == nullptr || asked == nullptr)
      return fail(Errc::kUnavailable, "drive " + id.to_string() + " is offline");
    const auto into = std::make_shared<Space>();
    CHECK_OK(call(*drive, [asked, into]() -> Status {
      TRY(*into, asked->space());
      return {};
    }));
    return *into;
  }

  // Calls one drive.
  Status call(const DriveInfo& drive, std::function<Status()> work) const {
    const auto answer = calls->run({{drive.path, std::move(work)}}).front();
    if (!answer)
      return fail(Errc::kTimeout, "drive " + drive.name.value() + " at " + drive.path + ": " + no_answer(*calls));
    return *answer;
  }

  // All are checked before one is written to.
  Status label_all(const DriveMap& next, const std::vector<DriveInfo>& fresh, Joining& joining) const {
    std::vector<std::pair<DriveInfo, SharedDisk>> checked;
    for (const DriveInfo& drive : fresh) {
      const auto into = std::make_shared<SharedDisk>();
      CHECK_OK(call(drive, [open = open_disk, by = seal, drive, now = current(), into]() -> Status {
        auto disk = open_shared(open, drive);
        if (!disk) return fail(disk.error().in("drive " + drive.name.value()));
        CHECK_OK(check_joinable(**disk, *by, *now, drive.path));
        *into = std::move(*disk);
        return {};
      }));
      checked.emplace_back(drive, *into);
    }
    for (const auto& [drive, disk] : checked) {
      joining.drives.emplace_back(drive, disk);
      CHECK_OK(call(drive, [to = disk, by = seal, label = DriveLabel{next.cloud, drive.id}] {
        return write_label(*to, label, *by);
      }));
    }
    return {};
  }

  static Status check_change(const DriveMap& before, const DriveMap& after) {
    if (after.cloud != before.cloud) return fail(Errc::kInvalidArgument, "a drive map never changes its cloud");
    for (const DriveInfo& drive : before.drives) {
      if (after.find(drive.id) == nullptr) {
        return fail(Errc::kInvalidArgument,
                    "drive " + drive.name.value() + " would vanish from the map: drives stay in it");
      }
    }
    return check_drive_map(after);
  }

  static void add_paths_of(const DriveMap& of, std::set<std::string>& paths) {
    for (const DriveInfo& drive : of.drives) {
      if (in_use(drive)) paths.insert(drive.path);
    }
  }

  Status remember_paths_of(const DriveMap& before, const DriveMap& next) {
    if (!remember) return {};
    std::set<std::string> paths;
    add_paths_of(before, paths);
    add_paths_of(next, paths);
    if (paths == remembered) return {};
    const Status kept = remember(paths);
    if (kept) {
      remembered = std::move(paths);
      return {};
    }
    // A full folder must not keep the loss of a drive from being written down.
    if (!std::includes(remembered.begin(), remembered.end(), paths.begin(), paths.end())) return kept;
    log_warning("a drive's path that is out of use is still kept", {{"error", kept.error().describe()}});
    return {};
  }

  // Whether the drives that are online may change `now` without the others. Under `changing`.
  Status may_change(const DriveMap& now) {
    const auto here = carriers();
    counts = counts || counts_on(now, here);
    if (counts && can_go_on(now, here)) return {};
    std::vector<DriveInfo> away;
    for (const DriveInfo& drive : now.drives) {
      if ((present(drive) || (!counts && drive.was_present)) && !here.contains(drive.id)) away.push_back(drive);
    }
    const Minimum minimum = minimum_of(now);
    return fail(Errc::kUnavailable,
                "too few of the drives that took part last are online to go on without the others (" +
                    std::to_string(minimum.drives) + " on " + std::to_string(minimum.sites) +
                    " sites are needed, one of them with the metadata); missing: " + names_and_sites(away));
  }

  // Of the truth, not changed yet. Under `changing`.
  [[nodiscard]] DriveMap successor() const {
    DriveMap next = begin_successor(*truth.map, truth.hash);
    forget_old_forebears(next);
    return next;
  }

  // Under `changing`.
  Status update(const std::function<Status(DriveMap&)>& change) {
    DriveMap next = successor();
    CHECK_OK(change(next));
    next.epoch = last_epoch + 1;
    CHECK_OK(check_change(*truth.map, next));
    CHECK_OK(may_change(*truth.map));
    return make_truth_of(std::move(next));
  }

  // A change that may be made, of the map that is the truth so far. Under `changing`.
  Status make_truth_of(DriveMap next) {
    const auto before = truth.map;
    std::set<DriveId> takers = online_ids();
    std::vector<DriveInfo> fresh;
    for (DriveInfo& drive : next.drives) {
      if (before->find(drive.id) != nullptr) continue;
      drive.was_present = drive.was_mirror = false;
      if (!in_use(drive)) continue;
      fresh.push_back(drive);
      takers.insert(drive.id);
    }
    mark_presence(next, takers);
    Joining joining(*calls);
    CHECK_OK(label_all(next, fresh, joining));
    CHECK_OK(remember_paths_of(*before, next));
    last_epoch = next.epoch;
    Truth made = make_truth(std::move(next), *seal);
    // The joining drives first: one that cannot take the map fails the change while no other has seen it.
    if (const Status joined = write_to_joining(made, joining); !joined) {
      if (!joining.leave()) abandon(made);
      return joined;
    }
    if (!can_go_on(*before, write_to_online(made))) {
      static_cast<void>(joining.leave());
      abandon(made);
      return fail(Errc::kUnavailable, "too few drives took the changed drive map for it to count");
    }
    joining.ended = true;
    counts = true;
    publish(std::move(made), joining.drives);
    return {};
  }

  // After a change that drives may have taken and that does not count: the map before it goes on, as one of its own
  // that names what it abandons, so that no drive can bring that back. Under `changing`.
  void abandon(const Truth& attempt) {
    DriveMap again = begin_successor(*truth.map, truth.hash);
    again.forebears.push_back({attempt.map->epoch, attempt.hash, ForebearKind::kAbandoned});
    again.epoch = ++last_epoch;
    forget_old_forebears(again);
    const Truth gone_on = make_truth(std::move(again), *seal);
    // Whoever does not take it is offline, and is given it on return.
    counts = counts_on(*gone_on.map, write_to_online(gone_on));
    publish(gone_on, {});
  }

  // Under `changing`.
  Status found_cloud(DriveMap first) {
    Joining joining(*calls);
    CHECK_OK(label_all(first, first.drives, joining));
    Truth made = make_truth(std::move(first), *seal);
    CHECK_OK(write_to_joining(made, joining));
    last_epoch = made.map->epoch;
    joining.ended = true;
    counts = true;
    publish(std::move(made), joining.drives);
    return {};
  }

  Status write_to_joining(const Truth& next, const Joining& joining) const {
    for (const auto& [drive, disk] : joining.drives) {
      const Status written = call(drive, [to = disk, file = next.file] { return write_map(*to, *file); });
      if (!written) return fail(written.error().in("drive " + drive.name.value()));
    }
    return {};
  }

  // Answers who took it. Of the others those that have no room for it are lacking, and the rest is offline.
  std::set<DriveId> write_to_online(const Truth& next) { return write_to(next, online()); }

  // Those that had no room for the truth: told again, and heard of.
  void write_to_lacking() {
    const std::lock_guard lock(changing);
    auto drives = online();
    std::erase_if(drives, [&](const auto& drive) { return !lacking.contains(drive.first); });
    if (!drives.empty()) static_cast<void>(write_to(truth, drives));
  }

  std::set<DriveId> write_to(const Truth& next, const std::vector<std::pair<DriveId, SharedDisk>>& drives) {
    std::vector<DriveCalls::Call> writes;
    for (const auto& [id, disk] : drives) {
      const DriveInfo* const drive = next.map->find(id);
      CHECK(drive != nullptr, "drives stay in the map");
      writes.push_back({drive->path, [to = disk, file = next.file] { return write_map(*to, *file); }});
    }
    const auto answers = calls->run(std::move(writes));
    std::set<DriveId> takers;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& [id, disk] = drives[i];
      if (answers[i] && *answers[i]) {
        takers.insert(id);
        lacking.erase(id);
        continue;
      }
      const std::string why = answers[i] ? answers[i]->error().describe() : no_answer(*calls);
      if (!answers[i] || !is_want_of_room(answers[i]->error())) {
        take_offline(id, disk.get(), "writing the drive map: " + why, true);
      } else if (lacking.insert(id).second) {
        log_warning("a drive has no room for the drive map",
                    {{"drive", next.map->find(id)->name.value()}, {"error", why}});
      }
    }
    return takers;
  }

  void publish(Truth next, const std::vector<std::pair<DriveInfo, SharedDisk>>& joined) {
    const auto now = next.map;
    truth = std::move(next);
    {
      const std::lock_guard lock(mutex);
      map = now;
    }
    for (const auto& [drive, disk] : joined) bring_online(drive, disk);
    close_unused(*now);
  }

  Status note_opening(const std::vector<DriveSurvey::Gone>& gone) {
    const std::lock_guard lock(changing);
    const auto here = online_ids();
    const auto now = current();
    for (const DriveSurvey::Gone& one : gone) {
      const std::string why =
          "it is out of use and still at " + one.path + ", with a map too old to be told from another history's";
      log_warning("a drive is kept out", {{"drive", one.drive.name.value()}, {"error", why}});
      note(one.drive, DriveEvent::Kind::kKeptOut, why);
    }
    for (const DriveInfo& drive : now->drives) {
      if (!in_use(drive) || !drive.mirrors_metadata || here.contains(drive.id)) continue;
      note(drive, DriveEvent::Kind::kMirrorAway, "");
    }
    if (decided(*now) && carriers().empty()) {
      return fail(Errc::kUnavailable, "no drive took the map that goes on without the others");
    }
    return {};
  }

  void close_unused(const DriveMap& now) {
    const std::lock_guard lock(mutex);
    for (const DriveInfo& drive : now.drives) {
      if (in_use(drive)) continue;
      offline.erase(drive.id);
      if (disks.erase(drive.id) == 0) continue;
      events.push_back({drive.id, false});
      log_info("drive out of use", {{"drive", drive.name.value()}});
    }
  }
};

Drives::Drives(DriveMap map, SharedSeal seal, OpenDisk open_disk, std::unique_ptr<DriveCalls> calls)
    : impl_(std::make_unique<Impl>(std::move(map), std::move(seal), std::move(open_disk), std::move(calls))) {}

Drives::~Drives() { stop(); }

Result<std::unique_ptr<Drives>> Drives::create(DriveMap map, SharedSeal seal, OpenDisk open_disk,
                                               std::chrono::milliseconds answer_limit) {
  map.epoch = 1;
  CHECK_OK(check_drive_map(map));
  if (map.drives.empty()) return fail(Errc::kInvalidArgument, "a cloud has at least one drive");
  for (const DriveInfo& drive : map.drives) {
    if (!present(drive))
      return fail(Errc::kInvalidArgument, "drive " + drive.name.value() + " of a new cloud is not active");
  }
  DriveMap nothing;
  nothing.cloud = map.cloud;
  std::unique_ptr<Drives> drives(new Drives(std::move(nothing), std::move(seal), std::move(open_disk),
                                            std::make_unique<DriveCalls>(answer_limit)));
  {
    const std::lock_guard lock(drives->impl_->changing);
    CHECK_OK(drives->impl_->found_cloud(std::move(map)));
  }
  drives->impl_->tell();
  return drives;
}

Result<std::unique_ptr<Drives>> Drives::open(DriveSurvey survey) {
  CHECK_OK(survey.refusal());
  const DriveSurvey::Line& truth = survey.truth();
  std::unique_ptr<Drives> drives(new Drives(truth.map, survey.seal_, survey.open_disk_, std::move(survey.calls_)));
  Impl& impl = *drives->impl_;
  impl.counts = counts_on(truth.map, truth.holders);
  for (const DriveSurvey::Line& line : survey.lines_) impl.last_epoch = std::max(impl.last_epoch, line.map.epoch);
  CHECK_OK(impl.open_missing(true));
  CHECK_OK(impl.note_opening(survey.gone()));
  impl.tell();
  return drives;
}

std::shared_ptr<const DriveMap> Drives::map() const { return impl_->current(); }

std::shared_ptr<Disk> Drives::disk(DriveId id) const { return impl_->disk(id); }

Result<Space> Drives::space(DriveId id) { return impl_->space(id); }

std::string Drives::offline_reason(DriveId id) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->offline.find(id);
  return found == impl_->offline.end() ? std::string() : found->second.reason;
}

Status Drives::update(const std::function<Status(DriveMap&)>& change) {
  Status done;
  {
    const std::lock_guard lock(impl_->changing);
    done = impl_->update(change);
  }
  impl_->tell();
  return done;
}

Status Drives::settle() {
  return impl_->presence_differs() ? update([](DriveMap&) -> Status { return {}; }) : Status();
}

bool Drives::presence_recorded() const { return !impl_->presence_differs(); }

void Drives::remember_paths(std::function<Status(const std::set<std::string>&)> remember) {
  const std::lock_guard lock(impl_->changing);
  impl_->remember = std::move(remember);
  impl_->remembered.clear();
  Impl::add_paths_of(*impl_->current(), impl_->remembered);
}

std::vector<DriveEvent> Drives::take_events() {
  const std::lock_guard lock(impl_->mutex);
  std::deque<DriveEvent> taken;
  taken.swap(impl_->findings);
  return {std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end())};
}

void Drives::report_failure(DriveId id, const Disk* disk, const Error& error) {
  impl_->take_offline(id, disk, error.describe(), true);
  impl_->tell();
}

void Drives::report_hang(DriveId id, const Disk* disk, const Error& error, const std::shared_ptr<const void>& call) {
  impl_->take_offline(id, disk, error.describe(), true, call);
  impl_->tell();
}

void Drives::report_failure(DriveId id, const Error& error) { report_failure(id, nullptr, error); }

void Drives::probe_all() { impl_->probe(true); }

void Drives::watch(std::chrono::milliseconds every) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->stopped || impl_->watcher.joinable()) return;
  impl_->watcher = std::thread([impl = impl_.get(), every] { impl->watch_until_stopped(every); });
}

void Drives::stop() {
  std::thread watcher;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopped = true;
    watcher = std::move(impl_->watcher);
  }
  impl_->changed.notify_all();
  if (watcher.joinable()) watcher.join();
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait(lock, [&] { return !impl_->telling; });
}

std::size_t Drives::hanging_calls() { return impl_->calls->hanging(); }

void Drives::unlock() {
  const auto now = impl_->current();
  std::vector<std::pair<std::string, SharedDisk>> asked;
  std::vector<DriveCalls::Call> asking;
  for (const auto& [id, disk] : impl_->online()) {
    const DriveInfo* const drive = now->find(id);
    if (drive == nullptr) continue;
    asked.emplace_back(drive->path, disk);
    asking.push_back({drive->path, [probed = disk] { return probed->probe_writing(); }});
  }
  const auto answers = impl_->calls->run(std::move(asking));
  // All at once: while one that hangs is waited for, nobody else has the others yet. It, where it was not found out
  // before watching ended, keeps its lock with what hangs in it.
  std::vector<DriveCalls::Call> unlocking;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (!answers[i]) continue;
    unlocking.push_back({asked[i].first, [unlocked = asked[i].second]() -> Status {
                           unlocked->unlock();
                           return {};
                         }});
  }
  static_cast<void>(impl_->calls->run(std::move(unlocking)));
}

void Drives::subscribe(std::function<void(DriveId, bool online)> listener) {
  const std::lock_guard lock(impl_->mutex);
  impl_->listeners.push_back(std::move(listener));
}

}  // namespace andromede::io
