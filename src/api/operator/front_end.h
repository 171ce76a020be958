// The operator's listener: what answers a request to it.
//
// Without a token: GET /health/live, GET /health/ready, GET /metrics. With `Authorization: Bearer TOKEN`: /v1/….
// Whose token it is goes to the journal with every change.
// Threads: handle() runs on event loops; whatever blocks runs on pools of its own, with deadlines.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/edge/front_door.h"
#include "api/operator/metrics.h"
#include "api/operator/refused_tokens.h"
#include "api/operator/timed_pool.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "control/consortium_keeper.h"
#include "control/tenants.h"
#include "crypto/secret.h"
#include "fleet/fleet.h"
#include "identity/directory.h"
#include "identity/operators.h"
#include "meta/store.h"
#include "net/http.h"

namespace andromede::api {

// What the routes work on. All outlive the front end.
struct OperatorServices {
  fleet::Fleet& fleet;
  meta::Store& store;
  identity::Operators& operators;
  identity::Directory& directory;
  control::Tenants& tenants;
  control::ConsortiumKeeper& consortium;
};

struct OperatorOptions {
  std::string version;            // of this program, for status
  std::function<Status()> ready;  // whether tenants can be served now; called from the pool
  // What the fleet does not know of and status warns of too, in words. Empty: nothing.
  std::function<std::vector<std::string>()> warnings = {};
};

struct OperatorAnswer {
  unsigned status = 200;
  std::string body;
  std::string content_type = "application/json";
  // A secret that is shown this once, and its name in the object that `body` is.
  crypto::SecretText secret{};
  const char* secret_name = nullptr;
};

class OperatorFrontEnd {
 public:
  // All are borrowed and outlive this.
  OperatorFrontEnd(OperatorServices services, Metrics& metrics, const Clock& clock, Random& random,
                   OperatorOptions options);
  // `exchange` outlives the task, as the server promises.
  Task<void> handle(net::Exchange& exchange);

  // What anybody may ask. `cut`: nobody waits for the answer any more.
  Task<OperatorAnswer> live(std::stop_token cut);
  Task<OperatorAnswer> ready(std::stop_token cut);
  Task<OperatorAnswer> metrics(std::stop_token cut);

 private:
  class Request;
  // The same, at most a second old, so that probes cost nothing however many they are.
  Status check_ready();
  std::optional<Status> ready_now();
  // Whose token the request carries.
  [[nodiscard]] std::optional<std::string> authenticate(const net::RequestHead& head) const;
  // What is told to who sent no right one.
  Error refuse(const std::string& peer);
  void journal_refused(const std::string& peer, std::uint64_t refusals);

  const OperatorServices services_;
  OperatorMetrics metrics_;
  const Clock& clock_;
  const OperatorOptions options_;
  edge::FrontDoor door_;
  std::mutex ready_mutex_;
  std::optional<Status> ready_;
  SteadyTime ready_at_;
  RefusedTokens refused_;
  std::atomic<bool> verifying_{false};
  TimedPool pool_;
  TimedPool ready_pool_;  // whether tenants are served must be told while everything else is stuck
  // Journals wrong tokens: whoever sends them waits for nothing, and holds no thread that right ones need.
  ThreadPool refusals_pool_;
};

}  // namespace andromede::api
