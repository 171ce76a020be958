// What operators see of the S3 front end: requests by operation and status, latencies, bytes. Every label is an
// operation or a status of ours, so their number is bounded whatever clients send. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string_view>
#include <vector>

#include "api/s3/operations.h"
#include "base/metrics.h"

namespace andromede::api::s3 {

class FrontMetrics {
 public:
  // `metrics` outlives this.
  explicit FrontMetrics(Metrics& metrics);

  // `operation`: a row of the table.
  void record(const Operation& operation, unsigned status, std::chrono::nanoseconds took, std::uint64_t bytes_in,
              std::uint64_t bytes_out);

 private:
  // Series are made when first needed: most pairs of operation and status never happen.
  struct Slot {
    std::atomic<bool> ready{false};
    Counter counter;
  };
  static constexpr std::array<unsigned, 20> kStatuses = {0,   200, 204, 206, 304, 400, 401, 403, 404, 405,
                                                         408, 409, 411, 412, 416, 500, 501, 503, 507, 999};
  struct Series {
    std::array<Slot, kStatuses.size()> requests;
    std::atomic<bool> timed{false};
    Histogram seconds;
  };
  Counter& requests(Series& series, std::string_view operation, unsigned status);
  Histogram& seconds(Series& series, std::string_view operation);

  Metrics& metrics_;
  std::mutex mutex_;
  std::vector<Series> series_;  // one a row
  Counter bytes_in_;
  Counter bytes_out_;
};

}  // namespace andromede::api::s3
