// The operator's listener: what answers a request to it.
//
// Without a token: GET /health/live, GET /health/ready, GET /metrics. With `Authorization: Bearer TOKEN`: /v1/….
// Whoever mutates is named by the header X-Andromede-Operator, which goes to the journal.
// Threads: handle() runs on event loops; whatever blocks runs on pools of its own, with deadlines.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/operator/metrics.h"
#include "api/operator/routes.h"
#include "api/operator/timed_pool.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "fleet/fleet.h"
#include "meta/store.h"
#include "net/http.h"

namespace andromede::api {

struct OperatorOptions {
  crypto::SecretText token;       // at least kMinTokenBytes
  std::string version;            // of this program, for status
  std::function<Status()> ready;  // whether tenants can be served now; called from the pool
};

inline constexpr std::size_t kMinTokenBytes = 32;

class OperatorFrontEnd {
 public:
  // All are borrowed and outlive this.
  OperatorFrontEnd(fleet::Fleet& fleet, meta::Store& store, Metrics& metrics, const Clock& clock, Random& random,
                   OperatorOptions options);
  // `exchange` outlives the task, as the server promises.
  Task<void> handle(net::Exchange& exchange);

 private:
  struct Call;
  struct Answer {
    unsigned status = 200;
    std::string body;
    std::string content_type = "application/json";
  };
  Task<Answer> answer(net::Exchange& exchange, Call& call);
  Task<Answer> answer_ready(std::stop_token cut);
  // The same, at most a second old, so that probes cost nothing however many they are.
  Status check_ready();
  std::optional<Status> ready_now();
  Answer answer_metrics();
  [[nodiscard]] bool authorised(const net::RequestHead& head) const;
  void log_call(const net::RequestHead& head, const Call& call, unsigned status) const;
  std::string new_request_id();
  static Answer error(const Error& error);

  Result<Answer> run(const Call& call, std::stop_token stop);
  Result<Answer> add_drive(const Call& call);
  Result<Answer> replace_drive(const Call& call);
  Result<Answer> drain(const Call& call);
  Result<Answer> journal_entries(const Call& call);
  Result<Answer> journal_verify(std::stop_token stop);

  fleet::Fleet& fleet_;
  meta::Store& store_;
  OperatorMetrics metrics_;
  const Clock& clock_;
  Random& random_;
  const OperatorOptions options_;
  std::mutex ready_mutex_;
  std::optional<Status> ready_;
  SteadyTime ready_at_;
  std::atomic<bool> verifying_{false};
  TimedPool pool_;
  TimedPool ready_pool_;  // whether tenants are served must be told while everything else is stuck
};

}  // namespace andromede::api
