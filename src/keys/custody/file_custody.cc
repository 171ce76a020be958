#include "keys/custody/file_custody.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "crypto/digest.h"

namespace andromede::keys {
namespace {

constexpr std::string_view kSealMagic = "ARS1";
constexpr std::string_view kSealedMagic = "ARK1";
constexpr std::size_t kPairBytes = 16;
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kHeadBytes = 4 + kPairBytes;
constexpr std::size_t kSealBytes = kHeadBytes + crypto::SecretKey::kSize + kCrcBytes;
constexpr std::size_t kSealedBytes = kHeadBytes + crypto::SecretKey::kSize + crypto::kSealedOverheadBytes + kCrcBytes;
constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kOthers = 0077;

tl::unexpected<Error> system_error(const std::string& path, const char* what) {
  const int code = errno;
  const Errc kind = code == ENOENT   ? Errc::kNotFound
                    : code == EEXIST ? Errc::kAlreadyExists
                    : code == ENOSPC ? Errc::kNoSpace
                                     : Errc::kIo;
  return fail(kind, path + ": cannot be " + what + ": " + std::strerror(code));
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool ok() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

Status sync_folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.ok() || ::fsync(opened.get()) != 0) return system_error(folder, "synced");
  return {};
}

// Writes a new file, durable when this answers; a failure leaves none.
Status write_new(const std::string& path, ByteView content) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly));
  if (!file.ok()) return system_error(path, "created");
  // The files are a few dozen bytes: a short write is a full drive.
  errno = ENOSPC;
  const bool written = ::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                       ::fchmod(file.get(), kOwnerOnly) == 0 && ::fsync(file.get()) == 0;
  Status status;
  if (!written) {
    status = system_error(path, "written");
  } else {
    status = sync_folder_of(path);
  }
  if (!status) ::unlink(path.c_str());
  return status;
}

// A file of exactly `size` bytes that nobody but its owner may open, with its magic and checksum right.
Result<Bytes> read_private(const std::string& path, std::size_t size, std::string_view magic) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return system_error(path, "opened");
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return system_error(path, "examined");
  if ((info.st_mode & kOthers) != 0) {
    return fail(Errc::kRefused, path + ": others than its owner may open it; run: chmod 600 " + path);
  }
  const auto malformed = [&path] { return fail(Errc::kCorrupt, path + ": not a key file of version 1, or damaged"); };
  if (!S_ISREG(info.st_mode) || info.st_size != static_cast<off_t>(size)) return malformed();
  Bytes bytes(size);
  errno = EIO;
  if (::read(file.get(), bytes.data(), size) != static_cast<ssize_t>(size)) return system_error(path, "read");
  const ByteView body = ByteView(bytes).first(size - kCrcBytes);
  ByteReader crc(ByteView(bytes).subspan(body.size()));
  if (as_text(body.first(magic.size())) != magic || crc.u32() != crypto::crc32c(0, body)) {
    crypto::wipe(bytes);
    return malformed();
  }
  return bytes;
}

Bytes head(std::string_view magic, ByteView pair) {
  Bytes bytes = to_bytes(magic);
  ByteWriter(bytes).raw(pair);
  return bytes;
}

void append_crc(Bytes& bytes) {
  const std::uint32_t crc = crypto::crc32c(0, bytes);
  ByteWriter(bytes).u32(crc);
}

class FileCustody final : public Custody {
 public:
  FileCustody(crypto::SecretKey root, Random& random) : root_(std::move(root)), random_(random) {}

  Result<Bytes> wrap(const crypto::SecretKey& key, ByteView context, Deadline) override {
    return crypto::seal_bytes(root_, key.bytes(), context, random_);
  }

  Result<crypto::SecretKey> unwrap(ByteView wrapped, ByteView context, Deadline) override {
    TRY(Bytes plain, crypto::open_bytes(root_, wrapped, context));
    auto key = crypto::SecretKey::from_bytes(plain);
    crypto::wipe(plain);
    if (!key) return fail(Errc::kCorrupt, "what is wrapped is not a key");
    return key;
  }

 private:
  const crypto::SecretKey root_;
  Random& random_;
};

}  // namespace

Status create_file_custody(const std::string& sealed_path, const std::string& seal_path, Random& random) {
  const crypto::SecretKey root = crypto::SecretKey::random(random);
  const crypto::SecretKey sealing = crypto::SecretKey::random(random);
  Bytes pair(kPairBytes);
  random.fill(pair);
  Bytes seal = head(kSealMagic, pair);
  // Reserved, so that growing never leaves a copy of the key behind.
  seal.reserve(kSealBytes);
  ByteWriter(seal).raw(sealing.bytes());
  append_crc(seal);
  Bytes sealed = head(kSealedMagic, pair);
  const Bytes context = sealed;
  ByteWriter(sealed).raw(crypto::seal_bytes(sealing, root.bytes(), context, random));
  append_crc(sealed);
  const Status first = write_new(seal_path, seal);
  crypto::wipe(seal);
  CHECK_OK(first);
  const Status second = write_new(sealed_path, sealed);
  if (!second) ::unlink(seal_path.c_str());
  return second;
}

Result<std::unique_ptr<Custody>> open_file_custody(const std::string& sealed_path, const std::string& seal_path,
                                                   Random& random) {
  TRY(const Bytes sealed, read_private(sealed_path, kSealedBytes, kSealedMagic));
  TRY(Bytes seal, read_private(seal_path, kSealBytes, kSealMagic));
  const bool same_pair = std::equal(sealed.begin() + 4, sealed.begin() + kHeadBytes, seal.begin() + 4);
  TRY(const crypto::SecretKey sealing,
      crypto::SecretKey::from_bytes(ByteView(seal).subspan(kHeadBytes, crypto::SecretKey::kSize)));
  crypto::wipe(seal);
  if (!same_pair) {
    return fail(Errc::kCorrupt, sealed_path + " and " + seal_path + " were not made together: one is of another cloud");
  }
  const ByteView body = ByteView(sealed).subspan(kHeadBytes, kSealedBytes - kHeadBytes - kCrcBytes);
  auto plain = crypto::open_bytes(sealing, body, ByteView(sealed).first(kHeadBytes));
  if (!plain) return fail(plain.error().in(sealed_path));
  auto root = crypto::SecretKey::from_bytes(*plain);
  crypto::wipe(*plain);
  if (!root) return fail(root.error().in(sealed_path));
  return std::unique_ptr<Custody>(std::make_unique<FileCustody>(std::move(*root), random));
}

}  // namespace andromede::keys
