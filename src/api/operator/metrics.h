// What operators see of their own listener beside its requests: wrong tokens, and what waits for its threads.
// Thread-safe.
#pragma once

#include <string>

#include "base/metrics.h"

namespace andromede::api {

class OperatorMetrics {
 public:
  // `metrics` outlives this.
  explicit OperatorMetrics(Metrics& metrics) : metrics_(metrics) {}

  void count_refused_token();
  void set_queue_depth(const std::string& pool, std::size_t queued);
  [[nodiscard]] std::string render() const { return metrics_.render(); }

 private:
  Metrics& metrics_;
};

}  // namespace andromede::api
