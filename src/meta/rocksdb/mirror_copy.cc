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

// `step` is told the bytes of each piece; false stops.
Status copy_file(const std::string& from, const std::string& to, const std::function<bool(std::uint64_t)>& step) {
  RawFile in(from, O_RDONLY);
  CHECK_OK(opened_for_copy(in));
  RawFile out(to, O_WRONLY | O_CREAT | O_TRUNC);
  CHECK_OK(opened_for_copy(out));
  CHECK_OK(in.read_on([&](ByteView piece) -> Status {
    CHECK_OK(out.write(piece));
    if (!step(piece.size())) return fail(Errc::kCancelled, "copying a mirror was stopped");
    return {};
  }));
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

}  // namespace

Result<std::uint64_t> MirrorCopy::round() {
  if (std::exchange(first_, false)) CHECK_OK(remove_mirror_files(target_));
  const std::string from = checkpoint_path(source_.disk());
  const std::string to = state_path(target_);
  CHECK_OK(remove_plain(source_.disk().root(), kCheckpointPath));
  CHECK_OK(State::make_folder(to));
  CHECK_OK(check_plain(target_.root(), kStatePath));
  CHECK_OK(source_.state().checkpoint(from));
  const Status copied = copy_missing(from, to);
  const Status removed = remove_plain(source_.disk().root(), kCheckpointPath);
  CHECK_OK(copied);
  CHECK_OK(removed);
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
  if (space.free_bytes < total) {
    return fail(Errc::kNoSpace, "the drive has " + std::to_string(space.free_bytes) +
                                    " bytes free, the metadata needs " + std::to_string(total));
  }
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
