#include "api/edge/front_door.h"

#include <exception>
#include <optional>
#include <vector>

#include "base/log.h"

namespace andromede::api::edge {
namespace {

// For whom lines about failures are counted.
std::string_view tenant_of(const identity::Principal& principal) {
  switch (principal.kind) {
    case identity::PrincipalKind::kAccountRoot:
      return principal.account.id.value();
    case identity::PrincipalKind::kOperator:
      return principal.id;
    case identity::PrincipalKind::kAnonymous:
      break;
  }
  return "-";
}

// Of ours. 501 is what a client asked for, and a probe that tells of one has done what it is for.
bool is_fault(const Call& call, bool cut_short) {
  if (cut_short) return true;
  return call.status() >= 500 && call.status() != 501 && !call.operation().open_to_anybody;
}

}  // namespace

FrontDoor::FrontDoor(std::string_view api, std::size_t operations, Lines lines, const Clock& clock, Random& random,
                     Metrics& metrics)
    : api_(api), lines_(lines), clock_(clock), ids_(random), metrics_(api, operations, metrics), fault_lines_(clock) {}

Task<Status> FrontDoor::serve(Call& call) {
  CO_CHECK_OK(call.find_operation());
  if (!call.operation().open_to_anybody) {
    CO_TRY(identity::Principal who, call.authenticate());
    call.admit(std::move(who));
  }
  co_return co_await call.run();
}

// Third-party code below may throw; one request must not take the others down.
Task<Status> FrontDoor::serve_safely(Call& call) {
  try {
    co_return co_await serve(call);
  } catch (const std::exception& exception) {
    co_return fail(Errc::kInternal, std::string("exception: ") + exception.what());
  }
}

Task<void> FrontDoor::handle(Call& call) {
  const SteadyTime begin = clock_.steady();
  const Status outcome = co_await serve_safely(call);
  // With the peer gone there is nobody to answer; with the answer begun, ending it short is how the peer learns.
  const bool gone = !outcome && outcome.error() == Errc::kCancelled;
  const bool cut_short = !outcome && !gone && !call.can_tell_errors();
  if (!outcome && !gone && !cut_short) {
    const Status sent = co_await call.answer_error(outcome.error());
    if (!sent) log_debug("an error answer was not delivered", {{"requestId", call.id()}});
  }
  const std::chrono::nanoseconds took = clock_.steady() - begin;
  metrics_.record(call.row(), call.operation().name, call.status(), took, call.body_bytes(), call.bytes_sent());
  log_call(call, took, outcome, cut_short);
}

void FrontDoor::log_call(const Call& call, std::chrono::nanoseconds took, const Status& outcome, bool cut_short) {
  const auto left_out =
      is_fault(call, cut_short) ? fault_lines_.take(tenant_of(call.context().principal)) : std::nullopt;
  const bool fault = left_out.has_value();
  const bool writes = lines_ == Lines::kWrites && call.operation().access == Access::kWrite;
  if (!fault && !writes && lines_ != Lines::kAll) return;
  const net::RequestHead& head = call.received_head();
  std::vector<LogField> fields = {{"requestId", call.id()},
                                  {"operation", call.operation().name},
                                  {"status", static_cast<std::int64_t>(call.status())},
                                  {"method", head.method},
                                  {"principal", identity::arn_of(call.context().principal)},
                                  {"peer", head.peer_address},
                                  {"userAgent", cut(head.headers.find("user-agent").value_or(""), kMaxLoggedBytes)},
                                  {"traceparent", cut(head.headers.find("traceparent").value_or(""), kMaxLoggedBytes)},
                                  {"microseconds", static_cast<std::int64_t>(took.count() / 1000)},
                                  {"bytesIn", call.body_bytes()},
                                  {"bytesOut", call.bytes_sent()}};
  call.describe(fields);
  if (fault) fields.emplace_back("failuresNotLogged", *left_out);
  if (!outcome) fields.emplace_back("error", outcome.error().describe());
  log(fault ? LogLevel::kError : LogLevel::kInfo, api_ + (fault ? " request failed" : " request"), fields);
}

}  // namespace andromede::api::edge
