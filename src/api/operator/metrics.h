// What operators see of their own listener: requests by operation and status, and what waits for its threads.
// Thread-safe.
#pragma once

#include <string>

#include "api/edge/operation.h"
#include "base/metrics.h"

namespace andromede::api {

class OperatorMetrics {
 public:
  // `metrics` outlives this.
  explicit OperatorMetrics(Metrics& metrics) : metrics_(metrics) {}

  // `status` is one of ours, so the number of series is bounded.
  void count(const edge::Operation& operation, unsigned status);
  void count_refused_token();
  void set_queue_depth(const std::string& pool, std::size_t queued);
  [[nodiscard]] std::string render() const { return metrics_.render(); }

 private:
  Metrics& metrics_;
};

}  // namespace andromede::api
