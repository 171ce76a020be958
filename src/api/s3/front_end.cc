#include "api/s3/front_end.h"

#include <atomic>
#include <cstdio>
#include <exception>

#include "api/s3/errors.h"
#include "api/s3/fault_lines.h"
#include "api/s3/metrics.h"
#include "api/s3/operations.h"
#include "api/s3/request.h"
#include "base/log.h"

namespace andromede::api::s3 {
namespace {

// Of each field that a client chose.
constexpr std::size_t kMaxLoggedBytes = 1024;

// Request ids: a random start and a counter through a bijection (splitmix64), so that they never repeat within a
// process and cost no system call.
class RequestIds {
 public:
  explicit RequestIds(Random& random) {
    std::uint64_t seed = 0;
    random.fill({reinterpret_cast<std::uint8_t*>(&seed), sizeof seed});
    next_ = seed;
  }
  std::string next() {
    std::uint64_t value = next_.fetch_add(0x9E3779B97F4A7C15ULL, std::memory_order_relaxed);
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
    value ^= value >> 31;
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string id(16, '0');
    for (std::size_t i = 0; i < id.size(); ++i) id[i] = kDigits[(value >> (60 - 4 * i)) & 15];
    return id;
  }

 private:
  std::atomic<std::uint64_t> next_;
};

// What holds for every operation on a bucket or object.
Status check_target(Request& request) {
  if (request.key().size() > objects::kMaxKeyBytes) {
    request.error_fields.emplace_back("Size", std::to_string(request.key().size()));
    request.error_fields.emplace_back("MaxSizeAllowed", std::to_string(objects::kMaxKeyBytes));
    return fail(S3Errc::kKeyTooLong, "key");
  }
  const auto expected = request.header("x-amz-expected-bucket-owner");
  // Buckets answer to their owner alone, so whoever is let in is the owner.
  if (expected && *expected != request.account().id.value()) {
    return fail(S3Errc::kAccessDenied, "the bucket belongs to another account");
  }
  return {};
}

// Which bucket, key or upload an error is about, in S3's element names.
void add_subject(Request& request, std::string_view code) {
  ErrorFields& fields = request.error_fields;
  if (code == "NoSuchKey") {
    fields.emplace_back("Key", request.key());
  } else if (code == "NoSuchUpload") {
    fields.emplace_back("UploadId", request.parameter("uploadId").value_or(""));
  } else if (code == "InvalidPartNumber") {
    fields.emplace_back("PartNumberRequested", request.parameter("partNumber").value_or(""));
  } else if (code == "InvalidRange") {
    fields.emplace_back("RangeRequested", request.header("range").value_or(""));
  } else if (code == "MethodNotAllowed") {
    fields.emplace_back("Method", request.head().method);
  } else if (code.find("Bucket") != std::string_view::npos) {
    fields.emplace_back("BucketName", request.bucket());
  }
}

std::uint64_t body_bytes(const Request& request) {
  return request.verified_body() == nullptr ? 0 : request.verified_body()->bytes_read();
}

}  // namespace

struct FrontEnd::Impl {
  Impl(objects::Service& objects_service, sigv4::CredentialLookup lookup, const Clock& the_clock, Random& random,
       Metrics& metrics, Options the_options)
      : service(objects_service),
        clock(the_clock),
        options(std::move(the_options)),
        authenticator(std::move(lookup), the_clock, {.region = options.region}),
        ids(random),
        front_metrics(metrics),
        answers(kAnswerMemoryBytes, the_clock),
        fault_lines(the_clock) {}

  Task<void> handle(net::Exchange& exchange);
  Task<Status> serve(Request& request);
  Task<Status> serve_safely(Request& request);
  Task<void> answer_error(Request& request, const Error& error);
  void log_request(const Request& request, std::chrono::nanoseconds took, const Status& outcome, bool cut_short);

  objects::Service& service;
  const Clock& clock;
  const Options options;
  sigv4::Authenticator authenticator;
  RequestIds ids;
  FrontMetrics front_metrics;
  LargeDocuments documents;
  AnswerMemory answers;
  FaultLines fault_lines;
};

Task<Status> FrontEnd::Impl::serve(Request& request) {
  CO_TRY(request.target, route(request.head(), options.host_suffixes));
  if (request.operation().is.open_to_anybody) co_return co_await request.operation().run(request);
  CO_TRY(sigv4::Authentication who, authenticator.authenticate(request.head(), request.target.raw_path,
                                                               request.target.query, request.error_fields));
  request.admit(std::move(who));
  CO_CHECK_OK(request.take_headers_of_query());
  CO_CHECK_OK(check_target(request));
  co_return co_await request.operation().run(request);
}

// Third-party code below may throw; one request must not take the others down.
Task<Status> FrontEnd::Impl::serve_safely(Request& request) {
  try {
    co_return co_await serve(request);
  } catch (const std::exception& exception) {
    co_return fail(Errc::kInternal, std::string("exception: ") + exception.what());
  }
}

Task<void> FrontEnd::Impl::answer_error(Request& request, const Error& error) {
  const WireError wire = wire_error(error);
  add_subject(request, wire.code);
  net::ResponseHead head;
  head.status = wire.status;
  head.headers.add("x-amz-id-2", options.host_id);
  if (wire.status == 503) head.headers.add("Retry-After", "1");
  if (request.operation().run == &head_bucket || wire.code == "AuthorizationHeaderMalformed") {
    head.headers.add("x-amz-bucket-region", options.region);
  }
  std::string body;
  if (!request.is_head() && wire.status != 304) {
    body = render_error(wire, request.resource(), request.id(), options.host_id, request.error_fields);
  }
  const Status sent = co_await request.reply_xml(std::move(body), std::move(head));
  if (!sent) log_debug("an error answer was not delivered", {{"requestId", request.id()}});
}

Task<void> FrontEnd::Impl::handle(net::Exchange& exchange) {
  const SteadyTime begin = clock.steady();
  Request request(exchange, service, documents, answers, clock, options, ids.next());
  const Status outcome = co_await serve_safely(request);
  // With the peer gone there is nobody to answer; with the answer begun, ending it short is how the peer learns.
  const bool gone = !outcome && outcome.error() == Errc::kCancelled;
  const bool cut_short = !outcome && !gone && request.answered() && !request.waited_for();
  if (!outcome && !gone && !cut_short) co_await answer_error(request, outcome.error());
  const std::chrono::nanoseconds took = clock.steady() - begin;
  front_metrics.record(request.operation(), request.status(), took, body_bytes(request), request.bytes_sent());
  log_request(request, took, outcome, cut_short);
}

void FrontEnd::Impl::log_request(const Request& request, std::chrono::nanoseconds took, const Status& outcome,
                                 bool cut_short) {
  const std::string_view account =
      request.account().id.value().empty() ? std::string_view("-") : std::string_view(request.account().id.value());
  // 501 is what a client asked for, not a fault.
  const bool failed = cut_short || (request.status() >= 500 && request.status() != 501);
  const auto left_out = failed ? fault_lines.take(account) : std::nullopt;
  const bool fault = left_out.has_value();
  if (!fault && !options.access_log) return;
  log(fault ? LogLevel::kError : LogLevel::kInfo, fault ? "s3 request failed" : "s3 request",
      {{"requestId", request.id()},
       {"operation", request.operation().is.name},
       {"status", static_cast<std::int64_t>(request.status())},
       {"method", request.head().method},
       {"bucket", cut(request.bucket(), kMaxLoggedBytes)},
       {"key", cut(request.key(), kMaxLoggedBytes)},
       {"account", account},
       {"peer", request.head().peer_address},
       {"userAgent", cut(request.header("user-agent").value_or(""), kMaxLoggedBytes)},
       {"traceparent", cut(request.header("traceparent").value_or(""), kMaxLoggedBytes)},
       {"microseconds", static_cast<std::int64_t>(took.count() / 1000)},
       {"bytesIn", body_bytes(request)},
       {"bytesOut", request.bytes_sent()},
       {"failuresNotLogged", left_out.value_or(0)},
       {"error", outcome ? std::string() : outcome.error().describe()}});
}

FrontEnd::FrontEnd(objects::Service& service, const identity::Directory& directory, const Clock& clock, Random& random,
                   Metrics& metrics, Options options)
    : FrontEnd(
          service, [&directory](std::string_view access_key_id) { return directory.find(access_key_id); }, clock,
          random, metrics, std::move(options)) {}

FrontEnd::FrontEnd(objects::Service& service, sigv4::CredentialLookup lookup, const Clock& clock, Random& random,
                   Metrics& metrics, Options options)
    : impl_(std::make_unique<Impl>(service, std::move(lookup), clock, random, metrics, std::move(options))) {}

FrontEnd::~FrontEnd() = default;

std::size_t FrontEnd::answer_bytes() const { return impl_->answers.held_bytes(); }

net::Handler FrontEnd::handler() {
  return [impl = impl_.get()](net::Exchange& exchange) { return impl->handle(exchange); };
}

std::string FrontEnd::render_protocol_error(unsigned status, std::string_view message) {
  return render_error({code_of_status(status), status, std::string(message)}, {}, impl_->ids.next(),
                      impl_->options.host_id, {});
}

net::ErrorRenderer FrontEnd::error_renderer() {
  return [this](unsigned status, std::string_view message) { return render_protocol_error(status, message); };
}

}  // namespace andromede::api::s3
