#include "api/s3/request.h"

#include <charconv>

#include "api/sigv4/query_headers.h"
#include "base/slow_peer.h"

namespace andromede::api::s3 {

namespace {

// How long a client waits for the memory of its answer.
constexpr std::chrono::milliseconds kAnswerPatience{30'000};
// A peer takes a long answer within so long, and a second more for each kFairBytesPerSecond: others wait for its
// memory.
constexpr std::chrono::milliseconds kLongAnswerTime{30'000};

}  // namespace

Request::Request(net::Exchange& exchange, const Surroundings& surroundings, std::string id)
    : Call(exchange, identity::Listener::kTenants, std::move(id)), around_(surroundings) {}

Status Request::find_operation() {
  TRY(target, route(received_head(), options().host_suffixes));
  return {};
}

Result<identity::Principal> Request::authenticate() {
  TRY(authentication_,
      around_.authenticator.authenticate(received_head(), target.raw_path, target.query, error_fields));
  const identity::Credential& credential = *authentication_.credential;
  return identity::Principal{identity::PrincipalKind::kAccountRoot, credential.account, credential.access_key_id};
}

Task<Status> Request::run() {
  if (!operation().open_to_anybody) {
    CO_CHECK_OK(take_headers_of_query());
    CO_CHECK_OK(check_target());
  }
  co_return co_await target.operation->run(*this);
}

Status Request::check_target() {
  if (key().size() > objects::kMaxKeyBytes) {
    error_fields.emplace_back("Size", std::to_string(key().size()));
    error_fields.emplace_back("MaxSizeAllowed", std::to_string(objects::kMaxKeyBytes));
    return fail(S3Errc::kKeyTooLong, "key");
  }
  const auto expected = header("x-amz-expected-bucket-owner");
  // Buckets answer to their owner alone, so whoever is let in is the owner.
  if (expected && *expected != account().id.value()) {
    return fail(S3Errc::kAccessDenied, "the bucket belongs to another account");
  }
  return {};
}

void Request::add_subject(std::string_view code) {
  if (code == "NoSuchKey") {
    error_fields.emplace_back("Key", key());
  } else if (code == "NoSuchUpload") {
    error_fields.emplace_back("UploadId", parameter("uploadId").value_or(""));
  } else if (code == "InvalidPartNumber") {
    error_fields.emplace_back("PartNumberRequested", parameter("partNumber").value_or(""));
  } else if (code == "InvalidRange") {
    error_fields.emplace_back("RangeRequested", header("range").value_or(""));
  } else if (code == "MethodNotAllowed") {
    error_fields.emplace_back("Method", received_head().method);
  } else if (code.find("Bucket") != std::string_view::npos) {
    error_fields.emplace_back("BucketName", bucket());
  }
}

Task<Status> Request::answer_error(const Error& error) {
  const WireError wire = wire_error(error);
  add_subject(wire.code);
  net::ResponseHead head;
  head.status = wire.status;
  head.headers.add("x-amz-id-2", options().host_id);
  if (wire.status == 503) head.headers.add("Retry-After", "1");
  if (target.operation->run == &head_bucket || wire.code == "AuthorizationHeaderMalformed") {
    head.headers.add("x-amz-bucket-region", options().region);
  }
  std::string body;
  if (!is_head() && wire.status != 304) {
    body = render_error(wire, resource(), id(), options().host_id, error_fields);
  }
  co_return co_await reply_xml(std::move(body), std::move(head));
}

void Request::describe(std::vector<LogField>& fields) const {
  const std::string& account_id = account().id.value();
  fields.emplace_back("account", account_id.empty() ? std::string_view("-") : std::string_view(account_id));
  fields.emplace_back("bucket", edge::cut(bucket(), edge::kMaxLoggedBytes));
  fields.emplace_back("key", edge::cut(key(), edge::kMaxLoggedBytes));
}

std::string_view Request::signed_region() const {
  const std::string_view scope = authentication_.scope;
  const std::size_t begin = std::min(scope.find('/'), scope.size() - 1) + 1;
  return scope.substr(begin, scope.find('/', begin) - begin);
}

std::string Request::resource() const {
  if (target.bucket.empty()) return "/";
  return "/" + target.bucket + (target.key.empty() ? "" : "/" + target.key);
}

Result<std::optional<std::uint64_t>> Request::number(std::string_view name, std::uint64_t min, std::uint64_t max) {
  const std::optional<std::string_view> text = parameter(name);
  if (!text || text->empty()) return std::optional<std::uint64_t>{};
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size() || value < min || value > max) {
    return bad_argument(std::string(name), *text,
                        "Argument " + std::string(name) + " must be an integer between " + std::to_string(min) +
                            " and " + std::to_string(max));
  }
  return std::optional(value);
}

Status Request::take_headers_of_query() {
  if (!authentication_.presigned) return {};
  TRY(std::vector<net::Header> headers, sigv4::headers_in_query(target.query, received_head().headers));
  if (headers.empty()) return {};
  presigned_head_ = received_head();
  for (net::Header& header : headers) presigned_head_->headers.add(std::move(header.name), std::move(header.value));
  return {};
}

Result<BodySource*> Request::body() {
  if (body_ == nullptr) {
    TRY(body_, sigv4::VerifiedBody::make(exchange_.body(), authentication_, received_head()));
  }
  return body_.get();
}

void Request::add_common_headers(net::ResponseHead& head) const {
  head.headers.add("x-amz-request-id", id());
  head.headers.add("Server", "Andromede");
}

Task<Status> Request::reply(net::ResponseHead head, std::string body) {
  status_ = head.status;
  bytes_sent_ += body.size();
  add_common_headers(head);
  co_return co_await exchange_.respond(std::move(head), std::move(body));
}

Task<Status> Request::reply_xml(std::string xml, net::ResponseHead head) {
  if (waited_for_) return end_waiting(head.status, std::move(xml));
  head.headers.add("Content-Type", "application/xml");
  if (xml.size() > kShortAnswerBytes) return reply_long(std::move(xml), std::move(head));
  answer_share_.reset();
  return reply(std::move(head), std::move(xml));
}

Task<Status> Request::reserve_answer(std::size_t most_bytes) {
  if (most_bytes <= kShortAnswerBytes) co_return Status{};
  const Deadline deadline = Deadline::after(clock(), kAnswerPatience);
  CO_TRY(AnswerMemory::Share share,
         co_await around_.answers.take({account().id, received_head().peer}, most_bytes, deadline, context().stop));
  answer_share_.emplace(std::move(share));
  co_return Status{};
}

Task<Status> Request::reply_long(std::string xml, net::ResponseHead head) {
  xml.shrink_to_fit();
  if (answer_share_) answer_share_->shrink(xml.size());
  const std::chrono::milliseconds time =
      kLongAnswerTime + std::chrono::milliseconds(xml.size() * 1000 / kFairBytesPerSecond);
  const Deadline deadline = Deadline::after(clock(), time);
  CO_CHECK_OK(co_await start_stream(std::move(head), xml.size()));
  ByteView left = as_bytes(xml);
  while (true) {
    CO_TRY(const std::size_t taken, co_await write_some(left));
    left = left.subspan(taken);
    if (left.empty()) break;
    if (deadline.passed(clock())) co_return fail(Errc::kTimeout, "the peer took a long answer too slowly");
    CO_CHECK_OK(co_await ready());
  }
  co_return co_await finish_stream();
}

Task<Status> Request::start_stream(net::ResponseHead head, std::uint64_t content_length) {
  status_ = head.status;
  add_common_headers(head);
  return exchange_.start(std::move(head), content_length);
}

Task<Status> Request::write_stream(ByteView data) {
  bytes_sent_ += data.size();
  return exchange_.sink().write(data);
}

Task<Result<std::size_t>> Request::write_some(ByteView data) {
  CO_TRY(const std::size_t taken, co_await exchange_.sink().write_some(data));
  bytes_sent_ += taken;
  co_return taken;
}

Status Request::begin_large_document() {
  if (large_document_) return {};
  TRY(LargeDocuments::Entry entry, around_.documents.begin(account().id));
  large_document_.emplace(std::move(entry));
  return {};
}

Task<Status> Request::keep_waiting(net::ResponseHead head) {
  if (!waited_for_) {
    waited_for_ = true;
    status_ = head.status;
    head.headers.add("Content-Type", "application/xml");
    add_common_headers(head);
    CO_CHECK_OK(co_await exchange_.start(std::move(head), std::nullopt));
    // Blanks may stand behind the declaration and not before it.
    co_return co_await write_stream(as_bytes(codec::XmlWriter().take()));
  }
  co_return co_await write_stream(as_bytes(std::string_view(" ")));
}

Task<Status> Request::end_waiting(unsigned status, std::string xml) {
  waited_for_ = false;
  // What the document says is what was answered, whatever the first line said.
  status_ = status;
  std::string_view rest = xml;
  rest.remove_prefix(codec::XmlWriter().take().size());
  CO_CHECK_OK(co_await write_stream(as_bytes(rest)));
  co_return co_await finish_stream();
}

Task<Status> Request::finish_stream() { return exchange_.finish(); }

tl::unexpected<Error> Request::bad_argument(std::string name, std::string_view value, std::string message) {
  error_fields.emplace_back("ArgumentName", std::move(name));
  error_fields.emplace_back("ArgumentValue", std::string(value.substr(0, 1024)));
  return fail(S3Errc::kInvalidArgument, std::move(message));
}

Task<Result<std::string>> read_text(Request& request) {
  CO_TRY(BodySource* const body, request.body());
  const std::uint64_t limit = request.operation().most_body_bytes;
  std::string text;
  for (;;) {
    CO_TRY(const ByteView piece, co_await body->read());
    if (piece.empty()) break;
    // Said as S3 says it: a document that long is none of its schema's.
    if (piece.size() > limit - text.size()) co_return fail(S3Errc::kMalformedXml, "the document is too long");
    text.append(as_text(piece));
    if (text.size() >= kLargeDocumentBytes) CO_CHECK_OK(request.begin_large_document());
  }
  co_return text;
}

std::string xml_time(Timestamp time) {
  std::string text = to_iso8601(time);
  constexpr std::size_t kMillisecondsAt = 20;
  if (text.size() == 24) text.replace(kMillisecondsAt, 3, "000");
  return text;
}

std::string quoted_etag(std::string_view etag) {
  std::string out;
  out.reserve(etag.size() + 2);
  out.append("\"").append(etag).append("\"");
  return out;
}

}  // namespace andromede::api::s3
