// The consortium's file (examples/): TOML, as operators write it, and with where each drive lies on this machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "sovereignty/consortium.h"

namespace andromede::control {

// A drive's capacity_bytes that is not 0 (all of the file system) holds its copy of the metadata with the log at least:
// 512 MiB. kInvalidArgument says what is wrong and what would be right.
Status check_capacity(std::uint64_t capacity_bytes);

// Where a drive is found, which says nothing of whose it is.
struct DriveSpec {
  DriveName name;
  SiteId site;
  std::string path;                  // absolute, or relative to the cloud's folder
  std::uint64_t capacity_bytes = 0;  // see check_capacity()
};

struct ConsortiumFile {
  sovereignty::Consortium consortium;
  std::vector<DriveSpec> drives;  // of all its sites
};

// Parses and checks a consortium file; `file` is its name for messages. Unknown keys, bad values, duplicates, dangling
// references and policies that cannot be kept are errors that name file, line and remedy.
Result<ConsortiumFile> parse_consortium(std::string_view text, std::string_view file);

}  // namespace andromede::control
