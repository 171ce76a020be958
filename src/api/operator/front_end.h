// The operator's listener: what answers a request to it.
//
// Without a token: GET /health/live, GET /health/ready, GET /metrics. With `Authorization: Bearer TOKEN`: /v1/….
// Whoever mutates is named by the header X-Andromede-Operator, which goes to the journal.
// Threads: handle() runs on event loops; whatever blocks runs on a pool of its own.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "base/result.h"
#include "base/task.h"
#include "fleet/fleet.h"
#include "meta/store.h"
#include "net/http.h"

namespace andromede::api {

struct OperatorOptions {
  std::string token;              // at least kMinTokenBytes
  std::string version;            // of this program, for status
  std::function<Status()> ready;  // whether tenants can be served now; called from the pool
};

inline constexpr std::size_t kMinTokenBytes = 32;

class OperatorFrontEnd {
 public:
  // All are borrowed and outlive this.
  OperatorFrontEnd(fleet::Fleet& fleet, meta::Store& store, Metrics& metrics, OperatorOptions options);
  // `exchange` outlives the task, as the server promises.
  Task<void> handle(net::Exchange& exchange);

 private:
  struct Call;
  struct Answer {
    unsigned status = 200;
    std::string body;
    std::string content_type = "application/json";
  };
  Task<Answer> answer(net::Exchange& exchange);
  Task<Answer> routed(Call call);
  [[nodiscard]] bool authorised(const net::RequestHead& head) const;
  static Answer error(const Error& error);

  Result<Answer> run(const Call& call);
  Result<Answer> add_drive(const Call& call);
  Result<Answer> replace_drive(const Call& call, const std::string& name);
  Result<Answer> drain(const Call& call);
  Result<Answer> journal_entries(const Call& call);
  Result<Answer> journal_verify();

  fleet::Fleet& fleet_;
  meta::Store& store_;
  Metrics& metrics_;
  const OperatorOptions options_;
  ThreadPool pool_;
};

}  // namespace andromede::api
