// Metrics in Prometheus' model. Names end in their unit (andromede_request_seconds); label values come from closed
// sets (operations, states), never from a client, so that their number is bounded. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace andromede {

using Labels = std::map<std::string, std::string>;

// Handles borrow from the Metrics that made them, which outlives them all.
class Counter {
 public:
  void add(double by = 1) const;

 private:
  friend class Metrics;
  prometheus::Counter* counter_ = nullptr;  // null: counts nowhere, so that a default handle is safe
};

class Gauge {
 public:
  void set(double value) const;

 private:
  friend class Metrics;
  prometheus::Gauge* gauge_ = nullptr;
};

class Histogram {
 public:
  void observe(double value) const;

 private:
  friend class Metrics;
  prometheus::Histogram* histogram_ = nullptr;
};

class Metrics {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  // The same name and labels give the same series. Cheap enough to call at start-up; keep the handle.
  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // `bounds` are the buckets' upper bounds, ascending; empty: 100 µs to 50 s for latencies in seconds.
  Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {},
                      std::vector<double> bounds = {});

  // The text exposition format, version 0.0.4.
  [[nodiscard]] std::string render() const;

 private:
  std::shared_ptr<prometheus::Registry> registry_;
};

}  // namespace andromede
