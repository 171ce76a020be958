// Request: one S3 request on its way, as its operation sees it: what was parsed and who signed it, the body, and how to
// answer. S3's dialect of an edge::Call.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "api/edge/call.h"
#include "api/s3/answer_memory.h"
#include "api/s3/checksums.h"
#include "api/s3/errors.h"
#include "api/s3/large_documents.h"
#include "api/s3/options.h"
#include "api/s3/router.h"
#include "api/sigv4/authenticator.h"
#include "api/sigv4/verified_body.h"
#include "base/clock.h"
#include "codec/xml.h"
#include "net/http.h"
#include "objects/service.h"

namespace andromede::api::s3 {

inline constexpr std::string_view kXmlNamespace = "http://s3.amazonaws.com/doc/2006-03-01/";

// What requests work on, and share. All are borrowed and outlive them.
struct Surroundings {
  objects::Service& service;
  sigv4::Authenticator& authenticator;
  LargeDocuments& documents;
  AnswerMemory& answers;
  const Clock& clock;
  const Options& options;
};

class Request final : public edge::Call {
 public:
  Request(net::Exchange& exchange, const Surroundings& surroundings, std::string id);

  // --- edge::Call ---
  Status find_operation() override;
  [[nodiscard]] const edge::Operation& operation() const override { return target.operation->is; }
  [[nodiscard]] std::size_t row() const override { return row_of(*target.operation); }
  Result<identity::Principal> authenticate() override;
  Task<Status> run() override;
  Task<Status> answer_error(const Error& error) override;
  [[nodiscard]] bool can_tell_errors() const override { return !answered() || waited_for_; }
  [[nodiscard]] std::uint64_t body_bytes() const override { return body_ == nullptr ? 0 : body_->bytes_read(); }
  void describe(std::vector<LogField>& fields) const override;

  // --- what was asked ---
  [[nodiscard]] const net::RequestHead& head() const { return presigned_head_ ? *presigned_head_ : received_head(); }
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    return head().headers.find(name);
  }
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const {
    return target.query.find(name);
  }
  [[nodiscard]] const std::string& bucket() const { return target.bucket; }
  [[nodiscard]] const std::string& key() const { return target.key; }
  [[nodiscard]] const Options& options() const { return around_.options; }
  [[nodiscard]] const Clock& clock() const { return around_.clock; }
  [[nodiscard]] bool is_head() const { return received_head().method == "HEAD"; }
  // The region that the client signed with.
  [[nodiscard]] std::string_view signed_region() const;
  // "/bucket/key"
  [[nodiscard]] std::string resource() const;

  // A decimal query parameter in [min, max]; nullopt when it is absent or empty. S3Errc::kInvalidArgument otherwise.
  Result<std::optional<std::uint64_t>> number(std::string_view name, std::uint64_t min, std::uint64_t max);

  // --- who asked ---
  [[nodiscard]] objects::Service& service() const { return around_.service; }
  [[nodiscard]] const identity::Account& account() const { return context().principal.account; }

  // --- the body ---
  // Decoded and verified; made at the first call. Errors of SigErrc.
  Result<BodySource*> body();
  // Of a body that is a large document, from here to the end of the request. kOverloaded: the account has too many.
  Status begin_large_document();
  [[nodiscard]] LargeDocuments& documents() const { return around_.documents; }

  // Memory for a long answer, and for what it is made of: `most_bytes` until it is made, what it is long until it is
  // sent. To be called before anything is read or done for it. kOverloaded.
  Task<Status> reserve_answer(std::size_t most_bytes);

  // --- the answer: one of these, once. Errors are the connection's ---
  Task<Status> reply(net::ResponseHead head, std::string body = {});
  Task<Status> reply_xml(std::string xml, net::ResponseHead head = {});
  // Head of a streamed answer; the caller writes exactly `content_length` bytes to sink() and calls finish_stream().
  Task<Status> start_stream(net::ResponseHead head, std::uint64_t content_length);
  Task<Status> write_stream(ByteView data);
  // ResponseSink's write_some() and ready().
  Task<Result<std::size_t>> write_some(ByteView data);
  Task<Status> ready() { return exchange_.sink().ready(); }
  Task<Status> finish_stream();
  // For a document that is long in coming: begins a 200 that reply_xml() goes on with, be it by an error, and sends a
  // blank each time; so S3 answers a copy ("CopyObject", API reference). `head` counts the first time.
  Task<Status> keep_waiting(net::ResponseHead head);

  // Fails and tells the client which argument it was.
  tl::unexpected<Error> bad_argument(std::string name, std::string_view value, std::string message);

  Target target;  // once the operation is found
  // Elements that an error answer carries besides the common ones.
  ErrorFields error_fields;

 private:
  // Of a presigned request: headers that its query holds are headers from here on. SigErrc.
  Status take_headers_of_query();
  // What holds for every operation on a bucket or object.
  Status check_target();
  // Which bucket, key or upload an error is about, in S3's element names.
  void add_subject(std::string_view code);
  void add_common_headers(net::ResponseHead& head) const;
  Task<Status> reply_long(std::string xml, net::ResponseHead head);
  Task<Status> end_waiting(unsigned status, std::string xml);

  const Surroundings& around_;
  std::optional<net::RequestHead> presigned_head_;  // with the headers of its query
  sigv4::Authentication authentication_;
  std::unique_ptr<sigv4::VerifiedBody> body_;
  std::optional<LargeDocuments::Entry> large_document_;
  std::optional<AnswerMemory::Share> answer_share_;
  bool waited_for_ = false;  // between keep_waiting() and reply_xml()
};

// Reads a body whole. S3Errc::kMalformedXml: longer than the operation's may be; kOverloaded: the account has too many
// large ones.
Task<Result<std::string>> read_text(Request& request);
// Reads a body whole, checks it against what the client demands of it and parses it; a large one off the event loop.
// Errors of read_text() and `parse`; kBadDigest.
template <typename Parse>
Task<std::invoke_result_t<Parse, std::string_view>> read_document(Request& request, objects::ChecksumDemand demand,
                                                                  Parse parse) {
  CO_TRY(const std::string text, co_await read_text(request));
  CO_TRY(const BodySource* const body, request.body());
  const auto work = [&]() -> std::invoke_result_t<Parse, std::string_view> {
    CHECK_OK(check_digests(demand, as_bytes(text), body->trailing_checksum()));
    return parse(text);
  };
  if (text.size() < kLargeDocumentBytes) co_return work();
  co_return co_await request.documents().pool().run(work);
}

// "2013-05-24T00:00:00.000Z": whole seconds, as S3 shows them everywhere.
std::string xml_time(Timestamp time);
// "\"etag\""
std::string quoted_etag(std::string_view etag);

}  // namespace andromede::api::s3
