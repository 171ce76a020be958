#include "api/operator/front_end.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/operator/errors.h"
#include "api/operator/operations.h"
#include "base/log.h"
#include "codec/json.h"

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

// An object; without a body, an empty one.
Task<Result<json>> read_body(BodySource& source, std::size_t most_bytes) {
  std::string body;
  while (most_bytes > 0) {
    CO_TRY(const ByteView piece, co_await source.read());
    if (piece.empty()) break;
    if (body.size() + piece.size() > most_bytes) {
      co_return fail(Errc::kInvalidArgument, "the body is over " + std::to_string(most_bytes / 1024) + " KiB");
    }
    body.append(as_text(piece));
  }
  if (body.empty()) co_return json::object();
  CO_TRY(json parsed, codec::parse_json(body));
  if (!parsed.is_object()) co_return fail(Errc::kInvalidArgument, "the body is no object");
  co_return std::move(parsed);
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

struct OperatorFrontEnd::Request {
  std::string id;
  SteadyTime began;
  RoutedPath routed;
  std::string operator_name;
};

OperatorFrontEnd::OperatorFrontEnd(OperatorServices services, Metrics& metrics, const Clock& clock, Random& random,
                                   OperatorOptions options)
    : services_(services),
      metrics_(metrics),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      pool_("operator", kPoolThreads, kMaxQueuedCalls),
      ready_pool_("op-ready", 1, kMaxQueuedCalls),
      refusals_pool_("op-refusals", 1, RefusedTokens::kMaxPeers) {}

OperatorAnswer OperatorFrontEnd::error(const Error& error) {
  return {operator_error_status(error), render_operator_error(error)};
}

std::optional<std::string> OperatorFrontEnd::authenticate(const net::RequestHead& head) const {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = head.headers.find("authorization");
  if (!header || head.headers.count("authorization") != 1 || !header->starts_with(kScheme)) return std::nullopt;
  return services_.operators.authenticate(header->substr(kScheme.size()));
}

// Wrong tokens are journaled, but so seldom that whoever tries many fills no disk.
OperatorAnswer OperatorFrontEnd::refuse(const std::string& peer) {
  metrics_.count_refused_token();
  const RefusedTokens::Verdict verdict = refused_.count(peer, clock_.steady());
  if (verdict.to_journal > 0 &&
      !refusals_pool_.post([this, peer, refusals = verdict.to_journal] { journal_refused(peer, refusals); })) {
    refused_.give_back(peer, verdict.to_journal, clock_.steady());
  }
  if (verdict.too_many) {
    return {429, dump({{"code", "overloaded"}, {"message", "too many wrong tokens: wait a minute"}})};
  }
  return {401,
          dump({{"code", "unauthorised"}, {"message", "the operator's token is missing, wrong, expired or revoked"}})};
}

void OperatorFrontEnd::journal_refused(const std::string& peer, std::uint64_t refusals) {
  const Status journaled = journal_refusals(services_.store, clock_, peer, refusals);
  if (journaled) return;
  // What may have been journaled all the same is rather told twice than never.
  refused_.give_back(peer, refusals, clock_.steady());
  log_error("wrong tokens are not in the journal yet",
            {{"peer", peer}, {"refused", refusals}, {"error", journaled.error().describe()}});
}

// With the secret, if any, as the object's last member. The listener wipes what it has sent.
std::string OperatorFrontEnd::whole_body(OperatorAnswer& answer) {
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

Task<void> OperatorFrontEnd::handle(net::Exchange& exchange) {
  Request request;
  request.id = new_request_id();
  request.began = clock_.steady();
  OperatorAnswer answered = co_await answer(exchange, request);
  metrics_.count(request.routed.operation->is, answered.status);
  log_request(exchange.head(), request, answered.status);
  net::ResponseHead head;
  head.status = answered.status;
  head.headers.add("Content-Type", answered.content_type);
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Request-Id", request.id);
  if (answered.status == 429) head.headers.add("Retry-After", "60");
  if (answered.status == 401) head.headers.add("WWW-Authenticate", "Bearer");
  // A peer that went away needs no answer.
  [[maybe_unused]] const Status sent = co_await exchange.respond(std::move(head), whole_body(answered));
}

std::string OperatorFrontEnd::new_request_id() {
  std::array<std::uint8_t, 8> bytes{};
  random_.fill(bytes);
  return to_hex(bytes);
}

void OperatorFrontEnd::log_request(const net::RequestHead& head, const Request& request, unsigned status) const {
  const edge::Operation& operation = request.routed.operation->is;
  // A probe that answers "not ready" has done what it is for.
  const bool fault = status >= 500 && !operation.open_to_anybody;
  // Reads are polled for; whoever changes something, or tries to, is worth a line.
  if (!fault && operation.access == edge::Access::kRead) return;
  const std::chrono::nanoseconds took = clock_.steady() - request.began;
  log(fault ? LogLevel::kError : LogLevel::kInfo, fault ? "operator request failed" : "operator request",
      {{"requestId", request.id},
       {"operation", operation.name},
       {"status", static_cast<std::int64_t>(status)},
       {"operator", request.operator_name},
       {"peer", head.peer_address},
       {"traceparent", head.headers.find("traceparent").value_or("")},
       {"microseconds", static_cast<std::int64_t>(took.count() / 1000)}});
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

Task<OperatorAnswer> OperatorFrontEnd::answer(net::Exchange& exchange, Request& request) {
  const net::RequestHead& head = exchange.head();
  const std::string_view target = head.target;
  const std::string_view path = target.substr(0, target.find('?'));
  request.routed = route_operator_path(head.method, path);
  const OperatorOperation& operation = *request.routed.operation;
  if (operation.is.open_to_anybody) {
    exchange.admit_anybody();
    co_return co_await (this->*operation.probe)(exchange.stop_token());
  }
  const Error no_route(make_error_code(Errc::kNotFound), head.method + " " +
                                                             std::string(path.substr(0, kMaxToldBytes)) +
                                                             ": no such route: see docs/formats/operator-api.md");
  if (!path.starts_with("/v1/")) co_return error(no_route);
  const std::optional<std::string> operator_name = authenticate(head);
  if (!operator_name) co_return refuse(head.peer);
  exchange.admit(*operator_name);
  if (operation.run == nullptr) co_return error(no_route);
  request.operator_name = *operator_name;
  // The work may outlive this request, so what it is given is its own.
  const auto call = std::make_shared<OperatorCall>(
      OperatorCall{services_, options_, clock_, verifying_, std::move(request.routed.name)});
  call->context = identity::operator_context(*operator_name);
  call->context.action = operation.is.action;
  call->context.request_id = request.id;
  call->context.source_address = head.peer_address;
  call->context.peer = head.peer;
  call->context.user_agent = head.headers.find("user-agent").value_or("");
  if (path.size() < target.size()) {
    if (Status read = read_query(target.substr(path.size() + 1), call->query); !read) co_return error(read.error());
  }
  Result<json> body = co_await read_body(exchange.body(), operation.is.most_body_bytes);
  if (!body) co_return error(body.error());
  call->body = *std::move(body);
  const std::function<Result<OperatorAnswer>(std::stop_token)> work = [call, &operation](std::stop_token stop) {
    call->context.stop = std::move(stop);
    return operation.run(*call);
  };
  Result<OperatorAnswer> result = co_await pool_.run(work, operation.timeout, exchange.stop_token());
  if (!result) co_return error(result.error());
  co_return std::move(*result);
}

}  // namespace andromede::api
