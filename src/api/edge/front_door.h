// FrontDoor: the way of every request of an API, whatever its dialect: find its operation → authenticate → admit → run
// → tell errors → count and log. A request is authenticated before the first byte of its body is asked for, so whoever
// is refused never gets its `100 Continue`.
//
// Threads: handle() is called on any event loop, many at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/edge/call.h"
#include "api/edge/fault_lines.h"
#include "api/edge/metrics.h"
#include "api/edge/request_ids.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"

namespace andromede::api::edge {

// What is logged beside the faults, which are in any case.
enum class Lines : std::uint8_t { kFaults, kWrites, kAll };

class FrontDoor {
 public:
  // `api` names metrics and log lines: "s3". `operations`: how many rows its table has. All others are borrowed and
  // outlive this.
  FrontDoor(std::string_view api, std::size_t operations, Lines lines, const Clock& clock, Random& random,
            Metrics& metrics);

  std::string new_request_id() { return ids_.next(); }
  // `call` outlives the task.
  Task<void> handle(Call& call);

 private:
  Task<Status> serve(Call& call);
  Task<Status> serve_safely(Call& call);
  void log_call(const Call& call, std::chrono::nanoseconds took, const Status& outcome, bool cut_short);

  const std::string api_;
  const Lines lines_;
  const Clock& clock_;
  RequestIds ids_;
  ApiMetrics metrics_;
  FaultLines fault_lines_;
};

}  // namespace andromede::api::edge
