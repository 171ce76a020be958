#include "meta/rocksdb/mirror.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/log.h"
#include "crypto/digest.h"
#include "meta/rocksdb/state_files.h"

namespace andromede::meta {
namespace {

constexpr std::uint32_t kMarkerMagic = 0x52494d41;  // "AMIR"
constexpr std::uint16_t kMarkerVersion = 2;
constexpr std::size_t kMarkerBytes = 20;
// In a state's folder, made with it and never written again: CURRENT and the manifests change their files.
constexpr const char* kStateIdentity = "meta/state/IDENTITY";
constexpr int kApplyAttempts = 20;
// Far above what is configured: a drive must not have a start read a log without end.
constexpr std::uint64_t kMaxSegmentBytes = 1 << 30;
constexpr std::chrono::milliseconds kApplyPause{100};

// RocksDB builds a checkpoint under this name.
std::string unfinished_checkpoint() { return std::string(kCheckpointPath) + ".tmp"; }

// What a copy that was cut short left.
Status remove_checkpoint(const io::Disk& disk) {
  CHECK_OK(remove_plain(disk.root(), kCheckpointPath));
  return remove_plain(disk.root(), unfinished_checkpoint());
}

// In the place of whatever else is there.
Status make_own_folder(io::Disk& disk, const std::string& path) {
  const Status made = disk.make_folder(path);
  if (made || made.error() != Errc::kAlreadyExists) return made;
  CHECK_OK(disk.remove(path));
  return disk.make_folder(path);
}

}  // namespace

std::string state_path(const io::Disk& disk) { return disk.root() + "/" + kStatePath; }
std::string checkpoint_path(const io::Disk& disk) { return disk.root() + "/" + kCheckpointPath; }

Bytes encode_marker(std::uint64_t segment_bytes) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u32(kMarkerMagic);
  out.u16(kMarkerVersion);
  out.u16(0);
  out.u64(segment_bytes);
  out.u32(crypto::crc32c(0, bytes));
  return bytes;
}

Result<std::uint64_t> decode_marker(ByteView bytes) {
  ByteReader in(bytes);
  const std::uint32_t magic = in.u32();
  const std::uint16_t version = in.u16();
  in.u16();
  const std::uint64_t segment_bytes = in.u64();
  const std::uint32_t crc = in.u32();
  CHECK_OK(in.finish("mirror marker"));
  if (magic != kMarkerMagic || crc != crypto::crc32c(0, bytes.first(kMarkerBytes - sizeof crc))) {
    return andromede::fail(Errc::kCorrupt, "the mirror's marker is damaged");
  }
  if (version != kMarkerVersion) {
    return andromede::fail(Errc::kUnsupported, "mirror of version " + std::to_string(version) +
                                                   ", this program knows version " + std::to_string(kMarkerVersion));
  }
  if (segment_bytes == 0 || segment_bytes > kMaxSegmentBytes || segment_bytes % kLogBlockBytes != 0) {
    return andromede::fail(Errc::kCorrupt, "the mirror's marker names an impossible segment size");
  }
  return segment_bytes;
}

Status remove_mirror_files(io::Disk& disk) {
  CHECK_OK(make_own_folder(disk, kMetaFolder));
  // The marker durably first: what is left after a crash in here must not pass for a mirror.
  const Status removed = disk.remove(kMarkerPath);
  if (!removed && !(removed.error() == Errc::kNotFound)) return removed;
  CHECK_OK(disk.sync_folder(kMetaFolder));
  CHECK_OK(make_own_folder(disk, kLogFolder));
  TRY(const std::vector<std::string> segments, disk.list(kLogFolder));
  for (const std::string& name : segments) CHECK_OK(disk.remove(std::string(kLogFolder) + "/" + name));
  CHECK_OK(disk.sync_folder(kLogFolder));
  CHECK_OK(remove_checkpoint(disk));
  return remove_plain(disk.root(), kStatePath);
}

Result<bool> holds_mirror_files(io::Disk& disk) {
  const std::string marker = std::filesystem::path(kMarkerPath).filename();
  for (const char* folder : {kMetaFolder, kLogFolder}) {
    const auto names = disk.list(folder);
    if (!names && names.error() == Errc::kNotFound) continue;
    // Something else in its place.
    if (!names && names.error() == Errc::kInvalidArgument) return true;
    if (!names) return andromede::fail(names.error());
    const bool all_count = folder == kLogFolder;
    if (all_count ? !names->empty() : std::find(names->begin(), names->end(), marker) != names->end()) return true;
  }
  for (const std::string& path : {std::string(kStatePath), std::string(kCheckpointPath), unfinished_checkpoint()}) {
    TRY(const bool any, holds_anything(disk.root(), path));
    if (any) return true;
  }
  return false;
}

State::Options Mirror::state_options(const Options& options) {
  on_failure_ = options.on_failure;
  on_step_ = options.on_step;
  State::Options made;
  made.seal = options.seal;
  made.on_forged = options.on_forged;
  made.cache = options.cache;
  made.row_cache = options.row_cache;
  made.memtable_bytes = options.memtable_bytes;
  made.max_open_files = options.max_open_files;
  made.warm_cache = options.warm_cache;
  made.on_step = options.on_step;
  made.on_background_error = [this](const Error& error) {
    log_warning("metadata: background work failed", {{"drive", drive_.to_string()}, {"error", error.describe()}});
    if (error == Errc::kNoSpace) {
      out_of_space_ = true;
    } else {
      this->fail(error);
    }
  };
  return made;
}

Result<std::unique_ptr<Mirror>> Mirror::create(DriveId drive, std::shared_ptr<io::Disk> disk, Options options) {
  CHECK_OK(remove_mirror_files(*disk));
  std::unique_ptr<Mirror> mirror(new Mirror(drive, disk));
  TRY(mirror->state_, State::create(state_path(*disk), mirror->state_options(options)));
  CHECK_OK(mirror->watch_state());
  TRY(mirror->log_, CommitLog::create(disk, options.log_segment_bytes));
  CHECK_OK(disk->replace(kMarkerPath, encode_marker(options.log_segment_bytes)));
  return mirror;
}

Result<std::unique_ptr<Mirror>> Mirror::open(DriveId drive, std::shared_ptr<io::Disk> disk, Options options) {
  auto opened = try_open(drive, std::move(disk), std::move(options));
  if (opened || opened.error() != Errc::kInvalidArgument) return opened;
  return andromede::fail(Errc::kCorrupt, opened.error().message());
}

Result<std::unique_ptr<Mirror>> Mirror::try_open(DriveId drive, std::shared_ptr<io::Disk> disk, Options options) {
  TRY(const Bytes marker, disk->read_all(kMarkerPath, kMarkerBytes));
  TRY(const std::uint64_t segment_bytes, decode_marker(marker));
  CHECK_OK(remove_checkpoint(*disk));
  CHECK_OK(check_plain(disk->root(), kMetaFolder));
  std::unique_ptr<Mirror> mirror(new Mirror(drive, disk));
  auto log = CommitLog::open(disk, segment_bytes, options.on_step);
  // With a marker there was a log; only a drive without a marker is empty.
  if (!log && log.error() == Errc::kNotFound) return andromede::fail(Errc::kCorrupt, "the commit log is gone");
  if (!log) return andromede::fail(std::move(log).error());
  mirror->log_ = std::move(*log);
  TRY(mirror->state_, State::open(state_path(*disk), mirror->state_options(options)));
  CHECK_OK(mirror->watch_state());
  return mirror;
}

Result<std::unique_ptr<Mirror>> Mirror::adopt(DriveId drive, std::shared_ptr<io::Disk> disk,
                                              std::unique_ptr<CommitLog> log, Options options) {
  std::unique_ptr<Mirror> mirror(new Mirror(drive, disk));
  mirror->log_ = std::move(log);
  CHECK_OK(check_plain(disk->root(), kStatePath));
  TRY(mirror->state_, State::open(state_path(*disk), mirror->state_options(options)));
  CHECK_OK(mirror->watch_state());
  CHECK_OK(disk->replace(kMarkerPath, encode_marker(options.log_segment_bytes)));
  return mirror;
}

Status Mirror::watch_state() {
  TRY(state_watch_, disk_->watch(kStateIdentity));
  return {};
}

Status Mirror::resize_log(std::uint64_t segment_bytes) {
  if (log_->segment_bytes() == segment_bytes) return {};
  // The marker first: CommitLog::start makes every segment anew that has another size, also after a crash in between.
  CHECK_OK(disk_->replace(kMarkerPath, encode_marker(segment_bytes)));
  TRY(log_, CommitLog::open(disk_, segment_bytes, on_step_));
  return {};
}

Status Mirror::make_room(std::size_t record_bytes) {
  if (!try_resume()) return andromede::fail(Errc::kNoSpace, "the drive is full");
  if (log_->fits(record_bytes)) return {};
  TRY(const std::uint64_t flushed, state_->flushed());
  TRY(const bool ready, log_->prepare(flushed));
  if (ready) return state_->start_flush();
  CHECK_OK(state_->flush());
  TRY(const std::uint64_t flushed_now, state_->flushed());
  TRY(const bool ready_now, log_->prepare(flushed_now));
  if (!ready_now) return andromede::fail(Errc::kNoSpace, "the commit log has no free segment");
  return {};
}

Status Mirror::apply(ByteView payload, std::uint64_t last_index) {
  Status applied = state_->apply(payload, last_index);
  // The drive filled up since make_room(). The group is in the log already, so it is worth some patience.
  for (int i = 0; i < kApplyAttempts && !applied && applied.error() == Errc::kNoSpace; ++i) {
    std::this_thread::sleep_for(kApplyPause);
    if (state_->resume()) applied = state_->apply(payload, last_index);
  }
  return applied;
}

bool Mirror::try_resume() {
  if (!out_of_space_) return true;
  if (!state_->resume()) return false;
  out_of_space_ = false;
  return true;
}

void Mirror::fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
  }
  if (!failed_.exchange(true, std::memory_order_acq_rel) && on_failure_) on_failure_();
}

std::optional<Error> Mirror::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace andromede::meta
