#include "cloud.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "base/log.h"
#include "base/task.h"
#include "blob/volumes/placed_store.h"
#include "cloud_keys.h"
#include "fleet/volumes/volumes_fleet.h"
#include "messages.h"

namespace andromede::app {
namespace {

// Where drives may be: what the consortium file says of the first ones, and what the last run knew.
Result<std::vector<std::string>> known_drive_paths(const CloudFolder& folder,
                                                   const std::vector<control::DriveSpec>& named) {
  std::set<std::string> paths;
  for (const control::DriveSpec& drive : named) {
    paths.insert(drive.path.starts_with('/') ? drive.path : folder.root + "/" + drive.path);
  }
  const auto remembered = read_text_file(folder.drive_paths());
  if (!remembered && remembered.error() != Errc::kNotFound) return fail(remembered.error());
  if (remembered) {
    std::string_view rest = *remembered;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      if (end > 0) paths.emplace(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return std::vector<std::string>(paths.begin(), paths.end());
}

// So that connections never take what drives and metadata need to open. By the map: drives joined since the consortium
// file was written.
Result<DescriptorPlan> share_descriptors(std::size_t limit, const io::DriveMap& map, std::size_t mirrors) {
  const auto drives = static_cast<std::size_t>(std::count_if(map.drives.begin(), map.drives.end(), io::in_use));
  TRY(const DescriptorPlan plan, plan_descriptors(limit, drives, mirrors));
  const std::size_t wanted = descriptors_of(DescriptorPlan{}, drives, mirrors);
  if (limit < wanted) {
    log_warning(
        "few file descriptors: fewer connections and open files than usual; raise the hard limit "
        "(LimitNOFILE= of the service, ulimit -Hn)",
        {{"limit", limit},
         {"wanted", wanted},
         {"s3Connections", plan.s3_connections},
         {"filesPerDrive", plan.per_drive},
         {"filesPerMirror", plan.per_mirror}});
  }
  return plan;
}

// "orange-1,thales-2", as the command line takes it.
std::string names_of(const std::vector<io::DriveInfo>& drives) {
  std::string names;
  for (const io::DriveInfo& drive : drives) names += (names.empty() ? "" : ",") + drive.name.value();
  return names;
}

// For every drive that lies elsewhere than the map says, a sentence with a blank before it.
std::string misplaced(const io::DriveSurvey& survey) {
  std::string words;
  for (const io::DriveSurvey::Elsewhere& one : survey.elsewhere()) {
    words += " " + text(Msg::kDriveElsewhere, {one.drive.name.value(), one.found_at, one.drive.path});
  }
  return words;
}

// "orange-1 (site orange, /mnt/orange-1), …": where they were looked for.
std::string with_paths(const std::vector<io::DriveInfo>& drives) {
  std::string names;
  for (const io::DriveInfo& drive : drives) {
    names +=
        (names.empty() ? "" : ", ") + drive.name.value() + " (site " + drive.site.value() + ", " + drive.path + ")";
  }
  return names;
}

// When the drives that carry a map last took one, by their files' dates: what a person can choose by.
std::string last_written(const io::DriveSurvey::Line& line) {
  std::optional<Timestamp> last;
  for (const DriveId id : line.holders) {
    const io::DriveInfo* const drive = line.map.find(id);
    struct stat info{};
    if (drive == nullptr || ::stat((drive->path + "/" + std::string(io::kMapFile)).c_str(), &info) != 0) continue;
    const Timestamp at{info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000};
    if (!last || last->ms < at.ms) last = at;
  }
  return last ? to_iso8601(*last) : "?";
}

// One line for each history: its drives, its age, and how to keep it.
std::string describe_histories(io::DriveSurvey& survey) {
  std::vector<io::DriveSurvey::Line> histories;
  for (const io::DriveSurvey::Line* line : survey.histories()) histories.push_back(*line);
  std::string words;
  for (const io::DriveSurvey::Line& line : histories) {
    std::vector<io::DriveInfo> holders;
    for (const io::DriveInfo& drive : line.map.drives) {
      if (line.holders.contains(drive.id)) holders.push_back(drive);
    }
    const std::vector<io::DriveInfo> leave = survey.to_leave_for(line);
    words += "\n  " + text(Msg::kOneHistory, {names_of(holders), std::to_string(line.map.epoch), last_written(line)});
    if (!leave.empty()) words += "\n    " + text(Msg::kKeepHistory, {names_of(leave)});
  }
  return words;
}

}  // namespace

Result<io::DriveSurvey> survey_drives(const CloudFolder& folder, const std::vector<control::DriveSpec>& named,
                                      std::shared_ptr<const io::DriveSeal> seal) {
  TRY(const auto paths, known_drive_paths(folder, named));
  auto survey = io::DriveSurvey::make(paths, std::move(seal), open_drive);
  if (!survey && survey.error() == Errc::kConflict) {
    return fail(Errc::kConflict, text(Msg::kServedAlready, {survey.error().message()}));
  }
  // Nothing of the cloud is missing, and there is nothing to decide.
  const bool kept = survey ? !survey->kept().empty() && survey->finding() != io::DriveSurvey::Finding::kClear
                           : survey.error() == Errc::kTimeout;
  if (kept) {
    return fail(Errc::kUnavailable, text(Msg::kDrivesKept, {survey ? survey->kept() : survey.error().message()}));
  }
  if (!survey && survey.error() == Errc::kNotFound) {
    return fail(Errc::kUnavailable, text(Msg::kNoDriveFound, {folder.drive_paths()}));
  }
  // Not Errc::kRefused, which is the policy's word.
  if (!survey && survey.error() == Errc::kRefused) {
    return fail(Errc::kUnavailable, text(Msg::kDrivesOfAnotherCloud, {folder.keys()}));
  }
  return survey;
}

Status start_refusal(io::DriveSurvey& survey) {
  const Status refused = survey.refusal();
  const auto refuse = [&](const std::string& words) -> Status {
    log_error("the drives are not opened", {{"error", refused.error().describe()}});
    return tl::unexpected<Error>(Error(refused.error().code(), words + misplaced(survey)));
  };
  switch (survey.finding()) {
    case io::DriveSurvey::Finding::kClear:
      return {};
    case io::DriveSurvey::Finding::kNoMirror:
      return refuse(text(Msg::kStartWithoutMirror, {with_paths(survey.missing())}));
    case io::DriveSurvey::Finding::kInDoubt:
      return refuse(text(Msg::kStartInDoubt, {with_paths(survey.missing()), names_of(survey.missing())}));
    case io::DriveSurvey::Finding::kTwoHistories:
      break;
  }
  return refuse(text(Msg::kStartTwoHistories, {describe_histories(survey)}));
}

io::Minimum minimum_of(const sovereignty::Policies& policies) {
  return {static_cast<std::uint8_t>(policies.least_mirrors()),
          static_cast<std::uint8_t>(std::min(policies.least_sites(), policies.least_mirrors()))};
}

Result<std::unique_ptr<io::Disk>> open_drive(const io::DriveInfo& drive) {
  return io::open_real_disk(drive.path, drive.capacity_bytes);
}

Result<control::ConsortiumFile> read_consortium(const std::string& path) {
  auto content = read_text_file(path);
  if (!content && content.error() == Errc::kNotFound) {
    return fail(Errc::kInvalidArgument, text(Msg::kNoConsortium, {path}));
  }
  if (!content) return fail(content.error());
  return control::parse_consortium(*content, path);
}

Cloud::Cloud(const Config& config, control::ConsortiumFile consortium)
    : folder_{config.folder},
      consortium_(std::move(consortium)),
      policies_(sovereignty::policies_of(consortium_.consortium)) {}

namespace {

std::vector<Cloud*>& left_clouds() {
  static std::vector<Cloud*> clouds;
  return clouds;
}

}  // namespace

void EndCloud::operator()(Cloud* cloud) const {
  if (cloud->stop()) {
    delete cloud;
  } else {
    left_clouds().push_back(cloud);
  }
}

bool give_up_clouds() {
  for (Cloud* const cloud : left_clouds()) cloud->unlock();
  return !left_clouds().empty();
}

Result<CloudPointer> Cloud::open(const Config& config, control::ConsortiumFile consortium, bool making) {
  auto cloud = CloudPointer(new Cloud(config, std::move(consortium)));
  CHECK_OK(cloud->open_all(config, making));
  return cloud;
}

Status Cloud::open_all(const Config& config, bool making) {
  TRY(const std::size_t descriptor_limit, raise_descriptor_limit());
  TRY(custody_, open_custody(folder_, random_));
  TRY(const auto seal, open_drive_seal(folder_, *custody_));
  TRY(io::DriveSurvey survey, survey_drives(folder_, consortium_.drives, seal));
  CHECK_OK(start_refusal(survey));
  TRY(descriptors_, share_descriptors(descriptor_limit, survey.truth().map, policies_.snapshot()->mirrors()));
  for (const io::DriveSurvey::Elsewhere& one : survey.elsewhere()) {
    log_warning("a drive lies elsewhere than the map says, and is not opened there",
                {{"drive", one.drive.name.value()}, {"found", one.found_at}, {"expected", one.drive.path}});
  }
  CHECK_OK(open_metadata(config, std::move(survey), minimum_of(*policies_.snapshot()), making));
  CHECK_OK(keep_consortium(config, making));
  CHECK_OK(demand_minimum());

  keys_ = std::make_unique<keys::KeyService>(custody_, *meta_, clock_, random_);

  TRY(auto directory_key, open_directory_key(folder_, *custody_));
  operators_ = std::make_unique<identity::Operators>(directory_key, *meta_, clock_, random_);
  CHECK_OK(sync_wait(operators_->load()));
  directory_ = std::make_unique<identity::Directory>(std::move(directory_key), *meta_, clock_, random_);
  CHECK_OK(sync_wait(directory_->load()));
  tenants_ = std::make_unique<control::Tenants>(drives_->map()->cloud, *directory_, *keys_, *meta_, random_);

  blob::VolumeOptions volume_options;
  volume_options.max_open_files = descriptors_.per_drive;
  TRY(volumes_, blob::VolumeStore::open(*drives_, clock_, random_, metrics_, volume_options));
  candidates_ = std::make_unique<fleet::Candidates>(*drives_, *volumes_);
  placer_ = std::make_unique<SpreadPlacer>(policies_, *candidates_, random_);
  blobs_ = blob::make_placed_store(*volumes_, *placer_);

  objects_ = objects::Service::make(*meta_, *meta_, *blobs_, *keys_, storage_policies_, *directory_, clock_, random_,
                                    metrics_, {});

  catalog_ = std::make_unique<blob::ShardedCatalog>(objects_->catalog());
  fleet::Options fleet_options;
  fleet_options.bandwidth_bytes_per_s = config.bandwidth_bytes_per_s;
  const auto admit = [keeper = consortium_keeper_.get()](const io::DriveInfo& drive, const auto& join) {
    return keeper->admit(drive.site, drive.associate, join);
  };
  fleet_ = fleet::make_volumes_fleet(*drives_, *candidates_, *volumes_, *catalog_, objects_->authenticator(), *meta_,
                                     *meta_, policies_, admit, clock_, random_, metrics_, fleet_options);
  return remember_drive_paths();
}

Status Cloud::open_metadata(const Config& config, io::DriveSurvey survey, io::Minimum least, bool making) {
  const std::string elsewhere = misplaced(survey);
  TRY(drives_, io::Drives::open(std::move(survey)));
  meta::MirroredOptions options;
  options.cache_bytes = config.cache_bytes;
  options.max_open_files = descriptors_.per_mirror;
  options.create = making;
  options.least_mirrors = least.drives;
  options.least_sites = least.sites;
  TRY(auto seal, open_record_seal(folder_, *custody_));
  auto meta = meta::MirroredStore::open(*drives_, sealer_, std::move(seal), clock_, metrics_, options);
  if (!meta) return tl::unexpected<Error>(Error(meta.error().code(), meta.error().message() + elsewhere));
  meta_ = std::move(*meta);
  make_consortium_keeper(config);
  return {};
}

void Cloud::make_consortium_keeper(const Config& config) {
  const auto in_use = [this] {
    std::vector<sovereignty::DriveInUse> drives;
    const auto map = drives_->map();
    for (const io::DriveInfo& drive : map->drives) {
      if (!io::in_use(drive)) continue;
      drives.push_back({drive.name, drive.site, drive.associate, drive.state == io::DriveState::kDraining});
    }
    return drives;
  };
  const auto write = [path = config.consortium](const std::string& text) { return write_file(path, text, false); };
  const auto enforce = [this](sovereignty::Policies policies) { policies_.put(std::move(policies)); };
  consortium_keeper_ = std::make_unique<control::ConsortiumKeeper>(*meta_, clock_, in_use, write, enforce);
}

Status Cloud::keep_consortium(const Config& config, bool making) {
  if (making) return {};
  Status agreed = consortium_keeper_->agree(consortium_.consortium);
  if (agreed) {
    // It was written for a start that was refused, and tells of an older version one day.
    std::error_code code;
    std::filesystem::remove(folder_.recorded_consortium(), code);
  }
  if (agreed || !(agreed.error() == Errc::kInvalidArgument)) return agreed;
  TRY(const auto record, hand_back_consortium());
  TRY(const auto recorded, control::parse_consortium(record.text, folder_.recorded_consortium()));
  const std::string differences = control::told(sovereignty::differences(recorded.consortium, consortium_.consortium));
  log_error("the consortium file is not the recorded one", {{"error", agreed.error().describe()}});
  return fail(Errc::kInvalidArgument,
              text(Msg::kConsortiumIsAnother,
                   {config.consortium, std::to_string(record.version), differences, folder_.recorded_consortium()}));
}

// For who has no other copy of it.
Result<sovereignty::ConsortiumRecord> Cloud::hand_back_consortium() {
  TRY(auto record, consortium_keeper_->current());
  CHECK_OK(write_file(folder_.recorded_consortium(), record.text, false));
  return record;
}

Result<sovereignty::ConsortiumRecord> Cloud::recorded_consortium(const Config& config) {
  const CloudPointer made(new Cloud(config, {}));
  Cloud& cloud = *made;
  TRY(const std::size_t descriptor_limit, raise_descriptor_limit());
  TRY(cloud.custody_, open_custody(cloud.folder_, cloud.random_));
  TRY(const auto seal, open_drive_seal(cloud.folder_, *cloud.custody_));
  TRY(io::DriveSurvey survey, survey_drives(cloud.folder_, {}, seal));
  CHECK_OK(start_refusal(survey));
  // What the policy demands is in the map too.
  const io::DriveMap& map = survey.truth().map;
  const io::Minimum least = map.minimum;
  TRY(cloud.descriptors_, share_descriptors(descriptor_limit, map, least.drives));
  CHECK_OK(cloud.open_metadata(config, std::move(survey), least, false));
  return cloud.hand_back_consortium();
}

Result<control::ConsortiumFile> consortium_of(const Config& config) {
  std::error_code code;
  auto consortium =
      std::filesystem::exists(config.consortium, code) || code
          ? read_consortium(config.consortium)
          : fail(Errc::kInvalidArgument, text(Msg::kConsortiumIsGone, {config.consortium_at, config.consortium}));
  if (consortium || !(consortium.error() == Errc::kInvalidArgument)) return consortium;
  const auto recorded = Cloud::recorded_consortium(config);
  if (!recorded) {
    log_warning("the recorded consortium file cannot be written", {{"error", recorded.error().describe()}});
    return consortium;
  }
  const std::string file = CloudFolder{config.folder}.recorded_consortium();
  return fail(Errc::kInvalidArgument,
              text(Msg::kConsortiumHandedBack,
                   {consortium.error().message(), std::to_string(recorded->version), file, config.consortium}));
}

Status Cloud::ready() {
  if (const auto shortfall = meta_->shortfall())
    return fail(Errc::kUnavailable, "nothing can be written: " + *shortfall);
  const auto policies = policies_.snapshot();
  const auto candidates = candidates_->snapshot();
  for (const sovereignty::Policy& policy : policies->all()) {
    const std::size_t needed = sovereignty::least_drives(policy.rule);
    const std::size_t online = sovereignty::allowed(policy, *candidates).size();
    if (online >= needed) continue;
    return fail(Errc::kUnavailable, sovereignty::named(policy.id) + ": " + std::to_string(online) +
                                        " drives are online; writing needs " + std::to_string(needed));
  }
  if (const auto refused = fleet_->writes_refused()) {
    return fail(Errc::kUnavailable, "nothing can be written: " + refused->why);
  }
  return {};
}

std::vector<std::string> Cloud::warnings() const {
  const std::size_t stuck = objects_->stuck_cleanups();
  if (stuck == 0) return {};
  return {"the uploads of " + std::to_string(stuck) + (stuck == 1 ? " deleted bucket keep" : " deleted buckets keep") +
          " their space: records of theirs are damaged; the log says how"};
}

Status Cloud::demand_minimum() {
  const io::Minimum demanded = minimum_of(*policies_.snapshot());
  if (drives_->map()->minimum == demanded) return {};
  return drives_->update([&](io::DriveMap& map) -> Status {
    map.minimum = demanded;
    return {};
  });
}

Status Cloud::remember_drive_paths() {
  const auto remember = [this](const std::set<std::string>& paths) {
    std::string lines;
    for (const std::string& path : paths) lines += path + "\n";
    return write_file(folder_.drive_paths(), lines, false);
  };
  std::set<std::string> paths;
  const auto map = drives_->map();
  for (const io::DriveInfo& drive : map->drives) {
    if (io::in_use(drive)) paths.insert(drive.path);
  }
  CHECK_OK(remember(paths));
  drives_->remember_paths(remember);
  return {};
}

Status Cloud::stop() {
  if (ended_) return *ended_;
  if (fleet_) fleet_->stop([this] { end_waits(); });
  if (objects_) objects_->stop_cleanup();
  // Reports of failing drives have nobody to go to from here on.
  if (drives_) drives_->stop();
  const Status blobs_ended = volumes_ ? volumes_->stop() : Status{};
  if (meta_) meta_->stop();
  const std::size_t hanging = drives_ ? drives_->hanging_calls() : 0;
  ended_ = blobs_ended;
  if (blobs_ended && hanging > 0) {
    ended_ = fail(Errc::kTimeout, std::to_string(hanging) + " calls of drives have not ended");
  }
  return *ended_;
}

void Cloud::end_waits() {
  if (volumes_) volumes_->end_waits();
  if (meta_) meta_->end_waits();
}

// The kernel keeps what this process has open for as long as one of its threads is in a drive's call.
void Cloud::unlock() {
  if (drives_) drives_->unlock();
}

}  // namespace andromede::app
