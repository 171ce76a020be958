#include "meta/rocksdb/raw_file.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace andromede::meta {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;
constexpr mode_t kFileMode = 0640;

Errc code_of(int number) {
  switch (number) {
    case ENOENT:
      return Errc::kNotFound;
    case ENOSPC:
    case EDQUOT:
      return Errc::kNoSpace;
    case EMFILE:
    case ENFILE:
      return Errc::kOverloaded;
    default:
      return Errc::kIo;
  }
}

}  // namespace

Error errno_error(int number, const std::string& path) {
  return {make_error_code(code_of(number)), path + ": " + std::generic_category().message(number)};
}

RawFile::RawFile(const std::string& path, int flags)
    : path_(path),
      number_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kFileMode)),
      open_errno_(number_ < 0 ? errno : 0) {}

RawFile::~RawFile() {
  if (number_ >= 0) ::close(number_);
}

Status RawFile::opened() const {
  if (number_ >= 0) return {};
  return fail(errno_error(open_errno_, path_));
}

Status RawFile::read_on(const std::function<Status(ByteView)>& take) {
  Bytes piece(kPieceBytes);
  for (;;) {
    const ssize_t count = ::read(number_, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(errno_error(errno, path_));
    if (count == 0) return {};
    CHECK_OK(take(ByteView(piece).first(static_cast<std::size_t>(count))));
  }
}

Status RawFile::write(ByteView data) {
  while (!data.empty()) {
    const ssize_t count = ::write(number_, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(errno_error(errno, path_));
    data = data.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Status RawFile::sync() {
  if (::fsync(number_) != 0) return fail(errno_error(errno, path_));
  return {};
}

void RawFile::forget_cached() { ::posix_fadvise(number_, 0, 0, POSIX_FADV_DONTNEED); }

}  // namespace andromede::meta
