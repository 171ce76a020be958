// Disk: the files of one drive, as a seam. RealDisk is a folder on a local file system; FaultDisk (io/fault_disk.h)
// keeps what was written apart from what was synced, and fails, tears, flips or drops on command.
//
// Every call blocks: call from a pool or a thread of your own, never from an event loop. Thread-safe.
// Errors: kIo (the drive failed), kNoSpace, kNotFound, kAlreadyExists.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace andromede::io {

// One open file. Reads and writes at different offsets may run at the same time.
class File {
 public:
  virtual ~File() = default;
  // Reads until `out` is full or the file ends; answers the count.
  [[nodiscard]] virtual Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) = 0;
  // As read_at, but answers kUnavailable at once when the bytes are not in memory (preadv2 RWF_NOWAIT): the only call
  // here that an event loop may make. Default: always kUnavailable.
  [[nodiscard]] virtual Result<std::size_t> read_at_nowait(std::uint64_t offset, MutableByteView out);
  // Writes all of `data`, or fails (and may then have written any part of it). Cheapest for the processor where offset,
  // size and address of 128 KiB or more are multiples of kPageBytes: such data goes past the page cache.
  [[nodiscard]] virtual Status write_at(std::uint64_t offset, ByteView data) = 0;
  // Writes the pieces one after another, starting at offset (pwritev).
  [[nodiscard]] virtual Status write_at(std::uint64_t offset, const std::vector<ByteView>& pieces) = 0;
  // Everything written before is durable when this answers (fdatasync; a size change included). After a failure
  // nothing may be assumed durable and the file must not be synced again (the kernel forgets dirty pages).
  [[nodiscard]] virtual Status sync() = 0;
  // Reserves blocks for [offset, offset + length) and makes the file at least that long (fallocate).
  [[nodiscard]] virtual Status allocate(std::uint64_t offset, std::uint64_t length) = 0;
  // Gives the blocks of the range back; it reads as zeros (fallocate PUNCH_HOLE).
  [[nodiscard]] virtual Status punch(std::uint64_t offset, std::uint64_t length) = 0;
  [[nodiscard]] virtual Status truncate(std::uint64_t size) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
  // Bytes of blocks really taken (st_blocks), smaller than size() where holes were punched.
  [[nodiscard]] virtual Result<std::uint64_t> allocated() = 0;
};

struct Space {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

enum class OpenMode {
  kRead,
  kReadWrite,
  kCreate,  // kAlreadyExists when it is there
};

// The longest path and name that a drive takes, in bytes.
inline constexpr std::size_t kMaxPathBytes = 1024;
inline constexpr std::size_t kMaxNameBytes = 200;
// What replaces a file is written to this name beside it. Nobody else may use it; list() leaves it out.
inline constexpr std::string_view kTemporarySuffix = ".replacing";

// An error (kInvalidArgument) unless `path` is relative, '/'-separated, without empty, "." or ".." parts, within the
// limits above and without kTemporarySuffix. The empty path is the root: good for folders only.
[[nodiscard]] Status check_path(std::string_view path);

// Paths are relative to the drive's root: see check_path. None leads out of it: a symbolic link on the way, or where a
// file or folder should be, is an error (kInvalidArgument) and never followed.
class Disk {
 public:
  virtual ~Disk() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // Writes `data` to a file of that name so that, after a crash at any moment, either the old content or the new is
  // there, whole: temporary file, sync, rename, sync of the folder.
  [[nodiscard]] virtual Status replace(const std::string& path, ByteView data) = 0;
  // As replace(), for what a full drive must take too: the file, and a spare one beside it that is written to and then
  // changes names with it, hold blocks for `reserve_bytes` each, taken where there is room. Room is needed only where
  // they could not be taken, or for more data than that.
  [[nodiscard]] virtual Status replace_in_reserve(const std::string& path, ByteView data,
                                                  std::uint64_t reserve_bytes) = 0;
  // Has the spare file hold that many bytes of blocks; cheap where it does. 0: there is to be none.
  [[nodiscard]] virtual Status keep_reserve(const std::string& path, std::uint64_t reserve_bytes) = 0;
  // The whole file; kCorrupt when it is longer than `limit` bytes.
  [[nodiscard]] virtual Result<Bytes> read_all(const std::string& path, std::size_t limit) = 0;
  // A file, or an empty folder (kConflict when it is not empty). Durable after sync_folder.
  [[nodiscard]] virtual Status remove(const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;  // names, sorted
  // And its parents; no error when there. Durable when it answers.
  [[nodiscard]] virtual Status make_folder(const std::string& path) = 0;
  // New, renamed and removed names in `folder` are durable when this answers.
  [[nodiscard]] virtual Status sync_folder(const std::string& folder) = 0;
  [[nodiscard]] virtual Result<Space> space() = 0;
  // Fails when the drive's root is gone, unmounted, or another folder than the one that was opened; likewise a file
  // that is open for writing, or what is watched. A file that was removed or moved away with its folder still accepts
  // writes, and syncs them, and this is what finds it out. What this Disk removed itself is not missed.
  [[nodiscard]] virtual Status probe() = 0;
  // While the answer lives, probe() fails as well where this file or folder, which is there now, is not any more.
  [[nodiscard]] virtual Result<std::shared_ptr<const void>> watch(const std::string& path) = 0;
  // Writes a little that nobody ever sees, and syncs it: a drive may answer reads and hang at this. kNoSpace says that
  // it is full; a file system without unnamed files is not asked.
  [[nodiscard]] virtual Status probe_writing() = 0;
  // Lets other processes open the root though this one still has it open: for one that ends with threads left behind,
  // which would keep it until another drive answers. Nothing is written after it.
  virtual void unlock() {}
  // The root's path on this host, for engines that open files by themselves (RocksDB).
  [[nodiscard]] virtual std::string root() const = 0;
};

// Opens the folder `root`, which must exist. `capacity_bytes` > 0 bounds total space below the file system's own, so
// that several drives can be folders of one disk; what lies below the root is then counted against it: allocate() stops
// there, writes outside of what was allocated do not. kConflict when another process has this root open; kTimeout when
// that process has ended and only a call that the drive does not answer keeps it.
[[nodiscard]] Result<std::unique_ptr<Disk>> open_real_disk(const std::string& root, std::uint64_t capacity_bytes = 0);

}  // namespace andromede::io
