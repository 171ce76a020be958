// FreedMemory: finds secrets that were not wiped before their memory was given back. For tests only: CMake's
// andromede_watch_freed_memory(TARGET) replaces that test's operators new and delete by ones that look, but not in
// builds with ThreadSanitizer, which has operators of its own: nothing is seen there.
#pragma once

#include "base/bytes.h"

namespace andromede::crypto {

// Looks while it lives; one at a time. Any thread may free.
class FreedMemory {
 public:
  // `secret`, which outlives this, is looked for in every block of the heap that is freed.
  explicit FreedMemory(ByteView secret);
  FreedMemory(const FreedMemory&) = delete;
  FreedMemory& operator=(const FreedMemory&) = delete;
  ~FreedMemory();
  // How many freed blocks held it.
  [[nodiscard]] std::size_t seen() const;
};

}  // namespace andromede::crypto
