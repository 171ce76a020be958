#include "meta/rocksdb/state_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <utility>

#include "meta/rocksdb/raw_file.h"

namespace andromede::meta {
namespace {

// RocksDB makes no folders in its own: what is nested deeper is somebody else's.
constexpr unsigned kMaxDepth = 8;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// Null with errno.
Folder open_folder(int in, const char* name, int flags) {
  const int number = ::openat(in, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
  if (number < 0) return nullptr;
  Folder folder(::fdopendir(number));
  if (!folder) ::close(number);
  return folder;
}

const char* kind_of(mode_t mode) {
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISREG(mode)) return "a file";
  return S_ISDIR(mode) ? "a folder" : "a device";
}

// What was there a moment ago and is gone is not what a caller would take kNotFound for.
Error failure(int number, const std::string& path) {
  Error error = errno_error(number, path);
  return error == Errc::kNotFound ? Error(make_error_code(Errc::kIo), error.message()) : error;
}

Error not_plain(const std::string& path, mode_t mode) {
  return {make_error_code(Errc::kCorrupt), path + " is " + kind_of(mode) + ": a mirror holds folders and files only"};
}

// The folder that the last name of `path` lies in; null: there is none.
struct Place {
  Folder folder;
  std::string name;
  std::string whole;  // for people
  mode_t mode = 0;    // of what is there; 0: nothing
};

Result<Place> find(const std::string& root, const std::string& path) {
  // The root's own name is the operator's, links and all.
  Place place{open_folder(AT_FDCWD, root.c_str(), 0), path, root, 0};
  if (!place.folder) return fail(failure(errno, root));
  for (;;) {
    const std::size_t slash = place.name.find('/');
    const std::string next = place.name.substr(0, slash);
    struct stat is{};
    place.whole += "/" + next;
    if (::fstatat(::dirfd(place.folder.get()), next.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) return fail(failure(errno, place.whole));
      place.mode = 0;
      return place;
    }
    if (slash == std::string::npos) {
      place.mode = is.st_mode;
      return place;
    }
    if (!S_ISDIR(is.st_mode)) return fail(not_plain(place.whole, is.st_mode));
    Folder inner = open_folder(::dirfd(place.folder.get()), next.c_str(), O_NOFOLLOW);
    if (!inner) return fail(failure(errno, place.whole));
    place.folder = std::move(inner);
    place.name.erase(0, slash + 1);
  }
}

// Told of each entry, in no order; it is asked no further after an error.
using Entry = std::function<Status(int folder, const std::string& name, mode_t mode, const std::string& whole)>;

Status each_entry(int in, const std::string& name, const std::string& whole, const Entry& tell) {
  const Folder folder = open_folder(in, name.c_str(), O_NOFOLLOW);
  if (!folder) return fail(failure(errno, whole));
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(folder.get());
    if (entry == nullptr && errno != 0) return fail(failure(errno, whole));
    if (entry == nullptr) return {};
    const std::string inner = entry->d_name;
    if (inner == "." || inner == "..") continue;
    struct stat is{};
    if (::fstatat(::dirfd(folder.get()), inner.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return fail(failure(errno, whole + "/" + inner));
    }
    CHECK_OK(tell(::dirfd(folder.get()), inner, is.st_mode, whole + "/" + inner));
  }
}

Error too_deep(const std::string& whole) {
  return {make_error_code(Errc::kCorrupt), whole + ": folders nested too deep for a mirror"};
}

Status check_tree(int folder, const std::string& name, mode_t mode, const std::string& whole, unsigned depth) {
  if (S_ISREG(mode)) return {};
  if (!S_ISDIR(mode)) return fail(not_plain(whole, mode));
  if (depth == 0) return fail(too_deep(whole));
  return each_entry(folder, name, whole,
                    [depth](int in, const std::string& inner, mode_t what, const std::string& where) {
                      return check_tree(in, inner, what, where, depth - 1);
                    });
}

Status remove_tree(int folder, const std::string& name, mode_t mode, const std::string& whole, unsigned depth) {
  if (S_ISDIR(mode)) {
    if (depth == 0) return fail(too_deep(whole));
    CHECK_OK(each_entry(folder, name, whole,
                        [depth](int in, const std::string& inner, mode_t what, const std::string& where) {
                          return remove_tree(in, inner, what, where, depth - 1);
                        }));
  }
  if (::unlinkat(folder, name.c_str(), S_ISDIR(mode) ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT) return {};
  return fail(failure(errno, whole));
}

}  // namespace

Status check_plain(const std::string& root, const std::string& path) {
  TRY(const Place place, find(root, path));
  if (place.mode == 0) return {};
  return check_tree(::dirfd(place.folder.get()), place.name, place.mode, place.whole, kMaxDepth);
}

Status remove_plain(const std::string& root, const std::string& path) {
  TRY(const Place place, find(root, path));
  if (place.mode == 0) return {};
  return remove_tree(::dirfd(place.folder.get()), place.name, place.mode, place.whole, kMaxDepth);
}

Result<bool> holds_anything(const std::string& root, const std::string& path) {
  TRY(const Place place, find(root, path));
  if (place.mode == 0) return false;
  if (!S_ISDIR(place.mode)) return true;
  bool any = false;
  CHECK_OK(each_entry(::dirfd(place.folder.get()), place.name, place.whole,
                      [&any](int, const std::string&, mode_t, const std::string&) -> Status {
                        any = true;
                        return {};
                      }));
  return any;
}

}  // namespace andromede::meta
