#include "io/drives.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>

#include "base/check.h"
#include "base/log.h"
#include "io/drive_calls.h"
#include "io/drive_label.h"

namespace andromede::io {
namespace {

constexpr std::chrono::seconds kProbeEvery{1};
constexpr std::chrono::seconds kFirstQuarantine{2};
constexpr std::chrono::seconds kLongestQuarantine{300};
constexpr std::chrono::minutes kForgiveAfter{10};
// What a file system puts into its root by itself.
constexpr std::string_view kLostAndFound = "lost+found";

const std::string kLabelPath(kLabelFile);
const std::string kMapPath(kMapFile);

using SharedDisk = std::shared_ptr<Disk>;

Result<SharedDisk> open_shared(const Drives::OpenDisk& open_disk, const DriveInfo& drive) {
  TRY(std::unique_ptr<Disk> disk, open_disk(drive));
  return SharedDisk(std::move(disk));
}

Result<DriveLabel> read_label(Disk& disk) {
  TRY(const Bytes bytes, disk.read_all(kLabelPath, kMaxLabelBytes));
  return decode_drive_label(bytes);
}

Result<DriveMap> read_map(Disk& disk) {
  TRY(const Bytes bytes, disk.read_all(kMapPath, kMaxMapBytes));
  return decode_drive_map(bytes);
}

// An error unless the disk is there and is `drive` of `cloud`.
Status check_identity(Disk& disk, CloudId cloud, const DriveInfo& drive) {
  CHECK_OK(disk.probe());
  const auto label = read_label(disk);
  if (!label && label.error() == Errc::kNotFound) {
    return fail(Errc::kNotFound, "no label at " + drive.path + ": an empty folder, or an unmounted drive");
  }
  if (!label) return fail(label.error().in(drive.path));
  if (label->cloud != cloud) {
    return fail(Errc::kCorrupt, drive.path + " is a drive of another cloud, " + label->cloud.to_string());
  }
  if (label->drive != drive.id) {
    return fail(Errc::kCorrupt, drive.path + " is another drive of this cloud, " + label->drive.to_string());
  }
  return {};
}

// Whether a drive may be labelled here: an empty folder, or one where an earlier joining was cut off before the map
// knew of it (docs/formats/drive-label.md, "Which map is true").
Status check_joinable(Disk& disk, const DriveMap& map, const std::string& path) {
  CHECK_OK(disk.probe());
  TRY(const std::vector<std::string> names, disk.list(""));
  bool labelled = false;
  bool mapped = false;
  for (const std::string& name : names) {
    if (name == kLabelPath) {
      labelled = true;
    } else if (name == kMapPath) {
      mapped = true;
    } else if (name != kLostAndFound) {
      return fail(Errc::kAlreadyExists, path + " is not empty (it holds \"" + name + "\"): give an empty folder");
    }
  }
  if (!mapped) return {};
  const auto label = read_label(disk);
  const bool unknown = label && label->cloud == map.cloud && map.find(label->drive) == nullptr;
  if (map.epoch > 0 && labelled && unknown) return {};
  return fail(Errc::kAlreadyExists, path + " is a drive of a cloud already: give an empty folder");
}

void unlabel(Disk& disk) {
  // The map first: a label without a map is a drive that never joined.
  static_cast<void>(disk.remove(kMapPath));
  static_cast<void>(disk.remove(kLabelPath));
  static_cast<void>(disk.sync_folder(""));
}

Status write_label(Disk& disk, CloudId cloud, DriveId drive) {
  return disk.replace(kLabelPath, encode(DriveLabel{cloud, drive}));
}

// What a path led to. The disk stays open, and other processes off it, until all drives are opened: two processes that
// start together must not each get some of them.
struct Found {
  std::string path;
  SharedDisk disk;
  DriveLabel label;
  std::optional<DriveMap> map;
};

// Reads label and map at `path`. Nothing when the path does not lead to a labelled drive; the reason is logged. An
// error when another process has the drive: going on with the others would be two servers of one cloud.
Result<std::optional<Found>> look_at(const std::string& path, const Drives::OpenDisk& open_disk) {
  DriveInfo where;
  where.path = path;
  const auto disk = open_shared(open_disk, where);
  if (!disk && disk.error() == Errc::kConflict) return fail(disk.error());
  if (!disk) {
    log_warning("drive not found", {{"path", path}, {"error", disk.error().describe()}});
    return std::nullopt;
  }
  const auto label = read_label(**disk);
  if (!label) {
    log_warning("drive has no readable label", {{"path", path}, {"error", label.error().describe()}});
    return std::nullopt;
  }
  Found found{path, *disk, *label, std::nullopt};
  auto map = read_map(**disk);
  if (map && map->cloud == label->cloud) {
    found.map = std::move(*map);
  } else {
    const std::string why = map ? "it is of another cloud than the label" : map.error().describe();
    log_warning("drive has no readable map", {{"path", path}, {"error", why}});
  }
  return found;
}

std::string no_answer(const DriveCalls& calls) {
  const auto limit = std::chrono::duration_cast<std::chrono::seconds>(calls.limit());
  return "it does not answer within " + std::to_string(limit.count()) + " s, and does not fail either";
}

// Looks at the seeds, then at every path that a map found so far names.
Result<std::vector<Found>> discover(const std::vector<std::string>& seeds, const Drives::OpenDisk& open_disk,
                                    DriveCalls& calls) {
  std::vector<Found> all;
  std::set<std::string> seen;
  std::vector<std::string> next = seeds;
  while (!next.empty()) {
    std::vector<std::shared_ptr<std::optional<Found>>> looks;
    std::vector<DriveCalls::Call> round;
    for (const std::string& path : std::exchange(next, {})) {
      if (!seen.insert(path).second) continue;
      const auto into = looks.emplace_back(std::make_shared<std::optional<Found>>());
      round.push_back({path, [path, open_disk, into]() -> Status {
                         TRY(*into, look_at(path, open_disk));
                         return {};
                       }});
    }
    std::vector<std::string> paths;
    for (const DriveCalls::Call& call : round) paths.push_back(call.path);
    const auto answers = calls.run(std::move(round));
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (!answers[i]) {
        log_warning("drive not found", {{"path", paths[i]}, {"error", no_answer(calls)}});
        continue;
      }
      CHECK_OK(*answers[i]);
      if (!*looks[i]) continue;
      Found& found = **looks[i];
      if (found.map) {
        for (const DriveInfo& drive : found.map->drives) {
          if (in_use(drive)) next.push_back(drive.path);
        }
      }
      all.push_back(std::move(found));
    }
  }
  return all;
}

Result<CloudId> cloud_of_most(const std::vector<Found>& all) {
  std::map<CloudId, std::set<DriveId>> votes;
  std::set<DriveId> voters;
  for (const Found& found : all) {
    votes[found.label.cloud].insert(found.label.drive);
    voters.insert(found.label.drive);
  }
  for (const auto& [cloud, drives] : votes) {
    if (drives.size() * 2 > voters.size()) return cloud;
  }
  if (votes.empty()) return fail(Errc::kUnavailable, "none of the paths leads to a drive of a cloud");
  std::string places;
  for (const Found& found : all)
    places += (places.empty() ? "" : ", ") + found.path + " of " + found.label.cloud.to_string();
  return fail(Errc::kCorrupt, "the paths lead to drives of several clouds: " + places);
}

Result<DriveMap> newest_map(const std::vector<Found>& all, CloudId cloud) {
  const Found* newest = nullptr;
  const auto counts = [&](const Found& found) { return found.label.cloud == cloud && found.map.has_value(); };
  for (const Found& found : all) {
    if (counts(found) && (newest == nullptr || found.map->epoch > newest->map->epoch)) newest = &found;
  }
  if (newest == nullptr) return fail(Errc::kUnavailable, "none of the drives carries a readable map");
  for (const Found& found : all) {
    if (!counts(found) || found.map->epoch != newest->map->epoch || *found.map == *newest->map) continue;
    return fail(Errc::kCorrupt, "the drives at " + newest->path + " and " + found.path +
                                    " carry different maps of epoch " + std::to_string(newest->map->epoch) +
                                    ": each went on without the other; open with one of them detached");
  }
  return *newest->map;
}

}  // namespace

struct Drives::Impl {
  Impl(DriveMap first, OpenDisk opener, std::unique_ptr<DriveCalls> drive_calls)
      : open_disk(std::move(opener)),
        calls(std::move(drive_calls)),
        last_epoch(first.epoch),
        map(std::make_shared<const DriveMap>(std::move(first))) {}

  struct Offline {
    std::string reason;
    unsigned failures = 0;  // reported in a row
    SteadyTime failed{};
    SteadyTime not_before{};  // watch() does not try it sooner
  };

  struct Event {
    DriveId drive;
    bool online;
  };

  const OpenDisk open_disk;
  const std::unique_ptr<DriveCalls> calls;  // which own all that they use: nothing of this

  // Held while drives are written to or brought back, so that what they get is the current map. Taken before `mutex`.
  std::mutex changing;
  std::uint64_t last_epoch;                                      // used up, even if the change failed; under `changing`
  std::function<Status(const std::set<std::string>&)> remember;  // under `changing`
  std::set<std::string> remembered;                              // under `changing`

  mutable std::mutex mutex;  // never held during I/O
  std::shared_ptr<const DriveMap> map;
  std::map<DriveId, SharedDisk> disks;  // the online ones
  std::map<DriveId, Offline> offline;   // those that should be online, or failed before
  std::deque<Event> events;             // not told yet
  std::vector<std::function<void(DriveId, bool)>> listeners;
  bool telling = false;
  bool stopped = false;
  std::condition_variable changed;  // of telling and stopped
  std::thread watcher;

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

  void bring_online(const DriveInfo& drive, SharedDisk disk) {
    const std::lock_guard lock(mutex);
    disks[drive.id] = std::move(disk);
    offline[drive.id].reason.clear();
    events.push_back({drive.id, true});
    log_info("drive online", {{"drive", drive.name.value()}, {"path", drive.path}});
  }

  // Only if `disk` is still the one that is online: a failure of an earlier opening says nothing about this one. Null:
  // whichever it is.
  void take_offline(DriveId id, const Disk* disk, const std::string& reason, bool reported) {
    const std::lock_guard lock(mutex);
    const auto found = disks.find(id);
    if (found == disks.end() || (disk != nullptr && found->second.get() != disk)) return;
    disks.erase(found);
    Offline& state = offline[id];
    state.reason = reason;
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

  // Opens the drive, checks who it is and gives it the map.
  static Result<SharedDisk> try_open(const OpenDisk& open_disk, const DriveInfo& drive, const DriveMap& now,
                                     std::uint64_t last_epoch) {
    TRY(SharedDisk disk, open_shared(open_disk, drive));
    CHECK_OK(check_identity(*disk, now.cloud, drive));
    CHECK_OK(check_history(*disk, now, last_epoch));
    CHECK_OK(disk->replace(kMapPath, encode(now)));
    return disk;
  }

  // An error when the drive took part in a history of the cloud that is not this one: overwriting its map would hide
  // that. An older map, a damaged one and one of a change of ours that failed may be overwritten.
  static Status check_history(Disk& disk, const DriveMap& now, std::uint64_t last_epoch) {
    const auto carried = read_map(disk);
    if (!carried) return {};
    const bool other = carried->epoch == now.epoch && *carried != now;
    if (carried->epoch <= last_epoch && !other) return {};
    return fail(Errc::kConflict, "it carries another map of epoch " + std::to_string(carried->epoch) +
                                     ": the cloud went on without it, or it without the cloud");
  }

  // The first error of a drive that another process, or another history of the cloud, has; such drives stay offline.
  Status open_missing(bool also_quarantined) {
    const std::lock_guard lock(changing);
    const auto now = current();
    std::vector<std::pair<DriveInfo, std::shared_ptr<SharedDisk>>> missing;
    std::vector<DriveCalls::Call> opening;
    for (const DriveInfo& drive : now->drives) {
      if (!in_use(drive) || disk(drive.id) != nullptr) continue;
      if (!also_quarantined && quarantined(drive.id)) continue;
      const auto into = std::make_shared<SharedDisk>();
      missing.emplace_back(drive, into);
      opening.push_back({drive.path, [open = open_disk, drive, now, last = last_epoch, into]() -> Status {
                           TRY(*into, try_open(open, drive, *now, last));
                           return {};
                         }});
    }
    const auto answers = calls->run(std::move(opening));
    Status conflict;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& [drive, opened] = missing[i];
      if (answers[i] && *answers[i]) {
        bring_online(drive, *opened);
        continue;
      }
      explain(drive, answers[i] ? answers[i]->error().describe() : no_answer(*calls));
      if (conflict && answers[i] && answers[i]->error() == Errc::kConflict) conflict = *answers[i];
    }
    return conflict;
  }

  [[nodiscard]] bool quarantined(DriveId id) const {
    const std::lock_guard lock(mutex);
    const auto found = offline.find(id);
    return found != offline.end() && std::chrono::steady_clock::now() < found->second.not_before;
  }

  void check_online() {
    const auto now = current();
    std::vector<std::pair<DriveId, SharedDisk>> asked;
    std::vector<DriveCalls::Call> checks;
    for (const auto& [id, disk] : online()) {
      const DriveInfo* const drive = now->find(id);
      if (drive == nullptr) continue;
      asked.emplace_back(id, disk);
      checks.push_back({drive->path, [checked = disk, cloud = now->cloud, who = *drive] {
                          return check_identity(*checked, cloud, who);
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
    static_cast<void>(open_missing(also_quarantined));
    tell();
  }

  void watch_until_stopped() {
    std::unique_lock lock(mutex);
    while (!stopped) {
      lock.unlock();
      probe(false);
      lock.lock();
      changed.wait_for(lock, kProbeEvery, [&] { return stopped; });
    }
  }

  // New drives of a change, opened and labelled; they lose their label again unless the change succeeds.
  struct Joining {
    DriveCalls& calls;
    std::vector<std::pair<DriveInfo, SharedDisk>> drives;
    bool joined = false;
    explicit Joining(DriveCalls& drive_calls) : calls(drive_calls) {}
    Joining(const Joining&) = delete;
    Joining& operator=(const Joining&) = delete;
    ~Joining() {
      if (joined) return;
      std::vector<DriveCalls::Call> leaving;
      for (const auto& [drive, disk] : drives) {
        leaving.push_back({drive.path, [from = disk]() -> Status {
                             unlabel(*from);
                             return {};
                           }});
      }
      calls.run(std::move(leaving));
    }
  };

  // Calls one drive that is to join.
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
      CHECK_OK(call(drive, [open = open_disk, drive, now = current(), into]() -> Status {
        auto disk = open_shared(open, drive);
        if (!disk) return fail(disk.error().in("drive " + drive.name.value()));
        CHECK_OK(check_joinable(**disk, *now, drive.path));
        *into = std::move(*disk);
        return {};
      }));
      checked.emplace_back(drive, *into);
    }
    for (const auto& [drive, disk] : checked) {
      joining.drives.emplace_back(drive, disk);
      CHECK_OK(call(drive, [to = disk, cloud = next.cloud, id = drive.id] { return write_label(*to, cloud, id); }));
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

  // Under `changing`.
  Status update(const std::function<Status(DriveMap&)>& change) {
    const auto before = current();
    DriveMap next = *before;
    CHECK_OK(change(next));
    next.epoch = last_epoch + 1;
    CHECK_OK(check_change(*before, next));
    std::vector<DriveInfo> fresh;
    for (const DriveInfo& drive : next.drives) {
      if (in_use(drive) && before->find(drive.id) == nullptr) fresh.push_back(drive);
    }
    Joining joining(*calls);
    CHECK_OK(label_all(next, fresh, joining));
    CHECK_OK(remember_paths_of(*before, next));
    last_epoch = next.epoch;
    // The joining drives first: one that cannot take the map fails the change while no other has seen it.
    CHECK_OK(write_to_joining(next, joining));
    CHECK_OK(write_to_online(next));
    joining.joined = true;
    publish(std::move(next), joining);
    return {};
  }

  // Under `changing`.
  Status found(DriveMap first) {
    Joining joining(*calls);
    CHECK_OK(label_all(first, first.drives, joining));
    CHECK_OK(write_to_joining(first, joining));
    last_epoch = first.epoch;
    joining.joined = true;
    publish(std::move(first), joining);
    return {};
  }

  Status write_to_joining(const DriveMap& next, const Joining& joining) const {
    const auto bytes = std::make_shared<const Bytes>(encode(next));
    for (const auto& [drive, disk] : joining.drives) {
      const Status written = call(drive, [to = disk, bytes] { return to->replace(kMapPath, *bytes); });
      if (!written) {
        return fail(written.error().in("drive " + drive.name.value()));
      }
    }
    return {};
  }

  Status write_to_online(const DriveMap& next) {
    const auto bytes = std::make_shared<const Bytes>(encode(next));
    const auto drives = online();
    std::vector<DriveCalls::Call> writes;
    for (const auto& [id, disk] : drives) {
      const DriveInfo* const drive = next.find(id);
      CHECK(drive != nullptr, "drives stay in the map");
      writes.push_back({drive->path, [to = disk, bytes] { return to->replace(kMapPath, *bytes); }});
    }
    const auto answers = calls->run(std::move(writes));
    std::size_t written = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& [id, disk] = drives[i];
      if (answers[i] && *answers[i]) {
        ++written;
      } else {
        const std::string why = answers[i] ? answers[i]->error().describe() : no_answer(*calls);
        take_offline(id, disk.get(), "writing the drive map: " + why, true);
      }
    }
    if (written > 0) return {};
    return fail(Errc::kUnavailable, "no drive took the changed drive map");
  }

  void publish(DriveMap next, const Joining& joining) {
    const auto now = std::make_shared<const DriveMap>(std::move(next));
    {
      const std::lock_guard lock(mutex);
      map = now;
    }
    for (const auto& [drive, disk] : joining.drives) bring_online(drive, disk);
    close_unused(*now);
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

Drives::Drives(DriveMap map, OpenDisk open_disk, std::unique_ptr<DriveCalls> calls)
    : impl_(std::make_unique<Impl>(std::move(map), std::move(open_disk), std::move(calls))) {}

Drives::~Drives() { stop(); }

Result<std::unique_ptr<Drives>> Drives::create(DriveMap map, OpenDisk open_disk,
                                               std::chrono::milliseconds answer_limit) {
  map.epoch = 1;
  CHECK_OK(check_drive_map(map));
  if (map.drives.empty()) return fail(Errc::kInvalidArgument, "a cloud has at least one drive");
  for (const DriveInfo& drive : map.drives) {
    if (!in_use(drive))
      return fail(Errc::kInvalidArgument, "drive " + drive.name.value() + " of a new cloud is not active");
  }
  DriveMap nothing;
  nothing.cloud = map.cloud;
  std::unique_ptr<Drives> drives(
      new Drives(std::move(nothing), std::move(open_disk), std::make_unique<DriveCalls>(answer_limit)));
  {
    const std::lock_guard lock(drives->impl_->changing);
    CHECK_OK(drives->impl_->found(std::move(map)));
  }
  drives->impl_->tell();
  return drives;
}

Result<std::unique_ptr<Drives>> Drives::open(const std::vector<std::string>& paths, OpenDisk open_disk,
                                             std::chrono::milliseconds answer_limit) {
  auto calls = std::make_unique<DriveCalls>(answer_limit);
  TRY(const std::vector<Found> all, discover(paths, open_disk, *calls));
  TRY(const CloudId cloud, cloud_of_most(all));
  for (const Found& found : all) {
    if (found.label.cloud == cloud) continue;
    log_error("drive of another cloud refused", {{"path", found.path}, {"cloud", found.label.cloud.to_string()}});
  }
  TRY(DriveMap map, newest_map(all, cloud));
  std::unique_ptr<Drives> drives(new Drives(std::move(map), std::move(open_disk), std::move(calls)));
  CHECK_OK(drives->impl_->open_missing(true));
  drives->impl_->tell();
  return drives;
}

std::shared_ptr<const DriveMap> Drives::map() const { return impl_->current(); }

std::shared_ptr<Disk> Drives::disk(DriveId id) const { return impl_->disk(id); }

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

void Drives::remember_paths(std::function<Status(const std::set<std::string>&)> remember) {
  const std::lock_guard lock(impl_->changing);
  impl_->remember = std::move(remember);
  impl_->remembered.clear();
  Impl::add_paths_of(*impl_->current(), impl_->remembered);
}

void Drives::report_failure(DriveId id, const Disk* disk, const Error& error) {
  impl_->take_offline(id, disk, error.describe(), true);
  impl_->tell();
}

void Drives::report_failure(DriveId id, const Error& error) { report_failure(id, nullptr, error); }

void Drives::probe_all() { impl_->probe(true); }

void Drives::watch() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->stopped || impl_->watcher.joinable()) return;
  impl_->watcher = std::thread([impl = impl_.get()] { impl->watch_until_stopped(); });
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

void Drives::subscribe(std::function<void(DriveId, bool online)> listener) {
  const std::lock_guard lock(impl_->mutex);
  impl_->listeners.push_back(std::move(listener));
}

}  // namespace andromede::io
