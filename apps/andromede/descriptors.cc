#include "descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "messages.h"
#include "net/http.h"

namespace andromede::app {
namespace {

// Standard streams, the log, loops, listeners, libraries, files read at start and at reload.
constexpr std::size_t kOfTheProcess = 64;
// Of a drive besides its volumes: map, label, what is being written or copied.
constexpr std::size_t kOfADrive = 8;
// Of a mirror besides its tables: commit log, RocksDB's own logs, manifest, what is flushed and compacted.
constexpr std::size_t kOfAMirror = 24;
// Drives that may be added while the server runs.
constexpr std::size_t kDrivesToCome = 2;

constexpr DescriptorPlan kLeast = {.s3_connections = 64, .operator_connections = 8, .per_mirror = 32, .per_drive = 8};
// Shares are counted in this many parts.
constexpr std::size_t kParts = 1024;

template <typename Number>
Number share(Number least, Number usual, std::size_t parts) {
  return static_cast<Number>(least + (usual - least) * parts / kParts);
}

DescriptorPlan plan_of(std::size_t parts) {
  const DescriptorPlan usual;
  return {.s3_connections = share(kLeast.s3_connections, usual.s3_connections, parts),
          .operator_connections = share(kLeast.operator_connections, usual.operator_connections, parts),
          .per_mirror = share(kLeast.per_mirror, usual.per_mirror, parts),
          .per_drive = share(kLeast.per_drive, usual.per_drive, parts)};
}

}  // namespace

std::size_t descriptors_of(const DescriptorPlan& plan, std::size_t drives, std::size_t mirrors) {
  return kOfTheProcess + plan.s3_connections + net::spare_descriptors(plan.s3_connections) + plan.operator_connections +
         net::spare_descriptors(plan.operator_connections) + mirrors * (plan.per_mirror + kOfAMirror) +
         (drives + kDrivesToCome) * (plan.per_drive + kOfADrive);
}

Result<DescriptorPlan> plan_descriptors(std::size_t limit, std::size_t drives, std::size_t mirrors) {
  if (const std::size_t least = descriptors_of(kLeast, drives, mirrors); limit < least) {
    return fail(Errc::kInvalidArgument,
                text(Msg::kFewDescriptors, {std::to_string(limit), std::to_string(drives), std::to_string(least)}));
  }
  std::size_t parts = kParts;
  while (parts > 0 && descriptors_of(plan_of(parts), drives, mirrors) > limit) --parts;
  return plan_of(parts);
}

Result<std::size_t> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return static_cast<std::size_t>(limit.rlim_cur);
  }
  return fail(Errc::kIo, "RLIMIT_NOFILE: " + std::generic_category().message(errno));
}

}  // namespace andromede::app
