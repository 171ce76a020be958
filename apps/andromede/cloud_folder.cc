#include "cloud_folder.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "messages.h"

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
  struct stat info{};
  if (::fstat(file.number(), &info) != 0) return fail(io_error(path, "cannot be examined"));
  if (S_ISDIR(info.st_mode)) return fail(Errc::kInvalidArgument, text(Msg::kIsAFolder, {path}));
  if (must_be_private && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(Errc::kRefused, path + " can be read by others: chmod 600 it, and replace the secret");
  }
  std::string content;
  char block[16384];
  while (true) {
    const ssize_t count = ::read(file.number(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(io_error(path, "cannot be read"));
    if (count == 0) return content;
    content.append(block, static_cast<std::size_t>(count));
    if (must_be_private) OPENSSL_cleanse(block, static_cast<std::size_t>(count));
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

// Errors name `path`, which is what somebody asked for.
Status write_new(const std::string& temporary, std::string_view content, mode_t mode, const std::string& path) {
  const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file.ok()) return fail(io_error(path, "cannot be made"));
  CHECK_OK(write_all(file.number(), content, path));
  if (::fsync(file.number()) != 0) return fail(io_error(path, "cannot be synced"));
  return {};
}

}  // namespace

Status sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok() || ::fsync(folder.number()) != 0) return fail(io_error(path, "cannot be synced"));
  return {};
}

std::string absolute_path(const std::string& path) {
  if (path.empty()) return {};
  std::string absolute = std::filesystem::absolute(path).lexically_normal().string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

Result<std::string> read_text_file(const std::string& path) { return read_limited(path, false); }

Result<std::string> read_secret_file(const std::string& path) { return read_limited(path, true); }

Status make_folder(const std::string& path) {
  std::vector<std::string> parents;
  std::error_code code;
  for (std::filesystem::path made = path; !std::filesystem::exists(made, code) && !code; made = made.parent_path()) {
    parents.push_back(made.parent_path().string());
  }
  if (!code) std::filesystem::create_directories(path, code);
  if (code) return fail(Errc::kIo, path + ": cannot be made: " + code.message());
  for (const std::string& parent : parents) CHECK_OK(sync_folder(parent));
  return {};
}

Status write_file(const std::string& path, std::string_view content, bool secret) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  Status written = write_new(temporary, content, secret ? 0600 : 0644, path);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail(io_error(path, "cannot be put in place"));
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_folder(std::filesystem::path(path).parent_path().string());
}

}  // namespace andromede::app
