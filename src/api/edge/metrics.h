// What operators see of an API: requests by operation and status, latencies, bytes. Every label is an operation or a
// status of ours, so their number is bounded whatever clients send. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"

namespace andromede::api::edge {

class ApiMetrics {
 public:
  // `api` is a part of the series' names: "andromede_s3_requests_total". `operations`: how many rows its table has.
  // `metrics` outlives this.
  ApiMetrics(std::string_view api, std::size_t operations, Metrics& metrics);

  // `row`: of the operation in its table; `status` 0: the client went away before an answer.
  void record(std::size_t row, std::string_view operation, unsigned status, std::chrono::nanoseconds took,
              std::uint64_t bytes_in, std::uint64_t bytes_out);

 private:
  static constexpr std::array<unsigned, 25> kStatuses = {0,   200, 201, 202, 204, 206, 304, 400, 401,
                                                         403, 404, 405, 408, 409, 411, 412, 416, 422,
                                                         429, 500, 501, 503, 504, 507, 999};
  // Series are made when first needed: most pairs of operation and status never happen.
  struct Slot {
    std::atomic<bool> ready{false};
    Counter counter;
  };
  struct Series {
    std::array<Slot, kStatuses.size()> requests;
    std::atomic<bool> timed{false};
    Histogram seconds;
  };
  Counter& requests(Series& series, std::string_view operation, unsigned status);
  Histogram& seconds(Series& series, std::string_view operation);

  const std::string prefix_;
  Metrics& metrics_;
  std::mutex mutex_;
  std::vector<Series> series_;  // one a row
  Counter bytes_in_;
  Counter bytes_out_;
};

}  // namespace andromede::api::edge
