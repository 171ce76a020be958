// The keys of a cloud that lie in its folder, wrapped by custody (docs/formats/cloud-folder.md).
#pragma once

#include <memory>

#include "base/random.h"
#include "cloud_folder.h"
#include "io/drive_seal.h"
#include "keys/custody.h"
#include "meta/record_seal.h"

namespace andromede::app {

// A new root key, and under it the keys of directory and drives. kAlreadyExists where a root key is.
Status make_cloud_keys(const CloudFolder& folder, Random& random);

// Errors of both, and of read_secret_file: kNotFound, kCorrupt, kRefused. `random` outlives the custody.
Result<std::unique_ptr<keys::Custody>> open_custody(const CloudFolder& folder, Random& random);
Result<crypto::SecretKey> open_directory_key(const CloudFolder& folder, keys::Custody& custody);
// What labels and maps on the drives are authenticated with.
Result<std::shared_ptr<const io::DriveSeal>> open_drive_seal(const CloudFolder& folder, keys::Custody& custody);
// What the metadata there are authenticated with.
Result<std::shared_ptr<const meta::RecordSeal>> open_record_seal(const CloudFolder& folder, keys::Custody& custody);

}  // namespace andromede::app
