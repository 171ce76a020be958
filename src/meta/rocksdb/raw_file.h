// Files of a state, which RocksDB made on the host's file system by itself, read and written past it. Blocks.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace andromede::meta {

// What a failed call on `path` means: kNotFound, kNoSpace, kOverloaded (too many open files: nothing that the drive can
// be blamed for), else kIo.
Error errno_error(int number, const std::string& path);

class RawFile {
 public:
  // Neither through a symbolic link nor, at a pipe, for ever.
  RawFile(const std::string& path, int flags);
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  ~RawFile();

  // Whether it could be opened, and why not.
  [[nodiscard]] Status opened() const;
  // All of it from where it stands, in pieces that live until `take` answers; an error of `take` ends it.
  Status read_on(const std::function<Status(ByteView)>& take);
  Status write(ByteView data);
  Status sync();
  // Drops what of it is in memory and clean, so that the next read asks the drive.
  void forget_cached();

 private:
  const std::string path_;
  const int number_;
  const int open_errno_;
};

}  // namespace andromede::meta
