// What lies on a drive where RocksDB opens files by their names, looked at and removed without following any link: who
// can write to a drive must not have one mirror open another one's database, remove it, or wait at a pipe for ever.
// Blocks.
#pragma once

#include <string>

#include "base/result.h"

namespace andromede::meta {

// `path` is relative to `root`, the drive's folder. kCorrupt, and what it is, unless on the way to `path` are folders,
// and at and below it folders and regular files, if anything.
Status check_plain(const std::string& root, const std::string& path);

// Removes `path` with all that is below it; links themselves, and nothing behind them. kCorrupt where on the way to it
// is something else than a folder.
Status remove_plain(const std::string& root, const std::string& path);

// Whether anything but an empty folder is there. kCorrupt as remove_plain().
Result<bool> holds_anything(const std::string& root, const std::string& path);

}  // namespace andromede::meta
