#include "cloud_keys.h"

#include <filesystem>

#include "keys/custody/file_custody.h"
#include "messages.h"

namespace andromede::app {
namespace {

constexpr std::string_view kDirectoryKeyContext = "identity directory";
constexpr std::string_view kDrivesKeyContext = "drive map";
// A start has nothing else to do.
constexpr std::chrono::seconds kCustodyPatience{60};

Deadline custody_deadline() { return Deadline::after(SystemClock(), kCustodyPatience); }

Status make_wrapped(keys::Custody& custody, const std::string& path, std::string_view context, Random& random) {
  TRY(const Bytes wrapped, custody.wrap(crypto::SecretKey::random(random), as_bytes(context), custody_deadline()));
  return write_file(path, as_text(wrapped), true);
}

// With where it leads, if it or its folder is a symbolic link, as to a removable medium.
std::string with_target(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const std::filesystem::path& link : {std::filesystem::path(path), folder}) {
    std::error_code code;
    const std::filesystem::path target = std::filesystem::read_symlink(link, code);
    if (!code) return path + " (" + link.string() + " → " + target.string() + ")";
  }
  return path;
}

Status check_there(const std::string& path) {
  std::error_code code;
  if (std::filesystem::exists(path, code) || code) return {};
  return fail(Errc::kNotFound, text(Msg::kKeysAreGone, {with_target(path)}));
}

Result<crypto::SecretKey> open_wrapped(keys::Custody& custody, const std::string& path, std::string_view context) {
  CHECK_OK(check_there(path));
  TRY(const std::string wrapped, read_secret_file(path));
  auto key = custody.unwrap(as_bytes(wrapped), as_bytes(context), custody_deadline());
  if (!key) return fail(key.error().in(path));
  return key;
}

}  // namespace

Status make_cloud_keys(const CloudFolder& folder, Random& random) {
  CHECK_OK(keys::create_file_custody(folder.root_key(), folder.root_seal(), random));
  TRY(const auto custody, open_custody(folder, random));
  CHECK_OK(make_wrapped(*custody, folder.directory_key(), kDirectoryKeyContext, random));
  return make_wrapped(*custody, folder.drives_key(), kDrivesKeyContext, random);
}

Result<std::unique_ptr<keys::Custody>> open_custody(const CloudFolder& folder, Random& random) {
  for (const std::string& path : {folder.root_key(), folder.root_seal()}) CHECK_OK(check_there(path));
  return keys::open_file_custody(folder.root_key(), folder.root_seal(), random);
}

Result<crypto::SecretKey> open_directory_key(const CloudFolder& folder, keys::Custody& custody) {
  return open_wrapped(custody, folder.directory_key(), kDirectoryKeyContext);
}

Result<std::shared_ptr<const io::DriveSeal>> open_drive_seal(const CloudFolder& folder, keys::Custody& custody) {
  TRY(const crypto::SecretKey key, open_wrapped(custody, folder.drives_key(), kDrivesKeyContext));
  return std::make_shared<const io::DriveSeal>(key);
}

Result<std::shared_ptr<const meta::RecordSeal>> open_record_seal(const CloudFolder& folder, keys::Custody& custody) {
  TRY(const crypto::SecretKey key, open_wrapped(custody, folder.drives_key(), kDrivesKeyContext));
  return std::make_shared<const meta::RecordSeal>(key);
}

}  // namespace andromede::app
