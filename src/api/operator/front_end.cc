#include "api/operator/front_end.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "api/operator/call.h"
#include "api/operator/errors.h"
#include "api/operator/render.h"
#include "base/log.h"
#include "codec/json.h"
#include "control/consortium_file.h"
#include "journal/journal.h"
#include "sovereignty/consortium_record.h"

namespace andromede::api {
namespace {

constexpr std::size_t kMaxBodyBytes = 64 * 1024;
// A consortium file as JSON, every byte of it escaped with two.
constexpr std::size_t kMaxFileBodyBytes = 2 * sovereignty::kMaxConsortiumBytes + 1024;
constexpr std::size_t kMaxNameBytes = 32;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxParameters = 16;
// What is slower is a unit forgotten: a drive of 1 TB would take half a year.
constexpr std::uint64_t kMinBandwidthBytesPerS = 64 * 1024;
// Of what a client sent, in an error.
constexpr std::size_t kMaxToldBytes = 200;
constexpr std::uint64_t kMaxEntriesPerPage = 1000;
constexpr unsigned kPoolThreads = 4;
constexpr std::size_t kMaxQueuedCalls = 64;
constexpr std::chrono::milliseconds kCallTimeout{60'000};
constexpr std::chrono::milliseconds kVerifyTimeout{590'000};  // the command waits ten minutes for it
constexpr std::chrono::milliseconds kReadyTimeout{1'500};     // probes seldom wait for longer than two seconds
constexpr std::chrono::milliseconds kReadyFor{1'000};

using nlohmann::json;

// Names go into the drive map, file names and the journal: the letters of the consortium file, and no others.
Result<std::string> read_name(const json& body, const char* key) {
  TRY(std::string name, read_text(body, key));
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (name.empty() || name.size() > kMaxNameBytes || !std::all_of(name.begin(), name.end(), allowed)) {
    return fail(Errc::kInvalidArgument,
                std::string(key) + " is not a name: use 1 to 32 lower-case letters, digits and '-'");
  }
  return name;
}

Result<std::string> read_path(const json& body) {
  const auto found = body.find("path");
  if (found == body.end() || !found->is_string()) {
    return fail(Errc::kInvalidArgument, "path is missing: the drive's folder is required");
  }
  auto path = found->get<std::string>();
  if (path.empty() || path.front() != '/' || path.size() > kMaxPathBytes || path.find('\0') != std::string::npos) {
    return fail(Errc::kInvalidArgument, "path must be absolute");
  }
  std::error_code code;
  if (!std::filesystem::is_directory(path, code)) {
    return fail(Errc::kNotFound, path + " is not a folder on the server: mount the drive or make the folder first");
  }
  return path;
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

// Sets it back on every way out, an exception too.
class Reset {
 public:
  explicit Reset(std::atomic<bool>& flag) : flag_(flag) {}
  Reset(const Reset&) = delete;
  Reset& operator=(const Reset&) = delete;
  ~Reset() { flag_ = false; }

 private:
  std::atomic<bool>& flag_;
};

}  // namespace

OperatorFrontEnd::OperatorFrontEnd(OperatorServices services, Metrics& metrics, const Clock& clock, Random& random,
                                   OperatorOptions options)
    : fleet_(services.fleet),
      store_(services.store),
      operators_(services.operators),
      directory_(services.directory),
      tenants_(services.tenants),
      consortium_(services.consortium),
      metrics_(metrics),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      pool_("operator", kPoolThreads, kMaxQueuedCalls),
      ready_pool_("op-ready", 1, kMaxQueuedCalls),
      refusals_pool_("op-refusals", 1, RefusedTokens::kMaxPeers) {}

OperatorFrontEnd::Answer OperatorFrontEnd::error(const Error& error) {
  return {operator_error_status(error), render_operator_error(error)};
}

std::optional<std::string> OperatorFrontEnd::authenticate(const net::RequestHead& head) const {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = head.headers.find("authorization");
  if (!header || head.headers.count("authorization") != 1 || !header->starts_with(kScheme)) return std::nullopt;
  return operators_.authenticate(header->substr(kScheme.size()));
}

// Wrong tokens are journaled, but so seldom that whoever tries many fills no disk.
OperatorFrontEnd::Answer OperatorFrontEnd::refuse(const std::string& peer) {
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
  const Status journaled = journal_refusals(store_, clock_, peer, refusals);
  if (journaled) return;
  // What may have been journaled all the same is rather told twice than never.
  refused_.give_back(peer, refusals, clock_.steady());
  log_error("wrong tokens are not in the journal yet",
            {{"peer", peer}, {"refused", refusals}, {"error", journaled.error().describe()}});
}

// With the secret, if any, as the object's last member. The listener wipes what it has sent.
std::string OperatorFrontEnd::whole_body(Answer& answer) {
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
  Call call;
  call.request_id = new_request_id();
  call.began = clock_.steady();
  Answer answered = co_await answer(exchange, call);
  metrics_.count(call.routed.route, answered.status);
  log_call(exchange.head(), call, answered.status);
  net::ResponseHead head;
  head.status = answered.status;
  head.headers.add("Content-Type", answered.content_type);
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Request-Id", call.request_id);
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

void OperatorFrontEnd::log_call(const net::RequestHead& head, const Call& call, unsigned status) const {
  const bool fault = status >= 500 && call.routed.route != OperatorRoute::kReady;
  const bool reads = head.method == "GET" || head.method == "HEAD";
  // Reads are polled for; whoever changes something, or tries to, is worth a line.
  if (!fault && (reads || call.routed.route == OperatorRoute::kUnknown)) return;
  const std::chrono::nanoseconds took = clock_.steady() - call.began;
  log(fault ? LogLevel::kError : LogLevel::kInfo, fault ? "operator request failed" : "operator request",
      {{"requestId", call.request_id},
       {"operation", operator_route_name(call.routed.route)},
       {"status", static_cast<std::int64_t>(status)},
       {"operator", call.by.name},
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

Task<OperatorFrontEnd::Answer> OperatorFrontEnd::answer_ready(std::stop_token cut) {
  std::optional<Status> ready = ready_now();
  if (!ready) {
    const std::function<Status(std::stop_token)> check = [this](std::stop_token) { return check_ready(); };
    ready = co_await ready_pool_.run(check, kReadyTimeout, std::move(cut));
  }
  if (!*ready) co_return Answer{503, dump({{"status", "not ready"}, {"reason", ready->error().message()}})};
  co_return Answer{200, dump({{"status", "ready"}})};
}

OperatorFrontEnd::Answer OperatorFrontEnd::answer_metrics() {
  metrics_.set_queue_depth("operator", pool_.queued());
  metrics_.set_queue_depth("op-ready", ready_pool_.queued());
  metrics_.set_queue_depth("op-refusals", refusals_pool_.queued());
  return {200, metrics_.render(), "text/plain; version=0.0.4; charset=utf-8"};
}

Task<OperatorFrontEnd::Answer> OperatorFrontEnd::answer(net::Exchange& exchange, Call& call) {
  const net::RequestHead& head = exchange.head();
  const std::string_view target = head.target;
  const std::size_t question = target.find('?');
  call.path = std::string(target.substr(0, question));
  call.routed = route_operator_path(head.method, call.path);
  switch (call.routed.route) {
    case OperatorRoute::kLive:
      exchange.admit_anybody();
      co_return Answer{200, dump({{"status", "live"}})};
    case OperatorRoute::kMetrics:
      exchange.admit_anybody();
      co_return answer_metrics();
    case OperatorRoute::kReady:
      exchange.admit_anybody();
      co_return co_await answer_ready(exchange.stop_token());
    default:
      break;
  }
  const Error no_route(make_error_code(Errc::kNotFound), head.method + " " + call.path.substr(0, kMaxToldBytes) +
                                                             ": no such route: see docs/formats/operator-api.md");
  if (!call.path.starts_with("/v1/")) co_return error(no_route);
  const std::optional<std::string> operator_name = authenticate(head);
  if (!operator_name) co_return refuse(head.peer);
  exchange.admit(*operator_name);
  if (call.routed.route == OperatorRoute::kUnknown) co_return error(no_route);
  if (question != std::string_view::npos) {
    if (Status read = read_query(target.substr(question + 1), call.query); !read) co_return error(read.error());
  }
  call.by = {*operator_name, call.request_id, head.peer_address};
  const bool whole_file =
      call.routed.route == OperatorRoute::kCheckConsortium || call.routed.route == OperatorRoute::kApplyConsortium;
  const std::size_t most = whole_file ? kMaxFileBodyBytes : kMaxBodyBytes;
  std::string body;
  while (true) {
    const auto piece = co_await exchange.body().read();
    if (!piece) co_return error(piece.error());
    if (piece->empty()) break;
    if (body.size() + piece->size() > most) {
      co_return error(
          Error(make_error_code(Errc::kInvalidArgument), "the body is over " + std::to_string(most / 1024) + " KiB"));
    }
    body.append(as_text(*piece));
  }
  if (!body.empty()) {
    auto parsed = codec::parse_json(body);
    if (!parsed) co_return error(parsed.error());
    if (!parsed->is_object()) co_return error(Error(make_error_code(Errc::kInvalidArgument), "the body is no object"));
    call.body = std::move(*parsed);
  }
  // The work may outlive this request, so it has a call of its own.
  const auto own = std::make_shared<const Call>(call);
  const std::function<Result<Answer>(std::stop_token)> work = [this, own](std::stop_token stop) {
    return run(*own, std::move(stop));
  };
  const bool verifies = call.routed.route == OperatorRoute::kVerifyJournal;
  Result<Answer> result = co_await pool_.run(work, verifies ? kVerifyTimeout : kCallTimeout, exchange.stop_token());
  if (!result) co_return error(result.error());
  co_return std::move(*result);
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::run(const Call& call, std::stop_token stop) {
  switch (call.routed.route) {
    case OperatorRoute::kStatus: {
      TRY(const auto status, fleet_.status());
      json rendered = to_json(status);
      if (options_.warnings) {
        for (std::string& warning : options_.warnings()) rendered["warnings"].push_back(std::move(warning));
      }
      rendered["version"] = options_.version;
      rendered["journal_sequence"] = store_.last_sequence();
      return Answer{200, dump(rendered)};
    }
    case OperatorRoute::kListJobs: {
      TRY(const auto status, fleet_.status());
      return Answer{200, dump({{"jobs", to_json(status)["jobs"]}})};
    }
    case OperatorRoute::kGetJob: {
      TRY(const std::uint64_t number, parse_number(call.routed.name, "a job's number"));
      TRY(const auto job, fleet_.job(number));
      return Answer{200, dump(to_json(job))};
    }
    case OperatorRoute::kAddDrive:
      return add_drive(call);
    case OperatorRoute::kReplaceDrive:
      return replace_drive(call);
    case OperatorRoute::kReclaimDrive:
      CHECK_OK(only_keys(call.body, {}));
      CHECK_OK(fleet_.accept_orphans(DriveName(call.routed.name), call.by.name));
      return Answer{202, dump({{"accepted", call.routed.name}})};
    case OperatorRoute::kHeal: {
      CHECK_OK(only_keys(call.body, {}));
      TRY(const auto job, fleet_.heal(call.by.name));
      return Answer{202, dump(to_json(job))};
    }
    case OperatorRoute::kScrub: {
      CHECK_OK(only_keys(call.body, {}));
      TRY(const auto job, fleet_.scrub(call.by.name));
      return Answer{202, dump(to_json(job))};
    }
    case OperatorRoute::kDrain:
      return drain(call);
    case OperatorRoute::kAbortDrain:
      CHECK_OK(fleet_.abort_drain(call.by.name));
      return Answer{200, dump({{"aborted", true}})};
    case OperatorRoute::kListAccounts:
      return list_accounts(call);
    case OperatorRoute::kCreateAccount:
      return create_account(call);
    case OperatorRoute::kCloseAccount:
      CHECK_OK(tenants_.close(AccountId(call.routed.name), call.by));
      return Answer{200, dump({{"closed", call.routed.name}})};
    case OperatorRoute::kListKeys:
      return list_keys(call);
    case OperatorRoute::kCreateKey:
      return create_key(call);
    case OperatorRoute::kDisableKey:
      return set_key_active(call, false);
    case OperatorRoute::kEnableKey:
      return set_key_active(call, true);
    case OperatorRoute::kDeleteKey:
      CHECK_OK(sync_wait(directory_.delete_credential(call.routed.name, call.by)));
      return Answer{200, dump({{"deleted", call.routed.name}})};
    case OperatorRoute::kListOperators:
      return list_operators();
    case OperatorRoute::kCreateOperator:
      return create_operator(call);
    case OperatorRoute::kRevokeOperator:
      CHECK_OK(operators_.revoke(call.routed.name, call.by));
      return Answer{200, dump({{"revoked", call.routed.name}})};
    case OperatorRoute::kGetConsortium:
      return get_consortium();
    case OperatorRoute::kCheckConsortium:
      return change_consortium(call, false);
    case OperatorRoute::kApplyConsortium:
      return change_consortium(call, true);
    case OperatorRoute::kReadJournal:
      return journal_entries(call);
    case OperatorRoute::kVerifyJournal:
      return journal_verify(std::move(stop));
    case OperatorRoute::kUnknown:
    case OperatorRoute::kLive:
    case OperatorRoute::kReady:
    case OperatorRoute::kMetrics:
      break;
  }
  return fail(Errc::kInternal, "a route that blocks nowhere");
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::add_drive(const Call& call) {
  CHECK_OK(only_keys(call.body, {"name", "site", "associate", "path", "capacity_bytes"}));
  io::DriveInfo drive;
  TRY(std::string name, read_name(call.body, "name"));
  TRY(std::string site, read_name(call.body, "site"));
  TRY(std::string associate, read_name(call.body, "associate"));
  drive.name = DriveName(std::move(name));
  drive.site = SiteId(std::move(site));
  drive.associate = AssociateId(std::move(associate));
  TRY(drive.path, read_path(call.body));
  if (const auto capacity = call.body.find("capacity_bytes"); capacity != call.body.end()) {
    if (!capacity->is_number_unsigned()) return fail(Errc::kInvalidArgument, "capacity_bytes must be a whole number");
    drive.capacity_bytes = capacity->get<std::uint64_t>();
    if (const Status enough = control::check_capacity(drive.capacity_bytes); !enough) {
      return fail(Errc::kInvalidArgument, "capacity_bytes " + enough.error().message());
    }
  }
  CHECK_OK(fleet_.add_drive(drive, call.by.name));
  return Answer{201, dump({{"added", drive.name.value()}})};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::replace_drive(const Call& call) {
  CHECK_OK(only_keys(call.body, {"path"}));
  TRY(const std::string path, read_path(call.body));
  const std::string& name = call.routed.name;
  CHECK_OK(fleet_.replace_drive(DriveName(name), path, call.by.name));
  return Answer{201, dump({{"replaced", name}})};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::drain(const Call& call) {
  CHECK_OK(only_keys(call.body, {"site", "drive", "accept_site_losses", "accept_unerased", "bandwidth_bytes_per_s"}));
  fleet::DrainRequest request;
  if (call.body.contains("site")) {
    TRY(std::string site, read_name(call.body, "site"));
    request.site = SiteId(std::move(site));
  }
  if (call.body.contains("drive")) {
    TRY(std::string drive, read_name(call.body, "drive"));
    request.drive = DriveName(std::move(drive));
  }
  if (const auto accepted = call.body.find("accept_site_losses"); accepted != call.body.end()) {
    if (!accepted->is_number_unsigned() || accepted->get<std::uint64_t>() > 32) {
      return fail(Errc::kInvalidArgument, "accept_site_losses must be a number from 0 to 32");
    }
    request.accept_site_losses = accepted->get<std::uint8_t>();
  }
  if (const auto accepted = call.body.find("accept_unerased"); accepted != call.body.end()) {
    if (!accepted->is_boolean()) return fail(Errc::kInvalidArgument, "accept_unerased must be true or false");
    request.accept_unerased = accepted->get<bool>();
  }
  if (const auto bandwidth = call.body.find("bandwidth_bytes_per_s"); bandwidth != call.body.end()) {
    if (!bandwidth->is_number_unsigned() || *bandwidth < kMinBandwidthBytesPerS) {
      return fail(Errc::kInvalidArgument,
                  "bandwidth_bytes_per_s must be a whole number of at least " + std::to_string(kMinBandwidthBytesPerS));
    }
    request.bandwidth_bytes_per_s = bandwidth->get<std::uint64_t>();
  }
  TRY(const auto job, fleet_.drain(std::move(request), call.by.name));
  return Answer{202, dump(to_json(job))};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::journal_entries(const Call& call) {
  std::uint64_t limit = 100;
  if (const auto given = call.query.find("limit"); given != call.query.end()) {
    TRY(limit, parse_number(given->second, "limit"));
    limit = std::clamp<std::uint64_t>(limit, 1, kMaxEntriesPerPage);
  }
  const std::uint64_t last = store_.last_sequence();
  // Without `first`: the latest ones.
  std::uint64_t first = last >= limit ? last - limit + 1 : 1;
  if (const auto given = call.query.find("first"); given != call.query.end()) {
    TRY(first, parse_number(given->second, "first"));
    first = std::max<std::uint64_t>(first, 1);
  }
  json rendered = to_json(std::vector<journal::Entry>{});
  if (first <= last) {
    TRY(const auto entries, sync_wait(journal::read_entries(store_, first, limit)));
    rendered = to_json(entries);
  }
  rendered["last_sequence"] = last;
  return Answer{200, dump(rendered)};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::journal_verify(std::stop_token stop) {
  // It reads the whole journal: a second one at a time would only make both slower.
  if (verifying_.exchange(true))
    return fail(Errc::kConflict, "the journal is being verified already: wait for its end");
  const Reset reset(verifying_);
  const auto verified = sync_wait(journal::verify_all(store_, std::move(stop)));
  if (!verified) {
    // A broken journal is an answer, not a failure to answer.
    if (verified.error() == Errc::kCorrupt) {
      return Answer{200, dump({{"ok", false}, {"entries", 0}, {"message", verified.error().message()}})};
    }
    return fail(verified.error());
  }
  return Answer{200, dump({{"ok", true}, {"entries", verified->entries}, {"head", to_hex(verified->head)}})};
}

}  // namespace andromede::api
