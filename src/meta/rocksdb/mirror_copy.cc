#include "meta/rocksdb/mirror_copy.h"

#include <filesystem>
#include <utility>

#include "meta/rocksdb/raw_file.h"
#include "meta/rocksdb/state_files.h"

namespace andromede::meta {
namespace {

namespace fs = std::filesystem;

// What is gone from under a copy is not what the caller of add_mirror would take kNotFound for.
Status opened_for_copy(const RawFile& file) {
  Status opened = file.opened();
  if (opened || !(opened.error() == Errc::kNotFound)) return opened;
  return fail(Errc::kIo, opened.error().message());
}

// The code says whose fault a failure is.
Error of_source(const Error& error) {
  if (error == Errc::kOverloaded) return error;
  return {make_error_code(Errc::kUnavailable), "the mirror that is copied from: " + error.describe()};
}

// `step` is told the bytes of each piece; false stops.
Status copy_file(const std::string& from, const std::string& to, const std::function<bool(std::uint64_t)>& step) {
  RawFile in(from, O_RDONLY);
  if (const Status opened = in.opened(); !opened) return fail(of_source(opened.error()));
  RawFile out(to, O_WRONLY | O_CREAT | O_TRUNC);
  CHECK_OK(opened_for_copy(out));
  Status taken;
  const Status read = in.read_on([&](ByteView piece) -> Status {
    taken = out.write(piece);
    if (taken && !step(piece.size())) taken = fail(Errc::kCancelled, "copying a mirror was stopped");
    return taken;
  });
  CHECK_OK(taken);
  if (!read) return fail(of_source(read.error()));
  return out.sync();
}

Status sync_folder(const std::string& path) {
  RawFile folder(path, O_RDONLY | O_DIRECTORY);
  CHECK_OK(opened_for_copy(folder));
  return folder.sync();
}

// RocksDB never changes these once written; it never uses their numbers again while it is open.
bool immutable(const std::string& name) { return name.ends_with(".sst") || name.ends_with(".blob"); }

Result<std::map<std::string, std::uint64_t>> list_files(const std::string& folder) {
  std::map<std::string, std::uint64_t> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    files[entry->path().filename().string()] = entry->file_size(error);
  }
  if (error) return fail(Errc::kIo, folder + ": " + error.message());
  return files;
}

// What removing a mirror's files would give back, at most: a file of two names counts twice.
Result<std::uint64_t> held_bytes(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder, error))) return bytes;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->symlink_status(error).type() == fs::file_type::regular) bytes += entry->file_size(error);
  }
  if (error) return fail(Errc::kIo, folder + ": " + error.message());
  return bytes;
}

Error no_room(std::uint64_t free_bytes, std::uint64_t needed) {
  return {make_error_code(Errc::kNoSpace),
          "the drive has " + std::to_string(free_bytes) + " bytes free, the metadata needs " + std::to_string(needed)};
}

// Several copies of one mirror, of which one was given up and has not ended, keep out of each other's way.
std::string checkpoint_name() {
  static std::atomic<std::uint64_t> last{0};
  return std::string(kCheckpointPath) + "/" + std::to_string(++last);
}

}  // namespace

MirrorCopy::MirrorCopy(const std::shared_ptr<Mirror>& source, io::Disk& target, Progress progress,
                       std::uint64_t spare_bytes)
    : source_(source),
      source_root_(source->disk().root()),
      target_(target),
      progress_(std::move(progress)),
      spare_bytes_(spare_bytes),
      checkpoint_(checkpoint_name()) {}

Status MirrorCopy::take_checkpoint() {
  const auto source = source_.lock();
  if (source == nullptr) return fail(Errc::kUnavailable, "it was closed");
  // First, since RocksDB finds out by it that it has no space.
  CHECK_OK(source->state().flush());
  CHECK_OK(State::make_folder(checkpoint_path(source->disk())));
  CHECK_OK(check_plain(source_root_, kCheckpointPath));
  return source->state().checkpoint(source_root_ + "/" + checkpoint_);
}

Status MirrorCopy::remove_checkpoint() {
  // Once it is closed its drive may be another's; what lies there goes when a mirror is next opened or made on it.
  const auto source = source_.lock();
  if (source == nullptr) return {};
  for (const char* suffix : {"", ".tmp"}) CHECK_OK(remove_plain(source_root_, checkpoint_ + suffix));
  // Unless it holds another one's.
  std::error_code error;
  fs::remove(checkpoint_path(source->disk()), error);
  return {};
}

Status MirrorCopy::begin() {
  TRY(const auto wanted, list_files(source_root_ + "/" + checkpoint_));
  std::uint64_t needed = spare_bytes_;
  for (const auto& [name, size] : wanted) needed += size;
  TRY(const io::Space space, target_.space());
  TRY(const std::uint64_t held, held_bytes(target_.root() + "/" + kMetaFolder));
  // It may be the only other copy of the metadata: not for nothing.
  if (space.free_bytes + held < needed) return fail(no_room(space.free_bytes + held, needed));
  first_ = false;
  return remove_mirror_files(target_);
}

Result<std::uint64_t> MirrorCopy::round() {
  const std::string to = state_path(target_);
  asks_source_ = true;
  Status taken = take_checkpoint();
  asks_source_ = false;
  Status copied;
  if (taken && first_) copied = begin();
  if (taken && copied) copied = State::make_folder(to);
  if (taken && copied) copied = check_plain(target_.root(), kStatePath);
  if (taken && copied) copied = copy_missing(source_root_ + "/" + checkpoint_, to);
  asks_source_ = true;
  Status removed = remove_checkpoint();
  asks_source_ = false;
  if (!taken) return fail(of_source(taken.error()));
  CHECK_OK(copied);
  if (!removed) return fail(of_source(removed.error()));
  return round_bytes_;
}

Status MirrorCopy::copy_missing(const std::string& from, const std::string& to) {
  TRY(const auto wanted, list_files(from));
  TRY(const auto there, list_files(to));
  std::error_code error;
  for (const auto& [name, size] : there) {
    if (wanted.contains(name) && copied_.contains(name)) continue;
    fs::remove(to + "/" + name, error);
    if (error) return fail(Errc::kIo, to + "/" + name + ": " + error.message());
    copied_.erase(name);
  }
  std::uint64_t total = 0;
  for (const auto& [name, size] : wanted) total += copied_.contains(name) ? 0 : size;
  TRY(const io::Space space, target_.space());
  if (space.free_bytes < total + spare_bytes_) return fail(no_room(space.free_bytes, total + spare_bytes_));
  before_bytes_ += round_bytes_;
  round_bytes_ = 0;
  const auto step = [&](std::uint64_t count) {
    round_bytes_ += count;
    return !progress_ || progress_(before_bytes_ + round_bytes_, before_bytes_ + total);
  };
  for (const auto& [name, size] : wanted) {
    if (copied_.contains(name)) continue;
    std::string source_file = from;
    source_file += "/" + name;
    CHECK_OK(copy_file(source_file, to + "/" + name, step));
    if (immutable(name)) copied_[name] = size;
  }
  CHECK_OK(sync_folder(to));
  return sync_folder(fs::path(to).parent_path().string());
}

}  // namespace andromede::meta
