// Request: one S3 request on its way, as its operation sees it: what was parsed and who signed it, the body, and how to
// answer. Lives in the front end's frame for the time of the request; belongs to the connection's loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

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
#include "identity/context.h"
#include "net/http.h"
#include "objects/service.h"

namespace andromede::api::s3 {

inline constexpr std::string_view kXmlNamespace = "http://s3.amazonaws.com/doc/2006-03-01/";

class Request {
 public:
  // All are borrowed and outlive the request.
  Request(net::Exchange& exchange, objects::Service& service, LargeDocuments& documents, AnswerMemory& answers,
          const Clock& clock, const Options& options, std::string id);
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // --- what was asked ---
  [[nodiscard]] const net::RequestHead& head() const { return presigned_head_ ? *presigned_head_ : head_; }
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    return head().headers.find(name);
  }
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const {
    return target.query.find(name);
  }
  [[nodiscard]] const std::string& bucket() const { return target.bucket; }
  [[nodiscard]] const std::string& key() const { return target.key; }
  [[nodiscard]] const Operation& operation() const { return *target.operation; }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] bool is_head() const { return head_.method == "HEAD"; }
  // The region that the client signed with.
  [[nodiscard]] std::string_view signed_region() const;
  // "/bucket/key"
  [[nodiscard]] std::string resource() const;

  // A decimal query parameter in [min, max]; nullopt when it is absent or empty. S3Errc::kInvalidArgument otherwise.
  Result<std::optional<std::uint64_t>> number(std::string_view name, std::uint64_t min, std::uint64_t max);

  // --- who asked ---
  [[nodiscard]] objects::Service& service() const { return service_; }
  // Who asks is known: its connection is kept from here on.
  void admit(sigv4::Authentication who);
  // Of nobody until then.
  [[nodiscard]] const identity::Context& context() const { return context_; }
  [[nodiscard]] const identity::Account& account() const { return context_.principal.account; }

  // --- the body ---
  // Decoded and verified; made at the first call. Errors of SigErrc.
  Result<BodySource*> body();
  [[nodiscard]] const sigv4::VerifiedBody* verified_body() const { return body_.get(); }
  // Of a body that is a large document, from here to the end of the request. kOverloaded: the account has too many.
  Status begin_large_document();
  [[nodiscard]] LargeDocuments& documents() const { return documents_; }

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
  // Between keep_waiting() and reply_xml(), where an error can still be told.
  [[nodiscard]] bool waited_for() const { return waited_for_; }

  [[nodiscard]] bool answered() const { return status_ != 0; }
  [[nodiscard]] unsigned status() const { return status_; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }

  // Fails and tells the client which argument it was.
  tl::unexpected<Error> bad_argument(std::string name, std::string_view value, std::string message);

  // Of a presigned request, once it is authenticated: headers that its query holds are headers from here on. SigErrc.
  Status take_headers_of_query();

  // Filled by the front end before the operation runs.
  Target target;
  // Elements that an error answer carries besides the common ones.
  ErrorFields error_fields;

 private:
  void add_common_headers(net::ResponseHead& head) const;
  Task<Status> reply_long(std::string xml, net::ResponseHead head);
  Task<Status> end_waiting(unsigned status, std::string xml);

  net::Exchange& exchange_;
  const net::RequestHead& head_;
  std::optional<net::RequestHead> presigned_head_;  // with the headers of its query
  objects::Service& service_;
  LargeDocuments& documents_;
  AnswerMemory& answers_;
  const Clock& clock_;
  const Options& options_;
  const std::string id_;
  sigv4::Authentication authentication_;
  identity::Context context_;
  std::unique_ptr<sigv4::VerifiedBody> body_;
  std::optional<LargeDocuments::Entry> large_document_;
  std::optional<AnswerMemory::Share> answer_share_;
  unsigned status_ = 0;
  bool waited_for_ = false;
  std::uint64_t bytes_sent_ = 0;
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
