#include "io/drive_survey.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "io/drive_calls.h"
#include "io/drive_files.h"
#include "io/drive_label.h"
#include "io/drive_lineage.h"

namespace andromede::io {
namespace {

// What an operator's decisions made of a line: the maps that are one, by hash.
std::set<MapHash> decisions_of(const DriveSurvey::Line& line) {
  std::set<MapHash> made;
  for (const Forebear& forebear : line.map.forebears) {
    if (forebear.kind == ForebearKind::kDecided) made.insert(forebear.hash);
  }
  if (decided(line.map)) made.insert(line.hash);
  return made;
}

// An operator chose `line`, or what became of it, and saw what became of `other`.
bool overrules(const DriveSurvey::Line& line, const DriveSurvey::Line& other) {
  return std::any_of(line.map.overruled.begin(), line.map.overruled.end(), [&](const MapHash& hash) {
    return hash == other.hash || std::any_of(other.map.forebears.begin(), other.map.forebears.end(),
                                             [&](const Forebear& forebear) { return forebear.hash == hash; });
  });
}

// By an operator's word, and none was given for `other` that `line` does not know of.
bool chosen_over(const DriveSurvey::Line& line, const DriveSurvey::Line& other) {
  if (overrules(line, other) || overrules(other, line)) return !overrules(other, line);
  const auto ours = decisions_of(line);
  const auto theirs = decisions_of(other);
  return ours.size() > theirs.size() && std::includes(ours.begin(), ours.end(), theirs.begin(), theirs.end());
}

std::string name_of(const DriveMap& map, DriveId id) {
  const DriveInfo* const drive = map.find(id);
  return drive == nullptr ? id.to_string() : drive->name.value();
}

std::string holders_of(const DriveSurvey::Line& line) {
  std::string names;
  for (const DriveId id : line.holders) names += (names.empty() ? "" : ", ") + name_of(line.map, id);
  return names;
}

}  // namespace

// What a path led to: a drive of this cloud. The disk stays open, and other processes off it, until all drives are
// opened: two processes that start together must not each get some of them.
struct DriveSurvey::Sighting {
  std::string path;
  std::shared_ptr<Disk> disk;
  DriveLabel label;
  std::optional<DriveMap> map;
  MapHash hash{};
};

// What a look needs, owned by its thread.
struct DriveSurvey::Look {
  std::shared_ptr<const DriveSeal> seal;
  OpenDisk open_disk;
  std::shared_ptr<Misses> misses;
};

// Paths that led to no drive of this cloud. What each is worth telling is known once the maps are.
class DriveSurvey::Misses {
 public:
  void no_drive(const std::string& path, std::string why) {
    const std::lock_guard lock(mutex_);
    unfound_.emplace(path, std::move(why));
  }
  // It has a label, which the cloud's key did not write.
  void foreign() {
    const std::lock_guard lock(mutex_);
    foreign_ = true;
  }
  // A process that has ended still has the drive.
  void kept(const std::string& path, const std::string& why) {
    no_drive(path, why);
    const std::lock_guard lock(mutex_);
    if (kept_.empty()) kept_ = why;
  }
  [[nodiscard]] std::string any_kept() {
    const std::lock_guard lock(mutex_);
    return kept_;
  }
  // A path that no map has a drive at any more is an old one of the consortium's file: nobody misses a drive there.
  void tell(const std::set<std::string>& used) {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, why] : unfound_) {
      const bool missed = used.empty() || used.contains(path);
      log(missed ? LogLevel::kWarning : LogLevel::kDebug, "drive not found", {{"path", path}, {"error", why}});
    }
  }
  [[nodiscard]] bool any_foreign() {
    const std::lock_guard lock(mutex_);
    return foreign_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> unfound_;
  std::string kept_;
  bool foreign_ = false;
};

DriveSurvey::DriveSurvey() = default;
DriveSurvey::DriveSurvey(DriveSurvey&&) noexcept = default;
DriveSurvey& DriveSurvey::operator=(DriveSurvey&&) noexcept = default;
DriveSurvey::~DriveSurvey() = default;

Result<DriveSurvey> DriveSurvey::make(const std::vector<std::string>& paths, std::shared_ptr<const DriveSeal> seal,
                                      OpenDisk open_disk, std::chrono::milliseconds answer_limit) {
  DriveSurvey survey;
  survey.seal_ = std::move(seal);
  survey.open_disk_ = std::move(open_disk);
  survey.calls_ = std::make_unique<DriveCalls>(answer_limit);
  CHECK_OK(survey.discover(paths));
  survey.group();
  survey.leave_out_ancient();
  if (survey.lines_.empty()) return fail(Errc::kUnavailable, "none of the drives carries a map of this cloud");
  survey.conclude();
  return survey;
}

// Nothing when the path does not lead to a drive of this cloud; the reason is logged. An error when another process has
// the drive, where going on with the others would be two servers of one cloud, or this one has too little left to look.
Result<std::optional<DriveSurvey::Sighting>> DriveSurvey::look_at(const std::string& path, const Look& look) {
  DriveInfo where;
  where.path = path;
  auto opened = look.open_disk(where);
  const bool ours = !opened && (opened.error() == Errc::kConflict || opened.error() == Errc::kOverloaded);
  if (ours) return fail(opened.error());
  if (!opened && opened.error() == Errc::kTimeout) {
    look.misses->kept(path, opened.error().message());
    return std::nullopt;
  }
  if (!opened) {
    look.misses->no_drive(path, opened.error().describe());
    return std::nullopt;
  }
  const std::shared_ptr<Disk> disk = std::move(*opened);
  const auto label = read_label(*disk, *look.seal);
  if (!label && label.error() == Errc::kNotFound) {
    look.misses->no_drive(path, "no label: an empty folder, or an unmounted drive");
    return std::nullopt;
  }
  if (!label) {
    if (label.error() == Errc::kRefused) look.misses->foreign();
    log_warning("no drive of this cloud", {{"path", path}, {"error", label.error().describe()}});
    return std::nullopt;
  }
  Sighting sighting{path, disk, *label, std::nullopt, {}};
  auto carried = read_map(*disk, *look.seal);
  if (carried && carried->map.cloud == label->cloud) {
    sighting.map = std::move(carried->map);
    sighting.hash = carried->hash;
  } else {
    const std::string why = carried ? "it is of another cloud than the label" : carried.error().describe();
    log_warning("drive has no map to be believed", {{"path", path}, {"error", why}});
  }
  return sighting;
}

Status DriveSurvey::discover(const std::vector<std::string>& seeds) {
  const auto misses = std::make_shared<Misses>();
  std::set<std::string> asked;
  std::set<std::string> used;
  std::vector<std::string> next = seeds;
  while (!next.empty()) {
    std::vector<std::shared_ptr<std::optional<Sighting>>> looks;
    std::vector<DriveCalls::Call> round;
    std::vector<std::string> paths;
    for (const std::string& path : std::exchange(next, {})) {
      if (!asked.insert(path).second) continue;
      const auto into = looks.emplace_back(std::make_shared<std::optional<Sighting>>());
      round.push_back({path, [path, look = Look{seal_, open_disk_, misses}, into]() -> Status {
                         TRY(*into, look_at(path, look));
                         return {};
                       }});
      paths.push_back(path);
    }
    const auto answers = calls_->run(std::move(round));
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (!answers[i]) {
        log_warning("drive not found", {{"path", paths[i]}, {"error", no_answer(*calls_)}});
        continue;
      }
      CHECK_OK(*answers[i]);
      if (!*looks[i]) continue;
      if (const auto& map = (*looks[i])->map) {
        for (const DriveInfo& drive : map->drives) {
          if (!in_use(drive)) continue;
          used.insert(drive.path);
          next.push_back(drive.path);
        }
      }
      sightings_.push_back(std::move(**looks[i]));
    }
  }
  misses->tell(used);
  kept_ = misses->any_kept();
  if (!sightings_.empty()) return {};
  if (!kept_.empty()) return fail(Errc::kTimeout, kept_);
  if (misses->any_foreign()) {
    return fail(Errc::kRefused, "the drives that are there were not written with the keys of this cloud");
  }
  return fail(Errc::kNotFound, "none of the paths leads to a drive of this cloud");
}

void DriveSurvey::group() {
  for (const Sighting& sighting : sightings_) {
    if (!sighting.map) continue;
    auto line =
        std::find_if(lines_.begin(), lines_.end(), [&](const Line& known) { return known.hash == sighting.hash; });
    if (line == lines_.end()) line = lines_.insert(lines_.end(), {*sighting.map, sighting.hash, {}});
    line->holders.insert(sighting.label.drive);
  }
  std::sort(lines_.begin(), lines_.end(),
            [](const Line& a, const Line& b) { return std::tie(a.map.epoch, a.hash) > std::tie(b.map.epoch, b.hash); });
}

bool DriveSurvey::is_ancient(const Line& line, const Line& other) const {
  if (!is_beyond_memory(line.map, other.map.epoch)) return false;
  if (kinship(line.map, line.hash, other.map, other.hash) != Kinship::kApart || chosen_over(other, line)) return false;
  const bool out_of_use = std::all_of(other.holders.begin(), other.holders.end(), [&](DriveId id) {
    const DriveInfo* const drive = line.map.find(id);
    return drive != nullptr && !in_use(*drive);
  });
  if (out_of_use) return true;
  // A first map always counts: what can be made of it is the question there.
  return !(other.map.forebears.empty() ? can_go_on(other.map, may_have_taken(other)) : may_count(other));
}

void DriveSurvey::leave_out_ancient() {
  std::vector<Line> told;
  for (const Line& line : lines_) {
    const auto by =
        std::find_if(lines_.begin(), lines_.end(), [&](const Line& other) { return is_ancient(other, line); });
    (by == lines_.end() ? told : ancient_).push_back(line);
  }
  lines_ = std::move(told);
}

void DriveSurvey::find_gone() {
  gone_.clear();
  for (const Sighting& sighting : sightings_) {
    const DriveInfo* const drive = truth().map.find(sighting.label.drive);
    const bool ancient = std::any_of(ancient_.begin(), ancient_.end(),
                                     [&](const Line& line) { return line.holders.contains(sighting.label.drive); });
    if (ancient && drive != nullptr && !in_use(*drive)) gone_.push_back({*drive, sighting.path});
  }
}

std::set<DriveId> DriveSurvey::may_have_taken(const Line& line) const {
  std::set<DriveId> takers = line.holders;
  for (const DriveInfo& drive : line.map.drives) {
    if (!seen(drive.id)) takers.insert(drive.id);
  }
  return takers;
}

bool DriveSurvey::may_count(const Line& line) const { return counts_on(line.map, may_have_taken(line)); }

bool DriveSurvey::seen(DriveId drive) const {
  return std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) { return line.holders.contains(drive); });
}

bool DriveSurvey::follows(DriveId drive) const {
  return std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
    return line.holders.contains(drive) && kinship(truth().map, truth().hash, line.map, line.hash) != Kinship::kApart;
  });
}

bool DriveSurvey::outdoes(const Line& line, const Line& other) const {
  switch (kinship(line.map, line.hash, other.map, other.hash)) {
    case Kinship::kSame:
    case Kinship::kBehind:
      return true;
    case Kinship::kAhead:
      return false;
    case Kinship::kApart:
      return chosen_over(line, other);
    case Kinship::kAttempt:
      break;
  }
  if (parent_of(line.map)->hash != parent_of(other.map)->hash) return true;
  // Two changes of one map: what ours made of it need not have counted either. The other one did not if it cannot have
  // been taken by enough drives.
  return !may_count(other);
}

void DriveSurvey::conclude() {
  finding_ = Finding::kClear;
  missing_.clear();
  const auto is_true = [&](const Line& line) {
    return std::all_of(lines_.begin(), lines_.end(),
                       [&](const Line& other) { return other.hash == line.hash || outdoes(line, other); });
  };
  const auto found = std::find_if(lines_.begin(), lines_.end(), is_true);
  truth_ = found == lines_.end() ? 0 : static_cast<std::size_t>(found - lines_.begin());
  if (found == lines_.end()) {
    finding_ = Finding::kTwoHistories;
  } else {
    find_doubt();
  }
  find_gone();
}

void DriveSurvey::find_doubt() {
  const DriveMap& map = truth().map;
  std::set<DriveId> away;
  std::set<DriveId> away_before;
  bool mirror_away = false;
  bool mirror_away_before = false;
  bool mirror_here = false;
  for (const DriveInfo& drive : map.drives) {
    const bool mirror = in_use(drive) && drive.mirrors_metadata;
    if (follows(drive.id)) {
      mirror_here = mirror_here || mirror;
      continue;
    }
    if (mirror) missing_.push_back(drive);
    if (present(drive)) away.insert(drive.id);
    if (present(drive)) mirror_away = mirror_away || mirror;
    if (drive.was_present) away_before.insert(drive.id);
    if (drive.was_present) mirror_away_before = mirror_away_before || drive.was_mirror;
  }
  if (!mirror_here && !missing_.empty()) {
    finding_ = Finding::kNoMirror;
    return;
  }
  missing_.clear();
  const bool now = mirror_away && can_go_on(map, away);
  // What may have been made instead of a map that need not have counted is theirs too.
  const bool before = !counts_on(map, truth().holders) && mirror_away_before && counts_on(map, away_before);
  if (!now && !before) return;
  finding_ = Finding::kInDoubt;
  for (const DriveInfo& drive : map.drives) {
    if ((now && away.contains(drive.id)) || (before && away_before.contains(drive.id))) missing_.push_back(drive);
  }
}

std::vector<const DriveSurvey::Line*> DriveSurvey::histories() const {
  std::vector<const Line*> tips;
  for (const Line& line : lines_) {
    const bool past = std::any_of(lines_.begin(), lines_.end(), [&](const Line& other) {
      return other.hash != line.hash && kinship(other.map, other.hash, line.map, line.hash) == Kinship::kBehind;
    });
    if (!past) tips.push_back(&line);
  }
  return tips;
}

std::string DriveSurvey::describe_histories() const {
  std::string lines;
  for (const Line* line : histories()) {
    lines += (lines.empty() ? "" : "; ") + holders_of(*line) + " (map " + std::to_string(line->map.epoch) + ")";
  }
  return lines;
}

std::vector<DriveInfo> DriveSurvey::to_leave_for(const Line& kept) {
  const std::vector<Line> all = lines_;
  std::vector<DriveInfo> leave;
  std::set<DriveId> left;
  for (const Line& line : all) {
    if (kinship(kept.map, kept.hash, line.map, line.hash) != Kinship::kApart) continue;
    for (const DriveId id : line.holders) {
      if (!left.insert(id).second) continue;
      if (const DriveInfo* const drive = line.map.find(id)) leave.push_back(*drive);
    }
  }
  std::erase_if(lines_, [&](const Line& line) {
    return std::all_of(line.holders.begin(), line.holders.end(), [&](DriveId id) { return left.contains(id); });
  });
  for (Line& line : lines_) std::erase_if(line.holders, [&](DriveId id) { return left.contains(id); });
  conclude();
  const bool alone = finding_ == Finding::kClear || finding_ == Finding::kInDoubt;
  for (const DriveInfo& drive : missing_) {
    if (left.insert(drive.id).second) leave.push_back(drive);
  }
  lines_ = all;
  conclude();
  if (!alone) return {};
  std::sort(leave.begin(), leave.end(), [](const DriveInfo& a, const DriveInfo& b) { return a.name < b.name; });
  return leave;
}

std::vector<DriveSurvey::Elsewhere> DriveSurvey::elsewhere() const {
  std::vector<Elsewhere> found;
  for (const DriveInfo& drive : truth().map.drives) {
    if (!in_use(drive)) continue;
    const Sighting* lies = nullptr;
    bool in_place = false;
    for (const Sighting& sighting : sightings_) {
      if (sighting.label.cloud != truth().map.cloud || sighting.label.drive != drive.id) continue;
      lies = &sighting;
      in_place = in_place || sighting.path == drive.path;
    }
    if (lies != nullptr && !in_place) found.push_back({drive, lies->path});
  }
  return found;
}

Status DriveSurvey::refusal() const {
  switch (finding_) {
    case Finding::kClear:
      return {};
    case Finding::kNoMirror:
      return fail(Errc::kUnavailable,
                  "no drive with a current copy of the metadata is there; bring one of these back: " +
                      names_and_sites(missing_));
    case Finding::kInDoubt:
      return fail(Errc::kRefused,
                  "these drives are missing, and may have gone on without the others: " + names_and_sites(missing_) +
                      "; bring them back, or decide to go on without what they may hold, with all of them named: "
                      "andromede drive proceed --without NAME,NAME");
    case Finding::kTwoHistories:
      break;
  }
  return fail(
      Errc::kRefused,
      "the drives have gone on without each other, and carry histories of their own: " + describe_histories() +
          "; decide which to leave behind, all drives of it named: andromede drive proceed --without NAME,NAME");
}

Status DriveSurvey::decide(const std::vector<DriveName>& without, std::string unix_user, Timestamp at) {
  if (finding_ == Finding::kClear) {
    return object(Objection::kNothingInDoubt, {},
                  "nothing has to be decided: the cloud starts with the drives that are there");
  }
  std::set<DriveId> left;
  for (const DriveName& name : without) {
    const auto knows = [&](const Line& line) { return line.map.find(name) != nullptr; };
    if (std::none_of(lines_.begin(), lines_.end(), knows)) {
      return object(Objection::kUnknownName, name.value(), "no drive is named " + name.value(), Errc::kInvalidArgument);
    }
    for (const Line& line : lines_) {
      if (const DriveInfo* const drive = line.map.find(name)) left.insert(drive->id);
    }
  }
  std::vector<Line> all = lines_;
  for (Line& line : lines_) std::erase_if(line.holders, [&](DriveId id) { return left.contains(id); });
  std::erase_if(lines_, [](const Line& line) { return line.holders.empty(); });
  const auto restored = [&](Objection objection, std::string to, std::string why) -> Status {
    lines_ = all;
    conclude();
    return object(objection, std::move(to), std::move(why));
  };
  if (lines_.empty()) return restored(Objection::kNoDriveLeft, {}, "no drive would be left");
  conclude();
  if (finding_ == Finding::kTwoHistories) {
    return restored(Objection::kTwoHistoriesLeft, describe_histories(), refusal().error().message());
  }
  if (finding_ == Finding::kNoMirror) {
    return restored(Objection::kNoMirrorLeft, names_and_sites(missing_), refusal().error().message());
  }
  std::vector<DriveInfo> unnamed;
  for (const DriveInfo& drive : missing_) {
    if (!left.contains(drive.id)) unnamed.push_back(drive);
  }
  if (!unnamed.empty()) {
    const std::string names = names_and_sites(unnamed);
    return restored(Objection::kOthersMissing, names, "these are missing too, and not named: " + names);
  }
  const Line chosen = truth();
  for (const Line& line : all) {
    for (const DriveId id : line.holders) {
      if (!left.contains(id) || kinship(chosen.map, chosen.hash, line.map, line.hash) == Kinship::kApart) continue;
      const std::string name = name_of(line.map, id);
      return restored(Objection::kOfTheSameHistory, name,
                      name + " is there, and of the same history: it is not to be left behind");
    }
  }
  DriveMap next = begin_successor(chosen.map, chosen.hash);
  if (next.decisions.size() >= kMaxDecisions) {
    return restored(Objection::kTooManyDecisions, std::to_string(kMaxDecisions),
                    std::to_string(kMaxDecisions) +
                        " decisions wait to be journaled already: bring drives back until the cloud starts");
  }
  for (const Line& line : all) next.epoch = std::max(next.epoch, line.map.epoch);
  ++next.epoch;
  // Who was not chosen may have changed the map before it too: from there on it is the operator's word that counts.
  next.forebears.back().kind = ForebearKind::kDecided;
  // A name that is too long does not keep the cloud from starting.
  unix_user.resize(std::min(unix_user.size(), kMaxUnixUserBytes));
  next.decisions.push_back({next.epoch, at, std::move(unix_user), {}});
  for (const Line& line : all) {
    if (kinship(chosen.map, chosen.hash, line.map, line.hash) == Kinship::kApart) next.overruled.push_back(line.hash);
  }
  while (next.overruled.size() > kMaxOverruled) next.overruled.erase(next.overruled.begin());
  for (DriveInfo& drive : next.drives) {
    if (!in_use(drive)) continue;
    const bool named = left.contains(drive.id);
    if (named) next.decisions.back().without.push_back(drive.id);
    if (!named && (!present(drive) || follows(drive.id))) continue;
    if (drive.absent_since == 0) drive.absent_since = next.epoch;
    drive.left_behind = named;
  }
  forget_old_forebears(next);
  CHECK_OK(check_drive_map(next));
  const MapHash hash = hash_of(encode(next, *seal_));
  lines_ = std::move(all);
  lines_.insert(lines_.begin(), {std::move(next), hash, {}});
  truth_ = 0;
  finding_ = Finding::kClear;
  missing_.clear();
  return {};
}

tl::unexpected<Error> DriveSurvey::object(Objection objection, std::string to, std::string message, Errc code) {
  objection_ = objection;
  objected_to_ = std::move(to);
  return fail(code, std::move(message));
}

std::string names_and_sites(const std::vector<DriveInfo>& drives) {
  std::string names;
  for (const DriveInfo& drive : drives) {
    names += (names.empty() ? "" : ", ") + drive.name.value() + " (site " + drive.site.value() + ")";
  }
  return names;
}

}  // namespace andromede::io
