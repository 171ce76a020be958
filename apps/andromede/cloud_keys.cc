#include "cloud_keys.h"

#include "keys/custody/file_custody.h"

namespace andromede::app {
namespace {

constexpr std::string_view kDirectoryKeyContext = "identity directory";
constexpr std::string_view kDrivesKeyContext = "drive map";

Status make_wrapped(keys::Custody& custody, const std::string& path, std::string_view context, Random& random) {
  TRY(const Bytes wrapped, custody.wrap(crypto::SecretKey::random(random), as_bytes(context)));
  return write_file(path, as_text(wrapped), true);
}

Result<crypto::SecretKey> open_wrapped(keys::Custody& custody, const std::string& path, std::string_view context) {
  TRY(const std::string wrapped, read_secret_file(path));
  auto key = custody.unwrap(as_bytes(wrapped), as_bytes(context));
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
  return keys::open_file_custody(folder.root_key(), folder.root_seal(), random);
}

Result<crypto::SecretKey> open_directory_key(const CloudFolder& folder, keys::Custody& custody) {
  return open_wrapped(custody, folder.directory_key(), kDirectoryKeyContext);
}

Result<std::shared_ptr<const io::DriveSeal>> open_drive_seal(const CloudFolder& folder, keys::Custody& custody) {
  TRY(const crypto::SecretKey key, open_wrapped(custody, folder.drives_key(), kDrivesKeyContext));
  return std::make_shared<const io::DriveSeal>(key);
}

}  // namespace andromede::app
