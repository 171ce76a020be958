#include "io/disk_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"

namespace andromede::io {
namespace {

using Inode = std::pair<dev_t, ino_t>;

struct Fault {
  std::string call;
  int error = 0;  // 0: shortened
  std::size_t bytes = 0;
  unsigned after = 0;
};

struct Watch {
  std::string folder;
  std::map<Inode, std::string> unsynced_content;
  std::map<Inode, std::string> unsynced_names;
  std::set<std::string> broken_order;
  std::vector<std::string> calls;
  std::vector<Fault> faults;
};

std::mutex mutex;
std::optional<Watch> watch;  // under the mutex

std::optional<Inode> inode_at(int folder, const std::string& path) {
  struct stat is{};
  if (::fstatat(folder, path.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return Inode{is.st_dev, is.st_ino};
}

std::string path_of(int descriptor) {
  std::array<char, 4096> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  return size < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

std::string absolute(int folder, const std::string& path) {
  if (path.starts_with('/')) return path;
  const std::string base = folder == AT_FDCWD ? std::filesystem::current_path().string() : path_of(folder);
  return (std::filesystem::path(base) / path).lexically_normal().string();
}

// As tests name it; nullopt: not below the watched folder.
std::optional<std::string> watched(const std::string& path) {
  if (!watch) return std::nullopt;
  std::string plain = std::filesystem::path(path).lexically_normal().string();
  if (plain.ends_with("/.")) plain.resize(plain.size() - 2);
  while (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
  if (plain == watch->folder) return ".";
  if (!plain.starts_with(watch->folder + "/")) return std::nullopt;
  return plain.substr(watch->folder.size() + 1);
}

void names_changed(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const auto inode = inode_at(AT_FDCWD, parent);
  if (inode) watch->unsynced_names[*inode] = watched(parent).value_or(parent);
}

// Notes the call; answers the fault that it is to meet.
std::optional<Fault> enter(const std::string& call, const std::string& path) {
  watch->calls.push_back(call + " " + path);
  const auto found =
      std::find_if(watch->faults.begin(), watch->faults.end(), [&](const Fault& fault) { return fault.call == call; });
  if (found == watch->faults.end()) return std::nullopt;
  if (found->after > 0) {
    --found->after;
    return std::nullopt;
  }
  Fault fault = *found;
  watch->faults.erase(found);
  return fault;
}

// A change of an open file's content: `change` makes the call with so many bytes.
template <typename Change>
auto change_content(const char* call, int file, std::size_t bytes, Change change) -> decltype(change(bytes)) {
  const std::lock_guard lock(mutex);
  const auto path = watched(path_of(file));
  if (!path) return change(bytes);
  const bool direct = (::fcntl(file, F_GETFL) & O_DIRECT) != 0;
  const auto fault = enter(std::string(call) + (direct ? " direct" : ""), *path);
  if (fault && fault->error != 0) {
    errno = fault->error;
    return -1;
  }
  const auto result = change(fault ? std::min(fault->bytes, bytes) : bytes);
  struct stat is{};
  if (result >= 0 && ::fstat(file, &is) == 0) watch->unsynced_content[{is.st_dev, is.st_ino}] = *path;
  return result;
}

template <typename Sync>
int sync_file(const char* call, int file, Sync sync) {
  const std::lock_guard lock(mutex);
  const auto path = watched(path_of(file));
  if (!path) return sync();
  if (const auto fault = enter(call, *path)) {
    errno = fault->error;
    return -1;
  }
  const int result = sync();
  struct stat is{};
  if (result == 0 && ::fstat(file, &is) == 0) {
    watch->unsynced_content.erase({is.st_dev, is.st_ino});
    if (std::string_view(call) == "fsync") watch->unsynced_names.erase({is.st_dev, is.st_ino});
  }
  return result;
}

template <typename Open>
int open_file(int folder, const char* name, int flags, Open open) {
  std::unique_lock lock(mutex);
  const std::string whole = absolute(folder, name);
  const auto path = watched(whole);
  if (!path) {
    lock.unlock();  // a pipe's opening waits for its other end
    return open();
  }
  if (const auto fault = enter("open", *path)) {
    errno = fault->error;
    return -1;
  }
  const auto before = inode_at(AT_FDCWD, whole);
  const int result = open();
  if (result < 0) return result;
  if (!before && (flags & O_CREAT) != 0) names_changed(whole);
  if (before && (flags & O_TRUNC) != 0) watch->unsynced_content[*before] = *path;
  return result;
}

template <typename Rename>
int rename_file(const std::string& from, const std::string& to, Rename rename) {
  const std::lock_guard lock(mutex);
  const auto source = watched(from);
  const auto target = watched(to);
  if (!source || !target) return rename();
  if (const auto fault = enter("rename", *target)) {
    errno = fault->error;
    return -1;
  }
  const auto inode = inode_at(AT_FDCWD, from);
  const int result = rename();
  if (result != 0) return result;
  if (inode && watch->unsynced_content.contains(*inode)) {
    watch->broken_order.insert(*target);
    watch->unsynced_content[*inode] = *target;
  }
  names_changed(from);
  names_changed(to);
  return result;
}

template <typename Change>
int change_name(const char* call, const std::string& whole, Change change) {
  const std::lock_guard lock(mutex);
  const auto path = watched(whole);
  if (!path) return change();
  if (const auto fault = enter(call, *path)) {
    errno = fault->error;
    return -1;
  }
  const auto before = inode_at(AT_FDCWD, whole);
  const int result = change();
  if (result != 0) return result;
  names_changed(whole);
  if (before) {
    // Nobody owes a removed file its content, nor a removed folder its names.
    watch->unsynced_content.erase(*before);
    watch->unsynced_names.erase(*before);
  }
  return result;
}

}  // namespace

DiskCalls::DiskCalls(const std::string& folder) {
  const std::lock_guard lock(mutex);
  CHECK(!watch, "one watch at a time");
  watch.emplace();
  watch->folder = std::filesystem::canonical(folder).string();
}

DiskCalls::~DiskCalls() {
  const std::lock_guard lock(mutex);
  watch.reset();
}

std::vector<std::string> DiskCalls::at_risk() const {
  const std::lock_guard lock(mutex);
  std::vector<std::string> all;
  for (const auto& [inode, path] : watch->unsynced_content) all.push_back("content of " + path);
  for (const auto& [inode, path] : watch->unsynced_names) all.push_back("names in " + path);
  for (const std::string& path : watch->broken_order) all.push_back("order of " + path);
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<std::string> DiskCalls::take() {
  const std::lock_guard lock(mutex);
  return std::exchange(watch->calls, {});
}

void DiskCalls::fail_next(const std::string& call, int error, unsigned after) {
  const std::lock_guard lock(mutex);
  watch->faults.push_back({call, error, 0, after});
}

void DiskCalls::shorten_next(const std::string& call, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  watch->faults.push_back({call, 0, bytes, 0});
}

}  // namespace andromede::io

// What the linker (--wrap) calls instead, and what it then knows the C library's by.
// NOLINTBEGIN(readability-identifier-naming): the linker chose the names.
extern "C" {
int __real_open(const char* path, int flags, ...);
int __real_openat(int folder, const char* path, int flags, ...);
ssize_t __real_write(int file, const void* data, std::size_t size);
ssize_t __real_pwrite(int file, const void* data, std::size_t size, off_t offset);
ssize_t __real_pwritev(int file, const iovec* pieces, int count, off_t offset);
int __real_ftruncate(int file, off_t size);
int __real_fallocate(int file, int mode, off_t offset, off_t length);
int __real_fsync(int file);
int __real_fdatasync(int file);
int __real_rename(const char* from, const char* to);
int __real_renameat(int from_folder, const char* from, int to_folder, const char* to);
int __real_renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags);
int __real_unlink(const char* path);
int __real_unlinkat(int folder, const char* path, int flags);
int __real_mkdirat(int folder, const char* path, mode_t mode);

using namespace andromede::io;

static mode_t mode_of(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : mode_t{0};
}

int __wrap_open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(AT_FDCWD, path, flags, [&] { return __real_open(path, flags, mode); });
}
int __wrap_openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(folder, path, flags, [&] { return __real_openat(folder, path, flags, mode); });
}
ssize_t __wrap_write(int file, const void* data, std::size_t size) {
  return change_content("write", file, size, [&](std::size_t bytes) { return __real_write(file, data, bytes); });
}
ssize_t __wrap_pwrite(int file, const void* data, std::size_t size, off_t offset) {
  return change_content("pwrite", file, size,
                        [&](std::size_t bytes) { return __real_pwrite(file, data, bytes, offset); });
}
ssize_t __wrap_pwritev(int file, const iovec* pieces, int count, off_t offset) {
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) size += pieces[i].iov_len;
  return change_content("pwritev", file, size, [&](std::size_t bytes) {
    if (bytes == size) return __real_pwritev(file, pieces, count, offset);
    const iovec first{pieces[0].iov_base, std::min(bytes, pieces[0].iov_len)};
    return __real_pwritev(file, &first, 1, offset);
  });
}
int __wrap_ftruncate(int file, off_t size) {
  return change_content("ftruncate", file, 0, [&](std::size_t) { return __real_ftruncate(file, size); });
}
int __wrap_fallocate(int file, int mode, off_t offset, off_t length) {
  return change_content("fallocate", file, 0,
                        [&](std::size_t) { return __real_fallocate(file, mode, offset, length); });
}
int __wrap_fsync(int file) {
  return sync_file("fsync", file, [&] { return __real_fsync(file); });
}
int __wrap_fdatasync(int file) {
  return sync_file("fdatasync", file, [&] { return __real_fdatasync(file); });
}
int __wrap_rename(const char* from, const char* to) {
  return rename_file(absolute(AT_FDCWD, from), absolute(AT_FDCWD, to), [&] { return __real_rename(from, to); });
}
int __wrap_renameat(int from_folder, const char* from, int to_folder, const char* to) {
  return rename_file(absolute(from_folder, from), absolute(to_folder, to),
                     [&] { return __real_renameat(from_folder, from, to_folder, to); });
}
int __wrap_renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  return rename_file(absolute(from_folder, from), absolute(to_folder, to),
                     [&] { return __real_renameat2(from_folder, from, to_folder, to, flags); });
}
int __wrap_unlink(const char* path) {
  return change_name("unlink", absolute(AT_FDCWD, path), [&] { return __real_unlink(path); });
}
int __wrap_unlinkat(int folder, const char* path, int flags) {
  return change_name("unlink", absolute(folder, path), [&] { return __real_unlinkat(folder, path, flags); });
}
int __wrap_mkdirat(int folder, const char* path, mode_t mode) {
  return change_name("mkdir", absolute(folder, path), [&] { return __real_mkdirat(folder, path, mode); });
}
}
// NOLINTEND(readability-identifier-naming)
