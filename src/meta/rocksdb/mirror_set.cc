#include "meta/rocksdb/mirror_set.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"

namespace andromede::meta {
namespace {

constexpr std::chrono::milliseconds kClosePoll{5};

}  // namespace

MirrorSet::MirrorSet(io::Drives& drives, Gauge online, Redundancy least)
    : drives_(drives), online_(online), least_(least) {}

std::shared_ptr<const MirrorSet::List> MirrorSet::list() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

std::shared_ptr<Mirror> MirrorSet::reader(const List& besides) const {
  const auto may_be_asked = [&](const std::shared_ptr<Mirror>& mirror) {
    return std::find(besides.begin(), besides.end(), mirror) == besides.end();
  };
  const std::lock_guard lock(mutex_);
  for (const auto& mirror : *list_) {
    if (!mirror->failed() && may_be_asked(mirror)) return mirror;
  }
  return may_be_asked(last_resort_) ? last_resort_ : nullptr;
}

std::shared_ptr<Mirror> MirrorSet::find(DriveId drive) const {
  const std::lock_guard lock(mutex_);
  for (const auto& mirror : *list_) {
    if (mirror->drive() == drive && !mirror->failed()) return mirror;
  }
  return nullptr;
}

std::size_t MirrorSet::sites_needed(const io::DriveMap& map) const {
  if (!map.accepted_site_losses) return least_.sites;
  return std::min<std::size_t>(least_.sites, std::size_t{*map.accepted_site_losses} + 1);
}

Standing MirrorSet::standing(const std::vector<DriveId>& without) const {
  Standing now;
  now.map = drives_.map();
  std::size_t sites = 0;
  const auto mirrors = list();
  for (const auto& mirror : *mirrors) {
    if (mirror->failed() || std::find(without.begin(), without.end(), mirror->drive()) != without.end()) continue;
    const io::DriveInfo* const drive = now.map->find(mirror->drive());
    if (drive == nullptr) continue;
    const auto same_site = [&](const io::DriveInfo* other) { return other->site == drive->site; };
    if (std::none_of(now.drives.begin(), now.drives.end(), same_site)) ++sites;
    now.drives.push_back(drive);
  }
  now.enough = now.drives.size() >= least_.mirrors && sites >= sites_needed(*now.map);
  return now;
}

std::optional<std::string> MirrorSet::shortfall() const {
  const Standing now = standing();
  if (now.enough) return std::nullopt;
  std::string left;
  for (const io::DriveInfo* const drive : now.drives) {
    left += (left.empty() ? " (" : ", ") + drive->name.value() + " of site " + drive->site.value();
  }
  std::string needed =
      std::to_string(least_.mirrors) + (least_.mirrors == 1 ? " metadata mirror" : " metadata mirrors");
  if (const std::size_t sites = sites_needed(*now.map); sites > 1) needed += " at " + std::to_string(sites) + " sites";
  return "to survive the next loss a change must be on " + needed + ", and " + std::to_string(now.drives.size()) +
         (now.drives.size() == 1 ? " takes part" : " take part") + left + (left.empty() ? "" : ")") +
         ": bring back, replace or add drives";
}

void MirrorSet::publish(List list) {
  online_.set(static_cast<double>(list.size()));
  auto made = std::make_shared<const List>(std::move(list));
  const std::lock_guard lock(mutex_);
  list_ = std::move(made);
}

void MirrorSet::drive_lost(DriveId drive, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (last_resort_ != nullptr && last_resort_->drive() == drive) last_resort_.reset();
  }
  const auto mirrors = list();
  for (const auto& mirror : *mirrors) {
    if (mirror->drive() == drive) mirror->fail(error);
  }
}

bool MirrorSet::release_last_resort(DriveId drive) {
  const std::lock_guard lock(mutex_);
  if (last_resort_ == nullptr || last_resort_->drive() != drive) return true;
  const auto failure = last_resort_->failure();
  if (failure && *failure == Errc::kCorrupt) return false;
  last_resort_.reset();
  return true;
}

bool MirrorSet::another_than(const Mirror& mirror) const {
  const auto mirrors = list();
  return std::any_of(mirrors->begin(), mirrors->end(),
                     [&](const auto& other) { return other.get() != &mirror && !other->failed(); });
}

// The last mirror goes on answering: whoever asks for what is wrong there must not fill the log.
bool MirrorSet::may_tell_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  auto next = next_line_.load();
  const auto then = now + std::chrono::steady_clock::duration(kLineEvery).count();
  return now >= next && next_line_.compare_exchange_strong(next, then);
}

bool MirrorSet::read_failed(Mirror& mirror, const Error& error) {
  if (!(error == Errc::kCorrupt || error == Errc::kIo)) return false;
  if (may_tell_now()) {
    log_error("metadata: a read failed", {{"drive", mirror.drive().to_string()}, {"error", error.describe()}});
  }
  const bool another = another_than(mirror);
  if (another) mirror.fail(error);
  return another;
}

bool MirrorSet::has_failed() const {
  const auto mirrors = list();
  return !unmarked_.empty() || !full_.empty() ||
         std::any_of(mirrors->begin(), mirrors->end(), [](const auto& mirror) { return mirror->failed(); });
}

Status MirrorSet::drop_failed() {
  List left;
  List gone;
  const auto mirrors = list();
  for (const auto& mirror : *mirrors) (mirror->failed() ? gone : left).push_back(mirror);
  if (!gone.empty()) {
    publish(left);
    const std::lock_guard lock(mutex_);
    retired_.insert(retired_.end(), gone.begin(), gone.end());
  }
  for (const auto& mirror : gone) {
    const Error error = mirror->failure().value_or(Error(make_error_code(Errc::kInternal), "failed"));
    log_error("metadata: a mirror is lost",
              {{"drive", mirror->drive().to_string()}, {"error", error.describe()}, {"mirrors_left", left.size()}});
    // Damaged files alone are no reason to give up the drive, with all the data that it holds; one that hangs is.
    if (error == Errc::kIo || error == Errc::kTimeout) drives_.report_failure(mirror->drive(), &mirror->disk(), error);
    unmarked_.insert(mirror->drive());
    const std::lock_guard lock(mutex_);
    why_lost_[mirror->drive()] = error.message();
    if (error == Errc::kNoSpace) out_for_space_.insert(mirror->drive());
  }
  if (left.empty()) {
    for (const auto& mirror : gone) {
      if (!drives_.online(mirror->drive())) continue;
      const std::lock_guard lock(mutex_);
      last_resort_ = mirror;
      break;
    }
  }
  if (left.empty()) return {};
  if (!full_.empty() && standing().enough) unmarked_.merge(full_);
  CHECK_OK(mark_out());
  if (full_.empty()) return {};
  return fail(
      Errc::kNoSpace,
      "a metadata mirror is out for want of space, and the others are too few to go on without it: free space on "
      "its drive, or add drives");
}

Status MirrorSet::mark_out() {
  if (unmarked_.empty()) return {};
  CHECK_OK(drives_.update([&](io::DriveMap& map) -> Status {
    for (io::DriveInfo& drive : map.drives) {
      if (unmarked_.contains(drive.id)) drive.mirrors_metadata = false;
    }
    return {};
  }));
  unmarked_.clear();
  return {};
}

void MirrorSet::owe_marks(std::set<DriveId> drives, std::set<DriveId> full) {
  unmarked_ = std::move(drives);
  full_ = std::move(full);
  const std::lock_guard lock(mutex_);
  out_for_space_.insert(full_.begin(), full_.end());
}

void MirrorSet::join(std::shared_ptr<Mirror> mirror) {
  unmarked_.erase(mirror->drive());
  full_.erase(mirror->drive());
  {
    const std::lock_guard lock(mutex_);
    last_resort_.reset();
    out_for_space_.erase(mirror->drive());
    why_lost_.erase(mirror->drive());
  }
  List next = *list();
  next.push_back(std::move(mirror));
  publish(std::move(next));
}

std::string MirrorSet::why_lost(DriveId drive) const {
  const auto mirrors = list();
  for (const auto& mirror : *mirrors) {
    if (mirror->drive() != drive) continue;
    const auto failure = mirror->failure();
    return failure ? failure->message() : std::string();
  }
  const std::lock_guard lock(mutex_);
  const auto found = why_lost_.find(drive);
  return found == why_lost_.end() ? std::string() : found->second;
}

std::vector<DriveId> MirrorSet::out_for_space() const {
  const std::lock_guard lock(mutex_);
  return {out_for_space_.begin(), out_for_space_.end()};
}

void MirrorSet::leave(DriveId drive) {
  List next;
  List gone;
  const auto mirrors = list();
  for (const auto& mirror : *mirrors) (mirror->drive() == drive ? gone : next).push_back(mirror);
  publish(std::move(next));
  const std::lock_guard lock(mutex_);
  retired_.insert(retired_.end(), gone.begin(), gone.end());
}

std::shared_ptr<DriveWork::Job> MirrorSet::close(std::shared_ptr<Mirror> mirror) {
  const DriveId drive = mirror->drive();
  std::string root = mirror->disk().root();
  return closing_.start(drive, std::move(root), [mirror = std::move(mirror)]() mutable -> Status {
    mirror.reset();
    return {};
  });
}

Status MirrorSet::close_retired(DriveId drive, const std::string& root, std::chrono::milliseconds patience,
                                std::chrono::milliseconds readers) {
  const auto begun = std::chrono::steady_clock::now();
  List wanted;
  List idle;
  {
    const std::lock_guard lock(mutex_);
    List staying;
    for (auto& mirror : retired_) {
      const bool in_the_way = mirror->drive() == drive || mirror->disk().root() == root;
      List& to = in_the_way ? wanted : (mirror.use_count() == 1 ? idle : staying);
      to.push_back(std::move(mirror));
    }
    retired_ = std::move(staying);
  }
  for (auto& mirror : idle) close(std::move(mirror));
  for (auto& mirror : wanted) {
    // The list that held it and readers that began before it left still count.
    while (mirror.use_count() > 1) {
      if (std::chrono::steady_clock::now() - begun > readers) {
        std::erase(wanted, nullptr);
        const std::lock_guard lock(mutex_);
        retired_.insert(retired_.end(), wanted.begin(), wanted.end());
        return fail(Errc::kTimeout, "the former mirror on this drive is still being read; try again");
      }
      std::this_thread::sleep_for(kClosePoll);
    }
    close(std::exchange(mirror, nullptr));
  }
  // Those of earlier calls too.
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (const auto job = closing_.running(drive, root)) {
    if (!job->wait(give_up)) return fail(Errc::kTimeout, "the former mirror on this drive cannot be closed: it hangs");
  }
  return {};
}

std::size_t MirrorSet::retired() {
  const std::size_t closing = closing_.running();
  const std::lock_guard lock(mutex_);
  return closing + retired_.size();
}

void MirrorSet::clear(std::chrono::milliseconds patience) {
  List all = *list();
  publish({});
  {
    const std::lock_guard lock(mutex_);
    all.insert(all.end(), retired_.begin(), retired_.end());
    retired_.clear();
    last_resort_.reset();
  }
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::pair<std::shared_ptr<DriveWork::Job>, DriveWork::Time>> jobs;
  for (auto& mirror : all) {
    const DriveWork::Time give_up = now + (mirror->failed() ? patience : io::kDriveAnswerLimit);
    jobs.emplace_back(close(std::move(mirror)), give_up);
  }
  for (const auto& [job, give_up] : jobs) job->wait(give_up);
  closing_.wait_all(now + patience);
}

}  // namespace andromede::meta
