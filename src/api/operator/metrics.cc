#include "api/operator/metrics.h"

namespace andromede::api {

void OperatorMetrics::count_refused_token() {
  metrics_.counter("andromede_operator_refused_tokens_total", "Requests whose operator's token was not accepted").add();
}

void OperatorMetrics::set_queue_depth(const std::string& pool, std::size_t queued) {
  metrics_.gauge("andromede_pool_queue_depth", "Calls that wait for a thread of a pool", {{"pool", pool}})
      .set(static_cast<double>(queued));
}

}  // namespace andromede::api
