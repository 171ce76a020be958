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

#include "api/operator/metrics.h"
#include "api/operator/refused_tokens.h"
#include "api/operator/routes.h"
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

class OperatorFrontEnd {
 public:
  // All are borrowed and outlive this.
  OperatorFrontEnd(OperatorServices services, Metrics& metrics, const Clock& clock, Random& random,
                   OperatorOptions options);
  // `exchange` outlives the task, as the server promises.
  Task<void> handle(net::Exchange& exchange);

 private:
  struct Call;
  struct Answer {
    unsigned status = 200;
    std::string body;
    std::string content_type = "application/json";
    // A secret that is shown this once, and its name in the object that `body` is.
    crypto::SecretText secret{};
    const char* secret_name = nullptr;
  };
  Task<Answer> answer(net::Exchange& exchange, Call& call);
  Task<Answer> answer_ready(std::stop_token cut);
  // The same, at most a second old, so that probes cost nothing however many they are.
  Status check_ready();
  std::optional<Status> ready_now();
  Answer answer_metrics();
  // Whose token the request carries.
  [[nodiscard]] std::optional<std::string> authenticate(const net::RequestHead& head) const;
  Answer refuse(const std::string& peer);
  void journal_refused(const std::string& peer, std::uint64_t refusals);
  void log_call(const net::RequestHead& head, const Call& call, unsigned status) const;
  std::string new_request_id();
  static Answer error(const Error& error);
  static std::string whole_body(Answer& answer);

  Result<Answer> run(const Call& call, std::stop_token stop);
  Result<Answer> add_drive(const Call& call);
  Result<Answer> replace_drive(const Call& call);
  Result<Answer> drain(const Call& call);
  Result<Answer> journal_entries(const Call& call);
  Result<Answer> journal_verify(std::stop_token stop);
  Result<Answer> list_accounts(const Call& call);
  Result<Answer> create_account(const Call& call);
  Result<Answer> list_keys(const Call& call);
  Result<Answer> create_key(const Call& call);
  Result<Answer> set_key_active(const Call& call, bool active);
  Result<Answer> list_operators();
  Result<Answer> create_operator(const Call& call);
  Result<Answer> get_consortium();
  Result<Answer> change_consortium(const Call& call, bool apply);

  fleet::Fleet& fleet_;
  meta::Store& store_;
  identity::Operators& operators_;
  identity::Directory& directory_;
  control::Tenants& tenants_;
  control::ConsortiumKeeper& consortium_;
  OperatorMetrics metrics_;
  const Clock& clock_;
  Random& random_;
  const OperatorOptions options_;
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
