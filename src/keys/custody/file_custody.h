// Custody in a sealed file of the operator's: the root key, encrypted by a passphrase-less sealing key that lies in a
// second 0600 file, so that the two can be kept apart. Whoever has both has the root key: no quorum of
// custodians is asked.
// Bytes: docs/formats/root-key.md.
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "keys/custody.h"

namespace andromede::keys {

// Makes a new root key: `sealed_path` (the sealed key) and `seal_path` (what opens it), both mode 0600.
// kAlreadyExists when either is there.
Status create_file_custody(const std::string& sealed_path, const std::string& seal_path, Random& random);
// kNotFound, kCorrupt (the two files do not belong together), kRefused (a file is readable by others).
Result<std::unique_ptr<Custody>> open_file_custody(const std::string& sealed_path, const std::string& seal_path,
                                                   Random& random);

}  // namespace andromede::keys
