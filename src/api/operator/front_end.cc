#include "api/operator/front_end.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/operator/errors.h"
#include "api/operator/operations.h"
#include "base/log.h"
#include "codec/json.h"
#include "identity/decision.h"

namespace andromede::api {
namespace {

constexpr std::size_t kMaxParameters = 16;
// Of what a client sent, in an error.
constexpr std::size_t kMaxToldBytes = 200;
constexpr unsigned kPoolThreads = 4;
constexpr std::size_t kMaxQueuedCalls = 64;
constexpr std::chrono::milliseconds kReadyTimeout{1'500};  // probes seldom wait for longer than two seconds
constexpr std::chrono::milliseconds kReadyFor{1'000};

using nlohmann::json;

Task<Result<std::string>> read_body(BodySource& source, std::size_t most_bytes) {
  std::string body;
  while (most_bytes > 0) {
    CO_TRY(const ByteView piece, co_await source.read());
    if (piece.empty()) break;
    if (body.size() + piece.size() > most_bytes) {
      co_return fail(Errc::kInvalidArgument, "the body is over " + std::to_string(most_bytes / 1024) + " KiB");
    }
    body.append(as_text(piece));
  }
  co_return body;
}

// An object; without a body, an empty one.
Result<json> parse_body(const std::string& body) {
  if (body.empty()) return json::object();
  TRY(json parsed, codec::parse_json(body));
  if (!parsed.is_object()) return fail(Errc::kInvalidArgument, "the body is no object");
  return parsed;
}

// With the secret, if any, as the object's last member. The listener wipes what it has sent.
std::string whole_body(OperatorAnswer& answer) {
  if (answer.secret_name == nullptr) return std::move(answer.body);
  const std::string_view open = std::string_view(answer.body).substr(0, answer.body.rfind('}'));
  std::string body;
  // Reserved, so that growing never leaves a part of the secret behind.
  body.reserve(answer.body.size() + 128);
  // Letters, digits and dots: nothing to escape.
  body.append(open).append(",\"").append(answer.secret_name).append("\":\"").append(answer.secret.view());
  body.append("\"}\n");
  return body;
}

Status read_query(std::string_view rest, std::map<std::string, std::string>& query) {
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view value = equals < pair.size() ? pair.substr(equals + 1) : std::string_view();
    const auto [at, added] = query.emplace(pair.substr(0, equals), value);
    if (!added) return fail(Errc::kInvalidArgument, "the parameter " + at->first + " is there more than once");
    if (query.size() > kMaxParameters) {
      return fail(Errc::kInvalidArgument, "there are more than " + std::to_string(kMaxParameters) + " parameters");
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

}  // namespace

// The dialect: a token for a signature, JSON for errors.
class OperatorFrontEnd::Request final : public edge::Call {
 public:
  Request(OperatorFrontEnd& front_end, net::Exchange& exchange)
      : Call(exchange, identity::Listener::kOperators, front_end.door_.new_request_id()), front_end_(front_end) {}

  Status find_operation() override;
  [[nodiscard]] const edge::Operation& operation() const override { return routed_.operation->is; }
  [[nodiscard]] std::size_t row() const override {
    return static_cast<std::size_t>(routed_.operation - operator_operations().data());
  }
  Result<identity::Principal> authenticate() override;
  Task<Status> run() override;
  Task<Status> answer_error(const Error& error) override;
  [[nodiscard]] std::uint64_t body_bytes() const override { return body_bytes_; }
  void describe(std::vector<LogField>& fields) const override {
    fields.emplace_back("operator", context().principal.id);
  }

 private:
  [[nodiscard]] std::string_view path() const {
    const std::string_view target = received_head().target;
    return target.substr(0, target.find('?'));
  }
  [[nodiscard]] Error no_route() const;
  Task<Result<OperatorAnswer>> call_operation();
  Task<Status> answer(OperatorAnswer answer);

  OperatorFrontEnd& front_end_;
  RoutedPath routed_;
  std::uint64_t body_bytes_ = 0;
};

OperatorFrontEnd::OperatorFrontEnd(OperatorServices services, Metrics& metrics, const Clock& clock, Random& random,
                                   OperatorOptions options)
    : services_(services),
      metrics_(metrics),
      clock_(clock),
      options_(std::move(options)),
      door_("operator", operator_operations().size(), edge::Lines::kWrites, clock, random, metrics),
      pool_("operator", kPoolThreads, kMaxQueuedCalls),
      ready_pool_("op-ready", 1, kMaxQueuedCalls),
      refusals_pool_("op-refusals", 1, RefusedTokens::kMaxPeers) {}

std::optional<std::string> OperatorFrontEnd::authenticate(const net::RequestHead& head) const {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = head.headers.find("authorization");
  if (!header || head.headers.count("authorization") != 1 || !header->starts_with(kScheme)) return std::nullopt;
  return services_.operators.authenticate(header->substr(kScheme.size()));
}

// Wrong tokens are journaled, but so seldom that whoever tries many fills no disk.
Error OperatorFrontEnd::refuse(const std::string& peer) {
  metrics_.count_refused_token();
  const RefusedTokens::Verdict verdict = refused_.count(peer, clock_.steady());
  if (verdict.to_journal > 0 &&
      !refusals_pool_.post([this, peer, refusals = verdict.to_journal] { journal_refused(peer, refusals); })) {
    refused_.give_back(peer, verdict.to_journal, clock_.steady());
  }
  if (verdict.too_many) {
    return {make_error_code(OperatorErrc::kTooManyWrongTokens), "too many wrong tokens: wait a minute"};
  }
  return {make_error_code(OperatorErrc::kUnauthorised), "the operator's token is missing, wrong, expired or revoked"};
}

void OperatorFrontEnd::journal_refused(const std::string& peer, std::uint64_t refusals) {
  const Status journaled = journal_refusals(services_.store, clock_, peer, refusals);
  if (journaled) return;
  // What may have been journaled all the same is rather told twice than never.
  refused_.give_back(peer, refusals, clock_.steady());
  log_error("wrong tokens are not in the journal yet",
            {{"peer", peer}, {"refused", refusals}, {"error", journaled.error().describe()}});
}

Task<void> OperatorFrontEnd::handle(net::Exchange& exchange) {
  Request request(*this, exchange);
  co_await door_.handle(request);
}

std::optional<Status> OperatorFrontEnd::ready_now() {
  const std::lock_guard lock(ready_mutex_);
  if (ready_ && clock_.steady() - ready_at_ < kReadyFor) return ready_;
  return std::nullopt;
}

Status OperatorFrontEnd::check_ready() {
  // Somebody before us in the queue may just have asked.
  if (auto known = ready_now()) return *known;
  Status ready = options_.ready();
  const std::lock_guard lock(ready_mutex_);
  ready_ = ready;
  ready_at_ = clock_.steady();
  return ready;
}

Task<OperatorAnswer> OperatorFrontEnd::live(std::stop_token) {
  co_return OperatorAnswer{200, dump({{"status", "live"}})};
}

Task<OperatorAnswer> OperatorFrontEnd::ready(std::stop_token cut) {
  std::optional<Status> known = ready_now();
  if (!known) {
    const std::function<Status(std::stop_token)> check = [this](std::stop_token) { return check_ready(); };
    known = co_await ready_pool_.run(check, kReadyTimeout, std::move(cut));
  }
  if (!*known) co_return OperatorAnswer{503, dump({{"status", "not ready"}, {"reason", known->error().message()}})};
  co_return OperatorAnswer{200, dump({{"status", "ready"}})};
}

Task<OperatorAnswer> OperatorFrontEnd::metrics(std::stop_token) {
  metrics_.set_queue_depth("operator", pool_.queued());
  metrics_.set_queue_depth("op-ready", ready_pool_.queued());
  metrics_.set_queue_depth("op-refusals", refusals_pool_.queued());
  co_return OperatorAnswer{200, metrics_.render(), "text/plain; version=0.0.4; charset=utf-8"};
}

Error OperatorFrontEnd::Request::no_route() const {
  return {make_error_code(Errc::kNotFound), received_head().method + " " +
                                                std::string(path().substr(0, kMaxToldBytes)) +
                                                ": no such route: see docs/formats/operator-api.md"};
}

Status OperatorFrontEnd::Request::find_operation() {
  routed_ = route_operator_path(received_head().method, path());
  // Below /v1/ nobody is told what there is who has no token.
  if (row() + 1 == operator_operations().size() && !path().starts_with("/v1/")) return fail(no_route());
  return {};
}

Result<identity::Principal> OperatorFrontEnd::Request::authenticate() {
  std::optional<std::string> name = front_end_.authenticate(received_head());
  if (!name) return fail(front_end_.refuse(received_head().peer));
  return identity::Principal{identity::PrincipalKind::kOperator, {}, *std::move(name)};
}

Task<Result<OperatorAnswer>> OperatorFrontEnd::Request::call_operation() {
  const OperatorOperation& operation = *routed_.operation;
  if (operation.run == nullptr) co_return fail(no_route());
  const identity::Resource resource{operation.is.resource, routed_.name, nullptr};
  const identity::Decision decision =
      identity::decide(context().principal, context().action, resource, {context().listener});
  if (!decision.allowed) co_return fail(OperatorErrc::kDenied, decision.reason);
  // The work may outlive this request, so what it is given is its own.
  const auto call = std::make_shared<OperatorCall>(
      OperatorCall{front_end_.services_, front_end_.options_, front_end_.clock_, front_end_.verifying_, routed_.name});
  call->context = context();
  const std::string_view target = received_head().target;
  if (path().size() < target.size()) CO_CHECK_OK(read_query(target.substr(path().size() + 1), call->query));
  CO_TRY(const std::string body, co_await read_body(exchange_.body(), operation.is.most_body_bytes));
  body_bytes_ = body.size();
  CO_TRY(call->body, parse_body(body));
  const std::function<Result<OperatorAnswer>(std::stop_token)> work = [call, &operation](std::stop_token stop) {
    call->context.stop = std::move(stop);
    return operation.run(*call);
  };
  co_return co_await front_end_.pool_.run(work, operation.timeout, context().stop);
}

Task<Status> OperatorFrontEnd::Request::run() {
  if (const auto probe = routed_.operation->probe) {
    exchange_.admit_anybody();
    co_return co_await answer(co_await (front_end_.*probe)(exchange_.stop_token()));
  }
  Result<OperatorAnswer> answered = co_await call_operation();
  if (answered) co_return co_await answer(std::move(*answered));
  // Not the peer's: what was cut is told as long as somebody listens.
  if (answered.error() == Errc::kCancelled) co_return co_await answer_error(answered.error());
  co_return fail(std::move(answered).error());
}

Task<Status> OperatorFrontEnd::Request::answer_error(const Error& error) {
  return answer({operator_error_status(error), render_operator_error(error)});
}

Task<Status> OperatorFrontEnd::Request::answer(OperatorAnswer answer) {
  net::ResponseHead head;
  head.status = status_ = answer.status;
  head.headers.add("Content-Type", answer.content_type);
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Request-Id", id());
  if (answer.status == 429) head.headers.add("Retry-After", "60");
  if (answer.status == 401) head.headers.add("WWW-Authenticate", "Bearer");
  std::string body = whole_body(answer);
  bytes_sent_ = body.size();
  co_return co_await exchange_.respond(std::move(head), std::move(body));
}

}  // namespace andromede::api
