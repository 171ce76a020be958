// DiskCalls: the system calls by which this process changes files below a folder, watched and failed on command, to
// show what a power cut would take. kill -9 cannot show it: the page cache outlives a process. For tests only: CMake's
// andromede_watch_disk_calls(TARGET) sends the calls of a test's own code (not those inside shared libraries, such as
// std::filesystem's) through here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace andromede::io {

// Watches while it lives; one at a time. Thread-safe. Paths are relative to the folder; "." is the folder itself.
class DiskCalls {
 public:
  explicit DiskCalls(const std::string& folder);
  DiskCalls(const DiskCalls&) = delete;
  DiskCalls& operator=(const DiskCalls&) = delete;
  ~DiskCalls();

  // What a power cut could take now, sorted: "content of PATH" (written, resized or allocated and not synced since),
  // "names in FOLDER" (made, renamed or removed and the folder not synced since), "order of PATH" (renamed before its
  // content was synced).
  [[nodiscard]] std::vector<std::string> at_risk() const;
  // The calls since the last time, "fdatasync PATH"; a write past the page cache is "pwrite direct PATH".
  [[nodiscard]] std::vector<std::string> take();

  // The next such call, `after` so many, is not made and fails with this errno.
  void fail_next(const std::string& call, int error, unsigned after = 0);
  // The next such call, a write, is given so many bytes only.
  void shorten_next(const std::string& call, std::size_t bytes);
};

}  // namespace andromede::io
