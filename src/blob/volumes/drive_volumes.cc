#include "blob/volumes/drive_volumes.h"

#include <charconv>

#include "base/check.h"
#include "base/log.h"

namespace andromede::blob {
namespace {

constexpr std::string_view kFolder = "volumes";
constexpr std::string_view kSuffix = ".vol";
// Blocks are reserved so far ahead, so that a record seldom needs an fallocate of its own; near the end of a drive,
// this part of what is left.
constexpr std::uint64_t kAheadBytes = 64ULL << 20;
constexpr std::uint64_t kAheadPart = 8;
// Of VolumeOptions::whole_region_bytes: the first step of a region that grows, and the longest.
constexpr std::uint64_t kFirstStepPart = 8;
constexpr std::uint64_t kLongestStep = 2;
// Holes are walked in reads of this size.
constexpr std::size_t kWalkBytes = 256 * 1024;
// So many bad pages of one volume are tried one by one, each of which may take the drive seconds; the rest of it then
// counts as unreadable.
constexpr std::uint64_t kMaxUnreadablePages = 1024;
// A count leaves the drive to others for so many times as long as it kept it busy, unless somebody waits for it.
constexpr int kLeavesToOthers = 3;
constexpr std::chrono::milliseconds kBusyAtMost{20};
constexpr std::chrono::seconds kLeavesAtMost{1};
// So long a drive that refused space counts as full; then the next write finds out whether it still does. It is told
// for longer, so that between such writes nobody reads that all is well; not for ever, since without writes nothing
// asks.
constexpr std::chrono::seconds kRefusalRemembered{10};
constexpr std::chrono::seconds kRefusalTold{60};
constexpr std::chrono::milliseconds kAskEvery{100};  // whether to go on waiting for a count
// Numbers follow the clock up to here, in the year 2097, so that a clock that is set wrong does not use them up.
constexpr std::int64_t kLastNumberByClock = 4'000'000'000;

std::optional<std::uint32_t> number_of(const std::string& name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view digits = std::string_view(name).substr(0, name.size() - kSuffix.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || number == 0) return std::nullopt;
  return number;
}

}  // namespace

DriveVolumes::DriveVolumes(DriveId id, io::Drives& drives, const Clock& clock, VolumeOptions options, Counters counters)
    : id_(id),
      drives_(drives),
      clock_(clock),
      options_(options),
      counters_(counters),
      counting_pool_("count-" + id.to_string().substr(0, 8), 1, 1),
      sync_pool_("sync-" + id.to_string().substr(0, 8), 1, kMaxQueuedJobs),
      pool_("blob-" + id.to_string().substr(0, 8), std::max(1U, options.threads_per_drive), kMaxQueuedJobs) {}

DriveVolumes::~DriveVolumes() = default;

std::string DriveVolumes::path(std::uint32_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  return std::string(kFolder) + "/" + digits + std::string(kSuffix);
}

bool DriveVolumes::online() const { return disk().has_value(); }

Result<std::shared_ptr<io::Disk>> DriveVolumes::disk() const {
  std::shared_ptr<io::Disk> now = opening();
  const std::lock_guard lock(mutex_);
  if (now == nullptr || now != disk_) return fail(Errc::kUnavailable, "drive " + id_.to_string() + " is offline");
  return now;
}

void DriveVolumes::report(const Volume& volume, const Error& error) {
  drives_.report_failure(id_, volume.disk.get(), error);
}

// --- the drive's threads

bool DriveVolumes::post(std::function<void()> job) {
  return pool_.post([this, job = std::move(job)] {
    const Underway::Job at(underway_, opening());
    job();
  });
}

void DriveVolumes::look() {
  const auto disk = opening();
  if (disk == nullptr) return;
  const auto held = underway_.held(disk.get(), options_.patience, kLookAtWaitsEvery);
  if (held == nullptr) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.patience).count();
  drives_.report_hang(
      id_, disk.get(),
      Error(make_error_code(Errc::kTimeout), "what was asked of its volumes has not ended within " +
                                                 std::to_string(seconds) + " s, while its probes answer"),
      held);
}

// --- attaching

Status DriveVolumes::call(Call& call, Status (DriveVolumes::*work)()) {
  const auto disk = opening();
  std::shared_future<Status> answer;
  std::chrono::steady_clock::time_point until;
  {
    const std::lock_guard lock(calls_mutex_);
    const bool under_way =
        call.answer.valid() && call.answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
    if (!under_way) {
      const auto promise = std::make_shared<std::promise<Status>>();
      if (!post([this, work, promise] { promise->set_value((this->*work)()); })) {
        return fail(Errc::kOverloaded, "drive " + id_.to_string() + ": its queue is full");
      }
      // A little longer, so that those who look find what the drive holds since it was asked.
      call = {promise->get_future(), std::chrono::steady_clock::now() + options_.answer_limit + 3 * kLookAtWaitsEvery};
    }
    answer = call.answer;
    until = call.until;
  }
  while (answer.wait_until(std::min(until, std::chrono::steady_clock::now() + kLookAtWaitsEvery)) !=
         std::future_status::ready) {
    look();
    if (opening() != disk) return fail(Errc::kUnavailable, "drive " + id_.to_string() + " went away");
    if (std::chrono::steady_clock::now() >= until) {
      return fail(Errc::kTimeout, "drive " + id_.to_string() + " does not answer");
    }
  }
  return answer.get();
}

Status DriveVolumes::attach() { return call(attaching_, &DriveVolumes::attach_now); }

Status DriveVolumes::detach_empty() { return call(detaching_, &DriveVolumes::detach_empty_now); }

Status DriveVolumes::attach_now() {
  const std::lock_guard growth(growth_);
  std::shared_ptr<io::Disk> disk = drives_.disk(id_);
  if (disk == nullptr) return fail(Errc::kUnavailable, "drive " + id_.to_string() + " is offline");
  // Closed out of mutex_, for which event loops wait: the opening before may hang.
  std::shared_ptr<io::Disk> former_disk;
  Volumes former;
  {
    // Who waits for a drive and the drive's own event both attach it: a second time would fail what is being written.
    if (disk == disk_) return {};
    // What writers sync from here on does not count as durable, so that whoever looks at the drive anew sees all that
    // does; and what is being given back is so before, or not at all.
    const std::lock_guard releasing(releasing_);
    const std::lock_guard lock(mutex_);
    for (const auto& [number, volume] : volumes_) volume->retired = true;
    former_disk = std::exchange(disk_, nullptr);
    open_ = nullptr;
    idle_.clear();
    former.swap(volumes_);
    open_files_ = 0;
  }
  CHECK_OK(disk->make_folder(std::string(kFolder)));
  // Most volumes are not open, and their folder may be taken away as well.
  TRY(folder_watch_, disk->watch(std::string(kFolder)));
  TRY(const auto names, disk->list(std::string(kFolder)));
  Volumes volumes;
  std::uint32_t next_number = 1;
  for (const std::string& name : names) {
    const auto number = number_of(name);
    if (!number) continue;
    TRY(volumes[*number], look_at(disk, *number));
    next_number = std::max(next_number, *number + 1);
  }
  const std::lock_guard lock(mutex_);
  volumes_ = std::move(volumes);
  next_number_ = std::max(next_number_, next_number);
  disk_ = std::move(disk);
  start_counting();
  return {};
}

// Reads nothing of the file.
Result<std::shared_ptr<Volume>> DriveVolumes::look_at(const std::shared_ptr<io::Disk>& disk, std::uint32_t number) {
  step();
  TRY(const auto file, disk->open(path(number), io::OpenMode::kReadWrite));
  auto volume = std::make_shared<Volume>(number, disk);
  volume->closed = true;
  volume->inherited = true;
  volume->counted = false;
  TRY(volume->end, file->size());
  TRY(volume->live_bytes, file->allocated());
  volume->allocated = volume->end;
  return volume;
}

DriveVolumes::Look DriveVolumes::look_here(io::Disk& disk, io::File& file) {
  return {.read =
              [this, &file](std::uint64_t offset, MutableByteView out) {
                step();
                return file.read_at(offset, out);
              },
          .size = [&file] { return file.size(); },
          .probe = [&disk] { return disk.probe(); }};
}

DriveVolumes::Look DriveVolumes::look_by_pool(const std::shared_ptr<io::Disk>& disk,
                                              const std::shared_ptr<io::File>& file) {
  return {.read = [this, file](std::uint64_t offset, MutableByteView out) -> Result<std::size_t> {
            if (const auto got = file->read_at_nowait(offset, out); got && *got == out.size()) return got;
            // One for each look: what was left to the drive may still be written to.
            const auto bytes = std::make_shared<Buffer>(out.size());
            bytes->resize(out.size());
            TRY(const std::size_t got, run([file, offset, bytes] { return file->read_at(offset, bytes->span()); }));
            std::memcpy(out.data(), bytes->data(), got);
            return got;
          },
          .size = [this, file] { return run([file] { return file->size(); }); },
          .probe = [this, disk] { return run([disk] { return disk->probe(); }); }};
}

Status DriveVolumes::walk_file(const Look& look, std::uint32_t number, std::uint64_t end, const Found& found) {
  Buffer buffer(kWalkBytes);
  std::uint64_t unknown_begin = 0;
  std::uint64_t unknown_bytes = 0;
  const auto end_unknown = [&] {
    const std::uint64_t bytes = std::exchange(unknown_bytes, 0);
    return bytes == 0 || found.unknown(unknown_begin, bytes);
  };
  const auto read = [&](std::uint64_t from, std::size_t bytes) -> Status {
    buffer.resize(bytes);
    TRY(const std::size_t got, look.read(from, buffer.span()));
    std::memset(buffer.data() + got, 0, bytes - got);
    return {};
  };
  // A region that is reserved in steps ends behind the file.
  TRY(const std::uint64_t size, look.size());
  end = std::min(end, round_up(size, kPageBytes));
  std::uint64_t at = 0;
  std::uint64_t by_page_until = 0;
  std::uint64_t bad_pages = 0;
  while (at < end) {
    if (found.go_on && !found.go_on()) return fail(Errc::kCancelled, "stopped");
    // A second try tells a bad sector from a hiccup.
    bool readable = read(at, kHeadBytes) || read(at, kHeadBytes);
    if (readable) {
      if (const auto head = decode_head(buffer.view(), number, at)) {
        if (!end_unknown() || !found.record(*head)) return {};
        at += head->header.region_bytes;
        continue;
      }
      // No record begins here: look for the next one in larger steps.
      const std::uint64_t step = at < by_page_until ? kPageBytes : std::uint64_t{kWalkBytes};
      readable = read(at, static_cast<std::size_t>(std::min(step, round_up(end - at, kPageBytes)))).has_value();
      if (!readable && buffer.size() > kPageBytes) {
        by_page_until = at + buffer.size();
        continue;
      }
    }
    if (!readable) {
      // One bad sector is no lost drive; a lost drive must not pass for bad sectors.
      CHECK_OK(look.probe());
      const std::uint64_t bytes = ++bad_pages > kMaxUnreadablePages ? round_up(end - at, kPageBytes) : kPageBytes;
      if (!end_unknown() || !found.unreadable(at, bytes)) return {};
      at += bytes;
      continue;
    }
    std::size_t page = 0;
    for (; page < buffer.size(); page += kPageBytes) {
      const ByteView bytes = buffer.view().subspan(page, kPageBytes);
      if (page > 0 && decode_head(bytes.first(kHeadBytes), number, at + page)) break;
      if (all_zeros(bytes)) {
        if (!end_unknown()) return {};
      } else {
        if (unknown_bytes == 0) unknown_begin = at + page;
        unknown_bytes += kPageBytes;
      }
    }
    at += page;
  }
  end_unknown();
  return {};
}

// --- counting

struct DriveVolumes::Census {
  struct Record {
    std::uint64_t offset = 0;
    std::uint64_t live_bytes = 0;
  };
  std::vector<Record> records;  // in order; 4 MiB of memory for the most that a volume of a GiB holds
  std::vector<Volume::Extent> unknown;
  std::uint64_t unreadable_pages = 0;
  std::uint64_t end = 0;
};

void DriveVolumes::start_counting() {
  if (counting_ || stopping_ || next_uncounted(next_number_) == nullptr) return;
  counting_ = true;
  // The job before may be about to return still: one waits at most.
  const bool posted = counting_pool_.post([this] { run_counts(); });
  CHECK(posted, "one count is queued at a time");
}

// The newest first: it is where a crash left blocks reserved ahead.
std::shared_ptr<Volume> DriveVolumes::next_uncounted(std::uint32_t below) const {
  for (auto it = volumes_.lower_bound(below); it != volumes_.begin();) {
    --it;
    if (!it->second->counted) return it->second;
  }
  return nullptr;
}

void DriveVolumes::run_counts() {
  std::unique_lock lock(mutex_);
  uncountable_.reset();
  std::shared_ptr<io::Disk> disk;
  std::uint32_t below = 0;
  for (;;) {
    // Attached anew: all that is there is to be counted again.
    if (disk != disk_) {
      disk = disk_;
      below = next_number_;
      uncountable_.reset();
    }
    const auto volume = stopping_ ? nullptr : next_uncounted(below);
    if (volume == nullptr) break;
    below = volume->number;
    lock.unlock();
    const Status counted = [&] {
      const Underway::Job at(underway_, volume->disk);
      return count(volume);
    }();
    lock.lock();
    if (!counted && !stopping_) {
      uncountable_ = counted.error();
      log_warning(
          "a volume cannot be counted now",
          {{"drive", id_.to_string()}, {"volume", path(volume->number)}, {"error", counted.error().describe()}});
    }
  }
  counting_ = false;
  counts_changed_.notify_all();
}

Status DriveVolumes::count(const std::shared_ptr<Volume>& volume) {
  TRY(const auto file, volume->disk->open(path(volume->number), io::OpenMode::kReadWrite));
  {
    const std::lock_guard releasing(releasing_);
    const std::lock_guard lock(mutex_);
    volume->being_counted = true;
    volume->given_back.clear();
  }
  const auto census = take_census(*volume, *file);
  if (!settle_census(volume, census)) return {};
  CHECK_OK(census);
  if (census->unreadable_pages > 0) {
    log_warning("volume has pages that cannot be read",
                {{"drive", id_.to_string()}, {"volume", path(volume->number)}, {"pages", census->unreadable_pages}});
  }
  cut_behind_end(*volume, *file);
  remove_if_dead(volume);
  return {};
}

Result<DriveVolumes::Census> DriveVolumes::take_census(const Volume& volume, io::File& file) {
  Census census;
  TRY(const std::uint64_t size, file.size());
  SteadyTime busy_since = clock_.steady();
  const Found found{.record =
                        [&](const RecordHead& head) {
                          const std::uint64_t live = std::min(head.live_bytes(), size - head.header.offset);
                          census.records.push_back({head.header.offset, live});
                          census.end = std::max(census.end, head.header.offset + live);
                          return true;
                        },
                    .unknown =
                        [&](std::uint64_t offset, std::uint64_t bytes) {
                          census.unknown.push_back({offset, bytes});
                          census.end = std::max(census.end, offset + bytes);
                          return true;
                        },
                    .unreadable =
                        [&](std::uint64_t offset, std::uint64_t bytes) {
                          census.unreadable_pages += bytes / kPageBytes;
                          census.end = std::max(census.end, offset + bytes);
                          return true;
                        },
                    .go_on = [&] { return leave_drive_to_others(busy_since); }};
  CHECK_OK(walk_file(look_here(*volume.disk, file), volume.number, size, found));
  return census;
}

// False: the volume is nobody's any more.
bool DriveVolumes::settle_census(const std::shared_ptr<Volume>& volume, const Result<Census>& census) {
  const std::lock_guard releasing(releasing_);
  const std::lock_guard lock(mutex_);
  volume->being_counted = false;
  std::vector<Volume::Extent> given_back = std::exchange(volume->given_back, {});
  const auto found = volumes_.find(volume->number);
  if (found == volumes_.end() || found->second != volume) return false;
  if (!census) return true;
  const auto by_offset = [](const Volume::Extent& a, const Volume::Extent& b) { return a.offset < b.offset; };
  std::sort(given_back.begin(), given_back.end(), by_offset);
  const auto is_given_back = [&](std::uint64_t offset) {
    const auto behind = std::upper_bound(given_back.begin(), given_back.end(), Volume::Extent{offset}, by_offset);
    return behind != given_back.begin() && offset < std::prev(behind)->offset + std::prev(behind)->bytes;
  };
  volume->counted = true;
  volume->live_bytes = 0;
  for (const Census::Record& record : census->records) {
    if (is_given_back(record.offset)) continue;
    ++volume->shards;
    volume->live_bytes += record.live_bytes;
  }
  for (const Volume::Extent& extent : census->unknown) {
    for (std::uint64_t at = extent.offset; at < extent.offset + extent.bytes; at += kPageBytes) {
      if (!is_given_back(at)) ++volume->unknown_pages;
    }
  }
  volume->unreadable_pages = census->unreadable_pages;
  volume->end = volume->allocated = census->end;
  return true;
}

// What an earlier process reserved ahead. Failing to give it back costs space only.
void DriveVolumes::cut_behind_end(const Volume& volume, io::File& file) {
  const auto size = file.size();
  if (size && *size <= volume.end) return;
  const Status cut = size ? file.truncate(volume.end) : Status(fail(size.error()));
  if (!cut) {
    log_warning("volume keeps blocks reserved ahead",
                {{"volume", path(volume.number)}, {"error", cut.error().describe()}});
  }
}

bool DriveVolumes::leave_drive_to_others(SteadyTime& busy_since) {
  static_assert(kBusyAtMost <= kLeavesAtMost);
  const auto busy = std::min<std::chrono::nanoseconds>(clock_.steady() - busy_since, kLeavesAtMost);
  const auto pause = std::min<std::chrono::nanoseconds>(busy * kLeavesToOthers, kLeavesAtMost);
  std::unique_lock lock(mutex_);
  if (busy >= kBusyAtMost) {
    counts_changed_.wait_for(lock, pause, [this] { return stopping_ || hurried_ > 0; });
    busy_since = clock_.steady();
  }
  return !stopping_;
}

Status DriveVolumes::count(const GoOn& go_on) {
  TRY(const auto disk, this->disk());
  std::unique_lock lock(mutex_);
  ++hurried_;
  counts_changed_.notify_all();
  start_counting();
  bool there = true;
  while (counting_) {
    // Not under the lock: whoever is asked has locks of its own.
    lock.unlock();
    const bool goes_on = go_on();
    look();
    there = opening() == disk;
    lock.lock();
    if (!goes_on || !there || counts_changed_.wait_for(lock, kAskEvery, [this] { return !counting_; })) break;
  }
  --hurried_;
  if (counting_ && there) return fail(Errc::kCancelled, "stopped");
  if (stopping_ || !there || disk_ == nullptr)
    return fail(Errc::kUnavailable, "drive " + id_.to_string() + " is offline");
  if (uncountable_) return fail(*uncountable_);
  return {};
}

Status DriveVolumes::detach_empty_now() {
  const std::lock_guard growth(growth_);
  std::vector<std::uint32_t> numbers;
  std::shared_ptr<io::Disk> disk;
  Volumes former;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, volume] : volumes_) {
      if (!volume->counted) {
        return fail(Errc::kConflict, "drive " + id_.to_string() + " came back and is being counted");
      }
      if (volume->shards > 0 || volume->unknown_pages > 0) {
        return fail(Errc::kConflict, "drive " + id_.to_string() + ": volume " + std::to_string(number) +
                                         " still holds " + std::to_string(volume->shards) + " shards and " +
                                         std::to_string(volume->unknown_pages) + " pages not reclaimed yet");
      }
      numbers.push_back(number);
      volume->retired = true;
    }
    disk = std::exchange(disk_, nullptr);
    open_ = nullptr;
    idle_.clear();
    former.swap(volumes_);
    open_files_ = 0;
  }
  if (disk == nullptr || drives_.disk(id_) != disk) return {};
  for (const auto number : numbers) {
    step();
    const Status removed = disk->remove(path(number));
    if (!removed && !(removed.error() == Errc::kNotFound)) return removed;
  }
  return disk->sync_folder(std::string(kFolder));
}

// --- reserving

std::optional<Region> DriveVolumes::take(std::uint64_t bytes) {
  if (bytes > options_.whole_region_bytes) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (open_ == nullptr || open_->end + bytes > open_->allocated) return std::nullopt;
  if (open_->end + bytes > options_.volume_bytes) return std::nullopt;
  return take_from(open_, bytes);
}

Region DriveVolumes::take_from(const std::shared_ptr<Volume>& volume, std::uint64_t bytes) {
  Region region{.volume = volume, .file = volume->file, .offset = volume->end, .bytes = bytes};
  volume->end += bytes;
  ++volume->shards;
  volume->live_bytes += bytes;
  return region;
}

std::optional<Region> DriveVolumes::reserve_in_memory(std::uint64_t bytes) {
  if (!online()) return std::nullopt;
  return take(bytes);
}

Result<Region> DriveVolumes::reserve(std::uint64_t bytes) {
  TRY(const auto disk, this->disk());
  auto region = reserve_on(disk, bytes);
  // A full drive or too few descriptors are no failure of the drive. Reported with no lock held: listeners may attach.
  if (!region && region.error() != Errc::kNoSpace && region.error() != Errc::kOverloaded &&
      region.error() != Errc::kUnavailable) {
    drives_.report_failure(id_, disk.get(), region.error());
  }
  return region;
}

Result<Region> DriveVolumes::reserve_on(const std::shared_ptr<io::Disk>& disk, std::uint64_t bytes) {
  const std::lock_guard growth(growth_);
  if (bytes > options_.whole_region_bytes) return reserve_in_steps(disk, bytes);
  // Records that need no I/O go on being placed in the open volume, and may take what was added for this one: again,
  // until it got its place or they have filled the volume.
  for (;;) {
    TRY(const auto now, this->disk());
    if (now != disk) return fail(Errc::kUnavailable, "drive " + id_.to_string() + " went away and came back");
    if (auto region = take(bytes)) return *std::move(region);
    const auto volume = open_volume_with_room(bytes);
    if (volume == nullptr) return reserve_in_new_volume(disk, bytes);
    CHECK_OK(extend(*disk, *volume, bytes));
  }
}

std::shared_ptr<Volume> DriveVolumes::open_volume_with_room(std::uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (open_ != nullptr && open_->end + bytes <= options_.volume_bytes) return open_;
  }
  close_open_volume();
  auto volume = take_idle(bytes);
  if (volume == nullptr) return nullptr;
  const std::lock_guard lock(mutex_);
  return open_ = std::move(volume);
}

// The region is taken before others see the volume: a record larger than a volume gets one of its own.
Result<Region> DriveVolumes::reserve_in_new_volume(const std::shared_ptr<io::Disk>& disk, std::uint64_t bytes) {
  TRY(const std::uint64_t spare, spare_bytes(*disk, bytes));
  TRY(auto volume, create_volume(disk));
  const auto allocated = allocate(*volume->file, 0, bytes, spare);
  if (!allocated) {
    // Left there it is an empty file, which is removed once it is counted.
    static_cast<void>(disk->remove(path(volume->number)));
    return fail(allocated.error());
  }
  volume->allocated = *allocated;
  const std::lock_guard lock(mutex_);
  volumes_[volume->number] = volume;
  open_ = volume;
  ++open_files_;
  return take_from(volume, bytes);
}

Result<std::shared_ptr<Volume>> DriveVolumes::create_volume(const std::shared_ptr<io::Disk>& disk) {
  std::uint32_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    // A volume that is gone, and of which nothing here tells, is named still: its number must not come again, or what
    // it held would look as if it were there. Only one that was made within this second could get the same.
    const std::int64_t now_s = clock_.now().ms / 1000;
    if (now_s <= kLastNumberByClock)
      next_number_ = std::max(next_number_, static_cast<std::uint32_t>(std::max<std::int64_t>(now_s, 1)));
    CHECK(next_number_ != 0, "2^32 volumes of a GiB are more than any drive holds");
    number = next_number_++;
  }
  auto volume = std::make_shared<Volume>(number, disk);
  auto file = disk->open(path(number), io::OpenMode::kCreate);
  if (!file) return fail(heard(fail(std::move(file).error())).error());
  volume->file = std::move(*file);
  CHECK_OK(heard(disk->sync_folder(std::string(kFolder))));
  return volume;
}

// --- reserving in steps

// The volume is closed to others until the region is finished or given up, so that the next step lies behind the last.
Result<Region> DriveVolumes::reserve_in_steps(const std::shared_ptr<io::Disk>& disk, std::uint64_t bytes) {
  CHECK_OK(spare_bytes(*disk, bytes));
  auto volume = take_idle(bytes);
  const bool made = volume == nullptr;
  if (made) {
    TRY(volume, create_volume(disk));
  }
  const std::lock_guard lock(mutex_);
  if (made) {
    volumes_[volume->number] = volume;
    ++open_files_;
  }
  volume->closed = true;
  Region region{.volume = volume, .file = volume->file, .offset = volume->end, .bytes = bytes, .grows = true};
  volume->allocated = volume->end;
  volume->end += bytes;
  ++volume->shards;
  return region;
}

Status DriveVolumes::make_room(const Region& region, std::uint64_t bytes) {
  if (!region.grows) return {};
  const auto lacking = [&] {
    const std::lock_guard lock(mutex_);
    const std::uint64_t there = region.volume->allocated - region.offset;
    return std::pair(there, bytes > there ? bytes - there : 0);
  };
  if (lacking().second == 0) return {};
  const std::lock_guard growth(growth_);
  const auto [there, need] = lacking();
  if (need == 0) return {};
  TRY(const auto disk, this->disk());
  if (disk != region.volume->disk) return fail(Errc::kUnavailable, "the drive went away and came back");
  TRY(const std::uint64_t spare, spare_bytes(*disk, need));
  const std::uint64_t step = std::clamp(there, options_.whole_region_bytes / kFirstStepPart / kPageBytes * kPageBytes,
                                        options_.whole_region_bytes * kLongestStep);
  const std::uint64_t wanted = std::min({std::max(need, step), region.bytes - there, spare});
  const std::uint64_t at = region.offset + there;
  std::uint64_t got = wanted;
  if (Status done = region.file->allocate(at, wanted); !done) {
    if (!(done.error() == Errc::kNoSpace) || wanted == need) return heard(std::move(done));
    CHECK_OK(heard(region.file->allocate(at, need)));
    got = need;
  }
  CHECK_OK(heard(Status()));
  const std::lock_guard lock(mutex_);
  region.volume->allocated += got;
  region.volume->live_bytes += got;
  return {};
}

std::shared_ptr<Volume> DriveVolumes::take_idle(std::uint64_t bytes) {
  std::shared_ptr<Volume> volume;
  {
    const std::lock_guard lock(mutex_);
    const auto fits = std::find_if(idle_.begin(), idle_.end(), [&](const std::shared_ptr<Volume>& idle) {
      return !idle->removing && idle->end + bytes <= options_.volume_bytes;
    });
    if (fits == idle_.end()) return nullptr;
    volume = *fits;
    volume->closed = false;
    idle_.erase(fits);
  }
  if (file(volume->number)) return volume;
  // Too many open files, or a drive that fails: a new volume finds it out.
  {
    const std::lock_guard lock(mutex_);
    volume->closed = true;
  }
  remove_if_dead(volume);
  return nullptr;
}

void DriveVolumes::leave_idle(const std::shared_ptr<Volume>& volume) {
  volume->allocated = volume->end;
  if (volume->retired || volume->disk != disk_ || volume->end >= options_.volume_bytes) return;
  if (volume->shards > 0 && idle_.size() < kMaxIdleVolumes) idle_.push_back(volume);
}

std::uint64_t DriveVolumes::reserved_behind(const Region& region, std::uint64_t used_bytes) const {
  const std::lock_guard lock(mutex_);
  return region.volume->allocated - region.offset - std::min(used_bytes, region.volume->allocated - region.offset);
}

Status DriveVolumes::extend(io::Disk& disk, Volume& volume, std::uint64_t bytes) {
  std::shared_ptr<io::File> file;
  std::uint64_t allocated = 0;
  std::uint64_t need = 0;
  {
    const std::lock_guard lock(mutex_);
    file = volume.file;
    allocated = volume.allocated;
    need = volume.end + bytes > allocated ? volume.end + bytes - allocated : 0;
  }
  TRY(const std::uint64_t spare, spare_bytes(disk, need));
  TRY(const std::uint64_t got, allocate(*file, allocated, need, spare));
  const std::lock_guard lock(mutex_);
  volume.allocated += got;
  return {};
}

// How much the drive can still give, beside its reserve. kNoSpace when that is less than `need`.
Result<std::uint64_t> DriveVolumes::spare_bytes(io::Disk& disk, std::uint64_t need) const {
  TRY(const io::Space space, disk.space());
  const std::uint64_t spare = space.free_bytes > options_.reserve_bytes ? space.free_bytes - options_.reserve_bytes : 0;
  if (need <= spare) return spare;
  return fail(Errc::kNoSpace, "drive " + id_.to_string() + " has " + std::to_string(spare) +
                                  " bytes left beside its reserve, and " + std::to_string(need) + " are needed");
}

// Reserves blocks behind the first `allocated` bytes: those needed, and some ahead. Answers how many bytes.
Result<std::uint64_t> DriveVolumes::allocate(io::File& file, std::uint64_t allocated, std::uint64_t need,
                                             std::uint64_t spare) {
  std::uint64_t ahead = std::min(kAheadBytes, spare / kAheadPart / kPageBytes * kPageBytes);
  if (allocated < options_.volume_bytes) ahead = std::min(ahead, options_.volume_bytes - allocated);
  const std::uint64_t length = std::max(need, ahead);
  const auto done = file.allocate(allocated, length);
  if (done || done.error() != Errc::kNoSpace || length == need) {
    CHECK_OK(heard(done));
    return length;
  }
  CHECK_OK(heard(file.allocate(allocated, need)));
  return need;
}

Status DriveVolumes::heard(Status answer) {
  if (answer) {
    refused_at_ = kNotRefused;
  } else if (answer.error() == Errc::kNoSpace) {
    refused_at_ = clock_.steady();
  }
  return answer;
}

bool DriveVolumes::refused_within(std::chrono::seconds span) const {
  const SteadyTime at = refused_at_;
  return at != kNotRefused && clock_.steady() - at < span;
}

void DriveVolumes::close_open_volume() {
  std::shared_ptr<Volume> volume;
  std::shared_ptr<io::File> file;
  std::uint64_t end = 0;
  bool ahead = false;
  {
    const std::lock_guard lock(mutex_);
    volume = std::exchange(open_, nullptr);
    if (volume == nullptr) return;
    // From here on others may close the file.
    file = volume->file;
    volume->closed = true;
    end = volume->end;
    ahead = volume->allocated > end;
    volume->allocated = end;
  }
  if (ahead) {
    if (const auto cut = file->truncate(end); !cut) {
      log_warning("volume keeps blocks reserved ahead",
                  {{"volume", path(volume->number)}, {"error", cut.error().describe()}});
    }
  }
  remove_if_dead(volume);
}

struct DriveVolumes::Rest {
  explicit Rest(std::size_t threads) : missing(threads) {}
  // As many of these as a pool has threads end only together, so that each thread takes one.
  void come() {
    std::unique_lock lock(mutex);
    --missing;
    changed.notify_all();
    changed.wait(lock, [this] { return missing == 0 || refused; });
  }
  void refuse() {
    const std::lock_guard lock(mutex);
    refused = true;
    changed.notify_all();
  }
  bool all(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex);
    return changed.wait_until(lock, until, [this] { return missing == 0 || refused; }) && !refused;
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t missing;
  bool refused = false;  // a queue is full, as it is where all hangs
};

void DriveVolumes::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    counts_changed_.notify_all();
    rest_ = std::make_shared<Rest>(options_.threads_per_drive + 1);
  }
  const auto last = [this] {
    const std::lock_guard growth(growth_);
    if (online()) close_open_volume();
  };
  const auto come = [rest = rest_] { rest->come(); };
  bool posted = post(last) && sync_pool_.post(come);
  for (unsigned i = 0; posted && i < options_.threads_per_drive; ++i) posted = post(come);
  if (!posted) rest_->refuse();
}

bool DriveVolumes::stopped(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  if (!counts_changed_.wait_until(lock, until, [this] { return !counting_; })) return false;
  const auto rest = rest_;
  lock.unlock();
  return rest->all(until);
}

// --- giving back

// Under releasing_: after this has said yes no scan counts what is about to be punched, until it is.
bool DriveVolumes::is_current(const std::shared_ptr<Volume>& volume) const {
  const std::lock_guard lock(mutex_);
  const auto found = volumes_.find(volume->number);
  return found != volumes_.end() && found->second == volume;
}

void DriveVolumes::uncount(Volume& volume, const GivenBack& given_back) {
  const auto take = [](std::uint64_t& counter, std::uint64_t by) { counter -= std::min(counter, by); };
  take(volume.shards, given_back.shards);
  take(volume.live_bytes, given_back.live_bytes);
  take(volume.unknown_pages, given_back.unknown_pages);
  if (volume.being_counted) volume.given_back.push_back(given_back.extent);
}

void DriveVolumes::trim(const Region& region, std::uint64_t used_bytes) {
  if (used_bytes >= region.bytes && !region.grows) return;
  const std::lock_guard releasing(releasing_);
  if (!is_current(region.volume)) return;
  const Volume::Extent rest{region.offset + used_bytes,
                            region.grows ? reserved_behind(region, used_bytes) : region.bytes - used_bytes};
  // What is not given back here is given back when the record is released.
  const bool punched = rest.bytes == 0 || region.file->punch(rest.offset, rest.bytes);
  const std::lock_guard lock(mutex_);
  if (punched) uncount(*region.volume, {.extent = rest, .live_bytes = rest.bytes});
  if (region.grows) leave_idle(region.volume);
}

void DriveVolumes::abandon(const Region& region) {
  Status punched;
  {
    const std::lock_guard releasing(releasing_);
    // The drive was attached anew since: what is there of this region has been counted, and is an orphan to be
    // reclaimed.
    if (!is_current(region.volume)) return;
    const Volume::Extent extent{region.offset, region.grows ? reserved_behind(region, 0) : region.bytes};
    if (extent.bytes > 0) punched = region.file->punch(extent.offset, extent.bytes);
    if (punched) {
      const std::lock_guard lock(mutex_);
      uncount(*region.volume, {.extent = extent, .shards = 1, .live_bytes = extent.bytes});
      if (region.grows) leave_idle(region.volume);
    }
  }
  if (punched) {
    remove_if_dead(region.volume);
  } else {
    // Nobody knows whether its head is on the drive: attaching it again tells.
    report(*region.volume, punched.error());
  }
}

Result<std::uint64_t> DriveVolumes::release(BlobId blob, unsigned shard, std::uint32_t number, std::uint64_t offset) {
  std::shared_ptr<Volume> volume;
  std::uint64_t live_bytes = 0;
  {
    // Two releases of one record must not both find it.
    const std::lock_guard releasing(releasing_);
    TRY(const auto file, this->file(number));
    std::array<std::uint8_t, kHeadBytes> bytes{};
    TRY(const std::size_t got, file->read_at(offset, bytes));
    TRY(const RecordHead head, decode_head(ByteView(bytes).first(got), number, offset));
    if (head.header.blob != blob || head.header.shard != shard) {
      return fail(Errc::kNotFound, "another record lies there");
    }
    TRY(const std::uint64_t size, file->size());
    CHECK_OK(file->punch(offset, head.header.region_bytes));
    live_bytes = std::min(head.live_bytes(), size - std::min(size, offset));
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(number);
    if (found == volumes_.end()) return live_bytes;
    volume = found->second;
    uncount(*volume, {.extent = {offset, head.header.region_bytes}, .shards = 1, .live_bytes = live_bytes});
  }
  remove_if_dead(volume);
  return live_bytes;
}

Status DriveVolumes::punch_unknown(std::uint32_t number, std::uint64_t offset, std::uint64_t bytes) {
  std::shared_ptr<Volume> volume;
  {
    const std::lock_guard releasing(releasing_);
    TRY(const auto file, this->file(number));
    CHECK_OK(file->punch(offset, bytes));
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(number);
    if (found == volumes_.end()) return {};
    volume = found->second;
    uncount(*volume, {.extent = {offset, bytes}, .unknown_pages = bytes / kPageBytes});
  }
  remove_if_dead(volume);
  return {};
}

void DriveVolumes::remove_if_dead(const std::shared_ptr<Volume>& volume) {
  const auto disk = this->disk();
  if (!disk) return;
  const auto is_dead = [&] {
    const auto found = volumes_.find(volume->number);
    return found != volumes_.end() && found->second == volume && volume->closed && volume->counted &&
           volume->shards == 0 && volume->unknown_pages == 0 && volume->unreadable_pages == 0 && !volume->removing;
  };
  {
    const std::lock_guard lock(mutex_);
    if (!is_dead()) return;
    volume->removing = true;
  }
  // The counters say that nothing lives here. A file is the one thing that cannot be taken back: look once more.
  std::uint64_t records = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t unreadable_pages = 0;
  const Found recount{.record =
                          [&](const RecordHead& head) {
                            ++records;
                            live_bytes += head.live_bytes();
                            return true;
                          },
                      .unknown = [](std::uint64_t, std::uint64_t) { return true; },
                      .unreadable =
                          [&](std::uint64_t, std::uint64_t bytes) {
                            unreadable_pages += bytes / kPageBytes;
                            return true;
                          },
                      .go_on = {}};
  const auto file = this->file(volume->number);
  Status looked = file ? Status{} : Status(fail(file.error()));
  if (file) {
    const auto allocated = (*file)->allocated();
    if (!allocated || *allocated > 0) {
      looked = walk_file(look_here(**disk, **file), volume->number, volume->end, recount);
    }
  }
  {
    const std::lock_guard lock(mutex_);
    volume->removing = false;
    if (!looked || !is_dead()) return;
    if (records > 0) {
      log_error("a volume held records that were not counted",
                {{"volume", path(volume->number)}, {"records", records}});
      volume->shards = records;
      volume->live_bytes = live_bytes;
      return;
    }
    // Whatever lies there may be a record.
    volume->unreadable_pages = unreadable_pages;
    if (unreadable_pages > 0) return;
    if (volume->file != nullptr) --open_files_;
    std::erase(idle_, volume);
    volumes_.erase(volume->number);
  }
  if (const auto removed = (*disk)->remove(path(volume->number)); !removed) {
    log_warning("an empty volume could not be removed",
                {{"volume", path(volume->number)}, {"error", removed.error().describe()}});
  }
}

// --- syncing

void DriveVolumes::post_sync(const std::shared_ptr<Volume>& volume, std::function<void(Status)> done) {
  std::unique_lock lock(mutex_);
  if (volume->retired) {
    lock.unlock();
    done(fail(Errc::kIo, "the volume failed, or its drive went away"));
    return;
  }
  volume->waiting_for_sync.push_back(std::move(done));
  const bool start = !std::exchange(volume->syncing, true);
  lock.unlock();
  if (!start) return;
  // At most one job a volume is queued, and volumes that are written to are few.
  const bool posted = sync_pool_.post([this, volume] { run_syncs(volume); });
  CHECK(posted, "the sync queue holds one job a volume");
}

void DriveVolumes::run_syncs(std::shared_ptr<Volume> volume) {
  for (;;) {
    std::vector<std::function<void(Status)>> batch;
    std::shared_ptr<io::File> file;
    bool retired = false;
    {
      const std::lock_guard lock(mutex_);
      if (volume->waiting_for_sync.empty()) {
        volume->syncing = false;
        return;
      }
      batch.swap(volume->waiting_for_sync);
      file = volume->file;
      retired = volume->retired;
    }
    Status status = fail(Errc::kIo, "the volume failed, or its drive went away");
    if (!retired && file != nullptr) {
      const auto started = clock_.steady();
      const Underway::Job at(underway_, volume->disk, kSyncPatiences);
      status = file->sync();
      counters_.sync_group.observe(static_cast<double>(batch.size()));
      counters_.sync_seconds.observe(std::chrono::duration<double>(clock_.steady() - started).count());
      if (!status) report(*volume, status.error());
    }
    {
      const std::lock_guard lock(mutex_);
      if (!status) {
        // The kernel may have forgotten what it could not write: nothing more goes into this volume.
        volume->retired = true;
        volume->closed = true;
        if (open_ == volume) open_ = nullptr;
        std::erase(idle_, volume);
      } else if (volume->retired) {
        status = fail(Errc::kIo, "the drive went away while its volume was synced");
      }
    }
    for (const auto& done : batch) done(status);
  }
}

Status DriveVolumes::sync(const std::shared_ptr<Volume>& volume) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Status> status;
  };
  const auto wait = std::make_shared<Wait>();
  post_sync(volume, [wait](Status status) {
    const std::lock_guard lock(wait->mutex);
    wait->status = std::move(status);
    wait->ready.notify_all();
  });
  std::unique_lock lock(wait->mutex);
  while (!wait->ready.wait_for(lock, kLookAtWaitsEvery, [&] { return wait->status.has_value(); })) {
    lock.unlock();
    look();
    lock.lock();
    if (wait->status) break;
    if (!serves(*volume)) return fail(Errc::kUnavailable, "drive " + id_.to_string() + " went away");
  }
  return *wait->status;
}

// --- files

Result<std::shared_ptr<io::File>> DriveVolumes::file(std::uint32_t number) {
  TRY(const auto disk, this->disk());
  {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(number);
    if (found == volumes_.end()) return fail(Errc::kNotFound, "no volume " + std::to_string(number));
    found->second->last_use = ++uses_;
    if (found->second->file != nullptr) return found->second->file;
  }
  TRY(auto opened, disk->open(path(number), io::OpenMode::kReadWrite));
  std::vector<std::shared_ptr<io::File>> closing;
  const std::lock_guard lock(mutex_);
  const auto found = volumes_.find(number);
  if (found == volumes_.end()) return fail(Errc::kNotFound, "no volume " + std::to_string(number));
  if (found->second->file == nullptr) {
    found->second->file = std::move(opened);
    ++open_files_;
    closing = take_unused_files(found->second.get());
  }
  return found->second->file;
}

std::shared_ptr<io::File> DriveVolumes::cached_file(std::uint32_t number) {
  if (!online()) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = volumes_.find(number);
  if (found == volumes_.end()) return nullptr;
  found->second->last_use = ++uses_;
  return found->second->file;
}

std::vector<std::shared_ptr<io::File>> DriveVolumes::take_unused_files(const Volume* keep) {
  std::vector<std::shared_ptr<io::File>> unused;
  while (open_files_ > options_.max_open_files) {
    Volume* oldest = nullptr;
    for (const auto& [number, volume] : volumes_) {
      if (volume->file == nullptr || !volume->closed || volume.get() == keep || volume->file.use_count() > 1) continue;
      if (!volume->waiting_for_sync.empty() || volume->syncing) continue;
      if (oldest == nullptr || volume->last_use < oldest->last_use) oldest = volume.get();
    }
    if (oldest == nullptr) break;
    unused.push_back(std::exchange(oldest->file, nullptr));
    --open_files_;
  }
  return unused;
}

// --- looking

Presence DriveVolumes::presence(std::uint32_t number, std::uint64_t offset) const {
  const auto now = opening();
  const std::lock_guard lock(mutex_);
  // The list is set with the disk, once it is whole.
  if (now == nullptr || now != disk_) return Presence::kUnknown;
  const auto found = volumes_.find(number);
  return found == volumes_.end() || offset >= found->second->end ? Presence::kGone : Presence::kThere;
}

Result<DriveUsage> DriveVolumes::usage() {
  CHECK_OK(disk());
  // Not asked here: a drive that hangs would keep whoever watches all of them.
  TRY(const io::Space space, drives_.space(id_));
  DriveUsage usage;
  usage.total_bytes = space.total_bytes;
  usage.free_bytes = space.free_bytes;
  usage.queued_jobs = pool_.queued() + sync_pool_.queued();
  usage.lies = lies_;
  const std::lock_guard lock(mutex_);
  for (const auto& [number, volume] : volumes_) {
    usage.counting = usage.counting || !volume->counted;
    usage.shards += volume->shards;
    usage.live_bytes += volume->live_bytes;
  }
  if (open_ != nullptr) usage.free_bytes += open_->allocated - open_->end;
  usage.short_bytes = options_.reserve_bytes - std::min(usage.free_bytes, options_.reserve_bytes);
  usage.free_bytes -= std::min(usage.free_bytes, options_.reserve_bytes);
  usage.refuses = refused_within(kRefusalTold);
  if (refused_within(kRefusalRemembered)) {
    usage.short_bytes = std::max<std::uint64_t>(options_.reserve_bytes, 1);
    usage.free_bytes = 0;
  }
  return usage;
}

Status DriveVolumes::walk(const Visit& visit, const VisitUnknown& unknown, const GoOn& go_on) {
  struct Extent {
    std::uint32_t number;
    std::uint64_t end;
    bool inherited;
  };
  std::vector<Extent> extents;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, volume] : volumes_) extents.push_back({number, volume->end, volume->inherited});
  }
  bool more = true;
  for (const Extent& extent : extents) {
    if (!go_on()) return fail(Errc::kCancelled, "stopped");
    TRY(const auto disk, this->disk());
    const auto file = run([this, number = extent.number] { return this->file(number); });
    if (!file && file.error() == Errc::kNotFound) continue;  // removed meanwhile
    CHECK_OK(file);
    const Found found{.record = [&](const RecordHead& head) { return more = visit(head); },
                      .unknown =
                          [&](std::uint64_t offset, std::uint64_t bytes) {
                            if (extent.inherited) more = unknown(extent.number, offset, bytes);
                            return more;
                          },
                      .unreadable = [](std::uint64_t, std::uint64_t) { return true; },
                      .go_on = {}};
    CHECK_OK(walk_file(look_by_pool(disk, *file), extent.number, extent.end, found));
    if (!more) break;
  }
  return {};
}

}  // namespace andromede::blob
