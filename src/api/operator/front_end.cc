#include "api/operator/front_end.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "api/operator/errors.h"
#include "api/operator/render.h"
#include "base/check.h"
#include "codec/json.h"
#include "journal/journal.h"
#include "sovereignty/consortium.h"

namespace andromede::api {
namespace {

constexpr std::size_t kMaxBodyBytes = 64 * 1024;
constexpr std::size_t kMaxNameBytes = 32;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxOperatorBytes = 64;
constexpr std::uint64_t kMaxEntriesPerPage = 1000;
constexpr unsigned kPoolThreads = 4;
constexpr std::size_t kMaxQueuedCalls = 64;

using nlohmann::json;

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

Result<std::uint64_t> parse_number(std::string_view text, std::string_view what) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return fail(Errc::kInvalidArgument, std::string(what) + " must be a whole number");
  }
  return number;
}

// Names go into the drive map, file names and the journal: the letters of the consortium file, and no others.
Result<std::string> read_name(const json& body, const char* key) {
  const auto found = body.find(key);
  if (found == body.end() || !found->is_string()) {
    return fail(Errc::kInvalidArgument, std::string(key) + " is missing: a string is required");
  }
  auto name = found->get<std::string>();
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

Status only_keys(const json& body, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : body.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return fail(Errc::kInvalidArgument, "unknown key \"" + key + "\"");
    }
  }
  return {};
}

std::string read_operator(const net::Headers& headers) {
  const auto name = headers.find("x-andromede-operator");
  if (!name || name->empty()) return "operator";
  std::string clean(name->substr(0, kMaxOperatorBytes));
  // Journal entries are read by people: nothing unprintable may hide there.
  std::replace_if(clean.begin(), clean.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return clean;
}

}  // namespace

struct OperatorFrontEnd::Call {
  std::string method;
  std::string path;
  std::map<std::string, std::string> query;
  json body = json::object();
  std::string operator_name;
};

OperatorFrontEnd::OperatorFrontEnd(fleet::Fleet& fleet, meta::Store& store, Metrics& metrics, OperatorOptions options)
    : fleet_(fleet),
      store_(store),
      metrics_(metrics),
      options_(std::move(options)),
      pool_("operator", kPoolThreads, kMaxQueuedCalls) {
  CHECK(options_.token.size() >= kMinTokenBytes, "a short token can be guessed");
}

OperatorFrontEnd::Answer OperatorFrontEnd::error(const Error& error) {
  return {operator_error_status(error), render_operator_error(error)};
}

bool OperatorFrontEnd::authorised(const net::RequestHead& head) const {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = head.headers.find("authorization");
  if (!header || head.headers.count("authorization") != 1 || !header->starts_with(kScheme)) return false;
  return constant_time_equal(as_bytes(header->substr(kScheme.size())), as_bytes(options_.token));
}

Task<void> OperatorFrontEnd::handle(net::Exchange& exchange) {
  const Answer answered = co_await answer(exchange);
  net::ResponseHead head;
  head.status = answered.status;
  head.headers.add("Content-Type", answered.content_type);
  head.headers.add("Cache-Control", "no-store");
  if (answered.status == 401) head.headers.add("WWW-Authenticate", "Bearer");
  // A peer that went away needs no answer.
  [[maybe_unused]] const Status sent = co_await exchange.respond(std::move(head), answered.body);
}

Task<OperatorFrontEnd::Answer> OperatorFrontEnd::answer(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  Call call;
  call.method = head.method;
  const std::string_view target = head.target;
  const std::size_t question = target.find('?');
  call.path = std::string(target.substr(0, question));
  if (question != std::string_view::npos) {
    std::string_view rest = target.substr(question + 1);
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('&'), rest.size());
      const std::string_view pair = rest.substr(0, end);
      const std::size_t equals = std::min(pair.find('='), pair.size());
      const std::string_view value = equals < pair.size() ? pair.substr(equals + 1) : std::string_view();
      call.query[std::string(pair.substr(0, equals))] = std::string(value);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (reads && call.path == "/health/live") co_return Answer{200, dump({{"status", "live"}})};
  if (reads && call.path == "/metrics") {
    co_return Answer{200, metrics_.render(), "text/plain; version=0.0.4; charset=utf-8"};
  }
  if (reads && call.path == "/health/ready") {
    const Status ready = co_await pool_.run([this] { return options_.ready(); });
    if (!ready) co_return Answer{503, dump({{"status", "not ready"}, {"reason", ready.error().message()}})};
    co_return Answer{200, dump({{"status", "ready"}})};
  }
  if (!call.path.starts_with("/v1/")) {
    co_return error(Error(make_error_code(Errc::kNotFound), "no such route: see docs/formats/operator-api.md"));
  }
  if (!authorised(head)) {
    co_return Answer{401, dump({{"code", "unauthorised"}, {"message", "the operator's token is missing or wrong"}})};
  }
  std::string body;
  while (true) {
    const auto piece = co_await exchange.body().read();
    if (!piece) co_return error(piece.error());
    if (piece->empty()) break;
    if (body.size() + piece->size() > kMaxBodyBytes) {
      co_return error(Error(make_error_code(Errc::kInvalidArgument), "the body is over 64 KiB"));
    }
    body.append(as_text(*piece));
  }
  if (!body.empty()) {
    auto parsed = codec::parse_json(body);
    if (!parsed) co_return error(parsed.error());
    if (!parsed->is_object()) co_return error(Error(make_error_code(Errc::kInvalidArgument), "the body is no object"));
    call.body = std::move(*parsed);
  }
  call.operator_name = read_operator(head.headers);
  co_return co_await routed(std::move(call));
}

Task<OperatorFrontEnd::Answer> OperatorFrontEnd::routed(Call call) {
  const Result<Answer> result = co_await pool_.run([this, &call]() -> Result<Answer> { return run(call); });
  if (!result) co_return error(result.error());
  co_return *result;
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::run(const Call& call) {
  const bool get = call.method == "GET";
  const bool post = call.method == "POST";
  const std::string& path = call.path;
  constexpr std::string_view kDrives = "/v1/drives/";
  constexpr std::string_view kReplace = "/replace";
  if (get && path == "/v1/status") {
    TRY(const auto status, fleet_.status());
    json rendered = to_json(status);
    rendered["version"] = options_.version;
    rendered["journal_sequence"] = store_.last_sequence();
    return Answer{200, dump(rendered)};
  }
  if (get && path == "/v1/jobs") {
    TRY(const auto status, fleet_.status());
    return Answer{200, dump({{"jobs", to_json(status)["jobs"]}})};
  }
  if (get && path.starts_with("/v1/jobs/")) {
    TRY(const std::uint64_t number, parse_number(std::string_view(path).substr(9), "a job's number"));
    TRY(const auto job, fleet_.job(number));
    return Answer{200, dump(to_json(job))};
  }
  if (post && path == "/v1/drives") return add_drive(call);
  if (post && path.starts_with(kDrives) && path.ends_with(kReplace) && path.size() > kDrives.size() + kReplace.size()) {
    return replace_drive(call, path.substr(kDrives.size(), path.size() - kDrives.size() - kReplace.size()));
  }
  if (post && path == "/v1/heal") {
    CHECK_OK(only_keys(call.body, {}));
    TRY(const auto job, fleet_.heal(call.operator_name));
    return Answer{202, dump(to_json(job))};
  }
  if (post && path == "/v1/scrub") {
    CHECK_OK(only_keys(call.body, {}));
    TRY(const auto job, fleet_.scrub(call.operator_name));
    return Answer{202, dump(to_json(job))};
  }
  if (post && path == "/v1/drain") return drain(call);
  if (call.method == "DELETE" && path == "/v1/drain") {
    CHECK_OK(fleet_.abort_drain(call.operator_name));
    return Answer{200, dump({{"aborted", true}})};
  }
  if (get && path == "/v1/journal") return journal_entries(call);
  if (get && path == "/v1/journal/verify") return journal_verify();
  return fail(Errc::kNotFound, call.method + " " + path + ": no such route: see docs/formats/operator-api.md");
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
    if (const Status enough = sovereignty::check_capacity(drive.capacity_bytes); !enough) {
      return fail(Errc::kInvalidArgument, "capacity_bytes " + enough.error().message());
    }
  }
  CHECK_OK(fleet_.add_drive(drive, call.operator_name));
  return Answer{201, dump({{"added", drive.name.value()}})};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::replace_drive(const Call& call, const std::string& name) {
  CHECK_OK(only_keys(call.body, {"path"}));
  TRY(const std::string path, read_path(call.body));
  CHECK_OK(fleet_.replace_drive(DriveName(name), path, call.operator_name));
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
    if (!bandwidth->is_number_unsigned() || *bandwidth == 0) {
      return fail(Errc::kInvalidArgument, "bandwidth_bytes_per_s must be a whole number above 0");
    }
    request.bandwidth_bytes_per_s = bandwidth->get<std::uint64_t>();
  }
  TRY(const auto job, fleet_.drain(std::move(request), call.operator_name));
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

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::journal_verify() {
  const auto verified = sync_wait(journal::verify_all(store_));
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
