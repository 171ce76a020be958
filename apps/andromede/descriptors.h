// How many file descriptors this process may hold, and who gets them: connections must never take what drives and
// metadata need to open, and both must get along with what the system allows.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace andromede::app {

// As it is where there are enough.
struct DescriptorPlan {
  std::size_t s3_connections = 4096;
  std::size_t operator_connections = 256;
  unsigned per_mirror = 512;  // tables and values that a metadata mirror holds open
  unsigned per_drive = 128;   // volumes that a drive holds open
  bool operator==(const DescriptorPlan&) const = default;
};

// All that a process with that plan may come to hold, and what is reserved for the rest of it.
std::size_t descriptors_of(const DescriptorPlan& plan, std::size_t drives, std::size_t mirrors);

// The plan for at most `limit` descriptors: everybody gets the same share of what is usual, and no less than what it
// takes to work. kInvalidArgument: that is too few; the message says how many it takes.
Result<DescriptorPlan> plan_descriptors(std::size_t limit, std::size_t drives, std::size_t mirrors);

// Raises the soft limit (RLIMIT_NOFILE) to the hard one, and answers it. kIo.
Result<std::size_t> raise_descriptor_limit();

}  // namespace andromede::app
