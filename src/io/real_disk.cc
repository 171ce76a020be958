// The folder of a local file system as a Disk. Every path is resolved from the root's open descriptor, never from its
// name: a root that was moved or replaced while open cannot send a write astray, and probe() sees the difference. Nor
// through a symbolic link: who writes a drive cannot lead it to another one's files.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "io/disk.h"
#include "io/files_in_use.h"

namespace andromede::io {
namespace {

constexpr std::size_t kPiecesPerCall = 64;
constexpr std::uint64_t kStatBlockBytes = 512;  // unit of st_blocks
constexpr std::size_t kProbeBytes = 512;
constexpr std::chrono::seconds kUsageLife{2};
// Writes of whole pages from this size on go past the page cache (O_DIRECT): copying them there is a fifth of what a
// large upload costs the processor, and pushes out what is read.
constexpr std::size_t kDirectMinBytes = 128 << 10;
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;
// Folders that are nested deeper are nobody's of ours, and not measured: each level holds a descriptor.
constexpr unsigned kMeasuredDepth = 16;

tl::unexpected<Error> failed(int error, const std::string& what) {
  const std::string message = what + ": " + std::generic_category().message(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return fail(Errc::kNotFound, message);
    case EEXIST:
      return fail(Errc::kAlreadyExists, message);
    case ENOTEMPTY:
      return fail(Errc::kConflict, message);
    case ELOOP:  // O_NOFOLLOW met a symbolic link: a drive holds none
    case EISDIR:
      return fail(Errc::kInvalidArgument, message);
    case ENOSPC:
    case EDQUOT:
      return fail(Errc::kNoSpace, message);
    case EOPNOTSUPP:
      return fail(Errc::kUnsupported, message);
    case EMFILE:
    case ENFILE:
      return fail(Errc::kOverloaded, message);  // a limit of this process, not the drive's failure
    default:
      return fail(Errc::kIo, message);
  }
}

// Repeats a system call that a signal interrupted.
template <typename Call>
auto retried(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// The folder that the last name of a path lies in, found without leaving the root and through no symbolic link, and
// that name.
struct Place {
  Descriptor opened;  // none: the folder is the root
  int folder;
  std::string name;
  [[nodiscard]] std::string spare() const { return name + std::string(kTemporarySuffix); }
};

Result<Place> find_place(int root, const std::string& path) {
  const std::string parent = parent_of(path);
  if (parent.empty()) return Place{Descriptor(-1), root, path.empty() ? "." : path};
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const auto number = retried([&] { return ::syscall(SYS_openat2, root, parent.c_str(), &how, sizeof how); });
  if (number < 0) return failed(errno, "opening " + parent);
  Descriptor opened(static_cast<int>(number));
  const int folder = opened.get();
  return Place{std::move(opened), folder, path.substr(parent.size() + 1)};
}

Result<Descriptor> open_at(int root, const std::string& path, int flags) {
  TRY(const Place place, find_place(root, path));
  const int number =
      retried([&] { return ::openat(place.folder, place.name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, kFileMode); });
  if (number < 0) return failed(errno, "opening " + path);
  return Descriptor(number);
}

Result<Descriptor> open_folder(int root, const std::string& path) {
  TRY(const Place place, find_place(root, path));
  const int number = retried(
      [&] { return ::openat(place.folder, place.name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW); });
  if (number >= 0) return Descriptor(number);
  const int error = errno;
  struct stat is{};
  const bool there = ::fstatat(place.folder, place.name.c_str(), &is, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && !S_ISDIR(is.st_mode)) return fail(Errc::kInvalidArgument, path + " is not a folder");
  return failed(error, "opening " + path);
}

Status sync_descriptor(const Descriptor& file, const std::string& what) {
  if (::fsync(file.get()) != 0) return failed(errno, "syncing " + what);
  return {};
}

Status write_all(int file, std::uint64_t offset, ByteView data, const std::string& path) {
  for (std::size_t done = 0; done < data.size();) {
    const ssize_t some = retried(
        [&] { return ::pwrite(file, data.data() + done, data.size() - done, static_cast<off_t>(offset + done)); });
    if (some < 0) return failed(errno, "writing " + path);
    if (some == 0) return fail(Errc::kIo, "writing " + path + ": the drive takes no more bytes");
    done += static_cast<std::size_t>(some);
  }
  return {};
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Listing = std::unique_ptr<DIR, CloseFolder>;

Result<Listing> start_listing(Descriptor folder, const std::string& path) {
  Listing listing(::fdopendir(folder.get()));
  if (!listing) return failed(errno, "listing " + path);
  static_cast<void>(folder.release());
  return listing;
}

// The next name but "." and ".."; null at the end or at an error, which errno then tells.
const dirent* next_entry(DIR* listing) {
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(listing);
    if (entry == nullptr) return nullptr;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return entry;
  }
}

// Blocks taken by what lies below `folder`, so many levels deep, in bytes. What vanishes while it looks counts nothing.
Result<std::uint64_t> used_below(Descriptor folder, const std::string& path, unsigned levels) {
  std::uint64_t sum = 0;
  TRY(const Listing listing, start_listing(std::move(folder), path));
  while (const dirent* const entry = next_entry(listing.get())) {
    struct stat is{};
    if (::fstatat(::dirfd(listing.get()), entry->d_name, &is, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return failed(errno, "measuring " + path);
    }
    sum += static_cast<std::uint64_t>(is.st_blocks) * kStatBlockBytes;
    if (!S_ISDIR(is.st_mode) || levels == 0) continue;
    auto inner = open_at(::dirfd(listing.get()), entry->d_name, O_RDONLY | O_DIRECTORY);
    if (!inner && inner.error() == Errc::kNotFound) continue;
    if (!inner) return fail(inner.error());
    TRY(const std::uint64_t below, used_below(std::move(*inner), path, levels - 1));
    sum += below;
  }
  if (errno != 0) return failed(errno, "measuring " + path);
  return sum;
}

// How much of a bounded capacity is taken: measured every few seconds, with the allocations since then added. Writes
// outside what was allocated, and what other code puts below the root, show at the next measurement.
class Usage {
 public:
  Usage(int root, std::string path, std::uint64_t capacity_bytes)
      : root_(root), path_(std::move(path)), capacity_bytes_(capacity_bytes) {}

  [[nodiscard]] bool bounded() const { return capacity_bytes_ > 0; }
  [[nodiscard]] std::uint64_t capacity_bytes() const { return capacity_bytes_; }

  Result<std::uint64_t> free_bytes() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (!measured_ || now - *measured_ >= kUsageLife) {
      TRY(Descriptor top, open_folder(root_, ""));
      // Zeroed before measuring: an allocation meanwhile is then counted twice rather than not at all.
      since_bytes_ = 0;
      TRY(used_bytes_, used_below(std::move(top), path_, kMeasuredDepth));
      measured_ = now;
    }
    const std::int64_t used = static_cast<std::int64_t>(used_bytes_) + since_bytes_.load();
    return capacity_bytes_ - std::min(capacity_bytes_, static_cast<std::uint64_t>(std::max<std::int64_t>(used, 0)));
  }

  void changed_by(std::int64_t bytes) { since_bytes_ += bytes; }

 private:
  const int root_;
  const std::string path_;
  const std::uint64_t capacity_bytes_;
  std::mutex mutex_;
  std::optional<std::chrono::steady_clock::time_point> measured_;
  std::uint64_t used_bytes_ = 0;
  std::atomic<std::int64_t> since_bytes_{0};
};

// From the kernel's list of locks. None: some file systems show another device there than stat() does, and a process of
// another namespace has no number here.
std::optional<long> locker_of(const struct stat& root) {
  std::array<char, 64> file{};
  std::snprintf(file.data(), file.size(), " %02x:%02x:%ju ", major(root.st_dev), minor(root.st_dev),
                static_cast<std::uintmax_t>(root.st_ino));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    if (line.find(file.data()) == std::string::npos) continue;
    std::istringstream words(line);
    std::string number, kind, advisory, mode;
    long process = 0;
    if (words >> number >> kind >> advisory >> mode >> process && kind == "FLOCK" && process > 0) return process;
  }
  return std::nullopt;
}

// Whether only the kernel still keeps it, until a drive that it waits for answers (proc(5), /proc/pid/stat). Its
// threads share what is open, so the one that hangs keeps the locks of all drives, those that answer among them.
bool has_ended(long process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(") ");
  return name_end != std::string::npos && line.compare(name_end + 2, 1, "Z") == 0;
}

Error held_by_another(const std::string& path, const struct stat& root) {
  const std::optional<long> process = locker_of(root);
  if (process && has_ended(*process)) {
    return {make_error_code(Errc::kTimeout), "drive " + path + " is held by process " + std::to_string(*process) +
                                                 ", which has ended, and waits in the kernel for a drive that hangs"};
  }
  return {make_error_code(Errc::kConflict),
          "drive " + path + " is in use by " + (process ? "process " + std::to_string(*process) : "another process")};
}

// Keeps other processes off a root while any disk or file of this process below it is open. Two servers on one drive
// would each cut off the end of the other's log. flock belongs to an open descriptor, so this process has one for each
// root, however often it opens it.
using RootLock = std::shared_ptr<Descriptor>;

Result<RootLock> lock_root(const Descriptor& folder, const std::string& path) {
  static std::mutex mutex;
  static std::map<std::pair<dev_t, ino_t>, std::weak_ptr<Descriptor>> held;
  struct stat is{};
  if (::fstat(folder.get(), &is) != 0) return failed(errno, "examining " + path);
  const std::lock_guard guard(mutex);
  std::erase_if(held, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Descriptor>& known = held[{is.st_dev, is.st_ino}];
  if (RootLock lock = known.lock()) return lock;
  TRY(Descriptor own, open_at(folder.get(), ".", O_RDONLY | O_DIRECTORY));
  if (retried([&] { return ::flock(own.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK) return fail(held_by_another(path, is));
    return failed(errno, "locking drive " + path);
  }
  auto lock = std::make_shared<Descriptor>(std::move(own));
  known = lock;
  return lock;
}

// The opened root, shared with the files opened below it.
struct Root {
  Root(Descriptor opened, RootLock held, std::string path, std::uint64_t capacity_bytes)
      : folder(std::move(opened)),
        lock(std::move(held)),
        name(std::move(path)),
        usage(folder.get(), name, capacity_bytes) {}
  const Descriptor folder;
  const RootLock lock;
  const std::string name;
  Usage usage;
  FilesInUse in_use;
};

FilesInUse::Identity identity_of(const struct stat& is) { return {is.st_dev, is.st_ino}; }

class RealFile final : public File {
 public:
  // `use`: of one that is writable.
  RealFile(std::shared_ptr<Root> root, Descriptor file, std::string path, std::shared_ptr<const void> use)
      : root_(std::move(root)), file_(std::move(file)), path_(std::move(path)), use_(std::move(use)) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t some = retried([&] {
        return ::pread(file_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      });
      if (some < 0) return failed(errno, "reading " + path_);
      if (some == 0) break;
      done += static_cast<std::size_t>(some);
    }
    return done;
  }

  Result<std::size_t> read_at_nowait(std::uint64_t offset, MutableByteView out) override {
    std::size_t done = 0;
    // A short answer is the file's end or the end of what is in memory: only asking again tells which.
    while (done < out.size()) {
      const iovec piece{out.data() + done, out.size() - done};
      const ssize_t some =
          retried([&] { return ::preadv2(file_.get(), &piece, 1, static_cast<off_t>(offset + done), RWF_NOWAIT); });
      if (some == 0) break;
      if (some < 0 && (errno == EAGAIN || errno == EOPNOTSUPP)) return fail(Errc::kUnavailable, "not in memory");
      if (some < 0) return failed(errno, "reading " + path_);
      done += static_cast<std::size_t>(some);
    }
    return done;
  }

  Status write_at(std::uint64_t offset, ByteView data) override {
    CHECK_OK(check_writable());
    const std::size_t done = is_whole_pages(offset, data) ? write_direct(offset, data) : 0;
    return write_all(file_.get(), offset + done, data.subspan(done), path_);
  }

  Status write_at(std::uint64_t offset, const std::vector<ByteView>& pieces) override {
    CHECK_OK(check_writable());
    std::size_t piece = 0;
    std::size_t in_piece = 0;
    for (;;) {
      std::array<iovec, kPiecesPerCall> batch;
      int count = 0;
      for (std::size_t i = piece, skip = in_piece; i < pieces.size() && count < static_cast<int>(kPiecesPerCall); ++i) {
        const ByteView rest = pieces[i].subspan(skip);
        skip = 0;
        // pwritev only reads the bytes; its interface just cannot say so.
        if (!rest.empty())
          batch[static_cast<std::size_t>(count++)] = {const_cast<std::uint8_t*>(rest.data()), rest.size()};
      }
      if (count == 0) return {};
      const ssize_t some =
          retried([&] { return ::pwritev(file_.get(), batch.data(), count, static_cast<off_t>(offset)); });
      if (some < 0) return failed(errno, "writing " + path_);
      if (some == 0) return fail(Errc::kIo, "writing " + path_ + ": the drive takes no more bytes");
      offset += static_cast<std::uint64_t>(some);
      for (auto left = static_cast<std::size_t>(some); left > 0;) {
        const std::size_t step = std::min(left, pieces[piece].size() - in_piece);
        left -= step;
        in_piece += step;
        if (in_piece == pieces[piece].size()) {
          ++piece;
          in_piece = 0;
        }
      }
    }
  }

  Status sync() override {
    // The kernel marks the pages clean when it failed to write them: a second fdatasync would succeed over lost data.
    if (sync_failed_) return fail(Errc::kIo, "syncing " + path_ + ": an earlier sync failed");
    if (::fdatasync(file_.get()) == 0) return {};
    sync_failed_ = true;
    return fail(Errc::kIo, "syncing " + path_ + ": " + std::generic_category().message(errno));
  }

  Status allocate(std::uint64_t offset, std::uint64_t length) override {
    CHECK_OK(check_writable());
    if (length == 0) return {};
    if (!root_->usage.bounded()) return change_blocks(0, offset, length, "allocating in ");
    TRY(const std::uint64_t free_bytes, root_->usage.free_bytes());
    if (length > free_bytes) {
      return fail(Errc::kNoSpace, "allocating in " + path_ + ": beyond the capacity of " + root_->name);
    }
    return counted(0, offset, length, "allocating in ");
  }

  Status punch(std::uint64_t offset, std::uint64_t length) override {
    CHECK_OK(check_writable());
    if (length == 0) return {};
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (!root_->usage.bounded()) return change_blocks(mode, offset, length, "punching ");
    return counted(mode, offset, length, "punching ");
  }

  Status truncate(std::uint64_t size) override {
    CHECK_OK(check_writable());
    if (retried([&] { return ::ftruncate(file_.get(), static_cast<off_t>(size)); }) != 0) {
      return failed(errno, "truncating " + path_);
    }
    return {};
  }

  Result<std::uint64_t> size() override {
    TRY(const struct stat is, status());
    return static_cast<std::uint64_t>(is.st_size);
  }

  Result<std::uint64_t> allocated() override {
    TRY(const struct stat is, status());
    return static_cast<std::uint64_t>(is.st_blocks) * kStatBlockBytes;
  }

 private:
  static bool is_whole_pages(std::uint64_t offset, ByteView data) {
    return data.size() >= kDirectMinBytes && data.size() % kPageBytes == 0 && offset % kPageBytes == 0 &&
           reinterpret_cast<std::uintptr_t>(data.data()) % kPageBytes == 0;
  }

  // Answers how many bytes it wrote. What it could not write, for whatever reason, is left to the usual way, which
  // tells the reason.
  std::size_t write_direct(std::uint64_t offset, ByteView data) {
    std::call_once(direct_opened_, [this] {
      const std::string self = "/proc/self/fd/" + std::to_string(file_.get());
      direct_ = Descriptor(retried([&] { return ::open(self.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC); }));
    });
    if (direct_.get() < 0) return 0;  // a file system without it, or no /proc
    std::size_t done = 0;
    while (done < data.size()) {
      const ssize_t some = retried([&] {
        return ::pwrite(direct_.get(), data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
      });
      if (some <= 0) break;
      done += static_cast<std::size_t>(some);
    }
    return done;
  }

  Status check_writable() const {
    if (use_ != nullptr) return {};
    return fail(Errc::kInvalidArgument, path_ + " was opened for reading only");
  }

  Result<struct stat> status() const {
    struct stat is{};
    if (::fstat(file_.get(), &is) != 0) return failed(errno, "examining " + path_);
    return is;
  }

  Status change_blocks(int mode, std::uint64_t offset, std::uint64_t length, const char* doing) {
    const int result =
        retried([&] { return ::fallocate(file_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)); });
    if (result != 0) return failed(errno, doing + path_);
    return {};
  }

  Status counted(int mode, std::uint64_t offset, std::uint64_t length, const char* doing) {
    TRY(const std::uint64_t before, allocated());
    CHECK_OK(change_blocks(mode, offset, length, doing));
    TRY(const std::uint64_t after, allocated());
    root_->usage.changed_by(static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before));
    return {};
  }

  const std::shared_ptr<Root> root_;
  const Descriptor file_;
  const std::string path_;
  const std::shared_ptr<const void> use_;
  std::once_flag direct_opened_;
  Descriptor direct_{-1};
  std::atomic<bool> sync_failed_{false};
};

class RealDisk final : public Disk {
 public:
  explicit RealDisk(std::shared_ptr<Root> root) : root_(std::move(root)) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    CHECK_OK(check_file_path(path));
    const int flags = mode == OpenMode::kRead        ? O_RDONLY
                      : mode == OpenMode::kReadWrite ? O_RDWR
                                                     : O_RDWR | O_CREAT | O_EXCL;
    // Never blocks on what an operator put there by mistake, such as a pipe; the check below refuses it.
    TRY(Descriptor file, open_at(fd(), path, flags | O_NONBLOCK));
    struct stat is{};
    if (::fstat(file.get(), &is) != 0) return failed(errno, "examining " + path);
    if (!S_ISREG(is.st_mode)) return fail(Errc::kInvalidArgument, path + " is not a file");
    auto use = mode == OpenMode::kRead ? nullptr : root_->in_use.add(path, identity_of(is));
    return std::make_unique<RealFile>(root_, std::move(file), path, std::move(use));
  }

  Status replace(const std::string& path, ByteView data) override {
    CHECK_OK(check_file_path(path));
    const std::lock_guard lock(replacing_);
    TRY(const Place place, find_place(fd(), path));
    const std::string temporary = place.spare();
    Status written = write_temporary(place, path, data);
    if (written && ::renameat(place.folder, temporary.c_str(), place.folder, place.name.c_str()) != 0) {
      written = failed(errno, "renaming to " + path);
    }
    if (!written) {
      ::unlinkat(place.folder, temporary.c_str(), 0);
      return written;
    }
    return sync_folder(parent_of(path));
  }

  Status replace_in_reserve(const std::string& path, ByteView data, std::uint64_t reserve_bytes) override {
    CHECK_OK(check_file_path(path));
    const std::lock_guard lock(replacing_);
    TRY(const Place place, find_place(fd(), path));
    // Which of the two files the name means must be durable before the other one is written over.
    if (!settled_.contains(path)) CHECK_OK(sync_folder(parent_of(path)));
    settled_.erase(path);
    const Status written = write_spare(place, path, data, reserve_bytes);
    if (!written) {
      // Without room it keeps what it holds; anything else may be its own fault.
      if (written.error() != Errc::kNoSpace) ::unlinkat(place.folder, place.spare().c_str(), 0);
      return written;
    }
    CHECK_OK(sync_folder(parent_of(path)));
    settled_.insert(path);
    // Not taken now, it is the next time, or by keep_reserve().
    static_cast<void>(hold_blocks(place, path, reserve_bytes));
    return {};
  }

  Status keep_reserve(const std::string& path, std::uint64_t reserve_bytes) override {
    CHECK_OK(check_file_path(path));
    const std::lock_guard lock(replacing_);
    TRY(const Place place, find_place(fd(), path));
    if (reserve_bytes > 0) return hold_blocks(place, path, reserve_bytes);
    if (::unlinkat(place.folder, place.spare().c_str(), 0) == 0 || errno == ENOENT) return {};
    return failed(errno, "removing what is kept for " + path);
  }

  Result<Bytes> read_all(const std::string& path, std::size_t limit) override {
    TRY(const std::unique_ptr<File> file, open(path, OpenMode::kRead));
    TRY(const std::uint64_t size, file->size());
    if (size > limit) return fail(Errc::kCorrupt, path + " is longer than " + std::to_string(limit) + " bytes");
    Bytes content(size);
    TRY(const std::size_t count, file->read_at(0, content));
    content.resize(count);
    return content;
  }

  Status remove(const std::string& path) override {
    CHECK_OK(check_file_path(path));
    TRY(const Place place, find_place(fd(), path));
    const auto given_up = root_->in_use.give_up(path);
    if (::unlinkat(place.folder, place.name.c_str(), 0) == 0) return {};
    if (errno == EISDIR && ::unlinkat(place.folder, place.name.c_str(), AT_REMOVEDIR) == 0) return {};
    const int error = errno;
    for (const auto& use : given_up) use->given_up = false;
    return failed(error, "removing " + path);
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    CHECK_OK(check_path(folder));
    TRY(Descriptor opened, open_folder(fd(), folder));
    TRY(const Listing listing, start_listing(std::move(opened), folder));
    std::vector<std::string> names;
    while (const dirent* const entry = next_entry(listing.get())) {
      const std::string_view name = entry->d_name;
      if (!name.ends_with(kTemporarySuffix)) names.emplace_back(name);
    }
    if (errno != 0) return failed(errno, "listing " + folder);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status make_folder(const std::string& path) override {
    CHECK_OK(check_path(path));
    std::string parent;
    for (std::size_t at = 0; at < path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      const std::string made = path.substr(0, end);
      TRY(const Place place, find_place(fd(), made));
      if (::mkdirat(place.folder, place.name.c_str(), kFolderMode) != 0) {
        const int error = errno;
        struct stat is{};
        const bool there =
            error == EEXIST && ::fstatat(place.folder, place.name.c_str(), &is, AT_SYMLINK_NOFOLLOW) == 0;
        if (!there) return failed(error, "making folder " + made);
        if (!S_ISDIR(is.st_mode)) return fail(Errc::kAlreadyExists, made + " is not a folder");
      }
      // Also where it was there: a process that stopped before this sync may have made it.
      CHECK_OK(sync_folder(parent));
      parent = made;
      at = end + 1;
    }
    return {};
  }

  Status sync_folder(const std::string& folder) override {
    CHECK_OK(check_path(folder));
    TRY(const Descriptor opened, open_folder(fd(), folder));
    return sync_descriptor(opened, "folder " + folder);
  }

  Result<Space> space() override {
    struct statvfs is{};
    if (::fstatvfs(fd(), &is) != 0) return failed(errno, "measuring " + root_->name);
    Space space{is.f_blocks * is.f_frsize, is.f_bavail * is.f_frsize};
    if (!root_->usage.bounded()) return space;
    TRY(const std::uint64_t free_bytes, root_->usage.free_bytes());
    space.total_bytes = std::min(space.total_bytes, root_->usage.capacity_bytes());
    space.free_bytes = std::min(space.free_bytes, free_bytes);
    return space;
  }

  Status probe() override {
    struct stat named{};
    struct stat opened{};
    if (::stat(root_->name.c_str(), &named) != 0) return lost(std::generic_category().message(errno));
    if (::fstat(fd(), &opened) != 0) return lost(std::generic_category().message(errno));
    if (named.st_dev != opened.st_dev || named.st_ino != opened.st_ino) {
      return lost("another folder took the place of the one that was opened");
    }
    struct statvfs system{};
    if (::fstatvfs(fd(), &system) != 0) return lost(std::generic_category().message(errno));
    if ((system.f_flag & ST_RDONLY) != 0) return lost("its file system is read-only");
    return probe_in_use();
  }

  Result<std::shared_ptr<const void>> watch(const std::string& path) override {
    CHECK_OK(check_path(path));
    TRY(const Place place, find_place(fd(), path));
    // Kept open: else a file system may give the number of what was removed to what is made next.
    struct Watched {
      Descriptor pinned;
      std::shared_ptr<const void> use;
    };
    Descriptor pinned(
        retried([&] { return ::openat(place.folder, place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); }));
    struct stat is{};
    if (pinned.get() < 0 || ::fstat(pinned.get(), &is) != 0) return failed(errno, "examining " + path);
    auto use = root_->in_use.add(path, identity_of(is));
    return std::make_shared<const Watched>(std::move(pinned), std::move(use));
  }

  Status probe_writing() override {
    const int number =
        retried([&] { return ::openat(fd(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR); });
    if (number < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) return {};
    if (number < 0) return failed(errno, "probing whether " + root_->name + " can be written to");
    const Descriptor file(number);
    const std::array<std::uint8_t, kProbeBytes> zeros{};
    const auto written = retried([&] { return ::pwrite(file.get(), zeros.data(), zeros.size(), 0); });
    if (written < 0) return failed(errno, "probing whether " + root_->name + " can be written to");
    return sync_descriptor(file, root_->name);
  }

  // Should it fail, the root stays with this process, as it would without.
  void unlock() override {
    (void)retried([&] { return ::flock(root_->lock->get(), LOCK_UN); });
  }

  std::string root() const override { return root_->name; }

 private:
  [[nodiscard]] int fd() const { return root_->folder.get(); }

  static Status check_file_path(const std::string& path) {
    if (path.empty()) return fail(Errc::kInvalidArgument, "the root is a folder, not a file");
    return check_path(path);
  }

  // Every way of losing the root is a failed drive, whatever the system's code for it.
  [[nodiscard]] Status lost(const std::string& why) const { return fail(Errc::kIo, root_->name + ": " + why); }

  // By path, so that each folder is looked for once.
  [[nodiscard]] Status probe_in_use() const {
    std::optional<std::string> parent;
    std::optional<Result<Place>> place;
    for (const auto& use : root_->in_use.all()) {
      if (parent != parent_of(use->path)) {
        parent = parent_of(use->path);
        place = find_place(fd(), use->path);
      }
      if (!*place && place->error() == Errc::kOverloaded) return fail(place->error());
      const std::string name = use->path.substr(parent->empty() ? 0 : parent->size() + 1);
      struct stat named{};
      const bool there = *place && ::fstatat((*place)->folder, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0;
      if (there && identity_of(named) == use->identity) continue;
      if (!use->goes_on()) continue;
      return lost(use->path + (there ? " is another file than the one in use" : ", which is in use, is gone"));
    }
    return {};
  }

  // A new file, whatever lay there: written through a pipe or a second name it would go astray.
  static Result<Descriptor> make_spare(const Place& place, const std::string& path) {
    for (const bool again : {false, true}) {
      const int number = retried([&] {
        return ::openat(place.folder, place.spare().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
      });
      if (number >= 0) return Descriptor(number);
      if (errno != EEXIST || again) break;
      if (::unlinkat(place.folder, place.spare().c_str(), 0) != 0) break;
    }
    return failed(errno, "making what replaces " + path);
  }

  static Status write_temporary(const Place& place, const std::string& path, ByteView data) {
    TRY(const Descriptor file, make_spare(place, path));
    CHECK_OK(write_all(file.get(), 0, data, path));
    return sync_descriptor(file, path);
  }

  // The spare file with the blocks that it holds, or a new one.
  static Result<Descriptor> open_spare(const Place& place, const std::string& path) {
    const int number = retried(
        [&] { return ::openat(place.folder, place.spare().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW); });
    Descriptor file(number);
    struct stat is{};
    const bool ours = number >= 0 && ::fstat(number, &is) == 0 && S_ISREG(is.st_mode) && is.st_nlink == 1;
    if (ours) return file;
    return make_spare(place, path);
  }

  // Beyond its end too. What is not to be had now is found out by who needs it.
  static bool take_blocks(const Descriptor& file, std::uint64_t bytes) {
    return retried([&] { return ::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)); }) == 0;
  }

  // Writes the spare file in place, and has it change names with the file.
  static Status write_spare(const Place& place, const std::string& path, ByteView data, std::uint64_t reserve_bytes) {
    TRY(const Descriptor file, open_spare(place, path));
    struct stat is{};
    if (::fstat(file.get(), &is) != 0) return failed(errno, "examining what replaces " + path);
    static_cast<void>(take_blocks(file, reserve_bytes));
    CHECK_OK(write_all(file.get(), 0, data, path));
    if (static_cast<std::uint64_t>(is.st_size) > data.size()) {
      if (retried([&] { return ::ftruncate(file.get(), static_cast<off_t>(data.size())); }) != 0) {
        return failed(errno, "truncating what replaces " + path);
      }
      static_cast<void>(take_blocks(file, reserve_bytes));
    }
    CHECK_OK(sync_descriptor(file, path));
    const std::string spare = place.spare();
    // A folder would change names as well.
    if (::fstatat(place.folder, place.name.c_str(), &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(is.st_mode)) {
      return fail(Errc::kInvalidArgument, path + " is a folder");
    }
    if (::renameat2(place.folder, spare.c_str(), place.folder, place.name.c_str(), RENAME_EXCHANGE) == 0) return {};
    // There is none yet, or the file system cannot: then the old one's blocks are given back.
    if (errno != ENOENT && errno != EINVAL) return failed(errno, "renaming to " + path);
    if (::renameat(place.folder, spare.c_str(), place.folder, place.name.c_str()) == 0) return {};
    return failed(errno, "renaming to " + path);
  }

  [[nodiscard]] Status hold_blocks(const Place& place, const std::string& path, std::uint64_t bytes) {
    struct stat is{};
    const auto held = [&] { return static_cast<std::uint64_t>(is.st_blocks) * kStatBlockBytes >= bytes; };
    if (::fstatat(place.folder, place.spare().c_str(), &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(is.st_mode) &&
        held()) {
      return {};
    }
    TRY(const Descriptor file, open_spare(place, path));
    const bool taken = take_blocks(file, bytes);
    if (::fstat(file.get(), &is) != 0) return failed(errno, "examining what is kept for " + path);
    if (!taken || !held()) return fail(Errc::kNoSpace, "no room to keep for " + path);
    CHECK_OK(sync_descriptor(file, path));
    return sync_folder(parent_of(path));
  }

  const std::shared_ptr<Root> root_;
  std::mutex replacing_;  // two replacements of one name would share its temporary file
  // Under it: paths whose last replacement in reserve is known to be durable, their spare files' contents then
  // nobody's.
  std::set<std::string> settled_;
};

}  // namespace

Result<std::unique_ptr<Disk>> open_real_disk(const std::string& root, std::uint64_t capacity_bytes) {
  std::error_code error;
  const std::string path = std::filesystem::absolute(root, error).string();
  if (error || root.empty()) return fail(Errc::kInvalidArgument, "\"" + root + "\" is no path of a folder");
  const int number = retried([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (number < 0) return failed(errno, "opening drive " + path);
  Descriptor folder(number);
  TRY(RootLock lock, lock_root(folder, path));
  return std::make_unique<RealDisk>(std::make_shared<Root>(std::move(folder), std::move(lock), path, capacity_bytes));
}

}  // namespace andromede::io
