#include "api/edge/metrics.h"

#include <algorithm>

namespace andromede::api::edge {

ApiMetrics::ApiMetrics(std::string_view api, std::size_t operations, Metrics& metrics)
    : prefix_("andromede_" + std::string(api) + "_"), metrics_(metrics), series_(operations) {
  bytes_in_ = metrics_.counter(prefix_ + "received_bytes_total", "Bytes of bodies taken from clients, decoded");
  bytes_out_ = metrics_.counter(prefix_ + "sent_bytes_total", "Bytes of bodies sent to clients");
}

Counter& ApiMetrics::requests(Series& series, std::string_view operation, unsigned status) {
  const auto found = std::find(kStatuses.begin(), kStatuses.end() - 1, status);
  const auto column = static_cast<std::size_t>(found - kStatuses.begin());
  Slot& slot = series.requests[column];
  if (!slot.ready.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    const std::string label = status == 0 ? "none" : column + 1 == kStatuses.size() ? "other" : std::to_string(status);
    slot.counter = metrics_.counter(prefix_ + "requests_total", "Requests by operation and status",
                                    {{"operation", std::string(operation)}, {"status", label}});
    slot.ready.store(true, std::memory_order_release);
  }
  return slot.counter;
}

Histogram& ApiMetrics::seconds(Series& series, std::string_view operation) {
  if (!series.timed.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    series.seconds =
        metrics_.histogram(prefix_ + "request_seconds", "Time from a request's head to the end of its answer",
                           {{"operation", std::string(operation)}});
    series.timed.store(true, std::memory_order_release);
  }
  return series.seconds;
}

void ApiMetrics::record(std::size_t row, std::string_view operation, unsigned status, std::chrono::nanoseconds took,
                        std::uint64_t bytes_in, std::uint64_t bytes_out) {
  Series& series = series_[row];
  requests(series, operation, status).add();
  seconds(series, operation).observe(std::chrono::duration<double>(took).count());
  if (bytes_in > 0) bytes_in_.add(static_cast<double>(bytes_in));
  if (bytes_out > 0) bytes_out_.add(static_cast<double>(bytes_out));
}

}  // namespace andromede::api::edge
