#include "cloud_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace andromede::app {
namespace {

Error io_error(const std::string& path, const char* what) {
  const int error = errno;
  const Errc code = error == ENOENT ? Errc::kNotFound : error == ENOSPC ? Errc::kNoSpace : Errc::kIo;
  return {make_error_code(code), path + ": " + what + ": " + std::generic_category().message(error)};
}

// Closes on every way out.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool ok() const { return number_ >= 0; }

 private:
  int number_;
};

Result<std::string> read_limited(const std::string& path, bool must_be_private) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return fail(io_error(path, "cannot be opened"));
  if (must_be_private) {
    struct stat info{};
    if (::fstat(file.number(), &info) != 0) return fail(io_error(path, "cannot be examined"));
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
      return fail(Errc::kRefused, path + " can be read by others: chmod 600 it, and replace the secret");
    }
  }
  std::string content;
  char block[16384];
  while (true) {
    const ssize_t count = ::read(file.number(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(io_error(path, "cannot be read"));
    if (count == 0) return content;
    content.append(block, static_cast<std::size_t>(count));
    if (content.size() > kMaxSmallFileBytes) return fail(Errc::kInvalidArgument, path + " is over 4 MiB");
  }
}

Status write_all(int file, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t count = ::write(file, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(io_error(path, "cannot be written"));
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

std::string absolute_path(const std::string& path) {
  if (path.empty()) return {};
  std::string absolute = std::filesystem::absolute(path).lexically_normal().string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

Result<std::string> read_text_file(const std::string& path) { return read_limited(path, false); }

Result<std::string> read_secret_file(const std::string& path) { return read_limited(path, true); }

Status write_file(const std::string& path, std::string_view content, bool secret) {
  const std::string temporary = path + ".new";
  {
    const mode_t mode = secret ? 0600 : 0644;
    ::unlink(temporary.c_str());
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file.ok()) return fail(io_error(temporary, "cannot be made"));
    CHECK_OK(write_all(file.number(), content, temporary));
    if (::fsync(file.number()) != 0) return fail(io_error(temporary, "cannot be synced"));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(io_error(path, "cannot be put in place"));
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok() || ::fsync(folder.number()) != 0) return fail(io_error(parent, "cannot be synced"));
  return {};
}

}  // namespace andromede::app
